"""What NumPy changes in place: each changes the Tensor as it changes an array, with its gradient, or says that the
result would be lost."""

from __future__ import annotations

import copy
import operator
import pickle

import numpy
import pytest

import gpugrad as gg
import gpugrad.numpy as np

MATRIX = numpy.random.default_rng(0).standard_normal((3, 4))
COLUMN = numpy.array([[0], [2], [1]])


def beside(a, values):
    """Values on the device of ``a``."""
    return gg.tensor(values) if isinstance(a, gg.Tensor) else values


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
    "copyto, where": lambda a: numpy.copyto(a, beside(a, numpy.arange(4.0)), where=[True, False, True, True]),
    "place": lambda a: numpy.place(a, beside(a, MATRIX > 0), [1.0, 2.0]),
    "putmask": lambda a: numpy.putmask(a, MATRIX > 0, [1.0, 2.0]),
    "put_along_axis": lambda a: numpy.put_along_axis(a, beside(a, COLUMN), 5.0, 1),
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
        return (a * gg.tensor(weights(a.shape))).sum()

    assert gg.gradcheck(loss, gg.tensor(MATRIX, requires_grad=True))


def test_parts_of_complex_numbers_can_be_written():
    z, t = MATRIX + 1j, gg.tensor(MATRIX + 1j)
    for a, part in ((z, MATRIX), (t, gg.tensor(MATRIX))):
        a.imag = part
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
    "a[0].__setitem__(0, v)": lambda a: a[0].__setitem__(0, 5.0),
    "operator.setitem(a[0], 0, v)": lambda a: operator.setitem(a[0], 0, 5.0),
    "a[0].__imul__(v)": lambda a: a[0].__imul__(5.0),
    "a[0].flat[1:] = v": lambda a: operator.setitem(a[0].flat, slice(1, None), 5.0),
    "a.T.flat = v": lambda a: setattr(a.T, "flat", 5.0),
    "a[1].real = v": lambda a: setattr(a[1], "real", 5.0),
    "sqrt(x, out=a[0])": lambda a: numpy.sqrt(a[1] + 3.0, out=a[0]),
    "sqrt(x, a.T)": lambda a: numpy.sqrt(a + 3.0, a.T),
    "sqrt(x, out=(a.ravel(),))": lambda a: numpy.sqrt(a.ravel() + 3.0, out=(a.ravel(),)),
    "sqrt(x, out=a.real)": lambda a: numpy.sqrt(a + 3.0, out=a.real),
    "add(x, x, out=[a[1]][0])": lambda a: numpy.add(a[0], 4.0, out=[a[1]][0]),
    "y = multiply(x, v, out=a[1])": lambda a: numpy.multiply(a[0], 4.0, out=a[1]).sum(),
    "subtract(x, v, out=a[0], where=m)": lambda a: numpy.subtract(a[1], 4.0, out=a[0], where=[True, False]),
    "maximum.reduce(x, out=a[0])": lambda a: numpy.maximum.reduce(a + 2.0, out=a[0]),
    "add.at(a[0], i, v)": lambda a: numpy.add.at(a[0], [1], 5.0),
    "cumprod(x, out=a[:, 0])": lambda a: numpy.cumprod(a[1] + 2.0, out=a[:, 0]),
    "np.cumprod(x, out=a[:, 0])": lambda a: np.cumprod(a[1] + 2.0, out=a[:, 0]),
    "np.max(x, axis=0, out=a[0])": lambda a: np.max(a + 2.0, axis=0, out=a[0]),
    "matmul(x, y, out=a[0])": lambda a: numpy.matmul(a, a[0], out=a[0]),
    "x.clip(2, 3, out=a[0])": lambda a: a[1].clip(2.0, 3.0, out=a[0]),
    "x.max(axis=0, out=a[0])": lambda a: (a + 2.0).max(axis=0, out=a[0]),
    "copyto(a[0], v)": lambda a: np.copyto(a[0], 5.0),
    "fill_diagonal(a[:, 1:], v)": lambda a: np.fill_diagonal(a[:, 1:], 5.0),
    "put(a[0], i, v)": lambda a: numpy.put(a[0], [1], 5.0),
    "putmask(a[0], m, v)": lambda a: numpy.putmask(a[0], [True, False], 5.0),
    "place(a.T, m, v)": lambda a: numpy.place(a.T, numpy.eye(2) > 0, 5.0),
    "put_along_axis(a[1:], i, v, 1)": lambda a: np.put_along_axis(a[1:], numpy.array([[0]]), 5.0, 1),
    "random.shuffle(a[:, 0])": lambda a: np.random.shuffle(a[:, 0]),
    "for r in a[1:]: r *= v": lambda a: [operator.imul(r, 5.0) for r in a[1:]],
    "for r in a.T: r[0] = v": lambda a: [operator.setitem(r, 0, 5.0) for r in a.T],
    "for r in a[::-1]: r.fill(v)": lambda a: [r.fill(5.0) for r in a[::-1]],
    "for r, s in zip(a, a[::-1]): s += v": lambda a: [operator.iadd(s, 5.0) for _, s in zip(a, a[::-1], strict=True)],
    "for r in reversed(a.mT): r -= v": lambda a: [operator.isub(r, 5.0) for r in reversed(a.mT)],
}


@pytest.mark.parametrize("name", LOST)
def test_a_change_that_would_be_lost_is_refused(name):
    a = gg.ones((2, 2))
    with pytest.raises(TypeError, match=r"temporary tensor, and the result would be lost: .*:\d+"):
        LOST[name](a)
    assert a.tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_a_write_to_a_state_that_nobody_holds_says_what_to_write():
    layer = gg.nn.Linear(2, 1)
    with pytest.raises(TypeError, match="change those, and give them to load_state_dict"):
        layer.state_dict()["weight"][...] = 5.0


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
    numpy.add.at(next(iter(gg.ones((2, 2)))), [0], 1.0)
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


def test_a_target_that_is_held_or_new_is_not_refused():
    base = gg.ones((4, 3))
    holder, part, several, table, nested = Holder(), base[0], [base[1]], {"w": base[2]}, [[[base[3]]]]
    holder.w, holder.inner = base[0], Holder()
    holder.inner.w = base[1]
    x = gg.tensor([1.0, 2.0, 4.0])
    deep = {}
    deep.setdefault("a", {})["b"] = [(base[3],)]  # held by nothing but a variable
    targets = [lambda: part, lambda: deep["a"]["b"][0][0],
               lambda: several[0], lambda: table["w"], lambda: nested[0][0][0], lambda: holder.w,
               lambda: holder.inner.w, lambda: holder.same, lambda: KEPT["deep"][0].w]  # fmt: skip
    KEPT["deep"] = [Holder()]
    KEPT["deep"][0].w = base[2]
    for k, target in enumerate(targets):
        np.add(x, k, out=target())
        numpy.put(target(), [1], 9.0)
        np.cumsum(target(), out=target())
        target().flat[2] = 7.0
        target().__iadd__(1.0)
        assert target().tolist() == [2.0 + k, 11.0 + k, 8.0]
    assert base.tolist() == [[1.0] * 3] * 4
    with gg.no_grad():
        new = [np.exp(x, out=gg.zeros(3)), np.exp(x, gg.zeros((3, 1)).ravel()), np.add(x, 1, out=gg.ones((2, 3))[0]),
               np.cumsum(x, out=x * 2), (x * 2).clip(0, 3, out=base[[0]][0])]  # fmt: skip
    assert [y.shape for y in new] == [(3,)] * 5
    total = 0.0
    for r in (base * 2).T:  # nobody else can see the product
        r -= r.mean()
        total = total + r
    columns = base.T  # a part with a name is a tensor of its own
    for c in columns:
        c *= 3.0
    base[0] += 1.0
    assert (total.tolist(), columns.tolist()) == ([0.0] * 4, [[3.0] * 4] * 3)


KEPT = {}


def test_lost_writes_are_refused_inside_transforms():
    def lost(x):
        o = np.zeros((2, 3))
        np.multiply(x, 2.0, out=o[0])
        return o.sum()

    def kept(x):
        o = np.zeros((2, 3))
        row = o[0]
        o[0] = np.multiply(x, 2.0, out=row)
        for r in o:
            np.add(r, x, out=r)
        return (o * o).sum()

    x = numpy.ones((2, 3))
    for transform, values in ((gg.grad, x[0]), (gg.vmap, x), (lambda f: gg.vmap(gg.grad(f)), x), (gg.hessian, x[0])):
        with pytest.raises(TypeError, match="temporary tensor"):
            transform(lost)(values)
    assert gg.vmap(gg.grad(kept))(x).tolist() == [[20.0] * 3] * 2
