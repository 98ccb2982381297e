"""What slides over an array, compiled for the CPU, against the same slice by slice."""

from __future__ import annotations

import numpy
import pytest

import gpugrad as gg
from gpugrad.backend import llvm
from gpugrad.kernels import columns, compiled_windows, convolution, pooling
from gpugrad.kernels.windows import Window

pytestmark = pytest.mark.skipif(not llvm.wanted(), reason="llvmlite is not installed, or GPUGRAD_COMPILE is 0")
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def window(kernel, stride, dilation, before, inner, behind=None):
    """A window over so many elements, with a border behind that is as wide as the one before."""
    rows = zip(inner, before, behind or before, kernel, stride, dilation, strict=True)
    outer = tuple((n + b + e - d * (k - 1) - 1) // s + 1 for n, b, e, k, s, d in rows)
    return Window(kernel, stride, dilation, before, inner, outer)


WINDOWS = [
    window((3,), (1,), (1,), (1,), (20,)),
    window((4,), (2,), (3,), (5,), (40,)),
    window((5, 5), (1, 1), (1, 1), (2, 2), (14, 14)),
    window((2, 2), (2, 2), (1, 1), (0, 0), (8, 34)),
    window((3, 3), (2, 2), (1, 1), (1, 1), (7, 37), (0, 2)),
    window((3, 2), (1, 2), (2, 1), (3, 0), (6, 9)),
    window((2, 3), (3, 3), (1, 2), (1, 1), (9, 50)),
    window((1, 1), (2, 1), (1, 1), (0, 0), (5, 4)),
    window((9, 1), (1, 1), (1, 1), (4, 8), (3, 3)),
    window((2, 3, 2), (1, 2, 2), (1, 1, 2), (1, 1, 0), (4, 5, 6)),
    window((2, 4, 4), (2, 4, 5), (1, 1, 1), (0, 1, 0), (4, 8, 21)),
]
LARGE = window((17, 16), (1, 1), (1, 1), (2, 2), (20, 20))


@pytest.fixture(autouse=True)
def of_any_size(monkeypatch):
    monkeypatch.setattr(compiled_windows, "LEAST", 1)
    monkeypatch.setattr(compiled_windows, "LIGHT_STEP", 64)


def both(function, *arguments, compiled=True):
    """What a function gives with machine code and without; with 1 and with 3 threads the bits are the same."""
    before = gg.get_num_threads()
    try:
        results = []
        for threads in (1, 3):
            gg.set_num_threads(threads)
            results.append(numpy.array(function(*arguments)))
    finally:
        gg.set_num_threads(before)
    assert results[0].tobytes() == results[1].tobytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled_windows, "usable", lambda *_: False)
        return results[0], numpy.array(function(*arguments))


def close(got, expected, dtype, exactly=False):
    assert (got.shape, got.dtype) == (expected.shape, expected.dtype)
    tolerance = 0 if exactly else {"float32": 2e-5, "float64": 1e-13}[dtype]
    numpy.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)


def drawn(rng, shape, dtype, odd=False):
    """Small integers and their like, so that there are ties; with ``odd`` with other strides."""
    x = (rng.integers(-9, 10, shape) / 2).astype(dtype)
    return numpy.ascontiguousarray(x.T).T[..., ::-1] if odd else x


@every_dtype
@pytest.mark.parametrize("w", WINDOWS, ids=str)
def test_columns(w, dtype, rng):
    for odd in (False, True):
        x = drawn(rng, (3, 4, *w.inner), dtype, odd)
        buffers = {}
        for y in (x, x + 1):  # the second time into the buffers of the first
            got, expected = both(columns.gathered, numpy, y, w, buffers)
            close(got, expected.reshape(got.shape), dtype, exactly=True)
        whole = drawn(rng, (3, *w.kernel, 4, *w.outer), dtype)

        def added(begin, whole=whole):
            y = begin.copy("K")
            columns.added(numpy, whole, y, w)
            return y

        close(*both(added, x), dtype)


@every_dtype
@pytest.mark.parametrize("w", [*WINDOWS, LARGE], ids=str)
def test_pooling(w, dtype, rng):
    for odd in (False, True):
        x = drawn(rng, (2, 3, *w.inner), dtype, odd)
        if not odd:
            x.reshape(-1)[:: max(3, x.size // 7)] = numpy.nan
            x.reshape(-1)[1 :: max(4, x.size // 5)] = -numpy.inf
        y = both(pooling.largest, numpy, x, w)
        close(*y, dtype, exactly=True)
        which = both(pooling.winners, numpy, x, y[1], w)
        close(*which, dtype, exactly=True)
        g = drawn(rng, y[0].shape, dtype, odd)
        close(*both(pooling.returned, numpy, g, which[1], w), dtype)
        counts = pooling.counted(w, w.before, False)
        counts = tuple(tuple(max(1, n) for n in row) for row in counts)
        if odd:
            close(*both(pooling.average, numpy, x, w, counts), dtype)
        close(*both(pooling.average_back, numpy, g, w, counts), dtype)


@every_dtype
@pytest.mark.parametrize("w", WINDOWS, ids=str)
def test_convolution_of_each_channel(w, dtype, rng):
    for odd in (False, True):
        x, g = (drawn(rng, (2, 3, *sizes), dtype, odd) for sizes in (w.inner, w.outer))
        weight, bias = drawn(rng, (3, 1, *w.kernel), dtype, odd), drawn(rng, (3,), dtype)
        for b in (None, bias):
            close(*both(convolution.convolve, numpy, x, weight, b, w, 3), dtype)
            close(*both(convolution.spread, numpy, g, weight, b, w, 3), dtype)
        close(*both(convolution.filters, numpy, x, g, w, 3), dtype)


def test_what_is_left_to_numpy(rng, monkeypatch):
    w = WINDOWS[0]
    x = drawn(rng, (3, 20), "float32")
    for odd in (x.astype("float16"), x.astype("int32"), x.astype(">f4"), x[:0]):
        assert not compiled_windows.usable(w, 60, odd)
    assert not compiled_windows.usable(w, 60, x, x.astype("float64"))
    many = window((2,) * 4, (1,) * 4, (1,) * 4, (0,) * 4, (3,) * 4)
    assert not compiled_windows.usable(many, 81, numpy.ones((1, 3, 3, 3, 3), "float32"))
    assert compiled_windows.usable(w, 60, x)
    monkeypatch.setattr(compiled_windows, "LEAST", 61)
    assert not compiled_windows.usable(w, 60, x)
