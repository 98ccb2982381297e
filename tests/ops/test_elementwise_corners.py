"""Corners of functions of one and two numbers: the origin, infinities, the edges of domains, the aliases."""

from __future__ import annotations

from math import inf, nan, pi

import numpy
import pytest

import gpugrad as gg


def gradients(f, *values, dtype=gg.float64):
    xs = [gg.tensor(v, dtype=dtype, requires_grad=True) for v in values]
    y = f(*xs)
    y.backward(gg.ones_like(y))
    return [x.grad.numpy().tolist() for x in xs]


def test_hypot_and_atan2_have_gradient_0_at_the_origin():
    assert gradients(gg.hypot, [0.0, 3.0], [0.0, 4.0]) == [[0.0, 0.6], [0.0, 0.8]]
    assert gradients(gg.atan2, [0.0, 1.0], [0.0, 0.0]) == [[0.0, 0.0], [0.0, -1.0]]


def test_hypot_atan2_and_asinh_do_not_overflow():
    numpy.testing.assert_allclose(gradients(gg.hypot, [3e30], [4e30], dtype=gg.float32), [[0.6], [0.8]], rtol=1e-6)
    numpy.testing.assert_allclose(gradients(gg.atan2, [3e30], [4e30], dtype=gg.float32), [[1.6e-31], [-1.2e-31]], 1e-6)
    numpy.testing.assert_allclose(gradients(gg.asinh, [1e30], dtype=gg.float32), [[1e-30]], rtol=1e-6)


def test_logaddexp_of_infinities():
    a, b = gradients(gg.logaddexp, [-inf, -inf, inf, inf, 1e4], [-inf, 0.0, inf, 0.0, 1e4])
    assert a == [0.5, 0.0, 0.5, 1.0, 0.5]
    assert b == [0.5, 1.0, 0.5, 0.0, 0.5]


def test_logaddexp_of_equal_numbers_has_a_second_derivative():
    f = gg.grad(gg.grad(lambda x: gg.logaddexp(x, 1.0)))
    assert float(f(gg.tensor(1.0, dtype=gg.float64))) == 0.25


@pytest.mark.parametrize("x", [0.0, 1e-8, 0.05, 0.1999999, 0.2000001, -0.1, 1.0, 40.5])
def test_sinc_to_second_order_around_0(x):
    first, second = gg.grad(gg.sinc), gg.grad(gg.grad(gg.sinc))
    u = pi * numpy.longdouble(x)
    terms = range(1, 14)
    if abs(x) < 0.5:
        fact = [numpy.prod(numpy.arange(1, 2 * k + 2, dtype=numpy.longdouble)) for k in terms]
        wanted = sum((-1) ** k * 2 * k * u ** (2 * k - 1) / f for k, f in zip(terms, fact, strict=True))
        twice = sum((-1) ** k * 2 * k * (2 * k - 1) * u ** (2 * k - 2) / f for k, f in zip(terms, fact, strict=True))
    else:
        wanted = numpy.cos(u) / u - numpy.sin(u) / u**2
        twice = -numpy.sin(u) / u - 2 * numpy.cos(u) / u**2 + 2 * numpy.sin(u) / u**3
    t = gg.tensor(x, dtype=gg.float64)
    numpy.testing.assert_allclose(float(first(t)), float(wanted * pi), rtol=1e-12, atol=1e-13)
    numpy.testing.assert_allclose(float(second(t)), float(twice * pi**2), rtol=1e-12, atol=1e-11)


def test_at_the_edges_of_their_domains_inverse_functions_are_steep():
    with numpy.errstate(divide="ignore"):
        assert gradients(gg.asin, [1.0, -1.0]) == [[inf, inf]]
        assert gradients(gg.acos, [1.0]) == [[-inf]]
        assert gradients(gg.acosh, [1.0]) == [[inf]]


def test_rounding_is_flat_at_its_jumps_and_halves_go_to_the_even_number():
    for f in (gg.floor, gg.ceil, gg.trunc, gg.round):
        assert gradients(f, [0.0, 0.5, 1.0, -2.0]) == [[0.0] * 4]
    assert gg.round(gg.tensor([0.5, 1.5, 2.5])).numpy().tolist() == [0.0, 2.0, 2.0]
    assert gg.tensor([1.25]).round(1).numpy() == numpy.float32(1.2)


def test_integers_stay_integers():
    x = gg.tensor([3, -4])
    for f in (gg.floor, gg.ceil, gg.trunc, gg.round, gg.real, gg.conj):
        assert f(x).dtype == gg.int64
        assert f(x).numpy().tolist() == [3, -4]


def test_copysign_at_zero_and_with_a_number():
    assert gradients(gg.copysign, [0.0, 1.0, -1.0], [-1.0, -0.0, 2.0]) == [[0.0, -1.0, -1.0], [0.0] * 3]
    assert gradients(lambda x: gg.copysign(x, -2.0), [1.0, -1.0]) == [[-1.0, 1.0]]


def test_nan_to_num_passes_nothing_where_it_replaced():
    assert gradients(gg.nan_to_num, [1.0, nan, inf, -inf]) == [[1.0, 0.0, 0.0, 0.0]]


def test_shifts_as_operators():
    x = gg.tensor([1, 6])
    assert ((x << 2).numpy().tolist(), (x >> 1).numpy().tolist(), (1 << x).numpy().tolist()) == (
        [4, 24], [0, 3], [2, 64],
    )  # fmt: skip
    x <<= 1
    x |= 1
    assert x.numpy().tolist() == [3, 13]


def test_the_names_of_numpy_are_the_same_functions():
    for old, new in [("arcsin", "asin"), ("arctan2", "atan2"), ("arccosh", "acosh"), ("concatenate", "concat")]:
        assert getattr(gg, old) is getattr(gg, new)


def test_real_imag_and_conj_of_real_and_complex_numbers():
    z, x = gg.tensor([1 + 2j]), gg.tensor([3.0])
    assert (z.real.numpy().tolist(), z.imag.numpy().tolist(), z.conj().numpy().tolist()) == ([1.0], [2.0], [1 - 2j])
    assert (x.real.numpy().tolist(), x.imag.numpy().tolist(), x.conj().numpy().tolist()) == ([3.0], [0.0], [3.0])
