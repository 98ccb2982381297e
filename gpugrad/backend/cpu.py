"""NumPy arrays, on the CPU."""

from __future__ import annotations

import numpy

from .device import Device
from .registry import Array, Backend, register_array_type, register_scalar_type
from .usage import Usage, process_memory

CPU = Device("cpu")


class CPUBackend(Backend):
    """NumPy: one device, and it checks its indices by itself."""

    name = "cpu"
    xp = numpy

    def device(self, array: Array) -> Device:
        return CPU

    def from_host(self, array: numpy.ndarray, device: Device) -> Array:
        return numpy.array(array)

    def to_host(self, array: Array) -> numpy.ndarray:
        return numpy.array(array)

    def move(self, array: Array, device: Device) -> Array:
        return array

    def memory(self, device: Device) -> Usage:
        return process_memory()


backend = CPUBackend()
register_array_type(numpy.ndarray, numpy, backend)
for scalar in set(numpy.sctypeDict.values()):  # NumPy's reductions give scalars where CuPy's give 0-d arrays
    register_scalar_type(scalar, numpy)
