"""Half a cosine down, once or again and again."""

from __future__ import annotations

import math

from ..optimizer import Optimizer
from .base import LRScheduler


class CosineAnnealingLR(LRScheduler):
    """``lr = eta_min + (initial_lr - eta_min) (1 + cos(pi epoch / T_max)) / 2``; after ``T_max`` it rises again.

    Args:
        optimizer: whose rates are set.
        T_max: epochs until ``eta_min``.
        eta_min: the lowest rate.
        last_epoch: as of :class:`LRScheduler`.

    Source: Loshchilov and Hutter 2017 (without restarts); ``torch.optim.lr_scheduler.CosineAnnealingLR``.

    >>> import gpugrad as gg
    >>> from gpugrad.optim import SGD
    >>> scheduler = CosineAnnealingLR(SGD([gg.ones(1).requires_grad_()], lr=1.0), T_max=2)
    >>> [scheduler.step() or round(scheduler.get_last_lr()[0], 6) for _ in range(4)]
    [0.5, 0.0, 0.5, 1.0]
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:  # noqa: N803
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def _next(self, rate: float, base: float | None) -> float:
        if self._is_initial:
            return rate
        begun = self._step_count == 1 and self.last_epoch > 0
        if begun or (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:  # from the bottom, no factor leads up
            if base is None:
                raise self._other_groups(len(self.base_lrs))
            if begun:
                return self._closed(base)
            return rate + (base - self.eta_min) * (1 - math.cos(math.pi / self.T_max)) / 2
        now, before = (1 + math.cos(math.pi * epoch / self.T_max) for epoch in (self.last_epoch, self.last_epoch - 1))
        return now / before * (rate - self.eta_min) + self.eta_min

    def _closed(self, base: float) -> float:
        return self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half a cosine of ``T_0`` epochs down to ``eta_min``, then anew from the top, ``T_mult`` times as long each time.

    Args:
        optimizer: whose rates are set.
        T_0: epochs of the first descent.
        T_mult: by how much each is longer than the one before.
        eta_min: the lowest rate.
        last_epoch: as of :class:`LRScheduler`.

    ``step(epoch)`` takes fractions of an epoch too.

    Raises:
        ValueError: ``T_0`` or ``T_mult`` is no integer from 1 on, ``eta_min`` no number, or a negative epoch.

    Source: Loshchilov and Hutter 2017; ``torch.optim.lr_scheduler.CosineAnnealingWarmRestarts``.

    >>> import gpugrad as gg
    >>> from gpugrad.optim import SGD
    >>> scheduler = CosineAnnealingWarmRestarts(SGD([gg.ones(1).requires_grad_()], lr=1.0), T_0=2)
    >>> [scheduler.step() or round(scheduler.get_last_lr()[0], 6) for _ in range(4)]
    [0.5, 1.0, 0.5, 1.0]
    """

    fixed_groups = True

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1  # noqa: N803
    ) -> None:  # fmt: skip
        for name, value in (("T_0", T_0), ("T_mult", T_mult)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"CosineAnnealingWarmRestarts: expected an integer {name} >= 1, got {value}")
        if not isinstance(eta_min, int | float):
            raise ValueError(f"CosineAnnealingWarmRestarts: expected a number for eta_min, got {eta_min!r}")  # noqa: TRY004
        self.T_0 = T_0
        self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        height = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Set the rates of the next epoch, or of ``epoch``, which may be a fraction."""
        if epoch is None and self.last_epoch >= 0:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        else:
            epoch = epoch or 0
            self._find(epoch)
        self.last_epoch = math.floor(epoch)
        self._set(self.get_lr())

    def _update_lr(self, epoch: int | None = None) -> None:
        self.step(epoch)

    def _find(self, epoch: float) -> None:
        """In which descent an epoch is, and where in it."""
        if epoch < 0:
            raise ValueError(f"CosineAnnealingWarmRestarts: expected an epoch from 0 on, got {epoch}")
        descents = 0
        if epoch >= self.T_0 and self.T_mult > 1:
            descents = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
        self.T_i = self.T_0 * self.T_mult**descents
        if self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        else:
            self.T_cur = epoch - self.T_0 * (self.T_mult**descents - 1) / (self.T_mult - 1)
