"""Passes: each takes a program and gives one that does the same with less.

Every pass is a function ``Program -> Program`` in a file of its own, and leaves the program that it is given as it is.
They respect what a program declares: writes in place, views, and the calls that are there to raise. :data:`PASSES` is
their order.
"""

from __future__ import annotations

from collections.abc import Callable

from ...tracing.program import Program
from .common import common
from .dead import dead
from .fusion import fused
from .placing import placed
from .views import canonical

Pass = Callable[[Program], Program]

PASSES: tuple[Pass, ...] = (canonical, common, placed, dead, fused, dead)


def optimized(program: Program, passes: tuple[Pass, ...] = PASSES) -> Program:
    """A program after all passes."""
    for one in passes:
        program = one(program)
    return program


__all__ = ["PASSES", "Pass", "canonical", "common", "dead", "fused", "optimized", "placed"]
