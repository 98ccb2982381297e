"""Records of loops over elements and over rows, and of copies: what calls are lowered to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...backend import llvm
from ...expressions import BITS, STORED, Expression, astype, variable, walk
from ...expressions.llvm import compilable
from ...kernels import loops, row_loops
from ...kernels.compiled import HEAVY_STEP, LIGHT_STEP, layout
from ...kernels.loops import HEAVY
from ..places import Place
from .native import Record, loaded

COMPUTED = frozenset({"float32", "float64", "int32", "int64", "bool", "uint8", "int8", "int16", "uint16", "uint32",
                      "uint64"})  # fmt: skip
"""The dtypes that records read and write."""

MOST_SPLIT, LEAST_SPLIT = 8, 32
"""Loops whose last axis has at most 8 elements go along another one, if there are 32 elements along the others."""

Records = list[Record] | None

_sources: dict[Any, tuple[str, str]] = {}


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
        self[number] = Place(number, 0, shape, strides_of(shape, dtype), dtype)
        return self[number]


def strides_of(shape: tuple[int, ...], dtype: str) -> tuple[int, ...]:
    """The strides of a contiguous array, in bytes."""
    return tuple(BITS[dtype] // 8 * math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


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


def copy_record(source: Place, target: Place) -> Records:
    """The record of a copy, with another dtype if that of the target is another one."""
    if llvm.machine() is None or source.dtype not in COMPUTED or target.dtype not in COMPUTED:
        return None
    x = variable("x0", source.dtype)
    return loop_record([x], [astype(x, target.dtype)], [source], [target])


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


def flat(place: Place) -> Place:
    """A contiguous array with a single axis."""
    return place._replace(shape=(place.size,), strides=(BITS[place.dtype] // 8,))


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
