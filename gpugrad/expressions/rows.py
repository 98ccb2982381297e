"""Trace functions of rows: reductions along the last axis, and an element of each row at an index.

As in ``tracing.py``, a symbol stands for one element. Along the axis ``c`` the elements of a row vary, along ``r`` the
rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import node
from .node import DTYPES, STORED, Expression, astype, variable
from .tracing import Formula, NotTracedError, Symbol, Tracer


class Size:
    """The size of an axis in the shape of a symbol: a number whose value is not known yet."""

    def __mul__(self, other: Any) -> Any:
        return self if other == 1 else NotImplemented

    __rmul__ = __mul__


ROWS, LENGTH = Size(), Size()
"""The number of rows, and the length of each."""


class RowSymbol(Symbol):
    """One element of an array of rows."""

    __slots__ = ()

    @property
    def shape(self) -> tuple[Any, ...]:  # type: ignore[override]
        axes = self.expression.axes
        rows = () if axes == {"c"} else (ROWS,)
        return (*rows, LENGTH) if "c" in axes or not axes else rows

    @property
    def ndim(self) -> int:  # type: ignore[override]
        return len(self.shape)

    def __getitem__(self, index: Any) -> Any:
        tracer: Any = self.tracer
        if isinstance(index, Symbol):
            return tracer.at(self, index)
        if isinstance(index, tuple) and len(index) == 2 and all(isinstance(i, Symbol) for i in index):
            return tracer.at(self, index[1])
        if isinstance(index, tuple) and all(i == slice(1) for i in index):
            return self
        raise NotTracedError("a part of an array")


class RowTracer(Tracer):
    """The array library of rows, which are reduced along the last axis."""

    def symbol(self, value: Any) -> Any:
        if value is LENGTH:
            return RowSymbol(self, astype(node.length("c"), self.arithmetic), weak=True)
        found = super().symbol(value)
        return found if isinstance(found, RowSymbol) else RowSymbol(self, found.expression, found.weak)

    def write(self, name: str, *values: Any, out: Any = None, dtype: Any = None) -> Any:
        return self.symbol(super().write(name, *values, out=out, dtype=dtype))

    def _reduce(self, how: str, x: Any) -> Symbol:
        expression = self.expression(x)
        if "c" not in expression.axes:
            raise NotTracedError(f"{how} of what is the same for a whole row")
        return RowSymbol(self, node.reduce(how, expression, "c"))

    def sum(self, x: Any, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Any:
        return self._reduce("sum", x)

    def max(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return self._reduce("max", x)

    def min(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return self._reduce("min", x)

    def mean(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return self.write("divide", self._reduce("sum", x), LENGTH)

    def reshape(self, x: Any, shape: Any) -> Any:
        return self.symbol(x)

    def expand_dims(self, x: Any, axis: Any = None) -> Any:
        return self.symbol(x)

    def arange(self, stop: Any) -> Any:
        return RowSymbol(self, node.index("r"))

    def at(self, x: Symbol, index: Symbol) -> Any:
        """The element of each row at an index; of a row that all share, that one too."""
        here = self.write("equal", RowSymbol(self, node.index("c")), index)
        return self._reduce("sum", self.write("where", here, x, 0))

    def __kernel__(self, kernel: Any, arguments: tuple[Any, ...]) -> Any:
        """Kernels inside of others: writing at an index becomes a choice, the rest is looked into."""
        if kernel.__name__ == "set_at":
            x, values, (_, index) = arguments
            return self.write("where", self.write("equal", RowSymbol(self, node.index("c")), index), values, x)
        raise NotTracedError(kernel.__name__)


def trace_rows(
    function: Callable[..., Any],
    arrays: Mapping[str, tuple[str, str] | None],
    scalars: Sequence[str] = (),
    rounds: int = 1,
    **static: Any,
) -> Formula:
    """Trace a function ``f(xp, *arrays, *scalars, **static)`` of rows.

    Args:
        function: what to trace.
        arrays: dtype and axes (``rc``, ``r`` or ``c``) of each array, or None for one that is not there.
        scalars: the names of parameters that are numbers.
        rounds: how many of the results are rounded to the short dtype of the arrays.
        static: the other parameters.

    Raises:
        NotTracedError: the function does something that the operations of the language cannot express.
    """
    given = {name: found for name, found in arrays.items() if found is not None}
    floats = {dtype for dtype, _ in given.values() if DTYPES[dtype] == "f"}
    arithmetic = "float64" if "float64" in floats else "float32"
    short = next(iter(floats)) if len(floats) == 1 and floats <= STORED else None
    xp = RowTracer(arithmetic)
    inputs: dict[str, Expression] = {n: variable(n, d, axes) for n, (d, axes) in given.items()}
    inputs.update({n: variable(n, arithmetic, "") for n in scalars})
    symbols = {
        n: RowSymbol(xp, astype(e, "float32") if e.dtype in STORED else e, weak=n in scalars) for n, e in inputs.items()
    }
    result = function(xp, *(symbols.get(n) for n in arrays), **{n: symbols[n] for n in scalars}, **static)
    several = result if isinstance(result, tuple) else (result,)
    outputs = tuple(xp.expression(y) for y in several if y is not None)
    if short is not None:
        outputs = tuple(astype(y, short) if i < rounds and y.dtype == "float32" else y for i, y in enumerate(outputs))
    return Formula(tuple(inputs.values()), outputs)
