"""CUDA kernels of attention against the reference: dtypes, layouts, thread orders, and memory."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import cycle
from math import inf

import numpy
import pytest
from test_against_reference import DTYPES, every_dtype
from test_attention_tiles import CASES

from gpugrad import backend
from gpugrad.kernels import attention as kernels
from gpugrad.kernels import launched_attention
from gpugrad.testing import cuda_simulator

SHAPES = {
    **{name: (*CASES[name][:5], 4, 3, *CASES[name][7:]) for name in ("one", "causal, more keys", "mask a key")},
    "broadcast": (*CASES["broadcast"][:5], 4, 3, *CASES["broadcast"][7:]),
    "two threads a row": ((2,), (2,), (2,), 70, 45, 40, 33, (70, 45), True),
    "eight threads a row": ((), (), (), 20, 9, 130, 4, None, False),
}
SEEDS = cycle((0, 1, 2))
TOLERANCE = {"float16": 3e-3, "bfloat16": 3e-2, "float32": 2e-5, "float64": 1e-12}


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


def run(kernel, names, cupy, *arguments):
    """A kernel's results, made by these launches and no others, in some order of the threads."""
    if not cuda_simulator.is_installed():
        return kernel(cupy, *arguments)
    with cuda_simulator.thread_order(next(SEEDS)), cuda_simulator.guarded(), cuda_simulator.count() as seen:
        results = kernel(cupy, *arguments)
    assert dict(seen.kernels) == {f"attention_{name}": 1 for name in names}
    return results


def placed(cupy, a, turned):
    """A device array; if turned, one with its axes in another order in memory."""
    if not turned or a.ndim < 3:
        return cupy.asarray(a)
    return cupy.asarray(numpy.ascontiguousarray(numpy.swapaxes(a, -2, -3))).swapaxes(-2, -3)


@every_dtype
@pytest.mark.parametrize("case", SHAPES)
def test_against_the_reference(cupy, case, dtype, rng):
    q, k, v, steps, keys, e, width, shape, causal = SHAPES[case]
    if e > 100 and dtype != "float32":
        return  # each size of vectors is a source of its own
    shapes = (*q, steps, e), (*k, keys, e), (*v, keys, width)
    arrays = [rng.standard_normal(s).astype(DTYPES[dtype]) for s in shapes]
    mask = None
    if shape is not None:
        mask = numpy.where(rng.random(shape) < 0.2, -inf, rng.standard_normal(shape))
        mask[..., 0] = 0
        mask = mask.astype(DTYPES[dtype])
    wide = [a if a is None or a.dtype.itemsize > 2 else a.astype("f4") for a in (*arrays, mask)]
    y, sums = kernels.attention_forward.reference(numpy, *wide, causal, 0.3)
    g = rng.standard_normal(y.shape).astype(DTYPES[dtype])
    expected = y, sums, *kernels.attention_backward.reference(numpy, g.astype(y.dtype), *wide, sums, causal, 0.3)
    for turned in (False, True):
        given = [None if a is None else placed(cupy, a, turned) for a in (*arrays, mask)]
        got = run(kernels.attention_forward, ("forward",), cupy, *given, causal, 0.3)
        upstream = placed(cupy, g, turned)
        back = run(kernels.attention_backward, ("queries", "keys"), cupy, upstream, *given, got[1], causal, 0.3)
        if turned and got[0].ndim > 2 and case != "broadcast":
            assert got[0].swapaxes(-2, -3).flags.c_contiguous
        for i, (a, b) in enumerate(zip((*got, *back), expected, strict=True)):
            assert a.shape == b.shape
            assert a.dtype == (b.dtype if i == 1 else DTYPES[dtype])
            numpy.testing.assert_allclose(cupy.asnumpy(a).astype("f8"), b, TOLERANCE[dtype], TOLERANCE[dtype])


def test_scores_that_are_not_numbers(cupy, rng):
    """NaN for infinite scores and for queries that see nothing, and for no others."""
    q, k, v = rng.standard_normal((3, 4, 6, 4)).astype("f4")
    v = v[..., :3]
    q[0, 1, 0], q[1, 1, 0], q[2, 1, 0] = inf, -inf, numpy.nan
    mask = numpy.zeros((4, 6, 6), "f4")
    mask[3, 2] = -inf
    with numpy.errstate(invalid="ignore"):
        y, _ = kernels.attention_forward.reference(numpy, q, k, v, mask, False, 1.0)
    got, _ = kernels.attention_forward(cupy, *map(cupy.asarray, (q, k, v, mask)), False, 1.0)
    numpy.testing.assert_allclose(cupy.asnumpy(got), y, 2e-5, 2e-5)


def test_one_key_with_all_the_weight_has_no_gradient(cupy, rng):
    q, k, v = 50 * rng.standard_normal((3, 1, 5, 4)).astype("f4")
    v = v[..., :3]
    k[0, 0], q[...] = 100, numpy.abs(q)
    given = [*map(cupy.asarray, (q, k, v)), None]
    y, sums = kernels.attention_forward(cupy, *given, False, 1.0)
    dq, dk, _ = kernels.attention_backward(cupy, y, *given, sums, False, 1.0)
    assert not cupy.asnumpy(dq).any()
    assert not cupy.asnumpy(dk).any()


def test_no_array_is_as_large_as_all_scores(cupy, rng):
    if not cuda_simulator.is_installed():
        pytest.skip("memory is counted by the simulator")
    length = 1024
    q = cupy.asarray(rng.standard_normal((1, length, 4)).astype("f4"))
    pool = cupy.get_default_memory_pool()
    pool.free_all_blocks()
    before = pool.total_bytes()
    v = q[..., :3]
    y, sums = kernels.attention_forward(cupy, q, q, v, None, True, 1.0)
    kernels.attention_backward(cupy, y, q, q, v, None, sums, True, 1.0)
    assert pool.total_bytes() - before < length * 4 * 40 < length * length


def test_what_is_left_to_tiles(cupy, rng):
    owner = backend.BACKENDS[cupy.ndarray]
    q = cupy.ones((1, 2, 1100), "f4")
    assert launched_attention.forward(owner, q, q, q, None, True, 1.0) is NotImplemented
    assert not launched_attention.usable([q[..., :4], q[..., :4].astype("f8"), q])
    assert not launched_attention.usable([q[:0], q[:0], q[:0]])
    y, _ = kernels.attention_forward(cupy, q, q, q, None, False, 1.0)
    numpy.testing.assert_allclose(cupy.asnumpy(y), 1)
    odd = cupy.asarray(rng.standard_normal((2, 3, 2, 3, 2, 3, 4, 5)).astype("f4"))[::1, ::-1, ::1, ::-1, ::1, ::-1]
    assert launched_attention.forward(owner, odd, odd, odd, None, False, 1.0) is NotImplemented
