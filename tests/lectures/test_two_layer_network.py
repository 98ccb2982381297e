"""The network in twenty lines: its length, that it learns, its gradients against those by hand."""

from __future__ import annotations

import inspect

import numpy
import pytest


@pytest.fixture
def network(lecture):
    return lecture("two_layer_network")


@pytest.mark.any_device
def test_it_is_twenty_lines(network):
    assert len(inspect.getsource(network.train).splitlines()) <= 20


def test_it_learns(network):
    losses, found = network.train(steps=60)
    assert losses[0] > 10_000
    assert losses[-1] < losses[0] / 4
    assert [a.shape for a in found] == [(64, 1000), (64, 10), (1000, 100), (100, 10)]


def test_gradients_by_hand(network):
    assert network.difference(*network.train(steps=1)[1]) < 1e-13


def test_the_gates_of_a_step(network, lecture):
    """What is drawn is what is trained."""
    _, found = network.train(steps=1)
    leaves = {name: a.numpy() for name, a in zip(("x", "y", "w1", "w2"), found, strict=True)}
    walked = lecture("circuit").there_and_back(network.network, **leaves)
    exact = {name: a.astype(float) for name, a in leaves.items()}
    for name, by_hand in zip(("w1", "w2"), network.gradients_by_hand(**exact), strict=True):
        numpy.testing.assert_allclose(walked.gradients[name], by_hand, rtol=1e-9, atol=1e-9 * abs(by_hand).max())


def test_the_program(program, tmp_path):
    pytest.importorskip("matplotlib", reason="the picture is drawn by matplotlib")
    out = program("two_layer_network", "--steps", 20)
    assert "step    10: loss" in out
    assert "step   100" not in out
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")
