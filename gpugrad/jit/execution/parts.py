"""Parts, borders, and arrays side by side, as records of copies."""

from __future__ import annotations

from typing import Any

import numpy

from ...backend import as_dtype
from ...expressions import constant, make, variable
from ...kernels import borders
from ...kernels.compiled import address
from ...tracing.program import Call, Program, Scalar, Value
from ..places import Place
from .native import Record
from .records import Lying, Records, copied_to, copy_record, loop_record, strides_of, together


def copied(call: Call, program: Program, places: Lying) -> Records:
    """A reshape or the like that is no view."""
    source, (result,) = call.args[0], call.results
    if type(source) is not Value:
        return None
    x, y = places[source.number], places[result.number]
    if call.op in ("reshape", "ravel"):
        # the same elements in the order of the source, into an array of its shape
        if call.kwargs.get("order", "C") != "C" or len(call.args) > 2:
            return None
        y = Place(y.root, y.offset, x.shape, strides_of(x.shape, x.dtype), x.dtype)
    return copy_record(x, y) if x.shape == y.shape and x.dtype == y.dtype else None


def copyto(call: Call, program: Program, places: Lying) -> Records:
    """A write over all of an array."""
    if call.kwargs or len(call.args) != 2 or any(type(a) is not Value for a in call.args):
        return None
    target, source = (places[a.number] for a in call.args)
    if target.root == source.root:
        return None
    return copy_record(source, target)


def concatenated(call: Call, program: Program, places: Lying) -> Records:
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


def part_of(place: Place, index: Any) -> Place | None:
    """What an index of slices, numbers and None shows of an array; None for other indices."""
    entries = index if isinstance(index, tuple) else (index,)
    if not all(e is None or e is Ellipsis or type(e) in (int, slice) for e in entries):
        return None
    if any(type(v) in (Value, Scalar) for e in entries if type(e) is slice for v in (e.start, e.stop, e.step)):
        return None
    whole = numpy.empty(max(place.nbytes, 1), "u1").view()
    array = numpy.ndarray(place.shape, as_dtype(place.dtype), whole, 0, strides_of(place.shape, place.dtype))
    found = array[index]
    if not place.contiguous or not isinstance(found, numpy.ndarray):
        return None
    offset = address(found) - address(array) if found.size else 0
    return Place(place.root, place.offset + offset, found.shape, found.strides, place.dtype)


def filled(place: Place, number: Any) -> Records:
    """The record that writes one number everywhere."""
    return loop_record([], [constant(number, place.dtype)], [], [place])


def placed(call: Call, program: Program, places: Lying) -> Records:
    """Zeros, and values in a part of them."""
    values, index, _ = call.args
    y = places[call.results[0].number]
    part = part_of(y, index)
    if part is None:
        return None
    return together(filled(y, 0), copied_to(places[values.number], part))


def sum_of_parts(call: Call, program: Program, places: Lying) -> Records:
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


def set_at(call: Call, program: Program, places: Lying) -> Records:
    """A copy with other values in a part of it."""
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


def framed(call: Call, program: Program, places: Lying) -> Records:
    """An array with a border of one number."""
    x, widths, number = call.args
    y = places[call.results[0].number]
    if type(number) not in (int, float):
        return None
    inside = part_of(y, borders._inside(places[x.number].shape, widths))
    assert inside is not None
    return together(filled(y, number), copy_record(places[x.number], inside))


def bordered(call: Call, program: Program, places: Lying) -> Records:
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


def unbordered(call: Call, program: Program, places: Lying) -> Records:
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
