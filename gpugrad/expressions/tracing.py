"""Trace functions on ``xp`` into expressions.

A :class:`Symbol` stands for one element of an array and records what is done to it. :class:`Tracer` is the ``xp`` that
it belongs to: an array library whose arrays have a single element. It converts operands by NumPy's promotion rules, in
which Python's numbers are weak.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy

from .node import DTYPES, OPERATIONS, STORED, Expression, astype, constant, variable, view
from .simplify import one_exponential, simple

ALIASES = {
    "absolute": "abs", "fabs": "abs", "pow": "power", "true_divide": "divide", "arcsin": "asin", "arccos": "acos",
    "arctan": "atan", "arctan2": "atan2", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh",
    "mod": "remainder", "bitwise_not": "bitwise_invert", "invert": "bitwise_invert",
    "bitwise_left_shift": "left_shift", "bitwise_right_shift": "right_shift",
}  # fmt: skip
"""Other names of operations, in NumPy or in the array API standard."""

OF_BOOLS = {
    "bitwise_and": "logical_and", "bitwise_or": "logical_or", "bitwise_xor": "logical_xor",
    "bitwise_invert": "logical_not", "multiply": "logical_and", "add": "logical_or",
}  # fmt: skip
"""What an operation is on bools."""

UNCHANGED = frozenset({
    "positive", "conj", "conjugate", "real", "ascontiguousarray", "sum", "mean", "prod", "max", "min", "reshape",
    "squeeze", "permute_dims", "expand_dims",
})  # fmt: skip
"""Functions that leave an array with a single real element as it is."""

WEAK: dict[str, Any] = {"b": False, "i": 0, "u": 0, "f": 0.0}
"""A Python number that promotes as a weak value of each kind does."""


class NotTracedError(Exception):
    """A function does something that the operations of the language cannot express."""


class Symbol:
    """One element of an array, which records what is done to it.

    Like an array, it can be changed in place: ``expression`` is then another one.

    Attributes:
        expression: its value.
        weak: whether it promotes like a Python number.
    """

    __slots__ = ("expression", "tracer", "weak")
    __hash__ = object.__hash__
    __array_ufunc__ = None
    shape: tuple[Any, ...] = ()
    ndim = 0
    size = 1

    def __init__(self, tracer: Tracer, expression: Expression, weak: bool = False) -> None:
        self.tracer, self.expression, self.weak = tracer, expression, weak

    @property
    def dtype(self) -> numpy.dtype[Any]:
        return numpy.dtype(self.expression.dtype)

    def __bool__(self) -> bool:
        raise NotTracedError("a branch on a value")

    def __getitem__(self, index: Any) -> Symbol:
        if index not in ((), Ellipsis):
            raise NotTracedError("an element of a number")
        return self

    def __setitem__(self, index: Any, value: Any) -> None:
        self[index].assign(value)

    def assign(self, value: Any) -> Symbol:
        """Change the value in place; the dtype stays."""
        self.expression = astype(self.tracer.expression(value), self.expression.dtype)
        return self

    def astype(self, dtype: Any, copy: bool = True) -> Symbol:
        return self.tracer.astype(self, dtype)

    def view(self, dtype: Any) -> Symbol:
        return type(self)(self.tracer, view(self.expression, numpy.dtype(dtype).name))

    def copy(self) -> Symbol:
        return type(self)(self.tracer, self.expression, self.weak)

    def __neg__(self) -> Any:
        return self.tracer.write("negative", self)

    def __pos__(self) -> Symbol:
        return self

    def __abs__(self) -> Any:
        return self.tracer.write("abs", self)

    def __invert__(self) -> Any:
        return self.tracer.write("bitwise_invert", self)


def _binary(name: str, how: str) -> Callable[[Symbol, Any], Any]:
    if how == "r":
        return lambda self, other: self.tracer.write(name, other, self)
    if how == "i":
        return lambda self, other: self.assign(self.tracer.write(name, self, other))
    return lambda self, other: self.tracer.write(name, self, other)


for _method, _name in {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "pow": "power", "floordiv": "floor_divide",
    "mod": "remainder", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor", "lshift": "left_shift",
    "rshift": "right_shift",
}.items():  # fmt: skip
    for _how in ("", "r", "i"):
        setattr(Symbol, f"__{_how}{_method}__", _binary(_name, _how))
for _method, _name in {
    "eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal",
}.items():  # fmt: skip
    setattr(Symbol, f"__{_method}__", _binary(_name, ""))


class Tracer:
    """The array library of symbols.

    Args:
        arithmetic: the dtype of Python's floats where no array says another one.
    """

    pi, e, inf, nan = math.pi, math.e, math.inf, math.nan
    kind: type[Symbol] = Symbol

    def __init__(self, arithmetic: str = "float64") -> None:
        self.arithmetic = arithmetic

    @property
    def special(self) -> Tracer:
        """The special functions beside it."""
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in DTYPES:
            return numpy.dtype(name)
        if name in UNCHANGED:
            return lambda x, *_, **__: self.symbol(x)
        return lambda *values, **how: self.write(name, *values, **how)

    # ---------------------------------------------------------------- values

    def symbol(self, value: Any) -> Any:
        """A symbol, or a number as one.

        Raises:
            NotTracedError: it is neither; or a complex number.
        """
        if isinstance(value, Symbol):
            return value
        if getattr(value, "shape", ()) != () or not isinstance(value, int | float | numpy.generic | numpy.ndarray):
            raise NotTracedError(f"{value!r} is no real number")
        if hasattr(value, "dtype"):
            if value.dtype.name not in DTYPES:
                raise NotTracedError(f"{value!r} is no real number")
            dtype = "float32" if value.dtype.name in STORED else value.dtype.name
            return self.kind(self, constant(value.item(), dtype))  # type: ignore[union-attr]
        dtype = "bool" if isinstance(value, bool) else "int64" if isinstance(value, int) else self.arithmetic
        return self.kind(self, constant(value, dtype), weak=True)

    def read(self, e: Expression, weak: bool = False) -> Symbol:
        """The symbol of a variable, in the dtype that is computed with."""
        return self.kind(self, astype(e, "float32") if e.dtype in STORED else e, weak)

    def expression(self, value: Any) -> Expression:
        """The expression of a symbol or of a number."""
        symbol: Symbol = self.symbol(value)
        return symbol.expression

    def promoted(self, values: Sequence[Symbol]) -> tuple[str, bool]:
        """The dtype that these are converted to, and whether it is weak."""
        strong = [v.dtype for v in values if not v.weak]
        kinds = [WEAK[DTYPES[v.expression.dtype]] for v in values if v.weak]
        if strong:
            return numpy.result_type(*strong, *kinds).name, False
        highest = max((type(kind) for kind in kinds), key=(bool, int, float).index)
        return {bool: "bool", int: "int64", float: self.arithmetic}[highest], True

    def write(self, name: str, *values: Any, out: Any = None, dtype: Any = None) -> Any:
        """The result of an operation on symbols and numbers.

        Raises:
            NotTracedError: it is not one of :data:`OPERATIONS`, or not defined for these dtypes.
        """
        name = ALIASES.get(name, name)
        known = OPERATIONS.get(name)
        if known is None or known.result == "given" or known.arity != len(values):
            raise NotTracedError(name)
        symbols = [self.symbol(value) for value in values]
        numbers = symbols[1:] if name == "where" else symbols
        common, weak = self.promoted(numbers)
        if common == "bool" and "b" not in known.kinds and name in OF_BOOLS:
            name = OF_BOOLS[name]
        elif DTYPES[common] not in known.kinds and "f" in known.kinds:
            common = self.arithmetic if weak else numpy.result_type(common, numpy.float16).name
        elif known.kinds == "b":
            common = "bool"
        if common in STORED or DTYPES[common] not in OPERATIONS[name].kinds:
            raise NotTracedError(f"{name} of {common}")
        parts = [astype(v.expression, common) for v in numbers]
        if name == "where":
            parts.insert(0, astype(symbols[0].expression, "bool"))
        result = self.kind(self, simple(name, *parts), weak and OPERATIONS[name].result != "bool")
        if dtype is not None:
            result = self.astype(result, dtype)
        return result if out is None else out.assign(result)

    # ---------------------------------------------------------------- functions that are several operations, or none

    def asarray(self, x: Any, dtype: Any = None, **_: Any) -> Any:
        return self.symbol(x) if dtype is None else self.astype(x, dtype)

    def copy(self, x: Any) -> Any:
        return self.symbol(x).copy()

    def astype(self, x: Any, dtype: Any, **_: Any) -> Symbol:
        name = numpy.dtype(dtype).name
        if name not in DTYPES or name in STORED:
            raise NotTracedError(f"astype {name}")
        return self.kind(self, astype(self.expression(x), name))

    def zeros_like(self, x: Any, dtype: Any = None, **_: Any) -> Symbol:
        return self.full_like(x, 0, dtype)

    def ones_like(self, x: Any, dtype: Any = None, **_: Any) -> Symbol:
        return self.full_like(x, 1, dtype)

    def full_like(self, x: Any, value: Any, dtype: Any = None, **_: Any) -> Symbol:
        wanted = self.symbol(x).expression.dtype if dtype is None else numpy.dtype(dtype).name
        return self.kind(self, astype(self.expression(value), wanted))

    def broadcast_to(self, x: Any, shape: tuple[int, ...]) -> Any:
        if shape != ():
            raise NotTracedError(f"an array of shape {shape}")
        return self.symbol(x)

    def round(self, x: Any, decimals: int = 0) -> Any:
        if decimals:
            raise NotTracedError(f"round to {decimals} decimals")
        return self.write("rint", x)

    def clip(self, x: Any, low: Any = None, high: Any = None) -> Any:
        above = self.symbol(x) if low is None else self.write("maximum", x, low)
        return above if high is None else self.write("minimum", above, high)

    def sinc(self, x: Any) -> Any:
        angle = self.write("multiply", self.pi, x)
        return self.write("where", self.symbol(x) == 0, 1, self.write("sin", angle) / angle)

    def logit(self, x: Any) -> Any:
        return self.write("log", x / (1 - self.symbol(x)))

    def expit(self, x: Any) -> Any:
        return 1 / (1 + self.write("exp", -x))

    def log_expit(self, x: Any) -> Any:
        return -self.logaddexp(0, -x)

    def logaddexp(self, a: Any, b: Any) -> Any:
        apart = -abs(self.write("subtract", a, b))
        return self.write("maximum", a, b) + self.write("log1p", self.write("exp", apart))


def either(condition: Any, then: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
    """Choose by a condition on scalars, in a function that is run on arrays and traced.

    Of a number, only what is chosen is computed; of a symbol, both are.

    >>> either(2 > 1, lambda: "yes", lambda: 1 / 0)
    'yes'
    """
    if isinstance(condition, Symbol):
        return condition.tracer.write("where", condition, then(), otherwise())
    return then() if condition else otherwise()


def may_differ(scalar: Any, number: float) -> bool:
    """Whether a scalar is another number, or a symbol, of which nothing is known: to skip what would change nothing."""
    return isinstance(scalar, Symbol) or scalar != number


class Formula(NamedTuple):
    """A function as expressions.

    Attributes:
        inputs: the variables in the order of its parameters: arrays, then scalars.
        outputs: the results, in the dtypes in which they are stored.
    """

    inputs: tuple[Expression, ...]
    outputs: tuple[Expression, ...]


def trace(
    function: Callable[..., Any],
    arrays: Mapping[str, str],
    scalars: Sequence[str] = (),
    changes: Sequence[str] = (),
    rounds: int = 1,
) -> Formula:
    """Trace an elementwise function ``f(xp, *arrays, *scalars)``.

    Arrays of float16 and bfloat16 are computed with in float32. If all floating-point arrays have the same short dtype,
    the results are rounded to it at the end.

    Args:
        function: what to trace.
        arrays: the dtype of each array, by the name of the parameter.
        scalars: the names of the parameters that are numbers; they have the dtype of the arithmetic.
        changes: the arrays that are changed in place. Their new values are the results.
        rounds: how many of several results are rounded to the short dtype of the arrays.

    Raises:
        NotTracedError: the function does something that the operations of the language cannot express.

    >>> from gpugrad.expressions.tracing import trace
    >>> trace(lambda xp, x, slope: xp.where(x > 0, x, slope * x), {"x": "float32"}, ["slope"]).outputs
    (where(greater(x, 0.0), x, multiply(slope, x)),)
    """
    arithmetic, short = precision(arrays.values())
    xp = Tracer(arithmetic)
    inputs = [*(variable(n, d) for n, d in arrays.items()), *(variable(n, arithmetic, "") for n in scalars)]
    given = {e.value: xp.read(e, weak=e.value not in arrays) for e in inputs}
    result = function(xp, *given.values())
    if changes:
        new = one_exponential(*(given[name].expression for name in changes))
        return Formula(tuple(inputs), tuple(astype(y, arrays[name]) for y, name in zip(new, changes, strict=True)))
    several = result if isinstance(result, tuple) else (result,)
    return Formula(tuple(inputs), rounded(one_exponential(*(xp.expression(y) for y in several)), short, rounds))


def precision(types: Iterable[str]) -> tuple[str, str | None]:
    """The dtype of the arithmetic on arrays of these dtypes, and the short dtype of all floating-point ones, if any."""
    floats = {dtype for dtype in types if DTYPES[dtype] == "f"}
    arithmetic = "float32" if floats and "float64" not in floats else "float64"
    return arithmetic, next(iter(floats)) if len(floats) == 1 and floats <= STORED else None


def rounded(results: Sequence[Expression], short: str | None, rounds: int) -> tuple[Expression, ...]:
    """Results with the first ones rounded to a short dtype, if there is one."""
    if short is None:
        return tuple(results)
    return tuple(astype(y, short) if i < rounds and y.dtype == "float32" else y for i, y in enumerate(results))
