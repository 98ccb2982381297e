"""What reductions over axes do to shapes."""

from __future__ import annotations

import math
import operator
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
