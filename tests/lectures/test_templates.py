"""Templates: both classifiers read digits, and what is drawn is the first layer's weights."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn

MNIST = Path(__file__).parents[3] / "shared" / "data" / "mnist10k"


@pytest.fixture
def templates(lecture):
    return lecture("templates")


@pytest.mark.any_device
def test_digits_are_read(templates):
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    gg.random.seed(0)
    with gg.default_device("cpu"):
        train, test = templates.read("digits", None)
        assert templates.accuracy(templates.linear(train, epochs=4), test) > 0.92
        assert templates.accuracy(templates.two_layers(train, epochs=8), test) > 0.92


def test_a_template_is_the_picture_that_scores_highest(templates, rng):
    """Of all pictures of a given length, the one along the row of weights."""
    layer = nn.Linear(64, 10, bias=False, dtype=gg.float64)
    template = templates.pictures(layer, 8)[3]
    pictures = rng.standard_normal((100, 64))
    pictures /= numpy.linalg.norm(pictures, axis=1, keepdims=True)
    best = template.reshape(1, 64) / numpy.linalg.norm(template)
    scores = layer(gg.tensor(numpy.concatenate([best, pictures]))).detach().numpy()[:, 3]
    assert scores.argmax() == 0
    assert scores[0] == pytest.approx(numpy.linalg.norm(template))


def test_the_strongest_neurons(templates):
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    with gg.no_grad():
        model[3].weight[...] = gg.tensor([[0.1, -0.5, 0.3], [0.0, 2.0, 1.0]])
    assert templates.strongest(model, 0, 2) == [2, 0]
    assert templates.strongest(model, 1, 3) == [1, 2, 0]


def test_the_program(program, tmp_path):
    pytest.importorskip("matplotlib", reason="the pictures are drawn by matplotlib")
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    out = program("templates", "--epochs", 1)
    assert "1438 images" in out
    for name in ("linear", "two_layers"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.any_device
@pytest.mark.skipif(not MNIST.is_dir(), reason="MNIST's files are not on this machine, in ../shared/data/mnist10k")
def test_mnist_is_read(templates):
    train, test = templates.read("mnist", MNIST)
    assert (len(train), len(test)) == (8000, 2000)
    with gg.default_device("cpu"):
        model = templates.linear(train, epochs=1)
        assert templates.accuracy(model, test) > 0.8
    assert templates.pictures(model[1], 28).shape == (10, 28, 28)


def test_missing_data_is_named(program, tmp_path):
    with pytest.raises(SystemExit, match="mnist: there is no folder"):
        program("templates", "--data", "mnist", "--data-dir", tmp_path / "none")
