"""Kernels on the CPU: machine code for a reference, and which one fits the arrays of a call.

A function is compiled when arrays of its dtypes and layout first come, and kept on disk. Results have the memory layout
of the first array, as NumPy's have. Small arrays are left to NumPy, where a call costs less.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from struct import Struct
from typing import Any

import numpy

from ..backend import as_dtype, llvm, threads
from ..expressions.llvm import compilable
from ..expressions.node import DTYPES, walk
from ..expressions.tracing import Formula, NotTracedError
from . import loops
from .loops import HEAVY
from .shapes import Shape, merged

Array = numpy.ndarray[Any, Any]

SMALL = 256
"""Below this many elements NumPy is as fast: a call takes 3 us, as do two or three of NumPy's functions."""

LIGHT_STEP, HEAVY_STEP = 1 << 17, 1 << 14
"""The fewest elements that are worth a thread, without and with an elementary function."""

PROTOTYPE = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_int64, ctypes.c_int64)

FLAT = 0x101
"""Of ``flags.num``: C-contiguous and aligned."""
ALIGNED, WRITEABLE = 0x100, 0x400

MOST_AXES = 6

_pointer_at = object.__basicsize__
_long = ctypes.c_uint64


def _by_interface(array: Array) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


def _by_header(array: Array) -> int:
    return _long.from_address(id(array) + _pointer_at).value


def _reader() -> Callable[[Array], int]:
    """The function that finds the address of an array: in its header if possible, which is five times as fast."""
    probes = [numpy.empty(3), numpy.empty((4, 4), "float32")[1:, ::2]]
    try:
        return _by_header if all(_by_header(p) == _by_interface(p) for p in probes) else _by_interface
    except (ValueError, TypeError):
        return _by_interface


address = _reader()


def aligned(arguments: Sequence[Any]) -> bool:
    """Whether the arrays among these are aligned and in the byte order of the machine."""
    return all(a.flags.num & ALIGNED and a.dtype.isnative for a in arguments if isinstance(a, numpy.ndarray))


def with_rows(argument: Any) -> Any:
    """A matrix whose rows are contiguous: a copy, if those of the argument are not; anything else as it is."""
    if isinstance(argument, numpy.ndarray) and argument.strides[-1] != argument.itemsize:
        return numpy.ascontiguousarray(argument)
    return argument


class Code:
    """A compiled function for arrays of certain dtypes and a certain layout.

    Attributes:
        outputs: the dtypes of the results.
        step: the fewest elements that are worth a thread.
    """

    __slots__ = ("function", "outputs", "pack", "step")

    def __init__(self, function: Any, words: str, outputs: tuple[Any, ...], step: int) -> None:
        self.function = function
        self.pack = Struct(words).pack
        self.outputs = outputs
        self.step = step


def load(name: str, source: str) -> Any:
    """A compiled function."""
    machine = llvm.machine()
    assert machine is not None
    return PROTOTYPE(machine.load(source, name))


def usable(dtypes: Sequence[Any]) -> bool:
    """Return whether compiled code can read arrays of these dtypes."""
    return llvm.machine() is not None and all(d.name in DTYPES and d.isnative for d in dtypes)


class Compiled:
    """The compiled forms of an elementwise kernel.

    Args:
        kernel: with a reference, names of ``arrays`` and ``scalars``, and ``changes``.
    """

    def __init__(self, kernel: Any) -> None:
        self.kernel = kernel
        self.count = len(kernel.arrays)
        self.changed = [kernel.arrays.index(name) for name in kernel.changes]
        self._formulas: dict[Any, Formula | None] = {}
        self._flat: dict[Any, Code | None] = {}
        self._other: dict[Any, Code] = {}
        self._by_rows: dict[Any, Code] = {}

    def __call__(self, arguments: tuple[Any, ...]) -> Any:
        """The results, or NotImplemented where no compiled form fits."""
        count = self.count
        first = arguments[0]
        if count == 1:
            key = first.dtype
            flat = first.flags.num & FLAT == FLAT
            inputs: tuple[Any, ...] = (first,)
        else:
            inputs = arguments[:count]
            shape = first.shape
            flat = True
            dtypes = []
            for a in inputs:
                if type(a) is not numpy.ndarray:
                    return NotImplemented
                flat = flat and a.flags.num & FLAT == FLAT and a.shape == shape
                dtypes.append(a.dtype)
            key = tuple(dtypes)
        code = self._flat[key] if key in self._flat else self._learn(key)
        if code is None:
            return NotImplemented
        if self.changed and flat:
            return self._change(code, inputs, arguments[count:])
        if not flat:
            return self._general(key, inputs, arguments[count:])
        outputs = [numpy.empty(first.shape, dtype) for dtype in code.outputs]
        words = code.pack(*map(address, inputs), *map(address, outputs), *arguments[count:])
        threads.share_out(code.function, words, first.size, code.step)
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def _change(self, code: Code, inputs: tuple[Any, ...], scalars: tuple[Any, ...]) -> Any:
        """Change contiguous arrays of one shape in place, unless they overlap others."""
        places = [address(a) for a in inputs]
        size = max([a.nbytes for a in inputs])
        for i in self.changed:
            if not inputs[i].flags.num & WRITEABLE:
                return NotImplemented
            for k, other in enumerate(places):
                if k != i and abs(places[i] - other) < size and (other != places[i] or k in self.changed):
                    return NotImplemented
        if size:
            threads.share_out(code.function, code.pack(*places, *scalars), inputs[0].size, code.step)
        return None

    def _learn(self, key: Any) -> Code | None:
        """The function for contiguous arrays of certain dtypes; None if there is none."""
        dtypes = key if isinstance(key, tuple) else (key,)
        formula = self._formula(dtypes) if usable(dtypes) else None
        self._formulas[key] = formula
        self._flat[key] = None if formula is None else self._code(formula, "c" * self._operands(formula), 1)
        return self._flat[key]

    def _operands(self, formula: Formula) -> int:
        return self.count + (0 if self.changed else len(formula.outputs))

    def _formula(self, dtypes: Sequence[Any]) -> Formula | None:
        try:
            formula: Formula = self.kernel.traced(tuple(d.name for d in dtypes))
        except NotTracedError:
            return None
        return formula if compilable(formula.outputs) and usable(self._dtypes(formula)) else None

    def _code(self, formula: Formula, kinds: str, axes: int) -> Code:
        """The function for a layout; see :func:`~gpugrad.kernels.loops.elementwise`."""
        name, source = loops.elementwise(formula.inputs, formula.outputs, kinds, axes, self.kernel.changes)
        heavy = any(node.op in HEAVY for node in walk(*formula.outputs))
        strides = kinds.count("g") if axes == 1 else axes * (1 + len(kinds))
        words = f"{len(kinds)}Q{len(self.kernel.scalars)}d{strides}q"
        return Code(load(name, source), words, self._dtypes(formula), HEAVY_STEP if heavy else LIGHT_STEP)

    def _dtypes(self, formula: Formula) -> tuple[Any, ...]:
        return tuple(as_dtype(y.dtype) for y in formula.outputs)

    def _general(self, key: Any, inputs: tuple[Any, ...], scalars: tuple[Any, ...]) -> Any:
        """Arrays with any strides, broadcast to one shape; and arrays that are changed in place."""
        code = self._flat[key]
        assert code is not None
        if any(not a.flags.num & ALIGNED for a in inputs):
            return NotImplemented
        if self.changed:
            shape = inputs[self.changed[0]].shape
            if numpy.broadcast_shapes(*[a.shape for a in inputs]) != shape or not self._may_change(inputs, shape):
                return NotImplemented
            arrays = inputs
        else:
            shape = inputs[0].shape
            if any(a.shape != shape for a in inputs):
                shape = numpy.broadcast_shapes(*[a.shape for a in inputs])
            whole = next((a for a in inputs if a.shape == shape), None)
            outputs = tuple(
                numpy.empty(shape, d) if whole is None else numpy.empty_like(whole, d, subok=False)
                for d in code.outputs
            )
            arrays = (*inputs, *outputs)
        place = layout(
            shape, tuple([a.shape for a in arrays]), tuple([a.strides for a in arrays]),
            tuple([a.itemsize for a in arrays]), len(arrays) - 1 if not self.changed else self.changed[0],
        )  # fmt: skip
        if place is None:
            return NotImplemented
        kinds, axes, more = place
        code = self._other.get((key, kinds, axes))
        if code is None:
            formula = self._formulas[key]
            assert formula is not None
            code = self._other[key, kinds, axes] = self._code(formula, kinds, axes)
        size = math.prod(shape)
        if size:
            threads.share_out(code.function, code.pack(*map(address, arrays), *scalars, *more), size, code.step)
        if self.changed:
            return None
        return outputs[0] if len(outputs) == 1 else outputs

    def by_rows(self, arrays: tuple[Array, ...]) -> None:
        """Change arrays in place that are matrices of one shape, with rows that are contiguous; one row broadcasts.

        The caller has seen to it that no array that is changed shares elements with another one. Parts of the columns
        of one matrix, whose memory interleaves, are what this is for.
        """
        first = arrays[0]
        code = self._by_rows.get(first.dtype)
        if code is None:
            formula = self.kernel.traced(self.kernel.typed(first.dtype.name))
            code = self._by_rows[first.dtype] = self._code(formula, "c" * self.count, 2)
        rows, n = first.shape
        steps = [s for a in arrays for s in (a.strides[0] if a.shape[0] == rows else 0, a.itemsize)]
        threads.share_out(code.function, code.pack(*map(address, arrays), rows, n, *steps), first.size, code.step)

    def _may_change(self, inputs: tuple[Any, ...], shape: Shape) -> bool:
        """Return whether every array to be changed is whole and writable, and overlaps no other array in part."""
        for i in self.changed:
            a = inputs[i]
            if a.shape != shape or not a.flags.writeable:
                return False
            if 0 in a.strides and a.size > 1:
                return False
            for k, b in enumerate(inputs):
                if k == i or not numpy.may_share_memory(a, b):
                    continue
                same = address(a) == address(b) and a.strides == b.strides and a.shape == b.shape
                if not same or k in self.changed:
                    return False
        return True


def with_arrays(arguments: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    """Arguments with Python's numbers among the first ``count`` as 0-d arrays of the floating-point dtype beside them.

    >>> with_arrays((numpy.ones(2, "float32"), 0.5), 2)
    (array([1., 1.], dtype=float32), array(0.5, dtype=float32))
    """
    arrays = arguments[:count]
    if all(type(a) is numpy.ndarray for a in arrays):
        return arguments
    floats = [a.dtype for a in arrays if type(a) is numpy.ndarray and DTYPES.get(a.dtype.name) == "f"]
    if not floats:
        return arguments
    made = [numpy.asarray(a, floats[0]) if type(a) in (int, float) else a for a in arrays]
    return (*made, *arguments[count:])


@lru_cache(4096)
def layout(
    shape: Shape, shapes: tuple[Shape, ...], strides: tuple[Shape, ...], sizes: tuple[int, ...], leading: int
) -> tuple[str, int, tuple[int, ...]] | None:
    """The kind of each array along the innermost axis, the number of axes, and the words for their sizes and strides.

    Axes are sorted by the strides of the leading array, and merged where they lie together in all arrays. None if there
    are more than the kernels take.

    >>> layout((2, 3), ((2, 3), (3,), (2, 3)), ((12, 4), (8,), (12, 4)), (4, 4, 4), 2)
    ('cgc', 2, (2, 3, 12, 4, 0, 8, 12, 4))
    """
    lengths, kept = merged(shape, shapes, strides, leading)
    if len(lengths) > MOST_AXES:
        return None
    last = [own[-1] if own else size for own, size in zip(kept, sizes, strict=True)]
    kinds = "".join("c" if step == size else "s" if step == 0 else "g" for step, size in zip(last, sizes, strict=True))
    if len(lengths) <= 1:
        return kinds, 1, tuple(step for step, kind in zip(last, kinds, strict=True) if kind == "g")
    return kinds, len(lengths), (*lengths, *(step for own in kept for step in own))
