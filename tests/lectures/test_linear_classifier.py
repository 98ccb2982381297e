"""The linear classifier: the lecture's losses, the gradient against one derived by hand, what is learned."""

from __future__ import annotations

import numpy
import pytest

import gpugrad as gg


@pytest.fixture
def classifier(lecture):
    return lecture("linear_classifier")


def test_the_losses_of_three_images(classifier):
    losses = classifier.hinge(gg.tensor(classifier.SCORES, dtype=gg.float64), gg.tensor([0, 1, 2])).numpy()
    numpy.testing.assert_allclose(losses, [2.9, 0, 12.9], rtol=1e-14, atol=1e-15)
    assert losses.mean() == pytest.approx((2.9 + 0 + 12.9) / 3, rel=1e-14)
    assert round(losses.mean(), 2) == 5.27


def test_a_margin_of_ten(classifier):
    scores = gg.tensor([[13.0, -7.0, 11.0]], dtype=gg.float64)
    assert classifier.hinge(scores, gg.tensor([0]), margin=10.0).tolist() == [8]


def test_regularization_prefers_small_weights(lecture, classifier):
    """Both weights score 1; the one that looks at all of x has the smaller sum of squares."""
    x, labels = gg.ones((1, 4), dtype=gg.float64), gg.tensor([0])
    circuit = classifier.graph(x, labels, strength=1.0)
    penalties = {}
    for name, row in {"one": [1.0, 0.0, 0.0, 0.0], "all": [0.25] * 4}.items():
        walked = lecture("circuit").there_and_back(circuit, W=[row, [0.0] * 4])
        assert walked.values["scores"] == [[1, 0]]
        assert walked.values["data loss"] == 0
        penalties[name] = walked.values["L"]
    assert penalties == {"one": 1, "all": 0.25}


@pytest.mark.parametrize("strength", [0.0, 0.1, 2.0])
def test_the_gradient_is_the_one_by_hand(lecture, classifier, strength):
    x, labels = classifier.clouds()
    w = numpy.random.default_rng(1).standard_normal((3, 3))
    walked = lecture("circuit").there_and_back(classifier.graph(x, labels, strength), W=w)
    scores = x.numpy() @ w.T
    margins = numpy.maximum(scores - scores[numpy.arange(180), labels.numpy()][:, None] + 1, 0)
    loss = margins.sum() / 180 - 1
    assert walked.values["data loss"] == pytest.approx(loss, rel=1e-13)
    assert walked.values["L"] == pytest.approx(loss + strength * (w**2).sum(), rel=1e-13)
    by_hand = classifier.gradient_by_hand(w, x.numpy(), labels.numpy(), strength)
    numpy.testing.assert_allclose(walked.gradients["W"], by_hand, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("y", "loss", "gradient"),
    [(2.0, 0, [0, 0]), (1.0, 0, [0, 0]), (-1.0, 6, [1, 2])],
    ids=["well above the margin", "above it", "on the wrong side"],
)
def test_binary_hinge(lecture, classifier, y, loss, gradient):
    """With w = (3, 1) and phi = (1, 2) the score is 5."""
    walked = lecture("circuit").there_and_back(classifier.binary_hinge, w=[3.0, 1.0], phi=[1.0, 2.0], y=y)
    assert walked.values["score"] == 5
    assert walked.values["loss"] == loss
    assert walked.gradients["w"] == gradient


def test_it_learns(classifier):
    fit = classifier.descend(*classifier.clouds(), steps=60)
    assert fit.losses[0] == pytest.approx(2)  # scores of 0: each of two wrong classes violates its margin by 1
    assert fit.losses[-1] < 0.6
    assert fit.accuracy > 0.9


def test_the_program(program, tmp_path):
    pytest.importorskip("matplotlib", reason="the picture is drawn by matplotlib")
    out = program("linear_classifier")
    assert "image of a   cat   car   frog   loss" in out
    assert "mean 5.27" in out
    assert "\nloss          6.00        1.00\n" in out
    assert (tmp_path / "regions.png").read_bytes().startswith(b"\x89PNG")
