"""Schedules that go down, or up to warm up, by a simple rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ..optimizer import Optimizer
from .base import Scaled


class StepLR(Scaled):
    """``lr = initial_lr * gamma^(epoch // step_size)``.

    Args:
        optimizer: whose rates are set.
        step_size: epochs between two changes.
        gamma: the factor of each.
        last_epoch: as of :class:`LRScheduler`.

    Source: ``torch.optim.lr_scheduler.StepLR``.

    >>> import gpugrad as gg
    >>> from gpugrad.optim import SGD
    >>> scheduler = StepLR(SGD([gg.ones(1).requires_grad_()], lr=1.0), step_size=2, gamma=0.5)
    >>> [scheduler.step() or scheduler.get_last_lr()[0] for _ in range(4)]
    [1.0, 0.5, 0.5, 0.25]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    in_stairs = True

    def _factor(self, epoch: int) -> float:
        return float(self.gamma ** (epoch // self.step_size))


class MultiStepLR(Scaled):
    """Times ``gamma`` at each of the ``milestones``; one that is listed twice counts twice.

    Args:
        optimizer: whose rates are set.
        milestones: numbers of epochs.
        gamma: the factor.
        last_epoch: as of :class:`LRScheduler`.

    Source: ``torch.optim.lr_scheduler.MultiStepLR``.

    >>> import gpugrad as gg
    >>> from gpugrad.optim import SGD
    >>> scheduler = MultiStepLR(SGD([gg.ones(1).requires_grad_()], lr=1.0), [2, 3], gamma=0.5)
    >>> [scheduler.step() or scheduler.get_last_lr()[0] for _ in range(4)]
    [1.0, 0.5, 0.25, 0.25]
    """

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones = Counter(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    in_stairs = True

    def _factor(self, epoch: int) -> float:
        return float(self.gamma ** sum(times for at, times in self.milestones.items() if at <= epoch))

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.milestones = Counter({int(epoch): times for epoch, times in self.milestones.items()})


class ConstantLR(Scaled):
    """``lr = initial_lr * factor`` until epoch ``total_iters``, then ``initial_lr``.

    Args:
        optimizer: whose rates are set.
        factor: between 0 and 1.
        total_iters: the first epoch without it.
        last_epoch: as of :class:`LRScheduler`.

    Raises:
        ValueError: a factor outside [0, 1].

    Source: ``torch.optim.lr_scheduler.ConstantLR``.

    >>> import gpugrad as gg
    >>> from gpugrad.optim import SGD
    >>> scheduler = ConstantLR(SGD([gg.ones(1).requires_grad_()], lr=1.0), factor=0.5, total_iters=2)
    >>> [scheduler.step() or scheduler.get_last_lr()[0] for _ in range(3)]
    [0.5, 1.0, 1.0]
    """

    def __init__(self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5, last_epoch: int = -1) -> None:
        if not 0 <= factor <= 1:
            raise ValueError(f"ConstantLR: expected a factor from 0 to 1, got {factor}")
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    in_stairs = True

    def _factor(self, epoch: int) -> float:
        return self.factor if epoch < self.total_iters else 1.0

    def _first(self) -> float:
        return self.factor  # for good, if total_iters is 0


class LinearLR(Scaled):
    """From ``start_factor * initial_lr`` to ``end_factor * initial_lr`` in a straight line: the usual warm-up.

    Args:
        optimizer: whose rates are set.
        start_factor: in (0, 1].
        end_factor: in [0, 1].
        total_iters: epochs until the end of the line.
        last_epoch: as of :class:`LRScheduler`.

    Raises:
        ValueError: a factor out of range.

    Source: ``torch.optim.lr_scheduler.LinearLR``.

    >>> import gpugrad as gg
    >>> from gpugrad.optim import SGD
    >>> scheduler = LinearLR(SGD([gg.ones(1).requires_grad_()], lr=1.0), start_factor=0.25, total_iters=3)
    >>> [scheduler.step() or round(scheduler.get_last_lr()[0], 6) for _ in range(4)]
    [0.5, 0.75, 1.0, 1.0]
    """

    def __init__(
        self, optimizer: Optimizer, start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:  # fmt: skip
        if not 0 < start_factor <= 1:
            raise ValueError(f"LinearLR: expected a start_factor in (0, 1], got {start_factor}")
        if not 0 <= end_factor <= 1:
            raise ValueError(f"LinearLR: expected an end_factor from 0 to 1, got {end_factor}")
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _factor(self, epoch: int) -> float:
        part = min(epoch / self.total_iters, 1.0) if self.total_iters else 0.0
        return self.start_factor + (self.end_factor - self.start_factor) * part


class ExponentialLR(Scaled):
    """``lr = initial_lr * gamma^epoch``.

    Args:
        optimizer: whose rates are set.
        gamma: the factor of each epoch.
        last_epoch: as of :class:`LRScheduler`.

    Source: ``torch.optim.lr_scheduler.ExponentialLR``.

    >>> import gpugrad as gg
    >>> from gpugrad.optim import SGD
    >>> scheduler = ExponentialLR(SGD([gg.ones(1).requires_grad_()], lr=1.0), gamma=0.5)
    >>> [scheduler.step() or scheduler.get_last_lr()[0] for _ in range(3)]
    [0.5, 0.25, 0.125]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _factor(self, epoch: int) -> float:
        return float(self.gamma**epoch)


class PolynomialLR(Scaled):
    """``lr = initial_lr * (1 - epoch / total_iters)^power``, and 0 from ``total_iters`` on.

    Args:
        optimizer: whose rates are set.
        total_iters: epochs until 0.
        power: 1 is a straight line.
        last_epoch: as of :class:`LRScheduler`.

    Source: ``torch.optim.lr_scheduler.PolynomialLR``.

    >>> import gpugrad as gg
    >>> from gpugrad.optim import SGD
    >>> scheduler = PolynomialLR(SGD([gg.ones(1).requires_grad_()], lr=1.0), total_iters=4)
    >>> [scheduler.step() or round(scheduler.get_last_lr()[0], 6) for _ in range(5)]
    [0.75, 0.5, 0.25, 0.0, 0.0]
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def _factor(self, epoch: int) -> float:
        part = min(epoch / self.total_iters, 1.0) if self.total_iters else 0.0
        return float((1.0 - part) ** self.power)
