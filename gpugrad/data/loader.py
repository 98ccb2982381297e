"""Batches on the device, in an order that can be had again, prepared while the device computes."""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Generator as Generated
from contextlib import closing
from typing import Any

import numpy

from ..backend import Device, logger, recorder
from ..backend.cpu import CPU as HOST
from ..core import modes
from ..random import Generator
from .dataset import Dataset
from .fetch import Collate, Fetcher, Task
from .prefetch import Batch, placed, prefetched, uploaded
from .processes import START_METHODS, ProcessPool, defined_in_session
from .sampling import batched, drawn_seed, part_of
from .stream import IterableDataset
from .threads import ThreadPool


class LoaderInterrupted(Exception):  # noqa: N818  nothing is wrong
    """:meth:`DataLoader.interrupt` was called while the loop waited for a batch; the position is that before it.

    >>> from gpugrad.data import DataLoader
    >>> loader = DataLoader([1, 2, 3], device="cpu")
    >>> loader.interrupt()
    >>> next(iter(loader))
    Traceback (most recent call last):
    gpugrad.data.loader.LoaderInterrupted: the loop over the DataLoader was interrupted before batch 0 of epoch 0
    """


class DataLoader:
    """A data set in batches: Tensors ``(B, ...)`` on one device, with the dtypes of the data.

    A batch has the structure of the examples: a tuple, a named tuple, a list or a dict, nested as they are. Examples
    that are a single array or number make tuples of one Tensor; a list of numbers is an array. Strings stay strings: a
    batch has the list of those of its examples. So does everything else that is not a number, in dicts and named
    tuples; elsewhere it is a TypeError.

    Each iteration is one epoch. Its order depends on ``seed`` and the epoch's number alone: not on the device, on
    ``prefetch`` or on the number of workers. The number goes up by one each time. :meth:`state_dict` says which batches
    the loop has received; a loader that loads it goes on behind them.

    Args:
        dataset: the examples; an :class:`IterableDataset` is read from the beginning.
        batch_size: ``B``; the last batch may be smaller. None passes each example on by itself: what the data set gives
            for the number, or for the list of numbers, that the sampler gives; ``collate`` gets this one example.
        shuffle: a new random order each epoch, instead of 0, 1, 2, ...
        drop_last: leave out a last batch that is smaller.
        seed: chooses the orders, and what :func:`generator` gives.
        device: where the batches go; None is the default device at the start of an epoch.
        prefetch: how many batches are prepared ahead (for each worker, where there are any) by a background thread,
            which also copies them to the device, beside its work; 0 prepares each when it is asked for.
        collate: makes a batch from a list of examples, instead of stacking them. Its arrays become Tensors, wherever
            they are in tuples, lists and dicts, and so do lists of numbers that are values of a tuple; everything else
            is passed through.
        num_workers: how many workers make batches; 0: the background thread does.
        workers: "process" or "thread". Processes compute in Python at the same time, and get the data set sent, its
            arrays shared; threads need nothing sent.
        sampler: numbers of examples in the place of ``shuffle``; its ``set_epoch(epoch)`` is called, if it has one.
        batch_sampler: lists of numbers, in the place of ``batch_size``, ``shuffle``, ``drop_last`` and ``sampler``.
        persistent_workers: keep worker processes for the next epoch; changes to the data set do not reach them.
        start_method: of processes: "forkserver", "spawn", or "fork", which is refused where it is not safe.
        collate_fn: PyTorch's name of ``collate``.
        pin_memory: accepted; batches for a GPU always go through page-locked memory.
        timeout: seconds to wait for a batch of the workers; 0 waits forever.
        worker_init_fn: called in each worker, before its first batch, with the worker's number.
        generator: draws the ``seed``, once, here.
        prefetch_factor: PyTorch's name of ``prefetch``.
        multiprocessing_context: PyTorch's name of ``start_method``; also a context of :mod:`multiprocessing`.
        in_order: accepted; batches always come in their order.
        pin_memory_device: accepted.
        world: the processes that train together (:func:`gpugrad.distributed.init`): each gets its part of every batch.
            ``batch_size`` is that of all together, so the order is that of one process, whatever their number.

    Raises:
        ValueError: a size out of range, or arguments that exclude each other.
        RuntimeError: in the loop, no batch came in ``timeout`` seconds.

    An error in the data set is raised in the loop, with the line it came from; a worker process that died is a
    RuntimeError that says which and of what. Workers end with the iteration, and with this process.

    >>> import gpugrad as gg, numpy
    >>> from gpugrad.data import ArrayDataset, DataLoader
    >>> loader = DataLoader(ArrayDataset(numpy.arange(5)), batch_size=2, device="cpu")
    >>> [x.tolist() for (x,) in loader]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self, dataset: Dataset | IterableDataset | Any, batch_size: int | None = 1, shuffle: bool | None = False,
        drop_last: bool = False, seed: int = 0, device: Device | str | None = None, prefetch: int = 2,
        collate: Collate | None = None, *, num_workers: int = 0, workers: str = "process",
        sampler: Iterable[int] | None = None, batch_sampler: Iterable[Any] | None = None,
        persistent_workers: bool = False, start_method: str | None = None, collate_fn: Collate | None = None,
        pin_memory: bool = False, timeout: float = 0, worker_init_fn: Callable[[int], Any] | None = None,
        generator: Generator | None = None, prefetch_factor: int | None = None, multiprocessing_context: Any = None,
        in_order: bool = True, pin_memory_device: str = "",
        world: Any = None,
    ) -> None:  # fmt: skip
        shuffle = bool(shuffle)
        collate = _one_of("collate", collate, "collate_fn", collate_fn)
        if prefetch_factor is not None:
            prefetch = prefetch_factor
        if multiprocessing_context is not None:
            method = getattr(multiprocessing_context, "get_start_method", lambda: multiprocessing_context)()
            start_method = _one_of("start_method", start_method, "multiprocessing_context", method)
        if generator is not None:
            if seed:
                raise ValueError("DataLoader: seed= and generator= exclude each other: either chooses the orders")
            seed = drawn_seed(generator)
        if timeout < 0:
            raise ValueError(f"DataLoader: expected timeout >= 0, got {timeout}")
        if batch_size is None and (drop_last or batch_sampler is not None or world is not None):
            raise ValueError(
                "DataLoader: batch_size=None passes examples on by themselves: no drop_last, batch_sampler, world"
            )
        if (batch_size is not None and batch_size < 1) or prefetch < 0 or num_workers < 0:
            raise ValueError(
                "DataLoader: expected batch_size >= 1, prefetch >= 0 and num_workers >= 0, got "
                f"batch_size={batch_size}, prefetch={prefetch}, num_workers={num_workers}"
            )
        if workers not in ("process", "thread"):
            raise ValueError(f"DataLoader: expected workers 'process' or 'thread', got {workers!r}")
        if start_method not in (None, *START_METHODS):
            raise ValueError(f"DataLoader: expected start_method among {list(START_METHODS)}, got {start_method!r}")
        if sampler is not None and shuffle:
            raise ValueError("DataLoader: sampler= and shuffle=True exclude each other: either chooses the order")
        if batch_sampler is not None and (batch_size != 1 or shuffle or drop_last or sampler is not None):
            raise ValueError("DataLoader: batch_sampler= takes the place of batch_size, shuffle, drop_last and sampler")
        if isinstance(dataset, IterableDataset) and (shuffle or sampler is not None or batch_sampler is not None):
            raise ValueError(
                "DataLoader: an IterableDataset has its own order; data.Shuffled(stream, buffer) shuffles it"
            )
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.seed = seed
        self.device = None if device is None else Device(device)
        self.prefetch = prefetch
        self.collate = collate
        self.num_workers = num_workers
        self.workers = workers
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.persistent_workers = persistent_workers
        self.start_method = start_method
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.world = world
        self.epoch = 0
        """The number of the next epoch."""
        self._start = 0
        self._position = (0, 0)
        self._numbers: deque[int] = deque()  # of the batches that are prepared
        self._sharded = False
        self._shards: int | None = None  # of the state that was loaded
        self._interrupted = False
        self._kept: ProcessPool | None = None
        self._told = False

    def __len__(self) -> int:
        """The number of batches in an epoch.

        Raises:
            TypeError: nobody knows: the stream or the sampler has no length.
        """
        if self.batch_sampler is not None:
            return len(self.batch_sampler)  # type: ignore[arg-type]
        count = len(self.dataset if self.sampler is None else self.sampler)  # type: ignore[arg-type]
        whole, rest = divmod(count, self.batch_size or 1)
        return whole + bool(rest and not self.drop_last)

    # ---------------------------------------------------------------- the position

    def set_epoch(self, epoch: int) -> None:
        """Make the next iteration that of this epoch, counted from 0.

        Raises:
            ValueError: the number is negative.
        """
        if epoch < 0:
            raise ValueError(f"set_epoch: expected a number from 0 on, got {epoch}")
        self.epoch, self._start, self._position = epoch, 0, (epoch, 0)

    def state_dict(self) -> dict[str, int]:
        """``{"epoch": e, "batch": b, "seed": s}``: the epoch, and how many of its batches the loop has received.

        For a stream that shards itself, ``b`` counts in turns of its workers, and their number is there too.
        Batches that are prepared ahead do not count. Behind the last one of an epoch, ``b`` is their number; when the
        loop has ended, the epoch is the next one and ``b`` is 0.

        >>> loader = DataLoader([10, 20, 30, 40], batch_size=2, device="cpu")
        >>> batches = iter(loader)
        >>> _ = next(batches)
        >>> loader.state_dict()
        {'epoch': 0, 'batch': 1, 'seed': 0}
        """
        epoch, batch = self._position
        state = {"epoch": epoch, "batch": batch, "seed": self.seed}
        shards = self.num_workers if self._sharded else self._shards
        return state | {"num_workers": shards} if shards is not None and batch else state

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Let the next iteration go on behind the batches that :meth:`state_dict` tells of, with the seed of the state.

        Raises:
            ValueError: it lacks a number, or one is negative or no integer of 64 bits; or a stream that shards itself
                was read by another number of workers.
        """
        found = [state_dict.get(name) for name in ("epoch", "batch", "seed")] if isinstance(state_dict, Mapping) else []
        if not found or not all(isinstance(n, int | numpy.integer) and 0 <= n < 2**64 for n in found):
            raise ValueError(f"DataLoader: for epoch, batch and seed expected numbers from 0 on, got {state_dict!r}")
        epoch, batch, seed = (int(n) for n in found if n is not None)
        shards = state_dict.get("num_workers")
        if shards not in (None, self.num_workers):
            raise ValueError(
                f"DataLoader: the stream shards itself, and was read by {shards} workers: "
                f"expected num_workers={shards}, got {self.num_workers}"
            )
        self._shards, self._sharded = shards, False
        self.seed, self.epoch, self._start, self._position = seed, epoch, batch, (epoch, batch)

    def interrupt(self) -> None:
        """Let the wait for a batch that is under way, or the next one, raise :class:`LoaderInterrupted` in the loop.

        May be called from a signal handler and from other threads.
        """
        self._interrupted = True

    def _check_interrupt(self) -> None:
        if self._interrupted:
            self._interrupted = False
            epoch, batch = self._position
            raise LoaderInterrupted(
                f"the loop over the DataLoader was interrupted before batch {batch} of epoch {epoch}"
            )

    # ---------------------------------------------------------------- iteration

    def __iter__(self) -> Iterator[Batch]:
        epoch, start, self.epoch, self._start = self.epoch, self._start, self.epoch + 1, 0
        self._position = (epoch, start)
        return self._run(epoch, start, self.device or modes.get_default_device())

    def _run(self, epoch: int, start: int, device: Device) -> Iterator[Batch]:
        taken = start
        self._numbers.clear()
        self._sharded = False
        batches = self._batches(epoch, start, device)
        try:
            while True:
                self._check_interrupt()
                writer = recorder()
                if writer is not None:
                    writer.outside("the batches of a DataLoader")
                batch = next(batches, None)
                if batch is None:
                    break
                taken = (self._numbers.popleft() if self._numbers else taken) + 1
                self._position = (epoch, taken)
                yield batch
        finally:
            batches.close()  # at once, also while an exception holds this frame
        self._position = (self.epoch, 0)

    def _batches(self, epoch: int, start: int, device: Device) -> Generated[Batch, None, None]:
        """The batches of an epoch on the device, from one on."""
        fetcher = Fetcher(
            self.dataset, self.collate, self.batch_size, self.drop_last, self.seed, init=self.worker_init_fn,
            part=(0, 1) if self.world is None else (self.world.rank, self.world.size),
        )  # fmt: skip
        fetcher.undisturbed = not self.prefetch and not self.num_workers  # then the loop reads
        pool = self._pool(fetcher)
        ahead = self.prefetch * max(1, self.num_workers)
        closed = threading.Event()
        try:
            if pool is None:
                made = self._alone(fetcher, epoch, start)
            else:
                made = self._pooled(pool, epoch, start, max(ahead, self.num_workers), closed)
            if not ahead:
                for batch, done in made:
                    yield placed(batch, device, copy=pool is not None and self.workers == "process")
                    done()
                return
            takes = uploaded(made, device, ahead, copy=pool is not None and self.workers == "process")
            with closing(prefetched(takes, ahead, self._check_interrupt, closed)) as prepared:
                for take in prepared:
                    yield take()
        finally:
            if pool is not None:
                self._leave(pool, fetcher)

    def _tasks(self, epoch: int, start: int) -> Iterator[Task]:
        numbers = itertools.count(start)
        if isinstance(self.dataset, IterableDataset):
            return (Task(epoch, number) for number in numbers)
        chosen = self._chosen(epoch, start)
        if self.world is not None:
            chosen = (part_of(batch, self.world.rank, self.world.size) for batch in chosen)
        return (Task(epoch, number, batch) for number, batch in zip(numbers, chosen, strict=False))

    def _chosen(self, epoch: int, start: int) -> Iterator[Any]:
        """The numbers of the examples of each batch."""
        for own in (self.batch_sampler, self.sampler):
            set_epoch = getattr(own, "set_epoch", None)
            if set_epoch is not None:
                set_epoch(epoch)
        if self.batch_sampler is not None:
            lists = itertools.islice(iter(self.batch_sampler), start, None)
            return (numpy.asarray(list(numbers), dtype=numpy.int64) for numbers in lists)
        if self.sampler is not None and self.batch_size is None:
            return itertools.islice(iter(self.sampler), start, None)
        if self.sampler is not None:
            return batched(self.sampler, self.batch_size or 1, self.drop_last, start)
        count = len(self.dataset)  # type: ignore[arg-type]
        order = numpy.arange(count)
        if self.shuffle:  # drawn on the host: the same order whatever the device
            order = Generator(self.seed).fork(epoch).permutation(count, device=HOST).data
        size = self.batch_size
        if size is None:
            return iter(order[start:].tolist())
        return (order[batch * size : (batch + 1) * size] for batch in range(start, len(self)))

    def _alone(self, fetcher: Fetcher, epoch: int, start: int) -> Iterator[tuple[Any, Callable[[], None]]]:
        for task in self._tasks(epoch, start):
            parts = fetcher(task)
            if parts is None:
                return
            yield parts, _nothing

    def _pooled(
        self, pool: ThreadPool | ProcessPool, epoch: int, start: int, ahead: int, closed: threading.Event
    ) -> Iterator[tuple[Any, Callable[[], None]]]:
        stream = isinstance(self.dataset, IterableDataset)
        if stream:
            pool.start(epoch, start)
        tasks = self._tasks(epoch, start)
        for task in itertools.islice(tasks, ahead):
            pool.submit(task)
        ended: set[int] = set()  # workers whose part of a stream has ended
        for number in itertools.count(start):
            if number not in pool.outstanding:
                if stream and len(ended) < self.num_workers:
                    continue
                return
            result = pool.result(number, self._in_time(number, closed))
            if closed.is_set():
                break
            if result is None:
                ended.add(number % self.num_workers)
                if len(ended) == self.num_workers:
                    break
            else:
                self._sharded = result[0].sharded
                self._numbers.append(number)
                yield result
            for task in itertools.islice((t for t in tasks if t.number % self.num_workers not in ended), 1):
                pool.submit(task)
        for number in sorted(pool.outstanding):  # of a stream that has ended: further ends
            pool.result(number, lambda: self._waits(closed))

    def _in_time(self, number: int, closed: threading.Event) -> Callable[[], bool]:
        """Whether a batch is still waited for.

        Raises:
            RuntimeError: when it is asked after ``timeout`` seconds.
        """
        end = time.monotonic() + self.timeout if self.timeout else math.inf

        def waits() -> bool:
            if time.monotonic() > end:
                raise RuntimeError(
                    f"DataLoader: batch {number} did not come in timeout={self.timeout} s: a worker waits for something"
                )
            return self._waits(closed)

        return waits

    def _waits(self, closed: threading.Event) -> bool:
        if not self.prefetch:  # else it is a background thread that waits here
            self._check_interrupt()
        return not closed.is_set()

    # ---------------------------------------------------------------- workers

    def _pool(self, fetcher: Fetcher) -> ThreadPool | ProcessPool | None:
        if not self.num_workers:
            return None
        if self.workers == "thread" or self._only_here(fetcher):
            return ThreadPool(fetcher, self.num_workers)
        kept, self._kept = self._kept, None
        if kept is not None and kept.usable(fetcher):
            return kept
        if kept is not None:
            kept.close()
        return ProcessPool(fetcher, self.num_workers, self.start_method)

    def _only_here(self, fetcher: Fetcher) -> bool:
        """Whether no other process can have the data set, so that threads make the batches; says so once."""
        name = None if self.start_method == "fork" else defined_in_session(fetcher)
        if name is None:
            return False
        if not self._told:
            self._told = True
            logger.warning(
                "DataLoader: %s is defined in a notebook or an interactive session, where worker processes cannot "
                "import it: threads load the data. Put it into a file that the notebook imports, or use "
                "workers='thread'", name,
            )  # fmt: skip
        return True

    def _leave(self, pool: ThreadPool | ProcessPool, fetcher: Fetcher) -> None:
        """Close a pool, or keep it, if it owes nothing and nobody else's is kept already."""
        if self.persistent_workers and isinstance(pool, ProcessPool) and pool.usable(fetcher) and self._kept is None:
            self._kept = pool
        else:
            pool.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_kept": None}


def _one_of(name: str, value: Any, other: str, instead: Any) -> Any:
    """What was given under one of two names.

    Raises:
        ValueError: both were given.
    """
    if value is not None and instead is not None:
        raise ValueError(f"DataLoader: {name}= and {other}= are two names of one argument: expected one of them")
    return instead if value is None else value


def _nothing() -> None:
    """What there is to do when a batch was taken that nobody else holds."""
