"""What a program writes to, and which of its values share memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...tracing.program import Call, Program, Value, mapped

RAISING = frozenset({"check_labels", "check_values", "kernel.checked_labels", "kernel.out_of_bounds"})
"""Calls that are there to raise an error, whether their result is used or not."""


class Memory:
    """Which values lie in one memory, by the views that a program declares.

    Attributes:
        written: the memories that some call writes to.
        given: the memories of inputs.
    """

    def __init__(self, program: Program) -> None:
        self._parent = [*range(len(program.specs))]
        for call in program.calls:
            if call.view:
                first, *others = (*call.results, *read(call))
                for value in others:
                    self._join(first.number, value.number)
        self.written = {self.of(value) for call in program.calls for value in call.changes}
        self.given = {self.of(one.value) for one in program.inputs}

    def of(self, value: Value) -> int:
        """The memory of a value, by the number of one of the values in it."""
        number = value.number
        while self._parent[number] != number:
            self._parent[number] = self._parent[self._parent[number]]
            number = self._parent[number]
        return number

    def _join(self, a: int, b: int) -> None:
        roots = sorted((self.of(Value(a)), self.of(Value(b))))
        self._parent[roots[1]] = roots[0]


def read(call: Call) -> list[Value]:
    """The values among the arguments of a call."""
    found: list[Value] = []
    _collect(call.args, found)
    if call.kwargs:
        _collect((*call.kwargs.values(),), found)
    return found


def _collect(structure: Any, found: list[Value]) -> None:
    for one in structure:
        kind = type(one)
        if kind is Value:
            found.append(one)
        elif kind is tuple or kind is list or isinstance(one, tuple):
            _collect(one, found)
        elif kind is dict:
            _collect((*one.values(),), found)
        elif kind is slice:
            _collect((one.start, one.stop, one.step), found)


def substituted(call: Call, by: Mapping[Value, Value]) -> Call:
    """A call with other values in the place of some."""

    def convert(value: Any) -> Any:
        return by.get(value, value) if type(value) is Value else value

    if not any(value in by for value in read(call)):
        return call
    return replace(
        call, args=mapped(call.args, convert), kwargs=mapped(call.kwargs, convert),
        changes=tuple(by.get(value, value) for value in call.changes),
    )  # fmt: skip


def with_calls(program: Program, calls: Sequence[Call], by: Mapping[Value, Value] | None = None) -> Program:
    """A program with other calls, and other values in the place of some."""
    by = by or {}
    return replace(
        program,
        calls=[substituted(call, by) for call in calls] if by else [*calls],
        outputs=[by.get(value, value) for value in program.outputs],
    )


def versions(program: Program, memory: Memory) -> Iterator[tuple[Call, dict[int, int]]]:
    """Each call, and how often each memory has been written to before it; the dictionary is one and the same."""
    count: dict[int, int] = {}
    for call in program.calls:
        yield call, count
        for value in call.changes:
            number = memory.of(value)
            count[number] = count.get(number, 0) + 1
