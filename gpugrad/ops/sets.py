"""Distinct values, and tensors as sets.

What is found is a selection of the input: positions are constants, and values are read at them, so each gradient goes
back to the place where its value was found first. Shapes depend on values, so the GPU is waited for. Source: NumPy, and
the Python array API standard 2024.12 for the functions whose names begin with ``unique_``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..backend import Array, Namespace
from ..core import Tensor, primitive
from .axes import moveaxis, ravel
from .beside import beside
from .creation import asarray
from .dims import takes_dim
from .selection import argsort, isin, nonzero, sort, take
from .shaping import concat, reshape, which_axis


@primitive(outputs=True)
def _unique(
    xp: Namespace, x: Array, /, index: bool, inverse: bool, counts: bool, equal_nan: bool = False
) -> tuple[Array, ...]:
    found = xp.unique(
        xp.reshape(x, (x.size,)), return_index=index, return_inverse=inverse, return_counts=counts, equal_nan=equal_nan
    )
    return tuple(found) if isinstance(found, tuple) else (found,)


_unique.nondifferentiable()


@primitive(outputs=True)
def _unique_rows(xp: Namespace, x: Array, /) -> tuple[Array, ...]:
    """Of the distinct rows in lexicographic order, the first place of each, which one each row is, and how many."""
    n, m = x.shape
    order = xp.lexsort(xp.flip(xp.permute_dims(x, (1, 0)), axis=0)) if m else xp.arange(n)
    rows = xp.take(x, order, axis=0)
    new = xp.concat([xp.ones((min(n, 1),), dtype=bool), xp.any(rows[1:] != rows[:-1], axis=1)])
    starts = xp.nonzero(new)[0]
    inverse = xp.take(xp.cumulative_sum(xp.astype(new, order.dtype)) - 1, xp.argsort(order))
    counts = xp.concat([starts[1:], xp.asarray([n][: starts.shape[0]], dtype=starts.dtype)]) - starts
    return xp.take(order, starts), inverse, counts


_unique_rows.nondifferentiable()


def _flat(x: Array) -> Tensor:
    t = x if isinstance(x, Tensor) else asarray(x)
    return t if t.ndim == 1 else ravel(t)


def _found(x: Array, index: bool, inverse: bool, counts: bool, equal_nan: bool = False) -> list[Any]:
    """Values, and what else is asked for; values that may need a gradient are read from ``x``."""
    t = x if isinstance(x, Tensor) else asarray(x)
    read = t.dtype.kind in "fc"
    found = list(_unique(t, index or read, inverse, counts, equal_nan))
    if read:
        found[0] = take(_flat(t), found[1])
        found[1:2] = found[1:2] if index else []
    if inverse:
        found[1 + index] = reshape(found[1 + index], t.shape)
    return found


@takes_dim
def unique(
    x: Array, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False,
    axis: int | None = None, *, equal_nan: bool = True, sorted: bool = True,
) -> Array | tuple[Array, ...]:  # fmt: skip
    """The distinct values in increasing order or, along ``axis``, the distinct slices in lexicographic order.

    The gradient of a value goes to its first occurrence.

    Args:
        x: shape ``(...)``.
        return_index: return the first position of each value too, in the flattened tensor or along ``axis``.
        return_inverse: return for each element of ``x`` the position of its value in the result too; shape of ``x``,
            or ``(N,)`` along an axis of size N.
        return_counts: return the number of occurrences of each value too.
        axis: compare slices along this axis; None to compare elements.
        equal_nan: treat all NaN as one value. Slices with a NaN are always distinct, as in NumPy.
        sorted: for compatibility with NumPy 2.3; the result is in order either way.

    Raises:
        ValueError: there is no such axis.

    >>> import gpugrad as gg
    >>> gg.unique(gg.tensor([3, 1, 3]), return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    >>> gg.grad(lambda x: (gg.unique(x) ** 2).sum())(gg.tensor([3.0, 1.0, 3.0]))
    tensor([6., 2., 0.])
    """
    if axis is None:
        found = _found(x, return_index, return_inverse, return_counts, equal_nan)
        return tuple(found) if len(found) > 1 else found[0]
    t = x if isinstance(x, Tensor) else asarray(x)
    own = which_axis("unique", axis, t.ndim)
    first, inverse, counts = _unique_rows(reshape(moveaxis(t, own, 0), (t.shape[own], -1 if t.size else _rest(t, own))))
    values = take(t, first, axis=own)
    asked = ((first, return_index), (inverse, return_inverse), (counts, return_counts))
    others = [part for part, wanted in asked if wanted]
    return (values, *others) if others else values


def _rest(x: Tensor, axis: int) -> int:
    """The number of elements of each slice along ``axis``, which an empty tensor cannot be asked to find out."""
    size = 1
    for i, n in enumerate(x.shape):
        size *= 1 if i == axis else n
    return size


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
    """The distinct values in increasing order, where each is first, which one each element is, and how often it occurs.

    Every NaN is different from every other. The gradient of a value goes to its first occurrence.

    >>> import gpugrad as gg
    >>> gg.unique_all(gg.tensor([3, 1, 3]))
    Unique(values=tensor([1, 3]), indices=tensor([1, 0]), inverse_indices=tensor([1, 0, 1]), counts=tensor([1, 2]))
    """
    return Unique(*_found(x, True, True, True))


def unique_counts(x: Array, /) -> UniqueCounts:
    """The distinct values in increasing order, and how often each occurs; see :func:`unique_all`.

    >>> import gpugrad as gg
    >>> gg.unique_counts(gg.tensor([3, 1, 3]))
    UniqueCounts(values=tensor([1, 3]), counts=tensor([1, 2]))
    """
    return UniqueCounts(*_found(x, False, False, True))


def unique_inverse(x: Array, /) -> UniqueInverse:
    """The distinct values in increasing order, and which one each element is; see :func:`unique_all`.

    >>> import gpugrad as gg
    >>> gg.unique_inverse(gg.tensor([3, 1, 3]))
    UniqueInverse(values=tensor([1, 3]), inverse_indices=tensor([1, 0, 1]))
    """
    return UniqueInverse(*_found(x, False, True, False))


def unique_values(x: Array, /) -> Array:
    """The distinct values in increasing order; see :func:`unique_all`.

    >>> import gpugrad as gg
    >>> gg.unique_values(gg.tensor([3, 1, 3]))
    tensor([1, 3])
    """
    return _found(x, False, False, False)[0]


# -------------------------------------------------------------------- two sets


def _pair(x1: Array, x2: Array) -> tuple[Tensor, Tensor]:
    """Both flattened; numbers and lists take the dtype of a floating Tensor beside them."""
    if isinstance(x1, Tensor) or not isinstance(x2, Tensor):
        a = _flat(x1)
        return a, _flat(beside(x2, a, _weak(x2, a)))
    b = _flat(x2)
    return _flat(beside(x1, b, _weak(x1, b))), b


def _weak(value: Array, t: Tensor) -> Any:
    return t.dtype if t.dtype.kind in "fc" and not hasattr(value, "dtype") else None


def union1d(x1: Array, x2: Array) -> Array:
    """The distinct values of both, flattened, in increasing order.

    The gradient of a value goes to its first occurrence, and to ``x1`` where both have it.

    >>> import gpugrad as gg
    >>> gg.union1d(gg.tensor([3.0, 1.0]), gg.tensor([2.0, 3.0]))
    tensor([1., 2., 3.])
    """
    return unique(concat([*_pair(x1, x2)]))


def intersect1d(
    x1: Array, x2: Array, assume_unique: bool = False, return_indices: bool = False
) -> Array | tuple[Array, Array, Array]:
    """The distinct values that both have, in increasing order; their gradient goes to ``x1``.

    Args:
        x1: any shape; flattened.
        x2: any shape; flattened.
        assume_unique: neither has a value twice, so nothing has to be removed.
        return_indices: return the first position of each value in ``x1`` and in ``x2`` too.

    >>> import gpugrad as gg
    >>> gg.intersect1d(gg.tensor([3.0, 1.0, 2.0]), gg.tensor([2.0, 3.0]), return_indices=True)
    (tensor([2., 3.]), tensor([2, 0]), tensor([0, 1]))
    """
    a, b = _pair(x1, x2)
    n = a.shape[0]
    own: Any = None
    other: Any = None
    if not assume_unique:
        (a, own), (b, other) = unique(a, return_index=True), unique(b, return_index=True)
        n = a.shape[0]
    both = concat([a, b])
    order = argsort(both)
    values = take(both, order)
    twice = nonzero(values[1:] == values[:-1])[0]
    values = take(values, twice)
    if not return_indices:
        return values
    left, right = take(order, twice), take(order, twice + 1) - n
    return (values, left, right) if assume_unique else (values, take(own, left), take(other, right))


def setdiff1d(x1: Array, x2: Array, assume_unique: bool = False) -> Array:
    """The distinct values of ``x1`` that ``x2`` does not have, in increasing order.

    Args:
        x1: any shape; flattened.
        x2: any shape; flattened.
        assume_unique: ``x1`` has no value twice: its values keep their order.

    >>> import gpugrad as gg
    >>> gg.setdiff1d(gg.tensor([3.0, 1.0, 2.0]), gg.tensor([2.0]))
    tensor([1., 3.])
    """
    a, b = _pair(x1, x2)
    own = a if assume_unique else unique(a)
    return take(own, nonzero(isin(own, b, invert=True))[0])


def setxor1d(x1: Array, x2: Array, assume_unique: bool = False) -> Array:
    """The distinct values that only one of both has, in increasing order.

    Args:
        x1: any shape; flattened.
        x2: any shape; flattened.
        assume_unique: neither has a value twice, so nothing has to be removed.

    >>> import gpugrad as gg
    >>> gg.setxor1d(gg.tensor([3.0, 1.0]), gg.tensor([2.0, 3.0]))
    tensor([1., 2.])
    """
    a, b = _pair(x1, x2)
    values = sort(concat([a, b] if assume_unique else [unique(a), unique(b)]))
    if not values.shape[0]:
        return values
    edge = values[1:] != values[:-1]
    ends = beside([True], edge)
    return take(values, nonzero(concat([ends, edge]) & concat([edge, ends]))[0])
