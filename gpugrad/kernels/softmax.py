"""Softmax and its logarithm forward and backward: one launch each over the last axis.

Bytes moved, for n elements of s bytes: 2 n s forward (read x, from cache the second and third time, write y), 3 n s
backward (read g and y, write).
"""

from __future__ import annotations

from math import inf, nan

from ..backend import Array, Namespace
from .rows import rows
from .shapes import Axis, kept, length


def top(xp: Namespace, x: Array, axis: Axis) -> Array:
    """The largest elements, with the reduced axes at size 1; of nothing, ``-inf``."""
    if 0 in x.shape and length(x.shape, axis) == 0:
        return xp.full(kept(x.shape, axis), -inf, dtype=x.dtype)
    return xp.max(x, axis=axis, keepdims=True)


def shift_of(xp: Namespace, largest: Array) -> Array:
    """What to subtract: for ``+inf`` NaN and for ``-inf`` 0, so that no ``inf - inf`` is ever computed."""
    return xp.where(largest == inf, nan, xp.where(largest == -inf, 0, largest))


def total_of(xp: Namespace, e: Array, axis: Axis) -> Array:
    """The sum of the exponentials, at least 1; NaN where all are 0."""
    s = xp.sum(e, axis=axis, keepdims=True)
    return xp.where(s == 0, nan, s)


@rows
def softmax_forward(xp: Namespace, x: Array, /, axis: Axis) -> Array:
    """``exp(x - m) / sum exp(x - m)`` with ``m`` the largest element, so that nothing overflows."""
    e = xp.exp(x - shift_of(xp, top(xp, x, axis)))
    return e / total_of(xp, e, axis)


@rows
def softmax_backward(xp: Namespace, g: Array, y: Array, /, axis: Axis) -> Array:
    """``y (g - sum g y)``: the Jacobian ``diag(y) - y y^T`` applied without being made."""
    return y * (g - xp.sum(g * y, axis=axis, keepdims=True))


@rows
def log_softmax_forward(xp: Namespace, x: Array, /, axis: Axis) -> Array:
    """``x - m - log sum exp(x - m)`` with ``m`` the largest element."""
    z = x - shift_of(xp, top(xp, x, axis))
    return z - xp.log(total_of(xp, xp.exp(z), axis))


@rows
def log_softmax_backward(xp: Namespace, g: Array, y: Array, /, axis: Axis) -> Array:
    """``g - exp(y) sum g``."""
    return g - xp.exp(y) * xp.sum(g, axis=axis, keepdims=True)
