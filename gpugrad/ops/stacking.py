"""Joining, cutting and repeating, composed of the operations of ``shaping``; grids. Lists are taken as well as Tensors.

Source: Python array API standard 2024.12 and NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ..backend import Array, Namespace
from ..core import Tensor, primitive
from ..kernels.shapes import several
from .axes import ravel
from .creation import asarray
from .inspection import broadcast_shapes
from .nested import together
from .selection import take
from .shaping import (
    broadcast_to,
    concat,
    expand_dims,
    reshape,
    split,
    stack,
    which_axis,
)

Shape = tuple[int, ...]


def tile(x: Array, repetitions: int | Shape, /) -> Array:
    """``x`` laid side by side so many times along each axis; the gradients of the copies add up.

    >>> import gpugrad as gg
    >>> gg.tile(gg.tensor([1.0, 2.0]), (2, 2))
    tensor([[1., 2., 1., 2.],
            [1., 2., 1., 2.]])
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    times = several(repetitions)
    shape = (1,) * (len(times) - len(x.shape)) + tuple(x.shape)
    times = (1,) * (len(shape) - len(times)) + times
    apart = reshape(x, tuple(size for n in shape for size in (1, n)))
    copies = broadcast_to(apart, tuple(size for pair in zip(times, shape, strict=True) for size in pair))
    return reshape(copies, tuple(t * n for t, n in zip(times, shape, strict=True)))


@primitive(batch=("any_axes", "axis"))
def _repeat(xp: Namespace, x: Array, /, repeats: int, axis: int) -> Array:
    return xp.repeat(x, repeats, axis=axis)


def _repeat_x(xp: Namespace, g: Array, x_shape: Shape, repeats: int, axis: int) -> Array:
    return xp.sum(xp.reshape(g, (*x_shape[: axis + 1], repeats, *x_shape[axis + 1 :])), axis=axis + 1)


_repeat.vjp(x=_repeat_x)


def repeat(x: Array, repeats: int | Sequence[int] | Array, /, axis: int | None = None) -> Array:
    """Each element so many times in a row along ``axis`` (None: flattened); the gradients of the copies add up.

    Args:
        x: shape ``(...)``.
        repeats: one number, or one for each element along the axis; a GPU is waited for, for those of a tensor.
        axis: along which.

    Raises:
        ValueError: not one number for each element.

    >>> import gpugrad as gg
    >>> gg.repeat(gg.tensor([1.0, 2.0]), 2), gg.repeat(gg.tensor([1.0, 2.0]), [1, 2])
    (tensor([1., 1., 2., 2.]), tensor([1., 2., 2.]))
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    x, axis = (ravel(x), 0) if axis is None else (x, which_axis("repeat", axis, len(x.shape)))
    if isinstance(repeats, int):
        return _repeat(x, repeats, axis)
    repeats = several(repeats) if getattr(repeats, "shape", None) == () else repeats
    numbers = [int(n) for n in (repeats.tolist() if hasattr(repeats, "tolist") else repeats)]
    if len(numbers) == 1:
        return _repeat(x, numbers[0], axis)
    if len(numbers) != x.shape[axis]:
        raise ValueError(f"repeat: expected {x.shape[axis]} numbers for axis {axis}, got {len(numbers)}")
    return take(x, [i for i, n in enumerate(numbers) for _ in range(n)], axis=axis)


def broadcast_arrays(*arrays: Array) -> tuple[Array, ...]:
    """All with the shape that they broadcast to together.

    Raises:
        ValueError: they do not.

    >>> import gpugrad as gg
    >>> [x.shape for x in gg.broadcast_arrays(gg.zeros((2, 1)), gg.zeros(3))]
    [(2, 3), (2, 3)]
    """
    arrays = together("broadcast_arrays", *arrays)
    shape = broadcast_shapes(*(x.shape for x in arrays))
    return tuple(broadcast_to(x, shape) for x in arrays)


def meshgrid(*arrays: Array, indexing: str = "xy", sparse: bool = False) -> tuple[Array, ...]:
    """The coordinates of a grid: each vector along its axis, repeated along the others.

    Args:
        arrays: shape ``(N,)`` each.
        indexing: "ij" for the axes in the order of the vectors, "xy" with the first two exchanged.
        sparse: leave the other axes at size 1, for broadcasting.

    Raises:
        ValueError: another indexing.

    >>> import gpugrad as gg
    >>> gg.meshgrid(gg.tensor([1.0, 2.0]), gg.tensor([3.0]), indexing="ij")
    (tensor([[1.],
            [2.]]), tensor([[3.],
            [3.]]))
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: expected indexing 'xy' or 'ij', got {indexing!r}")
    arrays = together("meshgrid", *arrays)
    places = list(range(len(arrays)))
    if indexing == "xy" and len(places) > 1:
        places[:2] = 1, 0
    apart = [
        reshape(x, tuple(math.prod(x.shape) if i == place else 1 for i in range(len(arrays))))
        for place, x in zip(places, arrays, strict=True)
    ]
    return tuple(apart) if sparse else broadcast_arrays(*apart)


def _each(one: Callable[[Tensor], Array], arrays: Sequence[Any]) -> Any:
    """What a function gives for an array, or the tuple of what it gives for several."""
    made = tuple([one(x if isinstance(x, Tensor) else asarray(x)) for x in arrays])
    return made[0] if len(made) == 1 else made


def _at_least_1d(x: Array) -> Array:
    return asarray(x) if x.shape else reshape(x, (1,))


def _at_least_2d(x: Array) -> Array:
    return asarray(x) if len(x.shape) > 1 else reshape(x, (1, math.prod(x.shape)))


def _at_least_3d(x: Array) -> Array:
    shape = x.shape
    return asarray(x) if len(shape) > 2 else reshape(x, (*shape, 1) if len(shape) == 2 else (1, *(shape or (1,)), 1))


def atleast_1d(*arrays: Array) -> Any:
    """``x``, a number with an axis of size 1; a tuple for several.

    >>> import gpugrad as gg
    >>> gg.atleast_1d(gg.tensor(1.0)).shape
    (1,)
    """
    return _each(_at_least_1d, arrays)


def atleast_2d(*arrays: Array) -> Any:
    """``x`` with axes of size 1 in front until there are two; a tuple for several.

    >>> import gpugrad as gg
    >>> gg.atleast_2d(gg.zeros(3)).shape
    (1, 3)
    """
    return _each(_at_least_2d, arrays)


def atleast_3d(*arrays: Array) -> Any:
    """``x`` with three axes: shapes ``()``, ``(N,)``, ``(M, N)`` to ``(1, 1, 1)``, ``(1, N, 1)``, ``(M, N, 1)``.

    A tuple for several.

    >>> import gpugrad as gg
    >>> gg.atleast_3d(gg.zeros(3)).shape
    (1, 3, 1)
    """
    return _each(_at_least_3d, arrays)


def vstack(arrays: Sequence[Array], /) -> Array:
    """Tensors one below the other, vectors as rows.

    >>> import gpugrad as gg
    >>> gg.vstack([gg.tensor([1.0, 2.0]), gg.tensor([3.0, 4.0])])
    tensor([[1., 2.],
            [3., 4.]])
    """
    return concat([_at_least_2d(x) for x in together("vstack", *arrays)], axis=0)


def hstack(arrays: Sequence[Array], /) -> Array:
    """Tensors side by side: joined along the second axis, vectors along their only one.

    >>> import gpugrad as gg
    >>> gg.hstack([gg.tensor([1.0, 2.0]), gg.tensor([3.0])])
    tensor([1., 2., 3.])
    """
    listed = [_at_least_1d(x) for x in together("hstack", *arrays)]
    return concat(listed, axis=1 if listed and len(listed[0].shape) > 1 else 0)


def dstack(arrays: Sequence[Array], /) -> Array:
    """Tensors joined along the third axis, after :func:`atleast_3d`.

    >>> import gpugrad as gg
    >>> gg.dstack([gg.zeros((2, 3)), gg.ones((2, 3))]).shape
    (2, 3, 2)
    """
    return concat([_at_least_3d(x) for x in together("dstack", *arrays)], axis=2)


def column_stack(arrays: Sequence[Array], /) -> Array:
    """Tensors side by side, vectors as columns.

    >>> import gpugrad as gg
    >>> gg.column_stack([gg.tensor([1.0, 2.0]), gg.tensor([3.0, 4.0])])
    tensor([[1., 3.],
            [2., 4.]])
    """
    listed = list(together("column_stack", *arrays))
    if listed and all(len(x.shape) == 1 for x in listed):
        return stack(listed, axis=1)
    return concat([x if len(x.shape) > 1 else expand_dims(_at_least_1d(x), 1) for x in listed], axis=1)


def array_split(x: Array, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Array]:
    """:func:`split` into so many sections that need not be equal: the first ones have one element more.

    Raises:
        ValueError: fewer than one section.

    >>> import gpugrad as gg
    >>> gg.array_split(gg.tensor([1.0, 2.0, 3.0]), 2)
    [tensor([1., 2.]), tensor([3.])]
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    if not isinstance(indices_or_sections, int):
        return split(x, indices_or_sections, axis)
    if indices_or_sections < 1:
        raise ValueError(f"array_split: expected at least one section, got {indices_or_sections}")
    size, more = divmod(x.shape[axis], indices_or_sections)
    return split(x, [i * size + min(i, more) for i in range(1, indices_or_sections)], axis)


def vsplit(x: Array, indices_or_sections: int | Sequence[int]) -> list[Array]:
    """:func:`split` along the first axis.

    >>> import gpugrad as gg
    >>> [part.shape for part in gg.vsplit(gg.zeros((4, 3)), 2)]
    [(2, 3), (2, 3)]
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    return split(x, indices_or_sections, 0)


def dsplit(x: Array, indices_or_sections: int | Sequence[int]) -> list[Array]:
    """:func:`split` along the third axis.

    Raises:
        ValueError: fewer than three axes, or the sections would not be equal.

    >>> import gpugrad as gg
    >>> [part.shape for part in gg.dsplit(gg.zeros((2, 3, 4)), 2)]
    [(2, 3, 2), (2, 3, 2)]
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    if len(x.shape) < 3:
        raise ValueError(f"dsplit: expected at least three axes, got shape {x.shape}")
    return split(x, indices_or_sections, 2)


def hsplit(x: Array, indices_or_sections: int | Sequence[int]) -> list[Array]:
    """:func:`split` along the second axis, of a vector along its only one.

    >>> import gpugrad as gg
    >>> [part.shape for part in gg.hsplit(gg.zeros((4, 3)), [1])]
    [(4, 1), (4, 2)]
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    return split(x, indices_or_sections, 1 if len(x.shape) > 1 else 0)
