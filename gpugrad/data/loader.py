"""Batches on the device, in an order that can be had again, prepared while the device computes."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import Any

import numpy

from ..backend import Device
from ..backend.cpu import CPU as HOST
from ..core import Tensor, modes
from ..ops.creation import asarray
from ..random import Generator
from .dataset import Dataset, gather

Batch = tuple[Tensor, ...]


class DataLoader:
    """A data set in batches: tuples of Tensors ``(B, ...)`` on one device, with the dtypes of the data.

    Each iteration is one epoch. Its order depends on ``seed`` and the epoch's number alone, not on the device; the
    number goes up by one each time, and :meth:`set_epoch` sets it, to go on with a run that was broken off.

    Args:
        dataset: the examples.
        batch_size: ``B``; the last batch may be smaller.
        shuffle: a new random order each epoch, instead of 0, 1, 2, ...
        drop_last: leave out a last batch that is smaller.
        seed: chooses the orders.
        device: where the batches go; None is the default device at the start of an epoch.
        prefetch: how many batches a background thread prepares ahead; 0 prepares each when it is asked for. The
            batches are the same.
        collate: makes a tuple of arrays from a list of examples, in place of stacking them.

    Raises:
        ValueError: ``batch_size`` below 1 or ``prefetch`` below 0.

    An error in the data set is raised in the loop, with the line it came from.

    >>> import gpugrad as gg, numpy
    >>> from gpugrad.data import ArrayDataset, DataLoader
    >>> loader = DataLoader(ArrayDataset(numpy.arange(5)), batch_size=2, device="cpu")
    >>> [x.tolist() for (x,) in loader]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int = 1,
        shuffle: bool = False,
        drop_last: bool = False,
        seed: int = 0,
        device: Device | str | None = None,
        prefetch: int = 2,
        collate: Callable[[list[Any]], Sequence[Any]] | None = None,
    ) -> None:
        if batch_size < 1 or prefetch < 0:
            raise ValueError(
                f"DataLoader: expected batch_size >= 1 and prefetch >= 0, got batch_size={batch_size}, "
                f"prefetch={prefetch}"
            )
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.seed = seed
        self.device = None if device is None else Device(device)
        self.prefetch = prefetch
        self.collate = collate
        self.epoch = 0

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        whole, rest = divmod(len(self.dataset), self.batch_size)
        return whole + bool(rest and not self.drop_last)

    def set_epoch(self, epoch: int) -> None:
        """Make the next iteration that of this epoch, counted from 0.

        Raises:
            ValueError: the number is negative.
        """
        if epoch < 0:
            raise ValueError(f"set_epoch: expected a number from 0 on, got {epoch}")
        self.epoch = epoch

    def __iter__(self) -> Iterator[Batch]:
        batches = self._batches(self.epoch, self.device or modes.get_default_device())
        self.epoch += 1
        return prefetched(batches, self.prefetch) if self.prefetch else batches

    def _batches(self, epoch: int, device: Device) -> Iterator[Batch]:
        count = len(self.dataset)
        order = numpy.arange(count)
        if self.shuffle:  # drawn on the host: the same order whatever the device
            order = Generator(self.seed).fork(epoch).permutation(count, device=HOST).data
        for batch in range(len(self)):
            chosen = order[batch * self.batch_size : (batch + 1) * self.batch_size]
            if self.collate is None:
                columns: Sequence[Any] = gather(self.dataset, chosen)
            else:
                columns = self.collate([self.dataset[int(i)] for i in chosen])
            yield tuple(asarray(column, device=device) for column in columns)


class _Failure:
    """An exception on its way from the thread to the loop."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


def prefetched(items: Iterator[Any], depth: int) -> Iterator[Any]:
    """The same items, up to ``depth`` of them made ahead by a background thread.

    An exception is raised here as it was raised there. When this iterator is closed or forgotten, the thread ends.

    >>> list(prefetched(iter("abc"), 2))
    ['a', 'b', 'c']
    """
    ready: SimpleQueue[Any] = SimpleQueue()
    room = threading.Semaphore(depth)
    closed = threading.Event()
    end = object()

    def work() -> None:
        try:
            room.acquire()
            for item in items:
                ready.put(item)
                room.acquire()
                if closed.is_set():
                    return
            ready.put(end)
        except BaseException as error:  # noqa: BLE001  whatever it is, the loop raises it
            ready.put(_Failure(error))

    # In the caller's context, so that its grad mode and default dtype hold for the data set's own code too.
    thread = threading.Thread(target=contextvars.copy_context().run, args=(work,), name="gpugrad-data", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not end:
            if isinstance(item, _Failure):
                raise item.error
            room.release()
            yield item
    finally:
        closed.set()
        room.release()
        thread.join()
        item = None  # a raised exception holds this frame: no cycle
