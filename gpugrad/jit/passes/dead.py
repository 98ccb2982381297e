"""Leave out calls whose results nobody reads."""

from __future__ import annotations

from ...tracing.program import Program
from .effects import RAISING, Memory, read, with_calls


def dead(program: Program) -> Program:
    """A program without the calls that nothing depends on.

    Kept is what an output needs, what writes to memory that is given or read later, and what is there to raise.

    >>> import gpugrad as gg
    >>> def f(x):
    ...     gg.exp(x)
    ...     return x * 2
    >>> dead(gg.trace(f)(gg.tensor([1.0]))).names()
    ['multiply']
    """
    memory = Memory(program)
    wanted = {value.number for value in program.outputs}
    inside = {memory.of(value) for value in program.outputs}
    kept = []
    for call in reversed(program.calls):
        writes = any(memory.of(value) in inside or memory.of(value) in memory.given for value in call.changes)
        silent = not call.results and not call.changes
        if not (writes or silent or call.op in RAISING or any(value.number in wanted for value in call.results)):
            continue
        kept.append(call)
        for value in (*read(call), *call.changes):
            wanted.add(value.number)
            inside.add(memory.of(value))
    return with_calls(program, kept[::-1])
