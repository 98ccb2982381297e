"""Kernels over rows and columns on the CPU: softmax, normalization and losses of class labels as machine code.

The reference of a kernel is traced with symbols of rows. An array of any shape is rows where its last axes are reduced.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy

from ..backend import as_dtype, llvm, threads
from ..backend.dtypes import name_of
from ..expressions import Formula, NotTracedError
from ..expressions.llvm import NotCompiledError, compilable
from ..expressions.node import walk
from ..expressions.rows import trace_rows
from . import composed, labels, row_loops
from .compiled import FLAT, HEAVY_STEP, LIGHT_STEP, SMALL, Array, Code, address, load, usable
from .kernel import REGISTRY, Kernel
from .loops import HEAVY
from .rows import Rows

SHORTEST = 16
"""Rows with fewer elements are left to NumPy: they do not fill a vector."""

LEAST = SMALL
"""Arrays with fewer elements are left to NumPy."""

Spec = tuple[tuple[str, str | None, str], ...]
"""Name, dtype and axes of each array; a dtype of None for one that is not there."""


@cache
def formula(function: Callable[..., Any], spec: Spec, scalars: tuple[str, ...], rounds: int, static: Any) -> Any:
    """A traced function of rows; None where that or compiling it is not possible."""
    if not usable([as_dtype(dtype) for _, dtype, _ in spec if dtype is not None]):
        return None
    arrays = {name: None if dtype is None else (dtype, axes) for name, dtype, axes in spec}
    try:
        found = trace_rows(function, arrays, scalars, rounds, **dict(static))
    except NotTracedError:
        return None
    return found if compilable(found.outputs) else None


@cache
def code(function: Callable[..., Any], spec: Spec, scalars: tuple[str, ...], rounds: int, static: Any) -> Code | None:
    """The machine code of a function of rows."""
    found: Formula | None = formula(function, spec, scalars, rounds, static)
    if found is None:
        return None
    try:
        name, source = row_loops.rows(found.inputs, found.outputs)
    except NotCompiledError:
        return None
    arrays = sum(bool(v.axes) for v in found.inputs) + len(found.outputs)
    heavy = any(node.op in HEAVY for node in walk(*found.outputs))
    outputs = tuple(as_dtype(y.dtype) for y in found.outputs)
    return Code(load(name, source), f"{arrays}Q{len(scalars)}dq", outputs, HEAVY_STEP if heavy else LIGHT_STEP)


def flat(*arrays: Any) -> bool:
    """Return whether these are contiguous arrays of NumPy in the byte order of the machine; None counts as one."""
    return all(
        a is None or (type(a) is numpy.ndarray and a.flags.num & FLAT == FLAT and a.dtype.isnative) for a in arrays
    )


def run(
    made: Code, arrays: Sequence[Array], shapes: Sequence[tuple[int, ...]], scalars: Sequence[float], rows: int, n: int
) -> list[Array]:
    """Call machine code on ``rows`` rows of ``n`` elements."""
    outputs = [numpy.empty(shape, dtype) for shape, dtype in zip(shapes, made.outputs, strict=True)]
    words = made.pack(*map(address, arrays), *map(address, outputs), *scalars, n)
    threads.share_out(made.function, words, rows, max(1, made.step // n))
    return outputs


def along_rows(kernel: Kernel, *arguments: Any) -> Any:
    """A kernel of arrays of one shape and an axis, which is the last one."""
    *arrays, axis = arguments
    first = arrays[0]
    if first.size < LEAST:
        return NotImplemented
    shape, dtype = first.shape, first.dtype
    if not shape or axis not in (-1, len(shape) - 1, (-1,), (len(shape) - 1,)) or shape[-1] < SHORTEST:
        return NotImplemented
    if not flat(*arrays) or any(a.shape != shape or a.dtype != dtype for a in arrays):
        return NotImplemented
    spec = tuple((name, name_of(dtype), "rc") for name in kernel.arrays)
    made = code(kernel.reference, spec, (), kernel.rounds, (("axis", -1),))
    if made is None:
        return NotImplemented
    return run(made, arrays, [shape], (), first.size // shape[-1], shape[-1])[0]


def compiled(kernel: Kernel) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function the compiled form of a kernel; it gives NotImplemented for what it does not know."""

    def make(function: Callable[..., Any]) -> Callable[..., Any]:
        kernel.compiled = lambda arguments: function(*arguments)  # type: ignore[method-assign]
        if llvm.wanted():
            kernel.least = 0  # the first array may be the smallest
        return function

    return make


for _kernel in REGISTRY.values():
    if isinstance(_kernel, Rows):
        compiled(_kernel)(partial(along_rows, _kernel))


def name_or_none(array: Any) -> str | None:
    """The dtype of an array by name; None for None."""
    return None if array is None else name_of(array.dtype)


# ---------------------------------------------------------------- labels


def _labelled(x: Any, label: Any, weight: Any) -> bool:
    """Return whether these are rows of scores, a label for each, and one weight for each class or none."""
    if x.size < LEAST or not flat(x, label, weight) or x.ndim != 2 or x.shape[1] < SHORTEST:
        return False
    if label.shape != x.shape[:1] or label.dtype != numpy.int64:
        return False
    return weight is None or (weight.shape == x.shape[1:] and weight.dtype == x.dtype)


@compiled(labels.surprise)
def surprise(x: Any, label: Any, weight: Any, ignore_index: int, label_smoothing: float) -> Any:
    """See the kernel."""
    if not _labelled(x, label, weight):
        return NotImplemented
    spec = (("logits", name_of(x.dtype), "rc"), ("labels", "int64", "r"), ("weight", name_or_none(weight), "c"))
    static = (("ignore_index", int(ignore_index)), ("label_smoothing", float(label_smoothing)))
    made = code(labels.surprise.reference, spec, (), labels.surprise.rounds, static)
    if made is None:
        return NotImplemented
    rows, n = x.shape
    arrays = [a for a in (x, label, weight) if a is not None]
    return tuple(run(made, arrays, [(rows,), (rows, 1), (rows, 1)], (), rows, n))


@compiled(labels.surprise_back)
def surprise_back(
    g: Any, x: Any, label: Any, weight: Any, shift: Any, total: Any, ignore_index: int, label_smoothing: float
) -> Any:
    """See the kernel."""
    if not _labelled(x, label, weight) or not flat(g, shift, total) or g.shape != label.shape:
        return NotImplemented
    spec = (
        ("g", name_or_none(g), "r"), ("logits", name_of(x.dtype), "rc"), ("labels", "int64", "r"),
        ("weight", name_or_none(weight), "c"), ("shift", name_or_none(shift), "r"), ("total", name_or_none(total), "r"),
    )  # fmt: skip
    static = (("ignore_index", int(ignore_index)), ("label_smoothing", float(label_smoothing)))
    made = code(labels.surprise_back.reference, spec, (), labels.surprise_back.rounds, static)
    if made is None:
        return NotImplemented
    arrays = [a for a in (g, x, label, weight, shift, total) if a is not None]
    return run(made, arrays, [x.shape], (), *x.shape)[0]


# ---------------------------------------------------------------- normalization


def _normalized(x: Any, axes: tuple[int, ...], *parameters: Any) -> int:
    """The length of the rows that are normalized, of which each element has its own parameters; 0 if there are none."""
    if (
        x.size < LEAST
        or not axes
        or not flat(x, *parameters)
        or tuple(axes) != tuple(range(x.ndim - len(axes), x.ndim))
    ):
        return 0
    inner = x.shape[axes[0] :]
    length = math.prod(inner)
    if any(p is not None and (p.shape != inner or p.dtype != x.dtype) for p in parameters):
        return 0
    return length if length >= SHORTEST and x.size else 0


def _normalize(xp: Any, x: Any, weight: Any, bias: Any, eps: Any, centred: bool) -> Any:
    y, mean, rstd = composed.standardized.reference(xp, x, weight, bias, None, None, (1,), eps, centred)
    return (y, mean, rstd) if centred else (y, rstd)


@compiled(composed.standardized)
def standardized(
    x: Any, weight: Any, bias: Any, mean: Any, var: Any, axes: tuple[int, ...], eps: float, centred: bool
) -> Any:
    """See the kernel."""
    n = _normalized(x, axes, weight, bias) if mean is None and var is None else 0
    if not n:
        return NotImplemented
    spec = (("x", name_of(x.dtype), "rc"), ("weight", name_or_none(weight), "c"), ("bias", name_or_none(bias), "c"))
    made = code(_normalize, spec, ("eps",), composed.standardized.rounds, (("centred", bool(centred)),))
    if made is None:
        return NotImplemented
    kept = (*x.shape[: axes[0]], *(1,) * len(axes))
    arrays = [a for a in (x, weight, bias) if a is not None]
    y, *others = run(made, arrays, [x.shape, *[kept] * (2 if centred else 1)], (eps,), x.size // n, n)
    return y, others[0] if centred else numpy.zeros_like(others[0]), others[-1]


def _denormalize(xp: Any, g: Any, x: Any, shift: Any, rstd: Any, weight: Any, centred: bool) -> Any:
    return composed.standardized_back.reference(xp, g, x, shift, rstd, weight, (1,), centred, True)


def _denormalize_x(*arguments: Any, **static: Any) -> Any:
    return _denormalize(*arguments, **static)[0]


def _denormalize_parameters(*arguments: Any, **static: Any) -> Any:
    return _denormalize(*arguments, **static)[1:]


@cache
def column_code(function: Callable[..., Any], spec: Spec, static: Any) -> Code | None:
    """The machine code of sums over rows."""
    found: Formula | None = formula(function, spec, (), 0, static)
    if found is None:
        return None
    try:
        name, source = row_loops.columns(found.inputs, found.outputs)
    except NotCompiledError:
        return None
    arrays = sum(bool(v.axes) for v in found.inputs) + len(found.outputs)
    return Code(load(name, source), f"{arrays}Q2q", tuple(as_dtype(y.dtype) for y in found.outputs), LIGHT_STEP)


@compiled(composed.standardized_back)
def standardized_back(
    g: Any, x: Any, shift: Any, rstd: Any, weight: Any, axes: tuple[int, ...], centred: bool, by_x: bool
) -> Any:
    """See the kernel; the gradients by weight and bias are summed."""
    n = _normalized(x, axes, weight)
    if not n or weight is None or not by_x or not flat(g, shift, rstd) or g.shape != x.shape or g.dtype != x.dtype:
        return NotImplemented
    rows = x.size // n
    if rstd.size != rows or (centred and shift.size != rows):
        return NotImplemented
    spec = (
        ("g", name_of(g.dtype), "rc"), ("x", name_of(x.dtype), "rc"),
        ("shift", name_or_none(shift) if centred else None, "r"), ("rstd", name_of(rstd.dtype), "r"),
        ("weight", name_of(weight.dtype), "c"),
    )  # fmt: skip
    static = (("centred", bool(centred)),)
    made = code(_denormalize_x, spec, (), composed.standardized_back.rounds, static)
    sums = column_code(_denormalize_parameters, spec, static)
    if made is None or sums is None:
        return NotImplemented
    arrays = [g, x, *([shift] if centred else []), rstd, weight]
    d = run(made, arrays, [x.shape], (), rows, n)[0]
    blocks = -(-rows // row_loops.BLOCK)
    parts = [numpy.empty((blocks, n)) for _ in sums.outputs]
    words = sums.pack(*map(address, arrays), *map(address, parts), rows, n)
    threads.share_out(sums.function, words, blocks, max(1, sums.step // (n * row_loops.BLOCK)))
    by = [numpy.add.reduce(p, axis=0).astype(t).reshape(weight.shape) for p, t in zip(parts, sums.outputs, strict=True)]
    return d, *by
