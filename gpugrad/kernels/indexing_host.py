"""Adding up rows at indices as a NumPy routine: ``numpy.add.at`` takes 10 ns an element unless its index is flat."""

from __future__ import annotations

import math
from typing import Any

import numpy

from .host import Array

NARROW = 8
"""Below this many elements in a row, sorting the indices costs more than it saves."""
ROUNDS = 16
"""A row that is named more often than this is added to element by element."""


def add_rows(g: Array, index: Any, shape: tuple[int, ...]) -> Any:
    """Zeros of ``shape`` with the rows of ``g`` added up at ``index``; NotImplemented for other than rows.

    First the rows that the index names first are written, then those that it names second are added, and so on, each
    time many rows at once. The order of the sums is that of ``numpy.add.at``.
    """
    at = index[0] if isinstance(index, tuple) and len(index) == 1 else index
    width = math.prod(shape[1:])
    if type(at) is not numpy.ndarray or at.dtype.kind not in "iu" or at.size < 2 or width < NARROW:
        return NotImplemented
    if type(g) is not numpy.ndarray or g.shape != (*at.shape, *shape[1:]):
        return NotImplemented
    flat, parts = at.reshape(-1), g.reshape(at.size, width)
    y = numpy.zeros((shape[0], width), g.dtype)
    if flat.min() < 0:
        flat = numpy.where(flat < 0, flat + shape[0], flat)
    order = numpy.argsort(flat, kind="stable")
    rows = flat[order]
    starts = numpy.flatnonzero(numpy.concatenate(([True], rows[1:] != rows[:-1])))
    times = numpy.diff(starts, append=rows.size)
    if times.max() > ROUNDS:
        columns = numpy.arange(width)
        numpy.add.at(y.reshape(-1), (flat[:, None] * width + columns).reshape(-1), parts.reshape(-1))
        return y.reshape(shape)
    y[rows[starts]] = parts[order[starts]]
    for k in range(1, times.max()):
        left = starts[times > k]
        y[rows[left]] += parts[order[left + k]]
    return y.reshape(shape)
