"""Functions of elements: how each operation of the expression language is spelled in ONNX."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..expressions import Expression
from .graph import ExportError, Graph

SAME = {
    "add": "Add", "subtract": "Sub", "multiply": "Mul", "divide": "Div", "power": "Pow", "maximum": "Max",
    "minimum": "Min", "negative": "Neg", "abs": "Abs", "sign": "Sign", "reciprocal": "Reciprocal", "exp": "Exp",
    "log": "Log", "sqrt": "Sqrt", "sin": "Sin", "cos": "Cos", "tan": "Tan", "asin": "Asin", "acos": "Acos",
    "atan": "Atan", "sinh": "Sinh", "cosh": "Cosh", "tanh": "Tanh", "asinh": "Asinh", "acosh": "Acosh",
    "atanh": "Atanh", "floor": "Floor", "ceil": "Ceil", "rint": "Round", "erf": "Erf", "equal": "Equal",
    "less": "Less", "less_equal": "LessOrEqual", "greater": "Greater", "greater_equal": "GreaterOrEqual",
    "isnan": "IsNaN", "isinf": "IsInf", "logical_and": "And", "logical_or": "Or", "logical_xor": "Xor",
    "logical_not": "Not", "where": "Where",
}  # fmt: skip
"""Operations that ONNX has."""

Made = Callable[..., str]


def _numbered(before: str, number: float, first: bool = False) -> Made:
    """An operation with a number, which is the first operand or the second."""

    def made(g: Graph, dtype: str, x: str) -> str:
        c = g.constant(number, dtype)
        return g.node(before, c, x) if first else g.node(before, x, c)

    return made


MADE: dict[str, Made] = {
    "square": lambda g, t, x: g.node("Mul", x, x),
    "exp2": _numbered("Pow", 2.0, first=True),
    "expm1": lambda g, t, x: g.node("Sub", g.node("Exp", x), g.constant(1, t)),
    "log1p": lambda g, t, x: g.node("Log", g.node("Add", x, g.constant(1, t))),
    "log2": lambda g, t, x: g.node("Div", g.node("Log", x), g.constant(math.log(2), t)),
    "log10": lambda g, t, x: g.node("Div", g.node("Log", x), g.constant(math.log(10), t)),
    "trunc": lambda g, t, x: g.node("Mul", g.node("Sign", x), g.node("Floor", g.node("Abs", x))),
    "cbrt": lambda g, t, x: g.node("Mul", g.node("Sign", x), g.node("Pow", g.node("Abs", x), g.constant(1 / 3, t))),
    "erfc": lambda g, t, x: g.node("Sub", g.constant(1, t), g.node("Erf", x)),
    "hypot": lambda g, t, x, y: g.node("Sqrt", g.node("Add", g.node("Mul", x, x), g.node("Mul", y, y))),
    "not_equal": lambda g, t, x, y: g.node("Not", g.node("Equal", x, y)),
    "isfinite": lambda g, t, x: g.node("Not", g.node("Or", g.node("IsNaN", x), g.node("IsInf", x))),
    "floor_divide": lambda g, t, x, y: g.node("Floor", g.node("Div", x, y)),
}
"""Operations that ONNX has not, made of others."""


def element(g: Graph, op: str, dtype: str, operands: Sequence[str]) -> str:
    """One operation.

    Args:
        g: the graph.
        op: its name in the expression language.
        dtype: of the operands.
        operands: their names.

    Raises:
        ExportError: ONNX has nothing like it.
    """
    if op in SAME:
        return g.node(SAME[op], *operands)
    if op in MADE:
        return MADE[op](g, dtype, *operands)
    raise ExportError(f"the function {op} has no counterpart in ONNX")


def written(g: Graph, expression: Expression, variables: Mapping[str, str], known: dict[Expression, str]) -> str:
    """An expression as nodes; common parts once.

    Raises:
        ExportError: ONNX has nothing like one of its operations.
    """
    if expression not in known:
        e = expression
        if e.op == "variable":
            made = variables[e.value]
        elif e.op == "constant":
            made = g.constant(e.value, e.dtype)
        else:
            operands = [written(g, one, variables, known) for one in e.args]
            if e.op == "astype":
                made = g.cast(operands[0], e.dtype)
            elif e.op == "where":
                made = g.node("Where", *operands)
            else:
                made = element(g, e.op, e.args[0].dtype, operands)
        known[expression] = made
    return known[expression]


def kernel(g: Graph, kernel: Any, arguments: Sequence[Any], dtypes: Sequence[str]) -> list[str]:
    """A kernel of elements, from the expressions of its reference.

    Args:
        g: the graph.
        kernel: it has ``traced(types)``, ``arrays`` and ``scalars``.
        arguments: values of the program for its arrays, then numbers.
        dtypes: of the arrays.
    """
    count = len(kernel.arrays)
    formula = kernel.traced(tuple(dtypes))
    variables = {
        e.value: g.name(value, e.dtype) for e, value in zip(formula.inputs[:count], arguments, strict=False)
    } | {
        e.value: g.constant(float(value), e.dtype)
        for e, value in zip(formula.inputs[count:], arguments[count:], strict=True)
    }  # fmt: skip
    known: dict[Expression, str] = {}
    return [written(g, one, variables, known) for one in formula.outputs]
