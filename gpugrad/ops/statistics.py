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
from ..kernels.shapes import Axis, kept, length, several
from .arithmetic import divide, multiply
from .arithmetic import where as choose
from .beside import beside
from .comparison import isnan
from .creation import asarray, astype, full_like
from .reduction import _shared, mean, spread, sum
from .shaping import broadcast_to, reshape


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
