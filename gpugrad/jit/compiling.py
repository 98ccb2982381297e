"""From a program to what runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..tracing.program import Program
from .execution import compile


def compiled(program: Program) -> Callable[[Sequence[Any], Sequence[Any]], list[Any]]:
    """A function of the arrays and the numbers that a program takes, which gives its outputs."""
    return compile(program)
