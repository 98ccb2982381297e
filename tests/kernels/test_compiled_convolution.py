"""Convolutions without columns: the same as through columns, on every kind of CPU, with any number of threads."""

import numpy
import pytest

import gpugrad as gg
from gpugrad.backend import llvm
from gpugrad.kernels import compiled_convolution as compiled
from gpugrad.kernels import compiled_product as product
from gpugrad.kernels import convolution
from gpugrad.kernels.windows import Window

pytestmark = pytest.mark.skipif(not llvm.wanted(), reason="needs llvmlite")


def window(sizes, kernel, stride, padding, dilation):
    """A window of as many axes as there are sizes."""
    sees = [dilation * (k - 1) + 1 for k in kernel]
    outer = tuple((n + 2 * padding - s) // stride + 1 for n, s in zip(sizes, sees, strict=True))
    every = [(number,) * len(sizes) for number in (stride, dilation, padding)]
    return Window(kernel, *every, sizes, outer)


# images, channels, sizes, outputs, kernel, stride, padding, dilation
ROWS = [
    (3, 5, (9, 12), 40, (3, 3), 1, 1, 1),
    (2, 20, (8, 33), 17, (3, 2), 1, 2, 1),
    (2, 20, (13, 11), 33, (4, 4), 2, 1, 1),
    (2, 11, (12, 9), 16, (5, 5), 3, 2, 2),
    (2, 16, (4, 4), 20, (3, 3), 1, 1, 1),
    (2, 24, (5, 5), 16, (1, 1), 1, 0, 1),
    (3, 24, (7, 7), 16, (1, 1), 2, 0, 1),
    (2, 12, (50,), 20, (5,), 1, 2, 1),
    (2, 12, (50,), 20, (3,), 2, 0, 3),
    (2, 16, (3, 3), 16, (2, 2), 5, 2, 1),
    (2, 6, (4, 7, 8), 20, (3, 3, 2), 1, 1, 1),
    (2, 6, (5, 6, 9), 20, (2, 3, 3), 2, 1, 2),
]


def three(rng, dtype, images, channels, sizes, outputs, kernel, *numbers):
    """The three maps of a convolution, each as a function without arguments."""
    w = window(sizes, kernel, *numbers)
    x, g = (rng.standard_normal(s).astype(dtype) for s in ((images, channels, *sizes), (images, outputs, *w.outer)))
    x, g = x[:, ::-1], g[..., ::-1]  # not contiguous
    filters = rng.standard_normal((outputs, channels, *kernel)).astype(dtype)
    bias, other = (rng.standard_normal(n).astype(dtype) for n in (outputs, channels))
    return {
        "convolve": lambda: convolution.convolve(numpy, x, filters, bias, w, 1),
        "spread": lambda: convolution.spread(numpy, g, filters, other, w, 1),
        "filters": lambda: convolution.filters(numpy, x, g, w, 1),
    }


def forget():
    for function in (product._tiles, product._packed, product.tiling):
        function.cache_clear()


@pytest.fixture
def every(monkeypatch):
    """Small arrays too."""
    monkeypatch.setattr(compiled, "LEAST", 0)
    monkeypatch.setattr("gpugrad.kernels.compiled_windows.LEAST", 0)
    monkeypatch.setattr(compiled, "PAGE", 1 << 40)
    monkeypatch.setattr(compiled, "FEWEST", 1)
    yield monkeypatch
    forget()


@pytest.mark.parametrize("registers", [None, (32, 12), (16, 24)], ids=["this CPU", "AVX2", "NEON"])
def test_the_same_as_through_columns(every, registers):
    if registers is not None:
        every.setattr(product, "registers", lambda: product.Registers(*registers))
        forget()
    calls = dict.fromkeys(("convolve", "spread", "filters"), 0)
    for name in calls:
        counted(every, name, calls)
    for number, row in enumerate(ROWS if registers is None else ROWS[:3] + ROWS[-1:]):
        dtype = ("float32", "float64")[number % 2]
        for name, function in three(numpy.random.default_rng(1), dtype, *row).items():
            found = function()
            with every.context() as without:
                without.setattr(compiled, "LEAST", 1 << 60)
                wanted = function()
            assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
            most = 30 * numpy.finfo(dtype).eps * numpy.abs(wanted).max()
            numpy.testing.assert_allclose(found, wanted, rtol=0, atol=most, err_msg=f"{name} {row}")
    assert all(n > 2 for n in calls.values()), calls


def counted(patch, name, calls):
    """Count what is computed without columns."""
    function = getattr(compiled, name)

    def call(*arguments):
        found = function(*arguments)
        calls[name] += found is not NotImplemented
        return found

    patch.setattr(compiled, name, call)


def test_the_same_bits_with_any_number_of_threads(every):
    before = gg.get_num_threads()
    maps = three(numpy.random.default_rng(2), "float32", 5, 16, (18, 17), 48, (3, 3), 1, 1, 1)
    try:
        for function in maps.values():
            found = []
            for threads in (1, 2, 4):
                gg.set_num_threads(threads)
                found.append(function().tobytes())
            assert found[0] == found[1] == found[2]
    finally:
        gg.set_num_threads(before)


def test_what_is_left_to_columns(every):
    """Large images go through columns in strips; single positions and few channels are faster there."""
    x, w = numpy.ones((1, 16, 8, 8), "float32"), numpy.ones((16, 16, 3, 3), "float32")
    seen, one = window((8, 8), (3, 3), 1, 1, 1), window((3, 3), (3, 3), 1, 0, 1)
    assert compiled.convolve(x, w, None, seen) is not NotImplemented
    assert compiled.convolve(x, w[:9], None, seen) is NotImplemented
    assert compiled.convolve(x, w.astype("float64"), None, seen) is NotImplemented
    every.setattr(compiled, "FEWEST", 4)
    assert compiled.convolve(x[:, :, :3, :3], w, None, one) is NotImplemented
    every.setattr(compiled, "LARGEST", 1000)
    assert compiled.convolve(x, w, None, seen) is NotImplemented


@pytest.mark.parametrize(("rows", "terms", "channels"), [(5, 9, 33), (17, 16, 100), (32, 40, 16), (1, 30, 64)])
def test_products_with_weights_that_are_laid_out_once(monkeypatch, rows, terms, channels):
    monkeypatch.setattr(product, "LEAST", 0)
    rng = numpy.random.default_rng(3)
    h, w = rng.standard_normal((rows, terms)), rng.standard_normal((terms, channels))
    wide = numpy.full((rows, channels + 3), 7.0)
    for weights in (w, numpy.asfortranarray(w), w[:, ::-1]):
        multiplied = product.by(numpy, weights, rows, 8)
        for given in (h, numpy.asfortranarray(h), h[: rows - 1]):
            out = wide[: len(given), :channels]
            assert multiplied(given, out) is out
            numpy.testing.assert_allclose(out, given @ weights, rtol=0, atol=1e-13)
            assert multiplied(given).tobytes() == out.tobytes()
    assert (wide[:, channels:] == 7).all()
