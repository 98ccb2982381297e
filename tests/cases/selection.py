"""Sorting, searching, picking."""

from __future__ import annotations

import numpy

import gpugrad as gg

from .domains import apart, special, whole
from .indexing import with_written
from .row import Row, complex_too


def _unique(name, x):
    values, index, inverse, counts = numpy.unique(x, return_index=True, return_inverse=True, return_counts=True)
    named = {"values": values, "inverse": inverse.reshape(x.shape), "counts": counts}
    if name == "unique":
        return values
    if name == "unique_all":
        return values, index, named["inverse"], counts
    return values if name == "unique_values" else (values, named[name.removeprefix("unique_")])


def values_of(found):
    return found[0] if isinstance(found, tuple) else found


ROWS: list[Row] = [
    Row("ops.selection.sort", gg.sort, apart, shapes=[((3, 4),), ((5,),), ((0,),), ((2, 0),), ((1, 1),)],
        variants=[{}, {"axis": 0}, {"descending": True}],
        numpy=lambda x, axis=-1, descending=False: numpy.flip(numpy.sort(x, axis), axis) if descending
        else numpy.sort(x, axis),
        torch=lambda torch, x, axis=-1, descending=False: torch.sort(x, axis, descending)[0]),
    Row("ops.selection.argsort", gg.argsort, special, shapes=[((3, 4),), ((9,),), ((0,),)], constant=True, large=None,
        variants=[{}, {"axis": 0}, {"stable": False}] , numpy=lambda x, axis=-1, stable=True: numpy.argsort(
            x, axis, kind="stable" if stable else None)),
    Row("ops.selection.argsort", gg.argsort, whole, shapes=[((3, 4),), ((9,),), ((0,),)], constant=True, large=None,
        variants=[{"descending": True}, {"axis": 0, "descending": True}], label="descending",
        numpy=lambda x, axis=-1, descending=True: numpy.argsort(-x, axis, kind="stable")),
    Row("ops.indexing._gather", lambda x, **kw: gg.topk(x, 2, **kw).values, apart, shapes=[((3, 4),)], label="topk",
        variants=[{}, {"axis": 0}, {"largest": False}],
        torch=lambda torch, x, axis=-1, largest=True: torch.topk(x, 2, axis, largest)[0]),
    *[
        Row("ops.indexing._gather", lambda x, i=index, **kw: gg.take(x, gg.tensor(i), **kw), shapes=[((3, 4),)],
            variants=[{}, {"axis": 0}, {"axis": -1}], numpy=lambda x, i=index, **kw: numpy.take(x, i, **kw),
            large=None, label=f"take {index.shape}")
        for index in (numpy.array([2, 0, 2]), numpy.array([[1], [0]]), numpy.array([], int))
    ],
    *[
        Row("ops.indexing._gather", lambda x, i=index, axis=axis: gg.take_along_axis(x, gg.tensor(i), axis=axis),
            shapes=[((3, 2),)], large=None, label=f"take_along_axis {axis}",
            numpy=lambda x, i=index, axis=axis: numpy.take_along_axis(x, i, axis=axis),
            torch=lambda torch, x, i=index, axis=axis: torch.take_along_dim(x, torch.tensor(i), axis))
        for index, axis in ((numpy.array([[0, 1], [1, 1], [0, 0]]), -1), (numpy.array([[2, 0], [2, 1]]), 0),
                            (numpy.array([[0]]), 1), (numpy.array([[-1], [0], [1]]), 1))
    ],
    Row("ops.indexing._set_at", lambda x, v: gg.put_along_axis(x, gg.tensor([[1, 0]]), v, axis=0), large=None,
        shapes=[((3, 2), (1, 2)), ((3, 2), ())], label="put_along_axis",
        numpy=lambda x, v: with_written(x, v, (numpy.array([[1, 0]]), numpy.array([[0, 1]])))),
    *[
        Row("ops.selection._searchsorted", lambda x, v, side=side: gg.searchsorted(x, v, side=side), whole,
            shapes=[((1,), (3,)), ((0,), (2, 3)), ((1,), ())], constant=True, large=None, label=side,
            numpy=lambda x, v, side=side: numpy.searchsorted(x, v, side=side))
        for side in ("left", "right")
    ],
    Row("ops.selection.nonzero", lambda x: gg.nonzero(x), whole, shapes=[((3, 4),), ((9,),), ((0,),)], constant=True,
        large=None, numpy=numpy.nonzero),
    Row("ops.selection.isin", gg.isin, whole, shapes=[((3, 4), (2,)), ((), (3,)), ((2,), (0,))], constant=True,
        variants=[{}, {"invert": True}], numpy=numpy.isin, large=None),
    *[
        Row("ops.sets._unique", getattr(gg, name), whole, shapes=[((3, 4),), ((0,),), ((),)], constant=True,
            large=None, label=name, numpy=lambda x, name=name: _unique(name, x))
        for name in ("unique", "unique_all", "unique_counts", "unique_inverse", "unique_values")
    ],
    Row("ops.sets._unique_rows", lambda x, axis: gg.unique(x, True, True, True, axis), whole, constant=True, large=None,
        shapes=[((6, 2),), ((0, 2),), ((2, 3, 1),)], variants=[{"axis": 0}, {"axis": -1}],
        numpy=lambda x, axis: numpy.unique(x, True, True, True, axis)),
    *[
        Row("ops.indexing._gather", getattr(gg, name), apart, shapes=[((3, 4), (5,))], label=name, large=None,
            numpy=getattr(numpy, name))
        for name in ("union1d", "setxor1d")
    ],
    Row("ops.indexing._gather", lambda x: gg.setdiff1d(x, x[:1]), apart, shapes=[((3, 4),)], large=None,
        label="setdiff1d", numpy=lambda x: numpy.setdiff1d(x, x[:1])),
    Row("ops.indexing._gather", lambda x: gg.intersect1d(x, x[1:]), apart, shapes=[((3, 4),)], large=None,
        label="intersect1d", numpy=lambda x: numpy.intersect1d(x, x[1:])),
    *[
        Row("ops.indexing._gather", lambda x, f=f: values_of(f(x)), apart, shapes=[((3, 4),)],
            large=None, label=f"{f.__name__} of floats", numpy=numpy.unique)
        for f in (gg.unique, gg.unique_all, gg.unique_counts, gg.unique_inverse, gg.unique_values)
    ],
    Row("ops.selection.sort", gg.sort_complex, apart, shapes=[((3, 4),)], label="sort_complex", half=False,
        numpy=numpy.sort_complex),
    Row("ops.selection.argsort", lambda x: gg.lexsort(x), whole, shapes=[((3, 4),), ((2, 3, 2),), ((2, 0),)],
        large=None, constant=True, label="lexsort", numpy=numpy.lexsort),
]  # fmt: skip
ROWS = complex_too(ROWS, "selection", "indexing._gather-topk")
