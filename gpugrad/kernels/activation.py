"""ReLU and sigmoid, forward and backward, each in one launch.

Bytes moved, for n elements of s bytes: 2 n s forward (read x, write y), 3 n s backward (read g and y, write).
"""

from __future__ import annotations

from ..backend import Array, Namespace
from .elementwise import elementwise


@elementwise("out = x <= T(0) ? T(0) : x;")  # a NaN stays
def relu_forward(xp: Namespace, x: Array, /) -> Array:
    """``max(x, 0)``. Source: Nair and Hinton 2010."""
    return xp.maximum(x, 0)


@elementwise("out = y <= T(0) ? T(0) : g;")
def relu_backward(xp: Namespace, g: Array, y: Array, /) -> Array:
    """``g`` where ``y > 0``, else exactly 0. Source: ``torch.ops.aten.threshold_backward``."""
    return xp.where(y <= 0, 0, g)


@elementwise("const T e = exp(x > T(0) ? T(0) : x); out = e / (e + exp(x > T(0) ? -x : T(0)));")
def sigmoid_forward(xp: Namespace, x: Array, /) -> Array:
    """``1 / (1 + exp(-x))``, multiplied through by ``exp(min(x, 0))`` so that nothing overflows."""
    e = xp.exp(xp.minimum(x, 0))
    return e / (e + xp.exp(xp.minimum(-x, 0)))


@elementwise("out = g * y * (T(1) - y);")
def sigmoid_backward(xp: Namespace, g: Array, y: Array, /) -> Array:
    """``g y (1 - y)``. Source: CS231n, backpropagation notes, the sigmoid gate."""
    return g * y * (1 - y)
