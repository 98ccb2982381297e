"""Compute an expression on an array library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..backend import special
from .node import Expression, walk

SPECIAL = frozenset({"erf", "erfc"})
"""Functions beside an array library, not in it."""


def evaluate(root: Expression, xp: Any, values: Mapping[Any, Any]) -> Any:
    """The value of an elementwise expression, each node computed once.

    Args:
        root: the expression, without indices, lengths and reductions.
        xp: what computes: an array library, gpugrad, or a tracer.
        values: of the variables, by name.

    >>> import numpy
    >>> from gpugrad.expressions import make, variable
    >>> x = variable("x", "float64")
    >>> evaluate(make("multiply", x, make("exp", x)), numpy, {"x": numpy.zeros(2)}).tolist()
    [0.0, 0.0]
    """
    made: dict[Expression, Any] = {}
    for node in walk(root):
        if node.op == "variable":
            made[node] = values[node.value]
        elif node.op == "constant":
            made[node] = node.value
        elif node.op == "astype":
            made[node] = xp.astype(made[node.args[0]], getattr(xp, node.dtype))
        elif node.op == "power":
            made[node] = made[node.args[0]] ** made[node.args[1]]
        else:
            owner = special(xp) if node.op in SPECIAL else xp
            made[node] = getattr(owner, node.op)(*(made[a] for a in node.args))
    return made[root]
