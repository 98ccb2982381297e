"""Tensors put together of others: blocks, insertions, deletions; axes turned and moved.

Source: NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..backend import Array
from ..core import Tensor
from ..kernels.shapes import several
from .axes import moveaxis, ravel
from .beside import beside
from .creation import asarray, zeros
from .nested import together
from .selection import nonzero
from .shaping import broadcast_to, concat, expand_dims, reshape, stack, unstack, which_axis

Position = int | slice | Sequence[int] | Array


# -------------------------------------------------------------------- joining


def append(x: Array, values: Array, axis: int | None = None) -> Array:
    """``values`` behind ``x`` along ``axis``, or (None) both flattened.

    Raises:
        ValueError: the other axes differ.

    >>> import gpugrad as gg
    >>> gg.append(gg.tensor([1.0, 2.0]), [3.0])
    tensor([1., 2., 3.])
    """
    x, values = together("append", x, values)
    if axis is None:
        return concat([ravel(x), ravel(values)])
    return concat([x, values], axis=axis)


def block(arrays: Any) -> Array:
    """Nested lists of tensors as one: the innermost lists are joined along the last axis, those around them along the
    last but one, and so on.

    Raises:
        ValueError: the lists are not nested to one depth, or empty, or the shapes do not fit.

    >>> import gpugrad as gg
    >>> gg.block([[gg.ones((2, 2)), gg.zeros((2, 1))], [gg.zeros((1, 2)), gg.tensor([[5.0]])]])
    tensor([[1., 1., 0.],
            [1., 1., 0.],
            [0., 0., 5.]])
    """
    depth, ndim = _depth(arrays)
    return _joined(arrays, depth, max(depth, ndim), [*_tensors(arrays)])


def _tensors(part: Any) -> Iterator[Any]:
    if isinstance(part, list):
        for inner in part:
            yield from _tensors(inner)
    elif hasattr(part, "dtype"):
        yield part


def _depth(part: Any) -> tuple[int, int]:
    """How deeply nested, and the most axes of what is inside."""
    if not isinstance(part, list):
        return 0, len(getattr(part, "shape", ()))
    found = [_depth(inner) for inner in part]
    if not found or len({depth for depth, _ in found}) != 1:
        raise ValueError("block: expected lists of tensors that are all nested to one depth, and none empty")
    return found[0][0] + 1, max(ndim for _, ndim in found)


def _joined(part: Any, depth: int, ndim: int, others: list[Any]) -> Array:
    if not depth:
        t = asarray(together("block", part, *others)[0])
        return reshape(t, (1,) * (ndim - t.ndim) + t.shape)
    return concat([_joined(inner, depth - 1, ndim, others) for inner in part], axis=-depth)


def insert(x: Array, index: Position, values: Array, axis: int | None = None) -> Array:
    """``x`` with ``values`` before the elements at ``index`` along ``axis`` (None: flattened).

    Args:
        x: shape ``(..., N, ...)``.
        index: one place, to which all of ``values`` goes, or several, or a slice, one value for each; all of them
            places in ``x`` as it was, from -N to N.
        values: a number or what broadcasts to the place; takes the dtype of ``x``.
        axis: along which.

    Raises:
        IndexError: out of bounds.

    >>> import gpugrad as gg
    >>> gg.insert(gg.tensor([1.0, 2.0, 3.0]), 1, 9.0), gg.insert(gg.tensor([1.0, 2.0]), [0, 2], [8.0, 9.0])
    (tensor([1., 9., 2., 3.]), tensor([8., 1., 2., 9.]))
    """
    t = x if isinstance(x, Tensor) else asarray(x)
    t, axis = (t if t.ndim == 1 else ravel(t), 0) if axis is None else (t, which_axis("insert", axis, t.ndim))
    n = t.shape[axis]
    single = isinstance(index, int) or getattr(index, "shape", None) == ()
    places = _places("insert", index, n, n)
    v = beside(values, t, t.dtype)
    if single:
        v = reshape(v, (1,) * (t.ndim - v.ndim) + v.shape)
        v = moveaxis(v, 0, axis)
    many = v.shape[axis] if single else len(places)
    v = broadcast_to(v, (*t.shape[:axis], many, *t.shape[axis + 1 :]))
    parts, done = [], 0
    order = sorted(range(len(places)), key=places.__getitem__)
    for i in order:
        parts += [_slice(t, axis, done, places[i]), v if single else _slice(v, axis, i, i + 1)]
        done = places[i]
    return concat([*parts, _slice(t, axis, done, n)], axis=axis)


def delete(x: Array, index: Position, axis: int | None = None) -> Array:
    """``x`` without the elements at ``index`` along ``axis`` (None: flattened); they get gradient 0.

    Args:
        x: shape ``(..., N, ...)``.
        index: one place, several, a slice, or a mask of booleans.
        axis: along which.

    Raises:
        IndexError: out of bounds.

    >>> import gpugrad as gg
    >>> gg.delete(gg.tensor([1.0, 2.0, 3.0]), [0, -1])
    tensor([2.])
    """
    t = x if isinstance(x, Tensor) else asarray(x)
    t, axis = (t if t.ndim == 1 else ravel(t), 0) if axis is None else (t, which_axis("delete", axis, t.ndim))
    n = t.shape[axis]
    parts, done = [], 0
    for place in sorted(set(_places("delete", index, n, n - 1))):
        if place > done:
            parts.append(_slice(t, axis, done, place))
        done = place + 1
    return concat([*parts, _slice(t, axis, done, n)], axis=axis)


def trim_zeros(x: Array, trim: str = "fb", axis: int | Sequence[int] | None = None) -> Array:
    """The smallest box of ``x`` outside of which everything is 0; the zeros cut off get gradient 0.

    The GPU is waited for, since the shape depends on values.

    Args:
        x: shape ``(...)``.
        trim: "f" to cut at the front, "b" at the back, "fb" at both ends.
        axis: cut along this axis, or several; None for all.

    Raises:
        ValueError: another ``trim``, or no such axis.

    >>> import gpugrad as gg
    >>> gg.trim_zeros(gg.tensor([0.0, 3.0, 0.0, 2.0, 0.0]))
    tensor([3., 0., 2.])
    """
    ends = trim.lower()
    if ends not in ("fb", "bf", "f", "b"):
        raise ValueError(f"trim_zeros: expected trim 'f', 'b' or 'fb', got {trim!r}")
    t = x if isinstance(x, Tensor) else asarray(x)
    chosen = range(t.ndim) if axis is None else several(axis)
    trimmed = {which_axis("trim_zeros", i, t.ndim) for i in chosen}
    box = []
    for i, places in enumerate(nonzero(t) if t.ndim else ()):
        if i not in trimmed:
            box.append(slice(None))
        elif not places.shape[0]:
            box.append(slice(0, 0))
        else:
            front, back = int(places.min()), int(places.max()) + 1
            box.append(slice(front if "f" in ends else 0, back if "b" in ends else t.shape[i]))
    return t[tuple(box)]


def _places(name: str, index: Any, n: int, last: int) -> list[int]:
    """Places from 0 to ``last`` along an axis of n elements; the host reads a tensor of them."""
    if isinstance(index, slice):
        return list(range(*index.indices(n)))
    found = index.tolist() if hasattr(index, "tolist") else index
    listed = list(found) if isinstance(found, list | tuple | range) else [found]
    listed = [i.item() if hasattr(i, "item") else i for i in listed]
    if listed and all(isinstance(i, bool) for i in listed):
        if len(listed) != n:
            raise IndexError(f"{name}: expected {n} booleans, got {len(listed)}")
        return [i for i, chosen in enumerate(listed) if chosen]
    for i in listed:
        if not isinstance(i, int) or not -n <= i <= last:
            raise IndexError(f"{name}: index {i} is out of bounds for an axis of size {n}")
    return [i + n if i < 0 else i for i in listed]


def _slice(x: Array, axis: int, start: int, stop: int) -> Array:
    return x[(*(slice(None),) * axis, slice(start, stop))]


def apply_along_axis(function: Callable[..., Any], axis: int, x: Array, *args: Any, **kwargs: Any) -> Array:
    """What a function of vectors gives for each vector along an axis, put together; one call for each.

    Args:
        function: of a tensor of shape ``(N,)``; its results, of one shape, take the place of the axis.
        axis: along which.
        x: shape ``(..., N, ...)``.
        args: more arguments of the function.
        kwargs: the same by name.

    Raises:
        ValueError: the axis is not there, or there are no vectors.

    >>> import gpugrad as gg
    >>> gg.apply_along_axis(lambda v: v[1:] * v[0], 1, gg.tensor([[2.0, 3.0], [4.0, 5.0]]))
    tensor([[ 6.],
            [20.]])
    """
    t = asarray(x)
    axis = which_axis("apply_along_axis", axis, t.ndim)
    moved = moveaxis(t, axis, -1)
    outside = moved.shape[:-1]
    rows = unstack(reshape(moved, (math.prod(outside), t.shape[axis])))
    if not rows:
        raise ValueError(f"apply_along_axis: expected at least one vector along axis {axis} of shape {t.shape}")
    found = [beside(function(row, *args, **kwargs), t) for row in rows]
    y = reshape(stack(found), outside + found[0].shape)
    inner = tuple(range(len(outside), y.ndim))
    return moveaxis(y, inner, tuple(range(axis, axis + len(inner))))


def apply_over_axes(function: Callable[..., Any], x: Array, axes: int | Sequence[int]) -> Array:
    """Apply a reduction along one axis after another; each keeps its axis, with size 1.

    Args:
        function: called as ``function(x, axis)``. Its result has the axes of its argument, or all but ``axis``.
        x: shape ``(...)``.
        axes: one axis or several, in this order.

    Returns:
        A tensor with as many axes as ``x``. Source: ``numpy.apply_over_axes``.

    Raises:
        ValueError: the axis does not exist, or the result has another number of axes.

    >>> import gpugrad as gg
    >>> gg.apply_over_axes(gg.sum, gg.tensor([[1.0, 2.0], [3.0, 4.0]]), [0, 1])
    tensor([[10.]])
    """
    y = asarray(x)
    for given in several(axes):
        axis = which_axis("apply_over_axes", given, y.ndim)
        part = beside(function(y, axis), y)
        if part.ndim not in (y.ndim, y.ndim - 1):
            raise ValueError(
                f"apply_over_axes: expected a result with {y.ndim} axes, or {y.ndim - 1}, got shape {part.shape}"
            )
        y = part if part.ndim == y.ndim else expand_dims(part, axis=axis)
    return y


def resize(x: Array, shape: int | tuple[int, ...], /) -> Tensor:
    """The elements in row-major order in another shape, cut off or, if there are too few, begun again.

    >>> import gpugrad as gg
    >>> gg.resize(gg.tensor([1.0, 2.0, 3.0]), (2, 2))
    tensor([[1., 2.],
            [3., 1.]])
    """
    t = ravel(asarray(x))
    wanted = several(shape)
    size = math.prod(wanted)
    if not t.size:
        return zeros(wanted, dtype=t.dtype, device=t.device)
    if size > t.size:
        times = -(-size // t.size)
        t = reshape(broadcast_to(t, (times, t.size)), (times * t.size,))
    return reshape(t[:size] if size < t.size else t, wanted)
