"""The graphs of the lectures as pages to step through: drawn by the library when the site is built."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy

import gpugrad as gg

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "examples" / "lectures"), str(ROOT / "examples")]

import computation_graphs  # noqa: E402  the lectures' scripts
import convolution  # noqa: E402
import gates  # noqa: E402
import neural_turing_machine  # noqa: E402
import recurrent_network  # noqa: E402
import window_gradients  # noqa: E402
from circuit import variables  # noqa: E402
from turing import NeuralTuringMachine  # noqa: E402


def circuit(title: str, gates: Callable[..., dict[str, Any]], leaves: dict[str, Any]) -> gg.drawing.Drawing:
    """A circuit whose gates have names."""
    inputs = [gg.name(leaf, name) for name, leaf in variables(**leaves).items()]

    def named(*values: gg.Tensor) -> gg.Tensor:
        made = gates(**dict(zip(leaves, values, strict=True)))
        return [gg.name(gate, name) for name, gate in made.items()][-1]

    return gg.draw(named, *inputs, title=title)


def unrolled() -> gg.drawing.Drawing:
    """A recurrent network that reads "hell" and is asked for "ello"."""
    letters = ["ehlo".index(c) for c in "hello"]
    p = recurrent_network.weights(inputs=4, hidden=3, outputs=4)
    return recurrent_network.graph(p, recurrent_network.one_hot(letters[:-1], 4), letters[1:])


def convolutional() -> gg.drawing.Drawing:
    """A convolutional network, as it begins, that looks at a one."""
    gg.random.seed(0)
    one = numpy.zeros((1, 8, 8), numpy.float32)
    one[0, 1:7, 4] = 1
    return convolution.graph(convolution.network(8), one, 1)


def machine() -> gg.drawing.Drawing:
    """A small neural Turing machine that copies two vectors."""
    gg.random.seed(0)
    made = NeuralTuringMachine(inputs=5, outputs=3, rows=6, width=4, hidden=8)
    return neural_turing_machine.unrolled(made, length=2, bits=3)


def pages() -> Iterator[tuple[str, str]]:
    """The address within the site, and the page."""
    for name, (title, gate, leaves) in gates.EXAMPLES.items():
        yield f"graphs/{name}.html", circuit(title, gate, leaves).html()
    graph, leaves = computation_graphs.linear_regression, computation_graphs.REGRESSION
    yield "graphs/linear_regression.html", circuit("linear regression", graph, leaves).html()
    two = circuit("a network with two layers", computation_graphs.network, computation_graphs.weights(2))
    yield "graphs/two_layers.html", two.html()
    yield "graphs/window.html", window_gradients.graph().html()
    yield "graphs/convolution.html", convolutional().html()
    yield "graphs/recurrent_network.html", unrolled().html()
    yield "graphs/neural_turing_machine.html", machine().html()
