"""How to begin: the scale of values and gradients against theory, symmetry, and what can be learned from there."""

from __future__ import annotations

import importlib.util
import math
import sys

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn


@pytest.fixture
def begin(lecture):
    gg.random.seed(0)
    return lecture("initialization")


# Ten layers of 500 tanh, numbers of unit variance coming in: small random numbers, and Xavier's.
COLLAPSE = [0.2130, 0.0476, 0.0106, 0.00238, 0.000532]
KEPT = [0.6279, 0.4857, 0.4079, 0.3574, 0.3215]


@pytest.mark.any_device
@pytest.mark.parametrize(("way", "scales"), [("zero", [0] * 5), ("too small", COLLAPSE), ("Xavier", KEPT)])
def test_the_scales_of_ten_layers_of_tanh(begin, way, scales):
    numpy.testing.assert_allclose(begin.expected(way, "tanh", 10, 500)[:5], scales, rtol=5e-3)


@pytest.mark.any_device
@pytest.mark.parametrize(("way", "factor"), [("too small", 0.01 * 250**0.5), ("Xavier", 0.5**0.5), ("He", 1.0)])
def test_relu_halves_the_mean_square(begin, way, factor):
    numpy.testing.assert_allclose(begin.expected(way, "ReLU", 4, 500), factor ** numpy.arange(1, 5), rtol=1e-5)


@pytest.mark.parametrize("activation", ["tanh", "ReLU"])
@pytest.mark.parametrize("way", ["zero", "too small", "too large", "Xavier", "He"])
def test_measured_is_as_expected(begin, way, activation):
    layers, width = 4, 256
    seen = begin.look(
        begin.network(way, activation, layers, width), gg.random.normal(size=(400, width)), begin.random_slope
    )
    numpy.testing.assert_allclose(begin.scale(seen.values), begin.expected(way, activation, layers, width), rtol=0.1)
    gradients = begin.scale(seen.gradients)
    assert gradients[-1] == pytest.approx(1, rel=0.02)
    if activation == "ReLU":  # half of the units hand the gradient on
        back = begin.deviation(way, width) * math.sqrt(width / 2)
        numpy.testing.assert_allclose(gradients, back ** numpy.arange(layers - 1, -1, -1.0), rtol=0.2)
    elif way == "too small":  # tanh is the identity there
        assert gradients[-2] == pytest.approx(0.01 * math.sqrt(width), rel=0.1)
    elif way == "too large":
        assert gradients[0] > 10


def test_equal_weights_stay_equal(begin):
    """All units of a layer compute the same, get the same gradient, and remain one unit."""
    model = begin.network("Xavier", "tanh", 2, 8, outputs=3)
    for p in model.parameters():
        nn.init.constant_(p, 0.1)
    x, labels = gg.random.normal(size=(20, 8)), gg.arange(20) % 3
    for _ in range(3):
        nn.functional.cross_entropy(model(x), labels).backward()
        with gg.no_grad():
            for p in model.parameters():
                p -= 0.1 * p.grad
                p.grad = None
    rows = model[0].weight.numpy()
    numpy.testing.assert_allclose(rows, rows[:1].repeat(8, axis=0), rtol=1e-6)
    assert abs(rows - 0.1).max() > 1e-4


def test_from_zero_only_the_last_bias_learns(begin):
    model = begin.network("zero", "tanh", 3, 16, outputs=10)
    nn.functional.cross_entropy(model(gg.random.normal(size=(50, 16))), gg.arange(50) % 7).backward()
    moved = {name for name, p in model.named_parameters() if abs(p.grad.numpy()).max() > 0}
    assert moved == {"6.bias"}


def test_a_product_of_one_matrix_grows_as_its_eigenvalues(begin):
    for radius in (0.9, 1.0, 1.1):
        numpy.testing.assert_allclose(begin.product(radius, 20, width=8), radius ** numpy.arange(21.0), rtol=1e-10)


def test_a_sigmoid_hands_on_less_than_a_quarter(begin):
    lengths = numpy.array(begin.chain_of_sigmoids(6))
    ratios = lengths[1:] / lengths[:-1]
    assert (ratios < 0.27).all()  # random weights may lengthen it a little
    assert (ratios > 0.2).all()
    assert lengths[-1] < 0.25**5


FOUND = {
    "zero": {"constant weights", "no gradient"},
    "too small": {"small weights", "vanishing values", "vanishing gradients"},
    "too large": {"saturated units", "exploding gradients"},
    "Xavier": set(),
    "He": set(),
}


@pytest.mark.parametrize("way", FOUND)
def test_the_diagnosis_of_each(begin, way):
    batch = (gg.random.normal(size=(200, 64)), gg.random.integers(0, 10, 200))
    found = gg.diagnose(begin.network(way, "tanh", 10, 64, outputs=10), batch, nn.CrossEntropyLoss())
    assert {finding.kind for finding in found.findings} == FOUND[way]


def test_what_can_be_learned_from_there(begin):
    pytest.importorskip("sklearn", reason="the digits are scikit-learn's")
    losses, accuracy = begin.learn("zero", "tanh", 10, 64, epochs=1)
    assert losses == pytest.approx([math.log(10)] * len(losses), abs=0.05)
    assert accuracy < 0.2
    losses, accuracy = begin.learn("He", "tanh", 10, 64, epochs=2)
    assert losses[-1] < 1 < losses[0]
    assert accuracy > 0.8


def test_the_script_runs(program, tmp_path):
    pytest.importorskip("sklearn", reason="the digits are scikit-learn's")
    out = program("initialization", "--layers", 2, "--width", 16, "--epochs", 1)
    assert "Xavier: nothing looks wrong" in out
    assert "eigenvalues of length 1.1: 117.4" in out
    if importlib.util.find_spec("matplotlib") is not None:
        pictures = {file.name for file in tmp_path.iterdir()}
        assert pictures == {"values.png", "gradients.png", "depth.png", "learning.png"}


def test_without_scikit_learn(program, monkeypatch):
    for name in ("sklearn.datasets", "matplotlib.figure"):  # pictures take a while
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SystemExit, match=r"no training: .*pip install 'gpugrad\[examples\]'"):
        program("initialization", "--layers", 2, "--width", 8)
