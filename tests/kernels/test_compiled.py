"""Kernels compiled for the CPU against their references: dtypes, layouts, sizes, special values, threads."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy
import pytest
from test_against_reference import CHANGING, DTYPES, PURE, SCALARS, TOLERANCE, every_dtype

import gpugrad as gg
from gpugrad.backend import llvm
from gpugrad.kernels import REGISTRY, compiled, composed
from gpugrad.kernels.elementwise import Elementwise

pytestmark = [pytest.mark.any_device]
needs_compiler = pytest.mark.skipif(not llvm.wanted(), reason="llvmlite is not installed, or GPUGRAD_COMPILE is 0")
by_name = {"ids": lambda k: k.name}
SIZES = (0, 1, 15, 16, 17, 1000)
AWKWARD = (0.0, -0.0, numpy.inf, -numpy.inf, numpy.nan, 1e-40, -1e-40, 3e4, -3e4, 88.0, -104.0)
THREE = REGISTRY["sloped_backward"]


@pytest.fixture(autouse=True)
def quiet():
    with numpy.errstate(all="ignore"):
        yield


@pytest.fixture
def always():
    """Compile for arrays of any size, and share out small ones too."""
    before = Elementwise.least, compiled.LIGHT_STEP, compiled.HEAVY_STEP
    Elementwise.least = 0
    yield
    Elementwise.least, compiled.LIGHT_STEP, compiled.HEAVY_STEP = before


def close(got, expected, dtype, scale=1):
    assert (got.shape, got.dtype) == (expected.shape, expected.dtype)
    got, expected = (a.astype("float64") for a in (got, expected))
    numpy.testing.assert_allclose(got, expected, rtol=scale * TOLERANCE[dtype], atol=scale * TOLERANCE[dtype])


def drawn(rng, kernel, shape, dtype):
    arrays = [3 * rng.standard_normal(shape) for _ in kernel.arrays]
    if kernel.changes:
        arrays = [numpy.abs(a) for a in arrays]
    return [a.astype(DTYPES[dtype]) for a in arrays]


def scalars_of(kernel):
    return [SCALARS[name] for name in kernel.scalars]


def reference(kernel, arrays, scalars):
    """What the kernel gives without a compiler."""
    least, Elementwise.least = Elementwise.least, sys.maxsize
    routine, kernel.routine = kernel.routine, None
    try:
        return kernel(numpy, *arrays, *scalars)
    finally:
        Elementwise.least, kernel.routine = least, routine


@needs_compiler
@every_dtype
@pytest.mark.parametrize("kernel", PURE, **by_name)
def test_elementwise(kernel, dtype, rng):
    scalars = scalars_of(kernel)
    for size in SIZES:
        arrays = drawn(rng, kernel, size, dtype)
        for a in arrays:
            a[: len(AWKWARD)] = rng.permutation(AWKWARD)[: a.size].astype(a.dtype)
        before = [a.tobytes() for a in arrays]
        close(kernel.compiled((*arrays, *scalars)), reference(kernel, arrays, scalars), dtype)
        assert [a.tobytes() for a in arrays] == before


@needs_compiler
@every_dtype
@pytest.mark.parametrize("kernel", CHANGING, **by_name)
def test_in_place(kernel, dtype, rng):
    scalars = scalars_of(kernel)
    scale = 1 if "step_back" not in kernel.name else 8  # 1 - tanh^2 cancels
    for size in (0, 1, 40, 1000):
        arrays = drawn(rng, kernel, size, dtype)
        copies = [a.copy() for a in arrays]
        assert kernel.compiled((*arrays, *scalars)) is None
        reference(kernel, copies, scalars)
        for a, b in zip(arrays, copies, strict=True):
            close(a, b, dtype, scale)


LAYOUTS = {
    "transposed": lambda draw: (draw(5, 40).T, draw(5, 40).T, draw(40, 5)),
    "every second": lambda draw: (draw(80)[::2], draw(40), draw(40)),
    "backwards": lambda draw: (draw(7, 40)[::-1, ::-1], draw(7, 40), draw(7, 40)[:, ::-1]),
    "broadcast rows": lambda draw: (draw(1, 40), draw(7, 40), draw(40)),
    "broadcast columns": lambda draw: (draw(7, 1), draw(7, 40), draw()),
    "outer": lambda draw: (draw(7, 1), draw(40), draw(1, 1)),
    "permuted": lambda draw: (draw(3, 4, 5).transpose(2, 0, 1), draw(5, 3, 4), draw(5, 1, 4)),
    "0-d": lambda draw: (draw(), draw(), draw()),
    "nothing": lambda draw: (draw(0, 3), draw(3), draw(0, 1)),
    "one element": lambda draw: (draw(1, 1), draw(1), draw()),
    "columns of a matrix": lambda draw: (draw(30, 8)[:, 2], draw(30, 8)[:, 3], draw(30)),
    "six axes": lambda draw: (draw(2, 3, 2, 3, 2, 3)[:, ::2, :, ::2, :, ::2], draw(2, 1, 2, 1, 2, 1), draw(1)),
}


@needs_compiler
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_layouts(layout, dtype, rng):
    arrays = LAYOUTS[layout](lambda *shape: numpy.asarray(rng.standard_normal(shape)).astype(dtype))
    got = THREE.compiled(arrays)
    expected = numpy.asarray(reference(THREE, arrays, ()))
    close(got, expected, dtype)
    assert not any(numpy.may_share_memory(got, a) for a in arrays)
    one = REGISTRY["silu_forward"]
    got = one.compiled(arrays[:1])
    close(got, numpy.asarray(reference(one, arrays[:1], ())), dtype)
    if arrays[0].size > 1 and 0 not in arrays[0].strides:
        assert numpy.argsort(got.strides).tolist() == numpy.argsort(numpy.abs(arrays[0].strides)).tolist()


@needs_compiler
def test_layouts_that_are_left_to_numpy(rng):
    x = rng.standard_normal(40).astype("float32")
    records = numpy.zeros(40, [("a", "i1"), ("x", "f4")])
    cube = rng.standard_normal((2,) * 14).astype("float32")[(slice(None, None, -1), slice(None)) * 7]
    for odd in (x.astype(">f4"), records["x"]):
        assert THREE.compiled((odd, x, x)) is NotImplemented
    assert THREE.compiled((cube, cube.swapaxes(0, 1), cube)) is NotImplemented
    assert THREE.compiled((x, 2.0, x)) is NotImplemented
    assert REGISTRY["relu_forward"].compiled((numpy.arange(5) + 1j,)) is NotImplemented


@needs_compiler
def test_in_place_on_parts_and_overlaps(rng):
    kernel, scalars = REGISTRY["sgd_update"], [0.1, 1.0, 0.0]
    p, g = rng.standard_normal((2, 6, 40)).astype("float32")
    expected = p.copy()
    expected[:, ::2] -= numpy.float32(0.1) * g[:, 1::2]
    assert kernel.compiled((p[:, ::2], g[:, 1::2], *scalars)) is None
    close(p, expected, "float32")
    both = rng.standard_normal(41).astype("float32")
    before = both.copy()
    assert kernel.compiled((both[1:], both[:-1], *scalars)) is NotImplemented
    numpy.testing.assert_array_equal(both, before)
    expected = both - numpy.float32(0.1) * both
    assert kernel.compiled((both, both, *scalars)) is None  # the very same memory
    close(both, expected, "float32")
    fixed = both[:]
    fixed.flags.writeable = False
    assert kernel.compiled((fixed, both.copy(), *scalars)) is NotImplemented


@needs_compiler
def test_threads_change_no_bit(always, rng):
    compiled.LIGHT_STEP = compiled.HEAVY_STEP = 256
    x = rng.standard_normal((501, 33)).astype("float32")
    fresh = Elementwise(REGISTRY["gelu_backward"].reference, name="gelu_backward_for_threads")
    results = []
    before = gg.get_num_threads()
    try:
        for threads in (1, 2, 4):
            gg.set_num_threads(threads)
            results.append((fresh(numpy, x, x), fresh(numpy, x.T[::3], x.T[::3])))
    finally:
        gg.set_num_threads(before)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            numpy.testing.assert_array_equal(a, b)


@needs_compiler
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_choosing_is_exact(dtype, rng):
    a, b = rng.standard_normal((2, 30, 40)).astype(dtype)
    a[::2] = numpy.nan
    b[1::2] = numpy.inf
    a[0, 0], b[1, 1] = -0.0, -0.0
    mask = rng.random((30, 40)) < 0.5
    one, zero = numpy.asarray(2.0, dtype), numpy.dtype(dtype).type(0)
    for x1, x2 in ((a, b), (a, one), (one, b), (a, 0.0), (-0.0, b), (one, one), (a.T.copy().T, b[::-1]), (3, a[0])):
        got = composed.chosen.compiled((mask, x1, x2))
        assert got.dtype == dtype
        assert got.tobytes() == numpy.where(mask, x1, x2).tobytes()
    assert composed.kept.compiled((mask, a)).tobytes() == numpy.where(mask, a, zero).tobytes()
    assert composed.dropped.compiled((mask[0], a)).tobytes() == numpy.where(mask[0], zero, a).tobytes()
    for arguments in ((mask, 1.0, 2.0), (mask, "a", b), (mask, a + 1j, b)):
        assert composed.chosen.compiled(arguments) is NotImplemented
    assert composed.chosen.compiled((mask, a, b.astype("float64"))).dtype == numpy.float64
    with pytest.raises(ValueError, match="broadcast"):
        composed.chosen.compiled((mask, a, b[:3]))


@needs_compiler
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("of_mask", [(8, 6, 5, 7), (8, 6, 1, 1), (8, 1, 1, 1), (1, 6, 1, 1)])
def test_dropout(of_mask, dtype, rng):
    x = rng.standard_normal((8, 6, 5, 7)).astype(dtype)
    x[:, :3] = numpy.inf
    x[:2] = numpy.nan
    mask = rng.random(of_mask) < 0.5
    for values in (x, x[::-1]):
        got = composed.thinned.compiled((values, mask, 2.0))
        numpy.testing.assert_array_equal(got, numpy.where(mask, values * 2, 0))
        assert got.dtype == dtype


@needs_compiler
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logarithm_of_the_sigmoid(dtype, rng):
    values = [0.0, -0.0, 1e-30, 5.0, -5.0, 80.0, -80.0, 800.0, -800.0, numpy.inf, -numpy.inf, numpy.nan]
    x = numpy.concatenate([values, 3 * rng.standard_normal(600)]).astype(dtype)
    g = rng.standard_normal(x.shape).astype(dtype)
    close(composed.log_sigmoid.compiled((x,)), composed.log_sigmoid.reference(numpy, x), dtype)
    close(composed.log_sigmoid_back.compiled((g, x)), composed.log_sigmoid_back.reference(numpy, g, x), dtype)


SCRIPT = """
import sys
if {blocked}:
    sys.modules["llvmlite"] = None
import numpy, gpugrad as gg
from gpugrad.backend import llvm
assert llvm.machine() is None
x = numpy.linspace(-4, 4, 5000, dtype="float32")
t = gg.tensor(x, requires_grad=True)
gg.nn.functional.silu(t).sum().backward()
assert abs(t.grad.numpy() - (1 + x * numpy.exp(-x) / (1 + numpy.exp(-x))) / (1 + numpy.exp(-x))).max() < 1e-5
print("llvmlite" in sys.modules and sys.modules["llvmlite"] is not None)
"""


@pytest.mark.parametrize("blocked", [False, True])
def test_without_the_compiler(blocked):
    environment = {**os.environ, "GPUGRAD_DEVICE": "cpu", **({} if blocked else {"GPUGRAD_COMPILE": "0"})}
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(blocked=blocked)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (run.stdout.strip(), run.stderr) == ("False", "")
