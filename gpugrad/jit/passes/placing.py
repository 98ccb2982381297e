"""Add up what is written into zeros without making the zeros.

The gradient of a part is zeros with something in one place, and gradients of several parts are added up. Here they are
written and added to one array.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from ...backend import Array, Namespace
from ...tracing.program import Call, Program, Value
from .effects import Memory, read

Parts = list[tuple[Value, Any]]


def sum_of_parts(
    xp: Namespace, base: Array | None, values: tuple[Array, ...], indices: tuple[Any, ...], shape: tuple[int, ...]
) -> Array:
    """``base``, or zeros, with each of the values added at its index."""
    y = xp.zeros(shape, dtype=values[0].dtype) if base is None else xp.array(base, copy=True)
    for value, index in zip(values, indices, strict=True):
        y[index] += value
    return y


NAME = sum_of_parts.__name__


def placed(program: Program) -> Program:
    """A program in which a sum of arrays, some of them zeros with a part that is not, is one call."""
    memory = Memory(program)
    uses = Counter(value for call in program.calls for value in read(call)) + Counter(program.outputs)
    parts: dict[Value, Parts] = {}
    whole: dict[Value, Value | None] = {}
    calls = []
    changed = False
    for call in program.calls:
        new = call
        if call.op == "kernel.place_at" and type(call.args[0]) is Value and _basic(call.args[1]):
            if memory.of(call.args[0]) not in memory.written:
                parts[call.results[0]] = [(call.args[0], call.args[1])]
                whole[call.results[0]] = None
        elif call.op in ("add", "operator.add") and not call.kwargs and all(type(a) is Value for a in call.args):
            a, b = call.args
            specs = {(s.dtype, s.shape) for s in (program.specs[v.number] for v in (a, b, *call.results))}
            a_parts, b_parts = ([*parts[v]] if v in parts and uses[v] == 1 else [] for v in (a, b))
            bases = [v if not found else whole[v] for v, found in ((a, a_parts), (b, b_parts))]
            given = [v for v in bases if v is not None]
            fits = len(specs) == 1 and (a_parts or b_parts) and len(given) < 2 and a != b
            if fits and not any(memory.of(v) in memory.written for v in given):
                base, found = given[0] if given else None, a_parts + b_parts
                parts[call.results[0]], whole[call.results[0]] = found, base
                spec = program.specs[call.results[0].number]
                args = base, tuple(v for v, _ in found), tuple(i for _, i in found), spec.shape
                new = Call(f"kernel.{NAME}", args, {}, call.results)
                changed = True
        calls.append(new)
    custom = {**program.custom, NAME: sum_of_parts} if changed else program.custom
    return replace(program, calls=calls, custom=custom)


def _basic(index: Any) -> bool:
    """Whether an index consists of slices, numbers and None."""
    entries = index if isinstance(index, tuple) else (index,)
    return all(e is None or e is Ellipsis or type(e) in (int, slice) for e in entries)
