"""Numbers that are not there: an array namespace whose values write down what is done to them.

What an operation's forward and gradient rules do to a :class:`Symbol` becomes an expression of elementary functions.
What these are in JavaScript (:data:`JAVASCRIPT`) is all there is to list. To let more operations be written down, add
a function there by NumPy's name, or say in :class:`Pen` what it is in terms of others.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from ..backend import dtypes

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
"""The functions that expressions are made of, by NumPy's names, and what each is in JavaScript.

``modulo`` is beside them in the page: JavaScript's ``%`` takes its sign from the dividend.
"""

ALIASES = {
    "absolute": "abs", "fabs": "abs", "pow": "power", "true_divide": "divide", "arcsin": "asin", "arccos": "acos",
    "arctan": "atan", "arctan2": "atan2", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh",
    "mod": "remainder", "bitwise_and": "logical_and", "bitwise_or": "logical_or", "bitwise_not": "logical_not",
    "bitwise_invert": "logical_not", "invert": "logical_not",
}  # fmt: skip

UNCHANGED = frozenset({
    "asarray", "positive", "conj", "conjugate", "real", "copy", "ascontiguousarray", "sum", "mean", "prod",
    "max", "min", "reshape", "squeeze", "permute_dims",
})  # fmt: skip
"""Functions that leave a single real number as it is."""


class NotWrittenError(Exception):
    """An operation does what elementary functions of numbers cannot say."""


def literal(value: Any) -> float | int | str:
    """A number as an expression."""
    if getattr(value, "shape", ()) != () or isinstance(value, complex):
        raise NotWrittenError(f"{value!r} is no real number")
    number = value if isinstance(value, int) else float(value)
    return number if math.isfinite(number) else str(float(number))


def written(value: Any) -> Any:
    """The expression of a symbol or of a number."""
    return value.expression if isinstance(value, Symbol) else literal(value)


class Symbol:
    """A number that is not there: it writes down what is done to it."""

    __slots__ = ("expression",)
    __hash__ = object.__hash__
    __array_ufunc__ = None
    shape = ()
    ndim = 0
    size = 1
    dtype = dtypes.float64

    def __init__(self, expression: Any) -> None:
        self.expression = expression

    def __bool__(self) -> bool:
        raise NotWrittenError("a branch on a value")

    def __getitem__(self, index: Any) -> Symbol:
        if index not in ((), Ellipsis):
            raise NotWrittenError("an element of a number")
        return self

    def __neg__(self) -> Symbol:
        return write("negative", self)

    def __pos__(self) -> Symbol:
        return self

    def __abs__(self) -> Symbol:
        return write("abs", self)

    def __invert__(self) -> Symbol:
        return write("logical_not", self)


def _binary(name: str, reflected: bool) -> Callable[[Symbol, Any], Symbol]:
    if reflected:
        return lambda self, other: write(name, other, self)
    return lambda self, other: write(name, self, other)


for _method, _name in {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "pow": "power",
    "floordiv": "floor_divide", "mod": "remainder", "and": "logical_and", "or": "logical_or",
}.items():  # fmt: skip
    setattr(Symbol, f"__{_method}__", _binary(_name, reflected=False))
    setattr(Symbol, f"__r{_method}__", _binary(_name, reflected=True))
for _method, _name in {
    "eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal",
}.items():  # fmt: skip
    setattr(Symbol, f"__{_method}__", _binary(_name, reflected=False))


FOLDED: dict[str, Callable[..., Any]] = {
    "add": operator.add, "subtract": operator.sub, "multiply": operator.mul, "negative": operator.neg,
    "divide": operator.truediv, "power": operator.pow,
}  # fmt: skip


def write(name: str, *values: Any) -> Symbol:
    """The symbol of a function of symbols and numbers; products with the upstream gradient 1 disappear.

    Raises:
        NotWrittenError: it is not among the elementary functions.
    """
    name = ALIASES.get(name, name)
    if name not in JAVASCRIPT:
        raise NotWrittenError(name)
    parts = [written(value) for value in values]
    if name in FOLDED and all(isinstance(part, int | float) for part in parts):
        try:
            return Symbol(literal(FOLDED[name](*parts)))
        except ArithmeticError:
            return Symbol([name, *parts])
    if name == "multiply" and 1 in parts:
        return Symbol(parts[1] if parts[0] == 1 else parts[0])
    if name == "divide" and parts[1] == 1:
        return Symbol(parts[0])
    if name in ("multiply", "divide") and parts[0] == -1:
        return Symbol(["negative", parts[1]] if name == "multiply" else ["negative", ["divide", 1, parts[1]]])
    if name == "negative" and parts[0][0] == "negative":
        return Symbol(parts[0][1])
    return Symbol([name, *parts])


class Pen:
    """The namespace of symbols: an array library on numbers that are not there."""

    pi, e, inf, nan = math.pi, math.e, math.inf, math.nan
    float64, float32, bool = dtypes.float64, dtypes.float32, dtypes.bool_

    @property
    def special(self) -> Pen:
        """The special functions beside it."""
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in UNCHANGED:
            return lambda x, *_, **__: x if isinstance(x, Symbol) else Symbol(literal(x))
        return lambda *values: write(name, *values)

    def zeros_like(self, x: Any, **_: Any) -> Symbol:
        return Symbol(0)

    def ones_like(self, x: Any, **_: Any) -> Symbol:
        return Symbol(1)

    def astype(self, x: Any, dtype: Any, **_: Any) -> Any:
        """The same number, if the dtype is a real one."""
        if dtypes.as_dtype(dtype).kind != "f":
            raise NotWrittenError(f"astype {dtype}")
        return x

    def broadcast_to(self, x: Any, shape: tuple[int, ...]) -> Any:
        if shape != ():
            raise NotWrittenError(f"an array of shape {shape}")
        return x

    def round(self, x: Any, decimals: int = 0) -> Symbol:
        if decimals:
            raise NotWrittenError(f"round to {decimals} decimals")
        return write("rint", x)

    def clip(self, x: Any, low: Any = None, high: Any = None) -> Any:
        above = x if low is None else write("maximum", x, low)
        return above if high is None else write("minimum", above, high)

    def sinc(self, x: Any) -> Symbol:
        angle = write("multiply", self.pi, x)
        return write("where", write("equal", x, 0), 1, write("divide", write("sin", angle), angle))

    def logit(self, x: Any) -> Symbol:
        return write("log", write("divide", x, write("subtract", 1, x)))

    def expit(self, x: Any) -> Symbol:
        return write("divide", 1, write("add", 1, write("exp", write("negative", x))))

    def log_expit(self, x: Any) -> Symbol:
        return write("negative", self.logaddexp(0, write("negative", x)))

    def logaddexp(self, a: Any, b: Any) -> Symbol:
        apart = write("negative", write("abs", write("subtract", a, b)))
        return write("add", write("maximum", a, b), write("log1p", write("exp", apart)))


PEN = Pen()
