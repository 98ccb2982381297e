"""Computation graphs: the lecture's regression, powers by squaring, networks against formulas, what sharing saves."""

from __future__ import annotations

import numpy
import pytest

import gpugrad as gg


@pytest.fixture
def graphs(lecture):
    return lecture("computation_graphs")


@pytest.fixture
def walk(lecture):
    return lecture("circuit").there_and_back


def sigmoid(u):
    return 1 / (1 + numpy.exp(-u))


def test_linear_regression(graphs, walk):
    walked = walk(graphs.linear_regression, **graphs.REGRESSION)
    assert [walked.values[name] for name in ("score", "residual", "loss")] == [5, 3, 9]
    assert [walked.gradients[name] for name in ("loss", "residual", "score")] == [1, 6, 6]
    assert walked.gradients["w"] == [6, 12]
    assert walked.gradients["phi"] == [18, 6]
    assert walked.gradients["y"] == -6


@pytest.mark.parametrize("a", [3.0, -2.0, 0.0, 0.5])
def test_the_fourth_power(graphs, walk, a):
    walked = walk(graphs.fourth_power, a=a)
    assert (walked.values["a^2"], walked.values["a^4"]) == (a**2, a**4)
    assert (walked.gradients["a^2"], walked.gradients["a"]) == (2 * a**2, 4 * a**3)


def test_a_power_by_ten_gates(graphs):
    a = gg.tensor(1.001, dtype=gg.float64)
    value, slope = gg.value_and_grad(lambda a: graphs.squared_again(a, 10))(a)
    assert value.item() == pytest.approx(1.001**1024, rel=1e-12)
    assert slope.item() == pytest.approx(1024 * 1.001**1023, rel=1e-12)


def test_two_layers_by_hand(graphs, walk):
    given = graphs.weights(layers=2)
    phi, y, v, w = (numpy.array(given[name]) for name in ("phi", "y", "V", "w"))
    walked = walk(graphs.network, **given)
    h = sigmoid(v @ phi)
    residual = w @ h - y
    assert walked.values["loss"] == pytest.approx(residual**2, rel=1e-14)
    assert walked.gradients["residual"] == pytest.approx(2 * residual, rel=1e-14)
    numpy.testing.assert_allclose(walked.gradients["w"], 2 * residual * h, rtol=1e-13)
    numpy.testing.assert_allclose(walked.gradients["V"], numpy.outer(2 * residual * w * h * (1 - h), phi), rtol=1e-13)


def test_four_layers_by_hand(graphs, walk):
    given = graphs.weights(layers=4)
    phi, y, w, *vs = (numpy.array(given[name]) for name in ("phi", "y", "w", "V1", "V2", "V3"))
    hs = [phi]
    for v in vs:
        hs.append(sigmoid(v @ hs[-1]))
    residual = w @ hs[-1] - y
    walked = walk(graphs.deep_network, **given)
    assert walked.values["loss"] == pytest.approx(residual**2, rel=1e-14)
    numpy.testing.assert_allclose(walked.gradients["w"], 2 * residual * hs[-1], rtol=1e-13)
    error = 2 * residual * w
    for layer in (3, 2, 1):
        numpy.testing.assert_allclose(walked.gradients[f"hidden{layer}"], error, rtol=1e-12)
        error = error * hs[layer] * (1 - hs[layer])
        numpy.testing.assert_allclose(walked.gradients[f"V{layer}"], numpy.outer(error, hs[layer - 1]), rtol=1e-12)
        error = vs[layer - 1].T @ error
    numpy.testing.assert_allclose(walked.gradients["phi"], error, rtol=1e-12)


def test_a_shared_subexpression_is_walked_once(graphs):
    apart, gradient_apart = graphs.shared_or_not(shared=False)
    together, gradient = graphs.shared_or_not(shared=True)
    assert (apart.forward, apart.backward) == (2, 2)
    assert (together.forward, together.backward) == (1, 1)
    numpy.testing.assert_allclose(gradient, gradient_apart, rtol=1e-13)


def test_the_program(program):
    out = program("computation_graphs")
    assert "w         [3.0, 1.0]   gradient [6.0, 12.0]" in out
    assert "one name: 1 forward, 1 backward" in out
