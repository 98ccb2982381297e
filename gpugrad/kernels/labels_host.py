"""Losses of class labels as NumPy routines, for rows ``(N, C)`` with labels that all count."""

from __future__ import annotations

from typing import Any

import numpy

from . import labels as kernels
from .host import BITS, SMALL, Array, masked
from .softmax_host import NEAR, _shifted, _sums, _within


def _places(x: Any, labels: Any, ignore_index: int) -> Any:
    """The flat places of the labels in rows; None where there are no such rows, or labels to be ignored."""
    if x.ndim != 2 or x.size < SMALL or x.dtype not in BITS or not x.flags.c_contiguous:
        return None
    if type(labels) is not numpy.ndarray or labels.dtype != numpy.int64:
        return None
    if numpy.count_nonzero(labels == ignore_index):
        return None
    return labels + numpy.arange(0, x.size, x.shape[1])


@kernels.surprise.on_host
def _surprise(x: Array, labels: Array, weight: Any, ignore_index: int, label_smoothing: float) -> Any:
    if weight is not None or label_smoothing:
        return NotImplemented
    places = _places(x, labels, ignore_index)
    if places is None:
        return NotImplemented
    if _within(x, NEAR):
        z, shift = x, numpy.zeros((len(x), 1), x.dtype)
        e = numpy.exp(x)
    else:
        shifted = _shifted(x)
        if shifted is None:
            return NotImplemented
        z, shift = shifted, numpy.maximum.reduce(x, axis=-1, keepdims=True)
        e = numpy.exp(z)
    total = _sums(e)
    loss = numpy.log(total[:, 0])
    loss -= z.reshape(-1).take(places)
    return loss, shift, total


@kernels.surprise_back.on_host
def _surprise_back(
    g: Array,
    x: Array,
    labels: Array,
    weight: Any,
    shift: Array,
    total: Array,
    ignore_index: int,
    label_smoothing: float,
) -> Any:
    if weight is not None or label_smoothing:
        return NotImplemented
    places = _places(x, labels, ignore_index)
    if places is None or g.shape != labels.shape:
        return NotImplemented
    d = numpy.exp(x - shift if shift.any() else x)
    d *= (g / total[:, 0])[:, None]
    flat = d.reshape(-1)
    flat[places] -= g
    return d


@kernels.counted.on_host
def _counted(labels: Array, ignore_index: int, dtype: Any) -> Any:
    count = numpy.count_nonzero(labels != ignore_index)
    return numpy.asarray(count if count else numpy.nan, dtype)


@kernels.picked.on_host
def _picked(x: Array, labels: Array, ignore_index: int) -> Any:
    places = _places(x, labels, ignore_index)
    if places is None:
        return NotImplemented
    loss = x.reshape(-1).take(places)
    return numpy.negative(loss, out=loss)


NONE = -1
"""No label is this: all count."""


@kernels.hinged.on_host
def _hinged(x: Array, labels: Array, p: int, margin: float) -> Any:
    places = _places(x, labels, NONE)
    if places is None:
        return NotImplemented
    h = x - x.reshape(-1).take(places)[:, None]
    h += margin
    h.clip(0.0, numpy.inf, out=h)
    h.reshape(-1)[places] = 0
    loss = _sums(h)[:, 0] if p == 1 else numpy.vecdot(h, h)
    loss *= 1 / x.shape[1]
    return loss, h


@kernels.hinged_back.on_host
def _hinged_back(g: Array, labels: Array, h: Array, p: int) -> Any:
    places = _places(h, labels, NONE)
    if places is None or g.shape != labels.shape or g.dtype != h.dtype:
        return NotImplemented
    share = (g * (p / h.shape[1]))[:, None]
    d = masked(~(h > 0), numpy.broadcast_to(share, h.shape)) if p == 1 else h * share
    d.reshape(-1)[places] = -_sums(d)[:, 0]
    return d
