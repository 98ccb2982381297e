"""Row kernels with parameters, results and arrays of several kinds, against their references: norms and labels."""

from __future__ import annotations

import itertools
from contextlib import nullcontext

import numpy
import pytest
from test_against_reference import DTYPES, every_dtype

from gpugrad import backend
from gpugrad.kernels import composed, labels
from gpugrad.testing import cuda_simulator

TOLERANCE = {"float16": 2e-3, "bfloat16": 2e-2, "float32": 2e-5, "float64": 1e-12}


@pytest.fixture(scope="module")
def cupy(request):
    """CuPy where the run is on a GPU, else its stand-in."""
    if request.config.getoption("--device") == "cuda":
        import cupy

        yield cupy
        return
    with cuda_simulator.installed() if not cuda_simulator.is_installed() else nullcontext():
        import cupy

        backend.load_cuda()
        yield cupy


def placed(cupy, a):
    """A device array; one that repeats a single number does so there too."""
    repeated = a.ndim and not any(a.strides)
    return cupy.broadcast_to(cupy.asarray(a.ravel()[:1]), a.shape) if repeated else cupy.asarray(a)


def compare(cupy, kernel, arrays, more, dtype, launches=1, copies=False):
    """One launch gives what the reference gives, in every result."""
    given = [None if a is None else placed(cupy, a) for a in arrays]
    with cuda_simulator.count() if cuda_simulator.is_installed() else nullcontext() as seen:
        got = kernel(cupy, *given, *more)
    if seen is not None:
        assert seen.kernels[kernel.name] == launches
        assert seen.launches == launches or not launches or copies, "nothing is copied before"
    with numpy.errstate(all="ignore"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "routine", None)  # it may sum the gradient of a weight by itself, as the compiled form
        patch.setattr(kernel, "compiled", lambda arguments: NotImplemented)
        expected = kernel(numpy, *arrays, *more)
    for a, b in zip(*(r if isinstance(r, tuple) else (r,) for r in (got, expected)), strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert (a.shape, a.dtype) == (b.shape, b.dtype)
            a, b = (numpy.asarray(v, "f8") for v in (cupy.asnumpy(a), b))
            numpy.testing.assert_allclose(a, b, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@every_dtype
@pytest.mark.parametrize("length", [7, 1500])
def test_norms(cupy, dtype, length, rng):
    x, g = rng.standard_normal((2, 2, 3, length)).astype(DTYPES[dtype])
    w, b = rng.standard_normal((2, length)).astype(DTYPES[dtype])
    for (weight, bias), centred in itertools.product([(w, b), (w, None), (None, None)], [True, False]):
        more = ((2,), 1e-3, centred)
        compare(cupy, composed.standardized, (x, weight, bias, None, None), more, dtype)
        _, shift, rstd = composed.standardized(numpy, x, weight, bias, None, None, *more)
        if weight is None:  # else the sums of columns are another kernel's, see test_column_kernels.py
            compare(cupy, composed.standardized_back, (g, x, shift, rstd, None), ((2,), centred, True), dtype)
        else:
            compare(cupy, composed.normalized_back, (g, x, shift, rstd, weight), ((2,), centred), dtype)
    compare(cupy, composed.standardized_back, (g, x, shift, rstd, w), ((2,), False, False), dtype)
    same = numpy.broadcast_to(g[:1, :1, :1], x.shape)  # the gradient of a sum
    compare(cupy, composed.standardized_back, (same, x, shift, rstd, None), ((2,), False, True), dtype, copies=True)


def test_norms_over_several_axes_and_known_means(cupy, rng):
    x, w = rng.standard_normal((3, 4, 5)).astype("f4"), rng.standard_normal((4, 5)).astype("f4")
    compare(cupy, composed.standardized, (x, w, None, None, None), ((1, 2), 1e-5, True), "float32")
    mean, var = (numpy.abs(rng.standard_normal((3, 1, 1))).astype("f4") for _ in range(2))
    compare(cupy, composed.standardized, (x, w, None, mean, var), ((1, 2), 1e-5, True), "float32")
    compare(cupy, composed.standardized, (x, None, None, None, None), ((0, 2), 1e-5, True), "float32", launches=0)
    compare(cupy, composed.standardized, (x[:0], None, None, None, None), ((2,), 1e-5, True), "float32", launches=0)


@every_dtype
@pytest.mark.parametrize("classes", [5, 1100])
def test_labels(cupy, dtype, classes, rng):
    x = rng.standard_normal((6, classes)).astype(DTYPES[dtype])
    g = rng.standard_normal(6).astype(DTYPES[dtype])
    w = rng.uniform(0, 1, classes).astype(DTYPES[dtype])
    w[1] = 0
    for label, weight, smoothing in itertools.product(["i4", "i8"], [None, w], [0.0, 0.1]):
        label = numpy.array([0, classes - 1, 3, -100, 2, 1], label)
        compare(cupy, labels.surprise, (x, label, weight), (-100, smoothing), dtype)
        _, shift, total = labels.surprise(numpy, x, label, weight, -100, smoothing)
        for slope in (g, numpy.broadcast_to(g[:1], g.shape)):  # the second: that of a mean
            compare(cupy, labels.surprise_back, (slope, x, label, weight, shift, total), (-100, smoothing), dtype)


def test_labels_of_scores_without_a_largest_number(cupy):
    x = numpy.array([[-numpy.inf, 1, 2], [numpy.inf, 1, 2], [numpy.nan, 1, 2], [-numpy.inf] * 3], "f4")
    compare(cupy, labels.surprise, (x, numpy.array([0, 1, 1, 0]), None), (-100, 0.0), "float32")
    compare(cupy, labels.surprise, (x[:, 0], numpy.array(1), None), (-100, 0.0), "float32", launches=0)


def test_labels_that_count(cupy, rng):
    """One launch on a GPU, where they are few enough for one block."""
    label = rng.integers(0, 3, (4, 40))
    label[1, ::2] = -100
    for given, dtype, launched in ((label, "f4", 1), (label.astype("i4"), "f4", 1), (label, "f8", 0)):
        with cuda_simulator.count() if cuda_simulator.is_installed() else nullcontext() as seen:
            got = labels.counted(cupy, cupy.asarray(given), -100, numpy.dtype(dtype))
        assert seen is None or seen.kernels["labels_of_row"] == launched
        assert (got.shape, got.dtype, float(cupy.asnumpy(got))) == ((), dtype, 140)
    for none in (cupy.full((2, 3), -100), cupy.full((0,), 1)):
        assert numpy.isnan(cupy.asnumpy(labels.counted(cupy, none, -100, numpy.dtype("f4"))))
    single = labels.counted(cupy, cupy.asarray(3), -100, numpy.dtype("f4"))
    assert cupy.asnumpy(single) == 1
