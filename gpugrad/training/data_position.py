"""Where a run is in its data: the position of a loader, or of anything else that can be gone through again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any


class TrackedData:
    """Batches, and how many of them were taken in the epoch that is under way.

    Args:
        batches: a loader that knows its position (``state_dict``), or anything that gives the same batches each time
            it is gone through; to go on in it, the first ones are taken and thrown away.

    >>> source = TrackedData(["a", "b", "c"])
    >>> batches = iter(source)
    >>> next(batches), source.state_dict()
    ('a', {'epoch': 0, 'batch': 1})
    >>> later = TrackedData(["a", "b", "c"])
    >>> later.load_state_dict({"epoch": 0, "batch": 1})
    >>> list(later), list(later)
    (['b', 'c'], ['a', 'b', 'c'])
    """

    def __init__(self, batches: Iterable[Any]) -> None:
        self.batches: Any = batches
        self.knows = hasattr(batches, "state_dict") and hasattr(batches, "load_state_dict")
        self.epoch = self.batch = 0

    @property
    def count(self) -> int | None:
        """How many batches an epoch has, where that is known."""
        try:
            return len(self.batches)
        except TypeError:
            return None

    def __iter__(self) -> Iterator[Any]:
        if self.knows:
            return iter(self.batches)
        if hasattr(self.batches, "set_epoch"):
            self.batches.set_epoch(self.epoch)
        return self._counted()

    def _counted(self) -> Iterator[Any]:
        for batch in islice(self.batches, self.batch, None):
            self.batch += 1
            yield batch
        self.epoch, self.batch = self.epoch + 1, 0

    @property
    def interrupt(self) -> Any:
        """What ends a wait for a batch, where the loader has such a thing."""
        return getattr(self.batches, "interrupt", None)

    def state_dict(self) -> dict[str, Any]:
        """The epoch, and how many of its batches were taken."""
        if self.knows:
            return dict(self.batches.state_dict())
        return {"epoch": self.epoch, "batch": self.batch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration go on there."""
        if self.knows:
            self.batches.load_state_dict(state)
        else:
            self.epoch, self.batch = state["epoch"], state["batch"]
