"""The network in twenty lines: its length, that it learns, its gradients against those by hand."""

from __future__ import annotations

import inspect

import pytest


@pytest.fixture
def network(lecture):
    return lecture("two_layer_network")


def test_it_is_twenty_lines(network):
    assert len(inspect.getsource(network.train).splitlines()) <= 20


def test_it_learns(network):
    losses, found = network.train(steps=60)
    assert losses[0] > 10_000
    assert losses[-1] < losses[0] / 4
    assert [a.shape for a in found] == [(64, 1000), (64, 10), (1000, 100), (100, 10)]


def test_gradients_by_hand(network):
    assert network.difference(*network.train(steps=1)[1]) < 1e-13


def test_the_program(program, tmp_path):
    pytest.importorskip("matplotlib", reason="the picture is drawn by matplotlib")
    out = program("two_layer_network", "--steps", 20)
    assert "step    10: loss" in out
    assert "100" not in out
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")
