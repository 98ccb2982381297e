"""The loops of recurrent layers with a kernel a step, on the CPU and on CuPy or its stand-in, against references."""

from __future__ import annotations

from contextlib import nullcontext

import numpy
import pytest

from gpugrad import backend
from gpugrad.backend import llvm
from gpugrad.kernels import recurrent
from gpugrad.testing import cuda_simulator

SIZES = [(3, 3, 3), (4, 2, 2, 1), (1,), (1, 1)]
WIDTHS = [1, 5, 20]
KERNELS = ["rnn_steps", "rnn_steps_back", "lstm_steps", "lstm_steps_back", "gru_steps", "gru_steps_back"]
by_kernel = pytest.mark.parametrize("name", KERNELS)


def arguments(name, sizes, n, dtype, odd, variant, reverse):
    """Arguments of a kernel; with ``odd``, no array is contiguous."""
    rng = numpy.random.default_rng(0)

    def draw(*shape):
        whole = rng.standard_normal((*shape[:-1], 2 * shape[-1])).astype(dtype)
        return whole[:, ::-2] if odd else whole[:, : shape[-1]].copy()

    rows, batch, p = sum(sizes), sizes[0], n + 2
    last = (sizes, reverse, variant) if name.startswith("rnn") else (sizes, reverse)
    if name == "rnn_steps":
        return draw(rows, n), draw(batch, n), draw(n, n), *last
    if name == "rnn_steps_back":
        return draw(rows, n), draw(batch, n), draw(rows, n), draw(n, n), *last
    if name == "lstm_steps":
        own, w = (draw(batch, p), draw(4 * n, p)) if variant else (draw(batch, n), draw(4 * n, n))
        return draw(rows, 4 * n), own, draw(batch, n), w, draw(p, n) if variant else None, *last
    if name == "lstm_steps_back":
        h = p if variant else n
        w, project = draw(4 * n, h), draw(p, n) if variant else None
        return (
            draw(rows, h),
            draw(batch, h),
            *(draw(batch, n),) * 2,
            w,
            project,
            draw(rows, 4 * n),
            draw(rows, n),
            *last,
        )
    if name == "gru_steps":
        bias = numpy.ascontiguousarray(draw(1, 3 * n)[0]) if variant else None
        return draw(rows, 3 * n), draw(batch, n), draw(3 * n, n), bias, *last
    return draw(rows, n), draw(batch, n), draw(rows, n), draw(3 * n, n), draw(rows, 3 * n), draw(rows, n), *last


def every(name):
    for sizes in SIZES:
        for i, n in enumerate(WIDTHS):
            for variant in (False, True):
                yield sizes, n, bool(i % 2), variant, variant is bool(i % 2)


def compare(got, expected, dtype):
    tolerance = 1e-12 if dtype == "float64" else 2e-5
    assert len(got) == len(expected)
    for a, b in zip(got, expected, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        numpy.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * (1 + abs(b).max()))


@pytest.mark.skipif(not llvm.wanted(), reason="llvmlite is not installed, or GPUGRAD_COMPILE is 0")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@by_kernel
def test_on_the_cpu(name, dtype, monkeypatch):
    kernel = getattr(recurrent, name)
    monkeypatch.setattr(kernel, "smallest", 0)
    for sizes, n, odd, variant, reverse in every(name):
        given = arguments(name, sizes, n, dtype, odd, variant, reverse)
        copies = [a.copy() if isinstance(a, numpy.ndarray) else a for a in given]
        got = kernel.compiled(given)
        assert got is not NotImplemented
        compare(got, kernel.reference(numpy, *copies), dtype)
        for a, b in zip(given, copies, strict=True):
            numpy.testing.assert_array_equal(a, b)
    assert kernel.compiled(arguments(name, (2,), 0, dtype, False, False, False)) is NotImplemented
    mixed = [*arguments(name, (2,), 3, dtype, False, False, False)]
    mixed[0] = mixed[0].astype("float16")
    assert kernel.compiled(tuple(mixed)) is NotImplemented


@by_kernel
def test_on_a_gpu(name, request):
    """As many launches a step as there are products and kernels."""
    kernel = getattr(recurrent, name)
    real = request.config.getoption("--device") == "cuda"
    with nullcontext() if real or cuda_simulator.is_installed() else cuda_simulator.installed():
        import cupy

        backend.load_cuda()
        for sizes, n, odd, variant, reverse in every(name):
            given = arguments(name, sizes, n, "float32", odd, variant, reverse)
            placed = [cupy.asarray(a) if isinstance(a, numpy.ndarray) else a for a in given]
            got = [cupy.asnumpy(y) for y in kernel(cupy, *placed)]
            compare(got, kernel.reference(numpy, *given), "float32")
        if not real:
            counts = []
            for steps in (4, 14):
                given = arguments(name, (3,) * steps, 5, "float32", False, False, False)
                placed = [cupy.asarray(a) if isinstance(a, numpy.ndarray) else a for a in given]
                with cuda_simulator.count() as seen:
                    kernel(cupy, *placed)
                counts.append(seen.launches)
            assert counts[1] - counts[0] == 20
