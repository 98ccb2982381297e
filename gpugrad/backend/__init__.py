"""Devices, and the array library behind each. The only package that imports one.

To add a kind of array: subclass :class:`Backend`, and call :func:`register_array_type` with the type, the namespace
that computes on it and the backend. A stand-in without a memory of its own (a tracer) does the same.
"""

from . import cpu, dtypes
from .device import KINDS, Device, placed
from .dtypes import DType, as_dtype, default_dtype, is_floating, is_short
from .memory import live, out_of_memory
from .registry import (
    BACKENDS,
    EAGER,
    NAMESPACES,
    NUMBERS,
    WEAK,
    Array,
    Backend,
    Namespace,
    backend_of,
    device_of,
    is_array,
    matrix_functions,
    on_several_devices,
    recorder,
    register_array_type,
    several_used,
    special,
    start_recording,
    stop_recording,
)
from .selection import (
    backend_for,
    beside,
    choose,
    default_device,
    duplicate,
    fetch,
    forget_cuda,
    lifted,
    load_cuda,
    logger,
    look,
    overflowing,
    overwrite,
    restore,
    synchronize,
    to_host,
    transfer,
)
from .sizes import Size
from .summary import memory_summary

__all__ = [
    "BACKENDS", "KINDS", "NAMESPACES", "NUMBERS", "EAGER", "Size", "WEAK", "Array", "Backend", "DType", "Device",
    "Namespace",
    "as_dtype", "backend_for", "backend_of", "beside", "choose", "cpu", "default_device", "default_dtype", "device_of",
    "dtypes", "duplicate", "fetch", "forget_cuda", "is_array", "is_floating", "is_short", "lifted", "live", "load_cuda",
    "logger", "look", "matrix_functions", "memory_summary", "on_several_devices", "out_of_memory",
    "overflowing", "overwrite", "placed", "recorder", "register_array_type", "restore", "several_used", "special",
    "start_recording",
    "stop_recording", "synchronize", "to_host", "transfer",
]  # fmt: skip
