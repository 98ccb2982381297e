"""Print expressions as CUDA C++.

The code calls what the prelude of the kernels declares (``kernels/cuda_types.py``): ``gg_maximum``, ``from_bits``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from .node import DTYPES, STORED, Expression, uses

TYPES = {
    "bool": "bool", "int8": "signed char", "int16": "short", "int32": "int", "int64": "long long",
    "uint8": "unsigned char", "uint16": "unsigned short", "uint32": "unsigned int", "uint64": "unsigned long long",
    "float16": "float", "bfloat16": "float", "float32": "float", "float64": "double",
}  # fmt: skip
"""The type of a value of each dtype in an expression."""

SUFFIXES = {"int64": "ll", "uint32": "u", "uint64": "ull", "float32": "f"}

INFIX = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "equal": "==", "not_equal": "!=", "less": "<",
    "less_equal": "<=", "greater": ">", "greater_equal": ">=", "logical_and": "&&", "logical_or": "||",
    "logical_xor": "!=", "bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^", "left_shift": "<<",
    "right_shift": ">>",
}  # fmt: skip
"""Operations written between their operands."""

SPELLING = {
    "negative": "(-{0})", "reciprocal": "(1 / {0})", "abs": "fabs({0})", "where": "({0} ? {1} : {2})",
    "isnan": "({0} != {0})", "isinf": "(fabs({0}) == {inf})", "isfinite": "(fabs({0}) < {inf})",
    "logical_not": "(!{0})", "bitwise_invert": "(~{0})", "astype": "({type})({0})", "view": "gg_view<{type}>({0})",
    "square": "gg_square({0})", "sign": "gg_sign({0})", "maximum": "gg_maximum({0}, {1})",
    "minimum": "gg_minimum({0}, {1})", "power": "pow({0}, {1})", "remainder": "gg_remainder({0}, {1})",
    "floor_divide": "gg_floor_divide({0}, {1})",
}  # fmt: skip
"""The other operations that are not functions of the same name."""

LONGEST = 100
"""Characters above which a part of an expression becomes a statement of its own."""


def literal(value: float, dtype: str) -> str:
    """A number of a dtype.

    >>> literal(0.1, "float32"), literal(-2.0, "float64"), literal(3, "int64")
    ('0.1f', '(-2.0)', '3ll')
    """
    if dtype == "bool":
        return "true" if value else "false"
    if math.isnan(value) or math.isinf(value):
        bits = "0x7fc00000u" if math.isnan(value) else "0xff800000u" if value < 0 else "0x7f800000u"
        return f"({TYPES[dtype]})from_bits({bits})"
    text = f"{value!r}{SUFFIXES.get(dtype, '')}"
    return f"({text})" if text.startswith("-") else text


def spelled(node: Expression, args: Sequence[str]) -> str:
    """One operation on operands that are in C++ already.

    Raises:
        TypeError: the operation has no spelling for its dtype.
    """
    op, dtype = node.op, node.dtype
    second = node.args[1] if len(node.args) == 2 else None
    if op == "power" and second is not None and second.op == "constant" and second.value == 2:
        return f"gg_square({args[0]})"
    if op == "power" and DTYPES[dtype] != "f":
        raise TypeError(f"power of {dtype} has no spelling in CUDA C++")
    if op == "abs" and DTYPES[dtype] != "f":
        return f"({args[0]} < 0 ? -{args[0]} : {args[0]})"
    if op == "astype":
        if STORED & {dtype, node.args[0].dtype}:  # load and store convert
            return args[0]
        if dtype == "bool":
            return f"({args[0]} != 0)"
    if op in INFIX:
        return f"({args[0]} {INFIX[op]} {args[1]})"
    pattern = SPELLING.get(op) or f"{op}({', '.join(f'{{{i}}}' for i in range(len(args)))})"
    return pattern.format(*args, type=TYPES[dtype], inf=literal(math.inf, node.args[0].dtype))


def statements(results: Mapping[str, Expression], names: Mapping[Expression, str], prefix: str = "gg_") -> list[str]:
    """Statements that assign the results.

    Args:
        results: what to assign, by what is assigned to.
        names: what the variables, and other expressions that are known by now, are called.
        prefix: the names of intermediate results begin with it.

    >>> from gpugrad.expressions import make, variable
    >>> x = variable("x", "float32")
    >>> e = make("exp", x)
    >>> statements({"y": make("multiply", e, make("add", e, x))}, {x: "x"})
    ['const float gg_0 = exp(x);', 'y = (gg_0 * (gg_0 + x));']
    """
    count = uses(*results.values(), known=names)
    written = dict(names)
    lines: list[str] = []
    for node in count:
        if node in written:
            continue
        if node.op == "constant":
            written[node] = literal(node.value, node.dtype)
            continue
        if not node.args:
            raise KeyError(f"{node} has no name")
        text = spelled(node, [written[a] for a in node.args])
        if text not in written.values() and (count[node] > 1 or len(text) > LONGEST):
            lines.append(f"const {TYPES[node.dtype]} {prefix}{len(lines)} = {text};")
            text = f"{prefix}{len(lines) - 1}"
        written[node] = text
    if len(results) > 1:  # results may be assigned to what others read
        for name, node in results.items():
            if not name.startswith("const ") and node.args and not written[node].startswith(prefix):
                lines.append(f"const {TYPES[node.dtype]} {prefix}{len(lines)} = {written[node]};")
                written[node] = f"{prefix}{len(lines) - 1}"
    return lines + [f"{name} = {written[node]};" for name, node in results.items()]
