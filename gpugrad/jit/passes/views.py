"""Take values that show the same elements in the same order for one."""

from __future__ import annotations

from ...tracing.program import Program, Value
from ..places import Place, Places
from .effects import Memory, with_calls


def canonical(program: Program) -> Program:
    """A program in which two views of the same elements are one value.

    So a matrix transposed twice is the matrix, and a reshape of a reshape is a reshape or nothing. Where memory is
    written to, only what the program declares as views is treated as such.

    >>> import gpugrad as gg
    >>> from gpugrad.jit.passes import dead
    >>> dead(canonical(gg.trace(lambda x: gg.sin(x.T.T))(gg.tensor([[1.0, 2.0]])))).names()
    ['sin']
    """
    places, memory = Places(program), Memory(program)
    known: dict[Place, Value] = {}
    by: dict[Value, Value] = {}
    for one in program.inputs:
        known[places.of[one.value.number]] = one.value
    for call in program.calls:
        for value in call.results:
            if value.number in places.moved and memory.of(value) in memory.written:
                continue
            found = known.setdefault(places.of[value.number], value)
            both = {memory.of(found), memory.of(value)}
            if found is not value and (len(both) == 1 or not both & memory.written):
                by[value] = found
    return with_calls(program, program.calls, by)
