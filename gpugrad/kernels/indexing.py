"""Writing at an index, as functions that leave their inputs alone.

Array libraries only write in place; here the write goes to a fresh array, so gradient rules can use it.
"""

from __future__ import annotations

from typing import Any

from ..backend import BACKENDS, Array, Namespace
from .indexing_host import add_bags, add_rows, sum_bags
from .kernel import named, seen_whole


def _atomic(function: Any) -> Any:
    """Let a namespace that only writes calls down see the function whole."""

    def call(xp: Namespace, *arguments: Any) -> Any:
        whole = seen_whole(xp)
        return function(xp, *arguments) if whole is None else whole(call, arguments)

    call.__name__ = call.__qualname__ = function.__name__
    call.__doc__ = function.__doc__
    named(function.__name__, call)
    return call


@_atomic
def set_at(xp: Namespace, x: Array, v: Any, index: Any) -> Array:
    """A copy of ``x`` with ``x[index] = v``; of equal indices the last one counts, as in NumPy."""
    y = xp.array(x, copy=True)
    y[index] = v
    return y


@_atomic
def place_at(xp: Namespace, g: Array, index: Any, shape: tuple[int, ...]) -> Array:
    """Zeros of ``shape`` with ``g`` written at ``index``, which names no element twice (slices, integers)."""
    y = xp.zeros(shape, dtype=g.dtype)
    y[index] = g
    return y


@_atomic
def add_at(xp: Namespace, g: Array, index: Any, shape: tuple[int, ...]) -> Array:
    """Zeros of ``shape`` with ``g`` added up at ``index``, whichever elements it names more than once."""
    owner = BACKENDS.get(type(g))
    if owner is not None and owner.routines:
        y = add_rows(g, index, shape)
        if y is not NotImplemented:
            return y
    y = xp.zeros(shape, dtype=g.dtype)
    _add_into(xp, owner, y, index, g)
    return y


@_atomic
def sum_at(xp: Namespace, x: Array, index: Any) -> Array:
    """The rows of ``x`` at an array of indices, summed over the last axis of these."""
    owner = BACKENDS.get(type(x))
    if owner is not None and owner.routines:
        y = sum_bags(x, index)
        if y is not NotImplemented:
            return y
    return xp.sum(x[index], axis=len(index.shape) - 1)


@_atomic
def add_sums_at(xp: Namespace, g: Array, index: Any, shape: tuple[int, ...]) -> Array:
    """The transpose of :func:`sum_at`: each row of ``g`` is added at all indices along the last axis."""
    owner = BACKENDS.get(type(g))
    if owner is not None and owner.routines:
        y = add_bags(g, index, shape)
        if y is not NotImplemented:
            return y
    y = xp.zeros(shape, dtype=g.dtype)
    behind = len(index.shape) - 1
    _add_into(xp, owner, y, index, xp.broadcast_to(xp.expand_dims(g, axis=behind), (*index.shape, *shape[1:])))
    return y


def _add_into(xp: Namespace, owner: Any, y: Array, index: Any, g: Array) -> None:
    if owner is None:
        xp.add.at(y, index, g)
    else:
        owner.add_at(y, index, g)
