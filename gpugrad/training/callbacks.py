"""What the training loop calls at given moments.

To add one: a subclass of :class:`Callback`; what it must remember over a restart goes into its ``state_dict``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..backend import logger

if TYPE_CHECKING:
    from .trainer import Trainer


class Callback:
    """Methods that do nothing; a subclass says what is to happen.

    >>> class Counting(Callback):
    ...     def on_step(self, trainer):
    ...         if trainer.step == 1000:
    ...             trainer.stop()
    >>> Counting().state_dict()
    {}
    """

    def on_start(self, trainer: Trainer) -> None:
        """Before the first step, of a run or of what is left of it."""

    def on_step(self, trainer: Trainer) -> None:
        """After each step; ``trainer.step`` counts it."""

    def on_epoch(self, trainer: Trainer, results: Mapping[str, float]) -> None:
        """After each epoch and its evaluation."""

    def on_end(self, trainer: Trainer) -> None:
        """When all is done; not when the run was interrupted and is to go on."""

    def state_dict(self) -> dict[str, Any]:
        """What must be known after a restart."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take it over."""


class EarlyStopping(Callback):
    """End the run when a metric has not become better for some epochs.

    Args:
        monitor: its name.
        patience: how many epochs without a better value are borne.
        mode: whether smaller ("min") or larger ("max") is better.
        min_delta: by how much a value must be better to count.

    Raises:
        ValueError: a negative ``patience`` or ``min_delta``, or another ``mode``.
        KeyError: at the end of an epoch, if there is no metric of that name.

    >>> stopping = EarlyStopping(patience=1)
    >>> [stopping.worse(loss) for loss in (1.0, 0.5, 0.6, 0.7)]
    [False, False, False, True]
    """

    def __init__(
        self, monitor: str = "validation/loss", patience: int = 5, mode: str = "min", min_delta: float = 0.0
    ) -> None:
        if patience < 0 or not min_delta >= 0 or mode not in ("min", "max"):
            raise ValueError(
                f"EarlyStopping: expected patience and min_delta from 0 on and mode 'min' or 'max', got "
                f"patience={patience}, min_delta={min_delta}, mode={mode!r}"
            )
        self.monitor = monitor
        self.patience = patience
        self.mode = mode
        self.min_delta = min_delta
        self.best = math.inf
        self.waited = 0

    def worse(self, value: float) -> bool:
        """Take in the value of one more epoch; whether patience is at its end."""
        value = value if self.mode == "min" else -value
        if value < self.best - self.min_delta:
            self.best, self.waited = value, 0
        else:
            self.waited += 1
        return self.waited > self.patience

    def on_start(self, trainer: Trainer) -> None:
        if self.waited > self.patience:  # a run that was over, started again
            trainer.stop()

    def on_epoch(self, trainer: Trainer, results: Mapping[str, float]) -> None:
        if self.monitor not in results:
            raise KeyError(f"EarlyStopping: there is no {self.monitor!r}, only {', '.join(results)}")
        if self.worse(results[self.monitor]):
            logger.info("%s has not become better for %d epochs: the run ends", self.monitor, self.waited)
            trainer.stop()

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.best, self.waited = state["best"], state["waited"]
