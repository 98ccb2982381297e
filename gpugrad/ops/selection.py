"""Choosing elements: by position, by order, by value.

Positions are integers and constants; the gradient of a chosen element goes back to where it was. Source: Python array
API standard 2024.12; ``put_along_axis`` is NumPy's, as a function, and ``topk`` PyTorch's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..backend import Array, Namespace
from ..backend.dtypes import complex64, complex128
from ..core import Tensor, primitive
from ..kernels.shapes import several
from .arithmetic import clip, floor_divide, remainder
from .creation import arange, asarray, astype
from .dims import takes_dim
from .indexing import getitem, set_at
from .nested import together
from .shaping import column_major, permute_dims, reshape, which_axis


def take(x: Array, indices: Array, /, axis: int | None = None, *, mode: str = "raise") -> Tensor:
    """The elements of ``x`` at ``indices`` along ``axis`` (None: flattened).

    Args:
        x: shape ``(...)``.
        indices: integers of any shape, which takes the place of the axis.
        axis: along which.
        mode: for indices out of bounds: "raise", "wrap" around, or "clip" to the nearest (negative ones to 0).

    Raises:
        IndexError: out of bounds, or no such axis.
        ValueError: another mode.

    >>> import gpugrad as gg
    >>> gg.take(gg.tensor([[1.0, 2.0], [3.0, 4.0]]), gg.tensor([1, 1]), axis=0)
    tensor([[3., 4.],
            [3., 4.]])
    """
    t = asarray(x)
    if mode != "raise":
        indices = in_range("take", indices, t.size if axis is None else t.shape[which_axis("take", axis, t.ndim)], mode)
    if axis is None:
        return getitem(t if t.ndim == 1 else reshape(t, (-1,)), (indices,))
    return getitem(t, (*(slice(None),) * which_axis("take", axis, t.ndim), indices))


def in_range(name: str, indices: Array, size: int, mode: str) -> Array:
    """Indices from 0 to ``size - 1``: those out of bounds wrapped around or clipped.

    >>> import gpugrad as gg
    >>> in_range("take", gg.tensor([-1, 5]), 3, "wrap")
    tensor([2, 2])
    """
    if mode not in ("raise", "wrap", "clip"):
        raise ValueError(f"{name}: expected mode 'raise', 'wrap', 'clip', got {mode!r}")
    if not size and mode == "wrap":
        raise IndexError(f"{name}: there is nothing to take along an axis of size 0")
    number = asarray(indices)
    if mode == "raise":
        return number
    return remainder(number, size) if mode == "wrap" else clip(number, 0, size - 1)


def _along(name: str, x: Tensor, indices: Array, axis: int) -> tuple[Any, ...]:
    """The index that reads from ``x`` at ``indices`` along ``axis`` and straight on along the others."""
    if len(indices.shape) != x.ndim:
        raise ValueError(f"expected indices with {x.ndim} axes, as the tensor has, got shape {indices.shape}")
    own = which_axis(name, axis, x.ndim)
    return tuple(
        indices if i == own
        else reshape(arange(n, device=x.device), tuple(-1 if k == i else 1 for k in range(x.ndim)))
        for i, n in enumerate(x.shape)
    )  # fmt: skip


def sliding_window_view(x: Array, window_shape: int | tuple[int, ...], axis: Any = None) -> Array:
    """All windows of a size along one axis or several, as more axes at the end; a copy, not a view.

    Args:
        x: shape ``(..., N, ...)``.
        window_shape: sizes, one for each axis.
        axis: one, several (one may be named twice), or None for all.

    Raises:
        ValueError: not one size for each axis, or one that is negative or above that of its axis.

    Source: ``numpy.lib.stride_tricks.sliding_window_view``.

    >>> import gpugrad as gg
    >>> gg.sliding_window_view(gg.tensor([1.0, 2.0, 3.0]), 2)
    tensor([[1., 2.],
            [2., 3.]])
    """
    t = asarray(x)
    sizes = several(window_shape)
    axes = range(t.ndim) if axis is None else several(axis)
    along = [which_axis("sliding_window_view", a, t.ndim) for a in axes]
    if len(along) != len(sizes):
        raise ValueError(f"sliding_window_view: expected a size for each of {len(along)} axes, got {sizes}")
    for own, size in zip(along, sizes, strict=True):
        if not 0 <= size <= t.shape[own]:
            raise ValueError(f"sliding_window_view: expected sizes from 0 to {t.shape[own]} for axis {own}, got {size}")
        starts = arange(t.shape[own] - size + 1, device=t.device)
        windows = take(t, reshape(starts, (-1, 1)) + arange(size, device=t.device), axis=own)
        order = [i for i in range(windows.ndim) if i != own + 1]
        t = permute_dims(windows, (*order, own + 1))
    return t


def unravel_index(indices: Array, shape: int | tuple[int, ...], order: str = "C") -> tuple[Array, ...]:
    """Positions in the flattened array as one tensor of indices for each axis; what ``argmax`` gives, taken apart.

    Out of bounds, on the GPU too, is an error of whatever is indexed with them.

    >>> import gpugrad as gg
    >>> gg.unravel_index(gg.tensor([1, 5]), (2, 3))
    (tensor([0, 1]), tensor([1, 2]))
    """
    sizes = several(shape)
    rest, found = asarray(indices), []
    for i, size in enumerate(sizes if column_major("unravel_index", order) else sizes[::-1]):
        last = i == len(sizes) - 1
        found.append(rest if last else remainder(rest, size))
        rest = rest if last else floor_divide(rest, size)
    return tuple(found if column_major("unravel_index", order) else found[::-1])


def take_along_axis(x: Array, indices: Array, /, axis: int | None = -1) -> Array:
    """``x`` at one index for each place along the other axes: what ``argsort`` and ``argmax`` give, read out.

    Args:
        x: shape ``(..., N, ...)``.
        indices: integers of shape ``(..., K, ...)``; the other axes broadcast.
        axis: which has the sizes N and K; None for the flattened ``x`` and indices of shape ``(K,)``.

    Raises:
        ValueError: another number of axes.
        IndexError: out of bounds.

    >>> import gpugrad as gg
    >>> gg.take_along_axis(gg.tensor([[1.0, 2.0], [3.0, 4.0]]), gg.tensor([[1], [0]]), axis=1)
    tensor([[2.],
            [3.]])
    """
    t = asarray(x)
    t, axis = (reshape(t, (t.size,)), 0) if axis is None else (t, axis)
    indices = indices if hasattr(indices, "shape") else asarray(indices, device=t.device)
    return getitem(t, _along("take_along_axis", t, indices, axis))


def put_along_axis(x: Array, indices: Array, values: Array, /, axis: int | None = -1) -> Tensor:
    """``x`` with ``values`` in the places that :func:`take_along_axis` reads, as a new tensor of the same shape.

    Raises:
        ValueError: another number of axes.
        IndexError: out of bounds.

    >>> import gpugrad as gg
    >>> gg.put_along_axis(gg.zeros((2, 2)), gg.tensor([[1], [0]]), 5.0, axis=1)
    tensor([[0., 5.],
            [5., 0.]])
    """
    t = asarray(x)
    indices = indices if hasattr(indices, "shape") else asarray(indices, device=t.device)
    if axis is None:
        return reshape(set_at(reshape(t, (t.size,)), (indices,), values), t.shape)
    return set_at(t, _along("put_along_axis", t, indices, axis), values)


# -------------------------------------------------------------------- order


@primitive(batch="line")
def argsort(
    xp: Namespace, x: Array, /, axis: int | None = -1, *, descending: bool = False, stable: bool = True
) -> Array:
    """The positions of the elements of ``x`` in increasing order along ``axis`` (None: flattened).

    Equal ones keep their order.

    >>> import gpugrad as gg
    >>> gg.argsort(gg.tensor([3.0, 1.0, 2.0, 1.0]))
    tensor([1, 3, 2, 0])
    """
    x, axis = (xp.reshape(x, (math.prod(x.shape),)), 0) if axis is None else (x, axis)
    kind = "stable" if stable else None
    if not descending:
        return xp.argsort(x, axis=axis, kind=kind)
    backwards = xp.argsort(xp.flip(x, axis=axis), axis=axis, kind=kind)
    return x.shape[axis] - 1 - xp.flip(backwards, axis=axis)


argsort.nondifferentiable()


@primitive(batch="line")
def sort(xp: Namespace, x: Array, /, axis: int | None = -1, *, descending: bool = False, stable: bool = True) -> Array:
    """The elements of ``x`` in increasing order along ``axis`` (None: flattened).

    The gradient goes back by the same permutation. Of equal elements, the first in ``x`` is the first in the result.
    NaN counts as the largest.

    >>> import gpugrad as gg
    >>> gg.sort(gg.tensor([3.0, 1.0, 2.0]), descending=True)
    tensor([3., 2., 1.])
    """
    x, axis = (xp.reshape(x, (math.prod(x.shape),)), 0) if axis is None else (x, axis)
    y = xp.sort(x, axis=axis)
    return xp.flip(y, axis=axis) if descending else y


def _sort_x(xp: Namespace, g: Array, x: Array, axis: int | None, descending: bool) -> Array:
    if axis is None:
        flat = _sort_x(xp, g, xp.reshape(x, (math.prod(x.shape),)), 0, descending)
        return xp.reshape(flat, x.shape)
    order = argsort.on(xp, x, axis=axis, descending=descending)
    return xp.take_along_axis(g, argsort.on(xp, order, axis=axis), axis=axis)  # the inverse permutation


sort.vjp(x=_sort_x)


def sort_complex(x: Array) -> Array:
    """Complex numbers along the last axis in increasing order of real parts, then of imaginary parts.

    Args:
        x: shape ``(..., N)``; integers of 8 and 16 bits become complex64, other real numbers complex128, as in NumPy.

    >>> import gpugrad as gg
    >>> gg.sort_complex(gg.tensor([2 + 1j, 1 + 3j, 2 - 1j]))
    tensor([1.+3.j, 2.-1.j, 2.+1.j], dtype=complex64)
    """
    t = sort(x if isinstance(x, Tensor) else asarray(x))
    if t.dtype.kind == "c":
        return t
    return astype(t, complex64 if t.dtype.kind in "iu" and t.dtype.itemsize <= 2 else complex128)


def lexsort(keys: Sequence[Array] | Array, axis: int = -1) -> Array:
    """The positions that sort by several keys: by the last one, equal ones by the one before it, and so on.

    Args:
        keys: tensors of one shape, or one tensor whose first axis they are.
        axis: sort along this axis of the keys.

    Raises:
        ValueError: there is no key, or shapes differ.

    >>> import gpugrad as gg
    >>> gg.lexsort((gg.tensor([3.0, 1.0, 2.0]), gg.tensor([1, 1, 0])))
    tensor([2, 1, 0])
    """
    listed = [k if isinstance(k, Tensor) else asarray(k) for k in keys]
    if not listed or len({k.shape for k in listed}) != 1:
        raise ValueError(f"lexsort: expected keys of one shape, got {[k.shape for k in listed]}")
    order = argsort(listed[0], axis=axis)
    for key in listed[1:]:
        order = take_along_axis(order, argsort(take_along_axis(key, order, axis=axis), axis=axis), axis=axis)
    return order


class TopK(NamedTuple):
    """What :func:`topk` returns."""

    values: Array
    indices: Array


@takes_dim
def topk(x: Array, k: int, /, *, axis: int = -1, largest: bool = True) -> TopK:
    """The k largest elements along ``axis``, largest first, and where they are; for ``largest=False`` the smallest.

    Of equal elements the first comes first. NaN counts as the largest. Source: ``torch.topk``.

    Raises:
        ValueError: there are fewer than k.

    >>> import gpugrad as gg
    >>> gg.topk(gg.tensor([3.0, 1.0, 2.0]), 2)
    TopK(values=tensor([3., 2.]), indices=tensor([0, 2]))
    """
    t = asarray(x)
    if not 0 <= k <= t.shape[which_axis("topk", axis, t.ndim)]:
        raise ValueError(f"topk: expected 0 <= k <= {t.shape[axis]}, the size of axis {axis}, got {k}")
    order = argsort(t, axis=axis, descending=True) if largest else argsort(t, axis=axis)
    first = order[(slice(None),) * (axis % t.ndim) + (slice(k),)]
    return TopK(take_along_axis(t, first, axis=axis), first)


@primitive(batch=("one_for_all", 0))
def _searchsorted(xp: Namespace, x1: Array, x2: Array, /, side: str) -> Array:
    return xp.searchsorted(x1, x2, side=side)


_searchsorted.nondifferentiable()


def searchsorted(x1: Array, x2: Array, /, *, side: str = "left", sorter: Array | None = None) -> Array:
    """Where in the sorted ``x1`` the elements of ``x2`` would be inserted, before equal ones or behind them.

    Args:
        x1: shape ``(N,)``.
        x2: shape ``(...)``.
        side: "left" for before, "right" for behind.
        sorter: ``argsort(x1)``, if it is not sorted.

    Raises:
        ValueError: another side.

    >>> import gpugrad as gg
    >>> gg.searchsorted(gg.tensor([1.0, 2.0, 3.0]), gg.tensor([2.0, 9.0]))
    tensor([1, 3])
    """
    if side not in ("left", "right"):
        raise ValueError(f"searchsorted: expected side 'left' or 'right', got {side!r}")
    x1, x2 = together("searchsorted", x1, x2)
    return _searchsorted(asarray(x1) if sorter is None else take(x1, sorter), x2, side=side)


# -------------------------------------------------------------------- values


@primitive(outputs=True)
def nonzero(xp: Namespace, x: Array, /) -> tuple[Array, ...]:
    """The positions of the elements that are not 0: one tensor of indices for each axis. The GPU is waited for.

    >>> import gpugrad as gg
    >>> gg.nonzero(gg.tensor([[1.0, 0.0], [0.0, 2.0]]))
    (tensor([0, 1]), tensor([0, 1]))
    """
    return tuple(xp.nonzero(x))


nonzero.nondifferentiable()


@primitive(batch=("one_for_all", 1))
def isin(xp: Namespace, x1: Array, x2: Array, /, *, invert: bool = False) -> Array:
    """Whether each element of ``x1`` is somewhere in ``x2``, or is not.

    >>> import gpugrad as gg
    >>> gg.isin(gg.tensor([1, 2, 3]), gg.tensor([3, 1]))
    tensor([ True, False,  True])
    """
    return xp.isin(x1, x2, invert=invert)


isin.nondifferentiable()
