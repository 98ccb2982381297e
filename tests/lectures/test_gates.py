"""Circuits of gates: every number that the lectures print for them, exact in float64 and to the printed digits."""

from __future__ import annotations

import sys
from math import exp

import pytest

F = 1 / (1 + exp(-1))
LOCAL = F * (1 - F)


@pytest.fixture
def walk(lecture):
    """Walk one of the examples forward and back."""

    def walk(name):
        _, circuit, leaves = lecture("gates").EXAMPLES[name]
        return lecture("circuit").there_and_back(circuit, **leaves)

    return walk


def test_product_of_a_sum(walk):
    walked = walk("product_of_a_sum")
    assert walked.values == {"x": -2, "y": 5, "z": -4, "q = x + y": 3, "f = q z": -12}
    assert walked.gradients == {"x": -4, "y": -4, "z": 3, "q = x + y": -4, "f = q z": 1}


PRINTED = {  # value and gradient of each gate, as the lecture prints them
    "w0": (2.00, -0.20), "x0": (-1.00, 0.39), "w1": (-3.00, -0.39), "x1": (-2.00, -0.59), "w2": (-3.00, 0.20),
    "w0 x0": (-2.00, 0.20), "w1 x1": (6.00, 0.20), "w0 x0 + w1 x1": (4.00, 0.20), "dot": (1.00, 0.20),
    "-dot": (-1.00, -0.20), "exp": (0.37, -0.53), "1 + exp": (1.37, -0.53), "f": (0.73, 1.00),
}  # fmt: skip

EXACT = {"w0": -LOCAL, "x0": 2 * LOCAL, "w1": -2 * LOCAL, "x1": -3 * LOCAL, "w2": LOCAL}


@pytest.mark.parametrize("name", ["neuron", "neuron_with_one_gate"])
def test_the_sigmoid_neuron(walk, name):
    walked = walk(name)
    assert walked.values["dot"] == 1
    assert walked.values["f"] == pytest.approx(F, rel=1e-15)
    for leaf, gradient in EXACT.items():
        assert walked.gradients[leaf] == pytest.approx(gradient, rel=1e-14)
    for place, (value, gradient) in PRINTED.items():
        if place in walked.values:
            assert round(walked.values[place], 2) == value, place
            assert round(walked.gradients[place], 2) == gradient, place
    assert set(walked.values) == (set(PRINTED) if name == "neuron" else {*EXACT, "dot", "f"})


def test_the_gates_inside_the_neuron(walk):
    """Each gradient is the upstream one times the local one of its gate."""
    walked = walk("neuron")
    assert walked.gradients["1 + exp"] == pytest.approx(-(F**2), rel=1e-15)  # of 1/u: -1 / u^2
    assert walked.gradients["exp"] == walked.gradients["1 + exp"]  # of u + 1: 1
    assert walked.gradients["-dot"] == pytest.approx(-(F**2) * exp(-1), rel=1e-15)  # of e^u: e^u
    assert walked.gradients["dot"] == -walked.gradients["-dot"]


def test_one_gate_or_many_are_equal(walk):
    many, one = walk("neuron"), walk("neuron_with_one_gate")
    for place, value in one.values.items():
        assert many.values[place] == pytest.approx(value, rel=1e-15), place
        assert many.gradients[place] == pytest.approx(one.gradients[place], rel=1e-14), place


def test_what_each_kind_of_gate_does(walk):
    walked = walk("three_kinds")
    assert walked.values == {
        "x": 3, "y": -4, "z": 2, "w": -1, "x y": -12, "max(z, w)": 2, "sum": -10, "f": -20,
    }  # fmt: skip
    assert walked.gradients == {
        "x": -8, "y": 6, "z": 2, "w": 0, "x y": 2, "max(z, w)": 2, "sum": 2, "f": 1,
    }  # fmt: skip


def test_gradients_of_branches_add_up(walk):
    walked = walk("branches")
    assert walked.values == {"x": 1, "y": 2, "z": 0, "x + y": 3, "max(y, z)": 2, "f": 6}
    assert walked.gradients == {"x": 2, "y": 5, "z": 0, "x + y": 2, "max(y, z)": 3, "f": 1}


def test_staged_backpropagation(walk):
    """The notes' larger function, backpropagated by hand, stage by stage."""

    def sigmoid(u):
        return 1 / (1 + exp(-u))

    x, y = 3.0, -4.0
    numerator, squared = x + sigmoid(y), (x + y) ** 2
    denominator = sigmoid(x) + squared
    by_numerator = 1 / denominator
    by_denominator = -numerator / denominator**2
    by_sum = by_denominator * 2 * (x + y)
    by_x = by_numerator + by_denominator * sigmoid(x) * (1 - sigmoid(x)) + by_sum
    by_y = by_numerator * sigmoid(y) * (1 - sigmoid(y)) + by_sum

    walked = walk("staged")
    assert walked.values["f"] == pytest.approx(numerator / denominator, rel=1e-15)
    assert walked.gradients["numerator"] == pytest.approx(by_numerator, rel=1e-15)
    assert walked.gradients["denominator"] == pytest.approx(by_denominator, rel=1e-14)
    assert walked.gradients["x"] == pytest.approx(by_x, rel=1e-14)
    assert walked.gradients["y"] == pytest.approx(by_y, rel=1e-14)


def test_the_program(program, tmp_path):
    out = program("gates")
    assert "\nx0             -1.00      0.39\n" in out
    assert "f = 2 (x y + max(z, w))" in out
    assert out.count("value  gradient") == 6
    assert len(list(tmp_path.glob("*.html"))) == 6


def test_what_is_drawn(lecture, tmp_path):
    """Names, values and gradients of the picture are those that were walked."""
    gates, circuit = lecture("gates"), lecture("circuit")
    walked = circuit.there_and_back(gates.neuron, **gates.NEURON)
    drawing = circuit.draw_graph(tmp_path / "new" / "neuron", gates.neuron, **gates.NEURON)
    nodes = {node.name: node for node in drawing.picture.nodes}
    assert set(nodes) == set(walked.values)
    for name, node in nodes.items():
        assert node.value.number == pytest.approx(walked.values[name], rel=1e-15), name
        assert node.gradient.number == pytest.approx(walked.gradients[name], rel=1e-14), name
    assert "<title>neuron" in (tmp_path / "new" / "neuron.html").read_text("utf-8")


def test_without_graphviz(lecture, monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "graphviz", None)
    lecture("circuit").draw_graph(tmp_path / "sum", lambda x, y: {"f": x + y}, x=1.0, y=2.0)
    assert "no sum.svg: " in capsys.readouterr().out
    assert [file.name for file in tmp_path.iterdir()] == ["sum.html"]
