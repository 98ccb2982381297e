"""Helpers for gradient rules of functions that broadcast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .... import numpy as np


def unbroadcast(x: Any, target_meta: Any, broadcast_idx: int = 0) -> Any:
    """A gradient summed over the axes along which its variable was broadcast.

    Args:
        x: the gradient.
        target_meta: ``(shape, ndim, dtype, iscomplex)`` of the variable, as :func:`metadata` gives it.
        broadcast_idx: the axis before which new axes came.
    """
    shape, ndim, _, iscomplex = target_meta
    while np.ndim(x) > ndim:
        x = np.sum(x, axis=broadcast_idx)
    for axis, size in enumerate(shape):
        if size == 1:
            x = np.sum(x, axis=axis, keepdims=True)
    return x if iscomplex or not np.iscomplexobj(x) else np.real(x)


def metadata(x: Any) -> tuple[Any, ...]:
    """Shape, number of axes, dtype, and whether complex."""
    return np.shape(x), np.ndim(x), np.result_type(x), np.iscomplexobj(x)


def unbroadcast_f(target: Any, f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A rule whose result is summed to the shape of ``target``."""
    meta = metadata(target)
    return lambda g: unbroadcast(f(g), meta)


def balanced_eq(x: Any, z: Any, y: Any) -> Any:
    """1 where ``x`` equals ``z``, shared where ``y`` does too."""
    return (x == z) / (1.0 + (x == y))


def replace_zero(x: Any, val: Any) -> Any:
    """``x``, with another value for zeros."""
    return np.where(x, x, val)
