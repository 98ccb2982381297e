"""Functions of arrays, and kernels that are not functions of elements: how each is spelled in ONNX.

Each is ``f(graph, call, *args, **kwargs)`` with the call's arguments, and gives the names of its results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy

from ..kernels import REGISTRY
from ..kernels.kernel import WHOLE
from ..tracing.program import Call, Value
from . import elements
from .graph import LARGEST, Dim, ExportError, Graph

Names = str | list[str]
TABLE: dict[str, Callable[..., Names]] = {}


def spelled(*names: str) -> Callable[[Callable[..., Names]], Callable[..., Names]]:
    """Enter a function into :data:`TABLE`."""

    def enter(function: Callable[..., Names]) -> Callable[..., Names]:
        TABLE.update(dict.fromkeys(names, function))
        return function

    return enter


def nodes_of(g: Graph, call: Call) -> list[str]:
    """The nodes of a call, and the names of its results.

    Raises:
        ExportError: there is none like it.
    """
    kind, _, name = call.op.partition(".")
    if call.changes:
        raise ExportError(f"{call.op} writes in place, which ONNX cannot: call model.eval() first")
    if kind == "random":
        raise ExportError(f"random numbers ({name}) have no counterpart in ONNX: call model.eval() first")
    if call.op in TABLE:
        made = TABLE[call.op](g, call, *call.args, **call.kwargs)
        return [made] if isinstance(made, str) else made
    if kind == "kernel":
        known: Any = REGISTRY.get(name) or WHOLE.get(name)
        if hasattr(known, "traced") and hasattr(known, "arrays"):
            arrays = call.args[: len(known.arrays)]
            result = g.spec(call.results[0]).dtype
            dtypes = [g.spec(a).dtype if isinstance(a, Value) else result for a in arrays]
            return elements.kernel(g, known, call.args, dtypes)
        raise ExportError(f"the kernel {name} has no counterpart in ONNX")
    op = ELEMENTS.get(call.op)
    if op is not None:
        return [_element(g, call, op)]
    raise ExportError(f"the function {call.op} has no counterpart in ONNX")


OPERATORS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "floordiv": "floor_divide",
    "pow": "power", "neg": "negative", "abs": "abs", "eq": "equal", "ne": "not_equal", "lt": "less",
    "le": "less_equal", "gt": "greater", "ge": "greater_equal", "and_": "logical_and", "or_": "logical_or",
    "invert": "logical_not", "xor": "logical_xor",
}  # fmt: skip
OTHER_NAMES = {"pow": "power", "absolute": "abs", "true_divide": "divide", "arcsin": "asin", "arccos": "acos",
               "arctan": "atan", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh", "round": "rint",
               "special.erf": "erf", "special.erfc": "erfc", "bitwise_and": "logical_and",
               "bitwise_or": "logical_or", "invert": "logical_not", "bitwise_invert": "logical_not"}  # fmt: skip
ELEMENTS = (
    {name: name for name in (*elements.SAME, *elements.MADE)}
    | {f"operator.{name}": op for name, op in OPERATORS.items()} | OTHER_NAMES
)  # fmt: skip


def _element(g: Graph, call: Call, op: str) -> str:
    """A function of elements, its operands in their common dtype."""
    if call.kwargs:
        raise ExportError(f"{call.op} with {', '.join(call.kwargs)} has no counterpart in ONNX")
    result = g.spec(call.results[0]).dtype
    given = [g.spec(a).dtype for a in call.args if isinstance(a, Value)]
    if op == "where":
        condition, *others = call.args
        return g.node("Where", g.name(condition, "bool"), *[g.name(a, result) for a in others])
    if op.startswith("logical_") and result != "bool":
        raise ExportError(f"{call.op} of integers has no counterpart in ONNX")
    common = result if result != "bool" else numpy.result_type(*given).name
    if result == "bool" and not op.startswith("logical_"):
        floats = [a for a in call.args if isinstance(a, float)]
        if floats and numpy.dtype(common).kind != "f":
            common = "float32"
    if op in ("maximum", "minimum") and common == "bool":
        return g.node("Or" if op == "maximum" else "And", *[g.name(a, common) for a in call.args])
    return elements.element(g, op, common, [g.name(a, common) for a in call.args])


# ---------------------------------------------------------------- shapes


@spelled("reshape")
def _reshape(g: Graph, call: Call, x: Any, shape: Any) -> str:
    shape = (shape,) if isinstance(shape, int | Dim) else tuple(shape)
    return g.node("Reshape", g.name(x), g.integers(shape), allowzero=int(0 in shape))


@spelled("permute_dims", "transpose")
def _permute(g: Graph, call: Call, x: Value, axes: Any = None) -> str:
    axes = tuple(range(len(g.spec(x).shape)))[::-1] if axes is None else axes
    count = len(g.spec(x).shape)
    return g.node("Transpose", g.name(x), perm=[a % count for a in axes])


@spelled("swapaxes")
def _swapped(g: Graph, call: Call, x: Value, a: int, b: int) -> str:
    axes = list(range(len(g.spec(x).shape)))
    axes[a], axes[b] = axes[b], axes[a]
    return g.node("Transpose", g.name(x), perm=axes)


@spelled("expand_dims")
def _expanded(g: Graph, call: Call, x: Value, axis: Any = 0) -> str:
    return g.node("Unsqueeze", g.name(x), g.integers(_axes(axis, None)))


@spelled("squeeze")
def _squeezed(g: Graph, call: Call, x: Value, axis: Any = None) -> str:
    return g.node("Squeeze", g.name(x), g.integers(_axes(axis, g.spec(x).shape)))


def _axes(axis: Any, shape: Sequence[int] | None) -> list[int]:
    if axis is None:
        return list(range(len(shape or ())))
    return list(axis) if isinstance(axis, tuple | list) else [axis]


@spelled("broadcast_to")
def _broadcast(g: Graph, call: Call, x: Value, shape: Sequence[Any]) -> str:
    return g.node("Expand", g.name(x), g.integers(tuple(shape)))


@spelled("concat", "concatenate")
def _concat(g: Graph, call: Call, parts: Sequence[Any], axis: int = 0) -> str:
    dtype = g.spec(call.results[0]).dtype
    return g.node("Concat", *[g.name(p, dtype) for p in parts], axis=axis)


@spelled("stack")
def _stack(g: Graph, call: Call, parts: Sequence[Any], axis: int = 0) -> str:
    dtype, where = g.spec(call.results[0]).dtype, g.integers([axis])
    return g.node("Concat", *[g.node("Unsqueeze", g.name(p, dtype), where) for p in parts], axis=axis)


@spelled("split")
def _split(g: Graph, call: Call, x: Value, places: Any, axis: int = 0) -> list[str]:
    size, count = g.spec(x).shape[axis], len(call.results)
    if isinstance(places, int):
        sizes = [size // count] * count
    else:
        ends = [0, *places, size]
        if any(isinstance(n, Dim) for n in ends):
            raise ExportError("split of the batch has no counterpart in ONNX")
        sizes = [b - a for a, b in pairwise(ends)]
    return g.several("Split", count, g.name(x), g.integers(sizes), axis=axis) if count > 1 else [g.name(x)]


@spelled("take")
def _take(g: Graph, call: Call, x: Any, index: Any, axis: int = 0) -> str:
    return g.node("Gather", g.name(x), g.name(index, "int64"), axis=axis)


@spelled("take_along_axis")
def _along(g: Graph, call: Call, x: Any, index: Any, axis: int = -1) -> str:
    return g.node("GatherElements", g.name(x), g.name(index, "int64"), axis=axis)


@spelled("flip")
def _flip(g: Graph, call: Call, x: Value, axis: Any = None) -> str:
    axes = _axes(axis, g.spec(x).shape)
    ones = [-1] * len(axes)
    return g.node("Slice", g.name(x), g.integers(ones), g.integers([-LARGEST] * len(axes)), g.integers(axes),
                  g.integers(ones))  # fmt: skip


@spelled("getitem")
def _getitem(g: Graph, call: Call, x: Value, index: Any) -> str:
    entries = list(index) if isinstance(index, tuple) else [index]
    ndim = len(g.spec(x).shape)
    known = sum(entry is not None and entry is not Ellipsis for entry in entries)
    if Ellipsis in [e if e is Ellipsis else None for e in entries]:
        at = next(i for i, e in enumerate(entries) if e is Ellipsis)
        entries[at : at + 1] = [slice(None)] * (ndim - known)
    cuts: list[tuple[int, Any, Any, Any]] = []
    taken: list[tuple[int, Value]] = []
    dropped, added = [], []
    axis = place = 0
    for entry in entries:
        if entry is None:
            added.append(place)
            place += 1
            continue
        if isinstance(entry, Value):
            if g.spec(entry).dtype == "bool" or taken:
                raise ExportError("an index with a mask, or with several arrays, has no counterpart in ONNX")
            taken.append((axis, entry))
            place += len(g.spec(entry).shape)
        elif isinstance(entry, slice):
            step = 1 if entry.step is None else entry.step
            if (entry.start, entry.stop, step) != (None, None, 1):
                start = (0 if step > 0 else LARGEST) if entry.start is None else entry.start
                stop = (LARGEST if step > 0 else -LARGEST) if entry.stop is None else entry.stop
                cuts.append((axis, start, stop, step))
            place += 1
        elif isinstance(entry, int | numpy.integer):
            cuts.append((axis, int(entry), int(entry) + 1 if entry != -1 else LARGEST, 1))
            dropped.append(axis)
        else:
            raise ExportError(f"an index of {type(entry).__name__} has no counterpart in ONNX")
        axis += 1
    if taken and (dropped or added):
        raise ExportError("an index with an array beside numbers or None has no counterpart in ONNX")
    y = g.name(x)
    if cuts:
        axes, starts, stops, steps = zip(*cuts, strict=True)
        y = g.node("Slice", y, g.integers(starts), g.integers(stops), g.integers(axes), g.integers(steps))
    for axis, entry in taken:
        y = g.node("Gather", y, g.name(entry, "int64"), axis=axis)
    y = g.node("Squeeze", y, g.integers(dropped)) if dropped else y
    y = g.node("Unsqueeze", y, g.integers(added)) if added else y
    return y if cuts or taken or added else g.node("Identity", y)


# ---------------------------------------------------------------- arrays


@spelled("asarray", "array", "copy", "ascontiguousarray", "positive")
def _asarray(g: Graph, call: Call, x: Any, *_: Any, **__: Any) -> str:
    dtype = g.spec(call.results[0]).dtype
    return g.node("Identity", g.name(x, dtype))


@spelled("kernel.checked_labels")
def _checked(g: Graph, call: Call, x: Any, *_: Any) -> str:
    return g.node("Identity", g.name(x))


@spelled("astype")
def _astype(g: Graph, call: Call, x: Any, dtype: Any = None, **_: Any) -> str:
    return g.cast(g.name(x), g.spec(call.results[0]).dtype)


def _full(g: Graph, call: Call, shape: Any, value: Any) -> str:
    dtype = g.spec(call.results[0]).dtype
    shape = (shape,) if isinstance(shape, int | Dim) else tuple(shape)
    return g.node("Expand", g.constant(value, dtype), g.integers(shape)) if shape else g.constant(value, dtype)


@spelled("zeros", "empty")
def _zeros(g: Graph, call: Call, shape: Any, **_: Any) -> str:
    return _full(g, call, shape, 0)


@spelled("ones")
def _ones(g: Graph, call: Call, shape: Any, **_: Any) -> str:
    return _full(g, call, shape, 1)


@spelled("full")
def _filled(g: Graph, call: Call, shape: Any, value: Any, **_: Any) -> str:
    return _full(g, call, shape, value)


def _like(g: Graph, call: Call, x: Value, value: Any) -> str:
    return g.node("Expand", g.constant(value, g.spec(call.results[0]).dtype), g.node("Shape", g.name(x)))


TABLE["zeros_like"] = lambda g, call, x, **_: _like(g, call, x, 0)
TABLE["ones_like"] = lambda g, call, x, **_: _like(g, call, x, 1)
TABLE["full_like"] = lambda g, call, x, value, **_: _like(g, call, x, value)


@spelled("arange")
def _arange(g: Graph, call: Call, start: Any, stop: Any = None, step: Any = 1, **_: Any) -> str:
    start, stop = (0, start) if stop is None else (start, stop)
    dtype = g.spec(call.results[0]).dtype
    return g.node("Range", *[g.name(n, dtype) for n in (start, stop, step)])


@spelled("eye")
def _eye(g: Graph, call: Call, rows: Any, columns: Any = None, k: int = 0, **_: Any) -> str:
    dtype = g.spec(call.results[0]).dtype
    shape = (rows, rows if columns is None else columns)
    return g.node("EyeLike", _full(g, call, shape, 0), k=k, dtype=g.kind(dtype))


@spelled("clip")
def _clip(g: Graph, call: Call, x: Value, low: Any = None, high: Any = None) -> str:
    dtype, y = g.spec(call.results[0]).dtype, g.name(x, g.spec(call.results[0]).dtype)
    y = y if low is None else g.node("Max", y, g.name(low, dtype))
    return g.node("Identity" if high is None else "Min", y, *([] if high is None else [g.name(high, dtype)]))


@spelled("tril", "triu")
def _triangle(g: Graph, call: Call, x: Any, k: int = 0) -> str:
    return g.node("Trilu", g.name(x), g.constant(k, "int64"), upper=int(call.op == "triu"))


# ---------------------------------------------------------------- reductions, products

REDUCTIONS = {"sum": "ReduceSum", "mean": "ReduceMean", "max": "ReduceMax", "min": "ReduceMin", "prod": "ReduceProd"}


@spelled(*REDUCTIONS)
def _reduced(g: Graph, call: Call, x: Value, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> str:
    result = g.spec(call.results[0]).dtype
    return g.node(
        REDUCTIONS[call.op], g.name(x, result), g.integers(_axes(axis, g.spec(x).shape)), keepdims=int(keepdims)
    )  # fmt: skip


@spelled("argmax", "argmin")
def _arg(g: Graph, call: Call, x: Value, axis: Any = None, keepdims: bool = False) -> str:
    y = g.name(x)
    if axis is None:
        y, axis = g.node("Reshape", y, g.integers([-1])), 0
    return g.node("ArgMax" if call.op == "argmax" else "ArgMin", y, axis=axis, keepdims=int(keepdims))


@spelled("cumulative_sum", "cumsum")
def _cumulative(g: Graph, call: Call, x: Value, axis: int = 0, **_: Any) -> str:
    return g.node("CumSum", g.name(x), g.constant(axis, "int64"))


@spelled("matmul", "operator.matmul")
def _matmul(g: Graph, call: Call, x: Any, y: Any) -> str:
    dtype = g.spec(call.results[0]).dtype
    return g.node("MatMul", g.name(x, dtype), g.name(y, dtype))


@spelled("einsum")
def _einsum(g: Graph, call: Call, text: str, *operands: Any, **_: Any) -> str:
    return g.node("Einsum", *[g.name(x) for x in operands], equation=text)


# ---------------------------------------------------------------- kernels of rows


@spelled("kernel.softmax_forward", "kernel.log_softmax_forward")
def _softmax(g: Graph, call: Call, x: Value, axis: Any) -> str:
    op = "LogSoftmax" if "log" in call.op else "Softmax"
    if isinstance(axis, int):
        return g.node(op, g.name(x), axis=axis)
    axes = g.integers(_axes(axis, g.spec(x).shape))
    y = g.node("Sub", g.name(x), g.node("ReduceMax", g.name(x), axes, keepdims=1))
    e = g.node("Exp", y)
    total = g.node("ReduceSum", e, axes, keepdims=1)
    return g.node("Sub", y, g.node("Log", total)) if op == "LogSoftmax" else g.node("Div", e, total)


@spelled("kernel.moments")
def _moments(g: Graph, call: Call, x: Value, axes: Any) -> list[str]:
    over, y = g.integers(_axes(axes, g.spec(x).shape)), g.name(x)
    mean = g.node("ReduceMean", y, over, keepdims=1)
    d = g.node("Sub", y, mean)
    return [mean, g.node("ReduceMean", g.node("Mul", d, d), over, keepdims=1)]


@spelled("kernel.standardized")
def _standardized(
    g: Graph, call: Call, x: Value, weight: Any, bias: Any, mean: Any, var: Any, axes: Any, eps: float, centred: bool
) -> list[str]:  # fmt: skip
    dtype = g.spec(x).dtype
    over, y = g.integers(_axes(axes, g.spec(x).shape)), g.name(x)
    shift = None
    if centred:
        shift = g.node("ReduceMean", y, over, keepdims=1) if mean is None else g.name(mean, dtype)
        y = g.node("Sub", y, shift)
    variance = g.node("ReduceMean", g.node("Mul", y, y), over, keepdims=1) if var is None else g.name(var, dtype)
    root = g.node("Reciprocal", g.node("Sqrt", g.node("Add", variance, g.constant(eps, dtype))))
    y = g.node("Mul", y, root)
    y = y if weight is None else g.node("Mul", y, g.name(weight, dtype))
    y = y if bias is None else g.node("Add", y, g.name(bias, dtype))
    return [y, shift or g.node("Sub", root, root), root]


@spelled("kernel.attention_forward")
def _attention(
    g: Graph, call: Call, query: Value, key: Value, value: Value, mask: Any, causal: bool, scale: float
) -> list[str]:  # fmt: skip
    dtype, shape = g.spec(query).dtype, g.spec(key).shape
    turned = [*range(len(shape) - 2), len(shape) - 1, len(shape) - 2]
    q = g.node("Mul", g.name(query), g.constant(scale, dtype))
    s = g.node("MatMul", q, g.node("Transpose", g.name(key), perm=turned))
    if mask is not None:
        s = g.node("Add", s, g.name(mask, dtype))
    if causal:
        steps, keys = g.spec(query).shape[-2], shape[-2]
        s = g.node("Where", g.constant(numpy.tri(steps, keys, dtype=bool), "bool"), s, g.constant(-numpy.inf, dtype))
    y = g.node("MatMul", g.node("Softmax", s, axis=-1), g.name(value))
    return [y, *[""] * (len(call.results) - 1)]


# ---------------------------------------------------------------- windows


def _pads(window: Any, inner: Sequence[int], outer: Sequence[int]) -> list[int]:
    """Zeros before and after each axis, as many as the last window reaches over the end."""
    before, fields = window.before, (outer, window.stride, window.dilation, window.kernel, inner, window.before)
    after = [(o - 1) * s + d * (k - 1) + 1 - n - b for o, s, d, k, n, b in zip(*fields, strict=True)]
    return [*before, *[max(0, n) for n in after]]


@spelled("kernel.convolve")
def _convolve(g: Graph, call: Call, x: Value, w: Any, bias: Any, window: Any, groups: int) -> str:
    dtype = g.spec(x).dtype
    given = [g.name(a, dtype) for a in (x, w, bias) if a is not None]
    return g.node(
        "Conv", *given, kernel_shape=list(window.kernel), strides=list(window.stride),
        dilations=list(window.dilation), pads=_pads(window, window.inner, window.outer), group=groups,
    )  # fmt: skip


@spelled("kernel.spread")
def _spread(g: Graph, call: Call, x: Value, w: Any, bias: Any, window: Any, groups: int) -> str:
    dtype = g.spec(x).dtype
    reached = [
        (o - 1) * s + d * (k - 1) + 1
        for o, s, d, k in zip(window.outer, window.stride, window.dilation, window.kernel, strict=True)
    ]
    after = [r - n - b for r, n, b in zip(reached, window.inner, window.before, strict=True)]
    given = [g.name(a, dtype) for a in (x, w, bias) if a is not None]
    return g.node(
        "ConvTranspose", *given, kernel_shape=list(window.kernel), strides=list(window.stride),
        dilations=list(window.dilation), group=groups, pads=[*window.before, *[max(0, n) for n in after]],
        output_padding=[max(0, -n) for n in after],
    )  # fmt: skip


@spelled("kernel.largest")
def _largest(g: Graph, call: Call, x: Value, window: Any) -> str:
    return _pooled(
        g, x, window, "MaxPool", dilations=list(window.dilation), pads=_pads(window, window.inner, window.outer)
    )  # fmt: skip


@spelled("kernel.average")
def _average(g: Graph, call: Call, x: Value, window: Any, counts: Any) -> str:
    dtype, ndim = g.spec(x).dtype, len(window.inner)
    if {*window.dilation} != {1}:
        raise ExportError("an average pool with dilation has no counterpart in ONNX")
    y = _pooled(g, x, window, "AveragePool", count_include_pad=1, pads=_pads(window, window.inner, window.outer))
    number = numpy.ones((1,) * ndim)
    for axis, count in enumerate(counts):
        number = number * numpy.asarray(count, "float64").reshape([-1 if a == axis else 1 for a in range(ndim)])
    return g.node("Mul", y, g.constant(window.size / number, dtype))


def _pooled(g: Graph, x: Value, window: Any, op: str, **attributes: Any) -> str:
    """A pool over the last axes; ONNX wants exactly two before them."""
    shape, ndim = g.spec(x).shape, len(window.inner)
    y = g.name(x)
    if len(shape) != ndim + 2:
        y = g.node("Reshape", y, g.integers([-1, 1, *window.inner]))
    y = g.node(op, y, kernel_shape=list(window.kernel), strides=list(window.stride), **attributes)
    if len(shape) == ndim + 2:
        return y
    before = g.node("Shape", g.name(x), start=0, end=len(shape) - ndim)
    return g.node("Reshape", y, g.node("Concat", before, g.integers(window.outer), axis=0))


# ---------------------------------------------------------------- recurrent layers


def _steps(g: Graph, z: Value, sizes: Any, reverse: bool, width: int) -> tuple[list[str], list[int]]:
    """The rows of each step, and the order in which they are taken."""
    if len({str(n) for n in sizes}) > 1:
        raise ExportError("sequences of different lengths (packed) have no counterpart in ONNX")
    parts = g.node("Reshape", g.name(z), g.integers([len(sizes), -1, width]))
    rows = [g.node("Gather", parts, g.constant(t, "int64"), axis=0) for t in range(len(sizes))]
    order = list(range(len(sizes)))
    return rows, order[::-1] if reverse else order


def _joined(g: Graph, states: dict[int, str]) -> str:
    return g.node("Concat", *[states[t] for t in sorted(states)], axis=0)


@spelled("kernel.lstm_steps")
def _lstm(
    g: Graph, call: Call, z: Value, h0: Value, c0: Value, w_hh: Value, w_hr: Any, sizes: Any, reverse: bool
) -> list[str]:  # fmt: skip
    n = g.spec(c0).shape[1]
    rows, order = _steps(g, z, sizes, reverse, 4 * n)
    w = g.node("Transpose", g.name(w_hh), perm=[1, 0])
    project = None if w_hr is None else g.node("Transpose", g.name(w_hr), perm=[1, 0])
    h, c, states = g.name(h0), g.name(c0), {}
    for t in order:
        a = g.node("Add", rows[t], g.node("MatMul", h, w))
        i, f, new, o = g.several("Split", 4, a, g.integers([n] * 4), axis=1)
        i, f, o, new = *(g.node("Sigmoid", x) for x in (i, f, o)), g.node("Tanh", new)
        c = g.node("Add", g.node("Mul", f, c), g.node("Mul", i, new))
        h = g.node("Mul", o, g.node("Tanh", c))
        h = h if project is None else g.node("MatMul", h, project)
        states[t] = h
    return [_joined(g, states), h, c, *[""] * (len(call.results) - 3)]


@spelled("kernel.gru_steps")
def _gru(
    g: Graph, call: Call, z: Value, h0: Value, w_hh: Value, b_hh: Any, sizes: Any, reverse: bool
) -> list[str]:  # fmt: skip
    n = g.spec(h0).shape[1]
    rows, order = _steps(g, z, sizes, reverse, 3 * n)
    w, h, states = g.node("Transpose", g.name(w_hh), perm=[1, 0]), g.name(h0), {}
    for t in order:
        a = g.node("MatMul", h, w)
        a = a if b_hh is None else g.node("Add", a, g.name(b_hh))
        reset, update, part = g.several("Split", 3, a, g.integers([n] * 3), axis=1)
        given = g.several("Split", 3, rows[t], g.integers([n] * 3), axis=1)
        r = g.node("Sigmoid", g.node("Add", given[0], reset))
        u = g.node("Sigmoid", g.node("Add", given[1], update))
        new = g.node("Tanh", g.node("Add", given[2], g.node("Mul", r, part)))
        h = g.node("Add", new, g.node("Mul", u, g.node("Sub", h, new)))
        states[t] = h
    return [_joined(g, states), h, *[""] * (len(call.results) - 2)]


@spelled("kernel.rnn_steps")
def _rnn(
    g: Graph, call: Call, z: Value, h0: Value, w_hh: Value, sizes: Any, reverse: bool, relu: bool
) -> list[str]:  # fmt: skip
    n = g.spec(h0).shape[1]
    rows, order = _steps(g, z, sizes, reverse, n)
    w, h, states = g.node("Transpose", g.name(w_hh), perm=[1, 0]), g.name(h0), {}
    for t in order:
        h = g.node("Relu" if relu else "Tanh", g.node("Add", rows[t], g.node("MatMul", h, w)))
        states[t] = h
    return [_joined(g, states), h, *[""] * (len(call.results) - 2)]
