"""A circuit of gates, walked forward and back, and drawn: what the lectures' scripts on single gates share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from showing import rows, save_graph, variables

import gpugrad as gg

Circuit = Callable[..., dict[str, gg.Tensor]]
"""Given its leaves by name, a circuit returns its gates by name, in order; the last is its output."""


class Walked(NamedTuple):
    """A circuit after forward and backward."""

    values: dict[str, Any]
    """Of each leaf and gate, by name: a number, or lists for an array."""
    gradients: dict[str, Any]
    """Of the output by each of them."""

    def __str__(self) -> str:
        lines = [(name, value, self.gradients[name]) for name, value in self.values.items()]
        return rows([("", "value", "gradient"), *lines])


def there_and_back(circuit: Circuit, **leaves: Any) -> Walked:
    """Run a circuit forward and backward in float64, keeping what passes by at each gate."""
    inputs = variables(**leaves)
    gates = circuit(**inputs)
    for gate in gates.values():
        gate.retain_grad()
    output = list(gates.values())[-1]
    output.backward()
    places = {**inputs, **gates}
    values = {name: place.tolist() for name, place in places.items()}
    return Walked(values, {name: place.grad.tolist() for name, place in places.items()})


def drawn(circuit: Circuit, title: str, /, **leaves: Any) -> gg.drawing.Drawing:
    """The graph of a circuit, with its values and gradients, under the names of its leaves and gates."""
    inputs = [gg.name(leaf, name) for name, leaf in variables(**leaves).items()]

    def named(*values):
        gates = circuit(**dict(zip(leaves, values, strict=True)))
        return [gg.name(gate, name) for name, gate in gates.items()][-1]

    return gg.draw(named, *inputs, title=title)


def draw_graph(path: Path, circuit: Circuit, /, **leaves: Any) -> gg.drawing.Drawing:
    """Draw a circuit, and save the graph under ``path``: as HTML, to step through, and where it can be as SVG."""
    drawing = drawn(circuit, path.stem.replace("_", " "), **leaves)
    save_graph(drawing, path)
    return drawing
