"""Kernels over rows and columns compiled for the CPU against their references."""

from __future__ import annotations

import numpy
import pytest
from test_against_reference import DTYPES, ROWS, TOLERANCE, every_dtype

import gpugrad as gg
from gpugrad.backend import llvm
from gpugrad.kernels import compiled_rows, composed, labels

pytestmark = [
    pytest.mark.any_device,
    pytest.mark.skipif(not llvm.wanted(), reason="llvmlite is not installed, or GPUGRAD_COMPILE is 0"),
]
SHORT = [numpy.dtype(DTYPES[name]) for name in ("float16", "bfloat16") if DTYPES[name] is not None]
SHAPES = ((1, 16), (7, 17), (3, 2, 40), (5, 1003), (64, 128))


@pytest.fixture(autouse=True)
def always(monkeypatch):
    """Compile for arrays of any size."""
    monkeypatch.setattr(compiled_rows, "LEAST", 0)
    with numpy.errstate(all="ignore"):
        yield


def reference(kernel, arguments):
    """What the kernel's reference gives, short floats by way of float32."""
    wide = [a.astype("float32") if getattr(a, "dtype", None) in SHORT else a for a in arguments]
    result = kernel.reference(numpy, *wide)
    floats = {a.dtype for a in arguments if getattr(a, "dtype", None) not in (None, numpy.dtype("int64"))}
    if len(floats) != 1 or not floats <= {*SHORT}:
        return result
    (short,) = floats
    if not isinstance(result, tuple):
        return result.astype(short)
    return *(part.astype(short) for part in result[: kernel.rounds]), *result[kernel.rounds :]


def close(got, expected, dtype, scale=1.0):
    assert (got.shape, got.dtype) == (expected.shape, expected.dtype)
    got, expected = (a.astype("float64") for a in (got, expected))
    numpy.testing.assert_allclose(got, expected, rtol=5 * TOLERANCE[dtype], atol=5 * scale * TOLERANCE[dtype])


@every_dtype
@pytest.mark.parametrize("kernel", ROWS, ids=lambda k: k.name)
def test_along_rows(kernel, dtype, rng):
    for shape in SHAPES:
        arrays = [(2 * rng.standard_normal(shape)).astype(DTYPES[dtype]) for _ in kernel.arrays]
        before = [a.tobytes() for a in arrays]
        arguments = (*arrays, -1)
        scale = shape[-1] ** 0.5
        close(kernel.compiled(arguments), reference(kernel, arguments), dtype, scale)
        assert [a.tobytes() for a in arrays] == before


@pytest.mark.parametrize("kernel", ROWS[:1] + ROWS[2:3], ids=lambda k: k.name)
def test_rows_with_special_values(kernel):
    x = numpy.zeros((7, 20), "float32")
    x[0, 3], x[1, 19], x[2], x[3, :] = numpy.nan, numpy.inf, -numpy.inf, 3e38
    x[4, 1], x[5, 17] = -numpy.inf, 3e38
    close(kernel.compiled((x, 1)), kernel.reference(numpy, x, 1), "float32")


def test_rows_that_are_left_to_numpy(rng):
    kernel, x = ROWS[0], rng.standard_normal((20, 20)).astype("float32")
    for arguments in ((x, 0), (x.T, 1), (x[:, :8].copy(), 1), (x[:, ::2], 1), (x.astype(">f4"), 1), (x[:0], -1)):
        if arguments[0].size:
            assert kernel.compiled(arguments) is NotImplemented
        else:
            assert kernel.compiled(arguments).shape == (0, 20)
    assert labels.surprise.compiled((x, numpy.zeros(20, "int32"), None, -100, 0.0)) is NotImplemented
    assert composed.standardized.compiled((x, None, None, None, None, (0,), 1e-5, True)) is NotImplemented


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
def test_labels(dtype, smoothing, weighted, rng):
    for rows, classes in ((1, 16), (9, 33), (70, 100)):
        x = (3 * rng.standard_normal((rows, classes))).astype(dtype)
        label = rng.integers(0, classes, rows)
        label[rows // 2] = -100 if rows > 1 else 0
        weight = rng.uniform(0, 2, classes).astype(dtype) if weighted else None
        arguments = (x, label, weight, -100, smoothing)
        got, expected = labels.surprise.compiled(arguments), reference(labels.surprise, arguments)
        for a, b in zip(got, expected, strict=True):
            close(a, numpy.asarray(b), dtype)
        g = rng.standard_normal(rows).astype(expected[0].dtype)
        arguments = (g, x, label, weight, *expected[1:], -100, smoothing)
        close(labels.surprise_back.compiled(arguments), reference(labels.surprise_back, arguments), dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("parameters", [0, 1, 2])
def test_normalization(dtype, centred, parameters, rng):
    for shape, axes in (((9, 17), (1,)), ((3, 5, 40), (2,)), ((70, 3, 8), (1, 2)), ((200, 64), (1,))):
        inner = shape[axes[0] :]
        x, g = (rng.standard_normal(shape).astype(dtype) + numpy.dtype(dtype).type(1) for _ in range(2))
        weight, bias = (rng.standard_normal(inner).astype(dtype) if parameters > i else None for i in range(2))
        arguments = (x, weight, bias, None, None, axes, 1e-5, centred)
        got, expected = composed.standardized.compiled(arguments), reference(composed.standardized, arguments)
        for a, b in zip(got, expected, strict=True):
            close(a, b, dtype)
        arguments = (g, x, *expected[1:], weight, axes, centred, True)
        got = composed.standardized_back.compiled(arguments)
        if weight is None:
            assert got is NotImplemented
            continue
        d, by_weight, by_bias = reference(composed.standardized_back, arguments)
        close(got[0], d, dtype, 10)
        reduced = tuple(range(axes[0]))
        close(got[1], by_weight.sum(reduced, dtype="float64").astype(got[1].dtype), dtype, 30)
        close(got[2], by_bias.sum(reduced, dtype="float64").astype(got[2].dtype), dtype, 30)


def test_threads_change_no_bit(rng, monkeypatch):
    monkeypatch.setattr(compiled_rows, "LIGHT_STEP", 64)
    monkeypatch.setattr(compiled_rows, "HEAVY_STEP", 64)
    compiled_rows.code.cache_clear()
    compiled_rows.column_code.cache_clear()
    x, g = rng.standard_normal((2, 300, 50)).astype("float32")
    weight = rng.standard_normal(50).astype("float32")
    results, before = [], gg.get_num_threads()
    try:
        for threads in (1, 2, 4):
            gg.set_num_threads(threads)
            y, mean, rstd = composed.standardized.compiled((x, weight, weight, None, None, (1,), 1e-5, True))
            back = composed.standardized_back.compiled((g, x, mean, rstd, weight, (1,), True, True))
            results.append([y, mean, rstd, *back, ROWS[0].compiled((x, 1))])
    finally:
        gg.set_num_threads(before)
        compiled_rows.code.cache_clear()
        compiled_rows.column_code.cache_clear()
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            numpy.testing.assert_array_equal(a, b)
