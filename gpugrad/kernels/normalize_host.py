"""Normalization as a NumPy routine: sums by BLAS, and what is not needed any more written over in place."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy

from . import composed
from .host import BITS, SMALL, Array

Axes = tuple[int, ...]
CACHE = 1 << 18
"""Bytes of an array that are worked on at a time."""


def fits(x: Array, *others: Any) -> bool:
    """Whether the arrays are contiguous and of one dtype that the routines know."""
    if x.size < SMALL or x.dtype not in BITS or not x.flags.c_contiguous:
        return False
    return all(o is None or (type(o) is numpy.ndarray and o.dtype == x.dtype) for o in others)


def folded(shape: tuple[int, ...], axes: Axes) -> tuple[int, int, int] | None:
    """Sizes (A, B, C) such that reducing over ``axes`` is reducing over C, or over A and C; None for other axes."""
    first = axes[0] if axes else len(shape)
    if axes == tuple(range(first, len(shape))):
        return 1, math.prod(shape[:first]), math.prod(shape[first:])
    if axes == (0, *range(2, len(shape))):
        return shape[0], shape[1], math.prod(shape[2:])
    return None


def dots(a: Array, b: Array | None, sizes: tuple[int, int, int], shape: tuple[int, ...]) -> Array:
    """The sums of ``a b`` (of ``a`` where b is None) over the reduced axes, in the shape that keeps them."""
    if sizes[2] == 1:  # a batch of vectors: its columns
        flat = a.reshape(sizes[:2])
        total = numpy.ones(sizes[0], a.dtype) @ (flat if b is None else flat * b.reshape(sizes[:2]))
        return total.reshape(shape)
    three = a.reshape(sizes)
    if b is None:
        rows = (three.reshape(-1, sizes[2]) @ numpy.ones(sizes[2], a.dtype)).reshape(sizes[:2])
    else:
        rows = numpy.vecdot(three, b.reshape(sizes))
    return rows.sum(axis=0).reshape(shape) if sizes[0] > 1 else rows.reshape(shape)


def blocks(x: Array) -> Iterator[slice]:
    """Of the first axis, as much at a time as stays in the cache."""
    step = max(1, CACHE * x.shape[0] // x.nbytes)
    return (slice(i, i + step) for i in range(0, x.shape[0], step))


def _in_blocks(x: Array, weight: Any, bias: Any, axes: Axes, eps: float) -> Any:
    """:func:`_standardized` of a few samples after the other, which stay in the cache."""
    small = _kept_shape(x.shape, axes)
    sizes = (1, 0, x.size // math.prod(small))
    y, mean, rstd = numpy.empty_like(x), numpy.empty(small, x.dtype), numpy.empty(small, x.dtype)
    count, tiny = x.dtype.type(sizes[2]), x.dtype.type(eps)
    for part in blocks(x):
        sizes = (1, math.prod(mean[part].shape), sizes[2])
        mean[part] = dots(x[part], None, sizes, mean[part].shape) / count
        z = numpy.subtract(x[part], mean[part], out=y[part])
        rstd[part] = 1 / numpy.sqrt(dots(z, z, sizes, mean[part].shape) / count + tiny)
        z *= rstd[part] if weight is None else rstd[part] * weight
        if bias is not None:
            z += bias
    return y, mean, rstd


def _kept_shape(shape: tuple[int, ...], axes: Axes) -> tuple[int, ...]:
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


@composed.moments.on_host
def _moments(x: Array, axes: Axes) -> Any:
    sizes = folded(x.shape, axes)
    if sizes is None or not fits(x):
        return NotImplemented
    count, small = sizes[0] * sizes[2], _kept_shape(x.shape, axes)
    mean = dots(x, None, sizes, small) / x.dtype.type(count)
    c = x - mean
    return mean, dots(c, c, sizes, small) / x.dtype.type(count)


@composed.standardized.on_host
def _standardized(x: Array, weight: Any, bias: Any, mean: Any, var: Any, axes: Axes, eps: float, centred: bool) -> Any:
    sizes = folded(x.shape, axes)
    if sizes is None or not fits(x, weight, bias, mean, var):
        return NotImplemented
    small = _kept_shape(x.shape, axes)
    count = x.dtype.type(sizes[0] * sizes[2])
    if centred and mean is None and var is None and axes[0] >= 2 and x.nbytes > 2 * CACHE:
        return _in_blocks(x, weight, bias, axes, eps)
    if centred:
        mean = dots(x, None, sizes, small) / count if mean is None else mean
        y = x - mean
    else:
        mean, y = numpy.zeros((1,) * x.ndim, x.dtype), x
    var = dots(y, y, sizes, small) / count if var is None else var
    rstd = 1 / numpy.sqrt(var + x.dtype.type(eps))
    first = rstd if weight is None else rstd * weight
    if first.size > rstd.size * sizes[2] // 2 > 0 and weight is not None:  # a weight along the reduced axes
        y = numpy.multiply(y, rstd, out=y if centred else None)
        y *= weight
    else:
        y = numpy.multiply(y, first, out=y if centred else None)
    if bias is not None:
        y += bias
    return y, mean, rstd


@composed.standardized_back.on_host
def _standardized_back(
    g: Array, x: Array, shift: Array, rstd: Array, weight: Any, axes: Axes, centred: bool, by_x: bool
) -> Any:
    sizes = folded(x.shape, axes)
    if sizes is None or not by_x or g.shape != x.shape or not (fits(x, weight) and fits(g, x)):
        return NotImplemented
    small = _kept_shape(x.shape, axes)
    count = x.dtype.type(sizes[0] * sizes[2])
    if sizes[0] == 1 and weight is not None and x.size:
        if weight.size == sizes[2] and weight.shape[-len(axes) :] == x.shape[axes[0] :]:
            return _weighted_rows(g, x, shift, rstd, weight, sizes, centred)
        groups = x.shape[1]
        if axes[0] == 2 and weight.shape == (1, groups, x.shape[2], *(1,) * (x.ndim - 3)) and x.shape[2] > 1:
            return _weighted_channels(g, x, shift, rstd, weight, groups, centred)
    z = (x - shift) if centred else x * rstd
    if centred:
        z *= rstd
    ahead = x.ndim
    if weight is None or all(weight.shape[a - ahead] == 1 for a in axes if a >= ahead - weight.ndim):
        s, total = dots(g, z, sizes, small), dots(g, None, sizes, small)
        z *= -s / count
        z += g
        if centred:
            z -= total / count
        z *= rstd if weight is None else rstd * weight
        return z, s, total
    return NotImplemented


def _weighted_rows(
    g: Array, x: Array, shift: Array, rstd: Array, weight: Array, sizes: tuple[int, int, int], centred: bool
) -> tuple[Array, Array, Array]:
    """The gradients where a row is normalized by itself and each of its elements has a weight."""
    rows, count = sizes[1:]
    x2, g2, r, w = x.reshape(rows, count), g.reshape(rows, count), rstd.reshape(rows, 1), weight.reshape(count)
    c = x2 - shift.reshape(-1, 1) if centred else x2
    d = g2 * c
    by_weight, by_bias = r[:, 0] @ d, numpy.ones(rows, g.dtype) @ g2
    s = (d @ w)[:, None] * (r * r / x.dtype.type(count))
    c = numpy.multiply(c, s, out=c if centred else None)
    if centred:
        c += (g2 @ w)[:, None] / x.dtype.type(count)
    numpy.multiply(g2, w, out=d)
    d -= c
    d *= r
    return d.reshape(x.shape), by_weight.reshape(weight.shape), by_bias.reshape(weight.shape)


def _weighted_channels(
    g: Array, x: Array, shift: Array, rstd: Array, weight: Array, groups: int, centred: bool
) -> tuple[Array, Array, Array]:
    """The gradients of groups ``(N, G)`` of channels, each with a weight, over channels and positions.

    Sums over the positions are all that is needed of ``g`` and ``g (x - mean)``, so there are few passes; and a
    few samples at a time stay in the cache.
    """
    samples, channels, dtype = x.shape[0], weight.size // groups, x.dtype
    shape = (samples, groups, channels, x.size // (samples * weight.size))
    x4, g4, w = x.reshape(shape), g.reshape(shape), weight.reshape(groups, channels)
    m, r = shift.reshape(-1, 1 if shift.size == 1 else groups, 1, 1), rstd.reshape(samples, groups, 1, 1)
    count, ones = dtype.type(channels * shape[3]), numpy.ones(shape[3], dtype)
    d = numpy.empty(shape, dtype)
    by_weight, by_bias = numpy.zeros((2, groups, channels), dtype)
    for part in blocks(x):
        c, root = x4[part] - (m[part] if centred else m), r[part]
        products, sums = numpy.vecdot(g4[part], c), g4[part] @ ones
        by_weight += (products * root[..., 0]).sum(axis=0)
        by_bias += sums.sum(axis=0)
        numpy.multiply(g4[part], (w * root[..., 0])[..., None], out=d[part])
        c *= (products * w).sum(axis=2)[..., None, None] * (root * root * root / count)
        if centred:
            c += (sums * w).sum(axis=2)[..., None, None] * (root / count)
        d[part] -= c
    return d.reshape(x.shape), by_weight.reshape(weight.shape), by_bias.reshape(weight.shape)


def summed(a: Array, shape: tuple[int, ...]) -> Array:
    """``a`` summed over the axes along which ``shape`` is broadcast to it."""
    whole = (1,) * (a.ndim - len(shape)) + shape
    behind = next((i for i in reversed(range(a.ndim)) if whole[i] != 1), -1) + 1  # from here on all are summed
    before = next((i for i in range(a.ndim) if whole[i] != 1), a.ndim)
    if behind > before and whole[before:behind] == a.shape[before:behind]:
        three = a.reshape(math.prod(a.shape[:before]), -1, math.prod(a.shape[behind:]))
        rows = three @ numpy.ones(three.shape[2], a.dtype) if three.shape[2] > 1 else three[..., 0]
        return (numpy.ones(three.shape[0], a.dtype) @ rows).reshape(shape)
    axes = tuple(i for i, n in enumerate(whole) if n == 1)
    total: Array = a.sum(axis=axes, keepdims=True)
    return total.reshape(shape)
