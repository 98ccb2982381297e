"""NumPy arrays, on the CPU."""

from __future__ import annotations

from typing import Any

import numpy

from .allocator import keep_memory
from .device import Device
from .registry import MATRIX_FUNCTIONS, SPECIAL, Array, Backend, register_array_type, register_scalar_type
from .usage import Usage, process_memory

CPU = Device("cpu")


class CPUBackend(Backend):
    """NumPy: one device, and it checks its indices by itself."""

    name = "cpu"
    xp = numpy
    routines = True

    def device(self, array: Array) -> Device:
        return CPU

    def from_host(self, array: numpy.ndarray, device: Device) -> Array:
        return numpy.array(array)

    def to_host(self, array: Array) -> numpy.ndarray:
        return numpy.array(array)

    def move(self, array: Array, device: Device) -> Array:
        return array

    def export(
        self, array: Array, stream: Any = None, max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None, copy: bool | None = None,
    ) -> Any:  # fmt: skip
        """Read-only, for those who can be told; the others get a copy."""
        if max_version is None or max_version[0] < 1:
            if copy is False:
                raise BufferError("memory that is not to be written to is shared from DLPack 1.0 on; got copy=False")
            return array.copy().__dlpack__()
        shared = numpy.broadcast_to(array, array.shape)  # a view that is read-only
        return shared.__dlpack__(stream=stream, max_version=max_version, dl_device=dl_device, copy=copy)

    def check_labels(self, labels: Array, classes: int, ignored: int | None = None, name: str = "labels") -> None:
        """The smallest and the largest nearly always tell that all are right."""
        if not labels.size:
            return
        least, most = numpy.minimum.reduce(labels, axis=None), numpy.maximum.reduce(labels, axis=None)
        if least < 0 or most >= classes:
            super().check_labels(labels, classes, ignored, name)

    def memory(self, device: Device) -> Usage:
        return process_memory()


keep_memory()
backend = CPUBackend()
register_array_type(numpy.ndarray, numpy, backend)
SPECIAL[numpy] = "scipy.special"
MATRIX_FUNCTIONS[numpy] = "scipy.linalg"
for scalar in set(numpy.sctypeDict.values()):  # NumPy's reductions give scalars where CuPy's give 0-d arrays
    register_scalar_type(scalar, numpy)
