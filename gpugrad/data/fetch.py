"""Making one batch: in the loop's own thread, in a worker thread or in a worker process, always the same one."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import ExitStack
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy

from .. import random as gg_random
from ..random import Generator, replaced_default
from .dataset import gather
from .draws import Draws, own
from .sampling import part_of
from .stream import IterableDataset, Records, Turns, asking
from .structure import Parts, stacked, taken_apart

Collate = Callable[[list[Any]], Any]

BLOCKS_A_BATCH = 2**40
"""How far apart the counters of two batches are: no batch draws so many random numbers."""

OF_THE_STREAM = 2**23 * BLOCKS_A_BATCH
"""The counter from which a stream draws while it is read."""


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


def get_worker_info() -> WorkerInfo | None:
    """Which worker of a :class:`DataLoader` this code runs in; None outside of workers.

    A data set that has examples by number opens with it what each worker needs for itself, such as a connection. An
    :class:`IterableDataset` that asks in ``__iter__`` gives each worker other records, see there.

    Source: ``torch.utils.data.get_worker_info``.

    >>> get_worker_info() is None
    True
    """
    asked = asking.get()
    if asked is not None:
        asked.append(True)
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
    found = own.get()
    return found[0] if found else gg_random.default_generator


class Fetcher:
    """Makes the batches of a data set. Each worker has its own."""

    def __init__(
        self, dataset: Any, collate: Collate | None, batch_size: int | None, drop_last: bool, seed: int,
        alone: bool = False, init: Callable[[int], Any] | None = None,
        part: tuple[int, int] = (0, 1),
    ) -> None:  # fmt: skip
        self.dataset = dataset
        self.collate = collate
        self.single = batch_size is None
        """Whether each example is passed on by itself, and not in a batch."""
        self.batch_size = batch_size or 1
        self.init = init
        self.drop_last = drop_last
        self.seed = seed
        self.part = part
        """Of each batch, which of how many parts."""
        self.alone = alone
        """Whether nothing else uses this process's random numbers: then NumPy's and Python's are set for each batch."""
        self.undisturbed = alone
        """Whether nothing else draws while a stream is read."""
        self.turns: Turns | None = None
        self._info: WorkerInfo | None = None
        self._seeds: dict[int, int] = {}
        self._records: Records | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_records": None, "turns": None, "_info": None}

    def another(self, alone: bool = False) -> Fetcher:
        """Another one for the same data set, at its beginning."""
        size = None if self.single else self.batch_size
        return Fetcher(self.dataset, self.collate, size, self.drop_last, self.seed, alone, self.init, self.part)

    def same_as(self, other: Fetcher) -> bool:
        """Whether both make the same batches."""
        mine, theirs = ((f.batch_size, f.single, f.drop_last, f.seed, f.part) for f in (self, other))
        same = self.collate is other.collate and self.init is other.init
        return self.dataset is other.dataset and same and mine == theirs

    def enter(self, number: int, count: int) -> None:
        """Note in this thread that it is a worker, and call ``worker_init_fn``."""
        self.worker(number, count)
        _info.set(self._info)
        if self.init is not None:
            self.init(number)

    def worker(self, number: int, count: int) -> None:
        """Note which worker this one is for."""
        self._info = WorkerInfo(number, count, self.seed, self.dataset)

    def started(self, epoch: int) -> Records:
        """Start the stream of an epoch."""
        token = _info.set(self._info)
        try:
            self._records = Records(self.dataset, epoch, Draws(self._seed(epoch), OF_THE_STREAM), self.undisturbed)
        finally:
            _info.reset(token)
        return self._records

    def share(self, records: Records, turns: Turns) -> None:
        """Read from a stream that others read from, too."""
        self._records, self.turns = records, turns

    def __call__(self, task: Task) -> Parts | None:
        """The arrays of a batch, as the data set gives them, and its form; None after the end of a stream.

        Raises:
            TypeError: an array outside of dicts holds no numbers.
        """
        with ExitStack() as stack:
            self._enter_draws(task, stack)
            if isinstance(self.dataset, IterableDataset):
                examples = self._streamed(task)
                return self._made(examples) if examples else None
            if self.single:
                return self._made([self.dataset[task.indices]])
            if self.collate is None:
                return taken_apart(gather(self.dataset, task.indices))
            return self._made([self.dataset[int(i)] for i in task.indices])

    def _made(self, examples: list[Any]) -> Parts:
        """The batch of examples."""
        given: Any = examples[0] if self.single else examples
        alone = (lambda example: example) if self.single else stacked
        batch = (self.collate or alone)(given)
        if batch is None:
            raise TypeError("DataLoader: expected a batch from collate, got None")
        parts = taken_apart(batch)
        parts.sharded = self._records is not None and self._records.sharded
        return parts

    def _streamed(self, task: Task) -> list[Any]:
        if self.turns is None:
            records = self._read(task)
        else:
            with self.turns.of(task.number) as wanted:
                records = self._read(task) if wanted else []
            if len(records) < self.batch_size:  # the end, for all
                self.turns.close()
        if self.drop_last and len(records) < self.batch_size:
            return []
        return [self.dataset.transform(record) for record in part_of(records, *self.part)]

    def _read(self, task: Task) -> list[Any]:
        records = self._records
        if records is None or records.epoch != task.epoch:
            records = self.started(task.epoch)
        start = self._start(records, task)
        if start < records.place:  # the same epoch again
            records = self.started(task.epoch)
        return records.read(start, self.batch_size)

    def _start(self, records: Records, task: Task) -> int:
        """The first record of a batch; of a stream that shards itself, among those of this worker."""
        shards = self._info.num_workers if records.sharded and self._info is not None else 1
        return task.number // shards * self.batch_size

    def _seed(self, epoch: int) -> int:
        seed = self._seeds.get(epoch)
        if seed is None:
            # Not the fork that draws the order of the examples, but one of its own.
            seed = self._seeds[epoch] = Generator(self.seed).fork(epoch).fork(0).state[0]
        return seed

    def _enter_draws(self, task: Task, stack: ExitStack) -> None:
        """Let code of the data set draw the random numbers of a batch."""
        seed = self._seed(task.epoch)
        state = seed, task.number % 2**23 * BLOCKS_A_BATCH
        stack.callback(own.reset, own.set((Generator(*state),)))
        stack.enter_context(replaced_default(Generator(*state)))
        if self.alone:
            numpy.random.seed((seed + task.number) % 2**32)  # noqa: NPY002  what data sets of others draw from
            random.seed(seed + task.number)
