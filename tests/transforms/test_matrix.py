"""jvp, jacobian, hessian, hvp, elementwise_grad, and nested arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy
import pytest

import gpugrad as gg


def array(*values):
    return numpy.array(values)


def f(x):
    return gg.sin(x) * gg.sum(x * x)


def jacobian_of_f(x):
    return numpy.diag(numpy.cos(x) * (x * x).sum()) + numpy.outer(numpy.sin(x), 2 * x)


def test_jacobian_against_the_formula():
    x = array(0.3, -1.2, 2.0)
    assert numpy.allclose(gg.jacobian(f)(x), jacobian_of_f(x), atol=1e-12)


def test_jvp_is_the_jacobian_times_the_tangent():
    x, t = array(0.3, -1.2, 2.0), array(1.0, 0.5, -2.0)
    y, dy = gg.jvp(f, (x,), (t,))
    assert isinstance(dy, numpy.ndarray)
    assert numpy.allclose(y, numpy.sin(x) * (x * x).sum())
    assert numpy.allclose(dy, jacobian_of_f(x) @ t, atol=1e-12)


def test_hessian_and_hvp():
    x, t = array(0.3, -1.2, 2.0), array(1.0, 0.5, -2.0)
    scalar = lambda x: gg.sum(f(x))
    h = gg.hessian(scalar)(x)
    assert numpy.allclose(h, h.T, atol=1e-12)
    eps = 1e-6
    numeric = [(gg.grad(scalar)(x + eps * e) - gg.grad(scalar)(x - eps * e)) / (2 * eps) for e in numpy.eye(3)]
    assert numpy.allclose(h, numeric, atol=1e-6)
    assert numpy.allclose(gg.hvp(scalar, (x,), (t,)), h @ t, atol=1e-12)


def test_jvp_where_nothing_depends_on_the_argument():
    y, dy = gg.jvp(lambda x: gg.ones(2, dtype=gg.float64), (array(1.0),), (array(1.0),))
    assert y.tolist() == [1, 1]
    assert dy.tolist() == [0, 0]


def test_jvp_nests_with_grad():
    assert gg.grad(lambda x: gg.jvp(lambda y: y**3, (x,), (x,))[1])(numpy.array(2.0)) == 36.0


def test_tangents_must_be_like_primals():
    with pytest.raises(ValueError, match="expected tangents like the primals"):
        gg.jvp(gg.sin, (array(1.0),), (array(1.0, 2.0),))


def test_empty_results_and_several_arguments():
    assert gg.jacobian(lambda x: x[:0])(numpy.ones(3)).shape == (0, 3)
    by_x, by_y = gg.jacobian(lambda x, y: x * y, argnums=(0, 1))(array(1.0, 2.0), array(3.0, 4.0))
    assert by_x.tolist() == [[3, 0], [0, 4]]
    assert by_y.tolist() == [[1, 0], [0, 2]]


class Pair(NamedTuple):
    w: object
    b: object


@dataclass
class Layer:
    w: object
    b: object


@pytest.mark.parametrize("make", [Pair, Layer, lambda w, b: {"w": w, "b": b}, lambda w, b: [w, b], lambda w, b: (w, b)])
def test_nested_arguments_give_gradients_in_the_same_nesting(make):
    def loss(p, x, scale=1.0):
        w, b = (p["w"], p["b"]) if isinstance(p, dict) else p if isinstance(p, list | tuple) else (p.w, p.b)
        return scale * gg.sum(w * x + b)

    p = make(array(1.0, 2.0), array(0.5))
    gradient = gg.grad(loss)(p, array(3.0, 4.0), scale=2.0)
    assert type(gradient) is type(p)
    w, b = gradient.values() if isinstance(gradient, dict) else gradient if isinstance(gradient, list | tuple) else (
        gradient.w, gradient.b)  # fmt: skip
    assert w.tolist() == [6, 8]
    assert b.tolist() == [4]


def test_hessian_of_nested_arguments_nests_twice():
    h = gg.hessian(lambda p: gg.sum(p["w"] ** 2) * p["b"])({"w": array(1.0, 2.0), "b": numpy.array(3.0)})
    assert h["w"]["w"].tolist() == [[6, 0], [0, 6]]
    assert h["w"]["b"].tolist() == [2, 4]
    assert h["b"]["w"].tolist() == [2, 4]
    assert h["b"]["b"] == 0


def test_numbers_of_python_are_arguments_like_arrays():
    def square(x):
        return x**2

    assert (gg.jacobian(square)(3.0), gg.hessian(square)(3.0), gg.jacobian(square)(numpy.float64(3.0))) == (6, 2, 6)
    assert gg.jacobian(lambda p: p[0] * p[1])([2.0, 3.0]) == [3, 2]
    assert gg.hessian(lambda p: p["a"] ** 2 * p["b"])({"a": 2.0, "b": 3.0})["a"] == {"a": 6, "b": 4}
    assert gg.jacobian(lambda x, y: x * y * gg.ones(2), (0, 1))(2.0, 3.0)[1].tolist() == [2, 2]
    pullback = gg.vjp(square, 3.0)[1]
    assert (*pullback(1.0), *pullback(2)) == (6, 12)
    assert gg.vjp(lambda x: (x, x * x), 3.0)[1]((1.0, 2.0)) == (13,)
    for wrong in (1j, True, "1"):
        with pytest.raises(TypeError, match="expected the gradient as a tensor or an array"):
            pullback(wrong)
    assert gg.gradcheck(square, 3.0)
    assert gg.gradgradcheck(lambda x, y: x * x * y, [2.0, 3.0])


def test_what_cannot_be_differentiated_is_named():
    with pytest.raises(TypeError, match=r"argument 0\['name'\]: expected an array, a number.*got str"):
        gg.grad(lambda p: p["w"])({"w": numpy.array(1.0), "name": "x"})


def test_vjp_of_several_results():
    y, pullback = gg.vjp(lambda x: {"a": x * x, "b": x.sum()}, array(1.0, 2.0))
    assert y["a"].tolist() == [1, 4]
    assert pullback({"a": array(1.0, 0.0), "b": numpy.array(10.0)})[0].tolist() == [12, 10]
    with pytest.raises(ValueError, match="expected 2 gradients"):
        pullback({"a": array(1.0, 0.0)})


def test_elementwise_grad():
    assert numpy.allclose(gg.elementwise_grad(gg.sin)(array(0.0, 1.0)), numpy.cos([0.0, 1.0]))
