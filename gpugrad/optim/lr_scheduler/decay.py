"""Schedules that go down, or up to warm up, by a simple rule."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ..optimizer import Optimizer
from .base import LRScheduler


class StepLR(LRScheduler):
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

    def _next(self, rate: float, base: float | None) -> float:
        due = self.last_epoch > 0 and self.last_epoch % self.step_size == 0
        return rate * self.gamma if due else rate

    def _closed(self, base: float) -> float:
        return float(base * self.gamma ** (self.last_epoch // self.step_size))


class MultiStepLR(LRScheduler):
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

    def _next(self, rate: float, base: float | None) -> float:
        times = self.milestones[self.last_epoch]
        return float(rate * self.gamma**times) if times else rate

    def _closed(self, base: float) -> float:
        return float(base * self.gamma ** bisect_right(sorted(self.milestones.elements()), self.last_epoch))

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.milestones = Counter({int(epoch): times for epoch, times in self.milestones.items()})


class ConstantLR(LRScheduler):
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

    def _next(self, rate: float, base: float | None) -> float:
        if self.last_epoch == 0:
            return rate * self.factor
        return rate * (1.0 / self.factor) if self.last_epoch == self.total_iters else rate

    def _closed(self, base: float) -> float:
        return base * (self.factor + (self.last_epoch >= self.total_iters) * (1 - self.factor))


class LinearLR(LRScheduler):
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

    def _next(self, rate: float, base: float | None) -> float:
        if self.last_epoch == 0:
            return rate * self.start_factor
        if self._is_initial or self.last_epoch > self.total_iters:
            return rate
        rise = self.end_factor - self.start_factor
        before = self.total_iters * self.start_factor + (self.last_epoch - 1) * rise  # total_iters times the factor
        return rate * (1.0 + rise / before)

    def _closed(self, base: float) -> float:
        passed = min(self.total_iters, self.last_epoch)
        return base * (self.start_factor + (self.end_factor - self.start_factor) * passed / self.total_iters)


class ExponentialLR(LRScheduler):
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

    def _next(self, rate: float, base: float | None) -> float:
        return rate if self._is_initial else rate * self.gamma

    def _closed(self, base: float) -> float:
        return float(base * self.gamma**self.last_epoch)


class PolynomialLR(LRScheduler):
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

    def _next(self, rate: float, base: float | None) -> float:
        if self._is_initial or self.last_epoch > self.total_iters:
            return rate
        left, before = (1.0 - epoch / self.total_iters for epoch in (self.last_epoch, self.last_epoch - 1))
        return float(rate * (left / before) ** self.power)

    def _closed(self, base: float) -> float:
        return float(base * (1.0 - min(self.total_iters, self.last_epoch) / self.total_iters) ** self.power)
