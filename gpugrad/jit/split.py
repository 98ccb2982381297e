"""One recording as two programs: the way forward, and the way back from what the first one keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..tracing.program import Call, Input, Program, Scalar, Value, mapped, values_in


@dataclass
class Point:
    """How much had been written down when the way back began."""

    calls: int
    inputs: int
    scalars: int
    events: int
    notes: int


@dataclass
class Split:
    """Both programs.

    Attributes:
        forward: gives the outputs, then what is kept.
        backward: None where there is none.
        kept: the inputs of ``backward``, in order: (``input``, its number), (``output``, its number),
            (``gradient``, its number) or (``array``, the number of an array that the way back found).
    """

    forward: Program
    backward: Program | None
    kept: list[tuple[str, int]]


def whole(program: Program, outputs: Sequence[Value]) -> Split:
    """A recording without a way back."""
    program.outputs = list(outputs)
    return Split(program, None, [])


def split(program: Program, point: Point, outputs: Sequence[Value], seeds: Sequence[Value],
          gradients: Sequence[Value]) -> Split:  # fmt: skip
    """Take a recording apart.

    Args:
        program: all of it.
        point: where the way back begins.
        outputs: of the way forward.
        seeds: the inputs that are the gradients of outputs.
        gradients: what the way back gives.
    """
    ahead, back = program.calls[: point.calls], program.calls[point.calls :]
    maker = {value.number: call for call in ahead for value in call.results}
    given = {one.value.number: i for i, one in enumerate(program.inputs)}
    seeded = {value.number: i for i, value in enumerate(seeds)}
    made = {value.number for call in back for value in call.results}
    views: list[Call] = []
    repeated: set[int] = set()
    kept: dict[int, tuple[str, int]] = {}
    saved = list(outputs)
    places = {value.number: i for i, value in reversed(list(enumerate(outputs)))}

    def need(value: Value) -> None:
        number = value.number
        if number in made or number in repeated or number in kept:
            return
        if number in seeded:
            kept[number] = "gradient", seeded[number]
        elif number in given:
            kept[number] = ("input" if given[number] < point.inputs else "array"), given[number]
        elif _is_cheap(maker[number], maker, given):
            for one in values_in((maker[number].args, maker[number].kwargs)):
                need(one)
            repeated.add(number)
            views.append(maker[number])
        else:
            if number not in places:
                places[number] = len(saved)
                saved.append(value)
            kept[number] = "output", places[number]

    for call in back:
        for value in (*values_in((call.args, call.kwargs)), *call.changes):
            need(value)
    for value in gradients:
        need(value)
    forward = Program(
        program.inputs[: point.inputs], program.scalars[: point.scalars], ahead, saved, program.specs, program.custom
    )
    names = {one.value.number: one.name for one in program.inputs}
    inputs = [Input(Value(number), names.get(number, "kept")) for number in kept]
    backward = Program(inputs, program.scalars, [*views, *back], list(gradients), program.specs, program.custom)
    return Split(forward, backward, list(kept.values()))


def _is_cheap(call: Call, maker: dict[int, Call], given: dict[int, int]) -> bool:
    """Whether a value is a view of an input, made without a number that changes."""
    if not call.view or len(call.results) != 1 or call.changes:
        return False
    found: list[Scalar] = []
    mapped((call.args, call.kwargs), lambda v: found.append(v) if type(v) is Scalar else None)
    return not found and all(
        value.number in given or _is_cheap(maker[value.number], maker, given)
        for value in values_in((call.args, call.kwargs))
    )
