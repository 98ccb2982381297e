"""Counts and averages, and reductions that pass over NaN.

``axis`` and ``keepdims`` are as for the reductions. Source: NumPy; ``count_nonzero``: Python array
API standard 2024.12.
"""

from __future__ import annotations

import math
from typing import Any

from .. import backend
from ..backend import Array, Namespace
from ..core import Tensor, modes, primitive
from ..kernels.shapes import Axis, Shape, kept, length, several
from .arithmetic import divide, multiply
from .arithmetic import where as choose
from .beside import beside
from .comparison import isnan
from .corners import over_length
from .creation import asarray, astype, full_like
from .reduction import _shared, mean, prod, spread, sum
from .scans import cumprod, cumsum
from .shaping import broadcast_to, reshape
from .wide import computed_wide


@primitive(batch="reduction")
def count_nonzero(xp: Namespace, x: Array, /, axis: Axis = None, keepdims: bool = False) -> Array:
    """How many elements over ``axis`` are not 0.

    >>> import gpugrad as gg
    >>> gg.count_nonzero(gg.tensor([[1.0, 0.0], [2.0, 3.0]]), axis=0)
    tensor([2, 1])
    """
    count = xp.asarray(xp.count_nonzero(x, axis=axis), dtype=xp.int64)
    return xp.reshape(count, kept(x.shape, axis)) if keepdims else count


count_nonzero.nondifferentiable()


@primitive(batch="reduction", wide=True)
def nansum(xp: Namespace, x: Array, /, axis: Axis = None, keepdims: bool = False) -> Array:
    """The sum of what is not NaN; NaN gets gradient 0, and the sum of nothing is 0.

    >>> import gpugrad as gg
    >>> gg.nansum(gg.tensor([1.0, float('nan'), 2.0]))
    tensor(3.)
    """
    return xp.nansum(x, axis=axis, keepdims=keepdims)


nansum.vjp(x=lambda xp, g, x, x_shape, axis: xp.where(xp.isnan(x), 0, spread(xp, g, x_shape, axis)))


@computed_wide
def nanmean(x: Array, axis: Axis = None, keepdims: bool = False, *, where: Any = True) -> Array:
    """The mean of what is not NaN, and for which ``where`` holds; NaN gets gradient 0, the mean of nothing is NaN.

    >>> import gpugrad as gg
    >>> gg.nanmean(gg.tensor([1.0, float('nan'), 2.0]))
    tensor(1.5)
    """
    x = asarray(x)
    if not backend.is_floating(x.dtype):
        if where is True:
            return mean(x, axis=axis, keepdims=keepdims)
        x = astype(x, modes.get_default_dtype())
    if where is not True:
        x = choose(beside(where, x), x, math.nan)
    holes = count_nonzero(isnan(x), axis=axis, keepdims=keepdims)
    count = astype(length(x.shape, axis) - holes, x.dtype)
    return divide(nansum(x, axis=axis, keepdims=keepdims), choose(count == 0, math.nan, count))


@primitive(batch="reduction")
def nanmax(xp: Namespace, x: Array, /, axis: Axis = None, keepdims: bool = False) -> Array:
    """The largest element over ``axis`` that is not NaN, NaN if there is none; ties share the gradient evenly.

    Raises:
        ValueError: there is nothing to choose from.

    >>> import gpugrad as gg
    >>> gg.nanmax(gg.tensor([1.0, float('nan'), 2.0]))
    tensor(2.)
    """
    return xp.nanmax(x, axis=axis, keepdims=keepdims)


@primitive(batch="reduction")
def nanmin(xp: Namespace, x: Array, /, axis: Axis = None, keepdims: bool = False) -> Array:
    """The smallest element over ``axis`` that is not NaN; as :func:`nanmax`.

    >>> import gpugrad as gg
    >>> gg.nanmin(gg.tensor([1.0, float('nan'), 2.0]))
    tensor(1.)
    """
    return xp.nanmin(x, axis=axis, keepdims=keepdims)


nanmax.vjp(x=_shared)
nanmin.vjp(x=_shared)


def average(
    x: Array, axis: Axis = None, weights: Array | None = None, returned: bool = False, *, keepdims: bool = False
) -> Any:
    """The weighted mean ``sum(w x) / sum(w)`` over ``axis``, differentiable in both.

    Args:
        x: shape ``(...)``.
        axis: None for all.
        weights: the shape of ``x``, or ``(N,)`` for one axis of size N; None for equal weights.
        returned: return the pair of the mean and the sum of the weights.
        keepdims: whether the reduced axes stay with size 1.

    Raises:
        ValueError: the weights have another shape.

    >>> import gpugrad as gg
    >>> gg.average(gg.tensor([1.0, 4.0]), weights=gg.tensor([3.0, 1.0]))
    tensor(1.75)
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    if weights is None:
        y = mean(x, axis=axis, keepdims=keepdims)
        return (y, full_like(y, length(x.shape, axis))) if returned else y
    w = weights if backend.is_array(getattr(weights, "data", weights)) else beside(weights, x)
    if w.shape != x.shape:
        along = () if axis is None else several(axis)
        if len(along) != 1 or w.shape != (length(x.shape, axis),):
            raise ValueError(f"average: expected weights of shape {x.shape} or of one axis, got {w.shape}")
        w = reshape(w, tuple(-1 if i == along[0] % len(x.shape) else 1 for i in range(len(x.shape))))
        w = broadcast_to(w, x.shape)
    total = sum(multiply(x, w), axis=axis, keepdims=keepdims)
    scale = sum(w, axis=axis, keepdims=keepdims)
    y = divide(total, scale)
    return (y, scale) if returned else y


def _with(x: Array, number: float) -> Array:
    """``x`` with a number for NaN."""
    return choose(isnan(x), number, x) if x.dtype.kind in "fc" else x


def nanprod(x: Array, axis: Axis = None, keepdims: bool = False, *, initial: Any = 1, where: Any = True) -> Array:
    """The product of what is not NaN, and for which ``where`` holds, times ``initial``; of nothing, 1.

    >>> import gpugrad as gg
    >>> gg.nanprod(gg.tensor([3.0, float('nan'), 2.0]))
    tensor(6.)
    """
    x = _with(asarray(x), 1)
    if where is not True:
        x = choose(beside(where, x), x, 1)
    y = prod(x, axis=axis, keepdims=keepdims)
    return y if initial is None or (type(initial) is int and initial == 1) else multiply(y, initial)


def nancumsum(x: Array, axis: int | None = None, dtype: Any = None) -> Array:
    """:func:`cumsum` with 0 for NaN.

    >>> import gpugrad as gg
    >>> gg.nancumsum(gg.tensor([3.0, float('nan'), 2.0]))
    tensor([3., 3., 5.])
    """
    return cumsum(_with(asarray(x), 0), axis=axis, dtype=dtype)


def nancumprod(x: Array, axis: int | None = None, dtype: Any = None) -> Array:
    """:func:`cumprod` with 1 for NaN.

    >>> import gpugrad as gg
    >>> gg.nancumprod(gg.tensor([3.0, float('nan'), 2.0]))
    tensor([3., 3., 6.])
    """
    return cumprod(_with(asarray(x), 1), axis=axis, dtype=dtype)


@primitive(batch="reduction", wide=True)
def nanvar(xp: Namespace, x: Array, /, axis: Axis = None, correction: float = 0, keepdims: bool = False) -> Array:
    """The variance of what is not NaN, as :func:`var`; NaN where no more than ``correction`` elements are left.

    >>> import gpugrad as gg
    >>> gg.nanvar(gg.tensor([1.0, float('nan'), 3.0]))
    tensor(1.)
    """
    function = xp.nanvar if backend.is_floating(x.dtype) else xp.var
    return function(x, axis=axis, ddof=correction, keepdims=keepdims)


def _centred(xp: Namespace, x: Array, axis: Axis, correction: float) -> Array:
    """``(x - mean) / (n - correction)``, 0 for NaN; of complex numbers the conjugate."""
    there = xp.logical_not(xp.isnan(x))
    count = xp.sum(xp.astype(there, x.dtype), axis=axis, keepdims=True)
    mean = xp.sum(xp.where(there, x, 0), axis=axis, keepdims=True) / count
    free = count - correction
    centred = xp.where(there, x - mean, 0) / xp.where(free > 0, free, math.nan)
    return xp.conj(centred) if x.dtype.kind == "c" else centred


nanvar.vjp(
    x=lambda xp, g, x, x_shape, axis, correction: (
        2 * xp.reshape(g, kept(x_shape, axis)) * _centred(xp, x, axis, correction)
    )
)


@primitive(batch="reduction", wide=True)
def nanstd(xp: Namespace, x: Array, /, axis: Axis = None, correction: float = 0, keepdims: bool = False) -> Array:
    """The standard deviation of what is not NaN, the root of :func:`nanvar`; gradients as of :func:`std`.

    >>> import gpugrad as gg
    >>> gg.nanstd(gg.tensor([1.0, float('nan'), 3.0]))
    tensor(1.)
    """
    function = xp.nanstd if backend.is_floating(x.dtype) else xp.std
    return function(x, axis=axis, ddof=correction, keepdims=keepdims)


def _nanstd_x(xp: Namespace, g: Array, x: Array, y: Array, x_shape: Shape, axis: Axis, correction: float) -> Array:
    small = kept(x_shape, axis)
    y, g = xp.reshape(y, small), xp.reshape(g, small)
    return over_length(xp, _centred(xp, x, axis, correction), g, y, x)


nanstd.vjp(x=_nanstd_x)


@primitive(batch="line")
def nanargmax(xp: Namespace, x: Array, /, axis: int | None = None, keepdims: bool = False) -> Array:
    """The index of the first largest element that is not NaN over ``axis`` (of the flattened tensor for None).

    Raises:
        ValueError: there is nothing but NaN (on the CPU; a GPU is not waited for).

    >>> import gpugrad as gg
    >>> gg.nanargmax(gg.tensor([1.0, float('nan'), 3.0]))
    tensor(2)
    """
    return xp.nanargmax(x, axis=axis, keepdims=keepdims)


nanargmax.nondifferentiable()


@primitive(batch="line")
def nanargmin(xp: Namespace, x: Array, /, axis: int | None = None, keepdims: bool = False) -> Array:
    """The index of the first smallest element that is not NaN; as :func:`nanargmax`.

    >>> import gpugrad as gg
    >>> gg.nanargmin(gg.tensor([2.0, float('nan'), 3.0]))
    tensor(0)
    """
    return xp.nanargmin(x, axis=axis, keepdims=keepdims)


nanargmin.nondifferentiable()
