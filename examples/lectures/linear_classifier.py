"""A linear classifier with hinge loss and regularization: scores, losses, gradients, and what it learns.

    python examples/lectures/linear_classifier.py

The losses of the lecture's three images; why the sum of squares chooses between weights that score alike; the graph
from weights to loss, walked forward and back, with the gradient as one would derive it by hand beside it; and gradient
descent on three clouds of points. Written to ``--out``: the graph, as HTML and SVG; and ``regions.png``, what is read
where, and the loss.

Sources: CS231n, lectures 3 and 4 and the notes on linear classification; CS221, hinge loss.
"""

from typing import NamedTuple

import numpy
from circuit import draw_graph, there_and_back
from showing import BLUE, GREEN, RED, command_line, figure, rows, save, tidy

import gpugrad as gg

CLASSES = ("cat", "car", "frog")
SCORES = [[3.2, 5.1, -1.7], [1.3, 4.9, 2.0], [2.2, 2.5, -3.1]]  # a row an image: of a cat, of a car, of a frog


def hinge(scores, labels, margin=1.0):
    """``sum over j != y of max(0, s_j - s_y + margin)``, the loss of each row of scores ``(N, C)``."""
    right = gg.take_along_axis(scores, labels[:, None], axis=1)
    margins = gg.relu(scores - right + margin)
    return margins.sum(axis=1) - margin  # which the right class itself has added


def binary_hinge(w, phi, y):
    """``max(0, 1 - (w . phi) y)``, for the labels 1 and -1."""
    score = w @ phi
    margin = score * y
    return {"score": score, "margin": margin, "loss": gg.relu(1 - margin)}


WRONG = {"w": [3.0, 1.0], "phi": [1.0, 2.0], "y": -1.0}


def graph(x, labels, strength):
    """From weights ``W (C, D)`` to loss, ``L = mean hinge(x W^T) + strength sum(W^2)``, gate by gate."""

    def circuit(W):  # noqa: N803  named as in the lecture
        scores = x @ W.T
        data_loss = hinge(scores, labels).mean()
        penalty = (W**2).sum()
        return {"scores": scores, "data loss": data_loss, "R(W)": penalty, "L": data_loss + strength * penalty}

    return circuit


def gradient_by_hand(w, x, labels, strength):
    """The same gradient, derived on paper and computed by NumPy: rows of x where a margin is violated."""
    scores = x @ w.T
    each = numpy.arange(len(x))
    violated = (scores - scores[each, labels][:, None] + 1 > 0).astype(float)
    violated[each, labels] = 0
    violated[each, labels] = -violated.sum(axis=1)
    return violated.T @ x / len(x) + 2 * strength * w


def clouds(count: int = 60) -> tuple[gg.Tensor, gg.Tensor]:
    """Points of three classes, and a third coordinate that is 1, so that weights hold the bias; and their labels."""
    rng = numpy.random.default_rng(0)
    centres = numpy.array([[0.0, 1.2], [1.1, -0.7], [-1.1, -0.7]])
    labels = numpy.repeat(numpy.arange(3), count)
    points = centres[labels] + 0.5 * rng.standard_normal((3 * count, 2))
    return gg.tensor(numpy.column_stack([points, numpy.ones(3 * count)])), gg.tensor(labels)


class Fit(NamedTuple):
    """What gradient descent found."""

    w: numpy.ndarray
    losses: list[float]
    accuracy: float


def descend(x, labels, strength: float = 0.01, rate: float = 0.2, steps: int = 150) -> Fit:
    """Gradient descent from weights that are 0."""
    w = gg.zeros((3, x.shape[1]), dtype=x.dtype).requires_grad_()
    losses = []
    for _ in range(steps):
        loss = graph(x, labels, strength)(w)["L"]
        loss.backward()
        with gg.no_grad():
            w -= rate * w.grad
        w.grad = None
        losses.append(loss.item())
    right = gg.argmax(x @ w.detach().T, axis=1) == labels
    return Fit(w.detach().numpy(), losses, right.sum().item() / len(labels))


def draw(path, x: numpy.ndarray, labels: numpy.ndarray, fit: Fit) -> None:
    """Which class is read where, and the loss of each step."""
    drawing = figure(figsize=(9, 3.8))
    if drawing is None:
        return
    left, right = drawing.subplots(1, 2)
    a, b = numpy.meshgrid(numpy.linspace(-2.8, 2.8, 300), numpy.linspace(-2.4, 2.8, 300))
    read = numpy.argmax(numpy.stack([a, b, numpy.ones_like(a)], axis=-1) @ fit.w.T, axis=-1)
    colours = (BLUE, GREEN, RED)
    left.contourf(a, b, read, levels=(-0.5, 0.5, 1.5, 2.5), colors=colours, alpha=0.15)
    for label, (colour, name) in enumerate(zip(colours, CLASSES, strict=True)):
        left.plot(*x[labels == label, :2].T, "o", color=colour, markersize=3.5, label=name)
    left.set(xlim=(-2.8, 2.8), ylim=(-2.4, 2.8), xlabel="first coordinate", ylabel="second coordinate")
    left.set_title(f"read correctly: {fit.accuracy:.1%}")
    left.legend(frameon=False, loc="upper left", fontsize=8)
    right.plot(fit.losses, color=BLUE)
    right.set(title="hinge loss and penalty", xlabel="step", ylabel="L", ylim=(0, None))
    tidy(left, right)
    save(drawing, path)


def main() -> None:
    """Show the lecture's numbers, then learn."""
    args = command_line(__file__, __doc__).parse_args()
    gg.set_default_device(None if args.device == "auto" else args.device)  # the one line that chooses the device

    labels = gg.tensor([0, 1, 2])
    losses = hinge(gg.tensor(SCORES), labels)
    lines = [(name, *scores, loss) for name, scores, loss in zip(CLASSES, SCORES, losses.tolist(), strict=True)]
    print(rows([("image of a", *CLASSES, "loss"), *lines]))
    print(f"mean {losses.mean().item():.2f}")
    far = hinge(gg.tensor([[13.0, -7.0, 11.0]]), gg.tensor([0]), margin=10.0)
    print(f"scores 13, -7, 11, the first is right, margin 10: {far.item():.0f}\n")

    print(f"two classes: w = (3, 1), phi = (1, 2), y = -1\n{there_and_back(binary_hinge, **WRONG)}\n")

    x = gg.ones(4)
    for w in (gg.tensor([1.0, 0.0, 0.0, 0.0]), gg.full(4, 0.25)):
        print(f"w = {w.tolist()}: score {(w @ x).item():.2f}, sum of squares {(w**2).sum().item():.2f}")

    x, labels = clouds()
    w = numpy.random.default_rng(1).standard_normal((3, 3))
    walked = there_and_back(graph(x, labels, 0.1), W=w)
    by_hand = gradient_by_hand(w, x.numpy(), labels.numpy(), 0.1)
    print(f"\nL = {walked.values['L']:.4f} = {walked.values['data loss']:.4f} + 0.1 * {walked.values['R(W)']:.4f}")
    print(f"gradient of W\n{numpy.array(walked.gradients['W'])}")
    print(f"by hand it differs by at most {abs(by_hand - walked.gradients['W']).max():.1e}")

    draw_graph(args.out / "linear_classifier", graph(x, labels, 0.1), W=w)

    fit = descend(x, labels)
    first, *_, last = fit.losses
    print(f"\n{len(fit.losses)} steps: loss {first:.3f} to {last:.3f}, {fit.accuracy:.1%} read correctly")
    draw(args.out / "regions.png", x.numpy(), labels.numpy(), fit)


if __name__ == "__main__":
    main()
