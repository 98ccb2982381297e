"""Changing shape and putting together: nothing is computed, gradients take the way back.

Source: Python array API standard 2024.12; ``split`` is NumPy's.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from ..backend import Array, Namespace
from ..core import Tensor, dispatch, primitive
from ..core.errors import AxisError
from ..core.operation import extend
from ..kernels.shapes import several
from .dims import takes_dim

Shape = tuple[int, ...]


def which_axis(name: str, axis: int, ndim: int) -> int:
    """The number of an axis from 0.

    Raises:
        AxisError: there is no such axis.

    >>> which_axis("take", -1, 3)
    2
    """
    if not -ndim <= axis < ndim:
        raise AxisError(f"{name}: axis {axis} is out of bounds for {ndim} axes")
    return axis % ndim


def _array(name: str, x: Any) -> Array:
    """A Tensor or an array as it is, a list as a Tensor."""
    return x if isinstance(x, Tensor) else dispatch.array_likes.operands(name, (x,))[0]


@primitive(batch="reshaped", view=True)
def reshape(xp: Namespace, x: Array, /, shape: int | Shape, *, copy: bool | None = None) -> Array:
    """The same elements in row-major order in another shape; one size may be -1.

    With ``order="F"``, as in NumPy, elements are read and placed in column-major order. ``copy`` says whether memory
    is never shared (True), must be (False), or is where it can be (None).

    Raises:
        ValueError: the sizes do not multiply up to the number of elements, or ``copy=False`` cannot be had.

    >>> import gpugrad as gg
    >>> gg.reshape(gg.tensor([1.0, 2.0, 3.0, 4.0]), (2, -1)).shape
    (2, 2)
    """
    return xp.reshape(x, shape) if copy is None else xp.reshape(x, shape, copy=copy)


reshape.vjp(x=lambda xp, g, x_shape: xp.reshape(g, x_shape))


def column_major(name: str, order: str | None, x: Any = None) -> bool:
    """Whether ``order`` means column-major: "C" and "F" say so; "A" and "K" follow the memory of an array.

    Raises:
        ValueError: another order, or one that would depend on the memory of a tensor.

    >>> column_major("reshape", "F")
    True
    """
    if order in ("C", "F", None):
        return order == "F"
    if order not in ("A", "K"):
        raise ValueError(f"{name}: expected order 'C', 'F', 'A' or 'K', got {order!r}")
    flags = getattr(getattr(x, "data", None), "flags", None)
    if flags is not None and (flags.c_contiguous or len(x.shape) < 2):
        return False
    raise ValueError(f"{name}: order={order!r} depends on how the tensor lies in memory: write order='C' or 'F'")


def reshape_in_order(x: Array, shape: int | Shape, *, order: str | None = "C", copy: bool | None = None) -> Tensor:
    """:func:`reshape` with an order."""
    if not column_major("reshape", order, x):
        return reshape(x, shape, copy=copy)
    sizes = several(shape)
    backwards = reshape(permute_dims(x, tuple(reversed(range(len(x.shape))))), sizes[::-1], copy=copy)
    return permute_dims(backwards, tuple(reversed(range(len(sizes)))))


extend(reshape, reshape_in_order, order="C")


@primitive(batch="permuted", view=True)
def permute_dims(xp: Namespace, x: Array, /, axes: Shape) -> Array:
    """The axes in another order: axis i of the result is axis ``axes[i]`` of ``x``.

    >>> import gpugrad as gg
    >>> gg.permute_dims(gg.zeros((2, 3, 4)), (2, 0, 1)).shape
    (4, 2, 3)
    """
    return xp.permute_dims(x, axes)


def _inverse(axes: Shape) -> Shape:
    ndim = len(axes)
    return tuple(sorted(range(ndim), key=lambda i: axes[i] % ndim))


permute_dims.vjp(x=lambda xp, g, axes: xp.permute_dims(g, _inverse(axes)))


@primitive(batch="spread", view=True)
def broadcast_to(xp: Namespace, x: Array, /, shape: Shape) -> Array:
    """``x`` repeated, without copying, to a shape it broadcasts to; the gradients of the repeats add up.

    >>> import gpugrad as gg
    >>> gg.broadcast_to(gg.tensor([1.0, 2.0]), (2, 2))
    tensor([[1., 2.],
            [1., 2.]])
    """
    return xp.broadcast_to(x, shape)


broadcast_to.vjp(x=lambda xp, g: g)  # the engine sums over broadcast axes


@primitive(batch=("any_axes", "axis"), view=True)
def expand_dims(xp: Namespace, x: Array, /, axis: int | Shape = 0) -> Array:
    """A new axis of size 1 at ``axis``.

    >>> import gpugrad as gg
    >>> gg.expand_dims(gg.zeros((2, 3)), axis=1).shape
    (2, 1, 3)
    """
    return xp.expand_dims(x, axis)


expand_dims.vjp(x=lambda xp, g, x_shape: xp.reshape(g, x_shape))


@primitive(batch="squeezed", view=True)
def squeeze(xp: Namespace, x: Array, /, axis: int | Shape | None = None) -> Array:
    """Without the axes of size 1: those named, or all of them.

    Raises:
        ValueError: a named axis has another size.

    >>> import gpugrad as gg
    >>> gg.squeeze(gg.zeros((2, 1, 3)), axis=1).shape
    (2, 3)
    """
    return xp.squeeze(x, axis=axis)


squeeze.vjp(x=lambda xp, g, x_shape: xp.reshape(g, x_shape))


@primitive(batch="all_axes", view=True)
def flip(xp: Namespace, x: Array, /, axis: int | Shape | None = None) -> Array:
    """The elements along ``axis`` (all axes for None) in reverse order.

    >>> import gpugrad as gg
    >>> gg.flip(gg.tensor([1.0, 2.0, 3.0]))
    tensor([3., 2., 1.])
    """
    return xp.flip(x, axis=axis)


flip.vjp(x=lambda xp, g, axis: xp.flip(g, axis=axis))


def matrix_transpose(x: Array, /) -> Array:
    """The last two axes exchanged: shape ``(..., M, N)`` to ``(..., N, M)``.

    Raises:
        ValueError: fewer than two axes.

    >>> import gpugrad as gg
    >>> gg.matrix_transpose(gg.zeros((5, 2, 3))).shape
    (5, 3, 2)
    """
    x = _array("matrix_transpose", x)
    ndim = len(x.shape)
    if ndim < 2:
        raise ValueError(f"matrix_transpose: expected at least two axes, got shape {x.shape}")
    return permute_dims(x, (*range(ndim - 2), ndim - 1, ndim - 2))


def swapaxes(x: Array, axis1: int, axis2: int) -> Array:
    """Two axes exchanged. Source: ``numpy.swapaxes``.

    >>> import gpugrad as gg
    >>> gg.swapaxes(gg.zeros((2, 3, 4)), 0, 2).shape
    (4, 3, 2)
    """
    x = _array("swapaxes", x)
    ndim = len(x.shape)
    order = list(range(ndim))
    axis1, axis2 = which_axis("swapaxes", axis1, ndim), which_axis("swapaxes", axis2, ndim)
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return permute_dims(x, tuple(order))


@primitive(batch="joined")
def _concat(xp: Namespace, *arrays: Array, axis: int) -> Array:
    return xp.concatenate(arrays, axis=axis)


@_concat.joint_vjp
def _concat_arrays(
    xp: Namespace, g: Array, wanted: tuple[int, ...], arrays_shape: tuple[Shape, ...], axis: int
) -> list[Array]:
    sizes = [shape[axis] for shape in arrays_shape]
    ends = list(accumulate(sizes))
    before = (slice(None),) * (axis % len(g.shape))
    return [g[(*before, slice(ends[i] - sizes[i], ends[i]))] for i in wanted]


@takes_dim
def concat(arrays: Sequence[Array], /, axis: int | None = 0) -> Tensor:
    """Tensors joined along an axis that exists; None joins them flattened. Each gets its part of the gradient.

    Raises:
        ValueError: nothing to join, or other axes differ.

    >>> import gpugrad as gg
    >>> gg.concat([gg.tensor([1.0]), gg.tensor([2.0, 3.0])])
    tensor([1., 2., 3.])
    """
    some = _some("concat", arrays)
    if axis is None:
        return _concat(*(reshape(x, (-1,)) for x in some), axis=0)
    return _concat(*some, axis=axis)


concatenate = concat
"""NumPy's name of :func:`concat`."""


@primitive(batch="joined")
def _stack(xp: Namespace, *arrays: Array, axis: int) -> Array:
    return xp.stack(arrays, axis=axis)


@_stack.joint_vjp
def _stack_arrays(xp: Namespace, g: Array, wanted: tuple[int, ...], axis: int) -> list[Array]:
    before = (slice(None),) * (axis % len(g.shape))
    return [g[(*before, i)] for i in wanted]


@takes_dim
def stack(arrays: Sequence[Array], /, axis: int = 0) -> Tensor:
    """Tensors of one shape joined along a new axis.

    Raises:
        ValueError: nothing to join, or the shapes differ.

    >>> import gpugrad as gg
    >>> gg.stack([gg.tensor([1.0, 2.0]), gg.tensor([3.0, 4.0])], axis=1)
    tensor([[1., 3.],
            [2., 4.]])
    """
    return _stack(*_some("stack", arrays), axis=axis)


def _some(name: str, arrays: Sequence[Array]) -> list[Any]:
    listed = list(arrays)
    if not listed:
        raise ValueError(f"{name}: expected at least one tensor, got none")
    return listed


@primitive(batch=("any_axes", "axis"), outputs=True, view=True)
def _split(xp: Namespace, x: Array, /, sections: int | Sequence[int], axis: int) -> tuple[Array, ...]:
    return tuple(xp.split(x, sections, axis=axis))


_split.vjp(x=lambda xp, g, axis: xp.concat(list(g), axis=axis))


def split(x: Array, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Array]:
    """``x`` cut along ``axis`` into equal sections, or before each of the given indices. Source: ``numpy.split``.

    Raises:
        ValueError: the sections would not be equal.

    >>> import gpugrad as gg
    >>> gg.split(gg.tensor([1.0, 2.0, 3.0]), [1])
    [tensor([1.]), tensor([2., 3.])]
    """
    sections: int | Sequence[int]
    try:
        sections = operator.index(indices_or_sections)  # type: ignore[arg-type]
    except TypeError:
        sections = tuple(map(operator.index, indices_or_sections))  # type: ignore[arg-type]
    return list(_split(x, sections, axis))


@primitive(batch=("any_axes", "axis"), outputs=True, view=True)
def _unstack(xp: Namespace, x: Array, /, axis: int) -> tuple[Array, ...]:
    first = xp.moveaxis(x, axis, 0)
    return tuple([first[i, ...] for i in range(x.shape[axis])])  # with the dots a 0-d array is a view too


_unstack.vjp(x=lambda xp, g, axis: xp.stack(list(g), axis=axis))


def unstack(x: Array, /, *, axis: int = 0) -> tuple[Array, ...]:
    """The slices of ``x`` along ``axis``, without that axis.

    >>> import gpugrad as gg
    >>> gg.unstack(gg.tensor([[1.0, 2.0], [3.0, 4.0]]))
    (tensor([1., 2.]), tensor([3., 4.]))
    """
    x = _array("unstack", x)
    axis = which_axis("unstack", axis, len(x.shape))
    return _unstack(x, axis=axis) if x.shape[axis] else ()
