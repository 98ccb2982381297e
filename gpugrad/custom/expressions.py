"""Formulas that are read twice: as CUDA C++, and as operations on ``xp``.

The common part of both languages: arithmetic, powers, comparisons, and the functions of :data:`FUNCTIONS`, written as
Python writes them, ``where(x > 0, x, a * expm1(x))``.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

from ..backend import Namespace

FUNCTIONS = {
    "exp": "exp", "expm1": "expm1", "log": "log", "log1p": "log1p", "sqrt": "sqrt", "sin": "sin", "cos": "cos",
    "tanh": "tanh", "abs": "fabs", "maximum": "fmax", "minimum": "fmin",
}  # fmt: skip
"""The name on ``xp``, and in C++. ``where(condition, a, b)`` is known too."""

_OPERATORS: dict[type, str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.USub: "-", ast.UAdd: "+", ast.Lt: "<", ast.LtE: "<=",
    ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip


class Formula:
    """One expression over named values.

    Raises:
        ValueError: it is no expression, or uses what one of the two languages lacks.

    >>> import numpy
    >>> from gpugrad.custom.expressions import Formula
    >>> f = Formula("where(x > 0, x, 0.1 * x) ** 2")
    >>> f.cuda
    'pow((((x > T(0))) ? (x) : ((T(0.1) * x))), T(2))'
    >>> float(f(numpy, x=numpy.array(-10.0)))
    1.0
    """

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self._tree = ast.parse(text.strip(), mode="eval").body
        except SyntaxError as error:
            raise ValueError(f"expected an expression such as 'g * exp(x)', got {text!r}") from error
        self.names = frozenset(
            node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name)
        ) - {*FUNCTIONS, "where"}  # fmt: skip
        self.cuda = self._cuda(self._tree)

    def __call__(self, xp: Namespace, **values: Any) -> Any:
        """The value on ``xp``."""
        return self._value(self._tree, xp, values)

    def _cuda(self, node: ast.expr) -> str:
        match node:
            case ast.Constant(value=bool() | int() | float() as number):
                return f"T({number!r})"
            case ast.Name(id=name):
                return name
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
                return f"({_OPERATORS[type(op)]}{self._cuda(operand)})"
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                return f"pow({self._cuda(left)}, {self._cuda(right)})"
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return f"({self._cuda(left)} {_OPERATORS[type(op)]} {self._cuda(right)})"
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _OPERATORS:
                return f"({self._cuda(left)} {_OPERATORS[type(op)]} {self._cuda(right)})"
            case ast.Call(func=ast.Name(id="where"), args=[condition, a, b], keywords=[]):
                return f"(({self._cuda(condition)}) ? ({self._cuda(a)}) : ({self._cuda(b)}))"
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
                return f"{FUNCTIONS[name]}({', '.join(map(self._cuda, args))})"
        raise ValueError(
            f"{ast.unparse(node)!r} in {self.text!r}: expected arithmetic and {', '.join(FUNCTIONS)}, where"
        )

    def _value(self, node: ast.expr, xp: Namespace, values: Mapping[str, Any]) -> Any:
        def value(inner: ast.expr) -> Any:
            return self._value(inner, xp, values)

        match node:
            case ast.Constant(value=number):
                return number
            case ast.Name(id=name):
                return values[name]
            case ast.UnaryOp(op=op, operand=operand):
                return -value(operand) if isinstance(op, ast.USub) else value(operand)
            case ast.BinOp(left=left, op=op, right=right):
                return _ARITHMETIC[type(op)](value(left), value(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return _ARITHMETIC[type(op)](value(left), value(right))
            case ast.Call(func=ast.Name(id=name), args=args):
                return getattr(xp, name)(*map(value, args))
        raise AssertionError(ast.dump(node))  # what _cuda let through is known here


_ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: a**b,
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
}
