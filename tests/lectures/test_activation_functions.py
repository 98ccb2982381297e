"""Activation functions: the library's derivatives against the formulas of the lectures."""

from __future__ import annotations

import numpy
import pytest

import gpugrad as gg

pytestmark = pytest.mark.any_device


@pytest.fixture
def activation(lecture):
    """On the CPU: kernels of a GPU are compared with these elsewhere."""
    with gg.default_device("cpu"):
        yield lecture("activation_functions")


def sigmoid(x):
    return 1 / (1 + numpy.exp(-x))


FORMULAS = {  # value and derivative, as the lectures write them
    "sigmoid": (sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x))),
    "tanh": (numpy.tanh, lambda x: 1 - numpy.tanh(x) ** 2),
    "hard tanh": (lambda x: numpy.clip(x, -1, 1), lambda x: (abs(x) < 1) * 1.0),
    "softsign": (lambda x: x / (1 + abs(x)), lambda x: 1 / (1 + abs(x)) ** 2),
    "ReLU": (lambda x: numpy.maximum(x, 0), lambda x: (x > 0) * 1.0),
    "leaky ReLU": (lambda x: numpy.maximum(x, 0.1 * x), lambda x: numpy.where(x > 0, 1, 0.1)),
    "ELU": (lambda x: numpy.where(x > 0, x, numpy.exp(x) - 1), lambda x: numpy.where(x > 0, 1, numpy.exp(x))),
    "maxout": (lambda x: numpy.maximum(-0.5 * x - 1, x), lambda x: numpy.where(x > -2 / 3, 1, -0.5)),
    "softplus": (lambda x: numpy.log1p(numpy.exp(x)), sigmoid),
    "SiLU, swish": (lambda x: x * sigmoid(x), lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x)))),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_against_the_formula(activation, name):
    x, y, slope = activation.curve(activation.FUNCTIONS[name], reach=4.9, points=400)  # no point at a kink
    value, derivative = FORMULAS[name]
    numpy.testing.assert_allclose(y, value(x), rtol=1e-12, atol=1e-14)
    numpy.testing.assert_allclose(slope, derivative(x), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["GELU", "Mish", *FORMULAS])
def test_against_differences(activation, name):
    x, y, slope = activation.curve(activation.FUNCTIONS[name], reach=2.0, points=40_000)
    kink = {"maxout": -2 / 3, "hard tanh": 1.0}.get(name, 0.0)
    smooth = abs(abs(x[1:-1]) - abs(kink)) > 1e-3
    differences = (y[2:] - y[:-2]) / (x[2:] - x[:-2])
    numpy.testing.assert_allclose(slope[1:-1][smooth], differences[smooth], atol=1e-6)


def test_what_the_lectures_say_of_them(activation):
    curves = {name: activation.curve(f) for name, f in activation.FUNCTIONS.items()}
    assert curves["sigmoid"].slope.max() == 0.25  # so each sigmoid takes three quarters of the gradient, at least
    assert curves["tanh"].slope.max() == 1
    numpy.testing.assert_allclose(curves["tanh"].y, 2 * sigmoid(2 * curves["tanh"].x) - 1, atol=1e-15)
    assert curves["ReLU"].saturated == pytest.approx(201 / 401)  # the dead half, and 0 itself
    assert curves["leaky ReLU"].saturated == curves["maxout"].saturated == 0
    assert curves["tanh"].saturated > 0.3


def test_the_program(program, tmp_path):
    pytest.importorskip("matplotlib", reason="the picture is drawn by matplotlib")
    out = program("activation_functions")
    assert len(out.splitlines()) == 14  # heads, twelve functions, the picture
    assert (tmp_path / "activation_functions.png").read_bytes().startswith(b"\x89PNG")
