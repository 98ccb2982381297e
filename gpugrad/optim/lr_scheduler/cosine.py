"""Half a cosine down, once or again and again."""

from __future__ import annotations

import math

from ..optimizer import Group, Optimizer
from .base import LRScheduler, Scaled, on_the_host


class CosineAnnealingLR(Scaled):
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

    def _factor(self, epoch: int) -> float:
        return half_cosine(epoch % (2 * self.T_max) / self.T_max)

    def _floor(self, group: Group) -> float:
        return self.eta_min


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half a cosine of ``T_0`` epochs down to ``eta_min``, then again from the top, ``T_mult`` times as long each time.

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
        self.T_cur: float = 0
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        height = half_cosine(self.T_cur / self.T_i)
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]

    @on_the_host
    def step(self, epoch: float | None = None) -> None:
        """Set the rates of the next epoch, or of ``epoch``, which may be a fraction."""
        if epoch is not None:
            self._jump(epoch)
            return
        descents, self.T_cur = divmod(self.T_cur + 1, self.T_i)
        self.T_i *= self.T_mult ** int(descents)
        self._go(self.last_epoch + 1, self.get_lr)

    def _start(self) -> None:
        self._jump(self.last_epoch + 1)

    def _jump(self, epoch: float) -> None:
        if epoch < 0:
            raise ValueError(f"CosineAnnealingWarmRestarts: expected an epoch from 0 on, got {epoch}")
        if self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        else:
            self.T_cur, self.T_i = epoch, self.T_0
            while self.T_cur >= self.T_i:
                self.T_cur -= self.T_i
                self.T_i *= self.T_mult
        self._go(math.floor(epoch), self.get_lr)


def half_cosine(part: float) -> float:
    """1 at 0, 0 at 1, 1 again at 2."""
    return (1 + math.cos(math.pi * part)) / 2
