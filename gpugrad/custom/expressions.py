"""Formulas that are read three times: as CUDA C++, as operations on ``xp``, and to write down their derivatives.

The common part of the languages: arithmetic, powers, comparisons, and the functions of :data:`FUNCTIONS`, written as
Python writes them, ``where(x > 0, x, a * expm1(x))``.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy

from ..backend import Namespace, is_floating

FUNCTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "exp": ("exp", ("exp({0})",)),
    "expm1": ("expm1", ("exp({0})",)),
    "log": ("log", ("1 / {0}",)),
    "log1p": ("log1p", ("1 / (1 + {0})",)),
    "sqrt": ("sqrt", ("0.5 / sqrt({0})",)),
    "sin": ("sin", ("cos({0})",)),
    "cos": ("cos", ("-sin({0})",)),
    "tanh": ("tanh", ("1 - tanh({0}) ** 2",)),
    "abs": ("fabs", ("where({0} > 0, 1, where({0} < 0, -1, 0))",)),
    "maximum": ("gg_maximum", tuple(f"where({{{i}}} > {{{1 - i}}}, 1, where({{0}} == {{1}}, 0.5, 0))" for i in (0, 1))),
    "minimum": ("gg_minimum", tuple(f"where({{{i}}} < {{{1 - i}}}, 1, where({{0}} == {{1}}, 0.5, 0))" for i in (0, 1))),
}
"""By the name on ``xp``: what it is in C++, and its derivatives. ``where(condition, a, b)`` is known too."""

_OPERATORS: dict[type, tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Add: ("+", lambda a, b: a + b),
    ast.Sub: ("-", lambda a, b: a - b),
    ast.Mult: ("*", lambda a, b: a * b),
    ast.Div: ("/", lambda a, b: a / b),
    ast.Lt: ("<", lambda a, b: a < b),
    ast.LtE: ("<=", lambda a, b: a <= b),
    ast.Gt: (">", lambda a, b: a > b),
    ast.GtE: (">=", lambda a, b: a >= b),
    ast.Eq: ("==", lambda a, b: a == b),
    ast.NotEq: ("!=", lambda a, b: a != b),
}
_SIGNS: dict[type, str] = {ast.USub: "-", ast.UAdd: "+"}


class Formula:
    """One expression over named values.

    Raises:
        ValueError: it is no expression, or uses what one of the two languages lacks.

    >>> import numpy
    >>> from gpugrad.custom.expressions import Formula
    >>> f = Formula("where(x > 0, x, 0.1 * x) ** 2")
    >>> f.cuda
    'gg_square(((x > T(0)) ? T(x) : T((T(0.1) * x))))'
    >>> float(f(numpy, x=numpy.array(-10.0)))
    1.0
    >>> Formula("a * exp(x)").derivative("x")
    'a * exp(x)'
    """

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self._tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, TypeError) as error:
            raise ValueError(f"expected an expression such as 'g * exp(x)', got {text!r}") from error
        self.names = frozenset(
            node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name)
        ) - {*FUNCTIONS, "where"}  # fmt: skip
        self.cuda = self._cuda(self._tree)

    def __call__(self, xp: Namespace, **values: Any) -> Any:
        """The value on ``xp``, in the dtype of the arrays where all are floating-point."""
        result = self._value(self._tree, xp, values)
        dtypes = [v.dtype for v in values.values() if hasattr(v, "dtype")]
        if dtypes and all(map(is_floating, dtypes)):
            dtype = dtypes[0] if len(set(dtypes)) == 1 else numpy.result_type(*dtypes)
            if getattr(result, "dtype", dtype) != dtype:  # where(x > 0, 1, 0.5) is float64, whatever x is
                result = result.astype(dtype)
        return result

    # ---------------------------------------------------------------- as C++

    def _cuda(self, node: ast.expr) -> str:
        match node:
            case ast.Constant(value=bool() | int() | float() as number) if math.isfinite(number):
                whole = isinstance(number, int) and abs(number) < 2**31
                return f"T({int(number) if whole else float(number)!r})"
            case ast.Name(id=name) if name not in FUNCTIONS and name != "where":
                return name
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _SIGNS:
                return f"({_SIGNS[type(op)]}{self._cuda(operand)})"
            case ast.BinOp(left=left, op=ast.Pow(), right=ast.Constant(value=2)):
                return f"gg_square({self._cuda(left)})"
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                return f"pow(T({self._cuda(left)}), T({self._cuda(right)}))"
            case ast.BinOp(left=left, op=op, right=right) | ast.Compare(left=left, ops=[op], comparators=[right]) if (
                type(op) in _OPERATORS
            ):
                return f"({self._cuda(left)} {_OPERATORS[type(op)][0]} {self._cuda(right)})"
            case ast.Call(func=ast.Name(id="where"), args=[condition, a, b], keywords=[]):
                return f"({self._cuda(condition)} ? T({self._cuda(a)}) : T({self._cuda(b)}))"
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS and len(args) == len(
                FUNCTIONS[name][1]
            ):
                return f"{FUNCTIONS[name][0]}({', '.join(f'T({self._cuda(a)})' for a in args)})"
        raise ValueError(
            f"{ast.unparse(node)!r} in {self.text!r}: expected arithmetic, comparisons of two values, "
            f"{', '.join(FUNCTIONS)} and where(condition, a, b)"
        )

    # ---------------------------------------------------------------- on xp

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
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                return value(left) ** value(right)
            case ast.BinOp(left=left, op=op, right=right) | ast.Compare(left=left, ops=[op], comparators=[right]):
                return _OPERATORS[type(op)][1](value(left), value(right))
            case ast.Call(func=ast.Name(id="where"), args=[condition, a, b]):
                chosen = value(condition)
                with _silence(xp):  # of a branch not taken, too
                    return xp.where(chosen, value(a), value(b))
            case ast.Call(func=ast.Name(id=name), args=args):
                return getattr(xp, name)(*map(value, args))
        raise AssertionError(ast.dump(node))  # what _cuda let through is known here

    # ---------------------------------------------------------------- its derivatives

    def derivative(self, by: str) -> str | None:
        """The partial derivative as an expression; None where it is 0.

        A branch of ``where`` that is not taken has no part in it. Operation by operation, what is infinite there would
        be multiplied by 0, and give NaN.
        """
        return _derivative(self._tree, by)


def _silence(xp: Namespace) -> AbstractContextManager[Any]:
    return numpy.errstate(all="ignore") if xp is numpy else nullcontext()


def _derivative(node: ast.expr, by: str) -> str | None:
    """See :meth:`Formula.derivative`; every text that is returned can stand in a product."""

    def text(inner: ast.expr) -> str:
        written = ast.unparse(inner)
        return written if isinstance(inner, ast.Name | ast.Call | ast.Constant) else f"({written})"

    def scaled(factor: str, inner: ast.expr) -> str | None:
        d = _derivative(inner, by)
        return None if d is None else factor if d == "1" else d if factor == "1" else f"{factor} * {d}"

    def added(*parts: str | None) -> str | None:
        there = [part for part in parts if part is not None]
        return None if not there else there[0] if len(there) == 1 else f"({' + '.join(there)})"

    match node:
        case ast.Name(id=name):
            return "1" if name == by else None
        case ast.UnaryOp(op=op, operand=operand):
            return scaled("(-1)" if isinstance(op, ast.USub) else "1", operand)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return added(_derivative(left, by), _derivative(right, by))
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            return added(_derivative(left, by), scaled("(-1)", right))
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return added(scaled(text(right), left), scaled(text(left), right))
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return added(scaled(f"(1 / {text(right)})", left), scaled(f"(-{text(left)} / {text(right)} ** 2)", right))
        case ast.BinOp(left=left, op=ast.Pow(), right=right) if (n := _number(right)) is not None:
            if n in (0, 1):
                return _derivative(left, by) if n else None
            return scaled(f"(2 * {text(left)})" if n == 2 else f"({n} * {text(left)} ** {n - 1})", left)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            a, b = text(left), text(right)
            return added(
                scaled(f"where({b} == 0, 0, {b} * {a} ** ({b} - 1))", left),
                scaled(f"where({a} == 0, 0, {a} ** {b} * log({a}))", right),
            )
        case ast.Call(func=ast.Name(id="where"), args=[condition, *branches]):
            ds = [_derivative(branch, by) for branch in branches]
            if ds == [None, None]:
                return None
            return f"where({ast.unparse(condition)}, {ds[0] or 0}, {ds[1] or 0})"
        case ast.Call(func=ast.Name(id=name), args=args):
            templates = FUNCTIONS[name][1]
            texts = [text(a) for a in args]
            return added(*(scaled(_factor(t.format(*texts)), a) for t, a in zip(templates, args, strict=True)))
    return None  # constants and comparisons


def _number(node: ast.expr) -> float | None:
    """The number that is written there, if it is one."""
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
    return None


def _factor(written: str) -> str:
    """An expression as it can stand in a product."""
    return written if isinstance(ast.parse(written, mode="eval").body, ast.Call) else f"({written})"
