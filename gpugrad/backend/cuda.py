"""CuPy arrays, on CUDA GPUs. Imported only when a GPU is asked for; the only file that imports CuPy."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any

import cupy
import numpy

from . import bounds, compiler
from .device import Device
from .memory import out_of_memory
from .registry import SPECIAL, Array, Backend, Upload, register_array_type
from .usage import Usage

ALIGNMENT = 256
"""Of arrays in a common piece of memory; CuPy's own allocations have it too."""


class CUDABackend(Backend):
    """CuPy: one memory for each GPU; kernels are launched on CuPy's current stream."""

    name = "cuda"
    xp = cupy
    compiles = True

    def __init__(self) -> None:
        self.count = device_count()
        self.several_devices = self.count > 1
        self.used = set(range(min(self.count, 1)))
        """The devices that were worked on: touching another one would cost it memory."""
        self.bounds = bounds.Bounds(self)
        self._functions: dict[Any, Any] = {}
        self._sides: dict[int, Any] = {}

    def device(self, array: Array) -> Device:
        return Device(f"cuda:{array.device.id}")

    def from_host(self, array: numpy.ndarray, device: Device) -> Array:
        with self.using(device):
            return cupy.asarray(array)

    def to_host(self, array: Array) -> numpy.ndarray:
        host: numpy.ndarray = cupy.asnumpy(array)
        self.look(array)
        return host

    def move(self, array: Array, device: Device) -> Array:
        with self.using(device):
            return cupy.array(array)

    def fetch(self, arrays: Sequence[Array]) -> Callable[[], list[numpy.ndarray]]:
        """On a stream of its own, behind what is queued now, into pinned memory: the others wait for nothing."""
        copies: list[numpy.ndarray] = []
        marks: dict[int, Any] = {}
        kept: list[Array] = []  # memory that is free again would be used before it has been read
        for array in arrays:
            number = self.device_id(array)
            with self._beside(array):
                whole = cupy.ascontiguousarray(array).reshape(array.shape)
                side = self._sides.get(number) or self._sides.setdefault(number, cupy.cuda.Stream(non_blocking=True))
                side.wait_event(cupy.cuda.get_current_stream().record())
                copy = _pinned(whole)
                if whole.size:
                    whole.get(stream=side, out=copy, blocking=False)
                marks[number] = side.record()
            kept.append(whole)
            copies.append(copy)

        def wait() -> list[numpy.ndarray]:
            for mark in marks.values():
                mark.synchronize()
            kept.clear()
            return copies

        return wait

    def using(self, device: Device) -> AbstractContextManager[Any]:
        self.used.add(device.index)
        return Working(device)

    def run(
        self, source: str, name: str, grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...],
        shared: int = 0,
    ) -> None:  # fmt: skip
        key = (source, cupy.cuda.runtime.getDevice()) if self.several_devices else source
        function = self._functions.get(key)
        if function is None:
            function = self._functions[key] = self._load(source, name)
        function(grid, block, arguments, shared_mem=shared)

    def _load(self, source: str, name: str) -> Any:
        """A kernel's function: from machine code that is kept on disk, or from the source where there is no NVRTC."""
        if not hasattr(cupy.cuda, "nvrtc"):
            return cupy.RawModule(code=source).get_function(name)
        code = compiler.cached(source, name, f"sm_{cupy.cuda.Device().compute_capability}")
        if isinstance(code, bytes):
            with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
                file.write(code)
                file.flush()
                return cupy.RawModule(path=file.name).get_function(name)
        return cupy.RawModule(path=str(code)).get_function(name)

    # ---------------------------------------------------------------- indices, see bounds.py

    def check_index(self, index: Any, shape: tuple[int, ...], name: str = "index") -> None:
        self.bounds.check_index(index, shape, name)

    def check_labels(self, labels: Array, classes: int, ignored: int | None = None, name: str = "labels") -> None:
        self.bounds.check_labels(labels, classes, ignored, name)

    def look(self, array: Array, line: str | None = None) -> None:
        if self.bounds.pending:
            self._raise_found(self.device_id(array), line)

    def synchronize(self, device: Device | None = None) -> None:
        indices = sorted(self.used) if device is None else [device.index]
        for index in indices:
            cupy.cuda.Device(index).synchronize()
        for index in indices:
            self._raise_found(index, everything=True)

    def _raise_found(self, device: int, line: str | None = None, everything: bool = False) -> None:
        text = self.bounds.found(device, everything)
        if text is not None:
            found = f"made at {line}" if line else f"found when the host next waited for cuda:{device}"
            raise IndexError(f"{text} [{found}{'' if line else '; gg.debug() names the line'}]")

    def device_id(self, array: Array) -> int:
        """The number of the device that holds ``array``."""
        return int(array.data.device_id) if self.several_devices else 0

    def stream_id(self, device: int) -> int:
        """What tells apart the current stream of a device."""
        return int(cupy.cuda.get_current_stream(device).ptr)

    def new_report(self, device: int) -> Array:
        """Four integers on a device, for a kernel to report in."""
        with cupy.cuda.Device(device):
            return cupy.zeros(4, dtype=cupy.int64)

    def report(self, index: Array, number: int, low: int, high: int, ignored: int | None, into: Array) -> None:
        """Launch the kernel of :mod:`.bounds` where ``index`` is."""
        with self._beside(index):
            if not index.flags.c_contiguous:
                index = cupy.ascontiguousarray(index)
            numbers = (low, high, int(ignored is not None), ignored or 0, number)
            arguments = (index, index.size, *numbers, into)
            self.launch(bounds.source(index.dtype.name), bounds.NAME, index.size, arguments)

    def take(self, report: Array) -> list[int]:
        """What is in a report; it is empty afterwards."""
        found: list[int] = cupy.asnumpy(report).tolist()
        if found[0]:
            with self._beside(report):
                report.fill(0)
        return found

    def _beside(self, array: Array) -> AbstractContextManager[Any]:
        device = self.device_id(array)
        if self.several_devices and cupy.cuda.runtime.getDevice() != device:
            context: AbstractContextManager[Any] = cupy.cuda.Device(device)
            return context
        return nullcontext()

    # ---------------------------------------------------------------- memory

    def uploader(self, device: Device, depth: int) -> Upload:
        return Uploads(self, device, depth)

    def memory(self, device: Device) -> Usage:
        with self.using(device):
            pool = cupy.get_default_memory_pool()
            free, total = cupy.cuda.runtime.memGetInfo()
            return Usage(int(pool.used_bytes()), int(pool.total_bytes()), int(free), int(total))


class Working:
    """A device as the current one; CuPy's out-of-memory error is told in terms of what is in memory."""

    __slots__ = ("_context", "device")

    def __init__(self, device: Device) -> None:
        self.device = device
        self._context = cupy.cuda.Device(device.index)

    def __enter__(self) -> None:
        self._context.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._context.__exit__(kind, error, traceback)
        if error is not None and isinstance(error, cupy.cuda.memory.OutOfMemoryError):
            raise MemoryError(out_of_memory(error, self.device)) from error


class Uploads:
    """Batches on their way to a GPU, on a stream of its own, while other streams compute.

    Each goes through a slot: pinned memory on the host, which the GPU reads by itself, and staging memory on the
    device. From there it is copied on the stream that uses it, into memory of that stream: the pool may give memory
    that was freed on one stream to that stream again at once, but knows nothing of others that still read it. The copy
    costs a thousandth of the transfer.
    """

    def __init__(self, owner: CUDABackend, device: Device, depth: int) -> None:
        self.owner = owner
        self.device = device
        with owner.using(device):
            self.stream = cupy.cuda.Stream(non_blocking=True)
        self.slots = [Slot() for _ in range(depth)]
        self.number = 0

    def __call__(self, arrays: Sequence[numpy.ndarray]) -> Callable[[], list[Array]]:
        slot = self.slots[self.number % len(self.slots)]
        self.number += 1
        places, size = [], 0
        for array in arrays:
            places.append(size)
            size += -(-array.nbytes // ALIGNMENT) * ALIGNMENT
        with self.owner.using(self.device):
            if slot.copied is not None:
                slot.copied.synchronize()  # the GPU has read what is to be overwritten now
            if slot.size < size:
                slot.grow(size, self.stream)
            for array, start in zip(arrays, places, strict=True):
                place = slot.pinned[start : start + array.nbytes].view(array.dtype)
                place.reshape(array.shape)[...] = array
            if slot.taken is not None:
                self.stream.wait_event(slot.taken)
            if size:
                slot.staging[:size].set(slot.pinned[:size], stream=self.stream)
            slot.copied = self.stream.record(_event())
        shapes = [(array.shape, array.dtype, array.nbytes) for array in arrays]
        return lambda: self._take(slot, shapes, places)

    def _take(self, slot: Slot, shapes: list[tuple[Any, Any, int]], places: list[int]) -> list[Array]:
        with self.owner.using(self.device):
            stream = cupy.cuda.get_current_stream()
            stream.wait_event(slot.copied)
            made = []
            for (shape, dtype, nbytes), start in zip(shapes, places, strict=True):
                made.append(cupy.empty(shape, dtype) if not nbytes else
                            slot.staging[start : start + nbytes].view(dtype).reshape(shape).copy())  # fmt: skip
            slot.taken = stream.record(_event())
        return made


class Slot:
    """Room for one batch on the host and on the device, and the events behind the last use of each."""

    __slots__ = ("copied", "pinned", "size", "staging", "taken")

    def __init__(self) -> None:
        self.size = 0
        self.pinned: Any = None
        self.staging: Any = None
        self.copied: Any = None
        self.taken: Any = None

    def grow(self, size: int, stream: Any) -> None:
        """Make room for so many bytes, and an eighth more."""
        if self.taken is not None:
            self.taken.synchronize()  # or the pool would give away memory that is still read
        self.size = size + size // 8 // ALIGNMENT * ALIGNMENT
        self.pinned = numpy.frombuffer(cupy.cuda.alloc_pinned_memory(self.size), numpy.uint8, self.size)
        with stream:
            self.staging = cupy.empty(self.size, numpy.uint8)


def _event() -> Any:
    """A mark in a stream that is waited for without keeping a processor busy."""
    return cupy.cuda.Event(block=True, disable_timing=True)


def _pinned(like: Array) -> numpy.ndarray:
    """An array on the host that a GPU can write to by itself."""
    if not like.size:
        return numpy.empty(like.shape, like.dtype)
    memory = cupy.cuda.alloc_pinned_memory(like.nbytes)
    return numpy.frombuffer(memory, like.dtype, like.size).reshape(like.shape)


def device_count() -> int:
    """How many GPUs the driver shows; 0 where there is no driver."""
    try:
        return int(cupy.cuda.runtime.getDeviceCount())
    except cupy.cuda.runtime.CUDARuntimeError:
        return 0


def register() -> CUDABackend:
    """Make CuPy's arrays known."""
    backend = CUDABackend()
    register_array_type(cupy.ndarray, cupy, backend)
    SPECIAL[cupy] = "cupyx.scipy.special"
    return backend
