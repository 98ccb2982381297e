"""A circuit of gates, walked forward and back: what the lectures' scripts on single gates share."""

from collections.abc import Callable
from typing import Any, NamedTuple

from showing import rows, variables

import gpugrad as gg

Circuit = Callable[..., dict[str, gg.Tensor]]
"""Given its leaves by name, a circuit returns its gates by name, in order; the last is its output."""


class Walked(NamedTuple):
    """A circuit after forward and backward."""

    values: dict[str, Any]
    """Of each leaf and gate, by name: a number, or lists for an array."""
    gradients: dict[str, Any]
    """Of the output by each of them."""
    output: gg.Tensor

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
    output.backward(retain_graph=True)  # so that it can be drawn afterwards
    places = {**inputs, **gates}
    values = {name: place.tolist() for name, place in places.items()}
    return Walked(values, {name: place.grad.tolist() for name, place in places.items()}, output)
