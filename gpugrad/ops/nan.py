"""More reductions and scans that pass over NaN, which gets gradient 0; see ``statistics`` for the first of them.

Source: NumPy.
"""

from __future__ import annotations

import math
from typing import Any

from .. import backend
from ..backend import Array, Namespace
from ..core import primitive
from ..kernels.shapes import Axis, Shape, kept
from .arithmetic import multiply
from .arithmetic import where as choose
from .beside import beside
from .comparison import isnan
from .corners import over_length
from .creation import asarray
from .reduction import prod
from .scans import cumprod, cumsum


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


@primitive(batch="reduction")
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


@primitive(batch="reduction")
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
