"""From a call of a program to records of machine code, for arrays of NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from ...backend import as_dtype, llvm
from ...expressions import (
    BITS,
    DTYPES,
    STORED,
    Expression,
    NotTracedError,
    astype,
    constant,
    make,
    reduce,
    variable,
    walk,
)  # fmt: skip
from ...expressions.llvm import NotCompiledError, compilable
from ...kernels import REGISTRY, borders, loops, row_loops
from ...kernels.compiled import HEAVY_STEP, LIGHT_STEP, address, layout
from ...kernels.elementwise import Elementwise
from ...kernels.loops import HEAVY
from ...kernels.rows import Rows
from ...tracing.program import Call, Program, Scalar, Value
from ..passes.formulas import elements
from ..passes.fusion import Fused, fused_kernel
from ..places import Place
from .native import Record, Word, blas, loaded, product_words

MOST_ADDED = 16
"""The rows that one pass of a sum over rows adds up."""

MOST_SPLIT, LEAST_SPLIT = 8, 32
"""Loops whose last axis has at most 8 elements go along another one, if there are 32 elements along the others."""

SHORT = 16
"""Rows of up to so many elements are added up as columns are, many at a time."""

MOST_PRODUCTS = 1024
"""A batch with more matrices is left to NumPy."""

COMPUTED = frozenset({"float32", "float64", "int32", "int64", "bool", "uint8", "int8", "int16", "uint16", "uint32",
                      "uint64"})  # fmt: skip
"""The dtypes that records read and write."""

Records = list[Record] | None


class Lying(dict[int, Place]):
    """The places of values by their numbers, and of what only the records of one call need."""

    def __init__(self, places: dict[int, Place]) -> None:
        super().__init__(places)
        self.next = max(places, default=-1) + 1
        self.added: list[int] = []

    def new(self, shape: tuple[int, ...], dtype: str) -> Place:
        """A memory that is there while the records of this call run."""
        number, self.next = self.next, self.next + 1
        self.added.append(number)
        self[number] = Place(number, 0, shape, _strides(shape, dtype), dtype)
        return self[number]


_sources: dict[Any, tuple[str, str]] = {}


def lowered(call: Call, program: Program, places: Lying) -> Records:
    """The records that do what a call does; None where there are none, and NumPy is to be called.

    Args:
        call: it.
        program: which it is from.
        places: of the values by their numbers.
    """
    if llvm.machine() is None or any(places[v.number].dtype not in COMPUTED for v in call.results):
        return None
    name = call.op.rpartition(".")[2]
    rule = RULES.get(name) if not call.op.startswith("kernel.") else KERNELS.get(name)
    try:
        if rule is not None:
            return rule(call, program, places)
        kernel = program.custom.get(name) or REGISTRY.get(name) if call.op.startswith("kernel.") else None
        if isinstance(kernel, Rows):
            return _rows(kernel, call, places)
        if isinstance(kernel, Elementwise) and kernel.changes:
            return _changing(kernel, call, places)
        return _elementwise(call, program, places)
    except (NotTracedError, NotCompiledError):
        return None


# ---------------------------------------------------------------- elementwise


def loop_record(
    arrays: Sequence[Expression], outputs: Sequence[Expression], inputs: Sequence[Place], results: Sequence[Place],
    scalars: Sequence[Expression] = (), numbers: Sequence[Any] = (), changes: Sequence[str] = (),
) -> Records:  # fmt: skip
    """The record of expressions of elements; nothing for arrays without any.

    Args:
        arrays: variables, one for each of ``inputs``.
        outputs: the results, for ``results``; of the arrays that are changed.
        inputs: where they are.
        results: where those are.
        scalars: variables of numbers.
        numbers: their words.
        changes: the names of the arrays that are changed; then there are no ``results``.
    """
    laid = [*inputs, *results]
    shape = results[0].shape if results else inputs[[v.value for v in arrays].index(changes[0])].shape
    size = math.prod(shape)
    if not size:
        return []
    leading = len(laid) - 1 if results else [v.value for v in arrays].index(changes[0])
    found = layout(
        shape, tuple(p.shape for p in laid), tuple(p.strides for p in laid), tuple(BITS[p.dtype] // 8 for p in laid),
        leading,
    )  # fmt: skip
    if found is None or any(y.dtype in STORED for y in (*outputs, *arrays)):
        return None
    kinds, axes, more = found
    if axes > 1 and more[axes - 1] == shape[-1] <= MOST_SPLIT and size >= LEAST_SPLIT * shape[-1]:
        ends = range(shape[-1])  # vectors along a longer axis, once for each place in the last one
        return together(*(
            loop_record(arrays, outputs, [_at_end(p, k) for p in inputs],
                        [_at_end(p, k) for p in results], scalars, numbers, changes)
            for k in ends
        ))  # fmt: skip
    key = (tuple(arrays), tuple(scalars), tuple(outputs), kinds, axes, tuple(changes))
    if key not in _sources:
        _sources[key] = loops.elementwise((*arrays, *scalars), outputs, kinds, axes, changes)
    heavy = any(node.op in HEAVY for node in walk(*outputs))
    words = (*laid, *numbers, *more)
    return [Record(loaded(*_sources[key]), words, size, HEAVY_STEP if heavy else LIGHT_STEP, elementwise=True)]


def _at_end(place: Place, k: int) -> Place:
    """What lies at a place of the last axis, to which an array is broadcast."""
    if not place.shape:
        return place
    step = place.strides[-1] if place.shape[-1] != 1 else 0
    return place._replace(offset=place.offset + k * step, shape=place.shape[:-1], strides=place.strides[:-1])


def _elementwise(call: Call, program: Program, places: Lying) -> Records:
    what = elements(call, program)
    if what is None:
        return None
    if isinstance(program.custom.get(call.op.partition(".")[2]), Fused):
        kernel: Fused = program.custom[call.op.partition(".")[2]]
        count = len(kernel.arrays)
        operands, scalars = list(call.args[:count]), list(call.args[count:])
    else:
        kernel, operands, scalars = fused_kernel(list(what.results), list(what.operands), program)
    inputs, outputs = kernel.formula
    return loop_record(
        [e for e in inputs if e.axes], outputs, [places[v.number] for v in operands],
        [places[v.number] for v in call.results], [e for e in inputs if not e.axes],
        [Word(s.number) for s in scalars],
    )  # fmt: skip


def _changing(kernel: Elementwise, call: Call, places: Lying) -> Records:
    """A kernel that changes arrays in place: they overlap no other one, or are it."""
    given, numbers = call.args[: len(kernel.arrays)], call.args[len(kernel.arrays) :]
    if any(type(a) is not Value for a in given) or kernel.body is not None:
        return None
    inputs = [places[a.number] for a in given]
    formula = kernel.traced(tuple(p.dtype for p in inputs))
    if not compilable(formula.outputs):
        return None
    shape = inputs[kernel.arrays.index(kernel.changes[0])].shape
    for name in kernel.changes:
        i = kernel.arrays.index(name)
        if inputs[i].shape != shape or not inputs[i].contiguous:
            return None
        if any(k != i and place.root == inputs[i].root and _meet(place, inputs[i]) for k, place in enumerate(inputs)):
            return None
    words = [Word(n.number) if type(n) is Scalar else float(n) for n in numbers]
    arrays = [e for e in formula.inputs if e.axes]
    scalars = [e for e in formula.inputs if not e.axes]
    return loop_record(arrays, formula.outputs, inputs, [], scalars, words, kernel.changes)


def _meet(a: Place, b: Place) -> bool:
    """Whether two contiguous places in one memory overlap."""
    if not (a.contiguous and b.contiguous):
        return True
    return a.offset < b.offset + b.nbytes and b.offset < a.offset + a.nbytes


def copy_record(source: Place, target: Place) -> Records:
    """The record of a copy, with another dtype if that of the target is another one."""
    if source.dtype not in COMPUTED or target.dtype not in COMPUTED:
        return None
    x = variable("x0", source.dtype)
    return loop_record([x], [astype(x, target.dtype)], [source], [target])


def _copied(call: Call, program: Program, places: Lying) -> Records:
    """A reshape or the like that is no view."""
    source, (result,) = call.args[0], call.results
    if type(source) is not Value:
        return None
    x, y = places[source.number], places[result.number]
    if call.op in ("reshape", "ravel"):
        # the same elements in the order of the source, into an array of its shape
        if call.kwargs.get("order", "C") != "C" or len(call.args) > 2:
            return None
        y = Place(y.root, y.offset, x.shape, _strides(x.shape, x.dtype), x.dtype)
    return copy_record(x, y) if x.shape == y.shape and x.dtype == y.dtype else None


def _strides(shape: tuple[int, ...], dtype: str) -> tuple[int, ...]:
    return tuple(BITS[dtype] // 8 * math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def _copyto(call: Call, program: Program, places: Lying) -> Records:
    if call.kwargs or len(call.args) != 2 or any(type(a) is not Value for a in call.args):
        return None
    target, source = (places[a.number] for a in call.args)
    if target.root == source.root:
        return None
    return copy_record(source, target)


def _concatenated(call: Call, program: Program, places: Lying) -> Records:
    """Arrays side by side, along any axis, into a new array or into ``out``."""
    out, axis = call.kwargs.get("out"), call.kwargs.get("axis", call.args[1] if len(call.args) > 1 else 0)
    pieces = call.args[0]
    if {*call.kwargs} - {"out", "axis"} or type(axis) is not int or any(type(p) is not Value for p in pieces):
        return None
    into = places[(out if out is not None else call.results[0]).number]
    stacked = call.op == "stack"
    axis %= len(into.shape)
    records: list[Record] = []
    offset = into.offset
    for piece in pieces:
        source = places[piece.number]
        if source.root == into.root:
            return None
        shape = (*source.shape[:axis], 1, *source.shape[axis:]) if stacked else source.shape
        if stacked:
            source = source._replace(shape=shape, strides=(*source.strides[:axis], 0, *source.strides[axis:]))
        target = into._replace(offset=offset, shape=shape)
        made = copy_record(source, target)
        if made is None:
            return None
        records += made
        offset += shape[axis] * into.strides[axis]
    return records


# ---------------------------------------------------------------- products


def _product(call: Call, program: Program, places: Lying) -> Records:
    """Products of matrices, of batches of them, of vectors."""
    library = blas()
    if library is None or call.kwargs or any(type(a) is not Value for a in call.args):
        return None
    a, b = (places[v.number] for v in call.args)
    out = places[call.results[0].number]
    if a.dtype != b.dtype or a.dtype not in library.products or not (a.size and b.size and out.size):
        return None
    if len(a.shape) == 1:
        a = a._replace(shape=(1, *a.shape), strides=(a.strides[0] * a.shape[0], *a.strides))
        out = out._replace(shape=(*out.shape[:-1], 1, *out.shape[-1:]))
        if len(call.args) == 2 and len(b.shape) == 1:
            out = out._replace(shape=(1,))
    if len(b.shape) == 1:
        b = b._replace(shape=(*b.shape, 1), strides=(*b.strides, b.strides[0]))
        out = out._replace(shape=(*out.shape, 1))
    lead = out.shape[:-2]
    if math.prod(lead) > MOST_PRODUCTS or out.dtype != a.dtype:
        return None
    rows, columns = out.shape[-2:]
    size = BITS[out.dtype] // 8
    records = []
    for number in range(math.prod(lead)):
        index: list[int] = []
        rest = number
        for n in reversed(lead):
            index.insert(0, rest % n)
            rest //= n
        matrices = [_matrix(x, index) for x in (a, b)]
        target = Place(out.root, out.offset + number * rows * columns * size, (rows, columns),
                       (columns * size, size), out.dtype)  # fmt: skip
        words = product_words(library, matrices[0], matrices[1], target)
        if words is None:
            return None
        records.append(Record(library.products[a.dtype][0], words, 1, 2))
    return records


def _matrix(place: Place, index: list[int]) -> Place:
    """One matrix of a batch."""
    lead = place.shape[:-2]
    own = index[len(index) - len(lead) :]
    offset = sum(0 if n == 1 else i * s for i, n, s in zip(own, lead, place.strides, strict=False))
    return place._replace(offset=place.offset + offset, shape=place.shape[-2:], strides=place.strides[-2:])


# ---------------------------------------------------------------- reductions


def _reduced(call: Call, program: Program, places: Lying) -> Records:
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
        return together(row_record(how, x, between, x.size // n, n), _reduced(rest, program, places))
    if not axes:  # nothing is reduced
        return copy_record(_flat(x), _flat(y)) if x.contiguous else None
    inner = [a for a in range(len(x.shape)) if a not in axes and x.shape[a] != 1]
    shape = tuple(x.shape[a] for a in inner)
    strides = tuple(x.strides[a] for a in inner)
    target = Place(y.root, y.offset, shape, _strides(shape, y.dtype), y.dtype)
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


def _flat(place: Place) -> Place:
    return place._replace(shape=(place.size,), strides=(BITS[place.dtype] // 8,))


def row_record(how: str, x: Place, y: Place, rows: int, n: int, divisor: int = 1) -> Records:
    """A reduction of each row."""
    element = variable("x0", x.dtype, "rc")
    total = reduce(how, element, "c")
    if divisor != 1:
        total = make("divide", total, constant(divisor, x.dtype))
    return rows_record([element], [total], [x], [y], rows, n)


def rows_record(
    arrays: Sequence[Expression], outputs: Sequence[Expression], inputs: Sequence[Place], results: Sequence[Place],
    rows: int, n: int, scalars: Sequence[Expression] = (), numbers: Sequence[Any] = (),
) -> Records:  # fmt: skip
    """The record of expressions over rows."""
    if not all(place.contiguous for place in inputs):
        return None
    if not rows:
        return []
    if not n or not compilable(outputs):
        return None
    key = ("rows", tuple(arrays), tuple(scalars), tuple(outputs))
    if key not in _sources:
        _sources[key] = row_loops.rows([*arrays, *scalars], outputs)
    heavy = any(node.op in HEAVY for node in walk(*outputs))
    step = max(1, (HEAVY_STEP if heavy else LIGHT_STEP) // n)
    return [Record(loaded(*_sources[key]), (*inputs, *results, *numbers, n), rows, step)]


def _rows(kernel: Rows, call: Call, places: Lying) -> Records:
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


# ---------------------------------------------------------------- parts and borders


def part_of(place: Place, index: Any) -> Place | None:
    """What an index of slices, numbers and None shows of an array; None for other indices."""
    entries = index if isinstance(index, tuple) else (index,)
    if not all(e is None or e is Ellipsis or type(e) in (int, slice) for e in entries):
        return None
    if any(type(v) in (Value, Scalar) for e in entries if type(e) is slice for v in (e.start, e.stop, e.step)):
        return None
    whole = numpy.empty(max(place.nbytes, 1), "u1").view()
    array = numpy.ndarray(place.shape, as_dtype(place.dtype), whole, 0, _strides(place.shape, place.dtype))
    found = array[index]
    if not place.contiguous or not isinstance(found, numpy.ndarray):
        return None
    offset = address(found) - address(array) if found.size else 0
    return Place(place.root, place.offset + offset, found.shape, found.strides, place.dtype)


def filled(place: Place, number: Any) -> Records:
    """The record that writes one number everywhere."""
    return loop_record([], [constant(number, place.dtype)], [], [place])


def _placed(call: Call, program: Program, places: Lying) -> Records:
    """Zeros, and values in a part of them."""
    values, index, _ = call.args
    y = places[call.results[0].number]
    part = part_of(y, index)
    if part is None:
        return None
    return together(filled(y, 0), copied_to(places[values.number], part))


def _sum_of_parts(call: Call, program: Program, places: Lying) -> Records:
    """Zeros or another array, and what is added to parts of it; parts that are all of it are written."""
    base, values, indices, _ = call.args
    y = places[call.results[0].number]
    parts = [part_of(y, index) for index in indices]
    if None in parts:
        return None
    records: Records = []
    total, more = variable("y", y.dtype), variable("x0", y.dtype)
    taken = numpy.zeros(y.shape, bool) if base is None else None
    free = []
    for index in indices:
        free.append(taken is not None and not taken[index].any())
        if taken is not None:
            taken[index] = True
    if taken is None:
        records = copy_record(places[base.number], y)
    elif not (all(free) and taken.all()):
        records = filled(y, 0)
    for value, part, first in zip(values, parts, free, strict=True):
        source = places[value.number]
        assert part is not None
        added = loop_record([total, more], [make("add", total, more)], [part, source], [], changes=["y"])
        records = together(records, copied_to(source, part) if first else added)
    return records


def _set(call: Call, program: Program, places: Lying) -> Records:
    x, values, index = call.args
    y = places[call.results[0].number]
    part = part_of(y, index)
    if part is None or type(x) is not Value:
        return None
    if type(values) is Value:
        return together(copy_record(places[x.number], y), copied_to(places[values.number], part))
    return (
        None if type(values) not in (int, float) else together(copy_record(places[x.number], y), filled(part, values))
    )


def copied_to(source: Place, target: Place) -> Records:
    """The record of a copy into a part, to whose shape the source is broadcast."""
    missing = len(target.shape) - len(source.shape)
    if missing < 0:
        return None
    return copy_record(source, target)


def together(*parts: Records) -> Records:
    """The records of several, if all have some."""
    if any(part is None for part in parts):
        return None
    return [record for part in parts for record in part or ()]


def _framed(call: Call, program: Program, places: Lying) -> Records:
    x, widths, number = call.args
    y = places[call.results[0].number]
    if type(number) not in (int, float):
        return None
    inside = part_of(y, borders._inside(places[x.number].shape, widths))
    assert inside is not None
    return together(filled(y, number), copy_record(places[x.number], inside))


def _bordered(call: Call, program: Program, places: Lying) -> Records:
    """As the function itself: the inside, then one axis after the other from itself."""
    value, widths, mode = call.args
    x, y = places[value.number], places[call.results[0].number]
    inside = borders._inside(x.shape, widths)
    parts = [copied_into(y, inside, x)]
    for axis in reversed(range(len(x.shape))):
        for border, source in borders.runs(mode, x.shape[axis], *widths[axis]):
            parts.append(copied_into(y, (*inside[:axis], border), part_of(y, (*inside[:axis], source))))
    return together(*parts)


def copied_into(whole: Place, index: Any, source: Place | None) -> Records:
    """The record of a copy into a part of an array."""
    target = part_of(whole, index)
    return None if target is None or source is None else copy_record(source, target)


def _unbordered(call: Call, program: Program, places: Lying) -> Records:
    """As the function itself: what stands in the border is added to what it repeats."""
    value, widths, mode = call.args
    g, y = places[value.number], places[call.results[0].number]
    inside = borders._inside(y.shape, widths)
    whole = places.new(g.shape, g.dtype)
    parts = [copy_record(g, whole)]
    total, more = variable("y", g.dtype), variable("x0", g.dtype)
    for axis, n in enumerate(y.shape):
        for border, source in borders.runs(mode, n, *widths[axis]):
            part, place = part_of(whole, (*inside[:axis], border)), part_of(whole, (*inside[:axis], source))
            if part is None or place is None:
                return None
            steps = part.shape[axis] if part.shape != place.shape else 1
            for i in range(steps):
                one = part
                if steps > 1:
                    shape = (*part.shape[:axis], 1, *part.shape[axis + 1 :])
                    one = part._replace(offset=part.offset + i * part.strides[axis], shape=shape)
                parts.append(loop_record([total, more], [make("add", total, more)], [place, one], [], changes=["y"]))
    return together(*parts, copied_into_from(whole, inside, y))


def copied_into_from(whole: Place, index: Any, target: Place) -> Records:
    """The record of a copy of a part of an array."""
    source = part_of(whole, index)
    return None if source is None else copy_record(source, target)


def _counted(call: Call, program: Program, places: Lying) -> Records:
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


RULES: dict[str, Callable[[Call, Program, Lying], Records]] = {
    "matmul": _product, "sum": _reduced, "mean": _reduced, "max": _reduced, "min": _reduced, "amax": _reduced,
    "amin": _reduced, "reshape": _copied, "ravel": _copied, "copy": _copied, "ascontiguousarray": _copied,
    "permute_dims": _copied, "copyto": _copyto, "concatenate": _concatenated,
    "concat": _concatenated, "stack": _concatenated,
}  # fmt: skip
"""How functions of the array library are lowered; all others are asked whether they are elementwise."""

KERNELS: dict[str, Callable[[Call, Program, Lying], Records]] = {
    "counted": _counted, "place_at": _placed, "sum_of_parts": _sum_of_parts, "set_at": _set, "framed": _framed,
    "bordered": _bordered, "unbordered": _unbordered,
}  # fmt: skip
"""How kernels are lowered that are neither elementwise nor over rows."""
