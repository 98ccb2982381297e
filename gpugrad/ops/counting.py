"""Counting: how often each integer occurs, how many elements fall into each bin.

Counts are constants; sums of weights have gradients for the weights, edges for the ends of the range. Source: NumPy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import backend
from ..backend import Array, Namespace
from ..backend.dtypes import float64
from ..core import Tensor, primitive
from .arithmetic import minimum
from .beside import beside
from .creation import asarray, astype, linspace
from .indexing import _gather
from .reduction import max, min, sum
from .scans import diff
from .selection import searchsorted
from .shaping import reshape


@primitive
def _bincount(xp: Namespace, x: Array, /, least: int) -> Array:
    return xp.bincount(x, minlength=least)


_bincount.nondifferentiable()


@primitive
def _bincount_of_weights(xp: Namespace, x: Array, weights: Array, /, least: int) -> Array:
    """Both count in float64; the result has the dtype of the weights."""
    return xp.astype(xp.bincount(x, weights=weights, minlength=least), weights.dtype)


def _bincount_weights(xp: Namespace, g: Array, x: Array) -> Array:
    return _gather.on(xp, g, index=x.data if isinstance(x, Tensor) else x)


_bincount_of_weights.vjp(weights=_bincount_weights)


def bincount(x: Array, weights: Array | None = None, minlength: int = 0) -> Array:
    """How often each of 0, 1, 2, ... occurs, or the sum of the weights of each. The GPU is waited for.

    Args:
        x: integers of at least 0, shape ``(N,)``.
        weights: shape ``(N,)``; the result has their dtype, and each gets the gradient of its sum.
        minlength: the least length of the result, which else ends with the largest integer.

    Raises:
        TypeError: no integers.
        ValueError: negative integers, or other shapes.

    >>> import gpugrad as gg
    >>> gg.bincount(gg.tensor([0, 2, 2])), gg.bincount(gg.tensor([0, 2, 2]), gg.tensor([0.5, 1.0, 1.5]))
    (tensor([1, 0, 2]), tensor([0.5, 0. , 2.5]))
    """
    t = x if isinstance(x, Tensor) else asarray(x)
    if t.ndim != 1:
        raise ValueError(f"bincount: expected integers of shape (N,), got shape {t.shape}")
    if t.dtype.kind not in "iu":
        raise TypeError(f"bincount: expected integers, got {t.dtype}")
    if weights is None:
        return _bincount(t, minlength)
    w = beside(weights, t)
    if w.shape != t.shape:
        raise ValueError(f"bincount: expected weights of shape {t.shape}, got {w.shape}")
    w = w if backend.is_floating(w.dtype) else astype(w, float64)
    return _bincount_of_weights(t, w, minlength)


@primitive(batch=("one_for_all", 1))
def _digitize(xp: Namespace, x: Array, bins: Array, /, right: bool) -> Array:
    return xp.digitize(x, bins, right=right)


_digitize.nondifferentiable()


def digitize(x: Array, bins: Array, right: bool = False) -> Array:
    """The number of the bin of each element: ``bins[i-1] <= x < bins[i]``, or with ``right`` ``<`` and ``<=``.

    Args:
        x: shape ``(...)``.
        bins: the edges, shape ``(N,)``, increasing or decreasing; a GPU is waited for to see that.
        right: whether an edge belongs to the bin that it ends.

    >>> import gpugrad as gg
    >>> gg.digitize(gg.tensor([0.5, 1.0, 9.0]), gg.tensor([0.0, 1.0, 2.0]))
    tensor([1, 2, 3])
    """
    t = asarray(x)
    return _digitize(t, beside(bins, t), right)


@primitive(outputs=True)
def _histogram(xp: Namespace, x: Array, /, bins: int, range: tuple[float, float] | None) -> tuple[Array, ...]:
    return tuple(xp.histogram(x, bins, range=range))


_histogram.nondifferentiable()


@primitive
def _in_bins(xp: Namespace, x: Array, edges: Array, /) -> Array:
    return xp.histogram(x, edges)[0]


_in_bins.nondifferentiable()


def histogram(
    x: Array, bins: int | Sequence[float] | Array = 10, range: tuple[float, float] | None = None,
    density: bool = False, weights: Array | None = None,
) -> tuple[Array, Array]:  # fmt: skip
    """How many elements fall into each bin, and the edges of the bins. The last bin has both its edges.

    Args:
        x: shape ``(...)``.
        bins: how many of equal width, or the edges, shape ``(N + 1,)``, increasing.
        range: the first and the last edge; None for the smallest and the largest element. The edges in between
            follow these two, and so do their gradients.
        density: divide by the number of all and by the width of the bin: the integral is 1.
        weights: of the shape of ``x``; sums of weights have a gradient, counts are constants.

    Raises:
        ValueError: less than one bin, or weights of another shape.
        TypeError: complex numbers, which have no order.

    >>> import gpugrad as gg
    >>> gg.histogram(gg.tensor([1.0, 2.0, 4.0]), bins=2, range=(0.0, 4.0))
    (tensor([1, 2]), tensor([0., 2., 4.]))
    """
    t = x if isinstance(x, Tensor) else asarray(x)
    if t.dtype.kind == "c":
        raise TypeError(f"histogram: expected real numbers, got {t.dtype}; try gg.abs(x) or gg.real(x)")
    flat = reshape(t, (t.size,))
    edges: Any
    count: Any = bins
    if isinstance(bins, int) or (getattr(bins, "shape", None) == () and count.dtype.kind in "iu"):
        ends: Any = None if range is None else tuple(v.item() if isinstance(v, Tensor) else v for v in range)
        counts, edges = _histogram(flat, count, ends)
        edges = astype(edges, t.dtype, copy=False) if backend.is_floating(t.dtype) else edges
        if any(isinstance(v, Tensor) and v.requires_grad for v in ((t,) if range is None else range)):
            edges = _moving(edges, *((min(t), max(t)) if range is None else range))
    else:
        edges = beside(bins, t)
        if weights is None:
            counts = _in_bins(flat, edges)
    if weights is not None:
        w = beside(weights, t)
        if w.shape != t.shape:
            raise ValueError(f"histogram: expected weights of shape {t.shape}, got {w.shape}")
        counts = _summed(flat, edges, reshape(w, (t.size,)))
    if density:
        counts = counts / (sum(counts) * diff(edges))
    return counts, edges


def _moving(edges: Tensor, low: Any, high: Any) -> Tensor:
    """The edges, with the gradients of the first and the last one."""
    share = linspace(0, 1, edges.size, dtype=edges.dtype, device=edges.device)
    moving: Tensor = low * (1 - share) + high * share
    return edges + (moving - moving.detach())


def _summed(x: Tensor, edges: Tensor, weights: Tensor) -> Tensor:
    """The sums of weights in bins: what is outside goes to two more bins, before and behind, that are cut off."""
    last = edges.shape[0] - 1
    number = searchsorted(edges, x, side="right")
    number = number - astype(x == edges[last], number.dtype)
    weighed: Tensor = bincount(minimum(number, last + 1), weights, minlength=last + 2)
    return weighed[1 : last + 1]
