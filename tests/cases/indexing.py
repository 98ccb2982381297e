"""Reading and writing at an index."""

from __future__ import annotations

import numpy

import gpugrad as gg
from gpugrad.ops import indexing

from .row import Row, complex_too

INDEX = numpy.array([0, 2, 0])
MASK = numpy.array([[True, False, True], [False, False, True]])

SLICES = [
    slice(None), slice(1, None), slice(None, None, -1), slice(2, None, -2), 0, -1, None, Ellipsis, (), (1, 2),
    (slice(None), 1), (..., 0), (0, ..., slice(None, None, 2)), (None, slice(None), None, -1), (slice(0, 0),),
]  # fmt: skip
GATHERS = [
    [0, 1, 0], (slice(None), INDEX), (numpy.array([0, 1, 1]), INDEX), MASK,
    (slice(None), numpy.array([True, False, True])),
    (numpy.array(1),), (numpy.array([[0, 1], [1, 1]]), slice(None, None, -1)), (None, INDEX % 2), (..., INDEX),
    (numpy.array([-1, 0]), 1), numpy.zeros(0, int), numpy.array(True),
]  # fmt: skip


def _like_index(index):
    """An index with its arrays as tensors on the device of the run."""
    if isinstance(index, tuple):
        return tuple(map(_like_index, index))
    return gg.tensor(index) if isinstance(index, numpy.ndarray) else index


def _scattered(part, index, shape):
    y = numpy.zeros(shape, part.dtype)
    numpy.add.at(y, index, part)
    return y


def with_written(x, v, index):
    y = x.copy()
    y[index] = v
    return y


BAGS = numpy.array([[0, 2], [1, 1], [2, 0]])


def _bag_rows():
    """The second shapes are wide enough for a routine."""
    for columns in (2, 9):
        yield Row("ops.indexing.bags", lambda x: indexing.bags(x, index=indexing.array_index(_like_index(BAGS), x)),
                  shapes=[((3, columns),)], numpy=lambda x: x[BAGS].sum(axis=1, dtype=x.dtype), large=None,
                  label=f"{columns}")  # fmt: skip
        yield Row("ops.indexing._unbag", lambda g, n=columns: indexing._unbag(
                      g, index=indexing.array_index(_like_index(BAGS), g), shape=(3, n)),
                  shapes=[((3, columns),)], large=None, label=f"{columns}",
                  numpy=lambda g, n=columns: _scattered(numpy.repeat(g[:, None], 2, axis=1), BAGS, (3, n)))  # fmt: skip


def _index_rows():
    sample = numpy.zeros((2, 3))
    for kind, indices in (("_slice", SLICES), ("_gather", GATHERS)):
        back = "_place" if kind == "_slice" else "_scatter_add"
        for number, index in enumerate(indices):
            part = sample[index].shape
            yield Row(
                f"ops.indexing.{kind}", lambda x, i=index: x[_like_index(i)], shapes=[((2, 3),)],
                numpy=lambda x, i=index: x[i], large=None, label=f"{number}",
            )  # fmt: skip
            yield Row(
                f"ops.indexing.{back}",
                lambda p, i=index, back=back: getattr(indexing, back)(
                    p, index=indexing.array_index(_like_index(i), p), shape=(2, 3)
                ),
                shapes=[(part,)],
                numpy=lambda p, i=index: _scattered(p, i, (2, 3)), large=None, label=f"{number}",
            )  # fmt: skip
            # on a GPU nothing says which of two values written to one place stays
            if not any(isinstance(e, list | numpy.ndarray) for e in (index if isinstance(index, tuple) else (index,))):
                yield _write_row(index, part, f"{number}")
    for index, part in (((), ()), (Ellipsis, ()), (None, (1,)), (numpy.array(True), (1,))):
        yield Row(
            "ops.indexing._set_at", lambda x, v, i=index: gg.set_at(x, _like_index(i), v), shapes=[((), part)],
            numpy=lambda x, v, i=index: with_written(x, v, i), large=None, label=f"0d {index}",
        )  # fmt: skip
    yield _write_row(MASK, (3,), "mask")
    yield _write_row((slice(None), numpy.array([2, 0])), (2, 2), "columns")
    yield _write_row((numpy.array([1, 0]), numpy.array([1, 1])), (2,), "points")


def _write_row(index, part, label):
    return Row(
        "ops.indexing._set_at", lambda x, v: gg.set_at(x, _like_index(index), v), shapes=[((2, 3), part), ((2, 3), ())],
        numpy=lambda x, v: with_written(x, v, index), large=None, label=label,
    )  # fmt: skip


ROWS: list[Row] = complex_too([*_index_rows(), *_bag_rows()])
