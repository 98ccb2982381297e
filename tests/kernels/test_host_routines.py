"""Every hand-written NumPy routine against the reference of its kernel: values, signs of zero, NaN and infinities."""

from __future__ import annotations

from functools import partial

import numpy
import pytest
from test_against_reference import SCALARS, SPECIAL

import gpugrad as gg
from gpugrad.kernels import REGISTRY, composed, labels
from gpugrad.kernels.elementwise import Elementwise
from gpugrad.kernels.host import SMALL, masked, select
from gpugrad.kernels.indexing_host import add_bags, add_rows, sum_bags

ROUTINES = [kernel for kernel in REGISTRY.values() if kernel.routine is not None]
FLAT = [kernel for kernel in ROUTINES if isinstance(kernel, Elementwise)]
ROWS = [kernel for kernel in ROUTINES if not isinstance(kernel, Elementwise)]
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
    assert len(FLAT) >= 20
    assert len(ROWS) == 4


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("kernel", FLAT, **by_name)
def test_elementwise(kernel, dtype, rng):
    scalars = [SCALARS[name] for name in kernel.scalars]
    for shape in ((SMALL,), (3, 100), (2, 7, 64)):
        arrays = [(3 * rng.standard_normal(shape)).astype(dtype) for _ in kernel.arrays]
        before = [a.copy() for a in arrays]
        got = kernel.routine(*arrays, *scalars)
        if got is NotImplemented:
            assert (kernel.name[:4], dtype) == ("gelu", "float64"), "SciPy's erf is taken in double precision"
            return
        close(got, kernel.reference(numpy, *arrays, *scalars), dtype)
        for a, b in zip(arrays, before, strict=True):
            numpy.testing.assert_array_equal(a, b)
    spread = [a[..., ::2] for a in arrays] if arrays[0][..., ::2].size >= SMALL else [a.T for a in arrays]
    close(kernel.routine(*spread, *scalars), kernel.reference(numpy, *spread, *scalars), dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("kernel", FLAT, **by_name)
def test_special_values(kernel, dtype):
    """Where the reference gives NaN or an infinity, so does the routine, and nowhere else."""
    scalars = [SCALARS[name] for name in kernel.scalars]
    values = numpy.tile(SPECIAL, SMALL)
    grids = numpy.meshgrid(*[values[: len(SPECIAL) * (20 if i == 0 else 1)] for i in range(len(kernel.arrays))])
    arrays = [g.astype(dtype) for g in grids] if len(grids) > 1 else [values.astype(dtype)]
    got = kernel.routine(*arrays, *scalars)
    if got is not NotImplemented:
        close(got, kernel.reference(numpy, *arrays, *scalars), dtype)


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


def test_other_arrays_are_left_to_the_reference():
    kernel = REGISTRY["relu_backward"]
    x = numpy.ones((4, 100), "f4")
    assert kernel.routine(x, x) is not NotImplemented
    for other in (x.astype("f8"), x[:1], 2.0, x[:, :10]):
        assert kernel.routine(x, other) is NotImplemented
    assert kernel.routine(x.astype("f2"), x.astype("f2")) is NotImplemented
    assert kernel.routine(x[:1, :10], x[:1, :10]) is NotImplemented


def test_routines_run_on_the_cpu_only(device, monkeypatch):
    calls = []
    monkeypatch.setattr(REGISTRY["relu_forward"], "routine", lambda x: calls.append(1) or NotImplemented)
    gg.relu(gg.ones(1000))
    assert bool(calls) == device.is_host


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_choosing_by_bits_is_exact(dtype):
    a = numpy.array([1.0, numpy.inf, numpy.nan, -0.0, 5e-324, -numpy.inf], dtype)
    b = a[::-1].copy()
    for mask in (a > 0, numpy.ones(6, bool), numpy.zeros(6, bool)):
        assert select(mask, a, b).tobytes() == numpy.where(mask, a, b).tobytes()
        assert masked(mask, a).tobytes() == numpy.where(mask, a.dtype.type(0), a).tobytes()


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_where(dtype, rng):
    a, b = rng.standard_normal((2, 30, 40)).astype(dtype)
    a[::2] = numpy.nan
    b[1::2] = numpy.inf
    mask = rng.random((30, 40)) < 0.5
    one = numpy.asarray(2.0, dtype)
    for x1, x2 in ((a, b), (a, one), (one, b), (a, 0.0), (-0.0, b), (one, one), (a.T.copy().T, b[::-1])):
        got = composed.chosen.routine(mask, x1, x2)
        assert got.dtype == dtype
        assert got.tobytes() == numpy.where(mask, x1, x2).tobytes()
    spread = numpy.repeat(mask, 2, axis=1)[:, ::2]
    assert composed.chosen.routine(spread, a, b).tobytes() == numpy.where(spread, a, b).tobytes()
    for arguments in ((mask, a, b[0]), (mask[0], a, b), (mask, a, b.astype("f2")), (mask, 1.0, 2.0), (mask, 1, b > 0),
                      (mask[:2, :2], a[:2, :2], b[:2, :2]), (True, a, b)):  # fmt: skip
        assert composed.chosen.routine(*arguments) is NotImplemented


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("of_mask", [(8, 6, 5, 7), (8, 6, 1, 1), (8, 1, 1, 1), (1, 1, 1, 1)])
def test_dropout(of_mask, dtype, rng):
    x = rng.standard_normal((8, 6, 5, 7)).astype(dtype)
    x[:, :3] = numpy.inf
    x[:2] = numpy.nan
    mask = rng.random(of_mask) < 0.5
    for values in (x, x.transpose(0, 1, 3, 2)[..., :5] if of_mask[-1] == 1 else x[::-1]):
        before = values.copy()
        got = composed.thinned.routine(values, mask, 2.0)
        numpy.testing.assert_array_equal(got, numpy.where(mask, values * 2, 0))
        numpy.testing.assert_array_equal(values, before)
        assert got.dtype == dtype
    for other in (numpy.ones((1, 6, 1, 1), bool), mask.astype("f4"), True):
        assert composed.thinned.routine(x, other, 2.0) is NotImplemented


def test_slopes_that_are_broadcast(rng):
    x, g = rng.standard_normal((2, 8, 6, 10)).astype("f4")
    for slope in (numpy.asarray(0.25, "f4"), rng.random((6, 1)).astype("f4")):
        for kernel in (REGISTRY["sloped_forward"], REGISTRY["sloped_backward"]):
            arrays = (x, slope) if kernel.name == "sloped_forward" else (g, x, slope)
            numpy.testing.assert_array_equal(kernel.routine(*arrays), kernel.reference(numpy, *arrays))
    assert REGISTRY["sloped_forward"].routine(x, rng.random((2, 8, 6, 10)).astype("f4")) is NotImplemented


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_logarithm_of_the_sigmoid(dtype, rng):
    values = [0.0, -0.0, 1e-30, 5.0, -5.0, 80.0, -80.0, 800.0, -800.0, numpy.inf, -numpy.inf, numpy.nan]
    x = numpy.concatenate([numpy.tile(values, 30), 3 * rng.standard_normal(600)]).astype(dtype)
    g = rng.standard_normal(x.shape).astype(dtype)
    close(composed.log_sigmoid.routine(x), composed.log_sigmoid.reference(numpy, x), dtype)
    close(composed.log_sigmoid_back.routine(g, x), composed.log_sigmoid_back.reference(numpy, g, x), dtype)
    assert composed.log_sigmoid.routine(x[:10]) is composed.log_sigmoid_back.routine(g[:10], x[:10]) is NotImplemented


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


def test_masks_of_other_shapes_are_left_to_the_reference():
    g, mask = numpy.ones((4, 100), "f4"), numpy.ones((4, 100), bool)
    assert composed.kept.routine(mask, g).tolist() == g.tolist()
    assert composed.dropped.routine(mask, g).tolist() == (0 * g).tolist()
    for other in (mask[:1], mask.astype("i4"), True):
        assert composed.kept.routine(other, g) is NotImplemented
