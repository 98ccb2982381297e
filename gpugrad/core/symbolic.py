"""What an operation computes, and its gradient rules, as expressions.

There is no second table of operations: a forward and gradient rules are run with an ``xp`` of symbols.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..expressions import NotTracedError, Tracer
from .operation import Primitive, Rule


def forward(op: Primitive, xp: Tracer, symbols: Sequence[Any], params: Mapping[str, Any]) -> tuple[Any, Sequence[Any]]:
    """The value and the residuals of an operation on symbols and numbers.

    Raises:
        NotTracedError: it does what no expression says; or whatever the operation raises.
    """
    if op.outputs:
        raise NotTracedError(f"{op.name} has several outputs")
    result = op.forward(xp, *symbols, **params)
    return (result[0], result[1:]) if op.residuals else (result, ())


def has_rule(op: Primitive, position: int) -> bool:
    """Whether a gradient goes back through an operand; none does through a condition."""
    return not op.constant and (op.joint is not None or op.inputs[position] in op.rules)


def local_gradients(
    op: Primitive, xp: Tracer, symbols: Sequence[Any], params: Mapping[str, Any], residuals: Sequence[Any], y: Any,
    wanted: Sequence[int],
) -> list[Any]:  # fmt: skip
    """The gradients by the wanted operands, for an upstream gradient of 1.

    Raises:
        NotTracedError: a rule does what no expression says; or whatever the rule raises.
    """
    g = xp.asarray(1, dtype=xp.arithmetic)

    def named(rule: Rule) -> list[Any]:
        found: list[Any] = []
        for source, key in rule.sources:
            if source == "input":
                found.append(tuple(symbols) if op.variadic else symbols[key])
            elif source == "shape":
                found.append(tuple(() for _ in symbols) if op.variadic else ())
            elif source == "static":
                found.append(params[key])
            elif source == "residual":
                found.append(residuals[key])
            elif source == "y":
                found.append(y)
            else:
                raise NotTracedError(f"a rule of {op.name} asks for the {source}")
        return found

    names = tuple(wanted) if op.variadic else tuple(op.inputs[i] for i in wanted)
    if op.joint is not None:
        return list(op.joint.function(xp, g, names, *named(op.joint)))
    rules = [op.rule(str(name)) for name in names]
    return [rule.function(xp, g, *named(rule)) for rule in rules]
