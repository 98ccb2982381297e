"""What reductions over axes do to shapes."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

Axis = int | tuple[int, ...] | None
Shape = tuple[int, ...]


def several(value: Any) -> tuple[int, ...]:
    """One number, of Python or of NumPy, or several, as a tuple.

    >>> several(3), several([1, 2])
    ((3,), (1, 2))
    """
    if isinstance(value, int):
        return (value,)
    return (operator.index(value),) if getattr(value, "shape", None) == () else tuple(value)


def axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    """The reduced axes as sorted numbers from 0."""
    listed = range(ndim) if axis is None else several(axis)
    return tuple(sorted(a % ndim for a in listed))


def kept(shape: Shape, axis: Axis) -> Shape:
    """The shape with the reduced axes at size 1."""
    reduced = axes(axis, len(shape))
    return tuple(1 if i in reduced else n for i, n in enumerate(shape))


def length(shape: Shape, axis: Axis) -> int:
    """How many elements go into each result."""
    return math.prod(shape[i] for i in axes(axis, len(shape)))


def merged(
    shape: Shape, shapes: Sequence[Shape], strides: Sequence[Shape], leading: int | None = None
) -> tuple[list[int], list[list[int]]]:
    """Merge the axes that lie together in all arrays; broadcast axes have stride 0.

    Args:
        shape: the common shape.
        shapes: of the arrays; they broadcast to it.
        strides: of the arrays, in bytes or elements.
        leading: the array by whose strides axes are sorted, largest first; None keeps their order.

    Returns:
        The sizes of the merged axes, and for each array its strides.

    >>> merged((2, 3, 4), [(2, 3, 4), (4,)], [(96, 32, 8), (8,)])
    ([6, 4], [[32, 8], [0, 8]])
    """
    ndim = len(shape)
    full = [
        [0] * (ndim - len(s)) + [0 if n == 1 else step for n, step in zip(s, steps, strict=True)]
        for s, steps in zip(shapes, strides, strict=True)
    ]
    order = [axis for axis in range(ndim) if shape[axis] != 1]
    if leading is not None:
        order = sorted(order, key=lambda axis: -abs(full[leading][axis]))
    sizes: list[int] = []
    kept: list[list[int]] = [[] for _ in full]
    for axis in order:
        if sizes and all(own[-1] == steps[axis] * shape[axis] for own, steps in zip(kept, full, strict=True)):
            sizes[-1] *= shape[axis]
            for own, steps in zip(kept, full, strict=True):
                own[-1] = steps[axis]
        else:
            sizes.append(shape[axis])
            for own, steps in zip(kept, full, strict=True):
                own.append(steps[axis])
    return sizes, kept
