"""The simulated ``cupy.ndarray``: a NumPy array that nobody can get at without saying so."""

from __future__ import annotations

import ctypes
import operator
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy

from . import memory, queues
from .devices import Device
from .memory import MemoryPointer
from .state import counters, machine
from .streams import Stream, get_current_stream, late

IMPLICIT = (
    "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy array explicitly."
)
PYTHON_SCALARS = bool | int | float | complex
EXACT = frozenset({bool, int, float, complex})
"""The types of Python's numbers that functions of elements take; subclasses are refused."""
COMPARISONS = {"greater", "greater_equal", "less", "less_equal", "equal", "not_equal"}
KINDS = "?bhilqBHILQefdFD"


class ndarray:  # noqa: N801  CuPy's name
    """An array in the memory of a simulated device.

    Attributes:
        base: the array that this one is a view of, or None.
    """

    __slots__ = ("__weakref__", "_memory", "_values", "base")
    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]

    _values: numpy.ndarray[Any, Any]
    base: ndarray | None

    if TYPE_CHECKING:  # methods.py gives it the methods that are functions too, indexing.py those of indices

        def __getattr__(self, name: str) -> Any: ...

        __getitem__: Any
        __setitem__: Any

    def __init__(
        self,
        shape: Any,
        dtype: Any = float,
        memptr: MemoryPointer | None = None,
        strides: Any = None,
        order: str = "C",
    ) -> None:
        kind = check_dtype(numpy.dtype(dtype))
        shape = (int(shape),) if isinstance(shape, int | numpy.integer) else tuple(operator.index(n) for n in shape)
        if memptr is None:
            memptr = allocate(numpy.prod(shape, dtype=numpy.int64).item() * kind.itemsize)
            poison = kind.kind == "b"
        else:
            poison = False
        self._memory: Any = memptr.mem
        offset = memptr.ptr - memptr.mem.ptr
        self._values = _over(memptr.mem, offset, shape, kind, strides, order or "C")
        self.base = None
        if poison:
            write(self._values, True)

    @property
    def shape(self) -> tuple[int, ...]:
        shape: tuple[int, ...] = self._values.shape
        return shape

    @shape.setter
    def shape(self, shape: Any) -> None:
        view = self._values.view()
        view.shape = shape
        self._values = view

    @property
    def strides(self) -> tuple[int, ...]:
        return self._values.strides

    @property
    def dtype(self) -> numpy.dtype[Any]:
        dtype: numpy.dtype[Any] = self._values.dtype
        return dtype

    @property
    def ndim(self) -> int:
        return self._values.ndim

    @property
    def size(self) -> int:
        return self._values.size

    @property
    def itemsize(self) -> int:
        return self._values.itemsize

    @property
    def nbytes(self) -> int:
        return self._values.nbytes

    @property
    def device(self) -> Device:
        return Device(self._memory.device_id)

    @property
    def data(self) -> MemoryPointer:
        if not self._values.nbytes:
            return MemoryPointer(Nothing(self._memory.device_id), 0)
        return MemoryPointer(self._memory, address(self._values) - self._memory.ptr)

    @property
    def flags(self) -> Flags:
        return Flags(self)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        contiguous = self._values.flags.c_contiguous
        return {
            "shape": self.shape, "typestr": self.dtype.str, "descr": self.dtype.descr, "version": 3, "stream": 1,
            "strides": None if contiguous else self.strides, "data": (self.data.ptr, False),
        }  # fmt: skip

    # To the host, each said aloud ----------------------------------------------------------------------------------

    def get(self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True) -> Any:
        """A copy on the host."""
        counters.fetch(aside=stream is not None and stream.ptr != 0, blocking=blocking)
        if machine.lag and not self._arrived(stream, out, blocking):
            return out
        if out is None:
            copy = numpy.array(self._values, order=order, copy=True)  # type: ignore[call-overload]
            return copy
        if not isinstance(out, numpy.ndarray):
            raise TypeError("Only numpy.ndarray can be obtained from cupy.ndarray")
        if out.dtype != self.dtype:
            raise TypeError(f"{out.dtype} array cannot be obtained from {self.dtype} array")
        if out.shape != self.shape:
            raise ValueError(f"Shape mismatch. Expected shape: {self.shape}, actual shape: {out.shape}")
        out[...] = self._values
        return out

    def _arrived(self, stream: Stream | None, out: Any, blocking: bool) -> bool:
        """Wait for the stream of a copy to the host; or queue the copy, where nothing waits for it."""
        values = self._values
        if not (values.flags.c_contiguous or values.flags.f_contiguous):
            values = fresh(values, None, "C")._values  # on the current stream, whatever the copy's is
        room = None if blocking or out is None else memory.pinned(out)
        if room is None or (room.dtype, room.shape) != (values.dtype, values.shape):
            queues.wait(queues.end((get_current_stream() if stream is None else stream)._key()))
            return True
        late(lambda: numpy.copyto(room, values), stream)
        return False

    def set(self, arr: Any, stream: Any = None) -> None:
        """Overwrite with a NumPy array of the same shape and dtype."""
        if not isinstance(arr, numpy.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if arr.dtype != self.dtype:
            raise TypeError(f"{arr.dtype} array cannot be set to {self.dtype} array")
        if arr.shape != self.shape:
            raise ValueError(f"Shape mismatch. Old shape: {self.shape}, new shape: {arr.shape}")
        if not (self._values.flags.c_contiguous or self._values.flags.f_contiguous):
            raise RuntimeError("Cannot set to non-contiguous array")
        counters.host_to_device += 1
        counters.side_copies += stream is not None and stream.ptr != 0
        if machine.lag:
            values, read = self._values, memory.pinned(arr)
            given = arr.copy() if read is None else read
            late(lambda: numpy.copyto(values, given), stream)
        else:
            self._values[...] = arr

    def item(self) -> Any:
        if self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        return self.get().item()

    def tolist(self) -> Any:
        return self.get().tolist()

    def dump(self, file: Any) -> None:
        self.get().dump(file)

    def tobytes(self, order: Any = "C") -> bytes:
        content: bytes = self.get().tobytes(order)
        return content

    def __bool__(self) -> bool:
        if self.size > 1:
            raise ValueError(
                "The truth value of an array with more than one element is ambiguous. Use a.any() or a.all()"
            )
        return bool(self.get()) if self.size else False

    def __int__(self) -> int:
        return int(self.get())

    def __float__(self) -> float:
        return float(self.get())

    def __complex__(self) -> complex:
        return complex(self.get())

    def __repr__(self) -> str:
        return repr(self.get())

    def __str__(self) -> str:
        return str(self.get())

    def __format__(self, spec: str) -> str:
        return format(self.get(), spec)

    def __reduce__(self) -> Any:
        return _unpickle, (self.get(),)

    # Not to the host -----------------------------------------------------------------------------------------------

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise TypeError(IMPLICIT)

    def __buffer__(self, flags: int) -> Any:
        raise TypeError("Accessing a CuPy ndarray on CPU is not allowed")

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, self._memory.device_id

    def __dlpack__(self, **options: Any) -> Any:
        raise BufferError("the CUDA simulator's arrays are in no memory that another library could reach")

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self) -> Iterator[ndarray]:
        if not self.shape:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(self.shape[0]))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """NumPy's ufunc by CuPy's of the same name."""
        ours = getattr(sys.modules.get("cupy"), ufunc.__name__, None)
        if method != "__call__" or ours is None:
            return NotImplemented
        out = options.pop("out", None)
        if out is not None:
            if len(out) != 1:
                raise ValueError("The 'out' parameter must have exactly one array value")
            options["out"] = out[0]
        for value in (*inputs, *(out or ())):  # who lends its memory is taken for an array: its own rule is not asked
            if not isinstance(value, ndarray | numpy.ndarray | numpy.generic | PYTHON_SCALARS) \
                    and not hasattr(value, "__cuda_array_interface__"):  # fmt: skip
                return NotImplemented
        if ufunc.__name__ in COMPARISONS:  # where NumPy makes 0-d arrays of its scalars before it asks
            inputs = tuple(x.item() if isinstance(x, numpy.ndarray) and not x.ndim else x for x in inputs)
        return ours(*inputs, **options)

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        """NumPy's function by CuPy's of the same name."""
        module: Any = sys.modules.get("cupy")
        for part in function.__module__.split(".")[1:]:
            module = getattr(module, part, None)
        ours = getattr(module, function.__name__, None)
        if ours is None or not all(issubclass(kind, ndarray | numpy.ndarray) for kind in types):
            return NotImplemented
        return ours(*arguments, **options)


ndarray.__module__ = "cupy"


class Flags:
    """The memory layout of an array."""

    def __init__(self, array: ndarray) -> None:
        self.c_contiguous = array._values.flags.c_contiguous
        self.f_contiguous = array._values.flags.f_contiguous
        self.owndata = array.base is None
        self.forc = self.c_contiguous or self.f_contiguous
        self.fnc = self.f_contiguous and not self.c_contiguous

    def __getitem__(self, name: str) -> bool:
        short = {"C": "c_contiguous", "F": "f_contiguous", "O": "owndata"}
        flag: bool = getattr(self, short.get(name, name.lower()))
        return flag

    def __repr__(self) -> str:
        rows = (("C_CONTIGUOUS", self.c_contiguous), ("F_CONTIGUOUS", self.f_contiguous), ("OWNDATA", self.owndata))
        return "\n".join(f"  {name} : {value}" for name, value in rows)


class Nothing:
    """The memory of an array without elements."""

    ptr = size = 0

    def __init__(self, device_id: int) -> None:
        self.device_id = device_id

    @property
    def device(self) -> Device:
        return Device(self.device_id)

    def intact(self) -> None:
        """There is nothing to overwrite."""


# Making arrays -----------------------------------------------------------------------------------------------------


def check_dtype(dtype: numpy.dtype[Any]) -> numpy.dtype[Any]:
    """``dtype``, if a GPU array can have it."""
    if dtype.char not in KINDS and dtype.name != "bfloat16":
        raise ValueError(f"Unsupported dtype {dtype}")
    return dtype


def allocate(size: int) -> MemoryPointer:
    """Memory for a new array; none for an empty one."""
    if size < 0:
        raise ValueError("negative dimensions are not allowed")
    return memory.alloc(size) if size else MemoryPointer(Nothing(machine.current), 0)


def address(values: Any) -> int:
    """Where an array's first element lies."""
    place: int = values.__array_interface__["data"][0]
    return place


def _over(owner: Any, offset: int, shape: Any, dtype: Any, strides: Any = None, order: Any = "C") -> Any:
    """A NumPy array over a place in a device's memory."""
    if owner.size == 0:
        return numpy.empty(shape, dtype, order)
    start = owner.ptr - owner._raw.__array_interface__["data"][0] + offset
    return numpy.ndarray(shape, dtype, owner._raw, start, strides, order)


def copy_to_host_async(self: MemoryPointer, mem: Any, size: int, stream: Stream | None = None) -> None:
    """Copy to an address of the host; to memory that is not pinned once the stream has done what it has queued."""
    address = mem if isinstance(mem, int) else mem.value
    counters.fetch(aside=stream is not None and stream.ptr != 0, blocking=False)
    values = _over(self.mem, self.ptr - self.mem.ptr, (size,), numpy.dtype(numpy.uint8))

    def move() -> None:
        ctypes.memmove(address, values.__array_interface__["data"][0], size)

    if machine.lag and memory.is_pinned(address, size):
        late(move, stream)
        return
    if machine.lag:
        queues.wait(queues.end((get_current_stream() if stream is None else stream)._key()))
    move()


MemoryPointer.copy_to_host_async = copy_to_host_async


def view_of(base: ndarray, values: Any) -> ndarray:
    """An array on ``base``'s memory; ``values`` is a view of its NumPy array."""
    view = ndarray.__new__(ndarray)
    view._memory = base._memory
    if values.size and not values.flags.writeable:  # NumPy's diagonal and broadcast_to; CuPy's may be written to
        place = address(values) - base._memory.ptr
        values = _over(base._memory, place, values.shape, values.dtype, values.strides)
    view._values = values
    view.base = base if base.base is None else base.base
    return view


def write(target: Any, values: Any) -> None:
    """Overwrite the values of an array, in the order of the current stream; ``values`` are read then, too."""
    if machine.lag:
        if hasattr(values, "dtype") and values.dtype.kind == "c" and target.dtype.kind not in "cb":
            numpy.copyto(numpy.empty_like(target), values, casting="unsafe")  # which warns
        late(lambda: numpy.copyto(target, values, casting="unsafe"))
    else:
        with numpy.errstate(all="ignore"):
            numpy.copyto(target, values, casting="unsafe")


def change(array: ndarray, work: Callable[[Any], object]) -> None:
    """Do something to the values of an array in place, in the order of the current stream."""
    values = array._values
    if machine.lag:
        with numpy.errstate(all="ignore"):
            work(numpy.ones_like(values))  # which raises what is wrong now
        late(lambda: work(values))
    else:
        with numpy.errstate(all="ignore"):
            work(values)


def like(values: Any, kind: numpy.dtype[Any], order: str = "K") -> ndarray:
    """A new array of the current device, laid out as a NumPy array is."""
    c, f = values.flags.c_contiguous, values.flags.f_contiguous
    if order == "K" and not c and not f:
        array = ndarray(values.shape, kind)
        if values.size:
            strides = numpy.empty_like(values, kind).strides
            array._values = _over(array._memory, 0, values.shape, kind, strides)
        return array
    return ndarray(values.shape, kind, order="F" if order == "F" or (order in "KA" and f and not c) else "C")


def fresh(values: Any, dtype: Any = None, order: str = "K") -> ndarray:
    """Copy a NumPy array or scalar to the current device, laid out as it is.

    With lag, it is read late; so it must belong to the device, or to nobody else.
    """
    values = numpy.asarray(values)
    array = like(values, values.dtype if dtype is None else numpy.dtype(dtype), order)
    write(array._values, values)
    return array


def copied(array: ndarray, dtype: Any = None, order: str = "K") -> ndarray:
    """A copy on the current device, which need not be that of the array."""
    if machine.lag and array._memory.device_id != machine.current:
        queues.finish(array._memory.device_id)
    return fresh(array._values, dtype, order)


def _unpickle(values: Any) -> ndarray:
    counters.host_to_device += 1
    return fresh(values)


def check_device(array: ndarray) -> None:
    """Raise ValueError if ``array`` is not on the current device."""
    if array._memory.device_id != machine.current:
        raise ValueError(
            "Array device must be same as the current device: "
            f"array device = {array._memory.device_id} while current = {machine.current}"
        )
