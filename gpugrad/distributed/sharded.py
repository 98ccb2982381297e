"""Optimizers whose moments are divided among the ranks: ZeRO, stage 1.

Each rank holds the moments of an equal part of all parameters, updates that part, and gets the others' parts back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy

from .. import backend
from ..backend import DType
from ..core import Tensor
from ..optim import Optimizer
from .channel import Channel
from .collectives import back, on_host
from .world import init


class Piece:
    """The part of one parameter that this rank updates: its elements ``start`` to ``stop``, as a leaf of their own."""

    def __init__(self, param: Tensor, start: int, stop: int) -> None:
        self.param, self.start, self.stop = param, start, stop
        with backend.beside(param.data):
            self.leaf = Tensor(backend.duplicate(self.of(param.data))).requires_grad_()

    def of(self, array: Any) -> Any:
        """The same elements of an array like the parameter."""
        return array.reshape(-1)[self.start : self.stop]


class Part:
    """The parameters of a group that have one dtype, laid end to end; each rank has as many elements of them."""

    def __init__(self, params: list[Tensor], rank: int, size: int) -> None:
        self.params = params
        self.dtype: DType = params[0].dtype
        self.starts = numpy.cumsum([0, *(p.size for p in params)]).tolist()
        self.each = -(-self.starts[-1] // size)
        self.begin = rank * self.each
        self.pieces: dict[int, Piece] = {}
        for i, p in enumerate(params):
            start = max(self.begin - self.starts[i], 0)
            stop = min(self.begin + self.each - self.starts[i], p.size)
            if start < stop:
                self.pieces[i] = Piece(p, start, stop)

    def whole(self, channel: Channel, arrays: Mapping[int, Any], call: str) -> list[Any]:
        """The arrays of all ranks' pieces as arrays like the parameters, on the host; zeros where there is none."""
        mine = numpy.zeros(self.each, dtype=self.dtype)
        for i, array in arrays.items():
            start = self.starts[i] + self.pieces[i].start - self.begin
            mine[start : start + self.pieces[i].stop - self.pieces[i].start] = on_host(array).reshape(-1)
        flat = channel.gather(mine, call).reshape(-1)
        return [
            flat[start : start + p.size].reshape(p.shape) for p, start in zip(self.params, self.starts, strict=False)
        ]


class ShardedOptimizer(Optimizer):
    """An optimizer whose moments are divided among the ranks.

    Args:
        optimizer: the class, such as :class:`gpugrad.optim.Adam`: one that treats every element alike.
        params: the parameters or groups of them, the same on all ranks.
        options: of the class.

    Use it with gradients that are the same on all ranks, as :class:`DataParallel` makes them. ``state_dict`` is that of
    the class, with the moments of all ranks, so a run can go on with another number of ranks, or without sharding; all
    ranks call it together.

    Raises:
        TypeError: the class needs whole parameters (LAMB, Muon, Adafactor, LBFGS).

    Source: Rajbhandari et al. 2020, "ZeRO"; ``torch.distributed.optim.ZeroRedundancyOptimizer``.

    >>> import gpugrad as gg
    >>> w = gg.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = ShardedOptimizer(gg.optim.SGD, [w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.8, 1.6], requires_grad=True)
    """

    def __init__(self, optimizer: type[Optimizer], params: Any, **options: Any) -> None:
        if not (isinstance(optimizer, type) and issubclass(optimizer, Optimizer)):
            raise TypeError(f"ShardedOptimizer: expected a class of optimizers, got {optimizer!r}")
        if getattr(optimizer, "apart", False) or optimizer.step is not Optimizer.step:
            raise TypeError(
                f"ShardedOptimizer: {optimizer.__name__} needs whole parameters, which no rank has: use an optimizer "
                "that treats every element alike, such as AdamW"
            )
        self._world = init()
        model = optimizer(params, **options)  # sees to the arguments, and is asked for nothing else
        self.defaults = model.defaults
        self.param_groups = model.param_groups
        self._named = model
        self._parts = [self._divided(group["params"]) for group in self.param_groups]
        groups = [
            {**group, "params": [piece.leaf for part in parts for piece in part.pieces.values()]}
            for group, parts in zip(self.param_groups, self._parts, strict=True)
        ]
        self._inner = optimizer(groups, **options)
        model._flats = []

    def _divided(self, params: list[Tensor]) -> list[Part]:
        kinds: dict[Any, list[Tensor]] = {}
        for p in params:
            kinds.setdefault((p.dtype, p.device), []).append(p)
        return [Part(alike, self._world.rank, self._world.size) for alike in kinds.values()]

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Not after the parameters were divided.

        Raises:
            TypeError: always.
        """
        raise TypeError("ShardedOptimizer: expected all parameters at the beginning, got another group")

    # ---------------------------------------------------------------- the step

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update this rank's part, and get the others'. All ranks call it together."""
        loss = None if closure is None else closure()
        for inner, group, parts in zip(self._inner.param_groups, self.param_groups, self._parts, strict=True):
            inner.update({name: value for name, value in group.items() if name != "params"})
            for part in parts:
                for piece in part.pieces.values():
                    g = piece.param.grad
                    piece.leaf.grad = None if g is None else Tensor(piece.of(g.data))
                    backend.overwrite(piece.leaf.data, piece.of(piece.param.data))
        self._inner.step()
        for parts in self._parts:
            for part in parts:
                arrays = {i: piece.leaf.data for i, piece in part.pieces.items()}
                found = part.whole(self._world.channel, arrays, "the step of a ShardedOptimizer")
                for p, value in zip(part.params, found, strict=True):
                    if p.grad is not None:
                        backend.overwrite(p.data, back(value, p.data))
                        p.mark_changed()
        return loss

    # ---------------------------------------------------------------- the state

    @property
    def state(self) -> dict[Tensor, dict[str, Any]]:
        """The state of this rank's pieces."""
        return self._inner.state

    def state_dict(self, *, copy: bool = True) -> dict[str, Any]:
        """The state of the whole optimizer, as the class has it. All ranks call it together."""
        channel, mine = self._world.channel, self._inner.state
        numbers = {id(p): i for i, p in enumerate(p for group in self.param_groups for p in group["params"])}
        state: dict[int, dict[str, Any]] = {}
        told: dict[str, dict[str, Any]] = {}
        for parts in self._parts:
            for part in parts:
                for piece in part.pieces.values():
                    entry = mine.get(piece.leaf)
                    if entry:
                        told[str(numbers[id(piece.param)])] = {
                            name: None if isinstance(value, Tensor) else value for name, value in entry.items()
                        }
        for one in channel.texts(json.dumps(told), "the state of a ShardedOptimizer"):
            for number, entry in json.loads(one).items():
                state.setdefault(int(number), entry)
        for parts in self._parts:
            for part in parts:
                indices = [numbers[id(p)] for p in part.params]
                names = sorted({n for i in indices for n, value in state.get(i, {}).items() if value is None})
                for name in names:
                    arrays = {
                        i: mine[piece.leaf][name].data for i, piece in part.pieces.items() if mine.get(piece.leaf)
                    }
                    found = part.whole(channel, arrays, f"{name} of a ShardedOptimizer")
                    for i, p, value in zip(indices, part.params, found, strict=True):
                        if i in state:
                            state[i][name] = Tensor(back(value, p.data))
        groups = [{**group, "params": [numbers[id(p)] for p in group["params"]]} for group in self.param_groups]
        return {"state": dict(sorted(state.items())), "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave, or that of an optimizer that is not sharded.

        Raises:
            ValueError: the groups, or the shapes of the moments, are not those of this optimizer.
        """
        saved = state_dict["param_groups"]
        if [len(group["params"]) for group in saved] != [len(group["params"]) for group in self.param_groups]:
            raise ValueError("ShardedOptimizer: the state has other groups of parameters than this optimizer")
        state, groups, number = {}, [], 0
        for group, other, parts in zip(self.param_groups, saved, self._parts, strict=True):
            by_param = dict(zip(map(id, group["params"]), other["params"], strict=True))
            first = number
            for part in parts:
                for piece in part.pieces.values():
                    entry = state_dict["state"].get(by_param[id(piece.param)], {})
                    state[number] = {name: self._cut(piece, value) for name, value in entry.items()}
                    number += 1
            groups.append({**other, "params": list(range(first, number))})
        self._inner.load_state_dict({"state": state, "param_groups": groups})
        for group, inner in zip(self.param_groups, self._inner.param_groups, strict=True):
            group.update({name: value for name, value in inner.items() if name != "params"})

    def _cut(self, piece: Piece, value: Any) -> Any:
        if not hasattr(value, "shape") or not value.shape:
            return value
        if tuple(value.shape) != piece.param.shape:
            raise ValueError(f"expected a moment of shape {piece.param.shape}, got {tuple(value.shape)}")
        return value.reshape(-1)[piece.start : piece.stop]

    def __repr__(self) -> str:
        return f"Sharded{self._named!r}"
