"""How a run is made: everything that a trainer is told beside the model, the loss and the optimizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

from .callbacks import Callback
from .metrics import Metric


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of :class:`~gpugrad.training.Trainer`, where each is described.

    Raises:
        ValueError: a value out of range.

    >>> Options(save_every=100).keep_last
    3
    """

    folder: str | PathLike[str] | None = None
    schedule: str = "step"
    accumulate: int = 1
    clip_grad_norm: float | None = None
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    callbacks: Sequence[Callback] = ()
    save_every: int | None = None
    save_seconds: float | None = 300.0
    keep_last: int = 3
    keep_best: bool = False
    mode: str = "min"
    resume: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)
    log_every: int = 10
    price_per_hour: float | None = None
    progress: bool = True
    grace: float = 20.0
    metadata: str | bool | None = None
    takeover: bool = False
    jit: bool = False
    distributed: bool = False

    def __post_init__(self) -> None:
        least = min(self.accumulate, self.log_every, 1 if self.save_every is None else self.save_every)
        soon = self.save_seconds is None or self.save_seconds > 0
        if least < 1 or self.schedule not in ("step", "epoch") or not soon:
            raise ValueError(
                f"Trainer: expected accumulate, log_every and save_every from 1 on, save_seconds above 0, and schedule "
                f"'step' or 'epoch', got accumulate={self.accumulate}, log_every={self.log_every}, "
                f"save_every={self.save_every}, save_seconds={self.save_seconds}, schedule={self.schedule!r}"
            )
        if self.jit and self.distributed:
            raise ValueError(
                "Trainer: jit=True and distributed=True exclude each other: a recorded step stays on its rank"
            )
        if not self.grace > 0:
            raise ValueError(f"Trainer: expected grace in seconds, more than 0, got {self.grace}")
