"""Making one batch: in the loop's own thread, in a worker thread or in a worker process, always the same one."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy

from .. import random as gg_random
from ..random import Generator
from .dataset import gather
from .stream import IterableDataset, Records
from .structure import Parts, stacked, taken_apart

Collate = Callable[[list[Any]], Any]

BLOCKS_A_BATCH = 2**40
"""How far apart the counters of two batches are: no batch draws so many random numbers."""


@dataclass(frozen=True)
class Task:
    """One batch: its number in its epoch, and the numbers of its examples (None: those of a stream)."""

    epoch: int
    number: int
    indices: Any = None


@dataclass(frozen=True)
class WorkerInfo:
    """Which worker this is.

    Attributes:
        id: from 0 on.
        num_workers: how many there are.
        seed: of the loader.
        dataset: the worker's copy.

    >>> WorkerInfo(id=1, num_workers=4, seed=0, dataset=None).id
    1
    """

    id: int
    num_workers: int
    seed: int
    dataset: Any


_info: ContextVar[WorkerInfo | None] = ContextVar("gpugrad_worker_info", default=None)
_random: ContextVar[tuple[Generator, ...]] = ContextVar("gpugrad_batch_random", default=())


def get_worker_info() -> WorkerInfo | None:
    """Which worker of a :class:`DataLoader` this code runs in; None outside of workers.

    For what each worker has to open for itself, such as a connection. Which examples a worker makes is the loader's.

    Source: ``torch.utils.data.get_worker_info``.

    >>> get_worker_info() is None
    True
    """
    return _info.get()


def generator() -> Generator:
    """Random numbers for a data set's own code: fixed by the loader's seed, the epoch and the batch.

    So what is drawn is the same for any number of workers, for any ``prefetch``, and when a run is gone on with.
    Outside of a loader, it is :data:`gpugrad.random.default_generator`.

    >>> import gpugrad as gg, numpy
    >>> from gpugrad.data import ArrayDataset, DataLoader
    >>> def noisy(x):
    ...     return (x + generator().standard_normal(dtype=gg.float32, device="cpu").numpy(),)
    >>> data = ArrayDataset(numpy.zeros(2, numpy.float32), transform=noisy)
    >>> loader = DataLoader(data, batch_size=2, seed=1, device="cpu")
    >>> first = next(iter(loader))[0].tolist()
    >>> loader.set_epoch(0)
    >>> next(iter(loader))[0].tolist() == first
    True
    """
    found = _random.get()
    return found[0] if found else gg_random.default_generator


class Fetcher:
    """Makes the batches of a data set. Each worker has its own."""

    def __init__(
        self, dataset: Any, collate: Collate | None, batch_size: int, drop_last: bool, seed: int, alone: bool = False
    ) -> None:
        self.dataset = dataset
        self.collate = collate
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.seed = seed
        self.alone = alone
        """Whether nothing else uses this process's random numbers: then NumPy's and Python's are set for each batch."""
        self._seeds: dict[int, int] = {}
        self._records: Records | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_records": None}

    def another(self, alone: bool = False) -> Fetcher:
        """Another one for the same data set, at its beginning."""
        return Fetcher(self.dataset, self.collate, self.batch_size, self.drop_last, self.seed, alone)

    def same_as(self, other: Fetcher) -> bool:
        """Whether both make the same batches."""
        mine, theirs = ((f.batch_size, f.drop_last, f.seed) for f in (self, other))
        return self.dataset is other.dataset and self.collate is other.collate and mine == theirs

    def enter(self, number: int, count: int) -> None:
        """Note in this thread that it is a worker."""
        _info.set(WorkerInfo(number, count, self.seed, self.dataset))

    def __call__(self, task: Task) -> Parts | None:
        """The arrays of a batch, as the data set gives them, and its form; None after the end of a stream.

        Raises:
            TypeError: an array outside of dicts holds no numbers.
        """
        token = _random.set((self._generator(task),))
        try:
            if isinstance(self.dataset, IterableDataset):
                examples = self._streamed(task)
                return self._made(examples) if examples else None
            if self.collate is None:
                return taken_apart(gather(self.dataset, task.indices))
            return self._made([self.dataset[int(i)] for i in task.indices])
        finally:
            _random.reset(token)

    def _made(self, examples: list[Any]) -> Parts:
        """The batch of examples."""
        if self.collate is None:
            return taken_apart(stacked(examples))
        batch = self.collate(examples)
        if batch is None:
            raise TypeError("DataLoader: expected a batch from collate, got None")
        return taken_apart(batch)

    def _streamed(self, task: Task) -> list[Any]:
        if self._records is None or self._records.epoch != task.epoch:
            self._records = Records(self.dataset, task.epoch)
        examples = self._records.batch(task.number * self.batch_size, self.batch_size)
        return [] if self.drop_last and len(examples) < self.batch_size else examples

    def _generator(self, task: Task) -> Generator:
        seed = self._seeds.get(task.epoch)
        if seed is None:
            # Not the fork that draws the order of the examples, but one of its own.
            seed = self._seeds[task.epoch] = Generator(self.seed).fork(task.epoch).fork(0).state[0]
        state = seed, task.number % 2**23 * BLOCKS_A_BATCH
        if self.alone:
            gg_random.default_generator.state = state
            numpy.random.seed((seed + task.number) % 2**32)  # noqa: NPY002  what data sets of others draw from
            random.seed(seed + task.number)
        return Generator(*state)
