"""Reductions over axes, and what their gradients have in common: going back to the shape before.

``axis`` is None (all), an integer or a tuple; negative ones count from the end. With ``keepdims`` the reduced axes stay
with size 1. An axis that is not there raises ValueError. Sums and products of integers shorter than int64 are of int64
or uint64; means and variances of integers are of the default floating-point dtype. Source: Python array API standard
2024.12.
"""

from __future__ import annotations

import math

from ..backend import Array, Namespace
from ..backend.dtypes import COMMON, float32
from ..core import modes, primitive
from ..kernels.reductions import repeated, total
from ..kernels.scan import exclusive_product
from ..kernels.shapes import Axis, Shape, axes, kept, length
from ..kernels.wide import rounded, short, wider
from .corners import over_length


def spread(xp: Namespace, g: Array, shape: Shape, axis: Axis) -> Array:
    """The gradient of a reduction, repeated over the axes that were reduced."""
    return repeated(xp, g if axis is None else xp.reshape(g, kept(shape, axis)), shape)


@primitive(batch="reduction", cast="float32")
def sum(xp: Namespace, x: Array, /, axis: Axis = None, dtype: object = None, keepdims: bool = False) -> Array:
    """The sum over ``axis``; each element gets the gradient of its sum. The sum of nothing is 0.

    >>> import gpugrad as gg
    >>> gg.sum(gg.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    tensor([4., 6.])
    """
    if x.dtype.num > COMMON and dtype is None and short(x):
        return rounded(xp, xp.sum(x, axis=axis, dtype=float32, keepdims=keepdims), x.dtype)
    return total(xp, x, axis, dtype, keepdims)


sum.vjp(x=lambda xp, g, x_shape, axis: spread(xp, g, x_shape, axis))


def _floating(xp: Namespace, y: Array, x: Array) -> Array:
    """A mean in the default floating-point dtype, if it is one of integers; libraries take float64 for these."""
    return xp.astype(xp.asarray(y), modes.get_default_dtype()) if x.dtype.kind in "biu" else y


@primitive(batch="reduction")
def mean(xp: Namespace, x: Array, /, axis: Axis = None, keepdims: bool = False) -> Array:
    """The mean over ``axis``; each of n elements gets ``g / n``.

    >>> import gpugrad as gg
    >>> gg.mean(gg.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=1)
    tensor([1.5, 3.5])
    """
    if x.dtype.num > COMMON and short(x):
        return rounded(xp, xp.mean(x, axis=axis, dtype=float32, keepdims=keepdims), x.dtype)
    return _floating(xp, xp.mean(x, axis=axis, keepdims=keepdims), x)


def _mean_x(xp: Namespace, g: Array, x_shape: Shape, axis: Axis) -> Array:
    n = length(x_shape, axis) or 1
    share = rounded(xp, wider(xp, g) / n, g.dtype) if short(g) else g / n  # in float16, 65520 is infinite
    return spread(xp, share, x_shape, axis)


mean.vjp(x=_mean_x)


@primitive(batch="reduction")
def max(xp: Namespace, x: Array, /, axis: Axis = None, keepdims: bool = False) -> Array:
    """The largest element over ``axis``; equal largest elements share the gradient evenly.

    NaN wins. Source of the convention: ``torch.amax``.

    Raises:
        ValueError: there is nothing to choose from.

    >>> import gpugrad as gg
    >>> gg.max(gg.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    tensor([3., 4.])
    """
    return xp.max(x, axis=axis, keepdims=keepdims)


@primitive(batch="reduction")
def min(xp: Namespace, x: Array, /, axis: Axis = None, keepdims: bool = False) -> Array:
    """The smallest element over ``axis``; gradients as for :func:`max`.

    >>> import gpugrad as gg
    >>> gg.min(gg.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    tensor([1., 2.])
    """
    return xp.min(x, axis=axis, keepdims=keepdims)


def _shared(xp: Namespace, g: Array, x: Array, y: Array, x_shape: Shape, axis: Axis) -> Array:
    small = kept(x_shape, axis)
    y = xp.reshape(y, small)
    chosen = (x == y) | (xp.isnan(x) & xp.isnan(y))
    g = wider(xp, g)
    count = xp.sum(xp.astype(chosen, g.dtype), axis=axis, keepdims=True)
    return xp.where(chosen, xp.reshape(g, small) / count, 0)


max.vjp(x=_shared)
min.vjp(x=_shared)


@primitive(batch="reduction", cast="float32")
def prod(xp: Namespace, x: Array, /, axis: Axis = None, dtype: object = None, keepdims: bool = False) -> Array:
    """The product over ``axis``; each element gets ``g`` times the product of the others, zeros or not.

    The product of nothing is 1.

    >>> import gpugrad as gg
    >>> x = gg.tensor([2.0, 0.0, 3.0], requires_grad=True)
    >>> gg.prod(x).backward()
    >>> x.grad
    tensor([0., 6., 0.])
    """
    if x.dtype.num > COMMON and dtype is None and short(x):
        return rounded(xp, xp.prod(x, axis=axis, dtype=float32, keepdims=keepdims), x.dtype)
    return xp.prod(x, axis=axis, dtype=dtype, keepdims=keepdims)


def _prod_x(xp: Namespace, g: Array, x: Array, x_shape: Shape, axis: Axis) -> Array:
    reduced = axes(axis, len(x_shape))
    x = wider(xp, x)
    order = tuple(i for i in range(len(x_shape)) if i not in reduced) + reduced
    moved = xp.permute_dims(x, order)
    rows = xp.reshape(moved, (*moved.shape[: len(order) - len(reduced)], length(x_shape, axis)))
    others = xp.reshape(exclusive_product(xp, rows), moved.shape)
    back = tuple(sorted(range(len(order)), key=order.__getitem__))
    return xp.reshape(g, kept(x_shape, axis)) * xp.permute_dims(others, back)


prod.vjp(x=_prod_x)


@primitive(batch="reduction", wide=True)
def var(xp: Namespace, x: Array, /, axis: Axis = None, correction: float = 0, keepdims: bool = False) -> Array:
    """The variance over ``axis``: ``sum(|x - mean|^2) / (n - correction)``, real for complex numbers too.

    Each element gets ``2 g (x - mean) / (n - correction)``. A Tensor as the correction gets its gradient too.

    >>> import gpugrad as gg
    >>> gg.var(gg.tensor([1.0, 2.0, 3.0, 6.0]), correction=1)
    tensor(4.6666665)
    """
    return _floating(xp, xp.var(x, axis=axis, ddof=correction, keepdims=keepdims), x)


def _centred(xp: Namespace, x: Array, x_shape: Shape, axis: Axis, correction: float) -> Array:
    free = length(x_shape, axis) - correction
    centred = x - xp.mean(x, axis=axis, keepdims=True)
    return (xp.conj(centred) if x.dtype.kind == "c" else centred) * (1 / free if free > 0 else math.nan)


var.vjp(
    x=lambda xp, g, x, x_shape, axis, correction: (
        2 * xp.reshape(g, kept(x_shape, axis)) * _centred(xp, x, x_shape, axis, correction)
    )
)


@primitive(batch="reduction", wide=True)
def std(xp: Namespace, x: Array, /, axis: Axis = None, correction: float = 0, keepdims: bool = False) -> Array:
    """The standard deviation over ``axis``, the root of :func:`var`.

    Where it is 0, so is the gradient, and there is no second derivative: that is NaN.

    Source of the convention: ``torch.std``.

    >>> import gpugrad as gg
    >>> gg.std(gg.tensor([1.0, 2.0, 3.0, 6.0]))
    tensor(1.8708287)
    """
    return _floating(xp, xp.std(x, axis=axis, ddof=correction, keepdims=keepdims), x)


def _std_x(xp: Namespace, g: Array, x: Array, y: Array, x_shape: Shape, axis: Axis, correction: float) -> Array:
    small = kept(x_shape, axis)
    y, g = xp.reshape(y, small), xp.reshape(g, small)
    return over_length(xp, _centred(xp, x, x_shape, axis, correction), g, y, x)


std.vjp(x=_std_x)


@primitive(batch="line")
def argmax(xp: Namespace, x: Array, /, axis: int | None = None, keepdims: bool = False) -> Array:
    """The index of the first largest element over ``axis`` (of the flattened tensor for None).

    >>> import gpugrad as gg
    >>> gg.argmax(gg.tensor([1.0, 5.0, 2.0]))
    tensor(1)
    """
    return xp.argmax(x, axis=axis, keepdims=keepdims)


argmax.nondifferentiable()


@primitive(batch="line")
def argmin(xp: Namespace, x: Array, /, axis: int | None = None, keepdims: bool = False) -> Array:
    """The index of the first smallest element over ``axis`` (of the flattened tensor for None).

    >>> import gpugrad as gg
    >>> gg.argmin(gg.tensor([3.0, 5.0, 2.0]))
    tensor(2)
    """
    return xp.argmin(x, axis=axis, keepdims=keepdims)


argmin.nondifferentiable()


@primitive(batch="reduction")
def all(xp: Namespace, x: Array, /, axis: Axis = None, keepdims: bool = False) -> Array:
    """Whether all elements over ``axis`` are true (not 0).

    >>> import gpugrad as gg
    >>> gg.all(gg.tensor([True, False]))
    tensor(False)
    """
    return xp.all(x, axis=axis, keepdims=keepdims)


all.nondifferentiable()


@primitive(batch="reduction")
def any(xp: Namespace, x: Array, /, axis: Axis = None, keepdims: bool = False) -> Array:
    """Whether any element over ``axis`` is true (not 0).

    >>> import gpugrad as gg
    >>> gg.any(gg.tensor([True, False]))
    tensor(True)
    """
    return xp.any(x, axis=axis, keepdims=keepdims)


any.nondifferentiable()
