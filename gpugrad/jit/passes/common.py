"""Make a call once that is made several times."""

from __future__ import annotations

from typing import Any

import numpy

from ...tracing.program import Call, Program, Scalar, Value
from .effects import RAISING, Memory, read, substituted, versions, with_calls

DIFFERENT = frozenset({"empty", "empty_like"})
"""Calls whose results are not determined by their arguments."""


def common(program: Program) -> Program:
    """A program in which equal calls on equal values are one.

    Not those whose results are written to later, nor those that read memory which has been written to in between.

    >>> import gpugrad as gg
    >>> common(gg.trace(lambda x: gg.exp(x) * gg.exp(x))(gg.tensor([1.0]))).names()
    ['exp', 'multiply']
    """
    memory = Memory(program)
    known: dict[Any, Call] = {}
    by: dict[Value, Value] = {}
    calls = []
    for original, count in versions(program, memory):
        call = substituted(original, by)
        fixed = call.changes or not call.results or call.op in DIFFERENT or call.op in RAISING
        if fixed or any(memory.of(value) in memory.written and not call.view for value in call.results):
            calls.append(call)
            continue
        seen = tuple(count.get(memory.of(value), 0) for value in read(call)) if not call.view else ()
        key = (call.op, frozen(call.args), frozen(call.kwargs), call.view, seen)
        found = known.setdefault(key, call)
        if found is call:
            calls.append(call)
        else:
            by.update(zip(call.results, found.results, strict=True))
    return with_calls(program, calls, by)


def frozen(value: Any) -> Any:
    """A static argument as a key; numbers of different types and signs are different."""
    if isinstance(value, tuple | list):
        return type(value).__name__, *map(frozen, value)
    if isinstance(value, dict):
        return tuple((k, frozen(v)) for k, v in sorted(value.items()))
    if isinstance(value, slice):
        return "slice", frozen(value.start), frozen(value.stop), frozen(value.step)
    if type(value) in (Value, Scalar):
        return value
    if isinstance(value, numpy.ndarray):
        return "array", value.dtype.str, value.shape, value.tobytes()
    return type(value).__name__, repr(value)
