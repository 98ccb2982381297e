"""Computation graphs: regression, powers by squaring, networks of two and four layers, shared subexpressions.

    python examples/lectures/computation_graphs.py

Linear regression with the numbers of the lecture, walked forward and back; the fourth power by two squarings; the
losses of a network with two layers and of one with four, which are the same few gates put together again; and what it
saves to name a subexpression that is used twice. Written to ``--out``: the graphs, as HTML and SVG.

Source: CS221, the module on backpropagation and computation graphs.
"""

import numpy
from circuit import draw_graph, there_and_back
from showing import command_line

import gpugrad as gg


def linear_regression(w, phi, y):
    """``(w . phi - y)^2``."""
    score = w @ phi
    residual = score - y
    return {"score": score, "residual": residual, "loss": residual**2}


REGRESSION = {"w": [3.0, 1.0], "phi": [1.0, 2.0], "y": 2.0}


def fourth_power(a):
    """``a^4`` as the square of a square: each gate doubles what it is given and hands that on."""
    square = a**2
    return {"a^2": square, "a^4": square**2}


def squared_again(a, times: int):
    """``a`` to the power of ``2^times``, by as many gates."""
    for _ in range(times):
        a = a**2
    return a


def network(phi, y, V, w):  # noqa: N803  named as in the lecture
    """``(w . sigmoid(V phi) - y)^2``, the loss of a network with two layers."""
    hidden = gg.sigmoid(V @ phi)
    score = w @ hidden
    residual = score - y
    return {"hidden": hidden, "score": score, "residual": residual, "loss": residual**2}


def deep_network(phi, y, V1, V2, V3, w):  # noqa: N803
    """The loss of a network with four layers: the first gate of :func:`network` three times over."""
    hidden1 = gg.sigmoid(V1 @ phi)
    hidden2 = gg.sigmoid(V2 @ hidden1)
    hidden3 = gg.sigmoid(V3 @ hidden2)
    score = w @ hidden3
    return {"hidden1": hidden1, "hidden2": hidden2, "hidden3": hidden3, "score": score, "loss": (score - y) ** 2}


def weights(layers: int, width: int = 3) -> dict[str, list]:
    """An input of 2 features, a label, and random weights of a network with so many layers."""
    rng = numpy.random.default_rng(0)
    sizes = [2] + [width] * (layers - 1)
    names = ["V"] if layers == 2 else [f"V{i}" for i in range(1, layers)]
    matrices = {
        name: rng.standard_normal((n, m)).tolist() for name, m, n in zip(names, sizes[:-1], sizes[1:], strict=True)
    }
    return {"phi": [1.0, 2.0], "y": 2.0, **matrices, "w": rng.standard_normal(width).tolist()}


class Counted:
    """The sigmoid as a gate of one's own, which counts how often it is computed, and walked back through."""

    def __init__(self) -> None:
        self.forward = self.backward = 0

        @gg.primitive
        def counted_sigmoid(xp, x, /):
            self.forward += 1
            return 1 / (1 + xp.exp(-x))

        def rule(xp, g, y):
            self.backward += 1
            return g * y * (1 - y)

        counted_sigmoid.vjp(x=rule)
        self.gate = counted_sigmoid


def shared_or_not(shared: bool) -> tuple[Counted, list]:
    """The gradient of ``(w . h - y)^2 + |h|^2 / 10`` by V, with ``h = sigmoid(V phi)`` named, or written out twice.

    Returns:
        How often the sigmoid ran, and the gradient.
    """
    counted = Counted()
    given = {name: gg.tensor(value, dtype=gg.float64) for name, value in weights(layers=2).items()}

    def loss(V):  # noqa: N803
        h = counted.gate(V @ given["phi"])
        again = h if shared else counted.gate(V @ given["phi"])
        return (given["w"] @ h - given["y"]) ** 2 + (again**2).sum() / 10

    return counted, gg.grad(loss)(given["V"]).tolist()


def main() -> None:
    """Show them one after the other."""
    args = command_line(__file__, __doc__).parse_args()
    gg.set_default_device(None if args.device == "auto" else args.device)  # the one line that chooses the device

    walked = there_and_back(linear_regression, **REGRESSION)
    print("linear regression with w = (3, 1), phi = (1, 2), y = 2")
    for name, value in walked.values.items():
        print(f"  {name:10}{value!s:12} gradient {walked.gradients[name]}")
    draw_graph(args.out / "linear_regression", linear_regression, **REGRESSION)

    print(f"\nthe fourth power of 3\n{there_and_back(fourth_power, a=3.0)}")
    draw_graph(args.out / "fourth_power", fourth_power, a=3.0)
    a = gg.tensor(1.001, dtype=gg.float64)
    value, slope = gg.value_and_grad(lambda a: squared_again(a, 10))(a)
    print(f"1.001 to the power of 1,024, by ten gates: {value.item():.6f}, its slope {slope.item():.4f}")

    for layers, circuit in ((2, network), (4, deep_network)):
        walked = there_and_back(circuit, **weights(layers))
        print(
            f"\nregression with {layers} layers: score {walked.values['score']:.4f}, loss {walked.values['loss']:.4f}"
        )
        for name in walked.values:
            if name[0] in "Vw":
                print(f"  gradient of {name}: {numpy.round(walked.gradients[name], 4).tolist()}")
        draw_graph(args.out / f"{layers}_layers", circuit, **weights(layers))

    print("\na hidden layer that is used twice")
    for shared in (False, True):
        counted, gradient = shared_or_not(shared)
        how = "one name" if shared else "written twice"
        print(f"  {how}: {counted.forward} forward, {counted.backward} backward, gradient[0] {gradient[0]}")


if __name__ == "__main__":
    main()
