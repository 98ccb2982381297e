"""Refuse a write into a tensor that nothing refers to: ``a[0][1] = v`` would be lost.

Indexing, reshaping and transposing a Tensor give another Tensor (value semantics), so a write into the result does not
reach ``a``. Where the result has a name, that is what the program asks for: ``b = a[0]; b[1] = v`` changes ``b``. Where
it has none, nobody can ever read what was written.

A tensor without another reference is recognized by its reference count. The counts of a temporary value and of a named
one are measured when this module is imported, because they depend on the version of Python. From 3.14 on, a local
variable is handed over without a reference of its own; it is told apart by looking at the variables of the caller.
"""

from __future__ import annotations

import dis
import sys
from sys import getrefcount
from typing import Any

from .errors import user_line

STORES = ("STORE_SUBSCR", "STORE_SLICE")


class _Probe:
    """Notes the reference counts that a method sees of its own object."""

    def __init__(self, seen: list[int]) -> None:
        self.seen = seen

    def __setitem__(self, index: Any, value: Any) -> None:
        self.seen.append(getrefcount(self))

    def change(self) -> None:
        self.seen.append(getrefcount(self))


def _counts() -> tuple[int, int]:
    """The counts of a temporary value: where an item is written, and where a method is called."""
    seen: list[int] = []
    _Probe(seen)[0] = None
    _Probe(seen).change()
    return seen[0], seen[1]


WRITTEN, CALLED = _counts()
"""The highest reference counts of a temporary value, inside ``__setitem__`` and inside a method."""


def check_written(x: Any) -> None:
    """Raise if the assignment to an item that runs now, two frames up, is one to a temporary tensor.

    Raises:
        TypeError: it is; names the line.
    """
    frame = sys._getframe(2)
    if dis.opname[frame.f_code.co_code[frame.f_lasti]] in STORES:  # else x was handed over as an argument
        _refuse(x, frame, "a[0][1] = v")


def check_called(count: int, x: Any, name: str) -> None:
    """Raise if ``x``, whose method changes it in place, has no other reference.

    Args:
        count: ``sys.getrefcount(x)`` in the method.
        x: the tensor.
        name: of the method.

    Raises:
        TypeError: nothing refers to ``x``; names the line.
    """
    if count <= CALLED and not x.reaches:
        _refuse(x, sys._getframe(2), f"a[0].{name}(...)")


def _refuse(x: Any, frame: Any, example: str) -> None:
    if not any(value is x for value in frame.f_locals.values()):
        raise TypeError(
            f"this changes a temporary tensor, and the result would be lost: {user_line()}\n"
            f"An index, reshape or transpose of a tensor is a new tensor, so that {example} does not reach a. "
            "Write with one index, a[0, 1] = v; or name the part, change it, and write it back: "
            "b = a[0]; b[1] = v; a[0] = b."
        )
