"""Averages of weights over the steps of a training: exponential, or of equal parts.

The averaged model often reads better than the last one, and costs one pass over the parameters a step. Names and rules
are those of ``torch.optim.swa_utils``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

from .. import backend
from ..backend import Device
from ..core import Tensor, modes
from ..nn.module import Module
from ..nn.preserving import mode
from ..ops.creation import asarray, tensor
from .lr_scheduler.base import Scaled, checked, on_the_host, per_group
from .lr_scheduler.cosine import half_cosine
from .optimizer import Group, Optimizer
from .uninterrupted import Uninterrupted

__all__ = [
    "SWALR", "AveragedModel", "ExponentialMovingAverage", "get_ema_multi_avg_fn", "get_swa_multi_avg_fn", "update_bn",
]  # fmt: skip

Average = Callable[[Sequence[Tensor], Sequence[Tensor], int], None]
"""Changes averages (the first list) in place, given the present values and how many were averaged so far."""


def get_ema_multi_avg_fn(decay: float = 0.999) -> Average:
    """``average = average + (1 - decay) (value - average)``, for :class:`AveragedModel`.

    Args:
        decay: how much of the average is kept; the weights of the last ``1 / (1 - decay)`` steps count most.

    Raises:
        ValueError: a decay outside [0, 1].

    Source: ``torch.optim.swa_utils.get_ema_multi_avg_fn``.

    >>> import gpugrad as gg
    >>> average, value = gg.tensor([0.0]), gg.tensor([1.0])
    >>> get_ema_multi_avg_fn(0.75)([average], [value], 1)
    >>> average
    tensor([0.25])
    """
    if not 0 <= decay <= 1:
        raise ValueError(f"expected a decay from 0 to 1, got {decay}")
    return Decaying(decay)


def get_swa_multi_avg_fn() -> Average:
    """The mean of all values so far: ``average = average + (value - average) / (averaged + 1)``.

    Source: Izmailov et al. 2018; ``torch.optim.swa_utils.get_swa_multi_avg_fn``.

    >>> import gpugrad as gg
    >>> average = gg.tensor([1.0])
    >>> get_swa_multi_avg_fn()([average], [gg.tensor([3.0])], 1)
    >>> average
    tensor([2.])
    """
    return Equal()


@dataclass(frozen=True)
class Rule:
    """A rule for one average at a time; unlike a function inside a function, it can be copied and pickled."""

    def __call__(self, averages: Sequence[Tensor], values: Sequence[Tensor], averaged: int) -> None:
        for average, value in zip(averages, values, strict=True):
            self.one(average, value, averaged)

    def one(self, average: Tensor, value: Tensor, averaged: int) -> None:
        raise NotImplementedError


class Equal(Rule):
    """All values count the same."""

    def one(self, average: Tensor, value: Tensor, averaged: int) -> None:
        _mix(average, value, 1 / (averaged + 1), low=averaged > 1)


@dataclass(frozen=True)
class Decaying(Rule):
    """Each value counts ``decay`` times as much as the one after it."""

    decay: float

    def one(self, average: Tensor, value: Tensor, averaged: int) -> None:
        _mix(average, value, 1 - self.decay, low=1 - self.decay < 0.5)


@dataclass(frozen=True)
class Weighted(Rule):
    """All values count the same, by a weight that changes from step to step of a recorded function."""

    weight: Any
    """Below one half."""

    def one(self, average: Tensor, value: Tensor, averaged: int) -> None:
        _mix(average, value, self.weight, low=True)


@dataclass(frozen=True)
class OneByOne(Rule):
    """The user's function of one average."""

    function: Callable[[Tensor, Tensor, int], Tensor]

    def one(self, average: Tensor, value: Tensor, averaged: int) -> None:
        _write(average, self.function(average.detach(), value, averaged))


class AveragedModel(Module):
    """A copy of a model that holds averages of its weights.

    Args:
        model: is copied, with its present weights.
        device: where the copy is kept; None: where the model is.
        avg_fn: ``avg_fn(average, value, averaged)`` returns the new average of one parameter; or
        multi_avg_fn: changes the averages of all in place, such as :func:`get_ema_multi_avg_fn`. Without either, the
            mean of all.
        use_buffers: whether buffers are averaged; if not, they are copied.

    The first update copies the weights. The state has PyTorch's keys: ``n_averaged`` and those of the model under
    ``module.``.

    Raises:
        ValueError: both functions are given.

    Source: ``torch.optim.swa_utils.AveragedModel``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> model = nn.Linear(1, 1, bias=False)
    >>> averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.5))
    >>> for value in (1.0, 2.0, 4.0):
    ...     _ = nn.init.constant_(model.weight, value)
    ...     averaged.update_parameters(model)
    >>> averaged.module.weight.tolist()
    [[2.75]]
    """

    n_averaged: Tensor

    def __init__(
        self, model: Module, device: Device | str | None = None,
        avg_fn: Callable[[Tensor, Tensor, int], Tensor] | None = None, multi_avg_fn: Average | None = None,
        use_buffers: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        if avg_fn is None:
            self.rule = multi_avg_fn or get_swa_multi_avg_fn()
        elif multi_avg_fn is None:
            self.rule = OneByOne(avg_fn)
        else:
            raise ValueError("AveragedModel: expected avg_fn or multi_avg_fn, got both")
        self.use_buffers = use_buffers
        self.register_buffer("n_averaged", tensor(0, device="cpu"))
        averages = copy.deepcopy(model)
        self.module = averages if device is None else averages.to(device=device)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Take in the present weights of ``model``."""
        with modes.no_grad(), Uninterrupted():
            averaged, rule, writer = self._averaged(), self.rule, backend.recorder()
            if writer is not None:
                writer.depends(self._stage)
                if isinstance(rule, Equal) and averaged > 1:
                    rule = Weighted(*writer.scalars(["weight in the mean"], lambda: (1 / (self._averaged() + 1),)))
            _average(_values(self.module, self.use_buffers), _values(model, self.use_buffers), averaged, rule)
            if not self.use_buffers:
                _average(list(self.module.buffers()), list(model.buffers()), 0, None)
            self._count()

    def _averaged(self) -> int:
        return int(self.n_averaged.data.item())

    def _stage(self) -> tuple[int, ...]:
        """What a recorded update depends on: the first ones differ, and a rule of the user's knows the number."""
        averaged = self._averaged()
        return (min(averaged, 2) if isinstance(self.rule, Equal | Decaying) else averaged,)

    @on_the_host
    def _count(self) -> None:
        with backend.beside(self.n_averaged.data):
            self.n_averaged.data[...] += 1


class ExponentialMovingAverage:
    """``average = decay average + (1 - decay) weight`` of a model's weights, and a way to use them in its place.

    Args:
        model: the one that is trained.
        decay: how much of the average is kept at each update.
        use_buffers: whether buffers are averaged; if not, the last ones count.

    Raises:
        ValueError: a decay outside [0, 1].

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> model = nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.constant_(model.weight, 0.0)
    >>> ema = ExponentialMovingAverage(model, decay=0.75)
    >>> _ = nn.init.constant_(model.weight, 1.0)
    >>> ema.update()
    >>> with ema.swapped():
    ...     print(model.weight.tolist())
    [[0.25]]
    >>> model.weight.tolist()
    [[1.0]]
    """

    def __init__(self, model: Module, decay: float = 0.999, use_buffers: bool = False) -> None:
        self.model = model
        self.decay = decay
        self.use_buffers = use_buffers
        self.updates = 0
        self._rule = get_ema_multi_avg_fn(decay)
        self._swapped = False
        self.averages = [Tensor(backend.duplicate(value.data)) for value in _values(model, use_buffers)]
        """In the order of ``model.parameters()``, and of ``model.buffers()`` with ``use_buffers``."""

    def update(self) -> None:
        """Take in the present weights; after each step of the optimizer.

        Raises:
            RuntimeError: the averages are in the model's place.
        """
        if self._swapped:
            raise RuntimeError("ExponentialMovingAverage: update() inside swapped() would average the averages")
        with modes.no_grad():
            _average(self.averages, _values(self.model, self.use_buffers), 1, self._rule)
        self._count()

    @on_the_host
    def _count(self) -> None:
        self.updates += 1

    @contextmanager
    def swapped(self) -> Iterator[Module]:
        """The model with the averages as its weights, inside a ``with`` block; its own are put back, whatever happens.

        Meanwhile the model's own ``state_dict()`` is that of the averages.

        Raises:
            RuntimeError: it is so already.
        """
        if self._swapped:
            raise RuntimeError("ExponentialMovingAverage: swapped() inside swapped()")
        values = _values(self.model, self.use_buffers)
        own = [Tensor(backend.duplicate(value.data)) for value in values]
        self._swapped = True
        try:  # neither copy changes what it copies from, so that an interruption in the midst of one does no harm
            _average(values, self.averages, 0, None)
            yield self.model
        finally:
            _average(values, own, 0, None)
            self._swapped = False

    def state_dict(self) -> dict[str, Any]:
        """The averages by number, the decay, how many updates there were."""
        return {
            "decay": self.decay,
            "updates": self.updates,
            "averages": [Tensor(backend.duplicate(value.data)) for value in self.averages],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state_dict` gave.

        Raises:
            ValueError: the shapes are not those of the model; nothing was loaded.
            RuntimeError: the averages are in the model's place.
        """
        if self._swapped:
            raise RuntimeError("ExponentialMovingAverage: load_state_dict() inside swapped()")
        given = [asarray(value, dtype=a.dtype, device=a.device, copy=True)
                 for value, a in zip(state_dict["averages"], self.averages, strict=False)]  # fmt: skip
        shapes = [tuple(asarray(value).shape) for value in state_dict["averages"]]
        if shapes != [tuple(a.shape) for a in self.averages]:
            raise ValueError(f"ExponentialMovingAverage: expected averages of shapes "
                             f"{[tuple(a.shape) for a in self.averages]}, got {shapes}")  # fmt: skip
        self.decay, self.updates = float(state_dict["decay"]), int(state_dict["updates"])
        self._rule = get_ema_multi_avg_fn(self.decay)
        self.averages = given


class SWALR(Scaled):
    """From the present rates to ``swa_lr`` in ``anneal_epochs`` steps; there the averages are taken.

    ``lr = swa_lr + (initial - swa_lr) (1 + cos(pi t)) / 2`` with ``t = epoch / anneal_epochs``, or ``1 - t`` for the
    height with the strategy "linear".

    Args:
        optimizer: whose rates are set.
        swa_lr: the last rate, or a list with one for each group.
        anneal_epochs: steps until then; 0: at once.
        anneal_strategy: "cos" or "linear".
        last_epoch: as of :class:`~gpugrad.optim.lr_scheduler.LRScheduler`.

    Raises:
        ValueError: another strategy, a negative number of epochs, or as many rates as groups were expected.

    Source: Izmailov et al. 2018; ``torch.optim.swa_utils.SWALR``.

    >>> import gpugrad as gg
    >>> from gpugrad.optim import SGD
    >>> optimizer = SGD([gg.ones(1).requires_grad_()], lr=1.0)
    >>> scheduler = SWALR(optimizer, swa_lr=0.5, anneal_epochs=2, anneal_strategy="linear")
    >>> [scheduler.step() or scheduler.get_last_lr()[0] for _ in range(3)]
    [0.75, 0.5, 0.5]
    """

    def __init__(
        self, optimizer: Optimizer, swa_lr: float | Sequence[float], anneal_epochs: int = 10,
        anneal_strategy: str = "cos", last_epoch: int = -1,
    ) -> None:  # fmt: skip
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"SWALR: expected anneal_strategy 'cos' or 'linear', got {anneal_strategy!r}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"SWALR: expected anneal_epochs as an integer from 0 on, got {anneal_epochs}")
        lowest = per_group("swa_lr", checked(optimizer), swa_lr)
        for group, rate in zip(optimizer.param_groups, lowest, strict=True):
            group["swa_lr"] = rate
        self.anneal_epochs = anneal_epochs
        self._anneal_strategy = anneal_strategy
        super().__init__(optimizer, last_epoch)

    def _factor(self, epoch: int) -> float:
        part = min(epoch / self.anneal_epochs, 1.0) if self.anneal_epochs else 1.0
        return half_cosine(part) if self._anneal_strategy == "cos" else 1 - part

    def _floor(self, group: Group) -> float:
        lowest: float = group["swa_lr"] if "swa_lr" in group else group["lr"]
        return lowest


def update_bn(loader: Iterable[Any], model: Module, device: Device | str | None = None) -> None:
    """Recompute the running statistics of batch normalization for averaged weights, in one pass over the data.

    Args:
        loader: batches; of tuples the first entry is given to the model.
        model: is run in training mode, without gradients; each module is left in the mode that it had.
        device: where batches are moved; None leaves them where they are.

    Source: ``torch.optim.swa_utils.update_bn``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> model = nn.BatchNorm1d(1)
    >>> update_bn([gg.tensor([[0.0], [2.0]]), gg.tensor([[4.0], [6.0]])], model)
    >>> model.running_mean.tolist()
    [3.0]
    """
    norms: list[Any] = [m for m in model.modules() if hasattr(m, "reset_running_stats") and hasattr(m, "momentum")]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    try:
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the mean of all batches
        with mode(model, training=True), modes.no_grad():
            for batch in loader:
                inputs = batch[0] if isinstance(batch, list | tuple) else batch
                model(inputs if device is None else inputs.to(device=device))
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


def _values(model: Module, use_buffers: bool) -> list[Tensor]:
    return list(chain(model.parameters(), model.buffers()) if use_buffers else model.parameters())


def _average(averages: Sequence[Tensor], values: Sequence[Tensor], averaged: int, rule: Average | None) -> None:
    """The first values are copied, and whatever is no floating-point number always is: it has no mean."""
    for average, value in zip(averages, values, strict=True):
        if averaged == 0 or rule is None or not backend.is_floating(average.dtype):
            _write(average, value)
    if averaged and rule is not None:
        pairs = [(a, v.detach().to(device=a.device)) for a, v in zip(averages, values, strict=True)
                 if backend.is_floating(a.dtype)]  # fmt: skip
        rule([a for a, _ in pairs], [v for _, v in pairs], averaged)


def _mix(average: Tensor, value: Tensor, weight: Any, low: bool) -> None:
    """``average += weight (value - average)``, in place and exact at both ends: ``low`` is ``weight < 0.5``."""
    a, v = backend.lifted(average.data), backend.lifted(value.data)
    with backend.beside(a):
        backend.overwrite(a, a + (v - a) * weight if low else v - (v - a) * (1 - weight))
    average.mark_changed()


def _write(target: Tensor, value: Tensor) -> None:
    backend.overwrite(target.data, backend.transfer(backend.lifted(value.detach().data), target.device))
    target.mark_changed()
