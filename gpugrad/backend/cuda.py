"""CuPy arrays, on CUDA GPUs. Imported only when a GPU is asked for; the only file that imports CuPy."""

from __future__ import annotations

import tempfile
from contextlib import AbstractContextManager
from typing import Any

import cupy
import numpy

from . import compiler
from .device import Device
from .registry import Array, Backend, register_array_type


class CUDABackend(Backend):
    """CuPy: one memory for each GPU; kernels are launched on CuPy's current stream."""

    name = "cuda"
    xp = cupy
    compiles = True

    def __init__(self) -> None:
        self.count = device_count()
        self.several_devices = self.count > 1
        self._functions: dict[Any, Any] = {}

    def device(self, array: Array) -> Device:
        return Device(f"cuda:{array.device.id}")

    def from_host(self, array: numpy.ndarray, device: Device) -> Array:
        with self.using(device):
            return cupy.asarray(array)

    def to_host(self, array: Array) -> numpy.ndarray:
        host: numpy.ndarray = cupy.asnumpy(array)
        return host

    def move(self, array: Array, device: Device) -> Array:
        with self.using(device):
            return cupy.array(array)

    def using(self, device: Device) -> AbstractContextManager[Any]:
        context: AbstractContextManager[Any] = cupy.cuda.Device(device.index)
        return context

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

    def check_index(self, index: Any, shape: tuple[int, ...]) -> None:
        """CuPy wraps an index that is out of bounds; here it raises, at the price of a synchronisation."""
        entries = index if isinstance(index, tuple) else (index,)
        for entry, size in zip(entries, indexed_sizes(entries, shape), strict=True):
            if isinstance(entry, cupy.ndarray) and entry.dtype.kind in "iu" and entry.size:
                low, high = int(entry.min()), int(entry.max())
                if low < -size or high >= size:
                    bad = low if low < -size else high
                    raise IndexError(f"index {bad} is out of bounds for an axis of size {size}")


def indexed_sizes(entries: tuple[Any, ...], shape: tuple[int, ...]) -> list[int]:
    """For each entry of an index, the size of the axis it applies to (0 for ``None`` and ``...``)."""
    sizes: list[int] = []
    axis = 0
    for entry in entries:
        if entry is Ellipsis:
            axis = len(shape) - sum(axes_taken(e) for e in entries[len(sizes) :])
        taken = axes_taken(entry)
        sizes.append(shape[axis] if taken and axis < len(shape) else 0)
        axis += taken
    return sizes


def axes_taken(entry: Any) -> int:
    """How many axes an entry of an index applies to."""
    if entry is None or entry is Ellipsis:
        return 0
    mask = getattr(getattr(entry, "dtype", None), "kind", "") == "b"
    return int(entry.ndim) if mask else 1


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
    return backend
