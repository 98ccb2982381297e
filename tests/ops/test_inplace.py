"""What NumPy changes in place: each changes the Tensor as it changes an array, with its gradient, or says that the
result would be lost."""

from __future__ import annotations

import copy
import operator
import pickle

import numpy
import pytest

import gpugrad as gg

MATRIX = numpy.random.default_rng(0).standard_normal((3, 4))
COLUMN = numpy.array([[0], [2], [1]])


def rows_centered(a):
    for r in a:
        r -= r.mean()


def rows_of_rows(a):
    for block in a.reshape(3, 2, 2) * 1:  # of a temporary tensor, which the iteration keeps
        for r in block:
            r += 1


def last_row_first(a):
    for i in range(3) if isinstance(a, numpy.ndarray) else ():
        a[2 - i, i] = 7.0
    for i, r in enumerate(reversed(a) if isinstance(a, gg.Tensor) else ()):
        r[i] = 7.0


def unpacked(a):
    first, _, third = a
    first += 1
    third *= 2


CHANGES = {
    "sort": lambda a: a.sort(),
    "sort, axis": lambda a: a.sort(axis=0),
    "partition": lambda a: a.partition(1),
    "fill": lambda a: a.fill(2.5),
    "put": lambda a: a.put([0, 2, 1], [9.0, 8.0]),
    "put, wrapped": lambda a: a.put([0, -1, 17], [9.0, 8.0], mode="wrap"),
    "put, clipped": lambda a: numpy.put(a, [0, -1, 17], 7.0, mode="clip"),
    "resize, fewer": lambda a: a.resize((2, 3), refcheck=False),
    "resize, more": lambda a: a.resize(5, 3, refcheck=False),
    "flat[slice]": lambda a: operator.setitem(a.flat, slice(1, 4), [1.0, 2.0]),
    "flat[i]": lambda a: operator.setitem(a.flat, 5, 3.0),
    "flat": lambda a: setattr(a, "flat", [1.0, 2.0]),
    "real": lambda a: setattr(a, "real", 3.0),
    "fill_diagonal": lambda a: numpy.fill_diagonal(a, [1.0, 2.0]),
    "copyto": lambda a: numpy.copyto(a, 3.0),
    "copyto, where": lambda a: numpy.copyto(a, numpy.arange(4.0), where=[True, False, True, True]),
    "place": lambda a: numpy.place(a, numpy.array(MATRIX > 0), [1.0, 2.0]),
    "putmask": lambda a: numpy.putmask(a, MATRIX > 0, [1.0, 2.0]),
    "put_along_axis": lambda a: numpy.put_along_axis(a, COLUMN, 5.0, 1),
    "put_along_axis, flat": lambda a: numpy.put_along_axis(a, numpy.array([3, 1]), 5.0, None),
    "add.at": lambda a: numpy.add.at(a, ([0, 0, 1], [1, 1, 2]), [1.0, 2.0, 3.0]),
    "subtract.at": lambda a: numpy.subtract.at(a, [0, 0], 1.0),
    "multiply.at": lambda a: numpy.multiply.at(a, ([0, 0, 1], [1, 1, 2]), [1.0, 2.0, 3.0]),
    "negative.at": lambda a: numpy.negative.at(a, ([0, 0, 1], [1, 1, 2])),
    "maximum.at": lambda a: numpy.maximum.at(a, (slice(None), [0, 0]), 0.1),
    "out=": lambda a: numpy.multiply(a, 2.0, out=a),
    "out= and where=": lambda a: numpy.sqrt(a, where=a > 0, out=a),
    "out= of a function": lambda a: numpy.cumsum(a, axis=1, out=a),
    "for r in a": rows_centered,
    "for r in a temporary": rows_of_rows,
    "for r in reversed(a)": last_row_first,
    "unpacked": unpacked,
}


def weights(shape):
    return numpy.cos(numpy.arange(numpy.prod(shape, dtype=int)) + 1.0).reshape(shape)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_in_place_is_that_of_an_array(name):
    change = CHANGES[name]
    expected, x = MATRIX.copy(), gg.tensor(MATRIX)
    before = x[:]
    with numpy.errstate(invalid="ignore"):
        change(expected)
    change(x)
    numpy.testing.assert_allclose(x.numpy(), expected, rtol=1e-12)
    numpy.testing.assert_array_equal(before.numpy(), MATRIX)

    def loss(v):
        a = v * 1.0
        change(a)
        return (a * weights(a.shape)).sum()

    assert gg.gradcheck(loss, gg.tensor(MATRIX, requires_grad=True))


def test_parts_of_complex_numbers_can_be_written():
    z, t = MATRIX + 1j, gg.tensor(MATRIX + 1j)
    for a in (z, t):
        a.imag = MATRIX
        a.real = 2.0
    numpy.testing.assert_array_equal(t.numpy(), z)
    with pytest.raises(TypeError, match="no imaginary part"):
        gg.zeros(2).imag = 1.0


def test_what_is_changed_must_fit():
    a = gg.zeros((2, 2))
    with pytest.raises(ValueError, match="does not fit the tensor's"):
        numpy.add(a, gg.ones((3, 2, 2)), out=a)
    with pytest.raises(TypeError, match="does not fit the tensor's"):
        numpy.multiply(a, 1j, out=a)
    with pytest.raises(ValueError, match="at least two axes"):
        numpy.fill_diagonal(gg.zeros(2), 1.0)
    with pytest.raises(ValueError, match="equal sizes of all axes"):
        numpy.fill_diagonal(gg.zeros((2, 2, 3)), 1.0)
    with pytest.raises(TypeError, match=r"x\[i\] = v on a Tensor"):
        numpy.copyto(numpy.zeros(2), gg.zeros(2))


LOST = {
    "a[0][1] = v": lambda a: exec("a[0][1] = 5.0", {"a": a}),
    "a[0][1:] = v": lambda a: exec("a[0][1:] = 5.0", {"a": a}),
    "a[0][1] += v": lambda a: exec("a[0][1] += 5.0", {"a": a}),
    "a.T[0] = v": lambda a: exec("a.T[0] = 5.0", {"a": a}),
    "a.ravel()[0] = v": lambda a: exec("a.ravel()[0] = 5.0", {"a": a}),
    "a.real[0] = v": lambda a: exec("a.real[0] = 5.0", {"a": a}),
    "diagonal(a)[...] = v": lambda a: exec("numpy.diagonal(a)[...] = 5.0", {"a": a, "numpy": numpy}),
    "a[0].sort()": lambda a: a[0].sort(),
    "a.T.fill(v)": lambda a: a.T.fill(3.0),
    "a.ravel().put(i, v)": lambda a: a.ravel().put([0], 3.0),
    "a[0].partition(1)": lambda a: a[0].partition(1),
    "a[0].resize(2)": lambda a: a[0].resize(2),
}


@pytest.mark.parametrize("name", LOST)
def test_a_change_that_would_be_lost_is_refused(name):
    a = gg.ones((2, 2))
    with pytest.raises(TypeError, match=r"temporary tensor, and the result would be lost: .*:\d+"):
        LOST[name](a)
    assert a.tolist() == [[1.0, 1.0], [1.0, 1.0]]


class Holder:
    def __init__(self):
        self.w = gg.zeros(3)

    @property
    def same(self):
        return self.w


def test_a_change_of_what_has_a_name_or_a_place_is_not_refused():
    holder, several, table = Holder(), [gg.zeros(3)], {"w": gg.zeros(3)}
    named = gg.zeros((2, 3))
    row = named[0]
    row[1] = 2.0
    named[0] += 3.0
    named[0, 1] = 1.0
    holder.w[0] = holder.same[1] = several[0][2] = table["w"][0] = 1.0
    holder.w.fill(4.0)
    several[0].sort()
    holder.w.__setitem__(0, 5.0)
    gg.zeros(3).__setitem__(0, 5.0)
    operator.setitem(holder.w, 1, 6.0)
    operator.setitem(gg.zeros(3), 1, 6.0)
    next(iter(named))[2] = 8.0  # a row reaches its tensor
    assert named.tolist() == [[3.0, 1.0, 8.0], [0.0, 0.0, 0.0]]
    assert (row.tolist(), holder.w.tolist(), several[0].tolist()) == ([0.0, 2.0, 0.0], [5.0, 6.0, 4.0], [0.0, 0.0, 1.0])

    def closure():
        named[1, 1] = 9.0
        return [w.__setitem__(0, 1.0) for w in several]

    closure()
    assert named[1].tolist() == [0.0, 9.0, 0.0]


def test_rows_that_are_out_of_date_are_not_written():
    a = gg.ones((2, 2))
    first, second = a
    a += 1
    with pytest.raises(RuntimeError, match="old value"):
        first += 1
    assert first.tolist() == [1.0, 1.0]
    for kept in (copy.copy(second), pickle.loads(pickle.dumps(second)), gg.asarray(second)):
        kept += 1
    assert a.tolist() == [[2.0, 2.0], [2.0, 2.0]]
    lonely = next(iter(gg.ones((2, 2))))
    lonely += 1
    assert lonely.tolist() == [2.0, 2.0]


def test_rows_of_a_leaf_are_those_of_a_leaf():
    w = gg.ones((2, 2), dtype=gg.float64).requires_grad_()
    with pytest.raises(gg.GradientError, match="no_grad"):
        for r in w:
            r *= 2
    with gg.no_grad():
        for r in w:
            r *= 2
    assert w.tolist() == [[2.0, 2.0], [2.0, 2.0]]
    assert w.is_leaf
