"""Small functions that programs import from ``autograd.util``."""

from collections.abc import Iterable, Sequence
from typing import Any


def subvals(values: Sequence[Any], changes: Iterable[tuple[int, Any]]) -> tuple[Any, ...]:
    """The values as a tuple, those at the given positions exchanged.

    >>> subvals((1, 2, 3), [(0, "a"), (2, "b")])
    ('a', 2, 'b')
    """
    by_position = dict(changes)
    return tuple(by_position.get(i, value) for i, value in enumerate(values))


def subval(values: Sequence[Any], position: int, value: Any) -> tuple[Any, ...]:
    """The values as a tuple, one of them exchanged."""
    return subvals(values, [(position, value)])
