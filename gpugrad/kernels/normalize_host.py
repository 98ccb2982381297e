"""Normalization as NumPy routines: few passes, sums by BLAS.

Where a weight is the same for a whole *row*, the last axes together, all sums are first taken over rows, two products
of BLAS; what else there is to sum has few numbers. A gradient is then ``k1 g + k2 x + k3`` with factors for each row,
which is one kernel where kernels are compiled.
Layer normalization has a weight for each element of a row instead, and a function of its own.
"""

from __future__ import annotations

import math
from typing import Any

import numpy

from . import affine, composed
from .host import BITS, SMALL, Array

Axes = tuple[int, ...]
NEAR = 4.0
"""Up to this many times its variance the square of a mean may be for the variance to be found by their difference."""

FAR = 16.0
"""From this many times on, means are subtracted from elements, not from sums, where they would cost digits: by the
reference.
"""


def fits(x: Array, *others: Any) -> bool:
    """Whether the arrays are contiguous and of one dtype that the routines know."""
    if x.size < SMALL or x.dtype not in BITS or not x.flags.c_contiguous:
        return False
    return all(o is None or (type(o) is numpy.ndarray and o.dtype == x.dtype) for o in others)


def row_axis(ndim: int, axes: Axes, *parameters: Any) -> int | None:
    """The first axis of the rows: all from it on are reduced, and no parameter varies along them.

    The number of axes where columns are reduced, so that a row is one element; None where there are no such rows.
    """
    if axes == (0,) and ndim > 1:
        return ndim if all(p is None or p.ndim < ndim or p.shape[0] == 1 for p in parameters) else None
    behind = ndim
    while behind - 1 in axes and all(p is None or p.ndim <= ndim - behind or p.shape[behind - 1 - ndim] == 1
                                     for p in parameters):  # fmt: skip
        behind -= 1
    return behind if behind < ndim else None


def row_sums(a: Array, b: Array | None, behind: int) -> Array:
    """The sums of the rows of ``a b`` (of ``a`` where b is None), kept as axes of size 1; of columns their sums."""
    if behind == a.ndim:
        flat = (a if b is None else a * b).reshape(a.shape[0], -1)
        return (numpy.ones(a.shape[0], a.dtype) @ flat).reshape(1, *a.shape[1:])
    two = a.reshape(-1, math.prod(a.shape[behind:]))
    sums = two @ numpy.ones(two.shape[1], a.dtype) if b is None else numpy.vecdot(two, b.reshape(two.shape))
    return sums.reshape(*a.shape[:behind], *(1,) * (a.ndim - behind))


def rest(sums: Array, axes: Axes, behind: int) -> Array:
    """Sums of rows, summed over the other axes that are reduced."""
    others = tuple(a for a in axes if a < behind)
    if not others or behind == sums.ndim:
        return sums
    total: Array = numpy.add.reduce(sums, axis=others, keepdims=True)
    return total


def counted(x: Array, axes: Axes) -> Any:
    """How many elements are reduced to one, in the dtype of x."""
    return x.dtype.type(math.prod([x.shape[a] for a in axes]))


def statistics(x: Array, axes: Axes, behind: int) -> tuple[Array, Array]:
    """Mean and variance over the axes, which stay with size 1.

    The variance is ``mean(x^2) - mean^2`` where that loses next to nothing, since no mean is far from 0 beside its
    spread; elsewhere, and where there is a NaN, it is the mean square of ``x - mean``.
    """
    count = counted(x, axes)
    mean = rest(row_sums(x, None, behind), axes, behind) / count
    with numpy.errstate(over="ignore", invalid="ignore"):
        square = mean * mean
        var = rest(row_sums(x, x, behind), axes, behind) / count - square
        near = (square <= NEAR * var).all()
    if near:
        return mean, var
    c = x - mean
    return mean, rest(row_sums(c, c, behind), axes, behind) / count


def far(mean: Array, rstd: Array) -> bool:
    """Whether a mean is too far from 0 beside its spread to be subtracted from sums rather than from elements."""
    distance = mean * rstd
    return bool((distance * distance > FAR).any())


@composed.moments.on_host
def _moments(x: Array, axes: Axes) -> Any:
    behind = row_axis(x.ndim, axes)
    return NotImplemented if behind is None or not fits(x) else statistics(x, axes, behind)


@composed.standardized.on_host
def _standardized(x: Array, weight: Any, bias: Any, mean: Any, var: Any, axes: Axes, eps: float, centred: bool) -> Any:
    if not fits(x, weight, bias, mean, var):
        return NotImplemented
    behind = row_axis(x.ndim, axes, weight, bias)
    if behind is None:
        known = mean is not None or var is not None or not _is_layer(x, weight, bias, axes)
        return NotImplemented if known else _layer(x, weight, bias, axes, eps, centred)
    if not centred:
        mean, var = None, rest(row_sums(x, x, behind), axes, behind) / counted(x, axes) if var is None else var
    elif mean is None or var is None:
        mean, var = statistics(x, axes, behind)
    rstd = 1 / numpy.sqrt(var + x.dtype.type(eps))
    if mean is not None and far(mean, rstd):
        return NotImplemented
    first = rstd if weight is None else rstd * weight
    second = bias
    if mean is not None:
        second = -mean * first if bias is None else bias - mean * first
    y = x * first if second is None else affine.scaled_shifted(numpy, x, first, second)
    return y, numpy.zeros_like(rstd) if mean is None else mean, rstd


def _is_layer(x: Array, weight: Any, bias: Any, axes: Axes) -> bool:
    """Whether the last axes are normalized, and each of their elements has a weight."""
    inner = x.shape[axes[0] :] if axes else ()
    return (
        axes == tuple(range(x.ndim - len(inner), x.ndim)) and x.size > 0 and weight is not None
        and weight.shape == inner and (bias is None or bias.shape == inner)
    )  # fmt: skip


def _layer(x: Array, weight: Array, bias: Any, axes: Axes, eps: float, centred: bool) -> tuple[Array, Array, Array]:
    """A row for each position, a weight for each element of a row."""
    small = (*x.shape[: axes[0]], *(1,) * len(axes))
    rows, w = x.reshape(-1, weight.size), weight.reshape(1, -1)
    count = x.dtype.type(weight.size)
    if centred:
        mean = (rows @ numpy.ones((weight.size, 1), x.dtype)) / count
        c = rows - mean
    else:
        mean, c = numpy.zeros((len(rows), 1), x.dtype), rows
    rstd = 1 / numpy.sqrt(numpy.vecdot(c, c)[:, None] / count + x.dtype.type(eps))
    y = rstd * w
    y *= c
    if bias is not None:
        y += bias.reshape(1, -1)
    return y.reshape(x.shape), mean.reshape(small), rstd.reshape(small)


@composed.standardized_back.on_host
def _standardized_back(
    g: Array, x: Array, shift: Array, rstd: Array, weight: Any, axes: Axes, centred: bool, by_x: bool
) -> Any:
    if not by_x or g.shape != x.shape or not fits(x, weight):
        return NotImplemented
    g = numpy.ascontiguousarray(g)  # that of a sum is one number for all
    if not fits(g, x) or (centred and far(shift, rstd)):
        return NotImplemented
    behind = row_axis(x.ndim, axes, weight)
    if behind is None:
        known = _is_layer(x, weight, None, axes)
        return _layer_back(g, x, shift, rstd, weight, centred) if known else NotImplemented
    count = counted(x, axes)
    total, products = row_sums(g, None, behind), row_sums(g, x, behind)
    if centred:
        products = products - shift * total
    wg, wp = (total, products) if weight is None else (total * weight, products * weight)
    first = rstd if weight is None else rstd * weight
    second = rest(wp, axes, behind) * rstd * rstd * rstd / -count
    third = -(rest(wg, axes, behind) * rstd / count + second * shift) if centred else numpy.zeros_like(second)
    return affine.combined(numpy, g, x, first, second, third), products * rstd, total


def _layer_back(
    g: Array, x: Array, shift: Array, rstd: Array, weight: Array, centred: bool
) -> tuple[Array, Array, Array]:
    """The gradients of :func:`_layer`: ``(r w^T) g - a x + b`` with a and b for each row."""
    width = weight.size
    g2, x2, w, r = g.reshape(-1, width), x.reshape(-1, width), weight.reshape(width, 1), rstd.reshape(-1, 1)
    m = r * shift.reshape(-1, 1)
    p = g2 * x2
    by_bias, by_shift = numpy.concatenate((numpy.ones_like(r), m), axis=1).T @ g2
    by_weight = r[:, 0] @ p
    s, t = (p @ w) * r, g2 @ w
    if centred:
        by_weight -= by_shift
        s -= m * t
    a = s * r * r / x.dtype.type(width)
    d = r * w.T
    d *= g2
    numpy.multiply(x2, a, out=p)
    if centred:
        p -= a * shift.reshape(-1, 1) - r * t / x.dtype.type(width)
    d -= p
    return d.reshape(x.shape), by_weight.reshape(weight.shape), by_bias.reshape(weight.shape)
