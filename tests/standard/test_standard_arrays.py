"""Shapes, copies, indices and errors of the array API standard, where no table of operations looks at them."""

from __future__ import annotations

import math
import operator

import pytest

import gpugrad as gg


@pytest.fixture
def x():
    return gg.reshape(gg.arange(6, dtype=gg.float32), (2, 3))


BY_KEYWORD = """
    all any argmax argmin argsort count_nonzero cumulative_prod cumulative_sum diff flip max mean min prod sort squeeze
    std sum unstack var
"""
OUT_OF_BOUNDS = {
    **{name: lambda x, name=name: getattr(gg, name)(x, axis=2) for name in BY_KEYWORD.split()},
    "concat": lambda x: gg.concat([x, x], axis=2),
    "expand_dims": lambda x: gg.expand_dims(x, axis=3),
    "moveaxis": lambda x: gg.moveaxis(x, 0, 2),
    "repeat": lambda x: gg.repeat(x, 2, axis=2),
    "roll": lambda x: gg.roll(x, 1, axis=2),
    "stack": lambda x: gg.stack([x, x], axis=3),
    "swapaxes": lambda x: gg.swapaxes(x, 0, 2),
    "take": lambda x: gg.take(x, gg.asarray([0]), axis=2),
    "take_along_axis": lambda x: gg.take_along_axis(x, gg.zeros((2, 3), dtype=gg.int64), axis=2),
    "topk": lambda x: gg.topk(x, 1, axis=2),
}  # fmt: skip


@pytest.mark.parametrize("kind", [ValueError, IndexError])
@pytest.mark.parametrize("call", OUT_OF_BOUNDS.values(), ids=list(OUT_OF_BOUNDS))
def test_an_axis_that_is_not_there(x, call, kind):
    with pytest.raises(kind, match=r"axis [23] is out of bounds"):
        call(x)


ERRORS = {
    "nonzero of a 0-d array": (lambda x: gg.nonzero(gg.asarray(1.0)), ValueError),
    "cumulative_sum of two axes without one": (gg.cumulative_sum, ValueError),
    "cumulative_prod of two axes without one": (gg.cumulative_prod, ValueError),
    "squeeze of a longer axis": (lambda x: gg.squeeze(x, 0), ValueError),
    "reshape to another size": (lambda x: gg.reshape(x, (4,)), ValueError),
    "reshape with two sizes open": (lambda x: gg.reshape(x, (-1, -1)), ValueError),
    "broadcast_to a shape it does not fit": (lambda x: gg.broadcast_to(x, (3, 2)), ValueError),
    "broadcast_to fewer axes": (lambda x: gg.broadcast_to(x, (3,)), ValueError),
    "broadcast_arrays that do not": (lambda x: gg.broadcast_arrays(x, gg.zeros(2)), ValueError),
    "permute_dims without an axis": (lambda x: gg.permute_dims(x, (0,)), ValueError),
    "permute_dims with one twice": (lambda x: gg.permute_dims(x, (0, 0)), ValueError),
    "moveaxis to one place twice": (lambda x: gg.moveaxis(x, (0, 1), (0, 0)), ValueError),
    "concat of nothing": (lambda x: gg.concat([]), ValueError),
    "concat of other shapes": (lambda x: gg.concat([x, gg.zeros((2, 2))]), ValueError),
    "stack of other shapes": (lambda x: gg.stack([x, gg.zeros((2, 2))]), ValueError),
    "matmul of sizes that differ": (lambda x: x @ x, ValueError),
    "matmul of a 0-d array": (lambda x: x @ gg.asarray(1.0), ValueError),
    "tensordot of sizes that differ": (lambda x: gg.tensordot(x, x, axes=1), ValueError),
    "vecdot of sizes that differ": (lambda x: gg.vecdot(x, gg.zeros((2, 2))), ValueError),
    "matrix_transpose of one axis": (lambda x: gg.matrix_transpose(gg.zeros(2)), ValueError),
    "repeat of too few numbers": (lambda x: gg.repeat(x, gg.asarray([1, 2]), axis=1), ValueError),
    "an index out of bounds": (lambda x: x[2], IndexError),
    "too many indices": (lambda x: x[0, 0, 0], IndexError),
    "a mask of another shape": (lambda x: x[gg.asarray([True, False, True])], IndexError),
    "a floating-point index": (lambda x: x[gg.asarray([0.0])], IndexError),
    "bits of floating-point numbers": (lambda x: x & x, TypeError),
    "a boolean subtracted": (lambda x: gg.asarray([True]) - gg.asarray([True]), TypeError),
    "an index made of a floating-point array": (lambda x: operator.index(gg.asarray(1.0)), TypeError),
    "truth of several elements": (bool, ValueError),
    "one number of several elements": (float, (TypeError, ValueError)),
    "a kind of dtype that is not": (lambda x: gg.isdtype(gg.float32, "fraction"), ValueError),
    "eye of less than nothing": (lambda x: gg.eye(-1), ValueError),
    "linspace of less than nothing": (lambda x: gg.linspace(0, 1, -1), ValueError),
    "meshgrid in another order": (lambda x: gg.meshgrid(gg.zeros(2), indexing="yx"), ValueError),
    "a list that is no array": (lambda x: gg.asarray([[1], [1, 2]]), ValueError),
    "copy=False of a list": (lambda x: gg.asarray([1.0], copy=False), ValueError),
    "copy=False of another dtype": (lambda x: gg.asarray(x, dtype=gg.float64, copy=False), ValueError),
    "copy=False of a reshape that needs one": (lambda x: gg.reshape(x.T, (6,), copy=False), ValueError),
    "a shape that grows in place": (lambda x: operator.iadd(gg.zeros(3), x), ValueError),
    "an edition of the standard that is not": (lambda x: x.__array_namespace__(api_version="1999.12"), ValueError),
}  # fmt: skip


@pytest.mark.parametrize(("call", "kind"), ERRORS.values(), ids=list(ERRORS))
def test_error(x, call, kind):
    with pytest.raises(kind):
        call(x)


def test_copies(x):
    for same in (gg.asarray(x), gg.asarray(x, copy=False), gg.asarray(x, copy=True), gg.reshape(x, (2, 3), copy=True)):
        assert (same == x).all()
    copied, shared = gg.reshape(x, (6,), copy=True), gg.reshape(x, (6,), copy=False)
    y = gg.tensor(x, requires_grad=True)
    gg.reshape(y * y, (3, 2), copy=True).sum().backward()
    assert (y.grad == 2 * x).all()
    x[0, 0] = 7.0
    assert copied[0] == shared[0] == 0  # values: writing to one tensor leaves the others


def test_0d_arrays_are_arrays(x):
    for y in (gg.sum(x), x[0, 0], gg.asarray(1.0), gg.max(x), gg.mean(x), gg.sqrt(gg.asarray(4.0)), gg.argmax(x)):
        assert isinstance(y, gg.Tensor)
        assert (y.shape, y.ndim, y.size) == ((), 0, 1)
        assert y[()].shape == y[...].shape == ()
        assert y[None].shape == (1,)
    assert (float(gg.asarray(1.5)), int(gg.asarray(2)), bool(gg.asarray(True))) == (1.5, 2, True)
    assert complex(gg.asarray(1 + 2j)) == 1 + 2j
    assert operator.index(gg.asarray(3)) == 3
    assert [10, 20][gg.asarray(1)] == 20


def test_reading_at_an_index(x):
    rows, columns = gg.asarray([1, 0, -1]), gg.asarray([0, 2, 1])
    assert x[rows, columns].tolist() == [3.0, 2.0, 4.0]
    assert x[rows, 1].tolist() == [4.0, 1.0, 4.0]
    assert x[1, ..., None].shape == (3, 1)
    assert x[:, ::-1].tolist() == [[2.0, 1.0, 0.0], [5.0, 4.0, 3.0]]
    assert x[-1:0:-1].tolist() == [[3.0, 4.0, 5.0]]
    assert x[x > 2].tolist() == [3.0, 4.0, 5.0]
    assert x[gg.asarray([True, False])].tolist() == [[0.0, 1.0, 2.0]]
    assert x[gg.asarray(True)].shape == (1, 2, 3)
    assert x[gg.asarray(False)].shape == (0, 2, 3)
    assert gg.take(x, gg.asarray([-1, 0]), axis=-1).tolist() == [[2.0, 0.0], [5.0, 3.0]]
    assert gg.take(x[0], gg.asarray([2])).tolist() == [2.0]


def test_writing_at_an_index(x):
    x[0] = 9
    x[:, 1] = gg.asarray([7.0, 8.0])
    x[x == 3] = gg.asarray(-3.0)
    x[gg.asarray([1]), gg.asarray([2])] = 0.5
    assert x.tolist() == [[9.0, 7.0, 9.0], [-3.0, 8.0, 0.5]]
    assert x.dtype == gg.float32


def test_repeats():
    x = gg.asarray([[1, 2], [3, 4]])
    assert gg.repeat(x, 2).tolist() == [1, 1, 2, 2, 3, 3, 4, 4]
    assert gg.repeat(x, gg.asarray([0, 2]), axis=-1).tolist() == [[2, 2], [4, 4]]
    assert gg.repeat(x, gg.asarray([3]), axis=0).shape == (6, 2)
    assert gg.tile(x, (2,)).shape == (2, 4)
    assert gg.tile(x, (2, 1, 1)).shape == (2, 2, 2)


def test_searches():
    x = gg.asarray([3, 1, 2])
    assert gg.searchsorted(x, gg.asarray([2, 4]), sorter=gg.argsort(x)).tolist() == [1, 3]
    assert gg.searchsorted(gg.asarray([1, 2, 2]), gg.asarray([[2]]), side="right").tolist() == [[3]]
    assert gg.searchsorted(gg.asarray([1.0, 2.0]), 1.5).item() == 1
    assert gg.argsort(gg.asarray([1, 0, 1, 0]), descending=True).tolist() == [0, 2, 1, 3]
    assert gg.count_nonzero(gg.asarray([[0, 1], [2, 3]]), axis=(0, 1), keepdims=True).tolist() == [[3]]
    assert gg.isin(gg.asarray([1, 2]), 2).tolist() == [False, True]
    assert gg.isin(1, gg.asarray([1, 2]), invert=True).item() is False


def test_ranges():
    assert gg.arange(5, 0, -2).tolist() == [5, 3, 1]
    assert gg.arange(5, 0).shape == (0,)
    assert gg.arange(0, 1, 0.25).tolist() == [0.0, 0.25, 0.5, 0.75]
    assert gg.linspace(0, 4, 4, endpoint=False).tolist() == [0.0, 1.0, 2.0, 3.0]
    assert gg.linspace(1, 5, 1).tolist() == [1.0]
    assert gg.linspace(1, 5, 0).shape == (0,)
    assert gg.eye(2, 3, k=1).tolist() == [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    assert gg.full((), math.pi).shape == ()
    assert [g.shape for g in gg.meshgrid(gg.zeros(2), gg.zeros(3))] == [(3, 2), (3, 2)]
    assert [g.shape for g in gg.meshgrid(gg.zeros(2), gg.zeros(3), indexing="ij")] == [(2, 3), (2, 3)]


def test_differences_and_running_sums(x):
    assert gg.diff(x, axis=0, prepend=x[:1]).shape == (2, 3)
    assert gg.diff(x, n=2).tolist() == [[0.0], [0.0]]
    assert gg.cumulative_sum(x, axis=1, include_initial=True).tolist() == [[0, 0, 1, 3], [0, 3, 7, 12]]
    assert gg.cumulative_prod(x, axis=0, include_initial=True).tolist() == [[1, 1, 1], [0, 1, 2], [0, 4, 10]]
    assert gg.std(gg.asarray([1.0, 3.0]), correction=1).item() == pytest.approx(math.sqrt(2))
    assert gg.broadcast_shapes((2, 1), (3,), ()) == (2, 3)
