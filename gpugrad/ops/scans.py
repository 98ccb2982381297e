"""Running sums and products along an axis, and differences, which undo the sums.

Source: Python array API standard 2024.12; ``cumsum`` and ``cumprod`` are NumPy's.
"""

from __future__ import annotations

from typing import Any

from ..backend import Array, Namespace
from ..core import Tensor, primitive
from ..kernels.scan import weighted_tails
from .beside import beside
from .creation import asarray
from .dims import takes_dim
from .inspection import result_type
from .shaping import Shape, broadcast_to, concat, reshape, which_axis


def _cut(x: Array, axis: int, start: int | None, stop: int | None) -> Array:
    """``x[start:stop]`` along ``axis``."""
    return x[(slice(None),) * (axis % len(x.shape)) + (slice(start, stop),)]


@primitive(batch="line", wide=True, cast="float32")
def cumulative_sum(
    xp: Namespace, x: Array, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Array:
    """Each element plus all before it along ``axis``, which may be left out for one axis.

    Element i gets the sum of the gradients from i on. With ``include_initial`` the sum of nothing, 0, comes first.

    Raises:
        ValueError: no axis was given and there are several, or it is not there.

    >>> import gpugrad as gg
    >>> gg.cumulative_sum(gg.tensor([1.0, 2.0, 3.0]), include_initial=True)
    tensor([0., 1., 3., 6.])
    """
    return xp.cumulative_sum(x, axis=axis, dtype=dtype, include_initial=include_initial)


def _cumulative_sum_x(xp: Namespace, g: Array, axis: int | None, include_initial: bool) -> Array:
    along = axis or 0
    g = _cut(g, along, 1, None) if include_initial else g
    return xp.flip(xp.cumulative_sum(xp.flip(g, axis=along), axis=along), axis=along)


cumulative_sum.vjp(x=_cumulative_sum_x)


@primitive(batch="line", wide=True, cast="float32")
def cumulative_prod(
    xp: Namespace, x: Array, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Array:
    """Each element times all before it along ``axis``, which may be left out for one axis.

    The gradient of element i is ``prod_{k<i} x_k  sum_{j>=i} g_j prod_{i<k<=j} x_k``: no division, zeros or not.

    Raises:
        ValueError: no axis was given and there are several, or it is not there.

    >>> import gpugrad as gg
    >>> x = gg.tensor([2.0, 0.0, 3.0], requires_grad=True)
    >>> gg.cumulative_prod(x).sum().backward()
    >>> x.grad
    tensor([1., 8., 0.])
    """
    return xp.cumulative_prod(x, axis=axis, dtype=dtype, include_initial=include_initial)


def _cumulative_prod_x(xp: Namespace, g: Array, x: Array, axis: int | None, include_initial: bool) -> Array:
    along = axis or 0
    g = _cut(g, along, 1, None) if include_initial else g
    before = _cut(xp.cumulative_prod(x, axis=along, include_initial=True), along, None, -1)
    return before * weighted_tails(xp, _cut(x, along, 1, None), g, along)


cumulative_prod.vjp(x=_cumulative_prod_x)


@takes_dim
def cumsum(x: Array, axis: int | None = None, dtype: Any = None) -> Array:
    """:func:`cumulative_sum`; without an axis, of the flattened tensor. Source: ``numpy.cumsum``.

    >>> import gpugrad as gg
    >>> gg.cumsum(gg.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([ 1.,  3.,  6., 10.])
    """
    return cumulative_sum(reshape(x, (-1,)) if axis is None else x, axis=axis or 0, dtype=dtype)


@takes_dim
def cumprod(x: Array, axis: int | None = None, dtype: Any = None) -> Array:
    """:func:`cumulative_prod`; without an axis, of the flattened tensor. Source: ``numpy.cumprod``.

    >>> import gpugrad as gg
    >>> gg.cumprod(gg.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    tensor([[1., 2.],
            [3., 8.]])
    """
    return cumulative_prod(reshape(x, (-1,)) if axis is None else x, axis=axis or 0, dtype=dtype)


@primitive(batch=("any_axes", "axis"))
def _diff(xp: Namespace, x: Array, /, n: int, axis: int) -> Array:
    return xp.diff(x, n=n, axis=axis)


def _diff_x(xp: Namespace, g: Array, x_shape: Shape, n: int, axis: int) -> Array:
    if n >= x_shape[axis]:  # nothing was left to take a difference of
        return xp.broadcast_to(xp.sum(g, axis=axis, keepdims=True), x_shape)  # zeros
    widths = tuple((n, n) if i == axis else (0, 0) for i in range(len(x_shape)))
    d = xp.diff(xp.pad(g, widths), n=n, axis=axis)
    return -d if n % 2 else d


_diff.vjp(x=_diff_x)


def _dtype(end: Any, x: Array) -> Any:
    """A number takes the dtype of what it is beside, as in arithmetic."""
    return result_type(x, end) if isinstance(end, int | float | complex) else None


@takes_dim
def diff(x: Array, /, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Array:
    """Each element minus the one before it along ``axis``, n times over; one element fewer each time.

    Args:
        x: shape ``(...)``; booleans differ where they are not equal.
        n: how often.
        axis: along which.
        prepend: goes before ``x`` along the axis; a number is one slice of it.
        append: goes behind it.

    Raises:
        ValueError: n is negative, or ``x`` is 0-d.

    Source: Python array API standard 2024.12.

    >>> import gpugrad as gg
    >>> gg.diff(gg.tensor([1.0, 4.0, 9.0]))
    tensor([3., 5.])
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    if n < 0 or not x.shape:
        raise ValueError(f"diff: expected at least one axis and n >= 0, got shape {x.shape} and n={n}")
    axis = which_axis("diff", axis, len(x.shape))
    if prepend is not None or append is not None:
        t = asarray(x)
        edge = (*t.shape[:axis], 1, *t.shape[axis + 1 :])
        ends = (None if end is None else beside(end, t, _dtype(end, t)) for end in (prepend, append))
        first, last = ([] if e is None else [e if e.shape else broadcast_to(e, edge)] for e in ends)
        x = concat([*first, t, *last], axis=axis)
    return _diff(x, n, axis) if n else asarray(x)
