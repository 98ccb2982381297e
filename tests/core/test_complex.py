"""Gradients of complex numbers: PyTorch's convention outside, the plain transpose inside."""

from __future__ import annotations

import numpy
import pytest

import gpugrad as gg


@pytest.fixture
def z(rng):
    return rng.standard_normal(3) + 1j * rng.standard_normal(3)


def test_gradient_is_the_direction_of_steepest_ascent(z):
    x = gg.tensor(z, requires_grad=True)
    gg.real(x * gg.conj(x)).sum().backward()
    numpy.testing.assert_allclose(x.grad.numpy(), 2 * z)
    numpy.testing.assert_allclose(gg.grad(lambda x: gg.real(x * gg.conj(x)).sum())(z), 2 * z)


def test_gradients_add_up_over_backward_passes(z):
    x = gg.tensor(z, requires_grad=True)
    for _ in range(2):
        gg.imag(x).sum().backward()
    numpy.testing.assert_array_equal(x.grad.numpy(), numpy.full(3, 2j))


def test_hooks_see_and_give_what_users_see(z):
    x = gg.tensor(z, requires_grad=True)
    y = x * 1
    seen = []
    y.register_hook(lambda g: seen.append(g.numpy()) or g * 1j)
    gg.imag(y).sum().backward()
    numpy.testing.assert_array_equal(seen, [numpy.full(3, 1j)])
    numpy.testing.assert_array_equal(x.grad.numpy(), numpy.full(3, -1.0))


def test_pullback_is_the_conjugate_transpose(rng):
    a = rng.standard_normal((2, 3)) + 1j * rng.standard_normal((2, 3))
    g, t = (rng.standard_normal(n) + 1j * rng.standard_normal(n) for n in (2, 3))
    direction = gg.tensor(t)
    _, pullback = gg.vjp(lambda x: gg.tensor(a) @ x, direction)
    numpy.testing.assert_allclose(pullback(gg.tensor(g))[0].numpy(), a.conj().T @ g)
    _, dy = gg.jvp(lambda x: gg.tensor(a) @ x, (direction,), (direction,))
    numpy.testing.assert_allclose(dy.numpy(), a @ t)


def test_direction_of_a_function_that_is_not_holomorphic(z):
    t = z[::-1].copy()
    _, dy = gg.jvp(lambda x: gg.conj(x) * x * x, (z,), (t,))
    numpy.testing.assert_allclose(dy, 2 * z * z.conj() * t + z * z * t.conj())


def test_a_real_variable_in_a_complex_expression_gets_a_real_gradient(z):
    r = gg.tensor([1.0, 2.0, 3.0], dtype=gg.float64, requires_grad=True)
    gg.real(r * gg.tensor(z)).sum().backward()
    assert r.grad.dtype == gg.float64
    numpy.testing.assert_allclose(r.grad.numpy(), z.real)


def test_second_derivatives(z):
    def loss(x):
        return gg.real(x * x * gg.conj(x)).sum()

    _, product = gg.vjp(gg.grad(loss), z)
    step, t = 1e-6, z[::-1].copy()
    numeric = (gg.grad(loss)(z + step * t) - gg.grad(loss)(z - step * t)) / (2 * step)
    numpy.testing.assert_allclose(gg.jvp(gg.grad(loss), (z,), (t,))[1], numeric, rtol=1e-6)
    numpy.testing.assert_allclose(product(t)[0], numeric, rtol=1e-6)  # a Hessian is symmetric


def test_a_complex_result_is_no_loss(z):
    x = gg.tensor(z[0], requires_grad=True)
    with pytest.raises(ValueError, match=r"complex128 tensor of shape \(\) needs the gradient"):
        (x * x).backward()
    with pytest.raises(ValueError, match="expected the function to return a real scalar, got complex128"):
        gg.grad(lambda x: x * x)(z[0])


def test_gradcheck_finds_a_wrong_complex_rule(z):
    @gg.primitive
    def wrong(xp, x, /):
        return xp.multiply(x, x)

    wrong.vjp(x=lambda xp, g, x: 2 * g * xp.conj(x))
    with pytest.raises(gg.GradientError, match=r"y\[\d\] \((real|imaginary) part\) with respect to element"):
        gg.gradcheck(wrong, gg.tensor(z))
