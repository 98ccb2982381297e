"""Preparing batches ahead: a background thread, and copies to the device beside its work."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator
from collections.abc import Generator as Generated
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

import numpy

from ..backend import Array, Device, backend_for
from ..backend.cpu import CPU
from ..core import Tensor
from ..ops.creation import asarray
from .structure import Parts, put_together, stacked, taken_apart

Batch = Any
Take = Callable[[], Batch]

POLL = 0.05
"""Seconds between two looks at whether the loop is to be interrupted."""
GRACE = 1.0
"""Seconds that the end of an iteration waits for code of the data set that is still busy."""


def placed(parts: Parts, device: Device, copy: bool) -> Batch:
    """A batch with its arrays as Tensors on a device; ``copy`` where their memory belongs to a worker."""
    return put_together(_tensors(parts, device, copy), parts.form)


def default_collate(examples: list[Any]) -> Any:
    """Examples put together as the loader does by itself, with Tensors on the host in it.

    Examples that are a single array or number make one Tensor, not a tuple of one.

    Source: ``torch.utils.data.default_collate``.

    >>> default_collate([{"x": 1.0, "name": "a"}, {"x": 2.0, "name": "b"}])
    {'x': tensor([1., 2.], dtype=float64), 'name': ['a', 'b']}
    """
    (batch,) = stacked([(example,) for example in examples])
    return placed(taken_apart(batch), CPU, copy=False)


def default_convert(example: Any) -> Any:
    """An example with Tensors in the place of its arrays, as ``batch_size=None`` passes it on.

    Source: ``torch.utils.data.default_convert``.

    >>> import numpy
    >>> default_convert((numpy.zeros(2), "a"))
    (tensor([0., 0.], dtype=float64), 'a')
    """
    return placed(taken_apart(example), CPU, copy=False)


def uploaded(
    batches: Iterator[tuple[Parts, Callable[[], None]]], device: Device, ahead: int, copy: bool
) -> Iterator[Take]:
    """Batches on their way to a device, beside its work."""
    upload = backend_for(device).uploader(device, ahead + 1)
    for parts, done in batches:
        if upload is None or not all(type(array) is numpy.ndarray for array in parts):
            made = _tensors(parts, device, copy)
            take = partial(_taken, backend_for(device).handover([tensor.data for tensor in made]), parts.form)
        else:
            take = partial(_taken, upload(parts), parts.form)
        done()
        yield take


def _tensors(parts: Parts, device: Device, copy: bool) -> list[Tensor]:
    return [asarray(array, device=device, copy=True if copy else None) for array in parts]


def _taken(arrays: Callable[[], list[Array]], form: Any) -> Batch:
    return put_together([Tensor(array) for array in arrays()], form)


class _Failure:
    """An exception on its way from the thread to the loop."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


def prefetched(
    items: Iterator[Any], depth: int, check: Callable[[], None] | None = None, closed: threading.Event | None = None
) -> Generated[Any, None, None]:
    """The same items, up to ``depth`` of them made ahead by a background thread.

    An exception is raised here as it was raised there. When this iterator is closed or forgotten, the thread ends.

    Args:
        items: are made in the thread.
        depth: how many ahead.
        check: called now and then while an item is waited for; what it raises is raised here.
        closed: set when nobody waits any more, for ``items`` to look at.

    >>> list(prefetched(iter("abc"), 2))
    ['a', 'b', 'c']
    """
    ready: SimpleQueue[Any] = SimpleQueue()
    room = threading.Semaphore(depth)
    closed = closed or threading.Event()
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

    def get() -> Any:
        while True:
            try:
                return ready.get(timeout=POLL)
            except Empty:
                if check is not None:
                    check()

    # In the caller's context, so that its grad mode and default dtype hold for the data set's own code too.
    thread = threading.Thread(target=contextvars.copy_context().run, args=(work,), name="gpugrad-data", daemon=True)
    thread.start()
    try:
        while (item := get()) is not end:
            if isinstance(item, _Failure):
                raise item.error
            room.release()
            yield item
    finally:
        closed.set()
        room.release()
        thread.join(GRACE)  # code of the data set that is still busy is not waited for longer
        item = None  # a raised exception holds this frame: no cycle
