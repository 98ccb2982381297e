"""The graphs of the lectures as pages to step through: drawn by the library when the site is built."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy

import gpugrad as gg

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "examples" / "lectures"), str(ROOT / "examples")]

import computation_graphs  # noqa: E402  the lectures' scripts
import convolution  # noqa: E402
import gates  # noqa: E402
import linear_classifier  # noqa: E402
import neural_turing_machine  # noqa: E402
import recurrent_network  # noqa: E402
import two_layer_network  # noqa: E402
import vectors  # noqa: E402
import window_gradients  # noqa: E402
from circuit import drawn  # noqa: E402
from turing import NeuralTuringMachine  # noqa: E402


def classifier() -> gg.drawing.Drawing:
    """The hinge loss of three clouds of points, and the penalty."""
    w = numpy.random.default_rng(1).standard_normal((3, 3))
    return drawn(linear_classifier.graph(*linear_classifier.clouds(), 0.1), "a linear classifier with hinge loss", W=w)


def twenty_lines() -> gg.drawing.Drawing:
    """The first step of the network in twenty lines."""
    _, found = two_layer_network.train(steps=1)
    leaves = zip(("x", "y", "w1", "w2"), (a.numpy() for a in found), strict=True)
    return drawn(two_layer_network.network, "the network in twenty lines", **dict(leaves))


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


def drawings() -> Iterator[tuple[str, gg.drawing.Drawing]]:
    """The name of each page, and the graph."""
    graphs = computation_graphs
    for name, (title, circuit, leaves) in gates.EXAMPLES.items():
        yield name, drawn(circuit, title, **leaves)
    yield "squared_length", drawn(vectors.squared_length, "f = ||W x||^2", **vectors.LENGTH)
    yield "linear_regression", drawn(graphs.linear_regression, "linear regression", **graphs.REGRESSION)
    yield "fourth_power", drawn(graphs.fourth_power, "a to the fourth, by two squarings", a=3.0)
    yield "two_layers", drawn(graphs.network, "a network with two layers", **graphs.weights(2))
    yield "four_layers", drawn(graphs.deep_network, "a network with four layers", **graphs.weights(4))
    yield "linear_classifier", classifier()
    yield "twenty_lines", twenty_lines()
    yield "window", window_gradients.graph()
    yield "convolution", convolutional()
    yield "recurrent_network", unrolled()
    yield "neural_turing_machine", machine()


def pages() -> Iterator[tuple[str, str]]:
    """The address within the site, and the page."""
    for name, drawing in drawings():
        yield f"graphs/{name}.html", drawing.html()
