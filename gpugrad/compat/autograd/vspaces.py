"""The vector space that a value lies in: its zeros, its basis, its inner product."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ... import numpy as np
from ...transforms.tree import flatten
from .values import getval


class VSpace:
    """The vector space of an array, a number, or lists, tuples and dicts of them.

    A complex number is two real dimensions: sizes, bases and inner products are those of real spaces.

    >>> space = VSpace([1.0, (np.zeros(2),)])
    >>> space.size, space.zeros()
    (3, [np.float64(0.0), (array([0., 0.]),)])
    """

    def __init__(self, value: Any) -> None:
        leaves, self._rebuild = flatten(value, "the value")
        self.parts = [np.asarray(getval(leaf)) for leaf in leaves]
        self.parts = [part.astype(float) if part.dtype.kind in "biu" else part for part in self.parts]
        self._single = len(leaves) == 1 and self._rebuild is next
        self.iscomplex = any(part.dtype.kind == "c" for part in self.parts)
        self.size = sum(math.prod(part.shape) * (2 if part.dtype.kind == "c" else 1) for part in self.parts)
        if self._single:
            self.shape, self.dtype, self.ndim = self.parts[0].shape, self.parts[0].dtype, len(self.parts[0].shape)
        self._nesting = repr(self._rebuild(iter([(p.shape, str(p.dtype)) for p in self.parts])))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VSpace) and self._nesting == other._nesting

    def __hash__(self) -> int:
        return hash(self._nesting)

    def __repr__(self) -> str:
        return f"VSpace({self._nesting})"

    def _made(self, parts: list[Any]) -> Any:
        return self._rebuild(iter([part[()] if part.shape == () else part for part in parts]))

    def _leaves(self, x: Any) -> list[Any]:
        return flatten(x, "the value")[0]

    def zeros(self) -> Any:
        """The origin."""
        return self._made([np.zeros_like(part) for part in self.parts])

    def ones(self) -> Any:
        """All real parts 1, and all imaginary parts: the sum of the basis."""
        return self._made([np.ones_like(part) * (1 + 1j if part.dtype.kind == "c" else 1) for part in self.parts])

    def randn(self) -> Any:
        """A vector of standard normal numbers."""

        def drawn(part: Any) -> Any:
            x = np.asarray(np.random.randn(*part.shape))
            return (x + 1j * np.random.randn(*part.shape) if part.dtype.kind == "c" else x).astype(part.dtype)

        return self._made([np.asarray(drawn(part)) for part in self.parts])

    def standard_basis(self) -> Iterator[Any]:
        """The unit vectors; of each complex number 1 and i."""
        for position, part in enumerate(self.parts):
            for index in np.ndindex(*part.shape):
                for unit in (1.0, 1j) if part.dtype.kind == "c" else (1.0,):
                    made = [np.zeros_like(p) for p in self.parts]
                    made[position][index] = unit
                    yield self._made(made)

    def add(self, x: Any, y: Any) -> Any:
        """The sum of two vectors."""
        return self._rebuild(iter([a + b for a, b in zip(self._leaves(x), self._leaves(y), strict=True)]))

    def scalar_mul(self, x: Any, a: Any) -> Any:
        """A vector times a real number."""
        return self._rebuild(iter([leaf * a for leaf in self._leaves(x)]))

    def inner_prod(self, x: Any, y: Any) -> Any:
        """The real inner product: of complex numbers, ``Re(conj(x) y)``."""
        pairs = zip(self._leaves(x), self._leaves(y), strict=True)
        return sum(np.real(np.sum(np.conj(a) * b)) for a, b in pairs)

    def covector(self, x: Any) -> Any:
        """The vector as a gradient: its conjugate."""
        return self._rebuild(iter([np.conj(leaf) for leaf in self._leaves(x)]))


def vspace(value: Any) -> VSpace:
    """The vector space of a value."""
    return VSpace(value)
