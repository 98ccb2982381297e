"""Where the values of a program lie: which of them are views, of what, and where in it.

Arrays without a memory of their own are found by carrying the views of a program out on arrays whose contents nobody
reads. All memories are taken for contiguous ones.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy

from ..backend import as_dtype
from ..tracing.program import Call, Program, Value, resolved
from .passes.effects import Memory, read

VIEWING = frozenset({
    "part", "getitem", "reshape", "permute_dims", "transpose", "matrix_transpose", "swapaxes", "moveaxis", "rollaxis",
    "broadcast_to", "expand_dims", "squeeze", "asarray", "ravel", "flip", "diagonal", "cast_view", "astype", "real",
    "imag", "copy", "atleast_1d", "atleast_2d", "atleast_3d", "rot90", "positive",
})  # fmt: skip
"""Calls that may give a view, and do nothing else then."""


class Place(NamedTuple):
    """Where a value lies.

    Attributes:
        root: the number of the value whose memory it is in.
        offset: in bytes.
        shape, strides, dtype: as of arrays.
    """

    root: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * as_dtype(self.dtype).itemsize

    @property
    def contiguous(self) -> bool:
        """Whether it is C-contiguous."""
        step = as_dtype(self.dtype).itemsize
        for n, stride in zip(self.shape[::-1], self.strides[::-1], strict=True):
            if n != 1 and stride != step:
                return not self.size
            step *= n
        return True

    def on(self, buffer: Any) -> numpy.ndarray[Any, Any]:
        """The value as an array of NumPy in the memory of ``buffer``, the contiguous array of the root."""
        return numpy.ndarray(self.shape, as_dtype(self.dtype), buffer, self.offset, self.strides)


class Places:
    """The places of all values of a program.

    Attributes:
        of: by the number of a value.
        memories: the numbers of the values that have a memory of their own.
        moved: the values that a program declares as views and that are none of a contiguous memory, or the other way
            round.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self._memory = Memory(program)
        self.of: dict[int, Place] = {}
        self.memories: list[int] = []
        self.moved: set[int] = set()
        most = max([self._whole(Value(n)).nbytes for n in range(len(program.specs))], default=0)
        self._buffer = numpy.empty(most, "u1")
        for one in program.inputs:
            self._own(one.value)
        for call in program.calls:
            place = self._viewed(call)
            for value in call.results:
                if place is None:
                    self._own(value)
                else:
                    self.of[value.number] = place
                if call.view != (place is not None):
                    self.moved.add(value.number)
        del self._buffer

    def _own(self, value: Value) -> None:
        self.of[value.number] = self._whole(value)
        self.memories.append(value.number)

    def _whole(self, value: Value) -> Place:
        spec = self.program.specs[value.number]
        size = as_dtype(spec.dtype).itemsize
        strides = tuple(size * math.prod(spec.shape[axis + 1 :]) for axis in range(len(spec.shape)))
        return Place(value.number, 0, spec.shape, strides, spec.dtype)

    def _viewed(self, call: Call) -> Place | None:
        """The place of the result of a view; None for what is a new array."""
        if call.op not in VIEWING or len(call.results) != 1 or not call.args or type(call.args[0]) is not Value:
            return None
        given = [value.number for value in read(call)]
        spec = self.program.specs[call.results[0].number]
        base = self.of[given[0]]
        if not call.view and self._memory.of(call.args[0]) in self._memory.written:
            return None  # a copy of what is overwritten later
        if len(given) != 1 or (call.op in ("astype", "asarray", "positive", "copy") and spec.dtype != base.dtype):
            return None
        if (call.op == "astype" and not call.view) or call.op in ("positive", "copy"):
            return base
        args = (base.on(self._buffer), *call.args[1:])
        try:
            found = resolved(call.op, numpy)(*args, **call.kwargs)
        except (TypeError, ValueError, MemoryError):
            return None
        offset = found.__array_interface__["data"][0] - self._buffer.__array_interface__["data"][0]
        if (found.dtype.name, found.shape) != (spec.dtype, spec.shape):
            return None
        if not found.size:
            return Place(base.root, 0, found.shape, found.strides, spec.dtype)
        if not _inside(found, self._buffer):
            return None
        return Place(base.root, offset, found.shape, found.strides, spec.dtype)


def _inside(array: numpy.ndarray[Any, Any], buffer: numpy.ndarray[Any, Any]) -> bool:
    """Whether an array is a view of another one."""
    base = array
    while isinstance(base.base, numpy.ndarray):
        if base.base is buffer:
            return True
        base = base.base
    return False
