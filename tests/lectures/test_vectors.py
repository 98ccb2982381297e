"""Vectors: a Jacobian that is never made, the lecture's gradient matrices, the shape convention."""

from __future__ import annotations

import numpy
import pytest

import gpugrad as gg


@pytest.mark.any_device
def test_the_jacobian_of_the_maximum_is_never_made(lecture):
    with gg.default_device("cpu"):  # whose memory is counted
        measured = lecture("vectors").measured_maximum(4096)
    assert measured.jacobian == 64 * 2**20  # float32
    assert measured.peak < 8 * 16 * 1024  # a few arrays of 16 KiB: one 512th of it
    x, upstream = measured.x.numpy(), measured.upstream.numpy()
    assert 0 < (x > 0).sum() < 4096
    numpy.testing.assert_array_equal(measured.gradient.numpy(), upstream * (x > 0))


def test_the_jacobian_of_the_maximum_is_diagonal(lecture, rng):
    x = rng.standard_normal(64)
    jacobian = gg.jacobian(lecture("vectors").larger_than_zero)(gg.tensor(x))
    numpy.testing.assert_array_equal(jacobian.numpy(), numpy.diag(x > 0))


def test_the_squared_length(lecture):
    walked = lecture("circuit").there_and_back(lecture("vectors").squared_length, **lecture("vectors").LENGTH)
    for name, printed in {"q = W x": [0.22, 0.26], "f": 0.116}.items():
        numpy.testing.assert_allclose(walked.values[name], printed, rtol=1e-14)
    gradients = {
        "q = W x": [0.44, 0.52],
        "W": [[0.088, 0.176], [0.104, 0.208]],
        "x": [-0.112, 0.636],
        "f": 1,
    }
    for name, printed in gradients.items():
        numpy.testing.assert_allclose(walked.gradients[name], printed, rtol=1e-14)
        numpy.testing.assert_array_equal(numpy.round(walked.gradients[name], 3), printed)


def test_its_gradients_by_the_formulas(lecture, rng):
    """``2 q x^T`` and ``2 W^T q``, for other numbers than the lecture's."""
    w, x = rng.standard_normal((3, 5)), rng.standard_normal(5)
    walked = lecture("circuit").there_and_back(lecture("vectors").squared_length, W=w, x=x)
    numpy.testing.assert_allclose(walked.gradients["W"], 2 * numpy.outer(w @ x, x), rtol=1e-13)
    numpy.testing.assert_allclose(walked.gradients["x"], 2 * w.T @ (w @ x), rtol=1e-13)


def test_a_gradient_has_the_shape_of_its_variable(lecture):
    lines = {name: rest for name, *rest in lecture("vectors").shapes()}
    assert all(variables == gradients for variables, _, gradients in lines.values())
    assert lines["X W + b"] == ["4x3, 3x2, 2", "4x2", "4x3, 3x2, 2"]
    assert lines["a X"][0] == "number, 4x3"


def test_gradients_of_a_product_of_matrices(rng):
    """The notes' example, where shapes alone say how: ``dW = dD X^T`` and ``dX = W^T dD``."""
    w, x, upstream = (rng.standard_normal(shape) for shape in ((5, 10), (10, 3), (5, 3)))
    _, pullback = gg.vjp(lambda w, x: w @ x, gg.tensor(w), gg.tensor(x))
    by_w, by_x = pullback(gg.tensor(upstream))
    numpy.testing.assert_allclose(by_w.numpy(), upstream @ x.T, rtol=1e-13)
    numpy.testing.assert_allclose(by_x.numpy(), w.T @ upstream, rtol=1e-13)


@pytest.mark.parametrize("size", [4096, 100])
def test_the_program(program, size):
    out = program("vectors", "--size", size)
    assert f"max(x, 0) of {size:,} inputs" in out
    assert "[[1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]" in out
    assert "gradient [[0.088, 0.176], [0.104, 0.208]]" in out
    assert ("64.000 MiB" in out, "625 GiB" in out) == (size == 4096, size == 4096)
