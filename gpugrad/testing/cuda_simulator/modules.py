"""The stand-in modules: ``cupy``, ``cupyx`` and what is in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import numpy

from . import compiler, devices, fft, functions, kernels, linalg, memory, methods, scipy_linalg, streams, table
from .array import ndarray
from .indexing import scatter
from .ufuncs import ufunc

VERSION = "14.0.0"
RUNTIME = (
    "deviceCanAccessPeer deviceSynchronize driverGetVersion getDevice getDeviceCount getDeviceProperties memGetInfo "
    "runtimeGetVersion setDevice CUDARuntimeError"
)
TYPES = """
bool_ byte cdouble complex128 complex64 complexfloating csingle double dtype e euler_gamma finfo float16 float32
float64 floating generic half iinfo inexact inf int16 int32 int64 int8 int_ intc integer intp long longlong nan newaxis
number pi short signedinteger single ubyte uint uint16 uint32 uint64 uint8 uintc uintp ulong ulonglong unsignedinteger
ushort s_
index_exp
"""


class SimulatedModule(ModuleType):
    """A module that says why a name is not there."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        if self.__name__ != "cupy":
            raise AttributeError(f"{self.__name__}.{name}: CuPy has no such name, or the CUDA simulator lacks it")
        if name in table.LEFT_OUT.split():
            raise AttributeError(f"cupy.{name}: the CUDA simulator does not have it (CuPy does)")
        known = ", NumPy does" if hasattr(numpy, name) else ""
        raise AttributeError(f"module 'cupy' has no attribute {name!r} (CuPy does not have it{known})")


def _module(name: str, contents: dict[str, Any], made: dict[str, ModuleType]) -> ModuleType:
    module = SimulatedModule(name, f"The CUDA simulator's stand-in for {name}.")
    module.__spec__ = ModuleSpec(name, None, is_package=True)
    module.__path__ = []
    module.__dict__.update(contents)
    made[name] = module
    parent, _, last = name.rpartition(".")
    if parent:
        setattr(made[parent], last, module)
    return module


def _cuda(made: dict[str, ModuleType]) -> None:
    pool = {name: getattr(memory, name) for name in (
        "MemoryPointer", "MemoryPool", "PinnedMemoryPointer", "alloc", "alloc_pinned_memory", "get_allocator",
        "set_allocator", "using_allocator")}  # fmt: skip
    marks = {name: getattr(streams, name) for name in ("Event", "ExternalStream", "Stream", "get_current_stream",
                                                       "get_elapsed_time")}  # fmt: skip
    runtime = {name: getattr(devices, name) for name in RUNTIME.split()}
    errors = {"CompileException": compiler.CompileException}
    _module("cupy.cuda", pool | marks | {
        "Device": devices.Device, "Memory": memory.Memory, "is_available": lambda: True,
        "get_device_id": devices.getDevice, "get_local_runtime_version": devices.runtimeGetVersion,
        "get_cuda_path": lambda: None,
    }, made)  # fmt: skip
    _module("cupy.cuda.runtime", runtime | {"is_hip": False}, made)
    _module("cupy.cuda.driver", {"CUDADriverError": kernels.CUDADriverError}, made)
    _module("cupy.cuda.memory", pool | {"Memory": memory.Memory, "OutOfMemoryError": memory.OutOfMemoryError}, made)
    _module("cupy.cuda.compiler", errors, made)
    _module("cupy.cuda.device", {"Device": devices.Device, "get_device_id": devices.getDevice}, made)
    _module("cupy.cuda.stream", marks, made)
    _module("cupy.cuda.nvtx", dict.fromkeys(("RangePush", "RangePop", "Mark"), _nothing), made)


def _nothing(*arguments: Any) -> None:
    """What does not show in a simulation."""


def _scatter(name: str) -> Callable[..., None]:
    def function(a: ndarray, slices: Any, value: Any) -> None:
        scatter(name, a, slices, value)

    return function


@contextmanager
def _errstate(**options: Any) -> Iterator[None]:
    yield


def build() -> dict[str, ModuleType]:
    """Every stand-in module by name."""
    made: dict[str, ModuleType] = {}
    names = functions.namespace()
    methods.attach(names)
    types = {name: getattr(numpy, name) for name in TYPES.split()}
    _module("cupy", types | names | {
        "__version__": VERSION, "ndarray": ndarray, "ufunc": ufunc, "bool": numpy.bool_,
        "RawKernel": kernels.RawKernel, "RawModule": kernels.RawModule, "AxisError": numpy.exceptions.AxisError,
        "get_default_memory_pool": memory.get_default_memory_pool, "is_available": lambda: True,
    }, made)  # fmt: skip
    _cuda(made)
    _module("cupy.exceptions", {"AxisError": numpy.exceptions.AxisError}, made)
    matrices = functions.part(table.LINALG, linalg, "cupy.linalg") | {"matmul": names["matmul"]}
    _module("cupy.linalg", matrices | {"LinAlgError": numpy.linalg.LinAlgError}, made)
    _module("cupy.fft", functions.part(table.FFT, fft, "cupy.fft"), made)
    _module("cupyx", {
        "scatter_add": _scatter("add"), "scatter_max": _scatter("maximum"), "scatter_min": _scatter("minimum"),
        "rsqrt": ufunc("rsqrt", _rsqrt), "errstate": _errstate,
    }, made)  # fmt: skip
    _module("cupyx.scipy", {"get_array_module": functions.get_array_module}, made)
    _module("cupyx.scipy.special", functions.special(), made)
    _module("cupyx.scipy.linalg", functions.part(table.SCIPY_LINALG, scipy_linalg, "cupyx.scipy.linalg"), made)
    return made


def _rsqrt(x: Any, **options: Any) -> Any:
    return numpy.reciprocal(numpy.sqrt(x, **options), **options)
