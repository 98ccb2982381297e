"""Functions of gpugrad in JAX, and of JAX in gpugrad."""

from __future__ import annotations

import doctest

import numpy
import pytest

import gpugrad as gg

jax = pytest.importorskip("jax")
from gpugrad.interop import jax as border  # noqa: E402

pytestmark = pytest.mark.any_device
rng = numpy.random.default_rng(3)
X, Y = rng.normal(size=(5, 3)), rng.normal(size=3)


@pytest.fixture(autouse=True)
def wide():
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


def ours(x, y):
    return gg.sin(x) * gg.exp(y) + (x * y).sum()


def theirs(x, y):
    return jax.numpy.sin(x) * jax.numpy.exp(y) + (x * y).sum()


def squares(f):
    return lambda x, y: (abs(f(x, y)) ** 2).sum()


@pytest.mark.parametrize("imaginary", [0.0, 1j])
def test_functions_of_gpugrad_in_jax(imaginary):
    x, y = jax.numpy.asarray(X[0] + imaginary * Y), jax.numpy.asarray(Y)
    mine, reference = squares(border.wrap(ours)), squares(theirs)
    for position in (0, 1):
        expected = jax.grad(reference, position)(x, y)
        numpy.testing.assert_allclose(jax.grad(mine, position)(x, y), expected)
        numpy.testing.assert_allclose(jax.jit(jax.grad(mine, position))(x, y), expected)
    if not imaginary:
        numpy.testing.assert_allclose(jax.jacrev(jax.grad(mine))(x, y), jax.hessian(reference)(x, y))
        rows = jax.numpy.asarray(X)
        numpy.testing.assert_allclose(
            jax.vmap(jax.grad(mine), (0, None))(rows, y), jax.vmap(jax.grad(reference), (0, None))(rows, y)
        )
    pair = border.wrap(lambda x: (x * 2, gg.sin(x)))
    numpy.testing.assert_allclose(pair(x)[1], jax.numpy.sin(x))


def test_functions_of_jax_in_gpugrad():
    x, y = (gg.tensor(a, requires_grad=True, device="cpu") for a in (X[0], Y))
    f = border.from_jax(theirs)
    assert gg.gradcheck(f, (x, y))
    assert gg.gradgradcheck(f, (x, y))
    z = gg.tensor(X[0] + 1j * Y, requires_grad=True, device="cpu")
    assert gg.gradcheck(border.from_jax(lambda z: jax.numpy.exp(z) * jax.numpy.conj(z)), (z,))
    between = border.from_jax(lambda u: border.wrap(gg.tanh)(u * 2))
    assert gg.gradcheck(lambda x: (between(gg.sin(x)) ** 2).sum(), (x,))


def test_what_jax_would_round_is_refused():
    jax.config.update("jax_enable_x64", False)
    with pytest.raises(TypeError, match="would round float64 to float32"):
        border.from_jax(theirs)(X[0], Y)


def test_errors_reach_the_caller():
    with pytest.raises(ZeroDivisionError):
        border.from_jax(lambda x: 1 / 0)(X[0])
    with pytest.raises(ZeroDivisionError):
        border.wrap(lambda x: 1 / 0)(jax.numpy.ones(2))


def test_examples():
    jax.config.update("jax_enable_x64", False)
    assert doctest.testmod(border).failed == 0
