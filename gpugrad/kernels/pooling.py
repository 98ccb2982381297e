"""Pooling: the largest element under each window, or the sum of all, and the ways back.

Maxima and sums over a window of k x k are taken along one axis after the other: 2 k passes instead of k^2. On the CPU
the planes of one image after the other go through all passes while they are in the cache; with a compiler for it there
is one pass (``compiled_windows.py``), as there is on a GPU (``launched_windows.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf, prod
from typing import Any

from .. import backend
from ..backend import Array, Namespace
from . import compiled_windows, launched_windows
from .indexing import _atomic as atomic
from .shapes import Shape
from .wide import wider
from .windows import Window

HOST_BYTES = 2**19
"""About the part of an array that is worked on at once."""

Counts = tuple[tuple[int, ...], ...]
"""What the sums are divided by: for each axis a number for each position, or one for all."""


def _some(window: Window, count: int, x: Array) -> Iterator[slice]:
    """Parts of the first axis of ``count`` planes that are worked on together."""
    plane = max(1, prod(window.inner)) * x.dtype.itemsize
    step = max(1, HOST_BYTES // plane) if backend.device_of(x).is_host else max(1, count)
    return (slice(start, min(start + step, count)) for start in range(0, count, step))


def _planes(xp: Namespace, x: Array, ndim: int) -> Array:
    """All axes in front of the last ``ndim`` as one."""
    shape = x.shape
    return xp.reshape(x, (prod(shape[: len(shape) - ndim]), *shape[len(shape) - ndim :]))


def _lowest(xp: Namespace, x: Array) -> Any:
    return -inf if backend.is_floating(x.dtype) else xp.iinfo(x.dtype).min


def _reduced(xp: Namespace, x: Array, window: Window, join: Callable[..., Any], start: Any) -> Array:
    """``x`` reduced along one axis after the other, the last one first; shape ``(M, *inner)`` to ``(M, *outer)``."""
    for axis in reversed(range(len(window.inner))):
        lead = (slice(None),) * (axis + 1)
        size = window.outer[axis]
        taps = window.per_axis[axis]
        if len(taps) == 1 and taps[0][2] == slice(0, size):
            x = x[(*lead, taps[0][1])]
            continue
        full = next((tap for tap in taps if tap[2] == slice(0, size)), None)
        if full is not None:
            y = xp.array(x[(*lead, full[1])], copy=True)
        else:
            y = xp.full((*x.shape[: axis + 1], size, *x.shape[axis + 2 :]), start, dtype=x.dtype)
        for tap in taps:
            if tap is not full:
                place = y[(*lead, tap[2])]
                join(place, x[(*lead, tap[1])], out=place)
        x = y
    return x


@atomic
def largest(xp: Namespace, x: Array, window: Window) -> Array:
    """The largest element under each window; NaN wins. Shape ``(..., *inner)`` to ``(..., *outer)``."""
    ndim = len(window.inner)
    planes = _planes(xp, x, ndim)
    y = compiled_windows.pooled("max", planes, window, -inf)
    if y is NotImplemented:
        y = launched_windows.pooled(xp, "max", planes, window)
    if y is NotImplemented:
        y = xp.empty((planes.shape[0], *window.outer), dtype=x.dtype)
        for some in _some(window, planes.shape[0], x):
            y[some] = _reduced(xp, planes[some], window, xp.maximum, _lowest(xp, x))
    return xp.reshape(y, (*x.shape[: x.ndim - ndim], *window.outer))


@atomic
def winners(xp: Namespace, x: Array, y: Array, window: Window) -> Array:
    """For each largest element ``y`` its offset in the window, a small integer; of equal ones that of the first.

    An offset that has missed counts as the largest integer, so the first hit is the minimum: arithmetic of bytes is
    several times as fast as choosing by a mask.
    """
    dtype = xp.uint8 if window.size < 256 else xp.int32
    planes, tops = _planes(xp, x, len(window.inner)), _planes(xp, y, len(window.inner))
    made = compiled_windows.winners(planes, tops, window)
    if made is NotImplemented:
        made = launched_windows.winners(xp, planes, tops, window)
    if made is not NotImplemented:
        return xp.reshape(made, y.shape)
    which = xp.full(tops.shape, xp.iinfo(dtype).max, dtype=dtype)
    for some in _some(window, planes.shape[0], x):
        part, top, found = planes[some], tops[some], which[some]
        for number, inner, outer in window.taps:
            place = found[(..., *outer)]
            missed = xp.astype(part[(..., *inner)] < top[(..., *outer)], dtype)  # 0 where the largest is NaN
            candidate = xp.maximum(missed * xp.iinfo(dtype).max, dtype(number))
            xp.minimum(place, candidate, out=place)
    return xp.reshape(which, y.shape)


@atomic
def won(xp: Namespace, x: Array, which: Array, window: Window) -> Array:
    """The element of each window at the offset ``which``. Shape ``(..., *inner)`` to ``(..., *outer)``."""
    ndim = len(window.inner)
    made = launched_windows.won(xp, _planes(xp, x, ndim), _planes(xp, which, ndim), window)
    if made is not NotImplemented:
        return xp.reshape(made, which.shape)
    y = xp.zeros(which.shape, dtype=x.dtype)
    for number, inner, outer in window.taps:
        xp.copyto(y[(..., *outer)], x[(..., *inner)], where=which[(..., *outer)] == number)
    return y


@atomic
def returned(xp: Namespace, g: Array, which: Array, window: Window) -> Array:
    """Zeros, with each element of ``g`` added at its offset ``which``. Shape ``(..., *outer)`` to ``(..., *inner)``."""
    ndim = len(window.outer)
    gradients, numbers = _planes(xp, g, ndim), _planes(xp, which, ndim)
    x = compiled_windows.returned(gradients, numbers, window)
    if x is NotImplemented:
        x = launched_windows.returned(xp, gradients, numbers, window)
    if x is not NotImplemented:
        return xp.reshape(x, (*g.shape[: g.ndim - ndim], *window.inner))
    x = xp.zeros((gradients.shape[0], *window.inner), dtype=g.dtype)
    for some in _some(window, gradients.shape[0], g):
        part, found, whole = gradients[some], numbers[some], x[some]
        for number, inner, outer in window.taps:
            place = whole[(..., *inner)]
            given = _where(xp, found[(..., *outer)] == number, part[(..., *outer)])
            if window.disjoint:
                place[...] = given
            else:
                xp.add(place, given, out=place)
    return xp.reshape(x, (*g.shape[: g.ndim - ndim], *window.inner))


def _where(xp: Namespace, hit: Array, g: Array) -> Array:
    """``g`` where there is a hit, else 0; a product would make NaN of an infinity."""
    integer = {2: xp.int16, 4: xp.int32, 8: xp.int64}.get(g.dtype.itemsize)
    if integer is None or not backend.device_of(g).is_host:
        return xp.where(hit, g, 0)
    mask = xp.negative(xp.astype(hit, integer))  # all bits, or none: faster than choosing
    return xp.bitwise_and(g.view(integer), mask).view(g.dtype)


@atomic
def places(xp: Namespace, which: Array, window: Window) -> Array:
    """The flat index, in the plane that the window slides over, of the element at each offset ``which``."""
    rest, table, start, step = xp.arange(window.size), 0, 0, 1  # a table of all offsets: division takes longer
    for axis in reversed(range(len(window.inner))):
        count, size = window.kernel[axis], window.outer[axis]
        shape = tuple(size if i == axis else 1 for i in range(len(window.inner)))
        first = xp.reshape(xp.arange(size) * window.stride[axis] - window.before[axis], shape)
        start = start + first * step
        table = table + rest % count * window.dilation[axis] * step
        rest = rest // count
        step *= window.inner[axis]
    return xp.take(table, xp.astype(which, xp.int64)) + start


def _divided(xp: Namespace, y: Array, counts: Counts) -> Array:
    """``y / counts`` in place."""
    uniform = 1
    for axis, numbers in enumerate(counts):
        if len(numbers) == 1:
            uniform *= numbers[0]
        else:
            shape = tuple(-1 if i == axis else 1 for i in range(len(counts)))
            xp.divide(y, xp.reshape(xp.asarray(numbers, dtype=y.dtype), shape), out=y)
    return y if uniform == 1 else xp.multiply(y, 1 / uniform, out=y)


def _factor(counts: Counts) -> tuple[bool, float]:
    """Whether all sums are divided by one number, and what they are then multiplied with; 1 if not."""
    uniform = all(len(numbers) == 1 for numbers in counts)
    return uniform, 1 / prod(numbers[0] for numbers in counts) if uniform else 1.0


@atomic
def average(xp: Namespace, x: Array, window: Window, counts: Counts) -> Array:
    """The sum under each window, divided by ``counts``. Shape ``(..., *inner)`` to ``(..., *outer)``."""
    ndim = len(window.inner)
    planes = _planes(xp, x, ndim)
    uniform, factor = _factor(counts)
    y = compiled_windows.pooled("sum", planes, window, 0)
    if y is not NotImplemented:
        return xp.reshape(_divided(xp, y, counts), (*x.shape[: x.ndim - ndim], *window.outer))
    y = launched_windows.pooled(xp, "sum", planes if uniform else wider(xp, planes), window, factor)
    if y is not NotImplemented:
        y = y if uniform else xp.astype(_divided(xp, y, counts), x.dtype, copy=False)
        return xp.reshape(y, (*x.shape[: x.ndim - ndim], *window.outer))
    y = xp.empty((planes.shape[0], *window.outer), dtype=x.dtype)
    for some in _some(window, planes.shape[0], x):
        y[some] = _reduced(xp, planes[some], window, xp.add, 0)
        _divided(xp, y[some], counts)
    return xp.reshape(y, (*x.shape[: x.ndim - ndim], *window.outer))


@atomic
def average_back(xp: Namespace, g: Array, window: Window, counts: Counts) -> Array:
    """The transpose of :func:`average`. Shape ``(..., *outer)`` to ``(..., *inner)``."""
    ndim = len(window.inner)
    planes = _planes(xp, g, ndim)
    if compiled_windows.usable(window, planes.size, planes):
        x = compiled_windows.spread_out(_divided(xp, xp.array(planes, copy=True), counts), window)
        return xp.reshape(x, (*g.shape[: g.ndim - ndim], *window.inner))
    uniform, factor = _factor(counts)
    if launched_windows.owner_of(planes) is not None:
        shares = planes if uniform else _divided(xp, xp.array(wider(xp, planes), copy=True), counts)
        x = xp.astype(launched_windows.spread_out(xp, shares, window, factor), g.dtype, copy=False)
        return xp.reshape(x, (*g.shape[: g.ndim - ndim], *window.inner))
    x = xp.empty((planes.shape[0], *window.inner), dtype=g.dtype)
    for some in _some(window, planes.shape[0], g):
        part = _divided(xp, xp.array(planes[some], copy=True), counts)
        for axis in range(ndim):
            lead = (slice(None),) * (axis + 1)
            wide = xp.zeros((*part.shape[: axis + 1], window.inner[axis], *part.shape[axis + 2 :]), dtype=g.dtype)
            for _, inner, outer in window.per_axis[axis]:
                place = wide[(*lead, inner)]
                xp.add(place, part[(*lead, outer)], out=place)
            part = wide
        x[some] = part
    return xp.reshape(x, (*g.shape[: g.ndim - ndim], *window.inner))


def counted(window: Window, behind: Shape, include_border: bool) -> Counts:
    """How many elements are under the window at each position: those inside, or inside and in the border."""
    rows = []
    for i, size in enumerate(window.outer):
        numbers = []
        for p in range(size):
            start = p * window.stride[i] - window.before[i]
            stop = min(start + window.kernel[i], window.inner[i] + behind[i])
            if not include_border:
                start, stop = max(start, 0), min(stop, window.inner[i])
            numbers.append(stop - start)
        rows.append(tuple(numbers) if len(set(numbers)) > 1 else (numbers[0],))
    return tuple(rows)
