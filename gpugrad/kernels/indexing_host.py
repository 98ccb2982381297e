"""Adding up rows at indices as NumPy routines: a product with a sparse matrix of ones does it in one pass.

``numpy.add.at`` takes 10 ns an element unless its index is flat. The order of the sums is the same.
"""

from __future__ import annotations

import math
from typing import Any

import numpy

from .host import Array

NARROW = 8
"""Below this many elements in a row, making the matrix costs more than it saves."""


def _rows_at(index: Any, width: int, dtype: Any) -> Any:
    """The indices if they are one array of integers, and rows of this width can be added by a product; else None."""
    at = index[0] if isinstance(index, tuple) and len(index) == 1 else index
    if type(at) is not numpy.ndarray or at.dtype.kind not in "iu" or at.size < 2 or width < NARROW:
        return None
    return at if dtype.kind in "fciu" and dtype != numpy.float16 else None


def _within(at: Array, rows: int) -> bool:
    """Whether all indices are those of rows: SciPy does not look, and would write anywhere."""
    return bool(numpy.minimum.reduce(at, axis=None) >= -rows and numpy.maximum.reduce(at, axis=None) < rows)


def _positive(at: Array, rows: int) -> Array:
    """The indices in one line, counted from the front."""
    flat = at.reshape(-1)
    return numpy.where(flat < 0, flat + rows, flat) if numpy.minimum.reduce(flat) < 0 else flat


def add_rows(g: Array, index: Any, shape: tuple[int, ...]) -> Any:
    """Zeros of ``shape`` with the rows of ``g`` added up at ``index``; NotImplemented for other than rows."""
    width = math.prod(shape[1:])
    at = _rows_at(index, width, g.dtype)
    if at is None or type(g) is not numpy.ndarray or g.shape != (*at.shape, *shape[1:]) or not _within(at, shape[0]):
        return NotImplemented
    return _added(g.reshape(at.size, width), at, 1, shape)


def add_bags(g: Array, index: Any, shape: tuple[int, ...]) -> Any:
    """:func:`add_rows` where all indices along the last axis get the same row of ``g``."""
    width = math.prod(shape[1:])
    at = _rows_at(index, width, g.dtype)
    if at is None or type(g) is not numpy.ndarray or not _within(at, shape[0]):
        return NotImplemented
    return _added(g.reshape(-1, width), at, at.shape[-1], shape)


def _added(parts: Array, at: Array, each: int, shape: tuple[int, ...]) -> Array:
    """Zeros with each row of ``parts`` added at as many indices as it is for: column i of the matrix has ones there."""
    from scipy.sparse import csc_array

    flat = _positive(at, shape[0])
    ends = numpy.arange(0, flat.size + 1, each)
    ones = csc_array((numpy.ones(flat.size, parts.dtype), flat, ends), shape=(shape[0], len(parts)))
    y: Array = (ones @ parts).reshape(shape)
    return y


def sum_bags(x: Array, index: Any) -> Any:
    """The rows of ``x`` at ``index``, summed over the last axis of the index; NotImplemented for other than rows."""
    from scipy.sparse import csr_array

    width = math.prod(x.shape[1:])
    at = _rows_at(index, width, x.dtype)
    if at is None or not _within(at, len(x)):
        return NotImplemented
    starts = numpy.arange(0, at.size + 1, at.shape[-1])
    ones = csr_array((numpy.ones(at.size, x.dtype), _positive(at, len(x)), starts), shape=(len(starts) - 1, len(x)))
    return (ones @ x.reshape(-1, width)).reshape(*at.shape[:-1], *x.shape[1:])
