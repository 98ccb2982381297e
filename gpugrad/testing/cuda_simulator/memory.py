"""Device memory: allocations between guard zones, pools with a limit, and the error when there is no more."""

from __future__ import annotations

import ctypes
import mmap
import threading
import weakref
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy

from . import queues, reuse
from .reuse import BLOCK, CANARY, GUARD, POISON
from .state import counters, machine


class OutOfMemoryError(MemoryError):
    """No device memory is left, or the pool's limit is reached."""

    def __init__(self, size: int, total: int, limit: int = 0) -> None:
        set_to = f", limit set to: {limit:,} bytes" if limit else ""
        super().__init__(f"Out of memory allocating {size:,} bytes (allocated so far: {total:,} bytes{set_to}).")


_pools: weakref.WeakSet[MemoryPool] = weakref.WeakSet()


def forget_spare() -> None:
    """Keep no freed memory for later."""
    queues.freed.clear()
    for pool in list(_pools):
        pool._spare.clear()
    _spare_pinned.clear()
    _unmap()


class MemoryPool:
    """Counts what is allocated from it on each device, and what a real pool would keep for later."""

    def __init__(self, allocator: Any = None) -> None:
        self._used: dict[int, int] = {}
        self._total: dict[int, int] = {}
        self._limit: dict[int, int] = {}
        self._spare = reuse.Spare()
        _pools.add(self)

    def malloc(self, size: int) -> MemoryPointer:
        """Allocate ``size`` bytes on the current device."""
        return MemoryPointer(Memory(size, self), 0)

    def _take(self, device: int, size: int) -> None:
        block = -(-size // BLOCK) * BLOCK
        used, limit = self._used.get(device, 0), self._limit.get(device, 0)
        if used + block > (limit or machine.memory):
            raise OutOfMemoryError(block, self._total.get(device, 0), limit)
        self._used[device] = used + block
        self._total[device] = max(self._total.get(device, 0), used + block)

    def _give(self, device: int, size: int) -> None:
        self._used[device] = self._used.get(device, 0) - -(-size // BLOCK) * BLOCK

    def used_bytes(self) -> int:
        return self._used.get(machine.current, 0)

    def total_bytes(self) -> int:
        return self._total.get(machine.current, 0)

    def free_bytes(self) -> int:
        return self.total_bytes() - self.used_bytes()

    def n_free_blocks(self) -> int:
        return int(self.free_bytes() > 0)

    def free_all_blocks(self, stream: Any = None) -> None:
        if machine.lag:
            queues.finish()
            queues.collect()
            self._spare.clear()
        self._total[machine.current] = self.used_bytes()

    def get_limit(self) -> int:
        return self._limit.get(machine.current, 0)

    def set_limit(self, size: int | None = None, fraction: float | None = None) -> None:
        """Allocations beyond ``size`` bytes on the current device fail; 0 lifts the limit."""
        if size is not None and fraction is not None:
            raise ValueError("size and fraction cannot be specified at the same time")
        self._limit[machine.current] = int(fraction * machine.memory) if fraction is not None else int(size or 0)


class Memory:
    """One allocation on one device: ``size`` bytes, poisoned, with canaries before and behind."""

    __slots__ = ("__weakref__", "_chunk", "_data", "_mapping", "_pool", "_raw", "device_id", "ptr", "size")

    device: Any
    """The :class:`~.devices.Device`; bound there."""

    def __init__(self, size: int, pool: MemoryPool | None = None) -> None:
        self.size = size
        self.device_id = machine.current
        self._pool = pool
        self._mapping: tuple[int, int] | None = None
        if pool is not None:
            pool._take(self.device_id, size)
            counters.allocations += 1
        self._chunk: reuse.Chunk | None = None
        if machine.lag and not machine.guarded and pool is not None and size:
            self._reused(size, pool)
            return
        before, raw = self._mapped(size) if machine.guarded else self._aligned(size)
        self._raw = raw
        self._data = raw[before : before + size]
        self.ptr = raw.ctypes.data + before
        raw[:before] = CANARY
        raw[before + size :] = CANARY
        self._data[:] = POISON

    def _reused(self, size: int, pool: MemoryPool) -> None:
        """An allocation of memory that the pool has; what was queued for the old one may still come."""
        chunk = pool._spare.take(size)
        if chunk is None:
            room = reuse.rounded(size)
            chunk = reuse.Chunk(self._aligned(room)[1], room, size)
            chunk.raw[:] = POISON
            chunk.raw[:GUARD] = chunk.raw[GUARD + size :] = CANARY
        self._chunk = chunk
        self._raw = chunk.raw
        self._data = chunk.raw[GUARD : GUARD + size]
        self.ptr = chunk.raw.ctypes.data + GUARD

    @staticmethod
    def _aligned(size: int) -> tuple[int, Any]:
        space = numpy.empty(size + 3 * GUARD, numpy.uint8)
        skip = -space.ctypes.data % GUARD
        return GUARD, space[skip : skip + size + 2 * GUARD]

    def _mapped(self, size: int) -> tuple[int, Any]:
        """An allocation that ends, up to its alignment of 16 bytes, at a page that may not be touched."""
        if machine.lag and _old_mappings:
            queues.finish()  # as cudaFree waits for the device
            _unmap()
        page = mmap.PAGESIZE
        inner = max(1, -(-size // page)) * page
        base = _mmap(None, inner + 2 * page, 3, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
        _mprotect(base, page, 0)
        _mprotect(base + page + inner, page, 0)
        self._mapping = base, inner + 2 * page
        raw = numpy.ctypeslib.as_array((ctypes.c_uint8 * inner).from_address(base + page))
        return (inner - size) // 16 * 16, raw

    def __int__(self) -> int:
        return int(self.ptr)

    def intact(self) -> str | None:
        """None if both canaries are alive, else where bytes were written, in words; then they are restored."""
        return intact(self._raw, self.ptr - self._raw.ctypes.data, self.size)

    def __del__(self) -> None:
        if getattr(self, "_raw", None) is None:
            return
        if self._pool is not None:
            self._pool._give(self.device_id, self.size)
            if self._chunk is not None and machine.lag:
                self._chunk.free(self._pool._spare)
        if self._mapping is not None:
            _old_mappings.append(self._mapping)
            if not machine.lag:
                _unmap()


def intact(raw: Any, before: int, size: int) -> str | None:
    """See :meth:`Memory.intact`."""
    for zone, name in ((raw[:before][::-1], "before"), (raw[before + size :], "past")):
        hit = numpy.flatnonzero(zone != CANARY)
        if hit.size:
            zone[:] = CANARY
            where = "its start" if name == "before" else "its end"
            return f"{name} {where}, {int(hit[0]) + (name == 'before')} byte(s) away"
    return None


class MemoryPointer:
    """A place in an allocation."""

    __slots__ = ("mem", "ptr")

    copy_to_host_async: Callable[..., None]
    """Bound in :mod:`.array`."""

    def __init__(self, mem: Any, offset: int) -> None:
        self.mem = mem
        self.ptr = mem.ptr + offset

    @property
    def device_id(self) -> int:
        device: int = self.mem.device_id
        return device

    @property
    def device(self) -> Any:
        return self.mem.device

    def __int__(self) -> int:
        return int(self.ptr)

    def __add__(self, offset: int) -> MemoryPointer:
        return MemoryPointer(self.mem, self.ptr - self.mem.ptr + offset)

    def __repr__(self) -> str:
        return f"<MemoryPointer 0x{self.ptr:x} device={self.device_id} mem={self.mem!r}>"


_libc = ctypes.CDLL(None, use_errno=True)


def _mmap(*arguments: Any) -> int:
    address: int | None = _libc.mmap(*arguments)
    if address is None or address == 2 ** (8 * ctypes.sizeof(ctypes.c_void_p)) - 1:
        raise MemoryError("the simulator's host has no memory left for guarded allocations")
    return int(address)


def _mprotect(address: int, size: int, protection: int) -> None:
    _libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(size), protection)


_old_mappings: deque[tuple[int, int]] = deque()
"""What is to be unmapped; queued work may still use it."""


def _unmap() -> None:
    while _old_mappings:
        _munmap(*_old_mappings.popleft())


def _munmap(address: int, size: int) -> None:
    _libc.munmap(ctypes.c_void_p(address), ctypes.c_size_t(size))


if hasattr(_libc, "mmap"):
    _libc.mmap.restype = ctypes.c_void_p
    _libc.mmap.argtypes = [
        ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long,
    ]  # fmt: skip

Allocator = Callable[[int], MemoryPointer]
default_pool = MemoryPool()
_local = threading.local()
_default: Allocator = default_pool.malloc


def pool_state() -> tuple[MemoryPool, Allocator]:
    """What :func:`fresh_pool` restores."""
    return default_pool, _default


def fresh_pool(state: tuple[MemoryPool, Allocator] | None = None) -> None:
    """A new default pool, or the one of before; arrays give back to the pool they came from."""
    global default_pool, _default
    pool = MemoryPool()
    default_pool, _default = state or (pool, pool.malloc)


def get_default_memory_pool() -> MemoryPool:
    """The pool that arrays come from, unless another one was chosen."""
    return default_pool


def get_allocator() -> Allocator:
    """The function that allocates in this thread."""
    return getattr(_local, "allocator", None) or _default


def set_allocator(allocator: Allocator | None = None) -> None:
    """Allocate by ``allocator(size)`` from now on; None: from memory that no pool counts."""
    global _default
    if getattr(_local, "allocator", None) is not None:
        raise ValueError("Can't change the global allocator inside `using_allocator` context manager")
    _default = allocator if allocator is not None else MemoryPool().malloc


@contextmanager
def using_allocator(allocator: Allocator | None = None) -> Iterator[None]:
    """Allocate by ``allocator`` in this thread, inside a ``with`` block."""
    before = getattr(_local, "allocator", None)
    _local.allocator = allocator if allocator is not None else MemoryPool().malloc
    try:
        yield
    finally:
        _local.allocator = before


def alloc(size: int) -> MemoryPointer:
    """Allocate on the current device, by the current allocator."""
    return get_allocator()(size)


class PinnedMemoryPointer(numpy.ndarray[Any, Any]):
    """Memory of the host that a GPU reads and writes by itself; here, ordinary memory, poisoned as the device's is.

    With lag, freed memory is poisoned again, and the next allocation has it: CuPy's pool does not ask what is queued.
    """

    _store: bytearray | None = None
    """The bytes; None for a view."""

    def __new__(cls, store: bytearray, size: int) -> PinnedMemoryPointer:
        self = super().__new__(cls, (size,), numpy.uint8, store)
        self._store = store
        _pinned[self.ptr] = len(store)
        return self

    @property
    def ptr(self) -> int:
        return int(self.ctypes.data)

    def size(self) -> int:  # type: ignore[override]  # CuPy's method
        return len(self)

    def __repr__(self) -> str:
        return f"<PinnedMemoryPointer 0x{self.ptr:x} of {len(self)} bytes>"

    def __del__(self) -> None:
        store = self._store
        if store is not None and machine.lag:
            store[:] = bytes([POISON]) * len(store)
            _spare_pinned[len(store)].append(store)
        elif store is not None:
            _pinned.pop(self.ptr, None)


_pinned: dict[int, int] = {}
"""Where pinned memory lies that may still be written to, and how many bytes it has."""


def is_pinned(address: int, size: int) -> bool:
    """Whether this memory of the host is pinned."""
    return any(start <= address and address + size <= start + room for start, room in _pinned.copy().items())


_spare_pinned: dict[int, list[bytearray]] = defaultdict(list)


def alloc_pinned_memory(size: int) -> PinnedMemoryPointer:
    """Memory for copies that the host does not wait for."""
    room = max(BLOCK, 1 << max(0, size - 1).bit_length())
    try:
        store = _spare_pinned[room].pop()
    except IndexError:
        store = bytearray(bytes([POISON]) * room)
    return PinnedMemoryPointer(store, size)


def pinned(values: Any) -> Any:
    """The same bytes of the host without a hold on their allocation; None if they are not pinned."""
    owner = values.base
    while isinstance(owner, numpy.ndarray) and not isinstance(owner, PinnedMemoryPointer):
        owner = owner.base
    if not isinstance(owner, PinnedMemoryPointer):
        return None
    place = values.__array_interface__["data"][0] - owner.ptr
    return numpy.ndarray(values.shape, values.dtype, owner._store, place, values.strides)
