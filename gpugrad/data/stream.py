"""Data sets that are read from the beginning: files too large to be in memory, sockets, generators."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..random import Generator


class IterableDataset:
    r"""Examples in the order they come, without a number to ask for one by.

    A subclass defines ``__iter__``, which begins anew each time. Every worker reads the whole stream and makes batches
    of its own part of it, in turn: so the batches are the same for any number of workers. Reading a record should
    therefore be cheap; what is not (decoding, augmenting) belongs into :meth:`transform`, which is called only for the
    records of a worker's own batches.

    A loader that goes on in the middle of an epoch reads over the records before. Where the iterator has a method
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
    """The records of one epoch, with the place that has been reached."""

    def __init__(self, dataset: IterableDataset, epoch: int) -> None:
        dataset.epoch = epoch
        self.epoch = epoch
        self._records = iter(dataset)
        self._transform: Callable[[Any], Any] = dataset.transform
        self._place = 0
        self._ended = False

    def batch(self, start: int, size: int) -> list[Any]:
        """The examples of the records from ``start`` on; fewer than ``size`` at the end of the stream."""
        if self._ended:
            return []
        skip = getattr(self._records, "skip", None)
        if start > self._place and skip is not None:
            skip(start - self._place)
            self._place = start
        while self._place < start:
            if next(self._records, _END) is _END:
                self._ended = True
                return []
            self._place += 1
        found: list[Any] = []
        for record in self._records:
            found.append(record)
            if len(found) == size:
                break
        self._place += len(found)
        self._ended = len(found) < size
        return [self._transform(record) for record in found]


_END = object()
