"""Softmax and its logarithm as NumPy routines: rows that lie along the last axis, their sums by BLAS.

The largest number of each short row takes NumPy as long as their exponentials. So where no number is far from 0, which
one look at all of them tells, nothing is subtracted before.
"""

from __future__ import annotations

from typing import Any

import numpy

from . import softmax
from .host import Array, routine

FAR, NEAR = 60.0, 8.0
"""How far from 0 a number may be so that exponentials and their sums are normal numbers; and so that the logarithm of
a sum may be subtracted in one piece, its rounding being that of the numbers themselves."""


def _sums(x: Array) -> Array:
    """The sums of rows, by BLAS."""
    total: Array = x @ numpy.ones((x.shape[-1], 1), x.dtype)
    return total


def _along_rows(x: Array, axis: Any) -> bool:
    return x.ndim > 0 and x.size > 0 and axis in (-1, x.ndim - 1, (-1,), (x.ndim - 1,))


def _within(x: Array, limit: float) -> bool:
    """Whether all numbers are that near to 0; False for a NaN."""
    return bool(numpy.maximum.reduce(x, axis=None) <= limit and numpy.minimum.reduce(x, axis=None) >= -limit)


def _shifted(x: Array) -> Array | None:
    """``x`` less the largest of its row; None where that is no number."""
    largest = numpy.maximum.reduce(x, axis=-1, keepdims=True)
    return x - largest if numpy.isfinite(largest).all() else None


@routine(softmax.softmax_forward)
def _softmax(x: Array, axis: Any) -> Any:
    if not _along_rows(x, axis):
        return NotImplemented
    if _within(x, FAR):
        y = numpy.exp(x)
    else:
        z = _shifted(x)
        if z is None:
            return NotImplemented
        y = numpy.exp(z, out=z)
    y *= 1 / _sums(y)
    return y


@routine(softmax.softmax_backward)
def _softmax_back(g: Array, y: Array, axis: Any) -> Any:
    if not _along_rows(y, axis):
        return NotImplemented
    d = g - numpy.vecdot(g, y)[..., None]
    d *= y
    return d


@routine(softmax.log_softmax_forward)
def _log_softmax(x: Array, axis: Any) -> Any:
    if not _along_rows(x, axis):
        return NotImplemented
    if _within(x, NEAR):
        e = numpy.exp(x)
        return numpy.subtract(x, numpy.log(_sums(e)), out=e)
    z = _shifted(x)
    if z is None:
        return NotImplemented
    z -= numpy.log(_sums(numpy.exp(z)))
    return z


@routine(softmax.log_softmax_backward)
def _log_softmax_back(g: Array, y: Array, axis: Any) -> Any:
    if not _along_rows(y, axis):
        return NotImplemented
    d = numpy.exp(y)
    d *= _sums(g)
    return numpy.subtract(g, d, out=d)
