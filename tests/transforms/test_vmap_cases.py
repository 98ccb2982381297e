"""Every row of ``tests/cases/`` under vmap: what it gives for many samples at once is what it gives for each."""

from __future__ import annotations

import numpy
import pytest
from cases import ROWS, outputs
from cases.checks import on_each_instance

import gpugrad as gg

SAMPLES = 3
BY_VALUE = {"ops.sets._unique", "ops.sets._unique_rows", "ops.selection.nonzero"}
"""Operations whose result has a shape that depends on values: see test_vmap.py."""
SETS = {"union1d", "setxor1d", "setdiff1d", "intersect1d"}
"""Labels of rows that read values at places which such an operation finds."""
ALL = [row for row in ROWS if row.operation not in BY_VALUE and row.label not in SETS and "unique" not in row.label]


@pytest.fixture(autouse=True)
def quiet():
    with numpy.errstate(all="ignore"):
        yield


def drawn(row, shapes):
    """Inputs of some samples: a list, one tuple of arrays for each."""
    return [row.inputs(numpy.random.default_rng(seed), shapes) for seed in range(SAMPLES)]


def close(a, b):
    numpy.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("row", ALL, ids=str)
def test_vmap_is_each_sample(row):
    """Values, and where there are any the gradients of each sample."""
    on_each_instance(row, is_each_sample)


@pytest.mark.parametrize("row", [row for row in ALL if any(len(shapes) > 1 for shapes in row.shapes)], ids=str)
def test_vmap_is_each_sample_with_a_first_input_for_all(row):
    on_each_instance(row, is_each_sample, 0)


def is_each_sample(row, shapes, static, alone=None):
    """Input ``alone`` is the same for all samples."""
    if alone is not None and len(shapes) == 1:
        return
    samples = drawn(row, shapes)
    if alone is not None:
        for arrays in samples[1:]:
            arrays[alone] = samples[0][alone]
    axes = tuple(None if i == alone else 0 for i in range(len(shapes)))
    stacked = [
        gg.tensor(samples[0][i] if i == alone else numpy.stack([arrays[i] for arrays in samples]))
        for i in range(len(shapes))
    ]

    def f(*xs):
        return outputs(row.call(*xs, **static))

    def gradients(*xs):
        ys, pullback = gg.vjp(f, *xs)
        return pullback(tuple(gg.cos(y) + gg.ones_like(y) for y in ys))

    single = [[gg.tensor(a) for a in arrays] for arrays in samples]
    for together, each in zip(gg.vmap(f, axes)(*stacked), zip(*(f(*xs) for xs in single), strict=True), strict=True):
        for y, e in zip(together.numpy(), each, strict=True):
            assert (y.shape, y.dtype) == (e.shape, e.dtype)
            close(y, e.numpy())
    if row.constant or any(x.dtype.kind != "f" for x in stacked):
        return
    expected = list(zip(*(gradients(*xs) for xs in single), strict=True))
    for together, each in zip(gg.vmap(gradients, axes)(*stacked), expected, strict=True):
        for h, e in zip(together.numpy(), each, strict=True):
            close(h, e.numpy())
