"""Derivatives of functions of one argument, and rules, under the names of ``autograd.core``."""

from collections.abc import Callable
from typing import Any

from . import differential_operators
from .rules import (
    defjvp,
    defjvp_argnum,
    defjvp_argnums,
    defvjp,
    defvjp_argnum,
    defvjp_argnums,
    primitive,
)
from .values import Box, getval, isbox
from .vspaces import VSpace, vspace


def make_vjp(fun: Callable[[Any], Any], x: Any) -> Any:
    """``(vjp, value)`` at ``x``."""
    return differential_operators.make_vjp(fun)(x)


def make_jvp(fun: Callable[[Any], Any], x: Any) -> Any:
    """A function from a tangent to ``(value, derivative)``, at ``x``."""
    return differential_operators.make_jvp(fun)(x)


__all__ = [
    "Box", "VSpace", "defjvp", "defjvp_argnum", "defjvp_argnums", "defvjp", "defvjp_argnum", "defvjp_argnums",
    "getval", "isbox", "make_jvp", "make_vjp", "primitive", "vspace",
]  # fmt: skip
