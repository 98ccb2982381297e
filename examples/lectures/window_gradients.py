"""The score of a window of five words, and every gradient of it by hand: Jacobians, error signal, outer product.

    python examples/lectures/window_gradients.py

"museums in Paris are amazing": is the word in the middle a place? The score is ``s = u^T f(W x + b)``, where ``x``
holds the vectors of the five words side by side. Its gradients, and those of the loss over many windows with vectors
that are learned, are worked out with nothing but NumPy, as on a blackboard, and compared with the library's.
``word_windows.py`` trains this model. Written to ``--out``: the graph of the score, as ``score.html`` and
``score.svg``.

Sources: CS224n, the lecture on the mathematics of neural networks; Collobert et al. 2011.
"""

from collections.abc import Callable
from typing import Any

import numpy
from showing import command_line, save_graph

import gpugrad as gg
from gpugrad import nn

WINDOW = ("museums", "in", "Paris", "are", "amazing")
NOTHING = 0
"""The row of the table of vectors that stands for what is not known: always zero."""

ACTIVATIONS: dict[str, tuple[Callable, Callable]] = {  # f, and its derivative at z when f(z) = h
    "sigmoid": (lambda z: 1 / (1 + numpy.exp(-z)), lambda h: h * (1 - h)),
    "tanh": (numpy.tanh, lambda h: 1 - h**2),
}


def jacobians(x, w, b, u, f="sigmoid") -> dict[str, numpy.ndarray]:
    """The Jacobians along the chain ``x -> z -> h -> s``: one row for each output, one column for each input."""
    function, derivative = ACTIVATIONS[f]
    h = function(w @ x + b)
    return {
        "s by u": h[None, :],  # u^T h
        "s by h": u[None, :],
        "h by z": numpy.diag(derivative(h)),  # elementwise: no output depends on a neighbour's input
        "z by b": numpy.eye(len(b)),
        "z by x": w,
    }


def by_hand(x, w, b, u, f="sigmoid") -> dict[str, numpy.ndarray]:
    """The gradients of the score of one window."""
    function, derivative = ACTIVATIONS[f]
    h = function(w @ x + b)
    delta = u * derivative(h)  # the error signal that reaches z; all that is below W and b needs to know
    return {
        "u": h,
        "b": delta,
        "W": numpy.outer(delta, x),  # s depends on W_ij through z_i alone, which has x_j W_ij in it
        "x": w.T @ delta,
    }


def words_of(gradient: numpy.ndarray) -> list[numpy.ndarray]:
    """The gradient of a window, word by word: what was put side by side is cut again."""
    return numpy.split(gradient, len(WINDOW))


def loss_by_hand(ids, labels, vectors, w, b, u) -> tuple[float, dict[str, numpy.ndarray]]:
    """The mean of ``-log sigmoid(s)`` for places and ``-log sigmoid(-s)`` for others, and all its gradients.

    A word is the sum of some rows of ``vectors``, which ``ids`` of shape ``(N, 5, features)`` names; labels are 1 or 0.
    """
    value, total = 0.0, {"vectors": numpy.zeros_like(vectors), "W": 0.0, "b": 0.0, "u": 0.0}
    for window, label in zip(ids, labels, strict=True):
        x = vectors[window].sum(axis=1).ravel()
        s = u @ numpy.tanh(w @ x + b)
        value += numpy.logaddexp(0.0, -s if label else s) / len(ids)
        error = (1 / (1 + numpy.exp(-s)) - label) / len(ids)  # the derivative by s: probability less truth
        gradients = by_hand(x, w, b, u, "tanh")
        for name in ("W", "b", "u"):
            total[name] = total[name] + error * gradients[name]
        for word, gradient in zip(window, words_of(gradients["x"]), strict=True):
            for row in word:  # a sum hands its gradient to each of its terms; a row used twice gets both
                total["vectors"][row] += error * gradient
    total["vectors"][NOTHING] = 0.0
    return value, total


def example(size: int, hidden: int) -> tuple[numpy.ndarray, ...]:
    """Vectors for "museums in Paris are amazing", side by side, and weights: random numbers."""
    rng, inputs = numpy.random.default_rng(0), len(WINDOW) * size
    x, w = rng.standard_normal(inputs), rng.standard_normal((hidden, inputs)) / inputs**0.5
    return x, w, rng.standard_normal(hidden), rng.standard_normal(hidden)


def differences(size: int = 4, hidden: int = 3, f: str = "sigmoid") -> dict[str, float]:
    """How far the gradients by hand, and the products of Jacobians, are from the library's."""
    x, w, b, u = example(size, hidden)
    leaves = {"x": gg.tensor(x), "W": gg.tensor(w), "b": gg.tensor(b), "u": gg.tensor(u)}
    for leaf in leaves.values():
        leaf.requires_grad = True
    z = leaves["W"] @ leaves["x"] + leaves["b"]
    (leaves["u"] @ getattr(gg, f)(z)).backward()
    hand = by_hand(x, w, b, u, f)
    apart = {name: float(abs(hand[name] - leaf.grad.numpy()).max()) for name, leaf in leaves.items()}
    chain = jacobians(x, w, b, u, f)
    back = chain["s by h"] @ chain["h by z"]  # a row: delta^T
    for name, product in (("b", back @ chain["z by b"]), ("x", back @ chain["z by x"]), ("u", chain["s by u"])):
        apart[f"{name}, Jacobians"] = float(abs(product[0] - leaves[name].grad.numpy()).max())
    function = getattr(gg, f)
    measured = gg.jacobian(lambda x: function(gg.tensor(w) @ x + gg.tensor(b)))(gg.tensor(x)).numpy()
    apart["h by x, Jacobian"] = float(abs(chain["h by z"] @ chain["z by x"] - measured).max())
    return apart


def loss_by_library(ids, labels, vectors, w, b, u) -> gg.Tensor:
    """The same loss, of Tensors."""
    x = gg.reshape(vectors[ids].sum(axis=2), (len(ids), -1))
    return nn.functional.binary_cross_entropy_with_logits(gg.tanh(x @ w.T + b) @ u, labels)


def learned(windows: int = 20, size: int = 6, hidden: int = 4, table: int = 12, features: int = 2) -> dict[str, float]:
    """How far the loss and its gradients by hand are from the library's, on random windows of few words."""
    rng = numpy.random.default_rng(0)
    ids, labels = rng.integers(0, table, (windows, len(WINDOW), features)), rng.integers(0, 2, windows) * 1.0
    values = {
        "vectors": rng.standard_normal((table, size)), "W": rng.standard_normal((hidden, len(WINDOW) * size)) / 4,
        "b": rng.standard_normal(hidden), "u": rng.standard_normal(hidden),
    }  # fmt: skip
    values["vectors"][NOTHING] = 0.0
    leaves = [gg.tensor(value, requires_grad=True) for value in values.values()]
    loss = loss_by_library(gg.tensor(ids), gg.tensor(labels), *leaves)
    loss.backward()
    value, gradients = loss_by_hand(ids, labels, *values.values())
    leaves[0].grad[NOTHING] = 0.0
    apart = {"loss": float(abs(value - loss.item()))}
    return apart | {n: float(abs(gradients[n] - x.grad.numpy()).max()) for n, x in zip(values, leaves, strict=True)}


def graph(size: int = 2, hidden: int = 3) -> Any:
    """The score of the window, word by word, drawn."""
    x, w, b, u = example(size, hidden)
    words = [gg.name(gg.tensor(part, requires_grad=True), word) for word, part in zip(WINDOW, words_of(x), strict=True)]
    weights = {"W": w, "b": b, "u": u}
    w, b, u = (gg.name(gg.tensor(value, requires_grad=True), name) for name, value in weights.items())
    with gg.observe():
        window = gg.name(gg.concat(words), "x")
        z = gg.name(w @ window + b, "z")
        h = gg.name(gg.tanh(z), "h")
        s = gg.name(u @ h, "s")
        return gg.draw(s, title="is Paris a place?")


def main() -> None:
    """Compare, and show how the gradient of the window falls apart."""
    args = command_line(__file__, __doc__).parse_args()
    gg.set_default_device(None if args.device == "auto" else args.device)  # the one line that chooses the device

    x, w, b, u = example(size=2, hidden=3)
    delta, whole = (by_hand(x, w, b, u)[name] for name in ("b", "x"))
    print(f"delta = u * f'(W x + b) = {numpy.round(delta, 4)}")
    print("the gradient of the window, W^T delta, word by word")
    for word, gradient in zip(WINDOW, words_of(whole), strict=True):
        print(f"  {word:10}{numpy.round(gradient, 4)}")
    for f in ACTIVATIONS:
        print(f"how far the library is from the gradients by hand, f = {f}")
        for name, apart in differences(50, 8, f).items():
            print(f"  {name:18} {apart:.1e}")
    save_graph(graph(), args.out / "score")
    print("the same of the loss, with word vectors that are learned")
    for name, apart in learned().items():
        print(f"  {name:18} {apart:.1e}")


if __name__ == "__main__":
    main()
