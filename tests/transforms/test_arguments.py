"""Transforms say what is wrong with what they are given: no function, no positions, an integer result."""

import numpy
import pytest

import gpugrad as gg

X = numpy.array([0.5, 2.0])
OF_A_FUNCTION = ("grad", "value_and_grad", "jacobian", "hessian", "elementwise_grad", "vmap", "checkpoint")
WITH_ARGUMENTS = ("vjp", "jvp", "hvp")


def square(x):
    return (x * x).sum()


@pytest.mark.parametrize("name", OF_A_FUNCTION + WITH_ARGUMENTS)
def test_what_is_not_a_function(name):
    given = {"vjp": (X,), "jvp": ((X,), (X,)), "hvp": ((X,), (X,))}.get(name, ())
    for value in (3.0, X, gg.tensor(1.0), None):
        with pytest.raises(TypeError, match=rf"{name}: expected a function, got .*test_arguments.*use gg\.{name}\(f"):
            getattr(gg, name)(value, *given)


@pytest.mark.parametrize("name", OF_A_FUNCTION[:5])
def test_an_argument_in_the_place_of_argnums(name):
    for value in (X, gg.tensor(X), 1.0, "x", (X,)):
        with pytest.raises(TypeError, match=rf"{name}: expected argnums as an integer.*use gg\.{name}\(f\)\(x\)"):
            getattr(gg, name)(square, value)


def test_argnums_of_numpy():
    def f(a, b):
        return (a * a * b).sum()

    assert gg.grad(f, numpy.int64(1))(X, X).tolist() == (X * X).tolist()
    assert [g.tolist() for g in gg.grad(f, [0, numpy.int8(1)])(X, X)] == [(2 * X * X).tolist(), (X * X).tolist()]


@pytest.mark.parametrize(
    "f", [gg.argmax, numpy.argmax, lambda x: numpy.argsort(x)[0], lambda x: x.sum() > 0, lambda x: gg.sum(x > 1)]
)
def test_an_integer_result_has_no_gradient(f):
    for transform in (gg.grad, gg.value_and_grad, gg.jacobian, gg.hessian):
        with pytest.raises(TypeError, match="return floating-point numbers, got"):
            transform(f)(X)
    for call in (lambda: gg.vjp(f, X), lambda: gg.jvp(f, (X,), (X,)), lambda: gg.hvp(f, (X,), (X,))):
        with pytest.raises(TypeError, match="return floating-point numbers, got"):
            call()


def test_an_integer_beside_a_differentiable_result():
    (value, place), pullback = gg.vjp(lambda x: (x * x, gg.argmax(x)), X)
    assert place == 1
    (g,) = pullback((value, numpy.asarray(place)))
    assert g.tolist() == (2 * X**3).tolist()
