"""Medians, quantiles, and what else follows from the order of the elements.

A quantile is an element, or lies between two neighbours in the order, which share the gradient as they share the value.
Of equal elements, the first in ``x`` is the first in the order, so exactly one of them gets the gradient of its place.
NaN gives NaN; the functions whose names begin with ``nan`` pass over it. Source: NumPy.
"""

from __future__ import annotations

import math
from typing import Any

from .. import backend
from ..backend import Array, Namespace, is_floating
from ..backend.dtypes import float64, int64
from ..core import Tensor, primitive
from ..kernels.shapes import Axis, axes, kept, length, several
from .arithmetic import clip, remainder, where
from .beside import beside
from .comparison import isnan, logical_and, logical_not
from .creation import asarray, astype
from .dims import takes_dim
from .indexing import _scatter_add, index_namespace
from .nested import holds_tensors, numbers
from .reduction import sum
from .rounding import ceil, floor
from .rounding import round as rounded
from .selection import argsort, sort, take_along_axis
from .shaping import permute_dims, reshape

CONTINUOUS = {
    "interpolated_inverted_cdf": (0.0, 1.0), "hazen": (0.5, 0.5), "weibull": (0.0, 0.0),
    "median_unbiased": (1 / 3, 1 / 3), "normal_unbiased": (3 / 8, 3 / 8),
}  # fmt: skip
"""Methods whose ranks are ``q n + a + q (1 - a - b) - 1``: Hyndman and Fan's 4 to 9 but for "linear", their 7."""

METHODS = (
    "linear", "lower", "higher", "midpoint", "nearest", "inverted_cdf", "averaged_inverted_cdf", "closest_observation",
    *CONTINUOUS,
)  # fmt: skip


CHOOSING = ("lower", "higher", "nearest", "inverted_cdf", "closest_observation")
"""Methods that give one of the elements, so that integers stay integers."""


# -------------------------------------------------------------------- elements by their place in the order


@primitive(batch="images")
def _ordered(xp: Namespace, x: Array, /, places: tuple[int, ...]) -> Array:
    """Shape ``(M, N)`` to ``(M, K)``: the elements at these places in the order of each row; NaN if there is one."""
    last = x.shape[-1] - 1
    rows = xp.partition(x, sorted({*places, last}), axis=-1)
    y = xp.stack([rows[:, k] for k in places], axis=-1)
    return xp.where(xp.isnan(rows[:, last:]), math.nan, y) if is_floating(x.dtype) else y


def _ordered_x(xp: Namespace, g: Array, x: Array, x_shape: tuple[int, ...], places: tuple[int, ...]) -> Array:
    order = argsort.on(xp, x, axis=-1)
    return _scatter_add.on(xp, g, index=_of_each_row(order[:, list(places)]), shape=x_shape)


_ordered.vjp(x=_ordered_x)


def _of_each_row(columns: Array) -> tuple[Array, Array]:
    """The index of some columns of each row, a plain one."""
    columns = columns.data if isinstance(columns, Tensor) else columns
    raw = index_namespace(columns)
    return raw.reshape(raw.arange(columns.shape[0]), (-1, 1)), columns


@primitive(batch="line")
def partition(xp: Namespace, x: Array, /, kth: int | tuple[int, ...], axis: int | None = -1) -> Array:
    """The elements along ``axis`` (None: flattened) such that the one in place ``kth`` is where sorting would put it.

    Smaller ones are before it and larger ones behind it, in no particular order. Several places come as a tuple.

    Raises:
        ValueError: there is no such place.

    >>> import gpugrad as gg
    >>> gg.partition(gg.tensor([3.0, 1.0, 2.0]), 0)[0]
    tensor(1.)
    """
    x, axis = (xp.reshape(x, (math.prod(x.shape),)), 0) if axis is None else (x, axis)
    return xp.partition(x, kth, axis=axis)


def _partition_x(xp: Namespace, g: Array, x: Array, y: Array, axis: int | None) -> Array:
    """By way of the order, in which both have the same elements: a library's two partitions need not agree."""
    if axis is None:
        return xp.reshape(_partition_x(xp, g, xp.reshape(x, y.shape), y, 0), x.shape)
    in_order = xp.take_along_axis(g, argsort.on(xp, y, axis=axis), axis=axis)
    return xp.take_along_axis(in_order, argsort.on(xp, argsort.on(xp, x, axis=axis), axis=axis), axis=axis)


partition.vjp(x=_partition_x)


@primitive(batch="line")
def argpartition(xp: Namespace, x: Array, /, kth: int | tuple[int, ...], axis: int | None = -1) -> Array:
    """The positions of the elements that :func:`partition` puts in order; a constant.

    >>> import gpugrad as gg
    >>> gg.argpartition(gg.tensor([3.0, 1.0, 2.0]), 0)[0]
    tensor(1)
    """
    x, axis = (xp.reshape(x, (math.prod(x.shape),)), 0) if axis is None else (x, axis)
    return xp.argpartition(x, kth, axis=axis)


argpartition.nondifferentiable()


# -------------------------------------------------------------------- quantiles


def _rows(name: str, x: Array, axis: Axis) -> Array:
    """Shape ``(M, N)``: the reduced axes as the last one, all others as the first."""
    ndim = len(x.shape)
    for a in () if axis is None else several(axis):
        if not -ndim <= a < ndim:
            raise ValueError(f"{name}: axis {a} is out of bounds for shape {x.shape}")
    reduced = axes(axis, ndim)
    order = tuple(i for i in range(ndim) if i not in reduced) + reduced
    inside = math.prod(x.shape[i] for i in reduced)
    if order != tuple(range(ndim)):
        x = permute_dims(x, order)
    return reshape(x, (math.prod(x.shape[: ndim - len(reduced)]), inside))


def _outside(x_shape: tuple[int, ...], axis: Axis, keepdims: bool) -> tuple[int, ...]:
    reduced = axes(axis, len(x_shape))
    return kept(x_shape, axis) if keepdims else tuple(n for i, n in enumerate(x_shape) if i not in reduced)


def _rank(method: str, q: Any, n: Any) -> Any:
    """Where in the order of n elements the quantile lies, from 0, before it is rounded; may be out of bounds."""
    if method in CONTINUOUS:
        a, b = CONTINUOUS[method]
        return n * q + (a + q * (1 - a - b)) - 1
    if method in ("inverted_cdf", "averaged_inverted_cdf"):
        return n * q - 1
    return n * q - 1.5 if method == "closest_observation" else (n - 1) * q


def _share(method: str, rank: float, last: int) -> tuple[int, int, float]:
    """The places below and above a rank, and how much of the upper one there is.

    Where the rank is a place, the two are the same, half and half: 0 times an infinite neighbour would be NaN.
    """
    below, above, part = math.floor(rank), math.ceil(rank), 0.5
    if method == "nearest":
        below = above = round(rank)
    elif method == "lower":
        above = below
    elif method in ("higher", "inverted_cdf"):
        below = above
    elif method == "closest_observation":
        below = above = below if below == above and below % 2 else below + 1
    elif method == "averaged_inverted_cdf":
        below, above = (below, below + 1) if below == above else (above, above)
    elif method != "midpoint" and below != above:
        part = rank - below
    below, above = (min(max(place, 0), last) for place in (below, above))
    return below, above, part if below != above else 0.5


def _known(x: Array, ranks: list[float], method: str) -> Array:
    """Shape ``(M, K)``: the quantiles of the rows at ranks that the host knows."""
    shares = [_share(method, rank, x.shape[-1] - 1) for rank in ranks]
    count = len(shares)
    if all(below == above for below, above, _ in shares):
        return _ordered(x, tuple(below for below, _, _ in shares))
    both = _ordered(x, tuple(below for below, _, _ in shares) + tuple(above for _, above, _ in shares))
    weights = [part for _, _, part in shares]
    weight: Any = weights[0] if len(set(weights)) == 1 else beside(weights, both, both.dtype)
    return both[:, :count] * (1 - weight) + both[:, count:] * weight


def _computed(x: Array, q: Array, method: str, pass_over: bool) -> Array:
    """Shape ``(M, K)``: the quantiles of the rows at fractions that only the device knows, or of what is not NaN."""
    rows = sort(x, axis=-1)
    last = x.shape[-1] - 1
    missing = isnan(rows) if is_floating(x.dtype) else None
    if pass_over and missing is not None:
        count = astype(sum(astype(logical_not(missing), int64), axis=-1, keepdims=True), rows.dtype)
        ranks, most = _rank(method, q, count), count - 1
    else:
        ranks, most = reshape(_rank(method, q, x.shape[-1]), (1, -1)), last
    if method in CONTINUOUS:
        ranks = clip(ranks, 0, most)
    below, above = floor(ranks), ceil(ranks)
    if method == "nearest":
        below = above = rounded(ranks)
    elif method == "lower":
        above = below
    elif method in ("higher", "inverted_cdf"):
        below = above
    elif method == "closest_observation":
        below = above = where(logical_and(below == ranks, remainder(below, 2) == 1), below, below + 1)
    elif method == "averaged_inverted_cdf":
        below, above = above, where(below == above, above + 1, above)
    below, above = clip(below, 0, most), clip(above, 0, most)
    lower, upper = (take_along_axis(rows, astype(clip(place, 0, last), int64), axis=-1) for place in (below, above))
    smooth = method == "linear" or method in CONTINUOUS
    weight = where(below == above, 0.5 + (ranks - below), ranks - below) if smooth else 0.5
    y = lower * (1 - weight) + upper * weight
    if missing is None:
        return y
    return where(missing[:, :1] if pass_over else missing[:, last:], math.nan, y)


def _listed(name: str, q: Any, most: int) -> tuple[list[float], tuple[int, ...]]:
    """Fractions that the host knows, one after another, and the shape that they came in."""
    given = asarray(q, dtype=float64, device="cpu") if isinstance(q, Tensor) else numbers(q)
    fractions = [float(number) / most for number in given.reshape((-1,)).tolist()]
    if not all(0 <= fraction <= 1 for fraction in fractions):
        raise ValueError(f"{name}: expected q from 0 to {most}, got {q}")
    return fractions, given.shape


def _quantile(
    name: str, x: Array, q: Any, axis: Axis, method: str, keepdims: bool, *, pass_over: bool = False, most: int = 1
) -> Array:
    t = asarray(x)
    q = asarray(q) if isinstance(q, list | tuple) and holds_tensors(q) else q
    if method not in METHODS:
        raise ValueError(f"{name}: expected method {', '.join(map(repr, METHODS))}, got {method!r}")
    if t.dtype.kind not in "biuf":
        raise TypeError(f"{name}: expected numbers that have an order, got {t.dtype}")
    if not is_floating(t.dtype) and method not in CHOOSING:
        t = astype(t, float64)
    rows = _rows(name, t, axis)
    if not rows.shape[1]:
        raise ValueError(f"{name}: expected at least one element, got shape {t.shape} over axis {axis}")
    if isinstance(q, Tensor) or (backend.is_array(q) and not backend.device_of(q).is_host):
        shape = tuple(q.shape)
        fractions = reshape(asarray(q), (-1,))
        y = _computed(rows, fractions / most if most > 1 else fractions, method, pass_over)
    else:
        known, shape = _listed(name, q, most)
        if pass_over and is_floating(t.dtype):
            y = _computed(rows, beside(known, t, t.dtype), method, pass_over)
        else:
            y = _known(rows, [_rank(method, fraction, rows.shape[1]) for fraction in known], method)
    return reshape(permute_dims(y, (1, 0)) if shape else y, (*shape, *_outside(t.shape, axis, keepdims)))


@takes_dim
def quantile(x: Array, q: Any, /, axis: Axis = None, *, method: str = "linear", keepdims: bool = False) -> Array:
    """The element below which the fraction q of the elements over ``axis`` lies, interpolated between neighbours.

    With the elements ``x_0 <= ... <= x_(n-1)`` in order and ``r = q (n - 1)``, that is ``x_r`` where r is an integer.

    Args:
        x: shape ``(...)``.
        q: fractions from 0 to 1, of any shape, which comes first in the result. A tensor may be a variable; it is not
            looked at, and what is not from 0 to 1 counts as the nearer of the two.
        axis: one, several, or None for all.
        method: for r between places a and b: "linear", between their elements; "lower", that of a; "higher", that of
            b; "midpoint", their mean; "nearest", that of the nearer, the even one of two. The others of NumPy number
            the places otherwise: "inverted_cdf", "averaged_inverted_cdf", "closest_observation",
            "interpolated_inverted_cdf", "hazen", "weibull", "median_unbiased", "normal_unbiased" (R. Hyndman, Y. Fan,
            "Sample quantiles in statistical packages", 1996).
        keepdims: whether the reduced axes stay with size 1.

    Raises:
        ValueError: another method, q not from 0 to 1, or no elements.

    Source: ``numpy.quantile``; the gradients are those of ``torch.quantile``.

    >>> import gpugrad as gg
    >>> x = gg.tensor([1.0, 4.0, 2.0], requires_grad=True)
    >>> y = gg.quantile(x, [0.25, 1.0])
    >>> y
    tensor([1.5, 4. ], op=reshape)
    >>> y.sum().backward()
    >>> x.grad
    tensor([0.5, 1. , 0.5])
    """
    return _quantile("quantile", x, q, axis, method, keepdims)


def percentile(x: Array, q: Any, /, axis: Axis = None, *, method: str = "linear", keepdims: bool = False) -> Array:
    """:func:`quantile` for q from 0 to 100.

    >>> import gpugrad as gg
    >>> gg.percentile(gg.tensor([1.0, 4.0, 2.0]), 75)
    tensor(3.)
    """
    return _quantile("percentile", x, q, axis, method, keepdims, most=100)


def median(x: Array, /, axis: Axis = None, keepdims: bool = False) -> Array:
    """The element in the middle of the order over ``axis``, or the mean of the two there, which share the gradient.

    PyTorch's ``median`` is the lower of the two; this is NumPy's, and ``quantile(x, 0.5)``.

    Raises:
        ValueError: there are no elements.

    >>> import gpugrad as gg
    >>> gg.median(gg.tensor([4.0, 1.0, 2.0, 3.0]))
    tensor(2.5)
    """
    return _quantile("median", x, 0.5, axis, "linear", keepdims)


@takes_dim
def nanquantile(x: Array, q: Any, /, axis: Axis = None, *, method: str = "linear", keepdims: bool = False) -> Array:
    """:func:`quantile` of what is not NaN; NaN gets gradient 0, and the quantile of nothing is NaN.

    >>> import gpugrad as gg
    >>> gg.nanquantile(gg.tensor([1.0, float('nan'), 4.0, 2.0]), 0.75)
    tensor(3.)
    """
    return _quantile("nanquantile", x, q, axis, method, keepdims, pass_over=True)


def nanpercentile(x: Array, q: Any, /, axis: Axis = None, *, method: str = "linear", keepdims: bool = False) -> Array:
    """:func:`nanquantile` for q from 0 to 100.

    >>> import gpugrad as gg
    >>> gg.nanpercentile(gg.tensor([1.0, float('nan'), 4.0, 2.0]), 75)
    tensor(3.)
    """
    return _quantile("nanpercentile", x, q, axis, method, keepdims, pass_over=True, most=100)


@primitive(batch="reduction")
def nanmedian(xp: Namespace, x: Array, /, axis: Axis = None, keepdims: bool = False) -> Array:
    """:func:`median` of what is not NaN; NaN gets gradient 0, and the median of nothing is NaN.

    >>> import gpugrad as gg
    >>> gg.nanmedian(gg.tensor([1.0, float('nan'), 4.0, 2.0]))
    tensor(2.)
    """
    return (xp.nanmedian if is_floating(x.dtype) else xp.median)(x, axis=axis, keepdims=keepdims)


def _nanmedian_x(xp: Namespace, g: Array, x: Array, x_shape: tuple[int, ...], axis: Axis) -> Array:
    """Half to each of the two in the middle of what is there, which may be the same."""
    reduced = axes(axis, len(x_shape))
    permuted = tuple(i for i in range(len(x_shape)) if i not in reduced) + reduced
    moved = xp.permute_dims(x, permuted)
    rows = xp.reshape(moved, (math.prod(moved.shape[: len(x_shape) - len(reduced)]), length(x_shape, axis)))
    count = xp.sum(xp.astype(xp.logical_not(xp.isnan(rows)), int64), axis=-1, keepdims=True)
    middle = xp.concat([xp.clip((count - 1) // 2, 0, None), xp.clip(count // 2, 0, None)], axis=-1)
    columns = xp.take_along_axis(argsort.on(xp, rows, axis=-1), middle, axis=-1)
    half = xp.where(count > 0, 0.5 * xp.reshape(g, (rows.shape[0], 1)), 0)
    part = xp.broadcast_to(half, (rows.shape[0], 2))
    pulled = _scatter_add.on(xp, part, index=_of_each_row(columns), shape=rows.shape)
    back = tuple(sorted(range(len(permuted)), key=permuted.__getitem__))
    return xp.permute_dims(xp.reshape(pulled, moved.shape), back)


nanmedian.vjp(x=_nanmedian_x)
