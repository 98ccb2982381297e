"""A lower rate when a metric has stopped to improve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..optimizer import Optimizer
from .base import LRScheduler, checked, on_the_host, per_group


class ReduceLROnPlateau(LRScheduler):
    """Times ``factor`` when a metric has not improved for more than ``patience`` epochs.

    Args:
        optimizer: whose rates are set.
        mode: "min" where less is better, "max" where more is.
        factor: below 1.
        patience: so many epochs without improvement are borne.
        threshold: an improvement is by more than that.
        threshold_mode: "rel": ``best * (1 -+ threshold)``; "abs": ``best -+ threshold``.
        cooldown: epochs after a change in which nothing is counted.
        min_lr: the lowest rate, or a list with one for each group.
        eps: changes that are not larger are left out.

    Raises:
        ValueError: a factor that is not below 1, another mode, or as many ``min_lr`` as groups were expected.
        RuntimeError: groups were added since, and ``min_lr`` was a list.

    Source: ``torch.optim.lr_scheduler.ReduceLROnPlateau``.

    >>> import gpugrad as gg
    >>> from gpugrad.optim import SGD
    >>> scheduler = ReduceLROnPlateau(SGD([gg.ones(1).requires_grad_()], lr=1.0), patience=1, factor=0.5)
    >>> [scheduler.step(loss) or scheduler.get_last_lr()[0] for loss in (3.0, 2.0, 2.0, 2.0, 2.0)]
    [1.0, 1.0, 1.0, 0.5, 0.5]
    """

    def __init__(
        self, optimizer: Optimizer, mode: str = "min", factor: float = 0.1, patience: int = 10,
        threshold: float = 1e-4, threshold_mode: str = "rel", cooldown: int = 0,
        min_lr: float | Sequence[float] = 0, eps: float = 1e-8,
    ) -> None:  # fmt: skip
        if factor >= 1.0:
            raise ValueError(f"ReduceLROnPlateau: expected a factor below 1, got {factor}")
        if mode not in ("min", "max"):
            raise ValueError(f"ReduceLROnPlateau: expected mode 'min' or 'max', got {mode!r}")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"ReduceLROnPlateau: expected threshold_mode 'rel' or 'abs', got {threshold_mode!r}")
        self.optimizer = checked(optimizer)
        self.factor = factor
        self.default_min_lr = None if isinstance(min_lr, list | tuple) else min_lr
        self.min_lrs = per_group("min_lr", optimizer, min_lr)
        self.patience = patience
        self.cooldown = cooldown
        self.eps = eps
        self.last_epoch = 0
        self._last_lr = [group["lr"] for group in self._groups]
        self.mode_worse = math.inf if mode == "min" else -math.inf
        self.mode = mode
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.best = self.mode_worse
        self.cooldown_counter = 0
        self.num_bad_epochs = 0

    @property
    def in_cooldown(self) -> bool:
        """Whether a change was so short ago that nothing is counted."""
        return self.cooldown_counter > 0

    @on_the_host
    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """Take in the metric of an epoch.

        Args:
            metrics: a number, or a tensor of one element.
            epoch: its number; None counts on.
        """
        value = float(metrics.item() if hasattr(metrics, "item") else metrics)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        better = self._better(value)
        if better:
            self.best = value
        self.num_bad_epochs = 0 if better or self.in_cooldown else self.num_bad_epochs + 1
        self.cooldown_counter = max(self.cooldown_counter - 1, 0)
        if self.num_bad_epochs > self.patience:
            self._lower()
            self.num_bad_epochs, self.cooldown_counter = 0, self.cooldown
        self._last_lr = [group["lr"] for group in self._groups]

    def _better(self, value: float) -> bool:
        sign = 1.0 if self.mode == "max" else -1.0
        factor, offset = (1.0, self.threshold) if self.threshold_mode == "abs" else (1.0 + sign * self.threshold, 0.0)
        return sign * value > sign * self.best * factor + offset

    def _lower(self) -> None:
        if self.default_min_lr is not None:
            self.min_lrs = [self.default_min_lr] * len(self._groups)
        elif len(self._groups) != len(self.min_lrs):
            raise RuntimeError(f"ReduceLROnPlateau: there are {len(self._groups)} groups now, and min_lr for "
                               f"{len(self.min_lrs)}: set scheduler.min_lrs")  # fmt: skip
        for group, lowest in zip(self._groups, self.min_lrs, strict=True):
            lowered = max(lowest, self.factor * group["lr"])
            group["lr"] = lowered if group["lr"] - lowered > self.eps else group["lr"]
