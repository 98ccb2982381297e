"""Softmax and its logarithm over the last axis, forward and backward: one launch each.

Bytes moved, for n elements of s bytes: 2 n s forward (read x, from cache the second and third time, write y), 3 n s
backward (read g and y, write).
"""

from __future__ import annotations

from ..backend import Array, Namespace
from .rows import rows


@rows(reduce=(("m", "max", "x"), ("s", "sum", "exp(x - m)")), out="exp(x - m) / s")
def softmax_forward(xp: Namespace, x: Array, /) -> Array:
    """``exp(x - m) / sum exp(x - m)`` with ``m`` the row's maximum, so that nothing overflows."""
    e = xp.exp(x - xp.max(x, axis=-1, keepdims=True))
    return e / xp.sum(e, axis=-1, keepdims=True)


@rows(reduce=(("d", "sum", "g * y"),), out="y * (g - d)")
def softmax_backward(xp: Namespace, g: Array, y: Array, /) -> Array:
    """``y (g - sum g y)``: the Jacobian ``diag(y) - y y^T`` applied without being made."""
    return y * (g - xp.sum(g * y, axis=-1, keepdims=True))


@rows(reduce=(("m", "max", "x"), ("s", "sum", "exp(x - m)")), out="x - m - log(s)")
def log_softmax_forward(xp: Namespace, x: Array, /) -> Array:
    """``x - m - log sum exp(x - m)`` with ``m`` the row's maximum."""
    shifted = x - xp.max(x, axis=-1, keepdims=True)
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=-1, keepdims=True))


@rows(reduce=(("d", "sum", "g"),), out="g - exp(y) * d")
def log_softmax_backward(xp: Namespace, g: Array, y: Array, /) -> Array:
    """``g - exp(y) sum g``."""
    return g - xp.exp(y) * xp.sum(g, axis=-1, keepdims=True)
