"""Gates with forward and backward, graphs of them, and the same declared: all gradients agree."""

from __future__ import annotations

from math import exp
from pathlib import Path

import numpy
import pytest

import gpugrad as gg

ROOT = Path(gg.__file__).parent.parent


@pytest.fixture
def modular(lecture):
    return lecture("modular")


def test_the_multiply_gate(modular):
    """The notes' example: 4 times -3."""
    gate = modular.MultiplyGate()
    assert gate.forward(4, -3) == -12
    assert gate.backward(1) == (-3, 4)
    x, y = (gg.tensor(value, dtype=gg.float64, requires_grad=True) for value in (4.0, -3.0))
    modular.times(x, y).backward()
    assert (x.grad.item(), y.grad.item()) == (-3, 4)


def test_the_neuron(modular):
    graph = modular.neuron()
    values, gradients = graph.forward(**modular.NEURON), graph.backward()
    f = 1 / (1 + exp(-1))
    assert values["dot"] == 1
    assert values["f"] == pytest.approx(f, rel=1e-15)
    assert {name: round(gradients[name], 2) for name in modular.NEURON} == {
        "w0": -0.20, "x0": 0.39, "w1": -0.39, "x1": -0.59, "w2": 0.20,
    }  # fmt: skip
    for name, gradient in modular.gradients(modular.declared_neuron, **modular.NEURON).items():
        assert gradients[name] == pytest.approx(gradient.item(), rel=1e-14), name


def test_the_network(modular):
    """Written in the wrong order, and with x used twice."""
    graph, leaves = modular.network(), modular.network_leaves()
    assert graph.order[-1] == graph.output == "loss"
    assert graph.order.index("first") < graph.order.index("hidden") < graph.order.index("second")
    values = graph.forward(**leaves)
    by_gates, by_library = graph.backward(), modular.gradients(modular.declared_network, **leaves)
    value = modular.declared_network(**{name: gg.tensor(leaf) for name, leaf in leaves.items()})
    assert values["loss"] == pytest.approx(value.item(), rel=1e-14)
    assert set(by_library) == {"W1", "W2", "x"}
    for name, gradient in by_library.items():
        numpy.testing.assert_allclose(by_gates[name], gradient, rtol=1e-12, atol=1e-15)


def test_what_is_declared_is_differentiable_twice(modular):
    x = gg.tensor([-1.0, 0.5, 2.0], dtype=gg.float64)
    assert gg.gradcheck(modular.times, [x, x + 1])
    assert gg.gradgradcheck(modular.times, [x, x + 1])
    assert gg.gradcheck(modular.logistic, x)
    assert gg.gradgradcheck(modular.logistic, x)


def test_where_the_layers_are(modular):
    for operation in modular.LAYERS.values():
        file, line, kernel = modular.where(operation)
        name = operation.partition(".")[2]
        text = (ROOT / file).read_text().splitlines()
        assert any(f"def {name}(" in there for there in text[line - 1 : line + 9]), operation
        assert file == f"gpugrad/ops/{operation.partition('.')[0]}.py"
        assert not kernel or f"def {name}_forward(" in (ROOT / kernel).read_text()
    assert len(set(modular.LAYERS.values())) == len(modular.LAYERS)
    assert modular.where("activation.sigmoid")[2] == "gpugrad/kernels/activation.py"


def test_the_program(program):
    out = program("modular")
    assert "gradient of x0: 0.39" in out
    assert "sigmoid_layer.cpp" in out
