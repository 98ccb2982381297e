"""Gaussian process regression: twelve hyper-parameters by the gradient of the marginal likelihood.

    python examples/gaussian_process.py                       442 diabetes patients, ten measurements each, no download
    python examples/gaussian_process.py --device cuda         the decompositions on the GPU

The likelihood is a few lines with `numpy.linalg`, as in Rasmussen and Williams 2006, algorithm 2.1; nobody derives
its gradient by hand. Value and gradient are compared with scikit-learn's, and so is the maximum that its own search
finds. Written to ``--out``: ``gaussian_process.png``.
"""

import argparse
import math
import time
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy
from logistic_regression import for_scipy
from reporting import BLUE, GREY, RED, figure, save, tidy
from scipy.optimize import minimize

import gpugrad as gg

NAMES = ["age", "sex", "body mass index", "blood pressure", "cholesterol", "low density", "high density", "ratio",
         "triglycerides", "blood sugar"]  # fmt: skip


class Patients(NamedTuple):
    """Measurements ``(N, 10)`` and how the disease went on in a year ``(N,)``, both standardised."""

    x: numpy.ndarray
    y: numpy.ndarray


def kernel(p, a, b):
    """``variance exp(-sum_i (a_i - b_i)^2 / (2 length_i^2))``; ``p``: the logarithms of variance, noise, lengths."""
    a, b = a / numpy.exp(p[2:]), b / numpy.exp(p[2:])
    squared = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    return numpy.exp(p[0] - squared / 2)


def decomposed(p, x, y):
    """The Cholesky factor ``L`` of the covariance of the observations, and ``L^-1 y``."""
    factor = numpy.linalg.cholesky(kernel(p, x, x) + numpy.diag(numpy.exp(p[1]) * numpy.ones_like(y)))
    return factor, numpy.linalg.solve(factor, y)


def loss(p, x, y):
    """Minus the logarithm of the marginal likelihood: ``y^T K^-1 y / 2 + log det K / 2 + N log(2 pi) / 2``."""
    factor, white = decomposed(p, x, y)
    return white @ white / 2 + numpy.log(numpy.diagonal(factor)).sum() + len(y) * math.log(2 * math.pi) / 2


def predict(p, x, y, new):
    """Mean and standard deviation of new observations."""
    factor, white = decomposed(p, x, y)
    across = numpy.linalg.solve(factor, kernel(p, x, new))
    return white @ across, numpy.sqrt(numpy.exp(p[0]) + numpy.exp(p[1]) - (across**2).sum(axis=0))


def fit(data: Patients) -> tuple[numpy.ndarray, list[float]]:
    """The most likely hyper-parameters, by L-BFGS from all ones, and the loss of every evaluation."""
    x, y = gg.tensor(data.x), gg.tensor(data.y)
    losses: list[float] = []
    objective = for_scipy(lambda p: loss(p, x, y), losses)
    found = minimize(objective, numpy.zeros(12), jac=True, method="L-BFGS-B", bounds=[(-5, 5)] * 12)
    return found.x, losses


def read() -> tuple[Patients, Patients]:
    """Diabetes (Efron et al. 2004), from scikit-learn: 300 patients to fit, 142 held out."""
    from sklearn.datasets import load_diabetes

    data = load_diabetes(scaled=False)
    order = numpy.random.default_rng(0).permutation(len(data.target))
    columns = [(c - c[order[:300]].mean(axis=0)) / c[order[:300]].std(axis=0) for c in (data.data, data.target)]
    return Patients(*(c[order[:300]] for c in columns)), Patients(*(c[order[300:]] for c in columns))


def peer(p: numpy.ndarray, search: bool) -> Any:
    """scikit-learn's regressor at the same hyper-parameters, with or without its own search."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    bounds = (math.exp(-5), math.exp(5))
    smooth = ConstantKernel(math.exp(p[0]), bounds) * RBF(numpy.exp(p[2:]), bounds)
    noisy = smooth + WhiteKernel(math.exp(p[1]), bounds)
    return GaussianProcessRegressor(noisy, alpha=0, optimizer="fmin_l_bfgs_b" if search else None)


def draw(file: Path, train: Patients, test: Patients, p: numpy.ndarray, losses: list[float]) -> None:
    """Forecasts with their bands before and after; what each measurement tells; the likelihood."""
    drawing = figure(figsize=(11.5, 6))
    if drawing is None:
        return
    grid = drawing.add_gridspec(2, 2, width_ratios=(1.7, 1))
    for row, (name, parameters) in enumerate((("all parameters 1", numpy.zeros(12)), ("most likely parameters", p))):
        mean, deviation = predict(parameters, train.x, train.y, test.x)
        order = numpy.argsort(mean)
        patients, low, high = range(len(order)), mean - 2 * deviation, mean + 2 * deviation
        axes = drawing.add_subplot(grid[row, 0])
        axes.fill_between(patients, low[order], high[order], color=BLUE, alpha=0.15, label="two standard deviations")
        axes.plot(patients, mean[order], color=BLUE, label="mean")
        axes.plot(patients, test.y[order], ".", color=RED, label="held-out patients")
        within = numpy.mean((low < test.y) & (test.y < high))
        explained = 1 - numpy.mean((test.y - mean) ** 2) / test.y.var()
        axes.set_title(f"{name}: {explained:.0%} of the variance explained, {within:.0%} in the band", fontsize=10)
        axes.set(ylabel="progression, standardised", ylim=(-4.2, 4.2))
        tidy(axes)
    axes.set(xlabel="held-out patients, in the order of their means")
    axes.legend(frameon=False, fontsize=9, loc="upper left", ncols=3)
    relevance, descent = drawing.add_subplot(grid[0, 1]), drawing.add_subplot(grid[1, 1])
    relevance.barh(NAMES, numpy.exp(-p[2:]), color=BLUE)
    relevance.invert_yaxis()
    relevance.set_title("relevance: 1 / length scale", fontsize=10)
    descent.plot(range(1, len(losses) + 1), -numpy.minimum.accumulate(losses), color=BLUE)
    descent.axhline(-min(losses), color=GREY, linestyle=":")
    descent.set_title("logarithm of the marginal likelihood", fontsize=10)
    descent.set(xlabel="evaluations with gradient")
    tidy(relevance, descent)
    save(drawing, file)


def main() -> None:
    """Fit, compare with scikit-learn, draw."""
    parser = argparse.ArgumentParser(description="Gaussian process regression by the marginal likelihood.")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="(%(default)s: GPU if any)")
    parser.add_argument("--out", type=Path, default=Path("runs/science"), help="folder for the picture (%(default)s)")
    args = parser.parse_args()
    gg.set_default_device(None if args.device == "auto" else args.device)  # the one line that chooses the device

    train, test = read()
    started = time.perf_counter()
    p, losses = fit(train)
    seconds = time.perf_counter() - started
    print(f"log likelihood {-losses[0]:.4f} to {-min(losses):.4f}, {len(losses)} evaluations in {seconds:.1f} s")

    value, gradient = for_scipy(loss)(p, gg.tensor(train.x), gg.tensor(train.y))
    theirs = peer(p, search=False).fit(train.x, train.y)
    value_there, gradient_there = theirs.log_marginal_likelihood(theirs.kernel_.theta, eval_gradient=True)
    reordered = numpy.concatenate([gradient[:1], gradient[2:], gradient[1:2]])
    print(f"scikit-learn's at the same place differs by {abs(value + value_there):.1e}, "
          f"its gradient by at most {abs(reordered + gradient_there).max():.1e}")  # fmt: skip
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lengths of what does not matter reach their bound, and it says so
        searched = peer(numpy.zeros(12), search=True).fit(train.x, train.y)
    seconds = time.perf_counter() - started
    print(f"scikit-learn's own search: {searched.log_marginal_likelihood_value_:.4f} in {seconds:.1f} s")
    args.out.mkdir(parents=True, exist_ok=True)
    draw(args.out / "gaussian_process.png", train, test, p, losses)


if __name__ == "__main__":
    main()
