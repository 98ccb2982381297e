"""The simulated ``RawKernel`` and ``RawModule``: the source really runs, and what a GPU would hide is an error."""

from __future__ import annotations

import ctypes
import mmap
import threading
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy

from . import compiler
from .array import address, ndarray
from .memory import intact
from .state import CUDARuntimeError, counters, machine
from .streams import late

THREADS = 1024
STACK = 128 * 1024
SHARED = 48 * 1024
SHARED_OPT_IN = 227 * 1024
MOST_BLOCKS = (2**31 - 1, 65535, 65535)
DIVERGED, STUCK, FAULT, SPIN, SHARED_OVERRUN, TRAP, MASK, DIVISION = range(1, 9)


@cache
def _pointers(count: int) -> Any:
    """ctypes' type of an array of pointers; a new type each time would be a cycle of references."""
    return ctypes.c_void_p * count


class CUDADriverError(RuntimeError):
    """An error code of the CUDA driver."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")


class KernelError(CUDARuntimeError):
    """A kernel did what would be undefined or fatal on a GPU."""

    def __init__(self, text: str) -> None:
        super().__init__(700, "cudaErrorIllegalAddress", f"(CUDA simulator) {text}")


class _Launch(ctypes.Structure):
    """``cuda_host::Launch``."""

    _fields_ = [
        ("grid", ctypes.c_uint32 * 3), ("block", ctypes.c_uint32 * 3), ("shared_bytes", ctypes.c_uint64),
        ("seed", ctypes.c_uint64), ("stacks", ctypes.c_void_p), ("stack_size", ctypes.c_uint64),
        ("stack_count", ctypes.c_uint64), ("status", ctypes.c_int), ("line", ctypes.c_int),
        ("other_line", ctypes.c_int), ("thread", ctypes.c_int), ("other_thread", ctypes.c_int),
        ("error_block", ctypes.c_uint32 * 3), ("fault", ctypes.c_uint64),
    ]  # fmt: skip


class _Parameter(ctypes.Structure):
    """``cuda_host::Parameter``."""

    _fields_ = [("kind", ctypes.c_char), ("size", ctypes.c_int)]


_lock = threading.Lock()
_stacks: list[Any] = []


def _stack_memory() -> int:
    if not _stacks:
        memory = mmap.mmap(-1, THREADS * STACK)
        _stacks.extend((memory, (ctypes.c_char * len(memory)).from_buffer(memory)))
    return ctypes.addressof(_stacks[1])


class RawKernel:
    """A kernel given as CUDA C++, compiled by the host's compiler when it is first called."""

    def __init__(
        self,
        code: str,
        name: str,
        options: tuple[str, ...] = (),
        backend: str = "nvrtc",
        translate_cucomplex: bool = False,
        *,
        enable_cooperative_groups: bool = False,
        jitify: bool | None = None,
    ) -> None:
        if not isinstance(options, tuple):
            raise TypeError(f"Argument 'options' has incorrect type (expected tuple, got {type(options).__name__})")
        self.code, self.name, self.options, self.backend = code, name, options, backend
        self.__name__ = name
        self.max_dynamic_shared_size_bytes = SHARED
        self.max_threads_per_block = THREADS
        self.enable_cooperative_groups = enable_cooperative_groups
        self._wanted: tuple[str, ...] = (name,)
        self._expression = False
        self._loaded: tuple[Any, list[tuple[str, int]]] | None = None

    def compile(self, log_stream: Any = None) -> None:
        """Compile now.

        Raises:
            CompileException: the source is no valid CUDA C++.
            CUDADriverError: it has no kernel of that name.
        """
        library = compiler.load(self.code, self.options, self._wanted)
        label = library.labels[self.name]
        if not self._expression and not hasattr(library.code, self.name):
            raise CUDADriverError("CUDA_ERROR_NOT_FOUND", f'named symbol not found (no extern "C" kernel {self.name})')
        listing = getattr(library.code, f"cuda_host_list_{label}")
        listing.restype = ctypes.POINTER(_Parameter)
        count = ctypes.c_int.in_dll(library.code, f"cuda_host_count_{label}").value
        parameters = [(p.kind.decode(), p.size) for p in listing()[:count]]
        self._loaded = getattr(library.code, f"cuda_host_run_{label}"), parameters

    def __call__(
        self, grid: Sequence[int], block: Sequence[int], args: Sequence[Any], *, shared_mem: int = 0, stream: Any = None
    ) -> None:
        """Run the kernel on ``grid`` blocks of ``block`` threads.

        Raises:
            TypeError: the number or the types of the arguments are not those of the kernel.
            KernelError: it wrote out of bounds, or its threads parted at a barrier.
        """
        if self._loaded is None:
            self.compile()
        assert self._loaded is not None
        run, parameters = self._loaded
        if stream is not None:
            stream._check()
        shape = self._shape(grid, block, shared_mem)
        if len(args) != len(parameters):
            raise TypeError(f"kernel {self.name} takes {len(parameters)} arguments, {len(args)} were given")
        values = [self._argument(i, *pair) for i, pair in enumerate(zip(args, parameters, strict=True))]
        pointers = _pointers(len(values) + 1)(*(v.ctypes.data for v in values))
        counters.launch(self.name, *(a._values for a in args if isinstance(a, ndarray)))
        arrays = [_Argument(i, value) for i, value in enumerate(args) if isinstance(value, ndarray)]
        order = machine.thread_order

        def work() -> object:
            with _lock:
                launch = _Launch(*shape, shared_mem, order, _stack_memory(), STACK, THREADS)
                run(ctypes.byref(launch), pointers)
            if launch.status:
                raise KernelError(self._report(launch, arrays))
            self._check_guards(arrays)
            return values  # what the pointers point to

        if machine.lag:
            late(work, stream)
        else:
            work()

    @property
    def kernel(self) -> RawKernel:
        """CuPy's ``Function``; here the kernel itself."""
        return self

    def linear_launch(
        self, size: int, args: Sequence[Any], shared_mem: int = 0, block_max_size: int = 128, stream: Any = None
    ) -> None:
        """Run ``size`` threads along one axis, in whole blocks."""
        blocks = min(2**31 - 1, -(-size // block_max_size))
        self((blocks,), (min(size, block_max_size),), args, shared_mem=shared_mem, stream=stream)

    def _shape(self, grid: Sequence[int], block: Sequence[int], shared: int) -> tuple[Any, Any]:
        blocks = [max(1, int(n)) for n in (*grid, 1, 1)[:3]]
        threads = [max(1, int(n)) for n in (*block, 1, 1)[:3]]
        if (
            any(n > most for n, most in zip(blocks, MOST_BLOCKS, strict=True))
            or numpy.prod(threads) > THREADS
            or threads[2] > 64
            or shared > min(self.max_dynamic_shared_size_bytes, SHARED_OPT_IN)
        ):
            raise CUDADriverError("CUDA_ERROR_INVALID_VALUE", f"invalid argument (kernel {self.name}: grid {blocks}, "
                                  f"block {threads}, {shared} bytes of shared memory)")  # fmt: skip
        return (ctypes.c_uint32 * 3)(*blocks), (ctypes.c_uint32 * 3)(*threads)

    def _argument(self, place: int, value: Any, parameter: tuple[str, int]) -> Any:
        """The bytes that CuPy would pass; an error where CUDA would read something else."""
        kind, size = parameter
        what = f"kernel {self.name}: argument {place}"
        if isinstance(value, ndarray):
            if kind != "P":
                raise TypeError(f"{what} is an array, the kernel takes a number of {size} bytes there")
            if value._memory.device_id != machine.current:
                raise ValueError(f"{what} is on device {value._memory.device_id} while current = {machine.current}")
            return numpy.array([value.data.ptr], numpy.uint64)
        if value is None:
            value = numpy.uint64(0)
        if isinstance(value, numpy.ndarray) and value.size == 1:
            value = value.reshape(-1)[0]
        if isinstance(value, numpy.generic):
            scalar = value
        elif isinstance(value, int):
            scalar = numpy.uint64(value) if value > 2**63 - 1 else numpy.int64(value)
        elif isinstance(value, float | complex):
            scalar = numpy.float64(value) if isinstance(value, float) else numpy.complex128(value)
        else:
            raise TypeError(f"Unsupported type {type(value)}")
        given = scalar.dtype
        if kind in "bi":
            right = given.kind in "biu" and given.itemsize >= size and _fits(int(scalar), 8 * size)
        elif kind == "P":
            right = given.kind in "iu" and given.itemsize == size
        else:
            right = given.itemsize == size and (kind == "s" or given.kind == "f")
        if not right:
            names = {
                "b": "a bool",
                "i": "an integer",
                "f": "a floating-point number",
                "P": "a pointer",
                "s": "a struct",
            }
            wanted = f"{names[kind]} of {size} bytes"
            raise TypeError(
                f"{what} is {scalar} of dtype {given}, the kernel takes {wanted} there: CUDA would misread its bytes"
            )
        return numpy.array([scalar])

    def _report(self, launch: _Launch, args: Sequence[_Argument]) -> str:
        block = tuple(launch.error_block)
        here = f"kernel {self.name}, block {block}, thread {launch.thread}"
        at = f"line {launch.line}: {self._line(launch.line)!r}"
        if launch.status == FAULT:
            return f"{here} touched memory that is not its own: {_nearest(launch.fault, args)}"
        other = (
            f"thread {launch.other_thread} waits in line {launch.other_line}: {self._line(launch.other_line)!r}"
            if launch.other_line
            else f"thread {launch.other_thread} has ended"
        )
        texts = {
            DIVERGED: f"the threads part at a barrier: in block {block} of kernel {self.name}, thread {launch.thread} "
            f"waits in {at}, {other}",
            STUCK: f"{here} waits for its warp in {at}, and the other threads of its mask never come; {other}",
            SPIN: f"{here} waits in a loop for another thread or block, which need not run at the same time",
            SHARED_OVERRUN: f"kernel {self.name}, block {block} wrote past its {launch.shared_bytes} bytes of dynamic "
            f"shared memory, {launch.thread} byte(s) away",
            TRAP: f"{here} stopped itself (__trap)",
            MASK: f"{here} is not in the mask of the warp function that it calls in {at}",
            DIVISION: f"{here} divided an integer by zero",
        }
        return texts[launch.status]

    def _line(self, number: int) -> str:
        lines = self.code.splitlines()
        return lines[number - 1].strip() if 0 < number <= len(lines) else ""

    def _check_guards(self, args: Sequence[_Argument]) -> None:
        for array in args:
            hit = None if array.raw is None else intact(array.raw, array.start - address(array.raw), array.size)
            if hit is not None:
                raise KernelError(f"kernel {self.name} wrote out of bounds of argument {array}: {hit}")


class _Argument:
    """An array among the arguments; it keeps the bytes alive, not the allocation."""

    __slots__ = ("place", "raw", "size", "start", "text")

    def __init__(self, place: int, array: ndarray) -> None:
        memory = array._memory
        self.place, self.raw = place, getattr(memory, "_raw", None)
        self.start, self.size = memory.ptr, memory.size
        self.text = f"{place} (shape {array.shape}, {array.dtype})"

    def __str__(self) -> str:
        return self.text


def _fits(value: int, bits: int) -> bool:
    return bool(-(1 << bits - 1) <= value < 1 << bits)


def _nearest(fault: int, args: Sequence[_Argument]) -> str:
    """An address, as an offset from the argument it is closest to."""
    arrays = [array for array in args if array.size]
    if not arrays:
        return f"address {fault:#x}"

    def distance(array: _Argument) -> int:
        return int(max(array.start - fault, fault - (array.start + array.size) + 1, 0))

    array = min(arrays, key=distance)
    start, size = array.start, array.size
    where = f"{start - fault} bytes before" if fault < start else f"{fault - start - size} bytes past"
    return f"address {fault:#x}, {where} the {'start' if fault < start else 'end'} of argument {array}"


class RawModule:
    """Several kernels in one CUDA C++ source; templates by the expressions that instantiate them."""

    def __init__(
        self,
        code: str | None = None,
        *,
        path: str | None = None,
        options: tuple[str, ...] = (),
        backend: str = "nvrtc",
        translate_cucomplex: bool = False,
        enable_cooperative_groups: bool = False,
        name_expressions: Sequence[str] | None = None,
        jitify: bool | None = None,
    ) -> None:
        if (code is None) == (path is None):
            raise TypeError("Exactly one of `code` and `path` keyword arguments must be given.")
        if code is None:
            raise NotImplementedError("the CUDA simulator runs CUDA C++, no compiled modules (RawModule(path=...))")
        self.code, self.options, self.backend = code, options, backend
        self.name_expressions = None if name_expressions is None else tuple(name_expressions)

    def compile(self, log_stream: Any = None) -> None:
        """Compile now."""
        compiler.load(self.code, self.options, self.name_expressions or ())

    def get_function(self, name: str) -> RawKernel:
        """The kernel of that name, or of that expression of ``name_expressions``.

        Raises:
            CUDADriverError: there is none.
        """
        expressions = self.name_expressions or ()
        kernel = RawKernel(self.code, name, self.options, self.backend)
        kernel._wanted, kernel._expression = expressions, name in expressions
        if name not in compiler.load(self.code, self.options, expressions).labels:
            raise CUDADriverError("CUDA_ERROR_NOT_FOUND", f"named symbol not found ({name})")
        kernel.compile()
        return kernel
