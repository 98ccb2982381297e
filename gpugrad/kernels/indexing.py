"""Writing at an index, as functions that leave their inputs alone.

Array libraries only write in place; here the write goes to a fresh array, so gradient rules can use it.
"""

from __future__ import annotations

from collections.abc import Sequence
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
def join_at(
    xp: Namespace, parts: tuple[Array, ...], indices: tuple[Any, ...], shape: tuple[int, ...], more: Array | None
) -> Array:
    """The sum of all parts at their indices (slices, integers), and of an array of the whole shape, if there is one."""
    if more is None:
        if len(parts) == 1:
            y: Array = place_at(xp, parts[0], indices[0], shape)
            return y
        beside = _side_by_side(indices, shape)
        if beside is not None:
            axis, order, kept = beside
            pieces = [parts[i] if kept else xp.expand_dims(parts[i], axis=axis) for i in order]
            memory = _in_memory(parts[0], axis, kept)
            back = tuple(memory.index(i) for i in range(len(shape)))
            turned = [xp.permute_dims(piece, memory) for piece in pieces]
            return xp.permute_dims(xp.concatenate(turned, axis=back[axis]), back)
        y = xp.zeros(shape, dtype=parts[0].dtype)
    else:
        dtype = more.dtype if more.dtype == parts[0].dtype else xp.result_type(more.dtype, parts[0].dtype)
        y = xp.array(more, dtype=dtype, copy=True)
    for g, index in zip(parts, indices, strict=True):
        entries = index if type(index) is tuple else (index,)
        place = y[entries if any(e is Ellipsis for e in entries) else (*entries, ...)]
        xp.add(place, g, out=place)
    return y


def _in_memory(part: Array, axis: int, kept: bool) -> tuple[int, ...]:
    """The axes of a value in the order in which those of its part lie in memory; one that the part lacks stays put."""
    strides = part.strides
    ndim = len(strides) + (not kept)
    if not all(strides):
        return tuple(range(ndim))
    order = sorted(range(len(strides)), key=lambda i: (-abs(strides[i]), i))
    if not kept:
        order = [i + (i >= axis) for i in order]
        order.insert(axis, axis)
    return tuple(order)


def _side_by_side(indices: Sequence[Any], shape: tuple[int, ...]) -> tuple[int, list[int], bool] | None:
    """How parts fill an axis: which one, their order along it, and whether they have it; None if they do not."""
    axis = kind = None
    starts: list[tuple[int, int, int]] = []
    for number, index in enumerate(indices):
        entries = index if type(index) is tuple else (index,)
        found = None
        if Ellipsis in entries:
            at = entries.index(Ellipsis)
            entries = (*entries[:at], *[slice(None)] * (len(shape) - len(entries) + 1), *entries[at + 1 :])
        for i, entry in enumerate(entries):
            if type(entry) is slice and entry == slice(None):
                continue
            if found is not None or entry is None or i >= len(shape):
                return None
            found = i
            n = shape[i]
            if type(entry) is slice:
                first, last, step = entry.indices(n)
                if step != 1:
                    return None
            else:
                first, last = entry % n, entry % n + 1
            starts.append((first, last, number))
        if found is None or (number and (found != axis or type(entries[found]) is not kind)):
            return None
        axis, kind = found, type(entries[found])
    assert axis is not None
    starts.sort()
    ends = [0, *(last for _, last, _ in starts)]
    if [first for first, _, _ in starts] != ends[:-1] or ends[-1] != shape[axis]:
        return None
    return axis, [number for _, _, number in starts], kind is slice


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
