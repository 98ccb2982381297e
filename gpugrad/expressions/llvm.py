"""Expressions as LLVM IR: one vector instruction, or one function of ``llvm_math``, for each operation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from .llvm_code import Code, Value
from .llvm_math import FUNCTIONS, log1p_to_1, power
from .node import BITS, DTYPES, Expression, walk


class NotCompiledError(Exception):
    """An operation has no vector form; the function is to run on the array library."""


def maximum(code: Code, a: Value, b: Value) -> Value:
    """The larger; NaN if one of them is."""
    if a.kind != "f":
        return a | b if a.dtype == "bool" else code.where(a > b, a, b)
    return code.where(a.compare("ne", a), a, code.where(a > b, a, b))


def minimum(code: Code, a: Value, b: Value) -> Value:
    """The smaller; NaN if one of them is."""
    if a.kind != "f":
        return a & b if a.dtype == "bool" else code.where(a < b, a, b)
    return code.where(a.compare("ne", a), a, code.where(a < b, a, b))


def absolute(code: Code, x: Value) -> Value:
    """The absolute value."""
    if x.kind == "f":
        return code.abs(x)
    return x if x.kind == "u" else code.where(x < 0, -x, x)


def sign(code: Code, x: Value) -> Value:
    """-1, 0 or 1; a NaN stays."""
    low = 0 if x.kind == "u" else code.where(x < 0, code.constant(-1, x.dtype), 0)
    y = code.where(x > 0, code.constant(1, x.dtype), low)
    return code.where(x.compare("ne", x), x, y) if x.kind == "f" else y


def shifted(code: Code, x: Value, by: Value, left: bool) -> Value:
    """A shift; by more bits than there are, all of them go."""
    size = BITS[x.dtype]
    inside = (by >= 0) & (by < size) if by.kind == "i" else by < size
    least = code.where(inside, by, 0)
    gone = code.constant(0, x.dtype) if left or x.kind == "u" else code.where(x < 0, code.constant(-1, x.dtype), 0)
    return code.where(inside, x << least if left else x >> least, gone)


def _intrinsic(name: str) -> Callable[[Code, Value], Value]:
    return lambda code, x: code.intrinsic(name, x)


def _comparison(how: str) -> Callable[[Code, Value, Value], Value]:
    return lambda code, a, b: a.compare(how, b)


def _called(function: Callable[..., Value]) -> Callable[..., Value]:
    return lambda code, *values: code.call(function, *values)


def _sign_bit(code: Code, x: Value) -> Value:
    return x.bits() < 0


OPERATIONS: dict[str, Callable[..., Value]] = {
    "add": lambda code, a, b: a + b,
    "subtract": lambda code, a, b: a - b,
    "multiply": lambda code, a, b: a * b,
    "divide": lambda code, a, b: a / b,
    "negative": lambda code, x: -x,
    "square": lambda code, x: x * x,
    "reciprocal": lambda code, x: 1 / x,
    "abs": absolute,
    "sign": sign,
    "maximum": maximum,
    "minimum": minimum,
    "copysign": lambda code, a, b: code.copysign(a, b),
    "sqrt": _intrinsic("sqrt"),
    "floor": _intrinsic("floor"),
    "ceil": _intrinsic("ceil"),
    "trunc": _intrinsic("trunc"),
    "rint": _intrinsic("rint"),
    "equal": _comparison("eq"),
    "not_equal": _comparison("ne"),
    "less": _comparison("lt"),
    "less_equal": _comparison("le"),
    "greater": _comparison("gt"),
    "greater_equal": _comparison("ge"),
    "isnan": lambda code, x: x.compare("ne", x),
    "isinf": lambda code, x: code.abs(x).equals(math.inf),
    "isfinite": lambda code, x: code.abs(x) < math.inf,
    "signbit": _sign_bit,
    "logical_and": lambda code, a, b: a & b,
    "logical_or": lambda code, a, b: a | b,
    "logical_xor": lambda code, a, b: a ^ b,
    "logical_not": lambda code, x: ~x,
    "bitwise_and": lambda code, a, b: a & b,
    "bitwise_or": lambda code, a, b: a | b,
    "bitwise_xor": lambda code, a, b: a ^ b,
    "bitwise_invert": lambda code, x: ~x,
    "left_shift": lambda code, a, b: shifted(code, a, b, left=True),
    "right_shift": lambda code, a, b: shifted(code, a, b, left=False),
    "where": lambda code, mask, a, b: code.where(mask, a, b),
    **{name: _called(function) for name, function in FUNCTIONS.items()},
}
"""The instructions of each operation, by its name in ``node.py``. Other operations are not compiled."""

POWERS: dict[float, Callable[[Code, Value], Value]] = {
    2.0: lambda code, x: x * x,
    0.5: _intrinsic("sqrt"),
    1.0: lambda code, x: x,
    -1.0: lambda code, x: 1 / x,
}
"""The exponents that NumPy treats in their own way."""


def compilable(roots: Iterable[Expression]) -> bool:
    """Return whether every operation has a vector form."""
    others = {"variable", "constant", "index", "length", "reduce", "astype", "view", "power"}
    return all(
        node.op in OPERATIONS or (node.op in others and (node.op != "power" or DTYPES[node.dtype] == "f"))
        for node in walk(*roots)
    )


def lower(code: Code, roots: Iterable[Expression], known: dict[Expression, Value]) -> list[Value]:
    """Write the instructions for expressions.

    Args:
        code: where to.
        roots: the results that are wanted.
        known: the values of variables, and of what else has been computed; new ones are added.

    Raises:
        NotCompiledError: an operation has no vector form, or a leaf no value.
    """
    roots = list(roots)
    waiting: list[tuple[Expression, bool]] = [(root, False) for root in reversed(roots)]
    while waiting:
        node, ready = waiting.pop()
        if node in known:
            continue
        if ready or not node.args:
            known[node] = _lowered(code, node, [known[a] for a in node.args])
        else:
            waiting.append((node, True))
            waiting += [(a, False) for a in reversed(node.args)]
    return [known[root] for root in roots]


def _to_1(x: Expression) -> bool:
    """Whether an expression is known to be from 0 to 1: ``exp(-abs(...))``."""
    return x.op == "exp" and x.args[0].op == "negative" and x.args[0].args[0].op == "abs"


def _lowered(code: Code, node: Expression, values: list[Value]) -> Value:
    if node.op == "constant":
        return code.constant(node.value, node.dtype)
    if node.op == "astype":
        return code.convert(values[0], node.dtype)
    if node.op == "view":
        return code.view(values[0], node.dtype)
    if node.op == "power" and DTYPES[node.dtype] == "f":
        exponent = node.args[1]
        special: Any = POWERS.get(exponent.value) if exponent.op == "constant" else None
        return special(code, values[0]) if special else code.call(power, *values)
    if node.op == "log1p" and _to_1(node.args[0]):
        return code.call(log1p_to_1, *values)
    if node.op not in OPERATIONS:
        raise NotCompiledError(node.op)
    return OPERATIONS[node.op](code, *values)
