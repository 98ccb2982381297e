"""Sums, means and extrema, and kernels over rows, as records."""

from __future__ import annotations

import math

from ...expressions import DTYPES, STORED, astype, constant, make, reduce, variable
from ...kernels.rows import Rows
from ...tracing.program import Call, Program, Scalar, Value
from ..places import Place
from .native import Record
from .records import Lying, Records, copy_record, flat, loop_record, rows_record, strides_of, together

MOST_ADDED = 16
"""The rows that one pass of a sum over rows adds up."""

SHORT = 16
"""Rows of up to so many elements are added up as columns are, many at a time."""


def reduced(call: Call, program: Program, places: Lying) -> Records:
    """Sums, means and extrema over axes that are the last ones, the first ones, or both."""
    known = {"axis", "keepdims", "dtype"}
    if {*call.kwargs} - known or len(call.args) > 2 or type(call.args[0]) is not Value:
        return None
    name = call.op
    how = {"sum": "sum", "mean": "sum", "max": "max", "min": "min", "amax": "max", "amin": "min"}[name]
    x, y = places[call.args[0].number], places[call.results[0].number]
    axis = call.kwargs.get("axis", call.args[1] if len(call.args) > 1 else None)
    if x.dtype != y.dtype or DTYPES[x.dtype] != "f" or not x.size or not y.size:
        return None
    listed = range(len(x.shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = {a % len(x.shape) for a in listed if x.shape[a] != 1}
    left = [a for a in range(len(x.shape)) if a not in axes and x.shape[a] != 1]
    count = math.prod(x.shape[a] for a in axes)
    last = {a for a in axes if not left or a > left[-1]}
    first = axes - last
    divisor = count if name == "mean" else 1
    records: list[Record] = []
    if last and not first and x.contiguous and (n := math.prod(x.shape[a] for a in last)) > SHORT:
        return row_record(how, x, y, x.size // n, n, divisor)
    if last and first:  # rows first, then what is left of them
        if not x.contiguous:
            return None
        between = places.new(tuple(x.shape[a] for a in range(len(x.shape)) if a not in last), x.dtype)
        n = math.prod(x.shape[a] for a in last)
        rest = Call(name, (Value(between.root),), {"axis": tuple(a for a in range(len(between.shape)) if a in first)},
                    call.results)  # fmt: skip
        if name == "mean" or max(first) >= len(between.shape):
            return None
        return together(row_record(how, x, between, x.size // n, n), reduced(rest, program, places))
    if not axes:  # nothing is reduced
        return copy_record(flat(x), flat(y)) if x.contiguous else None
    inner = [a for a in range(len(x.shape)) if a not in axes and x.shape[a] != 1]
    shape = tuple(x.shape[a] for a in inner)
    strides = tuple(x.strides[a] for a in inner)
    target = Place(y.root, y.offset, shape, strides_of(shape, y.dtype), y.dtype)
    outer = sorted(axes)
    starts = [0]
    for a in outer:
        starts = [s + i * x.strides[a] for s in starts for i in range(x.shape[a])]
    if len(starts) > (256 * MOST_ADDED if how == "sum" else MOST_ADDED):
        return None
    joined = {"sum": "add", "max": "maximum", "min": "minimum"}[how]
    acc = variable("y", x.dtype)
    for begin in range(0, len(starts), MOST_ADDED):
        chosen = starts[begin : begin + MOST_ADDED]
        rows = [variable(f"x{i}", x.dtype) for i in range(len(chosen))]
        total = rows[0] if begin == 0 else make(joined, acc, rows[0])
        for row in rows[1:]:
            total = make(joined, total, row)
        if begin + MOST_ADDED >= len(starts) and divisor != 1:
            total = make("divide", total, constant(divisor, x.dtype))
        parts = [Place(x.root, x.offset + s, shape, strides, x.dtype) for s in chosen]
        if begin == 0:
            made = loop_record(rows, [total], parts, [target])
        else:
            made = loop_record([acc, *rows], [total], [target, *parts], [], changes=["y"])
        if made is None:
            return None
        records += made
    return records


def row_record(how: str, x: Place, y: Place, rows: int, n: int, divisor: int = 1) -> Records:
    """A reduction of each row."""
    element = variable("x0", x.dtype, "rc")
    total = reduce(how, element, "c")
    if divisor != 1:
        total = make("divide", total, constant(divisor, x.dtype))
    return rows_record([element], [total], [x], [y], rows, n)


def over_rows(kernel: Rows, call: Call, places: Lying) -> Records:
    """A kernel over rows, as :meth:`Rows.launch` has it."""
    count = len(kernel.arrays)
    more = dict(zip(kernel.parameters, call.args[count:], strict=True))
    given = [places[a.number] if type(a) is Value else None for a in call.args[:count]]
    if call.kwargs or any(type(v) in (Value, Scalar) for v in more.values()):
        return None
    first = given[kernel.first]
    assert first is not None
    split = kernel._split(more, len(first.shape))
    if split is None or any(p is not None and p.dtype in STORED for p in given):
        return None
    lead, row = first.shape[:split], first.shape[split:]
    rows, n = math.prod(lead), math.prod(row)
    records: list[Record] = []
    arrays = []
    for name, one in zip(kernel.arrays, given, strict=True):
        if one is None:
            continue
        place = one
        axes = kernel.axes[name]
        if axes == "c":
            extra = len(place.shape) - len(row)
            fits = extra >= 0 and place.shape[extra:] == row and place.shape[:extra] == (1,) * extra
        else:
            fits = place.shape == first.shape if axes == "rc" else place.shape in (lead, lead + (1,) * len(row))
        if not fits:
            return None
        if not place.contiguous:
            whole = places.new(place.shape, place.dtype)
            records += copy_record(place, whole) or []
            place = whole
        arrays.append(place)
    static = tuple(more[name] for name in kernel.static)
    formula, _ = kernel.traced(tuple(None if p is None else p.dtype for p in given), static)
    wanted = [places[v.number] for v in call.results]
    if [y.dtype for y in formula.outputs] != [p.dtype for p in wanted]:
        return None
    results, outputs = [], []
    for y, place in zip(formula.outputs, wanted, strict=True):
        if place.size != (rows * n if "c" in y.axes else rows):
            return None
        if "r" not in y.axes and not y.axes:
            return None
        results.append(place)
        outputs.append(y)
    made = rows_record(
        [e for e in formula.inputs if e.axes], outputs, arrays, results, rows, n,
        [e for e in formula.inputs if not e.axes], [float(more[s]) for s in kernel.scalars],
    )  # fmt: skip
    return None if made is None else records + made


def counted(call: Call, program: Program, places: Lying) -> Records:
    """How many labels are not to be ignored; NaN for none."""
    labels, ignored, _ = call.args
    x, y = places[labels.number], places[call.results[0].number]
    if not x.contiguous or x.dtype != "int64" or DTYPES[y.dtype] != "f" or not x.size:
        return None
    label = variable("x0", x.dtype, "rc")
    one = astype(make("not_equal", label, constant(ignored, x.dtype)), y.dtype)
    total = reduce("sum", one, "c")
    none = make("equal", total, constant(0, y.dtype))
    return rows_record([label], [make("where", none, constant(math.nan, y.dtype), total)], [x], [y], 1, x.size)
