"""Choosing elements: by position, by order, by value.

Positions are integers and constants; the gradient of a chosen element goes back to where it was. Source: Python array
API standard 2024.12; ``put_along_axis`` is NumPy's, as a function, and ``topk`` PyTorch's.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..backend import Array, Namespace
from ..core import Tensor, primitive
from .creation import arange, asarray
from .indexing import getitem, set_at
from .shaping import reshape, which_axis


def take(x: Array, indices: Array, /, axis: int | None = None) -> Array:
    """The elements of ``x`` at ``indices`` along ``axis`` (None: flattened).

    Raises:
        IndexError: out of bounds, or no such axis.

    >>> import gpugrad as gg
    >>> gg.take(gg.tensor([[1.0, 2.0], [3.0, 4.0]]), gg.tensor([1, 1]), axis=0)
    tensor([[3., 4.],
            [3., 4.]])
    """
    t = asarray(x)
    if axis is None:
        return getitem(t if t.ndim == 1 else reshape(t, (-1,)), (indices,))
    return getitem(t, (*(slice(None),) * which_axis("take", axis, t.ndim), indices))


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


def take_along_axis(x: Array, indices: Array, /, axis: int = -1) -> Array:
    """``x`` at one index for each place along the other axes: what ``argsort`` and ``argmax`` give, read out.

    Args:
        x: shape ``(..., N, ...)``.
        indices: integers of shape ``(..., K, ...)``; the other axes broadcast.
        axis: which has the sizes N and K.

    Raises:
        ValueError: another number of axes.
        IndexError: out of bounds.

    >>> import gpugrad as gg
    >>> gg.take_along_axis(gg.tensor([[1.0, 2.0], [3.0, 4.0]]), gg.tensor([[1], [0]]), axis=1)
    tensor([[2.],
            [3.]])
    """
    t = asarray(x)
    return getitem(t, _along("take_along_axis", t, indices, axis))


def put_along_axis(x: Array, indices: Array, values: Array, /, axis: int = -1) -> Array:
    """``x`` with ``values`` in the places that :func:`take_along_axis` reads, as a new tensor.

    Raises:
        ValueError: another number of axes.
        IndexError: out of bounds.

    >>> import gpugrad as gg
    >>> gg.put_along_axis(gg.zeros((2, 2)), gg.tensor([[1], [0]]), 5.0, axis=1)
    tensor([[0., 5.],
            [5., 0.]])
    """
    t = asarray(x)
    return set_at(t, _along("put_along_axis", t, indices, axis), values)


# -------------------------------------------------------------------- order


@primitive
def argsort(xp: Namespace, x: Array, /, axis: int = -1, *, descending: bool = False, stable: bool = True) -> Array:
    """The positions of the elements of ``x`` in increasing order along ``axis``; equal ones keep their order.

    >>> import gpugrad as gg
    >>> gg.argsort(gg.tensor([3.0, 1.0, 2.0, 1.0]))
    tensor([1, 3, 2, 0])
    """
    kind = "stable" if stable else None
    if not descending:
        return xp.argsort(x, axis=axis, kind=kind)
    backwards = xp.argsort(xp.flip(x, axis=axis), axis=axis, kind=kind)
    return x.shape[axis] - 1 - xp.flip(backwards, axis=axis)


argsort.nondifferentiable()


@primitive
def sort(xp: Namespace, x: Array, /, axis: int = -1, *, descending: bool = False, stable: bool = True) -> Array:
    """The elements of ``x`` in increasing order along ``axis``; the gradient goes back by the same permutation.

    Of equal elements, the first in ``x`` is the first in the result. NaN counts as the largest.

    >>> import gpugrad as gg
    >>> gg.sort(gg.tensor([3.0, 1.0, 2.0]), descending=True)
    tensor([3., 2., 1.])
    """
    y = xp.sort(x, axis=axis)
    return xp.flip(y, axis=axis) if descending else y


def _sort_x(xp: Namespace, g: Array, x: Array, axis: int, descending: bool) -> Array:
    order = argsort.on(xp, x, axis=axis, descending=descending)
    return xp.take_along_axis(g, argsort.on(xp, order, axis=axis), axis=axis)  # the inverse permutation


sort.vjp(x=_sort_x)


class TopK(NamedTuple):
    """What :func:`topk` returns."""

    values: Array
    indices: Array


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


@primitive
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

    >>> import gpugrad as gg
    >>> gg.searchsorted(gg.tensor([1.0, 2.0, 3.0]), gg.tensor([2.0, 9.0]))
    tensor([1, 3])
    """
    t = asarray(x1) if sorter is None else take(x1, sorter)
    return _searchsorted(t, x2 if hasattr(x2, "shape") else asarray(x2, device=t.device), side=side)


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


@primitive
def isin(xp: Namespace, x1: Array, x2: Array, /, *, invert: bool = False) -> Array:
    """Whether each element of ``x1`` is somewhere in ``x2``, or is not.

    >>> import gpugrad as gg
    >>> gg.isin(gg.tensor([1, 2, 3]), gg.tensor([3, 1]))
    tensor([ True, False,  True])
    """
    return xp.isin(x1, x2, invert=invert)


isin.nondifferentiable()


@primitive(outputs=True)
def _unique(
    xp: Namespace, x: Array, /, index: bool, inverse: bool, counts: bool, equal_nan: bool = False
) -> tuple[Array, ...]:
    found = xp.unique(
        xp.reshape(x, (x.size,)), return_index=index, return_inverse=inverse, return_counts=counts, equal_nan=equal_nan
    )
    return tuple(found) if isinstance(found, tuple) else (found,)


_unique.nondifferentiable()


def unique(
    x: Array, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False, *,
    equal_nan: bool = True,
) -> Array | tuple[Array, ...]:  # fmt: skip
    """The different values in order and, if asked for, where each is first, which one each element is, how many of it.

    Constants; the GPU is waited for. Unlike in :func:`unique_values`, every NaN is the same, but for
    ``equal_nan=False``. Source: ``numpy.unique``.

    >>> import gpugrad as gg
    >>> gg.unique(gg.tensor([3, 1, 3]), return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    t = asarray(x)
    found = list(_unique(t, return_index, return_inverse, return_counts, equal_nan))
    if return_inverse:
        found[1 + return_index] = reshape(found[1 + return_index], t.shape)
    return tuple(found) if len(found) > 1 else found[0]


class Unique(NamedTuple):
    """What :func:`unique_all` returns."""

    values: Array
    indices: Array
    inverse_indices: Array
    counts: Array


class UniqueCounts(NamedTuple):
    """What :func:`unique_counts` returns."""

    values: Array
    counts: Array


class UniqueInverse(NamedTuple):
    """What :func:`unique_inverse` returns."""

    values: Array
    inverse_indices: Array


def unique_all(x: Array, /) -> Unique:
    """The different values in order, where each is first, which one each element is, and how often each occurs.

    Every NaN is different from every other. Constants; the GPU is waited for.

    >>> import gpugrad as gg
    >>> gg.unique_all(gg.tensor([3, 1, 3]))
    Unique(values=tensor([1, 3]), indices=tensor([1, 0]), inverse_indices=tensor([1, 0, 1]), counts=tensor([1, 2]))
    """
    values, indices, inverse, counts = _unique(x, True, True, True)
    return Unique(values, indices, reshape(inverse, x.shape), counts)


def unique_counts(x: Array, /) -> UniqueCounts:
    """The different values in order, and how often each occurs; see :func:`unique_all`.

    >>> import gpugrad as gg
    >>> gg.unique_counts(gg.tensor([3, 1, 3]))
    UniqueCounts(values=tensor([1, 3]), counts=tensor([1, 2]))
    """
    return UniqueCounts(*_unique(x, False, False, True))


def unique_inverse(x: Array, /) -> UniqueInverse:
    """The different values in order, and which one each element is; see :func:`unique_all`.

    >>> import gpugrad as gg
    >>> gg.unique_inverse(gg.tensor([3, 1, 3]))
    UniqueInverse(values=tensor([1, 3]), inverse_indices=tensor([1, 0, 1]))
    """
    values, inverse = _unique(x, False, True, False)
    return UniqueInverse(values, reshape(inverse, x.shape))


def unique_values(x: Array, /) -> Array:
    """The different values in order; see :func:`unique_all`.

    >>> import gpugrad as gg
    >>> gg.unique_values(gg.tensor([3, 1, 3]))
    tensor([1, 3])
    """
    return _unique(x, False, False, False)[0]
