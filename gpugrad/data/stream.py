"""Data sets that are read from the beginning: files too large to be in memory, sockets, generators."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ..random import Generator
from .draws import Draws


class IterableDataset:
    r"""Examples in the order they come, without a number to ask for one by.

    A subclass defines ``__iter__``, which starts again each time. Every worker process reads the whole stream and makes
    batches of its own part of it, in turn; threads share one reading. So the batches are the same for any number of
    workers. Reading a record should therefore be cheap. What is not cheap (decoding, augmenting) belongs in
    :meth:`transform`, which is called only for the records of a worker's own batches.

    A stream may draw random numbers. What :func:`gpugrad.data.generator` and ``gpugrad.random`` give while it is read
    depends on the loader's seed and the epoch only, and so does what NumPy and ``random`` give, from the first record
    on. (Where batches are prepared by threads beside the loop, a stream that draws from these two must do so for its
    first batch; where it begins later, its numbers should come from the generator.)

    A stream that calls :func:`gpugrad.data.get_worker_info` in ``__iter__`` shards itself, as in PyTorch: each worker
    makes batches of the records that it gets, and the loader takes them from the workers in turn. Its order depends on
    the number of workers, and it can be resumed with the same number only.

    A loader that resumes in the middle of an epoch reads over the records before. Where the iterator has a method
    ``skip(count)``, that is called instead; it may jump in the file.

    >>> class Lines(IterableDataset):
    ...     def __init__(self, path):
    ...         self.path = path
    ...     def __iter__(self):
    ...         with open(self.path) as file:
    ...             yield from file
    ...     def transform(self, line):
    ...         return len(line.split())
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
    ...     _ = file.write("one\ntwo words\n")
    ...     file.flush()
    ...     from gpugrad.data import DataLoader
    ...     [lengths.tolist() for (lengths,) in DataLoader(Lines(file.name), batch_size=2, device="cpu")]
    [[1, 2]]
    """

    epoch = 0
    """The number of the epoch that is read, set by the loader before each."""

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} defines no __iter__: expected an iterator over its records")

    def transform(self, record: Any) -> Any:
        """The example of a record; the record itself, unless a subclass says otherwise."""
        return record


class Shuffled(IterableDataset):
    """Another stream in a random order, as far as a buffer reaches: a record that is drawn makes room for the next.

    Args:
        stream: what to shuffle.
        buffer: how many records are held; the larger, the better mixed.
        seed: chooses the order, together with the epoch's number.

    Raises:
        ValueError: a buffer below 1.

    >>> class Count(IterableDataset):
    ...     def __iter__(self):
    ...         return iter(range(6))
    >>> sorted(Shuffled(Count(), buffer=4))
    [0, 1, 2, 3, 4, 5]
    """

    def __init__(self, stream: IterableDataset, buffer: int, seed: int = 0) -> None:
        if buffer < 1:
            raise ValueError(f"Shuffled: expected a buffer of at least 1 record, got {buffer}")
        self.stream = stream
        self.buffer = buffer
        self.seed = seed

    def __iter__(self) -> Iterator[Any]:
        self.stream.epoch = self.epoch
        random = Generator(self.seed).fork(self.epoch)
        held: list[Any] = []
        places: list[int] = []
        for record in self.stream:
            if len(held) < self.buffer:
                held.append(record)
                continue
            if not places:  # drawn many at once: one draw costs far more than one number
                places = random.integers(self.buffer, size=1024, device="cpu").tolist()
            place = places.pop()
            yield held[place]
            held[place] = record
        yield from (held[i] for i in random.permutation(len(held), device="cpu").tolist())

    def transform(self, record: Any) -> Any:
        return self.stream.transform(record)


class Records:
    """The records of one epoch, with the place that has been reached.

    The stream is started here, with the random numbers of the epoch; a generator starts at its first record.

    Attributes:
        sharded: whether the stream has asked which worker it is in: then it gives this worker's records only.
    """

    def __init__(self, dataset: IterableDataset, epoch: int, draws: Draws, alone: bool) -> None:
        dataset.epoch = epoch
        self.epoch = epoch
        self.place = 0
        self._draws = draws
        self._alone = alone
        self._ended = False
        self._begun = False
        self._first: list[Any] = []
        asked: list[bool] = []
        token = asking.set(asked)
        try:
            with draws.used(everywhere=True):
                self._records = iter(dataset)
                if not hasattr(self._records, "skip"):
                    self._first = list(itertools.islice(self._records, 1))
        finally:
            asking.reset(token)
        self.sharded = bool(asked)

    def read(self, start: int, size: int) -> list[Any]:
        """The records from ``start`` on; fewer than ``size`` at the end of the stream."""
        if self._ended:
            return []
        # The loop waits for the first batch, which shows whether the stream draws from the program's random numbers.
        with self._draws.used(self._alone or (not self._begun and not self.sharded)):
            self._begun = True
            skip = getattr(self._records, "skip", None)
            if start > self.place and skip is not None:
                skip(start - self.place)
                self.place = start
            records = itertools.chain(self._first, self._records)
            missing = start - self.place
            skipped = sum(1 for _ in itertools.islice(records, missing))
            found = list(itertools.islice(records, size)) if skipped == missing else []
            if skipped or found:
                self._first = []
        self.place += skipped + len(found)
        self._ended = len(found) < size
        return found


class Turns:
    """Who reads next from a stream that several threads share: the batches in their order.

    >>> turns = Turns(first=3)
    >>> with turns.of(3) as mine:
    ...     mine
    True
    """

    def __init__(self, first: int) -> None:
        self._next = first
        self._closed = False
        self._changed = threading.Condition()

    @contextmanager
    def of(self, number: int) -> Iterator[bool]:
        """Wait for the turn of a batch; False if nobody wants it any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._next >= number)
            try:
                yield not self._closed
            finally:
                self._next = number + 1
                self._changed.notify_all()

    def close(self) -> None:
        """Let nobody wait any longer."""
        self._closed = True
        with self._changed:
            self._changed.notify_all()


asking: ContextVar[list[bool] | None] = ContextVar("gpugrad_stream_asks", default=None)
"""While a stream starts: gets an item when it asks for its worker."""
