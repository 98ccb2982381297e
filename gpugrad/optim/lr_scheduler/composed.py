"""Schedules made of schedules."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from ..optimizer import Optimizer
from .base import LRScheduler, checked, on_the_host
from .plateau import ReduceLROnPlateau


class Composed(LRScheduler):
    """A schedule that hands on to others."""

    _schedulers: list[LRScheduler]

    def _rewind(self) -> None:
        for part in self._schedulers:
            part._rewind()

    def state_dict(self) -> dict[str, Any]:
        state = super().state_dict()
        state["_schedulers"] = [scheduler.state_dict() for scheduler in self._schedulers]
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        rest = dict(state_dict)
        for scheduler, state in zip(self._schedulers, rest.pop("_schedulers"), strict=True):
            scheduler.load_state_dict(state)
        super().load_state_dict(rest)


class SequentialLR(Composed):
    """One schedule after the other, each from its own epoch 0 on: a warm-up, then a descent.

    Args:
        optimizer: whose rates are set.
        schedulers: in their order, all of this optimizer.
        milestones: the epochs at which the second, third, ... begins.
        last_epoch: as of :class:`LRScheduler`.

    Raises:
        ValueError: no schedule, one of another optimizer, one that needs a metric, or not one milestone fewer.
        TypeError: something that is no schedule.

    Source: ``torch.optim.lr_scheduler.SequentialLR``.

    >>> import gpugrad as gg
    >>> from gpugrad.optim import SGD
    >>> from gpugrad.optim.lr_scheduler import ConstantLR, ExponentialLR, LinearLR
    >>> optimizer = SGD([gg.ones(1).requires_grad_()], lr=1.0)
    >>> warmup = LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> scheduler = SequentialLR(optimizer, [warmup, ExponentialLR(optimizer, 0.5)], milestones=[2])
    >>> [scheduler.step() or scheduler.get_last_lr()[0] for _ in range(4)]
    [0.75, 1.0, 0.5, 0.25]
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int], last_epoch: int = -1
    ) -> None:
        self.optimizer = checked(optimizer)
        self._schedulers = _of_one(type(self).__name__, optimizer, schedulers)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(f"SequentialLR: expected {len(schedulers) - 1} milestones for {len(schedulers)} "
                             f"schedules, got {len(milestones)}")  # fmt: skip
        self._milestones = list(milestones)
        self.last_epoch = last_epoch + 1
        self._rewind()  # each part has set its first rates when it was made
        self._part()[1]._start()
        self._last_lr = self._part()[1].get_last_lr()

    def _rewind(self) -> None:
        super()._rewind()
        for group in self._groups:
            group["lr"] = group["initial_lr"]

    def _start(self) -> None:
        self.step()  # the first part of another sequence, which begins with its epoch 1 in PyTorch too

    def _jump(self, epoch: int) -> None:
        raise ValueError("a SequentialLR cannot jump to an epoch, so it can only be the first part of another one")

    @on_the_host
    def step(self, epoch: int | None = None) -> None:
        """Set the rates of the next epoch."""
        self.last_epoch += 1
        begin, part = self._part()
        if begin == self.last_epoch:
            part._jump(0)
        else:
            part.step()
        self._last_lr = part.get_last_lr()

    def _part(self) -> tuple[int, LRScheduler]:
        """The schedule whose turn it is, and since when."""
        begins = [0, *self._milestones]
        turn = bisect_right(begins, self.last_epoch) - 1
        return begins[turn], self._schedulers[turn]


class ChainedScheduler(Composed):
    """Several schedules at once, one after the other in each step; those that multiply, multiply.

    Args:
        schedulers: in their order, all of one optimizer.
        optimizer: that of the first, if it is not given.

    Raises:
        ValueError: no schedule, one of another optimizer, or one that needs a metric.
        TypeError: something that is no schedule.

    Source: ``torch.optim.lr_scheduler.ChainedScheduler``.

    >>> import gpugrad as gg
    >>> from gpugrad.optim import SGD
    >>> from gpugrad.optim.lr_scheduler import ConstantLR, ExponentialLR, LinearLR
    >>> optimizer = SGD([gg.ones(1).requires_grad_()], lr=1.0)
    >>> scheduler = ChainedScheduler([ExponentialLR(optimizer, 0.5), ConstantLR(optimizer, 0.5, total_iters=2)])
    >>> [scheduler.step() or scheduler.get_last_lr()[0] for _ in range(3)]
    [0.25, 0.25, 0.125]
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        if optimizer is None and len(schedulers) and hasattr(schedulers[0], "optimizer"):
            optimizer = schedulers[0].optimizer
        self._schedulers = _of_one(type(self).__name__, optimizer, schedulers)
        self.optimizer = self._schedulers[0].optimizer
        self._last_lr = [group["lr"] for group in self._groups]

    @on_the_host
    def step(self, epoch: int | None = None) -> None:
        """Let each schedule set its rates of the next epoch."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = [group["lr"] for group in self._groups]


def _of_one(name: str, optimizer: Any, schedulers: Sequence[LRScheduler]) -> list[LRScheduler]:
    if len(schedulers) < 1:
        raise ValueError(f"{name}: expected at least one schedule, got none")
    for i, scheduler in enumerate(schedulers):
        if not isinstance(scheduler, LRScheduler):
            raise TypeError(f"{name}: expected schedules, got {type(scheduler).__name__} at index {i}")
        if isinstance(scheduler, ReduceLROnPlateau):
            raise ValueError(  # noqa: TRY004  as in PyTorch
                f"{name}: ReduceLROnPlateau at index {i} needs a metric at each step, and gets none here"
            )
        if scheduler.optimizer is not optimizer:
            raise ValueError(f"{name}: the {type(scheduler).__name__} at index {i} belongs to another optimizer")
    return list(schedulers)
