"""Where CuPy is not NumPy, a user of gpugrad sees no difference: the same call on both devices, values and errors.

The calls are those for which ``gpugrad/backend/cupy_functions.py`` mends CuPy, and their neighbours. On a run without
``--device``, the simulator stands in for CuPy; its own differences are tested in ``tests/testing``.
"""

from __future__ import annotations

import warnings
from contextlib import nullcontext

import numpy
import pytest

import gpugrad as gg
from gpugrad.testing import cuda_simulator

nan, inf = numpy.nan, numpy.inf
INPUTS = {
    "x": numpy.array([[0.5, -3.0, 0.0], [2.25, -0.75, 6.0]], "f4"),
    "y": numpy.array([[nan, inf, 3.0], [-inf, -0.0, 0.75]], "f4"),
    "wide": numpy.array([1e300, -7.0, 9.0, -0.0]),
    "short": numpy.array([0.5, -3.0, 2.25], "f2"),
    "i": numpy.array([[2, -1, 0], [4, 3, -5]], "i4"),
    "u": numpy.array([[4, 0, 250], [9, 1, 1]], "u1"),
    "mask": numpy.array([[True, False, True], [False, True, False]]),
    "c": numpy.array([[1j, 2 - 1j, 0], [3 + 2j, -1, 0.5j]], "c8"),
    "none": numpy.zeros((0, 3), "f4"),
    "s": numpy.array(1.5, "f4"),
    "p": numpy.array([0.5, 1.5, 4.0], "f4"),
    "far": numpy.array([0.5, 59.0, 61.0, 90.0, 399.0, 401.0, 1000.0, 1e7, inf, nan]),
    "places": numpy.array([[2, 0, 0]]),
}
ARITHMETIC = """
x % y | y % x | x // y | y // x | x % 0.7 | x // -0.7 | 4 % y | -4 // y | wide % 1e-300 | wide // 0.1 | wide % -inf
short % 0.3 | short // 0.3 | i % 3 | i // -3 | x % i | i // x | gg.divmod(x, y) | divmod(x, 0.7) | gg.fmod(x, y)
i ** -2 | 2 ** i | i ** i | gg.pow(i, -1) | i ** 3 | x ** -2 | x ** i | i ** -1.0 | mask ** i | gg.power(c, 0)
gg.clip(x, nan, 1) | gg.clip(x, -1, nan) | gg.clip(x, p * nan, 2) | gg.clip(y, -1, 1) | gg.clip(u, -9, 999)
gg.clip(u, 999, None) | gg.clip(i, 0.5, 2) | gg.clip(c, 0, 1) | gg.clip(x, 1, -1) | gg.clip(short, 0, 1)
gg.clip(x, 0, 2**66) | gg.sinc(y * 2.5) | gg.sinc(u) | gg.sinc(c) | gg.angle(y) | gg.angle(y, True) | gg.angle(c)
gg.angle(i) | gg.log2(c) | gg.log2(c[0, 2]) | gg.log2(p)
"""
NUMBERS = """
x + 2**66 | x - 2**66 | 2**66 / (x + 9) | x * -(2**66) | gg.maximum(x, 2**66) | x < 2**66 | x == 2**66 | c * 2**66
x % 2**66 | i + 2**66 | u + 300 | gg.where(mask, x, 2**66) | gg.where(mask, u, -1) | gg.where(mask, i, 2**40)
gg.where(True, x, i) | gg.where(False, 1.5, x) | gg.where(mask, x, 1j) | gg.isin(i, 3) | gg.isin(3, i)
gg.isin(i, [2, 4]) | gg.isin(y, inf) | gg.isclose(x, 2**66) | gg.logical_and(x, 1j) | gg.logical_or(mask, 0j)
gg.logical_xor(u, 999) | gg.logical_not(c) | gg.logical_xor(c, x)
"""
REDUCTIONS = """
gg.sum(s, axis=0) | gg.sum(s, axis=1) | gg.sum(s, axis=(0,)) | gg.prod(s, axis=-1) | gg.max(s, axis=0)
gg.min(s, axis=0, keepdims=True) | gg.all(s, axis=0) | gg.any(s, axis=0) | gg.argmax(s, axis=0) | gg.ptp(s, axis=0)
gg.nansum(s, axis=0) | gg.nanmax(s, axis=0) | gg.nanvar(s, axis=0) | gg.mean(s, axis=0) | gg.var(s, axis=0)
gg.count_nonzero(s, axis=0) | gg.nanargmin(s, axis=0) | gg.var(x, axis=2) | gg.std(x, axis=-3) | gg.std(x, axis=(0, 0))
gg.nanvar(x, axis=2) | gg.nanmedian(x, axis=2) | gg.nanmedian(y, axis=(0, 0)) | gg.nanmedian(i, axis=2)
gg.var(x, correction=6) | gg.var(x, correction=9) | gg.std(p, correction=3) | gg.std(p * 0, correction=3)
gg.var(i, correction=6) | gg.nanvar(x, correction=6) | gg.nanstd(y[0], correction=2) | gg.nanvar(y * 0)
gg.nanvar(none) | gg.nanstd(none, axis=0) | gg.nanvar(none, axis=1) | gg.var(none, axis=0) | gg.nanmedian(none)
gg.nanmedian(none, axis=0) | gg.nanmedian(none, axis=1, keepdims=True) | gg.median(none) | gg.nanmedian(y * nan)
gg.nanmedian(y) | gg.nanmedian(y, axis=1) | gg.nanmedian(-y, axis=0) | gg.nanmedian(short) | gg.nanmedian(i, axis=0)
gg.nansum(c + y * 1j) | gg.nanstd(c * y) | gg.nanvar(c + y * 1j, axis=0) | gg.nanvar(c, axis=1, keepdims=True)
gg.argmax(x, axis=(0, 1)) | gg.argmin(x, axis=()) | gg.nanargmax(x, axis=(0,)) | gg.argmax(x, axis=1, keepdims=True)
"""
SEQUENCES = """
gg.convolve(wide, p) | gg.convolve(y[0], p) | gg.convolve(p, y[0, :2], "same") | gg.convolve(p[:2], x[0], "same")
gg.convolve(p, y[0, :2], "valid") | gg.convolve(c[0], c[1]) | gg.convolve(short, short) | gg.convolve(i[0], i[1])
gg.convolve(p, i[0]) | gg.correlate(p, y[0], "full") | gg.correlate(c[0], c[1], "same") | gg.correlate(p[:2], x[0])
gg.concat([s, s]) | gg.concat([x, s]) | gg.concat([s, s], axis=None) | gg.linspace(0, 2j, 5) | gg.linspace(1j, 1, 3)
gg.logspace(0, 1j, 3) | gg.linspace(0, 1, 4) | gg.searchsorted(p, x, side="a") | gg.searchsorted(p, x, side="right")
gg.digitize(x, p) | gg.digitize(y, -p) | gg.digitize(x, x[0]) | gg.digitize(x, p[:1]) | gg.histogram(c)
gg.histogram(y, p) | gg.histogram(y, gg.tensor([-inf, 0, inf])) | gg.histogram(y, 2, (0, 3)) | gg.histogram(i, 3)
gg.histogram(x, bins=3, weights=x) | x[[0, 1], [0, 1, 2]] | x[[0, 1], [[0], [2]]]
"""
SPECIAL = """
gg.special.polygamma(2, p) | gg.special.polygamma(0, y) | gg.special.digamma(p) | gg.special.xlog1py(s * 0, y)
gg.special.xlog1py(0.0, y) | gg.special.xlog1py(x, 2.0) | gg.special.xlogy(0.0, y) | gg.special.xlogy(x, 2.0)
gg.special.xlogy(c, x) | gg.special.xlog1py(c, wide[:3]) | gg.special.xlog1py(p, c)
gg.special.i0e(far) | gg.special.i1e(far) | gg.special.k0e(far) | gg.special.k1e(far) | gg.special.i1e(-far)
gg.special.i0e(gg.astype(far, gg.float32)) | gg.special.i1e(gg.astype(far, gg.float32))
gg.special.k0e(gg.astype(far, gg.float32)) | gg.special.k1e(gg.astype(far, gg.float32)) | gg.special.kve(3, far[:8])
gg.special.i0e(gg.astype(far, gg.float16)) | gg.special.k1e(gg.tensor([3, 700, 1000])) | gg.special.ive(2, far[:8])
"""
GRADIENTS = """
lambda x: x % 0.7 | lambda x: 5 % (x + 0.1) | lambda x: gg.clip(x, nan, 1) | lambda x: x * 2**66
lambda x: gg.where(x > 0, x, 2**66) | lambda x: gg.sinc(x) | lambda x: gg.angle(x) * x
lambda x: gg.sum(x[0, 0], axis=0) | lambda x: gg.nanmedian(x, axis=1)
lambda x: gg.convolve(x[0], gg.tensor([nan, 1.0], device=x.device)) | lambda x: gg.var(x, correction=6)
lambda x: gg.convolve(gg.tensor([1e8, 1.0], device=x.device), x[1]) ** 2
lambda x: gg.correlate(x[0], x[1], "same") ** 2 | lambda x: gg.special.digamma(x + 4)
lambda x: gg.grad(lambda z: gg.sum(gg.special.gammaln(z)))(x + 4) | lambda x: gg.nanvar(x, axis=0, correction=1)
lambda x: gg.real(((x + 1j) * x)[0, [1, 1, 2]]) | lambda x: gg.real(gg.take(x * (2 - 1j), [2, 0, 0], axis=1) ** 2)
lambda x: gg.imag(gg.take_along_axis(x * (2 - 1j) * x, gg.asarray([[2, 0, 0]], device=x.device), axis=1))
"""
COMPLEX = """
gg.special.erf(c) | gg.special.erfc(c) | gg.special.ndtr(c) | gg.special.log_ndtr(c) | gg.special.digamma(c)
gg.arctan2(c, x) | gg.hypot(x, 1j) | gg.copysign(c, x) | gg.nextafter(c, x) | gg.bincount(places[0], c[0])
"""


def calls(text):
    return [call.strip() for line in text.strip().splitlines() for call in line.split(" | ")]


@pytest.fixture
def both(device):
    """The inputs on the CPU and on a device of CuPy."""
    with cuda_simulator.installed() if device.is_host else nullcontext():
        yield [{name: gg.tensor(values, device=place) for name, values in INPUTS.items()} for place in ("cpu", "cuda")]


def outcome(call, inputs):
    """The arrays that a call makes, or the class of its error."""
    gg.set_default_device(inputs["x"].device)
    try:
        with numpy.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a GPU gives none
            result = eval(call, {"gg": gg, "nan": nan, "inf": inf, **inputs})
    except Exception as error:
        return type(error)
    finally:
        gg.set_default_device(None)
    parts = result if isinstance(result, tuple) else (result,)
    return [numpy.asarray(part.detach().numpy()) for part in parts]


def compare(call, both):
    ours, theirs = outcome(call, both[1]), outcome(call, both[0])
    if isinstance(theirs, type) or isinstance(ours, type):
        assert isinstance(ours, type), f"{call}: {ours}, where the CPU raises {theirs}"
        assert isinstance(theirs, type), f"{call}: {ours}, where the CPU gives {theirs}"
        assert issubclass(ours, theirs) or issubclass(theirs, ours), call
        return
    for a, b in zip(ours, theirs, strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape), call
        few = 2e-3 if a.dtype == numpy.float16 else 2e-5
        numpy.testing.assert_allclose(a, b, rtol=few, atol=few / 100, err_msg=call)


@pytest.mark.parametrize("family", [ARITHMETIC, NUMBERS, REDUCTIONS, SEQUENCES, SPECIAL])
def test_values_and_errors_are_those_of_numpy(both, family):
    for call in calls(family):
        compare(call, both)


def test_zeros_have_the_signs_that_numpy_gives_them(both):
    for call in ("x % 3", "y % -3", "wide % 7", "x // 7", "-x // 7", "wide // -inf"):
        signs = [numpy.signbit(outcome(call, inputs)[0]) for inputs in both]
        assert (signs[0] == signs[1]).all(), call


def test_gradients_are_those_on_the_cpu(both):
    for function in calls(GRADIENTS):
        compare(f"gg.grad(lambda x: gg.sum(({function})(x)))(x)", both)


def test_complex_numbers_of_a_function_without_them_are_a_type_error(both):
    for call in calls(COMPLEX):
        assert outcome(call, both[1]) is TypeError, call


@pytest.mark.parametrize(
    ("index", "shape"),
    [
        ((numpy.array([1, 1, -3, 0, 1]),), (5, 4)),
        ((numpy.array([1, 1, -3, 0, 1]),), (1, 5, 1)),
        ((numpy.array([1, 1, -3, 0, 1]),), (4,)),
        ((numpy.array([[1, 2], [2, 1]]), numpy.array([3, 3])), (2, 2)),
        ((slice(None), numpy.array([3, 0, -1, 0])), (3, 4)),
        ((numpy.array([True, False, True]), numpy.array([2, 2])), (2,)),
        ((numpy.array([2]), numpy.array([1])), (1,)),
    ],
)
@pytest.mark.parametrize("order", range(4))
def test_of_values_written_to_one_place_the_last_one_stays(index, shape, order, device, rng):
    """In whichever order the device writes; the gradient is that of the value that stays."""
    x, v, w = (rng.normal(size=s) for s in ((3, 4), shape, (3, 4)))

    def written(x, v, w, index):
        return (gg.set_at(x, index, v) * w).sum()

    def run(place):
        arrays = [gg.tensor(a, device=place) for a in (x, v, w)]
        at = tuple(gg.tensor(e, device=place) if isinstance(e, numpy.ndarray) else e for e in index)
        made = gg.set_at(arrays[0], at, arrays[1])
        return [made, *gg.grad(written, (0, 1))(*arrays, at)]

    with cuda_simulator.installed() if device.is_host else nullcontext():
        with cuda_simulator.thread_order(order) if cuda_simulator.is_installed() else nullcontext():
            found = run("cuda")
        found = [a.to("cpu") for a in found]
    want = x.copy()
    want[index] = v if len(shape) < 3 else v[0]
    assert found[0].numpy().tolist() == want.tolist()
    for got, expected in zip(found, run("cpu"), strict=True):
        numpy.testing.assert_allclose(got.numpy(), expected.numpy())
