"""Sums and their gradients, by the methods of NumPy's arrays: NumPy's functions take twice as long to get there."""

from __future__ import annotations

from typing import Any

from ..backend import BACKENDS, Array, Namespace
from ..backend.dtypes import COMMON
from .shapes import Axis, Shape


def _on_host(x: Any) -> bool:
    owner = BACKENDS.get(type(x))
    return owner is not None and owner.routines


def total(xp: Namespace, x: Array, axis: Axis, dtype: Any, keepdims: bool) -> Array:
    """The sum over ``axis``."""
    if _on_host(x):
        return x.sum(axis=axis, dtype=dtype, keepdims=keepdims)
    return xp.sum(x, axis=axis, dtype=dtype, keepdims=keepdims)


def repeated(xp: Namespace, g: Array, shape: Shape) -> Array:
    """``g`` broadcast to ``shape``, not to be written to."""
    if _on_host(g) and g.size == 1 and g.dtype.num <= COMMON and len(g.shape) <= len(shape):
        view = type(g)(shape, g.dtype, g, 0, (0,) * len(shape))
        view.flags.writeable = False
        return view
    return xp.broadcast_to(g, shape)
