"""Backpropagation through circuits of gates: every number of the lectures' examples.

    python examples/lectures/gates.py

The product of a sum; the sigmoid neuron, from its simple gates and as one gate; what adding, taking the larger and
multiplying do to a gradient; a value that is used twice. For each gate the value on the way forward is printed, and the
gradient of the output on the way back. Written to ``--out``: each graph as an HTML page to step
through, and as SVG.

Sources: CS231n, lecture 4 and the notes on backpropagation; CS224n, the lecture on backpropagation.
"""

from circuit import draw_graph, there_and_back
from showing import command_line

import gpugrad as gg


def product_of_a_sum(x, y, z):
    """``f = (x + y) z``."""
    q = x + y
    return {"q = x + y": q, "f = q z": q * z}


def neuron(w0, x0, w1, x1, w2):
    """``1 / (1 + exp(-(w0 x0 + w1 x1 + w2)))``, from gates that do one thing each."""
    product0, product1 = w0 * x0, w1 * x1
    total = product0 + product1
    dot = total + w2
    negated = -dot
    power = gg.exp(negated)
    above_one = power + 1
    return {
        "w0 x0": product0,
        "w1 x1": product1,
        "w0 x0 + w1 x1": total,
        "dot": dot,
        "-dot": negated,
        "exp": power,
        "1 + exp": above_one,
        "f": 1 / above_one,
    }


def neuron_with_one_gate(w0, x0, w1, x1, w2):
    """The same neuron; all from the dot product on is one gate, whose local gradient is ``f (1 - f)``."""
    dot = w0 * x0 + w1 * x1 + w2
    return {"dot": dot, "f": gg.sigmoid(dot)}


def three_kinds(x, y, z, w):
    """``2 (x y + max(z, w))``: multiply switches, max routes, add distributes."""
    product, larger = x * y, gg.maximum(z, w)
    total = product + larger
    return {"x y": product, "max(z, w)": larger, "sum": total, "f": 2 * total}


def branches(x, y, z):
    """``(x + y) max(y, z)``: the gradients of y from its two uses add up."""
    total, larger = x + y, gg.maximum(y, z)
    return {"x + y": total, "max(y, z)": larger, "f": total * larger}


def staged(x, y):
    """``(x + sigmoid(y)) / (sigmoid(x) + (x + y)^2)``: nobody would write its derivative down in one formula."""
    numerator = x + gg.sigmoid(y)
    squared = (x + y) ** 2
    denominator = gg.sigmoid(x) + squared
    return {"numerator": numerator, "(x + y)^2": squared, "denominator": denominator, "f": numerator / denominator}


NEURON = {"w0": 2.0, "x0": -1.0, "w1": -3.0, "x1": -2.0, "w2": -3.0}

EXAMPLES = {  # a title, the circuit, its leaves
    "product_of_a_sum": ("f = (x + y) z", product_of_a_sum, {"x": -2.0, "y": 5.0, "z": -4.0}),
    "neuron": ("the sigmoid neuron, gate by gate", neuron, NEURON),
    "neuron_with_one_gate": ("the sigmoid neuron with one sigmoid gate", neuron_with_one_gate, NEURON),
    "three_kinds": ("f = 2 (x y + max(z, w))", three_kinds, {"x": 3.0, "y": -4.0, "z": 2.0, "w": -1.0}),
    "branches": ("f = (x + y) max(y, z), where y is used twice", branches, {"x": 1.0, "y": 2.0, "z": 0.0}),
    "staged": ("f = (x + sigmoid(y)) / (sigmoid(x) + (x + y)^2)", staged, {"x": 3.0, "y": -4.0}),
}


def main() -> None:
    """Walk through each circuit and back."""
    args = command_line(__file__, __doc__).parse_args()
    gg.set_default_device(None if args.device == "auto" else args.device)  # the one line that chooses the device
    for name, (title, circuit, leaves) in EXAMPLES.items():
        print(f"{title}\n{there_and_back(circuit, **leaves)}")
        draw_graph(args.out / name, circuit, **leaves)
        print()


if __name__ == "__main__":
    main()
