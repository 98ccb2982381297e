"""A network with two layers in twenty lines, and the lines that backpropagation by hand would add.

    python examples/lectures/two_layer_network.py
    python examples/lectures/two_layer_network.py --steps 200

64 random inputs of 1,000 numbers, 100 hidden neurons, 10 outputs to be learned by heart: `train` is the whole program.
`gradients_by_hand` is what the same program needs without automatic differentiation; both are compared. Written to
``--out``: ``loss.png``, and the graph of one step as HTML and SVG.

Source: CS231n, lecture 4, the network in twenty lines of NumPy.
"""

import argparse

import numpy
from circuit import draw_graph
from showing import BLUE, command_line, figure, save, tidy

import gpugrad as gg


def train(steps=2000, rate=1e-4):
    """Learn random outputs for random inputs; the loss of every step, data and weights at the end."""
    gg.random.seed(0)
    x, y = gg.random.normal(size=(64, 1000)), gg.random.normal(size=(64, 10))
    w1 = gg.random.normal(size=(1000, 100)).requires_grad_()
    w2 = gg.random.normal(size=(100, 10)).requires_grad_()
    losses = []
    for _ in range(steps):
        h = gg.sigmoid(x @ w1)
        loss = ((h @ w2 - y) ** 2).sum()
        losses.append(loss.item())
        loss.backward()
        with gg.no_grad():
            for w in (w1, w2):
                w -= rate * w.grad
                w.grad = None
    return losses, (x, y, w1.detach(), w2.detach())


def gradients_by_hand(x, y, w1, w2):
    """Forward in NumPy, then each of its lines backward: the gradients of both matrices of weights."""
    h = 1 / (1 + numpy.exp(-x @ w1))
    predicted = h @ w2
    by_predicted = 2 * (predicted - y)
    by_w2 = h.T @ by_predicted
    by_h = by_predicted @ w2.T
    by_w1 = x.T @ (by_h * h * (1 - h))
    return by_w1, by_w2


def difference(x, y, w1, w2) -> float:
    """By how much gpugrad's gradients differ from those by hand, in float64, relative to the largest."""
    leaves = [gg.astype(w, gg.float64).requires_grad_() for w in (w1, w2)]
    x, y = gg.astype(x, gg.float64), gg.astype(y, gg.float64)
    ((gg.sigmoid(x @ leaves[0]) @ leaves[1] - y) ** 2).sum().backward()
    by_hand = gradients_by_hand(*(a.detach().numpy() for a in (x, y, *leaves)))
    return max(abs(leaf.grad.numpy() - g).max() / abs(g).max() for leaf, g in zip(leaves, by_hand, strict=True))


def network(x, y, w1, w2):
    """The gates of one step, to be drawn."""
    h = gg.sigmoid(x @ w1)
    predicted = h @ w2
    error = predicted - y
    return {"h": h, "predicted": predicted, "error": error, "loss": (error**2).sum()}


def draw(path, losses: list[float]) -> None:
    """The loss of every step, on logarithmic scales."""
    drawing = figure(figsize=(6, 3.6))
    if drawing is None:
        return
    axes = drawing.add_subplot()
    axes.plot(range(1, len(losses) + 1), losses, color=BLUE)
    axes.set(xlabel="step", ylabel="sum of squared errors", xscale="log", yscale="log")
    axes.set_title(f"{losses[0]:,.0f} at first, {losses[-1]:.3g} after {len(losses):,} steps")
    tidy(axes)
    save(drawing, path)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = command_line(__file__, __doc__)
    parser.add_argument("--steps", type=int, default=2000, help="steps of gradient descent (%(default)s)")
    return parser.parse_args()


def main() -> None:
    """Train, compare, draw."""
    args = arguments()
    gg.set_default_device(None if args.device == "auto" else args.device)  # the one line that chooses the device

    losses, found = train(args.steps)
    for step in (1, 10, 100, 1000, 2000):
        if step <= len(losses):
            print(f"step {step:5,}: loss {losses[step - 1]:12,.4f}")
    print(f"gradients by hand differ by {difference(*found):.1e} of the largest")
    draw(args.out / "loss.png", losses)
    arrays = (a.numpy() for a in found)
    draw_graph(args.out / "network", network, **dict(zip(("x", "y", "w1", "w2"), arrays, strict=True)))


if __name__ == "__main__":
    main()
