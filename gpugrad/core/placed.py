"""Gradients of parts of one value, which are put together when all have arrived."""

from __future__ import annotations

from typing import Any

from ..backend import NAMESPACES
from ..kernels.indexing import join_at

Shape = tuple[int, ...]


class Placed:
    """The gradient of a value of which parts were read: what belongs where, and 0 elsewhere; adds up like an array.

    So a value that was cut into parts gets its gradient in one piece, and not as a sum of arrays of zeros.

    Args:
        g: the gradient of a part.
        index: where that is: integers, slices, ``None`` and ``...``.
        shape: of the value.
    """

    __slots__ = ("dtype", "more", "parts", "shape")
    __array_ufunc__ = None  # an array on the left leaves the addition to us

    def __init__(self, g: Any, index: Any, shape: Shape) -> None:
        self.parts: list[tuple[Any, Any]] = [(g, index)]
        self.more: Any = None
        self.shape, self.dtype = shape, g.dtype

    def __add__(self, other: Any) -> Placed:
        """The walk is the only owner, so this one is extended."""
        if type(other) is not Placed:
            self.more = other if self.more is None else self.more + other
            return self
        if other.dtype != self.dtype:
            return self.__add__(other.whole())
        self.parts += other.parts
        return self if other.more is None else self.__add__(other.more)

    __radd__ = __add__

    def whole(self) -> Any:
        """The gradient as an array."""
        xp = NAMESPACES[type(self.parts[0][0])]
        return join_at(xp, tuple(g for g, _ in self.parts), tuple(i for _, i in self.parts), self.shape, self.more)
