"""Axes in another order, and elements in another order along them; what takes lists as well as Tensors.

The operations on which these stand are in ``shaping``, which ``creation`` needs and which therefore knows no lists.
Source: Python array API standard 2024.12 and NumPy.
"""

from __future__ import annotations

import math

from ..backend import Array, Namespace
from ..core import Tensor, primitive
from ..kernels.shapes import several
from .creation import asarray
from .shaping import flip, permute_dims, reshape, reshape_in_order, swapaxes, which_axis

Shape = tuple[int, ...]


def moveaxis(x: Array, source: int | Shape, destination: int | Shape, /) -> Array:
    """The axes ``source`` at the places ``destination``, the others in the order they had.

    Raises:
        ValueError: not as many places as axes, or no such axis.

    >>> import gpugrad as gg
    >>> gg.moveaxis(gg.zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    ndim = len(x.shape)
    sources, places = ([which_axis("moveaxis", a, ndim) for a in several(axes)] for axes in (source, destination))
    if len(set(sources)) != len(places) or len(set(places)) != len(sources):
        raise ValueError(f"moveaxis: expected a place for each axis, got {source} and {destination}")
    order = [i for i in range(ndim) if i not in sources]
    for place, axis in sorted(zip(places, sources, strict=True)):
        order.insert(place, axis)
    return permute_dims(x, tuple(order))


def ravel(x: Array, order: str = "C") -> Array:
    """All elements along one axis, in row-major order, or for ``order="F"`` in column-major order.

    >>> import gpugrad as gg
    >>> gg.ravel(gg.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([1., 2., 3., 4.])
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    if order != "C":
        return reshape_in_order(x, (math.prod(x.shape),), order=order)
    return asarray(x) if len(x.shape) == 1 else reshape(x, (math.prod(x.shape),))


@primitive(batch="rolled")
def roll(xp: Namespace, x: Array, /, shift: int | Shape, axis: int | Shape | None = None) -> Array:
    """The elements moved by ``shift`` places along ``axis``, those that fall off come in again; None: as if flattened.

    >>> import gpugrad as gg
    >>> gg.roll(gg.tensor([1.0, 2.0, 3.0]), 1)
    tensor([3., 1., 2.])
    """
    return xp.roll(x, shift, axis=axis)


def _roll_x(xp: Namespace, g: Array, shift: int | Shape, axis: int | Shape | None) -> Array:
    return xp.roll(g, -shift if isinstance(shift, int) else tuple(-s for s in several(shift)), axis=axis)


roll.vjp(x=_roll_x)


def rot90(x: Array, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Array:
    """Turned k times by 90 degrees in the plane of two axes, from the first towards the second.

    >>> import gpugrad as gg
    >>> gg.rot90(gg.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[2., 4.],
            [1., 3.]])
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    turns = k % 4
    if turns == 2:
        return flip(x, axis=axes)
    if turns == 1:
        return swapaxes(flip(x, axis=axes[1]), *axes)
    return flip(swapaxes(x, *axes), axis=axes[1]) if turns else flip(flip(x, axis=axes), axis=axes)


def fliplr(x: Array, /) -> Array:
    """:func:`flip` along the second axis.

    >>> import gpugrad as gg
    >>> gg.fliplr(gg.tensor([[1.0, 2.0]]))
    tensor([[2., 1.]])
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    if len(x.shape) < 2:
        raise ValueError(f"fliplr: expected at least two axes, got shape {x.shape}")
    return x[:, ::-1]


def flipud(x: Array, /) -> Array:
    """:func:`flip` along the first axis.

    >>> import gpugrad as gg
    >>> gg.flipud(gg.tensor([1.0, 2.0]))
    tensor([2., 1.])
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    if not x.shape:
        raise ValueError("flipud: expected at least one axis, got shape ()")
    return x[::-1]


def rollaxis(x: Array, axis: int, start: int = 0) -> Array:
    """One axis moved before another, or (``start = x.ndim``) to the end; :func:`moveaxis` is easier to read.

    >>> import gpugrad as gg
    >>> gg.rollaxis(gg.zeros((2, 3, 4)), 2).shape
    (4, 2, 3)
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    ndim = len(x.shape)
    source = which_axis("rollaxis", axis, ndim)
    place = start + ndim if start < 0 else start
    if not 0 <= place <= ndim:
        raise ValueError(f"rollaxis: start {start} is out of bounds for {ndim} axes")
    return moveaxis(x, source, place - 1 if source < place else place)


def transpose(x: Array, axes: tuple[int, ...] | None = None) -> Array:
    """The axes in another order, by default the reverse one. :func:`permute_dims` under NumPy's name.

    >>> import gpugrad as gg
    >>> gg.transpose(gg.zeros((2, 3, 4))).shape
    (4, 3, 2)
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    return permute_dims(x, tuple(reversed(range(len(x.shape)))) if axes is None else tuple(axes))
