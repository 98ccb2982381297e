"""Corners of running sums and products, and of reductions that pass over NaN."""

from __future__ import annotations

from math import inf, nan

import numpy
import pytest

import gpugrad as gg


@pytest.mark.parametrize(
    "values", [[2.0, 0.0, 3.0], [0.0, 0.0, 5.0, 1.0], [1.0, 2.0, 0.0], [0.0], [1.5, -2.0, 0.0, 0.0]]
)
def test_cumulative_prod_with_zeros_to_second_order(values):
    x = gg.tensor(values, dtype=gg.float64)
    assert gg.gradcheck(gg.cumprod, [x])
    assert gg.gradgradcheck(gg.cumprod, [x])
    assert gg.gradgradcheck(lambda x: gg.cumulative_prod(x, include_initial=True), [x])


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 9, 33])
def test_cumulative_prod_of_every_length(n, rng):
    x = gg.tensor(rng.uniform(0.5, 1.5, n), requires_grad=True)
    g = rng.standard_normal(n)
    gg.cumprod(x).backward(gg.tensor(g))
    y = numpy.cumprod(x.numpy())
    numpy.testing.assert_allclose(x.grad.numpy(), numpy.cumsum((g * y)[::-1])[::-1] / x.numpy(), rtol=1e-12)


def test_cumulative_sum_needs_an_axis_where_there_are_several():
    with pytest.raises(ValueError, match="axis"):
        gg.cumulative_sum(gg.zeros((2, 2)))


def test_cumsum_of_integers_and_in_another_dtype():
    x = gg.tensor([1, 2, 3], dtype=gg.int32)
    assert x.cumsum().dtype == numpy.cumsum(x.numpy()).dtype
    assert gg.cumsum(x, dtype=gg.float64).dtype == gg.float64
    t = gg.tensor([1.0, 2.0], requires_grad=True)
    gg.cumsum(t, dtype=gg.float64).sum().backward()
    assert t.grad.dtype == gg.float32


def test_diff_of_booleans_and_of_too_few():
    assert gg.diff(gg.tensor([True, False, False])).numpy().tolist() == [True, False]
    assert gg.diff(gg.tensor([1.0]), n=3).shape == (0,)
    assert gg.diff(gg.tensor([1.0, 2.0]), n=0).numpy().tolist() == [1.0, 2.0]
    for x, n in ((gg.tensor(1.0), 1), (gg.tensor([1.0]), -1)):
        with pytest.raises(ValueError, match="at least one axis and n >= 0"):
            gg.diff(x, n)


@pytest.mark.parametrize(
    ("f", "values", "value", "gradient"),
    [
        (gg.nansum, [1.0, nan, 2.0], 3.0, [1.0, 0.0, 1.0]),
        (gg.nansum, [nan, nan], 0.0, [0.0, 0.0]),
        (gg.nanmean, [1.0, nan, 2.0], 1.5, [0.5, 0.0, 0.5]),
        (gg.nanmean, [nan, nan], nan, [0.0, 0.0]),
        (gg.nanmax, [1.0, nan, 2.0, 2.0], 2.0, [0.0, 0.0, 0.5, 0.5]),
        (gg.nanmax, [nan, -inf], -inf, [0.0, 1.0]),
        (gg.nanmin, [1.0, nan, 2.0], 1.0, [1.0, 0.0, 0.0]),
    ],
)
def test_reductions_without_nan(f, values, value, gradient):
    x = gg.tensor(values, requires_grad=True)
    y = f(x)
    y.backward()
    numpy.testing.assert_array_equal(y.numpy(), numpy.float32(value))
    assert x.grad.numpy().tolist() == gradient


def test_nanmean_of_integers():
    assert float(gg.nanmean(gg.tensor([1, 2]))) == 1.5


def test_average_refuses_weights_of_another_shape():
    with pytest.raises(ValueError, match=r"weights of shape \(2, 3\) or of one axis, got \(2,\)"):
        gg.average(gg.zeros((2, 3)), 1, gg.zeros(2))
    assert float(gg.average(gg.tensor([1.0, 3.0]), weights=[1.0, 1.0])) == 2.0
