"""Expressions: typed, immutable nodes, each of which exists once.

:data:`OPERATIONS` is the closed list of operations. The spelling of an operation in a target language is part of the
printer for that language.

Operands are never converted implicitly. All numeric operands of an operation have the same dtype, and conversions are
``astype`` nodes. The tracer (``tracing.py``) inserts them by NumPy's promotion rules.
"""

from __future__ import annotations

import math
from collections.abc import Container, Hashable, Iterable, Iterator
from threading import Lock
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

DTYPES = {
    "bool": "b", "int8": "i", "int16": "i", "int32": "i", "int64": "i", "uint8": "u", "uint16": "u", "uint32": "u",
    "uint64": "u", "float16": "f", "bfloat16": "f", "float32": "f", "float64": "f",
}  # fmt: skip
"""The kind of each dtype, by NumPy's name of the dtype."""

STORED = frozenset({"float16", "bfloat16"})
"""Dtypes that are only read and written: the one operation on them is ``astype``."""

BITS = {name: 8 if name == "bool" else 16 if name == "bfloat16" else int(name.lstrip("uintfloa")) for name in DTYPES}


class Operation(NamedTuple):
    """One operation.

    Attributes:
        name: in NumPy, or in the array API standard where the names differ.
        arity: number of operands.
        kinds: of the dtypes that the operands can have, as in :data:`DTYPES`.
        result: ``same`` as the operands; ``bool``; ``where``: as the second and third operand, the first is bool;
            ``given``: the node states it.
    """

    name: str
    arity: int
    kinds: str
    result: str


def _operations() -> Iterator[Operation]:
    for name in ("add", "subtract", "multiply", "power", "remainder", "floor_divide"):
        yield Operation(name, 2, "iuf", "same")
    for name in ("maximum", "minimum"):  # NaN if an operand is NaN
        yield Operation(name, 2, "biuf", "same")
    for name in ("negative", "abs", "sign", "square"):
        yield Operation(name, 1, "iuf", "same")
    for name in ("divide", "atan2", "hypot", "copysign"):
        yield Operation(name, 2, "f", "same")
    for name in (
        "reciprocal", "exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "sqrt", "cbrt",
        "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh",
        "floor", "ceil", "trunc", "rint", "erf", "erfc",
    ):  # fmt: skip
        yield Operation(name, 1, "f", "same")
    for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"):
        yield Operation(name, 2, "biuf", "bool")
    for name in ("isnan", "isinf", "isfinite", "signbit"):
        yield Operation(name, 1, "f", "bool")
    for name in ("logical_and", "logical_or", "logical_xor"):
        yield Operation(name, 2, "b", "same")
    yield Operation("logical_not", 1, "b", "same")
    for name in ("bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift"):
        yield Operation(name, 2, "iu", "same")
    yield Operation("bitwise_invert", 1, "iu", "same")
    yield Operation("where", 3, "biuf", "where")  # both branches are computed; neither can fail
    yield Operation("astype", 1, "biuf", "given")  # to bool: whether it is not 0
    yield Operation("view", 1, "iuf", "given")  # the same bits as another dtype of the same size
    # the leaves
    yield Operation("variable", 0, "", "given")  # value: the name of a parameter of the kernel
    yield Operation("constant", 0, "", "given")  # value: a Python number
    yield Operation("index", 0, "", "given")  # value: an axis; int64, the position along the axis
    yield Operation("length", 0, "", "given")  # value: an axis; int64, the number of positions
    # over one axis of the kernel; value: (how, axis), and the axis is reduced away
    yield Operation("reduce", 1, "biuf", "same")


OPERATIONS: dict[str, Operation] = {operation.name: operation for operation in _operations()}

REDUCTIONS = {"sum": 0.0, "prod": 1.0, "max": -math.inf, "min": math.inf}
"""The ways to reduce, and the value of each over nothing. ``max`` and ``min`` are NaN if an element is."""

LEAVES = frozenset({"variable", "constant", "index", "length"})


class Expression:
    """One node of an expression.

    Nodes are immutable and interned: equal expressions are the same object, so ``is``, ``==`` and dictionaries go by
    identity, and common subexpressions are shared. Make them with the functions below.

    Attributes:
        op: the name of an operation in :data:`OPERATIONS`.
        args: the operands.
        dtype: NumPy's name of the dtype of the result.
        value: what the operation is besides its operands: the name of a variable, the number of a constant, the axis of
            an index or a length, ``(how, axis)`` of a reduction; else None.
        axes: the axes of the kernel along which the result varies.

    >>> from gpugrad.expressions import constant, make, variable
    >>> x = variable("x", "float32")
    >>> y = make("add", make("exp", x), constant(1, "float32"))
    >>> y
    add(exp(x), 1.0)
    >>> y.args[0] is make("exp", variable("x", "float32"))
    True
    """

    __slots__ = ("__weakref__", "args", "axes", "dtype", "op", "value")

    op: str
    args: tuple[Expression, ...]
    dtype: str
    value: Any
    axes: frozenset[str]

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("expressions are immutable")

    def __repr__(self) -> str:
        if self.op == "constant":
            return repr(self.value)
        if self.op in LEAVES:
            return str(self.value) if self.op == "variable" else f"{self.op}({self.value})"
        more = [] if self.op not in ("astype", "view", "reduce") else [str(self.dtype)]
        if self.op == "reduce":
            more = [f"{how}" for how in self.value]
        return f"{self.op}({', '.join([*map(repr, self.args), *more])})"


_known: WeakValueDictionary[Any, Expression] = WeakValueDictionary()
_lock = Lock()


def _interned(op: str, args: tuple[Expression, ...], dtype: str, value: Any, axes: frozenset[str]) -> Expression:
    # 0.0 == -0.0 and 1 == True, and NaN is not itself: a number is known by how it is written
    key = (op, args, dtype, repr(value) if op == "constant" else value, axes)
    with _lock:
        found = _known.get(key)
        if found is None:
            found = object.__new__(Expression)
            for name, part in (("op", op), ("args", args), ("dtype", dtype), ("value", value), ("axes", axes)):
                object.__setattr__(found, name, part)
            _known[key] = found
        return found


def make(op: str, *args: Expression) -> Expression:
    """The result of an operation whose dtype follows from those of its operands.

    Raises:
        TypeError: the number of operands or their dtypes do not fit the operation.
    """
    known = OPERATIONS[op]
    if known.result == "given" or op == "reduce":
        raise TypeError(f"{op}: call the function of that name")
    if len(args) != known.arity:
        raise TypeError(f"{op}: expected {known.arity} operands, got {len(args)}")
    numbers = args[1:] if known.result == "where" else args
    dtype = numbers[0].dtype
    if DTYPES[dtype] not in known.kinds or dtype in STORED or any(a.dtype != dtype for a in numbers):
        raise TypeError(f"{op}: the operands have the dtypes {', '.join(a.dtype for a in args)}")
    if known.result == "where" and args[0].dtype != "bool":
        raise TypeError(f"where: expected a condition of bool, got {args[0].dtype}")
    return _interned(op, args, "bool" if known.result == "bool" else dtype, None, _axes(args))


def _axes(args: tuple[Expression, ...]) -> frozenset[str]:
    return frozenset().union(*(a.axes for a in args))


def variable(name: Hashable, dtype: str, axes: Iterable[str] = "i") -> Expression:
    """A parameter of the kernel: an array that varies along ``axes``, or a scalar if there are none.

    Elementwise kernels have the one axis ``i``; kernels over rows and columns the axes ``r`` (which row) and ``c``
    (the position in it).
    """
    return _interned("variable", (), _checked(dtype), name, frozenset(axes))


def constant(value: float, dtype: str) -> Expression:
    """A number, converted to the type of Python's numbers that stands for the dtype."""
    kind = float if DTYPES[_checked(dtype)] == "f" else bool if dtype == "bool" else int
    return _interned("constant", (), dtype, kind(value), frozenset())


def index(axis: str) -> Expression:
    """The position along an axis, in int64."""
    return _interned("index", (), "int64", axis, frozenset(axis))


def length(axis: str) -> Expression:
    """The size of an axis, in int64."""
    return _interned("length", (), "int64", axis, frozenset())


def astype(x: Expression, dtype: str) -> Expression:
    """The conversion to a dtype; ``x`` itself if it has that one. Constants, also those in a ``where``, convert now."""
    if x.dtype == _checked(dtype):
        return x
    if x.op == "constant" and dtype not in STORED:
        return constant(x.value, dtype)
    if x.op == "where" and any(a.op == "constant" for a in x.args[1:]) and dtype not in STORED:
        return make("where", x.args[0], *(astype(a, dtype) for a in x.args[1:]))
    return _interned("astype", (x,), dtype, None, x.axes)


def view(x: Expression, dtype: str) -> Expression:
    """The bits of ``x`` as another dtype of the same size."""
    if BITS[x.dtype] != BITS[_checked(dtype)]:
        raise TypeError(f"view: {x.dtype} and {dtype} have different sizes")
    return x if x.dtype == dtype else _interned("view", (x,), dtype, None, x.axes)


def reduce(how: str, x: Expression, axis: str) -> Expression:
    """The sum, product, maximum or minimum of ``x`` over an axis.

    Raises:
        TypeError: ``how`` is none of these, or the dtype is one that is only stored.
    """
    if how not in REDUCTIONS or x.dtype in STORED:
        raise TypeError(
            f"reduce: expected one of {', '.join(REDUCTIONS)} of a dtype to compute with, got {how} {x.dtype}"
        )
    return _interned("reduce", (x,), x.dtype, (how, axis), x.axes - {axis})


def walk(*roots: Expression, known: Container[Expression] = ()) -> Iterator[Expression]:
    """Every node that ``roots`` consist of, once, operands before what is computed from them.

    The operands of nodes in ``known`` are left out, unless others need them.

    >>> from gpugrad.expressions import make, variable, walk
    >>> x = variable("x", "float32")
    >>> [e.op for e in walk(make("multiply", make("exp", x), make("exp", x)))]
    ['variable', 'exp', 'multiply']
    """
    seen: set[Expression] = set()
    waiting = [(root, False) for root in reversed(roots)]
    while waiting:
        node, ready = waiting.pop()
        if ready:
            yield node
        elif node not in seen:
            seen.add(node)
            waiting.append((node, True))
            if node not in known:
                waiting += [(a, False) for a in reversed(node.args) if a not in seen]


def uses(*roots: Expression, known: Container[Expression] = ()) -> dict[Expression, int]:
    """The number of times that each node of :func:`walk` is an operand or a root."""
    count = dict.fromkeys(walk(*roots, known=known), 0)
    for node in [*count]:
        if node not in known:
            for a in node.args:
                count[a] += 1
    for root in roots:
        count[root] += 1
    return count


def _checked(dtype: str) -> str:
    if dtype not in DTYPES:
        raise TypeError(f"expected a dtype of {', '.join(DTYPES)}, got {dtype}")
    return dtype
