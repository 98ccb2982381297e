"""Resampling by a table."""

from __future__ import annotations

import numpy

from gpugrad.ops import resampling

from .row import Row

NEAREST = resampling.Table(((0, 0, 1, 1, 2, 2),), (None,))
SMOOTH = resampling.table([[(0, 1.0)], [(0, 0.25), (1, 0.75)], [(2, 0.5), (1, 0.5)], [(2, -0.5), (0, 0.5), (1, 1.0)]])


def _by_matrix(x, axis, table):
    matrix = numpy.zeros((len(table.places[0]), x.shape[axis]), x.dtype)
    for places, weights in zip(table.places, table.weights, strict=True):
        for i, place in enumerate(places):
            matrix[i, place] += 1 if weights is None else weights[i]
    return numpy.moveaxis(numpy.tensordot(matrix, x, (1, axis)), 0, axis).astype(x.dtype)


ROWS: list[Row] = [
    Row("ops.resampling.resample", lambda x, t=table, a=axis: resampling.resample(x, a, t), shapes=[shapes],
        numpy=lambda x, t=table, a=axis: _by_matrix(x, a, t), large=None, label=label, half=False)
    for label, axis, table, shapes in [
        ("nearest", 1, NEAREST, ((2, 3, 2),)), ("smooth", 0, SMOOTH, ((3,),)), ("last", 2, SMOOTH, ((2, 0, 3),))
    ]
]  # fmt: skip
