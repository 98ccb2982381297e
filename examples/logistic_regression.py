"""Logistic regression as NumPy would write it, with `scipy.optimize.minimize` and gradients from gpugrad.

    python examples/logistic_regression.py                    569 tumours, 30 measurements of each, no download
    python examples/logistic_regression.py --device cuda      the loss and its gradient on the GPU

The loss is two lines of NumPy, for arrays and for Tensors; `gg.value_and_grad` makes of it what `minimize(jac=True)`
asks for. The solution is compared with scikit-learn's. Written to ``--out``: ``logistic_regression.png``, the
coefficients for every penalty.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy
from reporting import BLUE, GREY, LIGHT, RED, figure, save, tidy
from scipy.optimize import OptimizeResult, minimize

import gpugrad as gg


class Split(NamedTuple):
    """Standardised measurements ``(N, 30)`` and labels ``(N,)``, 1 for benign and -1 for malignant."""

    x: numpy.ndarray
    y: numpy.ndarray


def loss(w, x, y, penalty):
    """``sum log(1 + exp(-y (w_0 + x w))) + penalty / 2 |w|^2``; the intercept ``w_0`` is free."""
    margin = y * (w[0] + x @ w[1:])
    return numpy.logaddexp(0.0, -margin).sum() + penalty / 2 * (w[1:] ** 2).sum()


def for_scipy(f: Callable, values: list[float] | None = None) -> Callable:
    """``f`` and its gradient for SciPy, which keeps its variables on the host, wherever gpugrad computes.

    On the CPU ``gg.value_and_grad(f)`` itself would do. Each value is appended to ``values``, if there is such a list.
    """
    value_and_grad = gg.value_and_grad(f)

    def on_host(w: numpy.ndarray, *args: object) -> tuple[float, numpy.ndarray]:
        value, gradient = value_and_grad(gg.tensor(w), *args)
        if values is not None:
            values.append(value.item())
        return value.item(), gradient.numpy()

    return on_host


def fit(data: Split, penalty: float, start: numpy.ndarray | None = None) -> OptimizeResult:
    """The weights with the smallest loss, by L-BFGS."""
    x, y = gg.tensor(data.x), gg.tensor(data.y)
    start = numpy.zeros(data.x.shape[1] + 1) if start is None else start
    options = {"ftol": 1e-14, "gtol": 1e-8, "maxiter": 1000}
    return minimize(for_scipy(loss), start, args=(x, y, penalty), jac=True, method="L-BFGS-B", options=options)


def path(data: Split, penalties: numpy.ndarray) -> numpy.ndarray:
    """The weights for each penalty, each search from where the last one ended; ``(penalties, 31)``."""
    weights, start = [], None
    for penalty in penalties:
        start = fit(data, penalty, start).x
        weights.append(start)
    return numpy.array(weights)


def mean_loss(weights: numpy.ndarray, data: Split) -> list[float]:
    """The loss of one tumour, without penalty, for each row of weights."""
    return [float(loss(w, data.x, data.y, 0.0)) / len(data.y) for w in weights]


def read() -> tuple[Split, Split, list[str]]:
    """Breast cancer (Wolberg et al. 1993), from scikit-learn: two thirds to fit, one third held out."""
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    y = 2.0 * data.target - 1.0
    held_out = numpy.arange(len(y)) % 3 == 0
    seen = data.data[~held_out]
    x = (data.data - seen.mean(axis=0)) / seen.std(axis=0)
    return Split(x[~held_out], y[~held_out]), Split(x[held_out], y[held_out]), list(data.feature_names)


def draw(
    file: Path, penalties: numpy.ndarray, weights: numpy.ndarray, chosen: int, train: Split, test: Split, names: list
) -> None:
    """Coefficients and losses along the path, and the held-out tumours by their score."""
    drawing = figure(figsize=(11, 5.5))
    if drawing is None:
        return
    grid = drawing.add_gridspec(2, 2, width_ratios=(1.5, 1))
    coefficients, losses = drawing.add_subplot(grid[:, 0]), drawing.add_subplot(grid[0, 1])
    scores = drawing.add_subplot(grid[1, 1])

    largest = numpy.argsort(-abs(weights[:, 1:]).max(axis=0))[:6]
    coefficients.plot(penalties, weights[:, 1:], color=LIGHT, linewidth=0.8)
    for number, feature in enumerate(largest):
        coefficients.plot(penalties, weights[:, 1 + feature], color=f"C{number}", label=names[feature])
    coefficients.axvline(penalties[chosen], color=GREY, linestyle=":")
    coefficients.set(xscale="log", xlabel="penalty", ylabel="coefficient", title="Coefficients, the largest six named")
    coefficients.legend(frameon=False, fontsize=9)

    losses.plot(penalties, mean_loss(weights, train), color=BLUE, label="fitted")
    losses.plot(penalties, mean_loss(weights, test), color=RED, label="held out")
    losses.axvline(penalties[chosen], color=GREY, linestyle=":")
    losses.set(xscale="log", xlabel="penalty", ylabel="loss of one tumour", title="Too little penalty, and too much")
    losses.legend(frameon=False)

    score = weights[chosen, 0] + test.x @ weights[chosen, 1:]
    bins = numpy.linspace(-30, 15, 46)
    for label, color, name in ((-1, RED, "malignant"), (1, BLUE, "benign")):
        scores.hist(score[test.y == label].clip(-30, 15), bins, color=color, alpha=0.6, label=name)
    scores.axvline(0, color=GREY, linestyle=":")
    wrong = int((numpy.sign(score) != test.y).sum())
    title = f"{wrong} of {len(score)} held-out tumours misread"
    scores.set(xlabel="score, log-odds of benign", ylabel="tumours", title=title)
    scores.legend(frameon=False)
    tidy(coefficients, losses, scores)
    save(drawing, file)


def main() -> None:
    """Fit, compare with scikit-learn, draw."""
    parser = argparse.ArgumentParser(description="Logistic regression with SciPy's minimizer.")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="(%(default)s: GPU if any)")
    parser.add_argument("--penalty", type=float, default=1.0, help="for the comparison (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/science"), help="folder for the picture (%(default)s)")
    args = parser.parse_args()
    gg.set_default_device(None if args.device == "auto" else args.device)  # the one line that chooses the device

    from sklearn.linear_model import LogisticRegression

    train, test, names = read()
    found = fit(train, args.penalty)
    print(f"loss {found.fun:.9f} after {found.nfev} evaluations with gradient, on {gg.get_default_device()}")
    peer = LogisticRegression(C=1 / args.penalty, tol=1e-10, max_iter=10_000).fit(train.x, train.y)
    theirs = numpy.concatenate([peer.intercept_, peer.coef_[0]])
    print(f"scikit-learn's weights differ by at most {abs(found.x - theirs).max():.1e}")
    print(f"held out: {numpy.mean(numpy.sign(found.x[0] + test.x @ found.x[1:]) == test.y):.2%} read correctly")

    penalties = numpy.geomspace(1e3, 1e-2, 31)
    weights = path(train, penalties)
    chosen = int(numpy.argmin(mean_loss(weights, test)))
    print(f"smallest held-out loss: {mean_loss(weights, test)[chosen]:.4f} with penalty {penalties[chosen]:.3g}")
    args.out.mkdir(parents=True, exist_ok=True)
    draw(args.out / "logistic_regression.png", penalties, weights, chosen, train, test, names)


if __name__ == "__main__":
    main()
