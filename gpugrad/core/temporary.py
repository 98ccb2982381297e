"""Refuse a write into a tensor that nothing refers to: ``a[0][1] = v`` would be lost.

Indexing, reshaping and transposing a Tensor give another Tensor (value semantics), so a write into the result does not
reach ``a``. Where the result has a name, that is what the program asks for: ``b = a[0]; b[1] = v`` changes ``b``. Where
it has none, nobody can ever read what was written.

A tensor without another reference is recognized by its reference count. The counts of a temporary value and of a named
one are measured when this module is imported, because they depend on the version of Python. From 3.14 on, a local
variable is handed over without a reference of its own; it is told apart by looking at the variables of the caller.

A function that writes to its argument (``out=``, ``numpy.put``) is called through others, each with references of its
own, so that a count says nothing. There a part is recognized by its memory, which another array owns that is in use
elsewhere; and what holds it is looked for, first among the variables of the callers, then everywhere.
"""

from __future__ import annotations

import dis
import functools
import gc
import sys
from collections.abc import Iterable
from sys import getrefcount
from types import CellType, FrameType, FunctionType, MethodType
from typing import Any

from .errors import is_library, user_line

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
    if dis.opname[frame.f_code.co_code[frame.f_lasti]] in STORES:
        _refuse(x, frame, "a[0][1] = v")
    else:  # x was handed over as an argument
        check_target(x, "a[0].__setitem__(1, v)")


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


def is_part(data: Any) -> bool:
    """Whether an array shows the memory of another one that is in use elsewhere."""
    owner = getattr(data, "base", None)
    return owner is not None and getrefcount(owner) > ALONE


class _Owned:
    def __init__(self) -> None:
        self.base = object()


def _alone(data: Any) -> int:
    owner = getattr(data, "base", None)
    return getrefcount(owner)


ALONE = _alone(_Owned())
"""The reference count, in :func:`is_part`, of memory that one array shows and nothing else uses."""


def check_target(x: Any, example: str) -> None:
    """Raise if ``x``, which a function is about to write to, is a part of another tensor that nothing holds.

    Args:
        x: a Tensor.
        example: what the message calls the write.

    Raises:
        TypeError: it is; names the line.
    """
    if not x.reaches and is_part(x.data) and not _is_held(x):
        refuse(example)


def _is_held(x: Any) -> bool:
    """Whether anything but the functions that are being called holds ``x``."""
    frames: list[FrameType] = []
    frame = sys._getframe(1)
    while frame is not None:
        if not is_library(frame):
            frames.append(frame)
        frame = frame.f_back  # type: ignore[assignment]
    named: set[int] = set()
    for frame in frames:
        for value in (*frame.f_locals.values(), *frame.f_globals.values()):
            if value is x:
                return True
            named.add(id(value))
            for part in _parts(value):
                if part is x:
                    return True
    return _is_kept(x, named, {id(frames)}, 5)


def _parts(value: Any) -> Iterable[Any]:
    """What a variable holds at once: the entries of a list, the attributes of an object."""
    if isinstance(value, dict):
        value = [*value.values()]
    return value if isinstance(value, list | tuple) else [*getattr(value, "__dict__", {}).values()]


class Passing:
    """The base of what stands for a tensor for a moment, such as ``a.flat``."""

    __slots__ = ()


PASSING = (tuple, list, dict, CellType, FunctionType, MethodType, functools.partial, Passing)
"""What a call is made with: they hold something only as long as something holds them."""


def _is_kept(value: Any, named: set[int], seen: set[int], depth: int) -> bool:
    """Whether something that lasts holds a value: none of what comes and goes with a call, unless it has a name or is
    kept itself.

    Generators and closures would be found among the holders, so that there are none here.
    """
    holders = gc.get_referrers(value)
    seen |= {id(value), id(holders)}
    for holder in holders:
        if id(holder) in seen or isinstance(holder, FrameType):
            continue
        if not isinstance(holder, PASSING) or id(holder) in named or not depth:
            return True
        if _is_kept(holder, named, seen, depth - 1):
            return True
    return False


def _refuse(x: Any, frame: Any, example: str) -> None:
    if not any(value is x for value in frame.f_locals.values()):
        refuse(example)


def refuse(example: str) -> None:
    """Raise TypeError: what the user's line writes is lost."""
    raise TypeError(
        f"this changes a temporary tensor, and the result would be lost: {user_line()}\n"
        f"An index, reshape or transpose of a tensor is a new tensor, so that {example} does not reach a. "
        "Write with one index, a[0, 1] = v; or name the part, change it, and write it back: "
        "b = a[0]; b[1] = v; a[0] = b. A state_dict() has copies: change those, and give them to load_state_dict."
    )
