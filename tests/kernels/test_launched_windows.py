"""CUDA kernels of what slides over an array, against the same slice by slice: every mode, dtype and thread order."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from itertools import cycle

import numpy
import pytest
from test_against_reference import DTYPES, every_dtype
from test_compiled_windows import window

from gpugrad import backend
from gpugrad.kernels import columns, compiled_windows, convolution, launched_windows, pooling
from gpugrad.testing import cuda_simulator

WINDOWS = [
    window((4,), (2,), (3,), (5,), (40,)),
    window((5, 5), (1, 1), (1, 1), (2, 2), (8, 9)),
    window((2, 2), (2, 2), (1, 1), (0, 0), (6, 5)),
    window((3, 2), (1, 3), (2, 1), (3, 0), (6, 9), (0, 2)),
    window((17, 16), (1, 1), (1, 1), (2, 2), (18, 18)),
    window((2, 3, 2), (1, 2, 2), (1, 1, 2), (1, 1, 0), (4, 5, 6)),
]
SEEDS = cycle((0, 1, 2))


@pytest.fixture(scope="module")
def cupy(request):
    """CuPy where the run is on a GPU, else its stand-in; with the sources compiled, on all cores."""
    if request.config.getoption("--device") == "cuda":
        import cupy

        yield cupy
        return
    with cuda_simulator.installed() if not cuda_simulator.is_installed() else nullcontext():
        import cupy

        backend.load_cuda()
        used = [text for _, variant, text in launched_windows.sources() if variant in {*DTYPES, "float32 bias"}]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda text: cupy.RawModule(code=text).compile(), used))
        yield cupy


def wide(a):
    """Short floats in float32."""
    return a.astype("f4") if isinstance(a, numpy.ndarray) and a.dtype.itemsize == 2 and a.dtype.kind in "fV" else a


def compare(cupy, function, arrays, *more, kernel, most=1, exactly=False):
    """One launch gives what the reference gives slice by slice, in any order of the threads; the result."""
    given = [None if a is None else placed(cupy, a) for a in arrays]
    simulated = cuda_simulator.is_installed()
    with (
        cuda_simulator.thread_order(next(SEEDS)) if simulated else nullcontext(),
        cuda_simulator.count() if simulated else nullcontext() as seen,
    ):
        got = function(cupy, *given, *more)
    if seen is not None:
        assert seen.kernels[f"window_{kernel}"] == 1
        assert seen.launches <= most
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled_windows, "usable", lambda *_: False)
        expected = function(numpy, *map(wide, arrays), *more)
    dtype = next(a.dtype for a in arrays if a is not None)
    expected = expected.astype(dtype) if expected.dtype == "f4" else expected
    assert (got.shape, got.dtype) == (expected.shape, expected.dtype)
    tolerance = 0 if exactly else {2: 2e-3 if dtype == "f2" else 1e-2, 4: 2e-5, 8: 1e-13}[dtype.itemsize]
    a, b = (numpy.asarray(v, "f8") for v in (cupy.asnumpy(got), expected))
    numpy.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * 4)
    return expected


def placed(cupy, a):
    """A device array with the strides of one of NumPy, as far as those are of transposed and reversed arrays."""
    if a.flags.c_contiguous:
        return cupy.asarray(a)
    if a.ndim == 1:
        return cupy.asarray(numpy.repeat(a, 2))[::2]
    return cupy.asarray(numpy.ascontiguousarray(a[..., ::-1].T)).T[..., ::-1]


def drawn(rng, shape, dtype, odd=False):
    """Small integers and their like, so that there are ties; with ``odd`` with other strides."""
    x = (rng.integers(-9, 10, shape) / 2).astype(DTYPES[dtype])
    return numpy.ascontiguousarray(x.T).T[..., ::-1] if odd else x


@every_dtype
@pytest.mark.parametrize("w", WINDOWS, ids=str)
def test_columns(cupy, w, dtype, rng):
    odd = drawn(rng, (2, 3, *w.inner), dtype, odd=True)
    compare(cupy, columns.gathered, (odd,), w, {}, kernel="copy", exactly=True)
    x = drawn(rng, (2, 3, *w.inner), dtype)
    whole = compare(cupy, convolution.unfold, (x,), w, kernel="copy", exactly=True)
    compare(cupy, convolution.fold, (whole,), w, kernel="add")

    def added(xp, begin, whole):
        y = xp.array(begin, copy=True)
        columns.added(xp, xp.reshape(whole, (2, *w.kernel, 3, *w.outer)), y, w)
        return y

    compare(cupy, added, (odd, whole), kernel="add", most=2)


@every_dtype
@pytest.mark.parametrize("w", WINDOWS, ids=str)
def test_pooling(cupy, w, dtype, rng):
    if w.size > 255 and dtype != "float32":
        return  # which offset won is then another dtype
    for odd in (False, True):
        x = drawn(rng, (2, 3, *w.inner), dtype, odd)
        if not odd:
            x.reshape(-1)[:: max(3, x.size // 7)] = numpy.nan
            x.reshape(-1)[1 :: max(4, x.size // 5)] = -numpy.inf
        y = compare(cupy, pooling.largest, (x,), w, kernel="max", most=1 + odd, exactly=True)
        which = compare(cupy, pooling.winners, (x, y), w, kernel="win", most=1 + odd, exactly=True)
        compare(cupy, pooling.won, (x, which), w, kernel="won", most=1 + odd, exactly=True)
        g = drawn(rng, y.shape, dtype, odd)
        compare(cupy, pooling.returned, (g, which), w, kernel="back", most=1 + odd)
        counts = pooling.counted(w, w.before, False)
        if all(map(all, counts)):
            compare(cupy, pooling.average_back, (g,), w, counts, kernel="share", most=8)
            if odd:
                compare(cupy, pooling.average, (x,), w, counts, kernel="sum", most=8)
        even = ((3,),)
        compare(cupy, pooling.average_back, (g,), w, even, kernel="share", most=1 + odd)
        if odd:
            compare(cupy, pooling.average, (x,), w, even, kernel="sum", most=1 + odd)


@every_dtype
@pytest.mark.parametrize("w", WINDOWS, ids=str)
def test_convolution_of_each_channel(cupy, w, dtype, rng):
    for odd in (False, True):
        x, g = (drawn(rng, (2, 3, *sizes), dtype, odd) for sizes in (w.inner, w.outer))
        weight, bias = drawn(rng, (3, 1, *w.kernel), dtype, odd) / 8, drawn(rng, (3,), dtype)
        weight = weight.astype(DTYPES[dtype])
        for b in (None, bias)[: 2 if dtype == "float32" else 1]:
            compare(cupy, convolution.convolve, (x, weight, b), w, 3, kernel="scale", most=1 + odd)
            compare(cupy, convolution.spread, (g, weight, b), w, 3, kernel="turn", most=1 + odd)
        compare(cupy, convolution.filters, (x, g), w, 3, kernel="dot")


def test_convolution_through_columns(cupy, rng, monkeypatch):
    """In one piece; and in several, of which none needs a buffer larger than is stated."""
    for w, most in (WINDOWS[1], 6), (WINDOWS[3], 6), (WINDOWS[0], 6):
        x, g = drawn(rng, (4, 4, *w.inner), "float32"), drawn(rng, (4, 6, *w.outer), "float32")
        weight, bias = drawn(rng, (6, 2, *w.kernel), "float32") / 8, drawn(rng, (8,), "float32")[::2]
        compare(cupy, convolution.filters, (x, g), w, 2, kernel="copy", most=3)
        compare(cupy, convolution.convolve, (x, weight, None), w, 2, kernel="copy", most=3)
        compare(cupy, convolution.spread, (g, weight, bias), w, 2, kernel="add", most=most)
    for limit in (2 * 4 * 4 * w.size * w.positions, 4 * 4 * w.size * 5):
        monkeypatch.setattr(convolution, "DEVICE_BYTES", limit)
        pieces = len(list(convolution._pieces(cupy.asarray(x), 4, w)))
        assert pieces > 1
        got = [f(cupy, *map(cupy.asarray, a), *b, w, 2) for f, a, b in (
            (convolution.convolve, (x, weight), (None,)), (convolution.spread, (g, weight), (None,)),
            (convolution.filters, (x, g), ()))]  # fmt: skip
        expected = [convolution.convolve(numpy, x, weight, None, w, 2),
                    convolution.spread(numpy, g, weight, None, w, 2),
                    convolution.filters(numpy, x, g, w, 2)]  # fmt: skip
        for a, b in zip(got, expected, strict=True):
            numpy.testing.assert_allclose(cupy.asnumpy(a), b, rtol=2e-5, atol=1e-4)


def test_64_bit_indices(cupy, rng, monkeypatch):
    monkeypatch.setattr(launched_windows, "MOST_NARROW", 10)
    monkeypatch.setattr(launched_windows, "_plans", {})
    w = WINDOWS[3]
    x, g = drawn(rng, (2, 3, *w.inner), "float32", odd=True), drawn(rng, (2, 3, *w.outer), "float32")
    weight = drawn(rng, (3, 1, *w.kernel), "float32")
    y = compare(cupy, pooling.largest, (x,), w, kernel="max", most=2, exactly=True)
    which = compare(cupy, pooling.winners, (x, y), w, kernel="win", most=2, exactly=True)
    compare(cupy, pooling.returned, (g, which), w, kernel="back")
    compare(cupy, convolution.unfold, (x,), w, kernel="copy", most=2, exactly=True)
    compare(cupy, convolution.filters, (x, g), w, 3, kernel="dot")
    compare(cupy, convolution.spread, (g, weight, None), w, 3, kernel="turn")


def test_what_is_left_to_slices(cupy, rng):
    w = WINDOWS[2]
    x = cupy.asarray(rng.integers(0, 9, (2, 6, 5)))
    assert launched_windows.pooled(cupy, "max", x, w) is NotImplemented
    assert launched_windows.owner_of(numpy.ones(3)) is None
    assert launched_windows.owner_of(cupy.ones(3), cupy.ones(3, "f4")) is None
    numpy.testing.assert_array_equal(cupy.asnumpy(pooling.largest(cupy, x, w)),
                                     pooling.largest(numpy, cupy.asnumpy(x), w))  # fmt: skip
    empty = cupy.ones((0, 3, *w.inner), "f4")
    assert convolution.unfold(cupy, empty, w).shape == (0, 12, w.positions)
