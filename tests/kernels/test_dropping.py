"""Dropout whose mask is made again: the bits of ``bernoulli`` on every device and in every dtype, and no mask kept."""

from __future__ import annotations

import tracemalloc
from contextlib import nullcontext

import numpy
import pytest
from test_against_reference import DTYPES, every_dtype

import gpugrad as gg
from gpugrad import backend
from gpugrad.kernels import dropping
from gpugrad.nn import functional as F
from gpugrad.testing import cuda_simulator

NUMBERS = (5, 2**64 - 3, round(0.7 * 2**32), 2.0)
SIZES = [(), (5,), (3, 7, 2), (40_001,)]


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


def expected_of(x):
    mask = gg.random.Generator(*NUMBERS[:2]).bernoulli(0.7, x.shape, device="cpu").numpy()
    wide = x.astype("f4") if x.dtype.itemsize == 2 else x
    return numpy.where(mask, wide * 2, 0).astype(x.dtype)


@every_dtype
@pytest.mark.parametrize("size", SIZES)
def test_the_bits_are_those_of_bernoulli(cupy, dtype, size, rng):
    x = rng.standard_normal(size).astype(DTYPES[dtype]).reshape(size)
    if size:
        x[..., -1:] = numpy.inf
    for order, a in enumerate((x, x[::-1] if x.ndim else x)):
        expected = expected_of(a)
        numpy.testing.assert_array_equal(dropping.drawn_dropout(numpy, a, *NUMBERS), expected)
        given = cupy.asarray(x)[::-1] if order and x.ndim else cupy.asarray(x)
        simulated = cuda_simulator.is_installed()
        with (
            cuda_simulator.thread_order(order + 1) if simulated else nullcontext(),
            cuda_simulator.guarded() if simulated else nullcontext(),
            cuda_simulator.count() if simulated else nullcontext() as seen,
        ):
            got = dropping.drawn_dropout(cupy, given, *NUMBERS)
        if seen is not None:
            assert seen.kernels["drawn_dropout"] == 1
            assert seen.launches == (2 if order and x.ndim else 1)
        assert got.dtype == DTYPES[dtype]
        numpy.testing.assert_array_equal(cupy.asnumpy(got), expected)


def test_other_dtypes_take_the_reference(cupy):
    x = numpy.arange(9)
    got = dropping.drawn_dropout(cupy, cupy.asarray(x), 5, 0, 2**31, 1.0)
    numpy.testing.assert_array_equal(cupy.asnumpy(got), dropping.drawn_dropout(numpy, x, 5, 0, 2**31, 1.0))


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_forward_and_back_drop_the_same(p, device):
    x = gg.full(1000, 3.0).requires_grad_()
    y = F.dropout(x, p, generator=gg.random.Generator(1))
    y.sum().backward()
    numpy.testing.assert_array_equal(x.grad.numpy() * 3, y.numpy())
    assert abs((y.numpy() != 0).mean() - (1 - p)) < 0.06
    squares = gg.grad(lambda v: (F.dropout(v, p, generator=gg.random.Generator(1)) ** 2).sum())
    numpy.testing.assert_allclose(squares(x.detach()).numpy(), 2 * 3 * x.grad.numpy() ** 2, rtol=1e-6)


def test_mapped_masks_are_the_same(device):
    x = gg.arange(12.0).reshape(3, 4)

    def dropped(v):
        return F.dropout(v, 0.5, generator=gg.random.Generator(3))

    rows = [dropped(row).numpy() for row in x]
    numpy.testing.assert_array_equal(gg.vmap(dropped)(x).numpy(), numpy.stack(rows))


def test_the_graph_keeps_no_mask_on_the_host():
    size = 1 << 20
    x = gg.ones(size, device="cpu").requires_grad_()
    F.dropout(x, 0.5)
    tracemalloc.start()
    y = F.dropout(x, 0.5)
    now, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert now < 4 * size + 10_000, "the result and nothing else"
    assert most < 4 * size + (1 << 20), "a part of the mask at a time"
    assert y.node.edges[0][2][0] is not None


def test_the_graph_keeps_no_mask_on_a_gpu(cupy):
    if not cuda_simulator.is_installed():
        pytest.skip("memory is counted by the simulator")
    size = 1 << 16
    x = gg.ones(size, device="cuda").requires_grad_()
    pool = cupy.get_default_memory_pool()
    pool.free_all_blocks()
    before = pool.total_bytes()
    y = F.dropout(x, 0.5)
    assert pool.total_bytes() - before < 4 * size + 4096
    y.sum().backward()
