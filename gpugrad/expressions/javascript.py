"""Print expressions for the page: nested lists as JSON has them, and each operation in JavaScript.

A number is a number ("nan", "inf" and "-inf" as strings), a variable the list that it is called, ``["x", 0]``, and an
operation ``[name, operand, ...]``.
"""

from __future__ import annotations

import math
from typing import Any

from .node import Expression, walk
from .tracing import NotTracedError

JAVASCRIPT: dict[str, str] = {
    **{name: f"Math.{name}" for name in (
        "abs", "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "cbrt", "sin", "cos", "tan",
        "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "hypot",
        "floor", "ceil", "trunc", "sign",
    )},
    "maximum": "Math.max",  # both give NaN where one operand is
    "minimum": "Math.min",
    "add": "(a, b) => a + b",
    "subtract": "(a, b) => a - b",
    "multiply": "(a, b) => a * b",
    "divide": "(a, b) => a / b",
    "negative": "a => -a",
    "power": "(a, b) => a === 1 ? 1 : a ** b",  # 1 to the power NaN is 1 elsewhere
    "floor_divide": "(a, b) => b === 0 ? a / b : Math.round((a - modulo(a, b)) / b)",
    "remainder": "modulo",
    "square": "a => a * a",
    "reciprocal": "a => 1 / a",
    "rint": "a => { const r = Math.round(a); return r - a === 0.5 && r % 2 !== 0 ? r - 1 : r; }",
    "exp2": "a => 2 ** a",
    "where": "(c, a, b) => c ? a : b",
    "equal": "(a, b) => a === b",
    "not_equal": "(a, b) => a !== b",
    "less": "(a, b) => a < b",
    "less_equal": "(a, b) => a <= b",
    "greater": "(a, b) => a > b",
    "greater_equal": "(a, b) => a >= b",
    "logical_and": "(a, b) => Boolean(a && b)",
    "logical_or": "(a, b) => Boolean(a || b)",
    "logical_not": "a => !a",
    "isnan": "a => Number.isNaN(a)",
    "isfinite": "a => Number.isFinite(a)",
    "isinf": "a => Math.abs(a) === Infinity",
    "copysign": "(a, b) => (b < 0 || Object.is(b, -0) ? -1 : 1) * Math.abs(a)",
}  # fmt: skip
"""Each operation in JavaScript. ``modulo`` is in the page: the sign of ``%`` is that of the dividend."""


def number(value: float) -> float | int | str:
    """A number as JSON has it; whole ones as integers.

    >>> number(2.0), number(0.5), number(float("inf"))
    (2, 0.5, 'inf')
    """
    if not math.isfinite(value):
        return str(float(value))
    whole = value == int(value) and abs(value) < 2**53 and math.copysign(1, value) == (1 if value >= 0 else -1)
    return int(value) if whole else value


def nested(root: Expression) -> Any:
    """An expression as nested lists.

    Raises:
        NotTracedError: JavaScript has no such operation.

    >>> from gpugrad.expressions import constant, make, variable
    >>> x = variable(("x", 0), "float64")
    >>> nested(make("multiply", x, make("add", x, constant(1, "float64"))))
    ['multiply', ['x', 0], ['add', ['x', 0], 1]]
    """
    made: dict[Expression, Any] = {}
    for node in walk(root):
        if node.op == "constant":
            made[node] = number(node.value)
        elif node.op == "variable":
            made[node] = list(node.value)
        elif node.op == "astype":
            if not node.dtype.startswith(("float", "bool")):
                raise NotTracedError(f"astype {node.dtype}")
            part = made[node.args[0]]
            made[node] = ["not_equal", part, 0] if node.dtype == "bool" else part
        elif node.op in JAVASCRIPT:
            made[node] = [node.op, *(made[a] for a in node.args)]
        else:
            raise NotTracedError(node.op)
    return made[root]
