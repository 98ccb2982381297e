"""Attention in tiles against its reference, which makes all scores at once; and that no tile becomes a square."""

from __future__ import annotations

import tracemalloc
from math import inf

import numpy
import pytest

import gpugrad as gg
from gpugrad.backend import NAMESPACES
from gpugrad.kernels import attention as kernels
from gpugrad.nn import functional as F
from gpugrad.ops.attention import attention

# leading axes of query, key, value; L, S, E, V; mask's shape; causal
CASES = {
    "one": ((), (), (), 5, 7, 3, 2, None, False),
    "causal": ((2, 3), (2, 3), (2, 3), 37, 37, 4, 4, None, True),
    "causal, more queries": ((2,), (2,), (2,), 40, 18, 3, 3, None, True),
    "causal, more keys": ((2,), (2,), (2,), 18, 40, 3, 3, None, True),
    "mask a key": ((3, 2), (3, 2), (3, 2), 20, 33, 4, 2, (3, 1, 1, 33), False),
    "mask of all": ((3, 2), (3, 2), (3, 2), 33, 20, 4, 2, (33, 20), False),
    "broadcast": ((3, 1), (1, 2), (3, 2), 18, 19, 4, 2, (2, 1, 19), False),
    "one key": ((2,), (2,), (2,), 17, 1, 3, 3, None, False),
}


def arrays_of(case, rng, dtype):
    q, k, v, steps, keys, e, width, mask, causal = CASES[case]
    shapes = [(*q, steps, e), (*k, keys, e), (*v, keys, width)]
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    if mask is not None:
        numbers = rng.standard_normal(mask).astype(dtype)
        arrays.append(numpy.where(rng.random(mask) < 0.2, dtype(-inf), numbers))
        arrays[-1][..., 0] = 0
    return arrays, causal


@pytest.mark.parametrize("most", [1, 3_000, 1 << 20], ids=["smallest", "several", "whole"])
@pytest.mark.parametrize("dtype", [numpy.float32, numpy.float64])
@pytest.mark.parametrize("case", CASES)
def test_tiles_are_the_reference(case, dtype, most, rng, device, monkeypatch):
    monkeypatch.setattr(kernels, "ON_HOST", most)
    monkeypatch.setattr(kernels, "ON_DEVICE", most)
    for kernel in kernels.attention_forward, kernels.attention_backward:
        monkeypatch.setattr(kernel, "kernels", lambda *_: NotImplemented)
    arrays, causal = arrays_of(case, rng, dtype)
    q, k, v, *rest = (gg.tensor(a).data for a in arrays)
    mask = rest[0] if rest else None
    xp = NAMESPACES[type(q)]
    y, sums = kernels.attention_forward(xp, q, k, v, mask, causal, 0.7)
    wanted = kernels.attention_forward.reference(xp, q, k, v, mask, causal, 0.7)
    g = xp.asarray(rng.standard_normal(y.shape).astype(dtype))
    d = kernels.attention_backward(xp, g, q, k, v, mask, sums, causal, 0.7)
    of_reference = kernels.attention_backward.reference(xp, g, q, k, v, mask, wanted[1], causal, 0.7)
    pairs = [(y, wanted[0]), *zip(d, of_reference, strict=True)]
    if sums is not None:
        pairs.append((sums, wanted[1]))
    tolerance = 2e-5 if dtype is numpy.float32 else 1e-12
    for got, expected in pairs:
        assert got.dtype == dtype
        numpy.testing.assert_allclose(gg.asarray(got).numpy(), gg.asarray(expected).numpy(), tolerance, tolerance)


@pytest.mark.parametrize("bad", [inf, -inf, numpy.nan])
def test_rows_without_a_largest_score(bad, rng, device):
    arrays = [rng.standard_normal((2, 4, 3)).astype("f4") for _ in range(3)]
    arrays[0][0, 1, 0] = bad
    q, k, v = (gg.tensor(a) for a in arrays)
    with numpy.errstate(invalid="ignore"):  # the products'
        y = attention(q, k, v, causal=False, scale=1.0).numpy()
        composed = F.softmax(q @ k.mT, dim=-1) @ v
    numpy.testing.assert_array_equal(numpy.isnan(y), numpy.isnan(composed.numpy()))
    numpy.testing.assert_allclose(y[1], composed.numpy()[1], rtol=1e-5, atol=1e-6)


def test_derivatives_of_every_order(rng, device):
    q, k, v = (gg.tensor(rng.standard_normal((2, n, 3))) for n in (4, 5, 5))
    mask = gg.tensor(numpy.where(rng.random((4, 5)) < 0.3, -inf, 0.5))

    def tiled(q, k, v):
        return F.scaled_dot_product_attention(q, k, v, mask, scale=0.8)

    def composed(q, k, v):
        return F.softmax((q * 0.8) @ k.mT + mask, dim=-1) @ v

    mask = gg.where(gg.all(gg.isneginf(mask), axis=-1, keepdims=True), 0.0, mask)
    assert gg.gradcheck(tiled, (q, k, v))
    for transform in (
        lambda f: gg.grad(lambda *x: (f(*x) ** 2).sum(), argnums=(0, 1, 2))(q, k, v),
        lambda f: gg.hessian(lambda x: (f(x, k, v) ** 2).sum())(q),
        lambda f: gg.jvp(f, (q, k, v), (q, k * 2, v + 1)),
        lambda f: gg.vmap(f)(q, k, v),
        lambda f: gg.vmap(gg.grad(lambda *x: (f(*x) ** 2).sum()), in_axes=(0, None, 0))(q, k[0], v),
    ):
        ours, wanted = transform(tiled), transform(composed)
        pairs = zip(ours, wanted, strict=True) if isinstance(ours, tuple) else [(ours, wanted)]
        for a, b in pairs:
            numpy.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-9, atol=1e-10)


def test_a_mask_that_needs_a_gradient(rng, device):
    q, k, v = (gg.tensor(rng.standard_normal((2, 4, 3))) for _ in range(3))
    mask = gg.tensor(rng.standard_normal((4, 4)))
    assert gg.gradcheck(lambda m: F.scaled_dot_product_attention(q, k, v, m), mask)
    assert gg.gradcheck(lambda s: F.scaled_dot_product_attention(q, k, v, scale=s), gg.tensor(0.7, dtype=gg.float64))
    with pytest.raises(gg.GradientError, match="attention has no gradient with respect to 'mask'"):
        attention(q, k, v, mask.requires_grad_(), causal=False, scale=1.0)


def test_memory_grows_with_the_length_and_not_with_its_square(rng):
    peaks = []
    for steps in (512, 2048):
        q, k, v = (gg.tensor(rng.standard_normal((2, steps, 8)).astype("f4"), device="cpu", requires_grad=True)
                   for _ in range(3))  # fmt: skip
        tracemalloc.start()
        try:
            F.scaled_dot_product_attention(q, k, v, is_causal=True).sum().backward()
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    square = 4 * 2 * 2048 * 2048
    assert peaks[1] < square / 5
    assert peaks[1] < 4.5 * max(peaks[0], 2 << 20)


def test_short_dtypes(rng, device):
    wide = [rng.standard_normal((2, 9, 4)) for _ in range(3)]
    expected = attention(*(gg.tensor(a) for a in wide), causal=True, scale=0.5).numpy()
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="the dtype bfloat16 comes from ml_dtypes")
    for name, error in ((gg.float16, 2e-3), (numpy.dtype(ml_dtypes.bfloat16), 2e-2)):
        x = [gg.tensor(a).astype(name).requires_grad_() for a in wide]
        y = attention(*x, causal=True, scale=0.5)
        assert y.dtype == name
        numpy.testing.assert_allclose(y.astype("float64").numpy(), expected, rtol=error, atol=error)
        y.sum().backward()
        assert all(t.grad.dtype == name for t in x)
