"""checkpoint: the same gradients with less kept."""

from __future__ import annotations

import gc
import weakref

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn


def gradients(f, x, layer):
    gg.random.seed(1)
    x.grad = None
    layer.zero_grad()
    (f(f(x)) ** 2).sum().backward()
    return x.grad.numpy(), layer.weight.grad.numpy(), layer.bias.grad.numpy()


def test_same_gradients_also_of_parameters_and_with_the_same_dropout(rng):
    layer, dropout = nn.Linear(4, 4), nn.Dropout(0.5)
    x = gg.tensor(rng.standard_normal((3, 4)), dtype=gg.float32, requires_grad=True)

    def block(x):
        return gg.tanh(dropout(layer(x)))

    for plain, again in zip(gradients(block, x, layer), gradients(gg.checkpoint(block), x, layer), strict=True):
        assert (plain == again).all()


def test_the_random_state_goes_on_as_without():
    x = gg.tensor([1.0, 2.0], requires_grad=True)
    noisy = lambda x: x * gg.random.random(2)
    gg.random.seed(3)
    noisy(x)
    expected = gg.random.random(3).tolist()
    gg.random.seed(3)
    gg.checkpoint(noisy)(x).sum().backward()
    assert gg.random.random(3).tolist() == expected


def test_first_and_second_derivatives():
    x = gg.tensor([0.3, -0.7, 2.0], dtype=gg.float64)
    f = gg.checkpoint(lambda x: gg.sin(x) * x)
    assert gg.gradcheck(f, x)
    assert gg.gradgradcheck(f, x)


def test_several_nested_results_and_arguments():
    f = gg.checkpoint(lambda p, scale: {"a": p["x"] * p["y"] * scale, "b": (p["x"].sum(), 3.0 * p["y"])})
    p = {"x": gg.tensor([1.0, 2.0], requires_grad=True), "y": gg.tensor([3.0, 4.0], requires_grad=True)}
    result = f(p, scale=2.0)
    (result["a"].sum() + result["b"][0]).backward()
    assert p["x"].grad.tolist() == [7.0, 9.0]
    assert p["y"].grad.tolist() == [2.0, 4.0]


def test_what_is_inside_is_not_kept():
    inside = []

    def block(x):
        middle = gg.exp(x)
        inside.append(weakref.ref(middle.data))
        return gg.sin(middle)

    gc.disable()
    try:
        x = gg.tensor([1.0], requires_grad=True)
        y = gg.checkpoint(block)(x)
        assert inside[0]() is None
        node = weakref.ref(y)
        y.backward(gg.ones(1))
        assert len(inside) == 2
        del y
        assert node() is None
        assert inside[1]() is None
    finally:
        gc.enable()


def test_a_parameter_changed_since_is_noticed():
    w = gg.tensor([2.0], requires_grad=True)
    x = gg.tensor([3.0], requires_grad=True)
    y = gg.checkpoint(lambda x: x * w)(x)
    with gg.no_grad():
        w += 1.0
    with pytest.raises(gg.GradientError, match="changed in place since"):
        y.sum().backward()


def test_without_recording_it_is_the_function():
    x = gg.tensor([1.0], requires_grad=True)
    with gg.no_grad():
        assert not gg.checkpoint(gg.sin)(x).requires_grad
    assert not gg.checkpoint(gg.sin)(gg.ones(1)).requires_grad


def test_it_nests_with_grad():
    assert numpy.allclose(gg.grad(gg.grad(gg.checkpoint(lambda x: x**3)))(numpy.array(2.0)), 12.0)
