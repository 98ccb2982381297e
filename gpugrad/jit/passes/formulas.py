"""Which calls are elementwise, and what they compute, as expressions."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, NamedTuple

from ...expressions import (
    DTYPES,
    OPERATIONS,
    STORED,
    Expression,
    Formula,
    NotTracedError,
    Tracer,
    constant,
    variable,
)  # fmt: skip
from ...expressions.llvm import compilable
from ...expressions.simplify import replaced
from ...expressions.tracing import ALIASES
from ...kernels import REGISTRY
from ...kernels.elementwise import Elementwise
from ...kernels.kernel import WHOLE
from ...tracing.program import Call, Program, Scalar, Value

OPERATORS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "power", "neg": "negative", "pos": "positive", "abs": "abs", "and_": "bitwise_and",
    "or_": "bitwise_or", "xor": "bitwise_xor", "invert": "bitwise_invert", "eq": "equal", "ne": "not_equal",
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal",
}  # fmt: skip
"""The functions of an array library that Python's operators are."""

COMPOSED = frozenset({"where", "clip", "astype", "zeros_like", "ones_like", "full_like", "expit", "sinc"})
"""Elementwise functions that the tracer knows beside the operations of the language. Its ``logaddexp`` is not for two
infinities."""

FILLED = {"ones": 1, "zeros": 0, "full": None}
"""Functions that make an array of one number."""


class Elements(NamedTuple):
    """What an elementwise call computes.

    Attributes:
        operands: the arrays that it reads.
        results: an expression for each result, in variables that are called as the operands and the scalars are.
    """

    operands: tuple[Value, ...]
    results: tuple[Expression, ...]


def array_variable(value: Value, dtype: str) -> Expression:
    """The variable of a value in an expression."""
    return variable(("array", value.number), dtype)


def scalar_variable(scalar: Scalar, dtype: str) -> Expression:
    """The variable of a number that is an input."""
    return variable(("scalar", scalar.number), dtype, "")


def elements(call: Call, program: Program) -> Elements | None:
    """What a call computes for each element; None if it does something else, or nothing that can be compiled."""
    if call.changes or not call.results:
        return None
    kind, _, name = call.op.partition(".")
    try:
        if kind == "kernel":
            found = _of_kernel(call, name, program)
        elif call.op in FILLED:
            found = _filled(call, program)
        else:
            found = _of_function(call, OPERATORS.get(name, "") if kind == "operator" else call.op, program)
    except (NotTracedError, TypeError, ValueError):
        return None
    if found is None or not compilable(found.results):
        return None
    shapes = [program.specs[v.number].shape for v in found.operands]
    for value, result in zip(call.results, found.results, strict=True):
        spec = program.specs[value.number]
        if spec.dtype != result.dtype or spec.dtype in STORED or (shapes and spec.shape != broadcast(shapes)):
            return None
    return found


def broadcast(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...] | None:
    """The shape that shapes broadcast to; None if there is none."""
    ndim = max(map(len, shapes))
    padded = [(1,) * (ndim - len(shape)) + tuple(shape) for shape in shapes]
    found = []
    for sizes in zip(*padded, strict=True):
        one, *others = {*sizes} - {1} or {1}
        if others:
            return None
        found.append(one)
    return tuple(found)


def _operands(call: Call, program: Program) -> dict[Value, Expression] | None:
    """The arrays among the positional arguments; None where one has a dtype that is not computed with."""
    made = {}
    for a in call.args:
        if type(a) is Value:
            dtype = program.specs[a.number].dtype
            if dtype not in DTYPES or dtype in STORED:
                return None
            made[a] = array_variable(a, dtype)
    return made


def _of_function(call: Call, name: str, program: Program) -> Elements | None:
    _, _, short = name.rpartition(".")
    name = short if name.startswith("special.") else name
    row = OPERATIONS.get(ALIASES.get(name, name))
    known = name in COMPOSED or name == "positive" or (row is not None and row.result != "given" and row.arity)
    operands = _operands(call, program)
    if not known or name == "reduce" or not operands or {*call.kwargs} - {"dtype"}:
        return None
    if any(type(a) is Scalar for a in call.args) or (name.endswith("_like") and len(call.results) != 1):
        return None
    tracer = Tracer()
    args = [tracer.read(operands[a]) if type(a) is Value else a for a in call.args]
    result = tracer.expression(getattr(tracer, name)(*args, **call.kwargs))
    if name == "power" and DTYPES[result.dtype] != "f":
        return None
    return Elements(tuple(operands), (result,))


def _filled(call: Call, program: Program) -> Elements | None:
    dtype = program.specs[call.results[0].number].dtype
    number = FILLED[call.op] if call.op != "full" else call.args[1] if len(call.args) > 1 else None
    if dtype not in DTYPES or dtype in STORED or type(number) not in (bool, int, float):
        return None
    return Elements((), (constant(number, dtype),))  # type: ignore[arg-type]


def _of_kernel(call: Call, name: str, program: Program) -> Elements | None:
    kernel: Any = program.custom.get(name) or REGISTRY.get(name) or WHOLE.get(name)
    traced = getattr(kernel, "traced", None)
    if traced is None or getattr(kernel, "body", None) is not None:
        return None
    if not isinstance(kernel, Elementwise) and len(inspect.signature(traced).parameters) != 1:
        return None
    count = len(kernel.arrays)
    operands = _operands(call, program)
    given = call.args[:count]
    if not operands or any(type(a) not in (Value, int, float) for a in given) or call.kwargs:
        return None
    # a Python number in the place of an array is of the dtype of the others
    floats = [e.dtype for e in operands.values() if DTYPES[e.dtype] == "f"] or [
        program.specs[call.results[0].number].dtype
    ]
    formula: Formula = traced(tuple(program.specs[a.number].dtype if type(a) is Value else floats[0] for a in given))
    by = {}
    for e, a in zip(formula.inputs, call.args, strict=True):
        if type(a) is Value:
            by[e] = operands[a]
        elif type(a) is Scalar:
            by[e] = scalar_variable(a, e.dtype)
        elif type(a) in (int, float):
            by[e] = constant(a, e.dtype)
        else:
            return None
    return Elements(tuple(operands), replaced(formula.outputs, by))
