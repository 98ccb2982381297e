"""Copies between the host and a GPU that the host does not wait for. Imported by :mod:`.cuda` alone.

The driver reads and writes pinned memory on its own, some time after the call that asked for it. So memory that takes
part in a copy belongs to the backend, together with the event that marks the end of the copy: it is used again, or
freed, only after that event. A caller who drops a result half-way frees nothing.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import cupy
import numpy

from .device import Device
from .registry import Array

ALIGNMENT = 256
"""Of arrays in a common block of memory; CuPy's own allocations have it too."""

BLOCK = 4 << 20
"""Bytes of one block of pinned memory for copies to the host."""
BLOCKS = 14
"""Number of such blocks per device, at most: 56 MiB. With what the writer needs, a checkpoint stays below 64 MiB."""

SPARE = 8
"""Number of upload slots per device that wait for the next loader; more are freed when it takes one."""

HostArray = numpy.ndarray[Any, Any]


def event() -> Any:
    """A mark in a stream; waiting for it keeps no processor busy."""
    return cupy.cuda.Event(block=True, disable_timing=True)


def pinned(size: int) -> HostArray:
    """``size`` bytes of pinned memory."""
    return numpy.frombuffer(cupy.cuda.alloc_pinned_memory(size), numpy.uint8, size)


class InFlight:
    """Holds memory that queued work still uses, until the event after that work has passed."""

    def __init__(self) -> None:
        self._held: deque[tuple[Any, Any]] = deque()

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, mark: Any, memory: Any) -> None:
        """Keep ``memory`` alive until the event ``mark``; release what has passed."""
        self._held.append((mark, memory))
        while self._held and self._held[0][0].done:
            self._held.popleft()


class Downloads:
    """Copies to the host of one device, through a bounded number of pinned blocks.

    A call queues the copies on the current stream and returns. Later work of that stream comes after them, so the
    arrays may be overwritten or freed at once, and nothing is duplicated on the device. Only a state larger than all
    blocks together makes the call wait: for the oldest block, again and again.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._free: list[HostArray] = []
        self._made = 0
        self._queued: deque[Block] = deque()

    def __call__(self, arrays: Sequence[Array]) -> Callable[[], list[HostArray]]:
        copies = Copies(arrays)
        with self._lock:
            stream = cupy.cuda.get_current_stream()
            block: Block | None = None
            try:
                for i, array in enumerate(arrays):  # a loop is held here while a checkpoint begins: hundreds of arrays
                    size = array.nbytes
                    if block is not None and 0 < size <= block.room and array.flags.c_contiguous:
                        block.queue(array, size, copies, i, 0, stream)
                        continue
                    for part, start in _parts(array) if size else ():
                        if block is None or part.nbytes > block.room:
                            if block is not None:
                                self._close(block, stream)
                            block = None
                            block = Block(self._memory())
                        block.queue(part, part.nbytes, copies, i, start, stream)
            finally:
                if block is not None:
                    self._close(block, stream)
            last = block

        def wait() -> list[HostArray]:
            with self._lock:
                while last is not None and not last.delivered:
                    self._deliver()
            return copies.all()

        return wait

    def _close(self, block: Block, stream: Any) -> None:
        block.end = stream.record(event())
        self._queued.append(block)

    def _memory(self) -> HostArray:
        if not self._free:
            if self._made < BLOCKS:
                self._made += 1
                return pinned(BLOCK)
            self._deliver()
        return self._free.pop()

    def _deliver(self) -> None:
        """Wait for the oldest block and copy it to where it belongs."""
        block = self._queued.popleft()
        block.deliver()
        self._free.append(block.memory)


def _parts(array: Array) -> Iterator[tuple[Array, int]]:
    """An array in pieces of at most a block, each with the byte at which it begins."""
    flat = (array if array.flags.c_contiguous else cupy.ascontiguousarray(array)).reshape(-1)
    if flat.nbytes <= BLOCK:
        yield flat, 0
        return
    count = BLOCK // flat.itemsize
    for start in range(0, flat.size, count):
        yield flat[start : start + count], start * flat.itemsize


class Copies:
    """The host's copies of arrays. Each is made when its bytes arrive, so that a loop is not held for their memory."""

    __slots__ = ("_failure", "_kinds", "_made")

    def __init__(self, arrays: Sequence[Array]) -> None:
        self._kinds = [(array.shape, array.dtype) for array in arrays]
        self._made: list[HostArray | None] = [None] * len(arrays)
        self._failure: MemoryError | None = None

    def put(self, i: int, start: int, received: HostArray) -> None:
        """The bytes of array ``i`` from ``start`` on."""
        try:
            copy = self._copy(i)
        except MemoryError as error:  # raised where these copies are waited for: another call may deliver them
            self._failure = error
            return
        copy.reshape(-1).view(numpy.uint8)[start : start + received.size] = received

    def all(self) -> list[HostArray]:
        """Every copy, once all bytes are there."""
        if self._failure is not None:
            raise self._failure
        return [self._copy(i) for i in range(len(self._made))]

    def _copy(self, i: int) -> HostArray:
        copy = self._made[i]
        if copy is None:
            copy = self._made[i] = numpy.empty(*self._kinds[i])
        return copy


class Block:
    """One pinned block with copies under way, and where each of them goes on the host."""

    __slots__ = ("_address", "delivered", "end", "memory", "parts", "room", "used")

    def __init__(self, memory: HostArray) -> None:
        self.memory = memory
        self._address: int = memory.__array_interface__["data"][0]
        self.used, self.room = 0, memory.size
        self.parts: list[tuple[Copies, int, int, int, int]] = []
        self.end: Any = None
        self.delivered = False

    def queue(self, part: Array, size: int, copies: Copies, i: int, start: int, stream: Any) -> None:
        """Copy ``part`` here, and once it has arrived to array ``i`` of ``copies``, from its byte ``start`` on.

        By its address: :meth:`cupy.ndarray.get` takes six times as long to queue a copy.
        """
        first = self.used
        part.data.copy_to_host_async(self._address + first, size, stream)
        self.parts.append((copies, i, start, first, first + size))
        self.used = first + -(-size // ALIGNMENT) * ALIGNMENT
        self.room = self.memory.size - self.used

    def deliver(self) -> None:
        self.end.synchronize()
        for copies, i, start, first, end in self.parts:
            copies.put(i, start, self.memory[first:end])
        self.parts.clear()
        self.delivered = True


def native(array: HostArray) -> HostArray:
    """``array`` in the processor's own byte order, which is the only one that GPUs have."""
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


class Slots:
    """The upload slots of one device: pinned and staging memory with the events of their last use.

    They outlive the loader that filled them, since its last batches may still wait for the device when it ends. Lent
    ones are kept here too: the garbage collector finalizes what it finds in a cycle in any order, and would destroy
    their events before the loader gives them back.
    """

    def __init__(self, device: Device) -> None:
        with cupy.cuda.Device(device.index):
            self.stream = cupy.cuda.Stream(non_blocking=True)
        self._spare: deque[Slot] = deque()
        self._lent: set[Slot] = set()

    def borrow(self) -> Slot:
        """A slot that nobody uses; its events may still lie ahead."""
        slot = None
        with suppress(IndexError):
            while len(self._spare) > SPARE:
                self._spare.popleft().finish()
            slot = self._spare.popleft()
        slot = slot or Slot()
        self._lent.add(slot)
        return slot

    def give(self, slots: Sequence[Slot]) -> None:
        """Take slots back; without a lock or a wait: the garbage collector calls this in the midst of anything."""
        self._lent.difference_update(slots)
        self._spare.extend(slots)


class Uploads:
    """Batches on their way to a GPU, on a stream of its own, while other streams compute.

    Each goes through a slot: pinned memory on the host, which the GPU reads on its own, and staging memory on the
    device. From there it is copied on the stream that uses it, into memory of that stream: the pool may give memory
    that was freed on one stream to that stream again at once, but knows nothing of others that still read it. The copy
    costs a thousandth of the transfer.
    """

    def __init__(self, using: Callable[[], Any], slots: Slots, depth: int) -> None:
        self._using = using
        self._home = slots
        self._slots = [slots.borrow() for _ in range(depth)]
        self._number = 0

    def __del__(self) -> None:
        self._home.give(self._slots)

    def __call__(self, arrays: Sequence[HostArray]) -> Callable[[], list[Array]]:
        slot = self._slots[self._number % len(self._slots)]
        self._number += 1
        stream = self._home.stream
        arrays = [native(array) for array in arrays]
        places, size = [], 0
        for array in arrays:
            places.append(size)
            size += -(-array.nbytes // ALIGNMENT) * ALIGNMENT
        with self._using():
            if slot.copied is not None:
                slot.copied.synchronize()  # the GPU has read what is to be overwritten now
            if slot.size < size:
                slot.grow(size, stream)
            for array, start in zip(arrays, places, strict=True):
                place = slot.pinned[start : start + array.nbytes].view(array.dtype)
                place.reshape(array.shape)[...] = array
            if slot.taken is not None:
                stream.wait_event(slot.taken)
            if size:
                slot.staging[:size].set(slot.pinned[:size], stream=stream)
            slot.copied = stream.record(event())
        shapes = [(array.shape, array.dtype, array.nbytes) for array in arrays]
        return lambda: self._take(slot, shapes, places)

    def _take(self, slot: Slot, shapes: list[tuple[Any, Any, int]], places: list[int]) -> list[Array]:
        with self._using():
            stream = cupy.cuda.get_current_stream()
            stream.wait_event(slot.copied)
            made = []
            for (shape, dtype, nbytes), start in zip(shapes, places, strict=True):
                made.append(cupy.empty(shape, dtype) if not nbytes else
                            slot.staging[start : start + nbytes].view(dtype).reshape(shape).copy())  # fmt: skip
            slot.taken = stream.record(event())
        return made


class Slot:
    """Room for one batch on the host and on the device, and the events after the last use of each."""

    __slots__ = ("copied", "pinned", "size", "staging", "taken")

    def __init__(self) -> None:
        self.size = 0
        self.pinned: Any = None
        self.staging: Any = None
        self.copied: Any = None
        self.taken: Any = None

    def finish(self) -> None:
        """Wait until nothing uses the memory."""
        for mark in (self.copied, self.taken):
            if mark is not None:
                mark.synchronize()

    def grow(self, size: int, stream: Any) -> None:
        """Make room for ``size`` bytes, and an eighth more."""
        self.finish()  # or the pools would give away memory that is still read
        self.size = size + size // 8 // ALIGNMENT * ALIGNMENT
        self.pinned = pinned(self.size)
        with stream:
            self.staging = cupy.empty(self.size, numpy.uint8)


class Handover:
    """Arrays that one thread made on its stream, for another thread and its stream.

    On another stream the arrays are copied into that stream's memory, after an event: the pool would give the memory
    of the first stream away while the second one reads it.
    """

    def __init__(self, arrays: Sequence[Array], held: InFlight) -> None:
        self._arrays: list[Array] = list(arrays)
        self._held = held
        self._stream = stream_key()
        self._made = cupy.cuda.get_current_stream().record(event())

    def __call__(self) -> list[Array]:
        arrays, self._arrays = self._arrays, []
        if self._stream == stream_key():
            return arrays
        stream = cupy.cuda.get_current_stream()
        stream.wait_event(self._made)
        copies = [array.copy() for array in arrays]
        self._held.hold(stream.record(event()), arrays)
        return copies


PER_THREAD = 2
"""The handle of the default stream where each thread has its own."""


def stream_key(device: int = -1) -> Any:
    """What tells apart the current streams of a device, in all threads."""
    handle = int(cupy.cuda.get_current_stream(device).ptr)
    return (handle, threading.get_ident()) if handle == PER_THREAD else handle
