"""Column kernels against their references: dtypes, thread orders, many rows; and gradients of norms, which use them."""

from __future__ import annotations

from contextlib import nullcontext

import numpy
import pytest
from test_against_reference import COLUMNS, DTYPES, every_dtype
from test_row_kernels import TOLERANCE, placed

from gpugrad import backend
from gpugrad.kernels import column_sums, composed
from gpugrad.testing import cuda_simulator


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


def drawn(rng, dtype, rows, *sizes):
    """``g``, ``x``, the means and the factors of rows."""
    g, x = rng.standard_normal((2, rows, *sizes)).astype(DTYPES[dtype])
    wide = "f8" if dtype == "float64" else "f4"
    return g, x, *rng.uniform(0.5, 2, (2, rows, *(1 for _ in sizes))).astype(wide)


def expected_of(kernel, arrays, more):
    wide = [a if a.dtype.itemsize > 2 else a.astype("f4") for a in arrays]
    return [y.astype(arrays[0].dtype).astype("f8") for y in kernel.reference(numpy, *wide, *more)]


def test_every_column_kernel_is_compared_here():
    assert [composed.normalized_sums] == COLUMNS


@every_dtype
@pytest.mark.parametrize("most", [1 << 14, 40], ids=["at once", "in parts"])
def test_sums_of_columns(cupy, dtype, most, rng, monkeypatch):
    monkeypatch.setattr(column_sums, "MOST_ROWS", most)
    kernel = composed.normalized_sums
    for order, (rows, sizes, centred) in enumerate([(100, (19,), True), (1, (3, 16), False), (70, (1,), True)]):
        arrays, more = drawn(rng, dtype, rows, *sizes), (tuple(range(-len(sizes), 0)), centred)
        simulated = cuda_simulator.is_installed()
        with (
            cuda_simulator.thread_order(order) if simulated else nullcontext(),
            cuda_simulator.guarded() if simulated else nullcontext(),
            cuda_simulator.count() if simulated else nullcontext() as seen,
        ):
            got = kernel(cupy, *(placed(cupy, a) for a in arrays), *more)
        if seen is not None:
            assert seen.kernels[kernel.name] == 1
            assert seen.launches == 1 or rows > most
        for a, b in zip(got, expected_of(kernel, arrays, more), strict=True):
            assert (a.shape, a.dtype) == (sizes, DTYPES[dtype])
            numpy.testing.assert_allclose(cupy.asnumpy(a).astype("f8"), b, TOLERANCE[dtype], 30 * TOLERANCE[dtype])


@every_dtype
def test_gradients_of_a_norm_take_two_launches(cupy, dtype, rng):
    g, x, shift, rstd = drawn(rng, dtype, 12, 40)
    w = rng.standard_normal(40).astype(DTYPES[dtype])
    same = numpy.broadcast_to(g[:1, :1], g.shape)  # the gradient of a sum
    for up, centred in ((g, True), (g, False), (same, True)):
        given = [placed(cupy, a) for a in (up, x, shift, rstd, w)]
        with cuda_simulator.count() if cuda_simulator.is_installed() else nullcontext() as seen:
            d, by_weight, by_bias = composed.standardized_gradients(cupy, *given, (1,), centred, True)
        if seen is not None:
            assert seen.launches == (2 if up is g else 3)
        wide = [a if a.dtype.itemsize > 2 else a.astype("f4") for a in (up, x, shift, rstd, w)]
        expected = composed.standardized_back.reference(numpy, *wide, (1,), centred, True)
        sums = [y.sum(0) for y in expected[1:]]
        for a, b in zip((d, by_weight, by_bias), (expected[0], *sums), strict=True):
            assert a.shape == b.shape
            assert a.dtype == DTYPES[dtype] or a is d  # which the walk rounds, where dtypes are mixed
            tolerance = TOLERANCE[dtype]
            numpy.testing.assert_allclose(cupy.asnumpy(a).astype("f8"), b, tolerance, 20 * tolerance)


def test_what_is_left_to_the_reference(cupy):
    kernel, owner = composed.normalized_sums, backend.BACKENDS[cupy.ndarray]
    x, r = cupy.ones((3, 4), "f4"), cupy.ones((3, 1), "f4")
    none = x[:0], x[:0], r[:0], r[:0]
    for given, axes in ((x, x, r, r), (0,)), ((x, x[:2], r, r), (1,)), ((x, x.astype("i4"), r, r), (1,)), (none, (1,)):
        assert kernel.launch(cupy, owner, (*given, axes, True)) is NotImplemented
