"""What all optimizers share: groups of parameters, their flat arrays, the step, the state as a dictionary."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from functools import partial
from typing import Any

from .. import backend
from ..backend import Array
from ..core import Tensor, modes
from ..kernels import Kernel
from ..ops.creation import asarray, zeros_like
from .flat import Flat, Run, flatten, real
from .uninterrupted import Uninterrupted

Params = Iterable[Tensor] | Iterable[dict[str, Any]]
Group = dict[str, Any]

ELSEWHERE = {"foreach", "fused", "capturable", "differentiable"}
"""Options of PyTorch's groups that choose among its implementations: dropped when its state is loaded."""


class Optimizer:
    """Base class of the optimizers.

    Args:
        params: the parameters, or dictionaries with the entry ``params`` and options that differ for that group.
        defaults: the options of all groups that do not say otherwise.

    The parameters of a group become views into one flat array for each dtype and device; values and identity stay.
    A parameter without a gradient is skipped: neither its moments nor its steps change. Options (``group["lr"]``) may
    be set between steps, and a parameter may get other memory, another dtype or device: it is taken in again at the
    next step, its moments with it.

    Raises:
        ValueError: no parameters, the same one twice, one that is no leaf, or an option that is out of range.
        TypeError: something that is no Tensor.

    Source: ``torch.optim.Optimizer``.

    >>> import gpugrad as gg
    >>> from gpugrad.optim import SGD
    >>> w = gg.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = SGD([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.8, 1.6], requires_grad=True)
    """

    nonnegative: tuple[str, ...] = ("lr", "weight_decay")
    """The options that must be at least 0."""

    def __init__(self, params: Params, defaults: Group) -> None:
        self.defaults = defaults
        self.param_groups: list[Group] = []
        self._flats: list[list[Flat]] = []
        name = type(self).__name__
        if isinstance(params, Tensor):
            raise TypeError(
                f"{name}: expected an iterable of parameters or of groups, got a single Tensor: use {name}([x])"
            )
        if not isinstance(params, Iterable):
            raise TypeError(
                f"{name}: expected an iterable of parameters or of groups, got {type(params).__name__}: "
                f"use {name}(model.parameters())"
            )
        groups: list[Any] = list(params)
        if not groups:
            raise ValueError(f"{name}: expected at least one parameter, got none: does the model have any?")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    # ---------------------------------------------------------------- what a subclass says

    def moments(self, group: Group) -> tuple[str, ...]:
        """The names of the arrays that are remembered for each parameter."""
        raise NotImplementedError

    def initial(self, group: Group) -> float:
        """What the moments are full of before the first step."""
        return 0.0

    def rule(self, group: Group) -> Kernel:
        """The kernel ``f(xp, p, g, *moments, *scalars)`` that changes flat parameters and their moments in place."""
        raise NotImplementedError

    def scalars(self, group: Group, step: int) -> tuple[float, ...]:
        """The numbers that the rule takes in the step number ``step`` (from 1)."""
        raise NotImplementedError

    def step_key(self, group: Group, steps: int) -> Any:
        """What of the number of steps taken the rule depends on: parameters that agree in it share a launch."""
        return steps

    def advanced(self, group: Group, steps: int) -> int:
        """The number of steps after one more."""
        return steps + 1

    def check(self, group: Group) -> None:
        """Raise ValueError where an option of ``group`` is out of range."""
        for name in self.nonnegative:
            if not group[name] >= 0:
                raise ValueError(f"expected {name} from 0 on, got {group[name]}")

    # ---------------------------------------------------------------- groups

    def add_param_group(self, param_group: Group) -> None:
        """Take in more parameters, with options of their own.

        Raises: as the class.

        >>> import gpugrad as gg
        >>> from gpugrad.optim import Adam
        >>> w, b = gg.ones(2).requires_grad_(), gg.zeros(2).requires_grad_()
        >>> optimizer = Adam([w], lr=0.1)
        >>> optimizer.add_param_group({"params": b, "lr": 0.2})
        >>> [group["lr"] for group in optimizer.param_groups]
        [0.1, 0.2]
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"expected a group as a dict, got {type(param_group).__name__}")
        given = param_group["params"]
        if isinstance(given, set | frozenset):
            raise TypeError("expected parameters in an order, such as a list: the order of a set changes between runs")
        if not isinstance(given, Iterable):
            raise TypeError(f"expected parameters, got {type(given).__name__}: use model.parameters()")
        params = [given] if isinstance(given, Tensor) else list(given)
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"expected Tensors as parameters, got {type(p).__name__}: use model.parameters()")
            if not p.is_leaf:
                raise ValueError(
                    "expected leaf Tensors, got the result of an operation: optimize what it was computed from"
                )
        known = {id(p) for group in self.param_groups for p in group["params"]}
        if known & {id(p) for p in params}:
            raise ValueError("a parameter of this group is in an earlier group of the optimizer already")
        if len({id(p) for p in params}) < len(params):
            raise ValueError("a parameter is listed twice in one group")
        group = {**self.defaults, **param_group, "params": params}
        for name in self.nonnegative:
            _check_number(name, group[name])
        self.check(group)
        self.param_groups.append(group)
        self._flats.append(flatten(params, self.initial(group)))

    def _adopted(self) -> list[list[Flat]]:
        """The flat arrays of each group, with every parameter a view into them."""
        for i, (group, flats) in enumerate(zip(self.param_groups, self._flats, strict=True)):
            if not all(flat.adopt() for flat in flats):
                self._flats[i] = flatten(group["params"], self.initial(group), flats)
        return self._flats

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
        return "\n".join([*lines, ")"])

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: steps and moments of each parameter, and not the arrays that they are views of."""
        stored = [
            {i: (flat.steps[j], moments) for i, flat, j, moments in _by_parameter(group["params"], flats)}
            for group, flats in zip(self.param_groups, self._flats, strict=True)
        ]
        return {**vars(self), "_flats": stored}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._flats = []
        for group, stored in zip(self.param_groups, state["_flats"], strict=True):
            flats = flatten(group["params"], self.initial(group))
            for flat in flats:
                _fill(flat, {id(p): stored[i] for i, p in enumerate(group["params"])})
            self._flats.append(flats)

    # ---------------------------------------------------------------- the step

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, or make them 0.

        Args:
            set_to_none: None skips the parameter at the next step; zeros still decay its moments and weights.
        """
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p.grad = None
                elif p.grad is not None:
                    p.grad = zeros_like(p.grad)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        A signal that comes meanwhile, such as Ctrl-C, is handled when all are updated.

        Args:
            closure: computes the gradients anew and returns the loss, which is then returned.

        Raises:
            ValueError: a gradient has another shape, dtype or device than its parameter; nothing was updated.
        """
        loss = None
        if closure is not None:
            with modes.enable_grad():
                loss = closure()
        work = [
            (group, flat, list(flat.runs(partial(self.step_key, group))))
            for group, flats in zip(self.param_groups, self._adopted(), strict=True)
            for flat in flats
        ]
        writer = backend.recorder()
        with Uninterrupted():
            for group, flat, runs in work:
                names = self.moments(group)
                with flat.owner.using(flat.device):
                    for run in runs:
                        place, rule = flat.place(run), self.rule(group)
                        arrays = [flat.data, *[flat.moment(name) for name in names]]
                        if writer is None:
                            xp, scalars = flat.xp, self.scalars(group, flat.steps[run.indices[0]] + 1)
                        else:
                            writer.depends(partial(self._memory, group, flat, run))
                            xp, arrays = writer.owner.xp, [writer.lift(a) for a in arrays]
                            numbers = [f"{type(self).__name__} {name}" for name in rule.scalars]
                            scalars = writer.scalars(numbers, partial(self._scalars, group, flat, run))
                        parts = [flat.gather(xp, run), *[a[place] for a in arrays]]
                        g, p, *moments = map(real, parts) if flat.dtype.kind == "c" else parts
                        rule(xp, p, g, *moments, *scalars)
                        if writer is None:
                            self._advance(group, flat, run)
                        else:
                            writer.effect(partial(self._advance, group, flat, run))
        return loss

    def _scalars(self, group: Group, flat: Flat, run: Run) -> tuple[float, ...]:
        return self.scalars(group, flat.steps[run.indices[0]] + 1)

    def _memory(self, group: Group, flat: Flat, run: Run) -> tuple[Any, ...]:
        """What a recorded step depends on: kernel, arrays, and that the parameters take their steps together."""
        first = self.step_key(group, flat.steps[run.indices[0]])
        together = all(self.step_key(group, flat.steps[i]) == first for i in run.indices)
        mine = any(flat is one for flats in self._flats for one in flats)
        return self.rule(group), together, mine, flat.data, *[flat.moment(name) for name in self.moments(group)]

    def _advance(self, group: Group, flat: Flat, run: Run) -> None:
        """Note that the parameters of a run have taken a step."""
        for i in run.indices:
            flat.steps[i] = self.advanced(group, flat.steps[i])
            flat.params[i].mark_changed()

    # ---------------------------------------------------------------- the state

    @property
    def state(self) -> dict[Tensor, dict[str, Any]]:
        """For each parameter that has any, its state by PyTorch's names: to be read, and valid until the next step."""
        found: dict[Tensor, dict[str, Any]] = {}
        for group, flats in zip(self.param_groups, self._flats, strict=True):
            for flat in flats:
                parts = {name: flat.moment_views(name) for name in self.moments(group)}
                for i, p in enumerate(flat.params):
                    entry = self.entry(flat.steps[i], {name: Tensor(views[i]) for name, views in parts.items()})
                    if entry:
                        found[p] = entry
        return {p: found[p] for group in self.param_groups for p in group["params"] if p in found}

    def entry(self, steps: int, moments: dict[str, Any]) -> dict[str, Any]:
        """The state of one parameter as PyTorch would name it; empty before its first step."""
        return {"step": steps, **moments} if steps else {}

    def state_dict(self, *, copy: bool = True) -> dict[str, Any]:
        """Options, steps and moments, copied, in PyTorch's structure: parameters are numbered over all groups.

        ``{"state": {0: {"step": 3, "exp_avg": ...}, ...}, "param_groups": [{"lr": ..., "params": [0, 1]}, ...]}``

        Args:
            copy: False shares the memory of the moments: as long as no step is taken.

        >>> import gpugrad as gg
        >>> from gpugrad.optim import SGD
        >>> SGD([gg.ones(2).requires_grad_()], lr=0.1).state_dict()["param_groups"][0]["params"]
        [0]
        """
        numbers = {id(p): i for i, p in enumerate(p for group in self.param_groups for p in group["params"])}
        state = {
            numbers[id(p)]: {
                name: Tensor(backend.duplicate(value.data)) if copy and isinstance(value, Tensor) else value
                for name, value in entry.items()
            }
            for p, entry in self.state.items()
        }
        groups = [{**group, "params": [numbers[id(p)] for p in group["params"]]} for group in self.param_groups]
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave; going on is then the same as never having stopped.

        PyTorch's own dictionaries do too, their tensors as arrays. Moments get the dtype and device of their
        parameters.

        Raises:
            ValueError: the groups, or the shapes of the moments, are not those of this optimizer; nothing was loaded.
        """
        saved = [copy(group) for group in state_dict["param_groups"]]
        if len(saved) != len(self.param_groups):
            raise ValueError(
                f"loaded state dict has {len(saved)} parameter groups, this optimizer has {len(self.param_groups)}"
            )
        groups, stored = [], {}
        for i, (group, other) in enumerate(zip(self.param_groups, saved, strict=True)):
            if len(group["params"]) != len(other["params"]):
                raise ValueError(f"loaded state dict has {len(other['params'])} parameters in group {i}, "
                                 f"this optimizer has {len(group['params'])}")  # fmt: skip
            options = {name: value for name, value in other.items() if name not in ELSEWHERE}
            groups.append({**self.defaults, **options, "params": group["params"]})
            self.check(groups[-1])
            for number, p in zip(other["params"], group["params"], strict=True):
                entry = state_dict["state"].get(number, {})
                stored[id(p)] = self._read(number, p, groups[-1], entry)
        flats = self._adopted()
        for i, group in enumerate(groups):
            self.param_groups[i].clear()
            self.param_groups[i].update(group)
            for flat in flats[i]:
                flat.forget()
                flat.initial = self.initial(group)
                _fill(flat, stored)

    def _read(self, number: int, p: Tensor, group: Group, entry: Mapping[str, Any]) -> tuple[int, dict[str, Array]]:
        """Steps and flat moments of one parameter from a loaded dictionary."""
        present = {name: value for name, value in entry.items() if name != "step" and value is not None}
        names = self.moments(group)
        if not present:
            if names and entry.get("step"):
                raise ValueError(f"loaded state dict lacks {', '.join(names)} of parameter {number}")
            return self.loaded_steps(entry), {}
        missing = [name for name in names if name not in present]
        if missing:
            raise ValueError(f"loaded state dict lacks {', '.join(missing)} of parameter {number}")
        moments = {}
        for name in names:
            made = asarray(present[name], dtype=p.dtype, device=p.device)
            if made.shape != p.shape:
                raise ValueError(f"expected {name} of shape {p.shape} for parameter {number}, got {made.shape}")
            with backend.beside(made.data):
                moments[name] = made.data.reshape(-1)
        return self.loaded_steps(entry), moments

    def loaded_steps(self, entry: Mapping[str, Any]) -> int:
        """The number of steps that the state of one parameter tells of."""
        return int(entry.get("step", 0))


def _by_parameter(params: Sequence[Tensor], flats: Iterable[Flat]) -> Iterator[tuple[int, Flat, int, dict[str, Array]]]:
    """For each parameter its number, its flat array, its number there, and its moments."""
    numbers = {id(p): i for i, p in enumerate(params)}
    for flat in flats:
        parts = {name: flat.parts(values) for name, values in flat.moments.items()}
        for j, p in enumerate(flat.params):
            yield numbers[id(p)], flat, j, {name: views[j] for name, views in parts.items()}


def _fill(flat: Flat, stored: Mapping[int, tuple[int, dict[str, Array]]]) -> None:
    """Write steps and moments, by the ``id`` of their parameters."""
    for j, p in enumerate(flat.params):
        flat.steps[j], moments = stored[id(p)]
        for name, values in moments.items():
            with backend.beside(values):
                flattened = values.reshape(-1)
            backend.overwrite(flat.moment(name)[flat.places[j]], flattened)


def _check_number(name: str, value: Any) -> None:
    """Refuse an option that is not a constant number.

    Raises:
        TypeError: None, a string, or a Tensor that needs a gradient.
    """
    if value is None:
        raise TypeError(f"{name}: expected a number, got None")
    if isinstance(value, str):
        raise TypeError(f"{name}: expected a number, got the string {value!r}: use {name}=float({value!r})")
    if isinstance(value, Tensor) and value.requires_grad:
        raise TypeError(
            f"{name}: expected a constant, got a tensor that needs a gradient, and optimizers are not differentiable: "
            f"use {name}=x.item(), or write the update as an expression"
        )


def common(group: Group) -> tuple[float, float]:
    """The scalars all rules begin with: the sign of the gradient, and the weight decay."""
    return (-1.0 if group["maximize"] else 1.0), group["weight_decay"]
