"""Distinct values and set functions: NumPy's results, and gradients that go back to where a value was found."""

import itertools

import numpy
import pytest

import gpugrad as gg
from gpugrad import nan

VALUES = numpy.array([[3.0, 1.0, 3.0], [-0.0, 2.0, 1.0]])
OTHER = numpy.array([2.0, 7.0, 3.0, 2.0])


def alike(found, expected):
    assert isinstance(found, tuple) == isinstance(expected, tuple)
    for a, b in zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]:
        assert type(a) is gg.Tensor
        numpy.testing.assert_array_equal(a.numpy(), b)


def test_unique_is_numpys():
    inputs = (numpy.array([[nan, 3.0], [3.0, nan]]), VALUES, VALUES[0, 0], numpy.array([2, 1, 2]), numpy.zeros((0, 2)))
    flags = ("return_index", "return_inverse", "return_counts")
    for x, on in itertools.product(inputs, itertools.product((False, True), repeat=3)):
        asked = dict(zip(flags, on, strict=True))
        t = gg.tensor(x, requires_grad=x.dtype.kind == "f")
        for axis, equal_nan in ((None, True), (None, False), *((i, True) for i in range(x.ndim))):
            expected = numpy.unique(x, **asked, axis=axis, equal_nan=equal_nan)
            alike(numpy.unique(t, **asked, axis=axis, equal_nan=equal_nan), expected)
    alike(gg.unique(gg.tensor(VALUES), sorted=False), numpy.unique(VALUES))
    alike(gg.unique(gg.zeros((3, 0)), axis=0), numpy.unique(numpy.zeros((3, 0)), axis=0))
    with pytest.raises(ValueError, match="unique: axis 2 is out of bounds for 2 axes"):
        gg.unique(gg.tensor(VALUES), axis=2)


def test_unique_keeps_every_nan_and_the_shape_of_the_inverse():
    assert gg.unique_values(gg.tensor([nan, 1.0, nan])).shape == (3,)
    found = gg.unique_all(gg.tensor([[3, 1], [1, 3]]))
    assert found.inverse_indices.numpy().tolist() == [[1, 0], [0, 1]]
    assert found.counts.numpy().tolist() == [2, 2]


def test_set_functions_are_numpys():
    x, y = gg.tensor(VALUES), gg.tensor(OTHER)
    for name in ("union1d", "intersect1d", "setdiff1d", "setxor1d"):
        f = getattr(numpy, name)
        alike(f(x, y), f(VALUES, OTHER))
        alike(f(x, OTHER.tolist()), f(VALUES, OTHER))
        alike(getattr(gg, name)(OTHER.tolist(), x), f(OTHER, VALUES))
        alike(f(x[0, :0], y[:0]), f(VALUES[0, :0], OTHER[:0]))
        if name != "union1d":
            alike(f(x[:, 1], y[1:], assume_unique=True), f(VALUES[:, 1], OTHER[1:], assume_unique=True))
    alike(gg.intersect1d(x, y, return_indices=True), numpy.intersect1d(VALUES, OTHER, return_indices=True))
    alike(
        gg.intersect1d(x[0, :2], y[:3], True, True), numpy.intersect1d(VALUES[0, :2], OTHER[:3], True, True)
    )  # fmt: skip
    alike(gg.setdiff1d(gg.tensor([1, 2]), [1.5, 2]), numpy.setdiff1d([1, 2], [1.5, 2]))


SELECTED = [
    (lambda x: numpy.unique(x), [3.0, 1.0, 3.0], [6.0, 2.0, 0.0]),
    (lambda x: numpy.unique(x, return_counts=True, return_index=True)[0], [3.0, 1.0, 3.0], [6.0, 2.0, 0.0]),
    (lambda x: numpy.unique(x, axis=1), [[3.0, 1.0, 3.0]], [[6.0, 2.0, 0.0]]),
    (lambda x: gg.unique_values(x), [3.0, 1.0, 3.0], [6.0, 2.0, 0.0]),
    (lambda x: gg.unique_all(x).values, [3.0, 1.0, 3.0], [6.0, 2.0, 0.0]),
    (lambda x: gg.unique_counts(x).values, [3.0, 1.0, 3.0], [6.0, 2.0, 0.0]),
    (lambda x: gg.unique_inverse(x).values, [3.0, 1.0, 3.0], [6.0, 2.0, 0.0]),
    (lambda x: numpy.union1d(x, -x[:0]), [3.0, 1.0, 2.0], [6.0, 2.0, 4.0]),
    (lambda x: numpy.intersect1d(x, [3.0, 2.0]), [3.0, 1.0, 2.0], [6.0, 0.0, 4.0]),
    (lambda x: numpy.intersect1d(numpy.array([3.0, 2.0]), x), [3.0, 1.0, 2.0], [0.0, 0.0, 0.0]),
    (lambda x: numpy.setdiff1d(x, [3.0]), [3.0, 1.0, 2.0], [0.0, 2.0, 4.0]),
    (lambda x: numpy.setxor1d(x, numpy.array([3.0, 5.0])), [3.0, 1.0, 2.0], [0.0, 2.0, 4.0]),
    (lambda x: numpy.trim_zeros(x), [0.0, 1.0, 2.0], [0.0, 2.0, 4.0]),
    (lambda x: numpy.extract([True, False, True], x), [3.0, 1.0, 2.0], [6.0, 0.0, 4.0]),
    (lambda x: numpy.compress([True, False, True], x), [3.0, 1.0, 2.0], [6.0, 0.0, 4.0]),
    (lambda x: x[numpy.lexsort((x,))][:2], [3.0, 1.0, 2.0], [0.0, 2.0, 4.0]),
    (lambda x: numpy.unique(x + 0j).real, [3.0, 1.0, 3.0], [6.0, 2.0, 0.0]),
]


@pytest.mark.parametrize(("select", "x", "expected"), SELECTED)
def test_a_selected_value_has_its_gradient(select, x, expected):
    """Of the sum of squares; of equal values the first one gets it. Twice: the second derivative is 2."""
    x, expected = numpy.array(x), numpy.array(expected)
    numpy.testing.assert_array_equal(gg.grad(lambda v: (select(v) ** 2).sum())(x), expected)
    twice = gg.grad(lambda v: gg.grad(lambda w: (select(w) ** 2).sum())(v).sum())(x)
    numpy.testing.assert_array_equal(twice, 2.0 * (expected != 0))


def test_trim_zeros_is_numpys():
    x = numpy.zeros((3, 4))
    x[1, 1:3] = 1.0
    for trim, axis in itertools.product(("fb", "F", "b"), (None, 0, -1, (0, 1), ())):
        alike(gg.trim_zeros(gg.tensor(x), trim, axis), numpy.trim_zeros(x, trim, axis))
    alike(gg.trim_zeros(gg.zeros(3)), numpy.zeros(0))
    with pytest.raises(ValueError, match="expected trim 'f', 'b' or 'fb', got 'x'"):
        gg.trim_zeros(gg.zeros(3), "x")
    with pytest.raises(ValueError, match="axis 1 is out of bounds"):
        gg.trim_zeros(gg.zeros(3), axis=1)


def test_lexsort_is_numpys():
    keys = numpy.array([[3.0, 1.0, 2.0, 1.0], [1.0, 0.0, 1.0, 0.0]])
    alike(numpy.lexsort((gg.tensor(keys[0]), gg.tensor(keys[1]))), numpy.lexsort(keys))
    alike(
        gg.lexsort([gg.tensor(keys), gg.tensor(keys[::-1].copy())], axis=0), numpy.lexsort((keys, keys[::-1]), axis=0)
    )
    with pytest.raises(ValueError, match="lexsort: expected keys of one shape"):
        gg.lexsort((gg.zeros(2), gg.zeros(3)))
