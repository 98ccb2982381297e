"""Iteration over a Tensor: ``for r in a: r -= r.mean()`` changes ``a``, as in NumPy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from sys import getrefcount
from typing import Any
from weakref import ref

from ..backend import Array
from .errors import user_line
from .node import Leaf
from .temporary import is_part, refuse
from .tensor import Tensor


class Row(Tensor):
    """A row that an iteration gave: a change to it is a change to the tensor it came from.

    >>> import gpugrad as gg
    >>> a = gg.ones((2, 2))
    >>> for i, r in enumerate(a):
    ...     r *= i
    >>> a
    tensor([[0., 0.],
            [1., 1.]])
    """

    __slots__ = ("place", "source")

    def __init__(self, row: Tensor, source: Iterated | None = None, place: int = 0) -> None:
        super().__init__(row)
        self.source, self.place = source, place

    @property
    def reaches(self) -> bool:
        """Whether the tensor that the row came from is known; a copy's is not."""
        return getattr(self, "source", None) is not None

    def become(self, value: Tensor) -> None:
        source: Iterated | None = getattr(self, "source", None)
        if source is not None and not isinstance(self.node, Leaf):
            source.write(self.place, value)
        super().become(value)

    def __reduce__(self) -> tuple[Any, ...]:
        return Tensor(self.data, self.node).__reduce__()


class Iterated:
    """The tensor that rows came from, the array it had when they last agreed, and whether it is a part of another."""

    __slots__ = ("array", "is_part", "tensor")

    def __init__(self, tensor: Tensor) -> None:
        self.tensor, self.array, self.is_part = ref(tensor), tensor.data, is_part(tensor.data)

    array: Array

    def write(self, place: int, value: Tensor) -> None:
        """Give the tensor, if it is still there, the new value of a row.

        Raises:
            RuntimeError: it was changed since the rows were taken, so that theirs are not its values.
            GradientError: it is a leaf that needs a gradient, while recording.
            TypeError: nothing but the iteration holds the tensor, a part of another: the row would be lost.
        """
        tensor = self.tensor()
        if tensor is None:
            return
        if self.is_part and getrefcount(tensor) <= ITERATED:
            refuse("for r in a.T: r *= 2")
        if tensor.data is not self.array:
            raise RuntimeError(
                "a row of an iteration is changed in place after the tensor itself was changed, so that the row has "
                f"an old value: change one of the two, or a copy of the row [{user_line()}]"
            )
        tensor[place] = value
        self.array = tensor.data


def _iter(self: Tensor) -> Iterator[Tensor]:
    if not self.data.shape:
        raise TypeError("iteration over a 0-d tensor")
    return rows(self, range(self.data.shape[0]))


def _reversed(self: Tensor) -> Iterator[Tensor]:
    return rows(self, reversed(range(len(self))))


Tensor.__iter__, Tensor.__reversed__ = _iter, _reversed  # type: ignore[method-assign, assignment]


def rows(tensor: Tensor, places: Iterable[int]) -> Iterator[Tensor]:
    """The rows of a tensor; numbers, which NumPy hands out as immutable scalars, are tensors of their own."""
    if tensor.ndim == 1:
        return (tensor[i] for i in places)
    source = Iterated(tensor)
    return (Row(tensor[i], source, i) for i in places)


def _iterated() -> int:
    """The count, in :meth:`Iterated.write`, of references to a tensor that only the iteration over it holds."""

    class Probe:
        pass

    def iteration(probe: Probe) -> Iterator[ref[Probe]]:
        return (ref(probe) for _ in range(2))

    def count(known: ref[Probe]) -> int:
        probe = known()
        return getrefcount(probe)

    running = iteration(Probe())
    return count(next(running))


ITERATED = _iterated()
