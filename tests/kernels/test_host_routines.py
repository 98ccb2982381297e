"""Every hand-written NumPy routine against the reference of its kernel: values, signs of zero, NaN and infinities."""

from __future__ import annotations

from functools import partial

import numpy
import pytest

import gpugrad as gg
from gpugrad.kernels import REGISTRY, composed, labels
from gpugrad.kernels.indexing_host import add_bags, add_rows, sum_bags
from gpugrad.kernels.rows import Rows

ROUTINES = [kernel for kernel in REGISTRY.values() if kernel.routine is not None]
ROWS = [kernel for kernel in ROUTINES if isinstance(kernel, Rows) and kernel.parameters == ("axis",)]
TOLERANCE = {"float32": 2e-6, "float64": 1e-14}
by_name = {"ids": lambda k: k.name}


@pytest.fixture(autouse=True)
def quiet():
    with numpy.errstate(all="ignore"):
        yield


def close(a, b, dtype):
    assert (a.shape, a.dtype) == (b.shape, b.dtype)
    numpy.testing.assert_allclose(a, b, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


def test_there_are_routines():
    assert len(ROWS) == 4


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("kernel", ROWS, **by_name)
def test_rows(kernel, dtype, rng):
    for shape in ((10, 64), (3, 5, 40), (2, 1000)):
        arrays = [rng.standard_normal(shape).astype(dtype) for _ in kernel.arrays]
        for axis in (-1, len(shape) - 1):
            close(kernel.routine(*arrays, axis), kernel.reference(numpy, *arrays, axis), dtype)
        assert kernel.routine(*arrays, 0) is NotImplemented or len(shape) == 1


def test_rows_without_a_largest_number_are_left_to_the_reference():
    x = numpy.zeros((4, 100), "f4")
    for value in (numpy.inf, -numpy.inf, numpy.nan):
        x[1] = value
        assert REGISTRY["softmax_forward"].routine(x, -1) is NotImplemented
        assert REGISTRY["log_softmax_forward"].routine(x, -1) is NotImplemented


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", ["sigmoid_forward", "sigmoid_backward", "tanh_backward"])
def test_few_numbers(name, dtype, rng):
    kernel = REGISTRY[name]
    g, x = rng.standard_normal((2, 9, 10)).astype(dtype)
    arrays = [g, x][-len(kernel.arrays) :]
    close(kernel.routine(*arrays), kernel.reference(numpy, *arrays), dtype)
    for other in (x * 1000, numpy.full_like(x, numpy.nan), x.astype("f2"), numpy.tile(x, 9), 2.0):
        assert kernel.routine(*[g, other][-len(kernel.arrays) :]) is NotImplemented


def test_routines_run_on_the_cpu_only(device, monkeypatch):
    calls = []
    monkeypatch.setattr(REGISTRY["softmax_forward"], "routine", lambda *_: calls.append(1) or NotImplemented)
    gg.nn.functional.softmax(gg.ones((40, 10)), -1)
    assert bool(calls) == device.is_host


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("largest", [4.0, 50.0, 500.0])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_of_numbers_near_to_and_far_from_zero(name, largest, dtype, rng):
    x = rng.standard_normal((30, 40)) * largest / 4
    x[0, 0], x[1, 1] = largest, -largest
    kernel, exact = REGISTRY[f"{name}_forward"], x.astype(dtype)
    expected = kernel.reference(numpy, exact.astype("f8"), -1)
    numpy.testing.assert_allclose(kernel.routine(exact, -1), expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("highest", [1, 7, 200])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128", "int64"])
def test_rows_added_at_indices(dtype, highest, rng):
    g = (10 * rng.standard_normal((6, 25, 3, 4))).astype(dtype)
    at = rng.integers(-highest, highest, (6, 25))
    for index in (at, (at,), at.astype("i4"), at.T.copy().T):
        expected = numpy.zeros((200, 3, 4), dtype)
        numpy.add.at(expected, index, g)
        numpy.testing.assert_array_equal(add_rows(g, index, expected.shape), expected)
    for index, part, shape in ((at, g[0], (200, 3, 4)), ((at, at), g, (200, 3, 4)), (at > 0, g, (200, 3, 4)),
                               (at, g[..., :1, :1], (200, 1, 1)), (at[:0], g[:0], (200, 3, 4))):  # fmt: skip
        assert add_rows(part, index, shape) is NotImplemented


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_rows_summed_in_bags(dtype, rng):
    x, at = (10 * rng.standard_normal((20, 3, 4))).astype(dtype), rng.integers(-20, 20, (5, 2, 6))
    g = (10 * rng.standard_normal((5, 2, 3, 4))).astype(dtype)
    numpy.testing.assert_allclose(sum_bags(x, at), x[at].sum(axis=2), rtol=1e-5, atol=1e-4)
    expected = numpy.zeros((20, 3, 4), dtype)
    numpy.add.at(expected, at, numpy.repeat(g[:, :, None], 6, axis=2))
    numpy.testing.assert_allclose(add_bags(g, at, x.shape), expected, rtol=1e-5, atol=1e-4)
    for index, table in ((at, x[..., :1, :1]), (at > 0, x), (at, x.astype("f2")), (at + 1, x), (at - 1, x)):
        wrong = index is at or index.dtype == bool or index.max() >= 20 or index.min() < -20
        assert wrong == (sum_bags(table, index) is NotImplemented)
        if table.shape == x.shape:
            assert wrong == (add_bags(g.astype(table.dtype), index, table.shape) is NotImplemented)
            assert wrong == (add_rows(table[at], index, table.shape) is NotImplemented)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("largest", [2.0, 50.0, 500.0])
def test_losses_of_labels(largest, dtype, rng):
    x = (largest * rng.random((30, 12))).astype(dtype)
    t, g = rng.integers(0, 12, 30), rng.standard_normal(30).astype(dtype)
    g[0] = numpy.nan
    y = labels.surprise.routine(x, t, None, -100, 0.0)
    exact = labels.surprise.reference(numpy, x.astype("f8"), t, None, -100, 0.0)
    for a, b in zip((y[0], y[1] + numpy.log(y[2])), (exact[0], exact[1] + numpy.log(exact[2])), strict=True):
        numpy.testing.assert_allclose(a, b, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * max(largest / 8, 1))
        assert a.dtype == dtype
    back = (x, t, None, *y[1:], -100, 0.0)
    close(labels.surprise_back.routine(g, *back), labels.surprise_back.reference(numpy, g, *back), dtype)
    close(labels.picked.routine(x, t, -100), labels.picked.reference(numpy, x, t, -100), dtype)
    assert labels.counted.routine(t, 3, dtype) == (t != 3).sum() == labels.counted.reference(numpy, t, 3, dtype)
    assert numpy.isnan(labels.counted.routine(t[:0], 3, dtype))
    x[3, 4] = numpy.nan
    x[4, 5] = -numpy.inf
    for a, b in zip(labels.surprise(numpy, x, t, None, -100, 0.0),
                    labels.surprise.reference(numpy, x, t, None, -100, 0.0), strict=True):  # fmt: skip
        close(a, b, dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("p", [1, 2])
def test_hinges(p, dtype, rng):
    x, g = (rng.standard_normal(shape).astype(dtype) for shape in ((30, 12), 30))
    t = rng.integers(0, 12, 30)
    x[3, 4], x[5, 6], g[7] = numpy.nan, numpy.inf, numpy.nan
    got, expected = (f(x, t, p, 0.7) for f in (labels.hinged.routine, partial(labels.hinged.reference, numpy)))
    for a, b in zip(got, expected, strict=True):
        close(a, b, dtype)
    back = (g, t, expected[1], p)
    close(labels.hinged_back.routine(*back), labels.hinged_back.reference(numpy, *back), dtype)
    for scores, target in ((x[:2], t[:2]), (x.astype("f2"), t), (x, t.astype("i4"))):
        assert labels.hinged.routine(scores, target, p, 0.7) is NotImplemented
        assert labels.hinged_back.routine(g[: len(scores)], target, scores, p) is NotImplemented


def test_losses_of_other_labels_are_left_to_the_reference(rng):
    x, t, w = rng.standard_normal((30, 12)), rng.integers(0, 12, 30), rng.random(12)
    some = numpy.where(t == 3, -100, t)
    some[0] = -100
    for scores, target, weight, ignored, smoothing in (
        (x, t, w, -100, 0.0), (x, t, None, -100, 0.1), (x, some, None, -100, 0.0), (x, t, None, int(t[0]), 0.0),
        (x, t.astype("i4"), None, -100, 0.0), (x[:2], t[:2], None, -100, 0.0), (x.astype("f2"), t, None, -100, 0.0),
        (x.T.copy().T, t, None, -100, 0.0),
    ):  # fmt: skip
        assert labels.surprise.routine(scores, target, weight, ignored, smoothing) is NotImplemented
        back = (target + 1.0, scores, target, weight, x[:, :1], x[:, :1], ignored, smoothing)
        assert labels.surprise_back.routine(*back) is NotImplemented
        if weight is None and not smoothing:
            assert labels.picked.routine(scores, target, ignored) is NotImplemented


NORMALIZED = [  # shape, axes, shape of weight and bias
    ((8, 16, 32), (2,), (32,)), ((8, 16, 32), (1, 2), (16, 32)), ((8, 16, 32), (2,), None), ((40, 20), (1,), (20,)),
    ((8, 6, 5, 7), (0, 2, 3), (1, 6, 1, 1)), ((8, 6, 5, 7), (0, 2, 3), None), ((40, 20), (0,), (1, 20)),
    ((8, 2, 3, 5, 7), (2, 3, 4), (1, 2, 3, 1, 1)), ((4, 2, 3, 80, 90), (2, 3, 4), (1, 2, 3, 1, 1)),
    ((3, 20, 20), (2,), (1, 20, 1)), ((3, 20, 20), (2,), (20,)), ((4, 6, 80, 90), (2, 3), None),
    ((8, 6, 5, 7), (2, 3), (1, 6, 1, 1)),
]  # fmt: skip


@pytest.mark.parametrize("offset", [0.5, 1.5])
@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("shape", "axes", "of_weight"), NORMALIZED)
def test_normalization(shape, axes, of_weight, dtype, centred, offset, rng):
    def close(a, b):  # sums of many elements are as exact as the largest of them
        most = 30 * TOLERANCE[dtype]
        numpy.testing.assert_allclose(a, b, rtol=most, atol=most * max(1.0, numpy.abs(b).max()))

    x, g = ((rng.standard_normal(shape) + offset).astype(dtype) for _ in range(2))
    weight, bias = (None if of_weight is None else rng.standard_normal(of_weight).astype(dtype) for _ in range(2))
    for a, b in zip(composed.moments.routine(x, axes), composed.moments.reference(numpy, x, axes), strict=True):
        close(a, b)
    before = [None if a is None else a.copy() for a in (x, g, weight, bias)]
    arguments = (x, weight, bias, None, None, axes, 1e-3, centred)
    got, expected = composed.standardized.routine(*arguments), composed.standardized.reference(numpy, *arguments)
    for a, b in zip(got, expected, strict=True):
        close(a, b)
        assert a.dtype == b.dtype
    back = (g, x, expected[1], expected[2], weight, axes, centred, True)
    got = composed.standardized_back.routine(*back)
    expected = composed.standardized_back.reference(numpy, *back)
    close(got[0], expected[0])
    if weight is not None:
        whole = (1,) * (len(shape) - len(of_weight)) + of_weight
        over = tuple(i for i, n in enumerate(whole) if n == 1)
        for a, b in zip(got[1:], expected[1:], strict=True):
            a = a.reshape(whole) if a.shape == of_weight else a
            close(a.sum(over, keepdims=True), b.sum(over, keepdims=True))
    for a, b in zip((x, g, weight, bias), before, strict=True):
        assert a is b is None or (a == b).all()


def test_the_gradient_of_a_sum_is_normalized_by_the_routine(rng):
    """It is one number, broadcast."""
    x, w = rng.standard_normal((8, 6, 50)).astype("f4"), rng.standard_normal((1, 6, 1)).astype("f4")
    g = numpy.broadcast_to(numpy.float32(0.5), x.shape)
    _, mean, rstd = composed.standardized.reference(numpy, x, w, None, None, None, (0, 2), 1e-5, True)
    got, expected = (composed.standardized_back.routine(a, x, mean, rstd, w, (0, 2), True, True) for a in (g, g.copy()))
    for a, b in zip(got, expected, strict=True):
        numpy.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("axes", [(0, 2), (2,)])
def test_a_mean_far_from_0_costs_no_digits(axes, rng):
    """Elements minus their mean keep digits that differences of sums do not."""
    x, g = (rng.standard_normal((8, 6, 50)) + 1000).astype("f4"), rng.standard_normal((8, 6, 50)).astype("f4")
    w = rng.standard_normal((1, 6, 1) if axes == (0, 2) else (50,)).astype("f4")
    arguments = (x, w, w, None, None, axes, 1e-5, True)
    exact = composed.standardized.reference(numpy, *(a.astype("f8") if a is x or a is w else a for a in arguments))
    _, mean, rstd = composed.standardized.reference(numpy, *arguments)
    numpy.testing.assert_allclose(composed.standardized(numpy, *arguments)[0], exact[0], atol=1e-3)
    back = (g, x, mean, rstd, w, axes, True, True)
    assert composed.standardized_back.routine(*back) is NotImplemented
    near = (g, x - 1000, mean - 1000, rstd, w, axes, True, True)
    assert composed.standardized_back.routine(*near) is not NotImplemented


@pytest.mark.parametrize("axes", [(0, 2), (2,)])
def test_normalization_of_what_is_not_finite(axes):
    for value in (numpy.nan, numpy.inf):
        x = numpy.ones((4, 3, 40), "f4")
        x[:, ::2] *= numpy.arange(40)
        x[1, 2, 3] = value
        for name, arguments in (("moments", (x, axes)), ("standardized", (x, *[None] * 4, axes, 1e-3, True))):
            kernel = getattr(composed, name)
            for a, b in zip(kernel(numpy, *arguments), kernel.reference(numpy, *arguments), strict=True):
                numpy.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
