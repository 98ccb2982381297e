"""Formulas that users write as Python expressions: ``where(x > 0, x, a * expm1(x))``.

A formula is traced into expressions (:mod:`gpugrad.expressions`), which are computed on ``xp``, printed as CUDA C++,
and differentiated by the gradient rules of the operations.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy

from ..backend import NAMESPACES, Namespace, is_floating, is_short, special
from ..backend.dtypes import name_of
from ..core import Tensor, symbolic
from ..expressions import DTYPES, OPERATIONS, Expression, Symbol, Tracer, constant, variable, walk
from ..expressions.cuda import INFIX, SPELLING
from ..expressions.evaluation import evaluate
from ..expressions.simplify import simple

FUNCTIONS = {op.name: op.arity for op in OPERATIONS.values() if op.result != "given" and op.name != "reduce"}
"""What a formula can call, and with how many operands."""

TAKEN = frozenset(FUNCTIONS.keys() - INFIX.keys() - SPELLING.keys() | {"abs", "maximum", "minimum", "where"})
"""Names of functions in C++ or of common ones in formulas, which no value can have."""

OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: operator.pow, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.USub: operator.neg, ast.UAdd: operator.pos,
}  # fmt: skip

OPERATION_OF = {"power": "pow", "rint": "round", "sign": "floor"}
"""Whose gradient rules those of an operation are, where it is another one; the sign is as flat as the floor."""


class Formula:
    """One expression over named values.

    Args:
        names: of the values.
        traced: what gives the result on symbols: ``traced(xp, values)``.

    >>> import numpy
    >>> from gpugrad.custom.formulas import parsed
    >>> f = parsed("where(x > 0, x, 0.1 * x) ** 2")
    >>> float(f(numpy, x=numpy.array(-10.0)))
    1.0
    >>> parsed("a * exp(x)").derivative("x")
    multiply(a, exp(x))
    """

    def __init__(self, names: Iterable[str], traced: Callable[[Tracer, Mapping[str, Symbol]], Any]) -> None:
        self.names = frozenset(names)
        self._traced = traced
        self._known: dict[Any, Expression] = {}

    def __repr__(self) -> str:
        return repr(self.expression(dict.fromkeys(self.names, "float64")))

    def expression(self, types: Mapping[str, str | None]) -> Expression:
        """The formula for values of these dtypes; None for Python's numbers."""
        key = frozenset(types.items())
        if key not in self._known:
            floats = [t for t in types.values() if t is not None and DTYPES[t] == "f"]
            xp = Tracer("float32" if floats and "float64" not in floats else "float64")
            values = {
                n: Symbol(xp, variable(n, xp.arithmetic if t is None else t, "i"), weak=t is None)
                for n, t in types.items()
            }
            self._known[key] = xp.expression(self._traced(xp, values))
        return self._known[key]

    def __call__(self, xp: Namespace, **values: Any) -> Any:
        """The value on ``xp``, in the dtype of the arrays where all are floating-point."""
        if isinstance(xp, Tracer):
            return self._traced(xp, values)
        dtypes = {n: v.dtype for n, v in values.items() if hasattr(v, "dtype")}
        types = {n: self._computed(dtypes.get(n)) for n in values}
        with _silence(xp):  # of a branch that is not taken, too
            result = evaluate(self.expression(types), xp, values)
        if dtypes and all(map(is_floating, dtypes.values())):
            found = {*dtypes.values()}
            dtype = found.pop() if len(found) == 1 else numpy.result_type(*found)
            if getattr(result, "dtype", dtype) != dtype:  # 16 bits, and what is constant
                result = result.astype(dtype)
        return result

    @staticmethod
    def _computed(dtype: Any) -> str | None:
        return None if dtype is None else "float32" if is_short(dtype) else name_of(dtype)

    def derivative(self, by: str) -> Formula | None:
        """The partial derivative; None where it is 0.

        A branch of ``where`` that is not taken has no part in it. Operation by operation, what is infinite there would
        be multiplied by 0, and give NaN.
        """
        types = dict.fromkeys(self.names, "float64")
        found = differentiated(self.expression(types), variable(by, "float64", "i"))
        if found is None:
            return None
        names = {e.value for e in walk(found) if e.op == "variable"}

        def traced(xp: Tracer, values: Mapping[str, Symbol]) -> Any:
            return evaluate(found, xp, values)

        return Formula(names, traced)

    def times(self, name: str) -> Formula:
        """The product with another value."""
        return Formula({name, *self.names}, lambda xp, values: values[name] * self._traced(xp, values))


def parsed(text: str) -> Formula:
    """The formula of a text.

    Raises:
        ValueError: it is no expression, or uses what the language lacks.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, TypeError) as error:
        raise ValueError(f"expected an expression such as 'g * exp(x)', got {text!r}") from error
    _check(tree, text)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called}
    return Formula(names, lambda xp, values: _value(tree, xp, values))


def _check(node: ast.expr, text: str) -> None:
    match node:
        case ast.Constant(value=bool() | int() | float() as number) if math.isfinite(number):
            parts: list[ast.expr] = []
        case ast.Name(id=name) if name not in TAKEN:
            parts = []
        case ast.UnaryOp(op=op, operand=operand) if type(op) in OPERATORS:
            parts = [operand]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            parts = [left, right]
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in OPERATORS:
            parts = [left, right]
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if FUNCTIONS.get(name) == len(args):
            parts = args
        case _:
            raise ValueError(
                f"{ast.unparse(node)!r} in {text!r}: expected arithmetic, comparisons of two values, and "
                f"{', '.join(FUNCTIONS)}"
            )
    for part in parts:
        _check(part, text)


def _value(node: Any, xp: Tracer, values: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=number):
            return number
        case ast.Name(id=name):
            return values[name]
        case ast.UnaryOp(op=op, operand=operand):
            return OPERATORS[type(op)](_value(operand, xp, values))
        case ast.BinOp(left=left, op=op, right=right) | ast.Compare(left=left, ops=[op], comparators=[right]):
            return OPERATORS[type(op)](_value(left, xp, values), _value(right, xp, values))
        case ast.Call(func=ast.Name(id=name), args=args):
            return getattr(xp, name)(*(_value(a, xp, values) for a in args))
    raise AssertionError(ast.dump(node))  # what _check let through is known here


def _silence(xp: Namespace) -> AbstractContextManager[Any]:
    return numpy.errstate(all="ignore") if xp is numpy else nullcontext()


def differentiated(root: Expression, by: Expression) -> Expression | None:
    """The derivative of an expression of float64 by a variable, by the rules of the operations; None where it is 0."""
    xp = Tracer()
    found: dict[Expression, Expression | None] = {by: constant(1, by.dtype)}
    for node in walk(root):
        if node in found:
            continue
        parts = [found[a] for a in node.args]
        if node.dtype == "bool" or parts.count(None) == len(parts):
            found[node] = None
        elif node.op == "where":
            zero = constant(0, node.dtype)
            found[node] = simple("where", node.args[0], parts[1] or zero, parts[2] or zero)
        else:
            found[node] = _chained(xp, node, parts)
    return found[root]


def _chained(xp: Tracer, node: Expression, parts: list[Expression | None]) -> Expression | None:
    """The sum of the local gradients of an operation, each times the derivative of its operand."""
    recorded = NAMESPACES[Tensor]
    name = OPERATION_OF.get(node.op, node.op)
    op = (getattr(recorded, name, None) or getattr(special(recorded), name)).op
    wanted = [i for i, part in enumerate(parts) if part is not None and symbolic.has_rule(op, i)]
    symbols = [a.value if a.op == "constant" else Symbol(xp, a) for a in node.args]
    _, residuals = symbolic.forward(op, xp, symbols, op.defaults)
    local = symbolic.local_gradients(op, xp, symbols, op.defaults, residuals, Symbol(xp, node), wanted)
    total: Expression | None = None
    for i, h in zip(wanted, local, strict=True):
        part = parts[i]
        assert part is not None
        term = simple("multiply", xp.expression(xp.astype(h, node.dtype)), part)
        total = term if total is None else simple("add", total, term)
    return total
