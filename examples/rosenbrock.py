"""What gradients and second derivatives are worth to a minimizer: Rosenbrock's valley, with `scipy.optimize.minimize`.

    python examples/rosenbrock.py                             in 2 variables for the picture, in 20 for the table
    python examples/rosenbrock.py --variables 100

The same function, plain arithmetic on an array, is given to five methods: to two without derivatives, to BFGS with
`gg.value_and_grad`, to trust-ncg with `gg.hessian`, and to Newton-CG with `gg.hvp`, which needs no matrix. Counted is
everything asked of gpugrad. Written to ``--out``: ``rosenbrock.png``.
"""

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy
from reporting import BLUE, RED, figure, save, tidy
from scipy.optimize import minimize

import gpugrad as gg


def rosenbrock(x):
    """``sum 100 (x_{i+1} - x_i^2)^2 + (1 - x_i)^2``: 0 where all are 1, at the end of a bent, flat valley."""
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


class Run(NamedTuple):
    """One search: where it went, and what it cost."""

    method: str
    values: int
    gradients: int
    products: int
    """Products of the Hessian with a vector; a whole Hessian is as many as there are variables."""
    trace: list[float]
    """The smallest value after each value, gradient or product."""
    steps: numpy.ndarray
    x: numpy.ndarray


class Counted:
    """The function and its derivatives for SciPy, whose arrays are on the host, counting each call."""

    def __init__(self, f: Callable) -> None:
        self.f = f
        self.gradient_of, self.hessian_of = gg.grad(f), gg.hessian(f)
        self.values = self.gradients = self.products = 0
        self.trace: list[float] = []

    def note(self, value: float, cost: int = 1) -> None:
        best = min([value, *self.trace[-1:]])
        self.trace.extend([best] * cost)

    def value(self, x: numpy.ndarray) -> float:
        self.values += 1
        value = self.f(gg.tensor(x)).item()
        self.note(value)
        return value

    def gradient(self, x: numpy.ndarray) -> numpy.ndarray:
        self.gradients += 1
        self.note(numpy.inf)
        return self.gradient_of(gg.tensor(x)).numpy()

    def hessian(self, x: numpy.ndarray) -> numpy.ndarray:
        self.products += x.size
        self.note(numpy.inf, x.size)
        return self.hessian_of(gg.tensor(x)).numpy()

    def product(self, x: numpy.ndarray, direction: numpy.ndarray) -> numpy.ndarray:
        self.products += 1
        self.note(numpy.inf)
        return gg.hvp(self.f, (gg.tensor(x),), (gg.tensor(direction),)).numpy()


METHODS = {  # what each is given beside the function
    "Nelder-Mead": (),
    "BFGS": (),
    "BFGS, jac": ("jac",),
    "trust-ncg, jac, hess": ("jac", "hess"),
    "Newton-CG, jac, hessp": ("jac", "hessp"),
}


def search(method: str, start: numpy.ndarray, tolerance: float = 1e-8) -> Run:
    """Minimize from ``start`` with one of the methods above."""
    counted = Counted(rosenbrock)
    derivatives = {"jac": counted.gradient, "hess": counted.hessian, "hessp": counted.product}
    given = {name: derivatives[name] for name in METHODS[method]}
    steps = [start]
    name = method.partition(",")[0]
    limits = {"maxiter": 100_000, "maxfev": 10**6} if name == "Nelder-Mead" else {"maxiter": 10_000}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # differences cannot reach the tolerance, and SciPy says so
        found = minimize(
            counted.value, start, method=name, tol=tolerance, options=limits,
            callback=lambda x: steps.append(numpy.array(x)), **given,
        )  # fmt: skip
    return Run(method, counted.values, counted.gradients, counted.products, counted.trace, numpy.array(steps), found.x)


def draw(file: Path, flat: list[Run], deep: list[Run]) -> None:
    """Where each search went in two variables, and how fast the value fell in many."""
    drawing = figure(figsize=(11, 7))
    if drawing is None:
        return
    grid = drawing.subplots(2, 3)
    a, b = numpy.meshgrid(numpy.linspace(-1.7, 1.6, 200), numpy.linspace(-0.8, 2.6, 200))
    height = numpy.log10(1e-3 + 100 * (b - a**2) ** 2 + (1 - a) ** 2)
    for axes, run in zip(grid.flat[:5], flat, strict=True):
        axes.contourf(a, b, height, 16, cmap="Greys", alpha=0.35)
        axes.plot(*run.steps.T, "o-", color=BLUE, markersize=3, linewidth=1)
        axes.plot(1, 1, "*", color=RED, markersize=13, zorder=3)
        costs = [f"{run.values} values"]
        costs += [f"{n} {what}" for n, what in ((run.gradients, "gradients"), (run.products, "products")) if n]
        axes.set_title(f"{run.method}\n{', '.join(costs)}", fontsize=10, loc="left")
        axes.set(xticks=[-1, 0, 1], yticks=[0, 1, 2], xlim=(-1.7, 1.6), ylim=(-0.8, 2.6))
    axes = grid[1, 2]
    for run in deep:
        axes.plot(range(1, len(run.trace) + 1), run.trace, label=run.method)
    axes.set(xscale="log", yscale="log", ylim=(1e-18, None), xlabel="values, gradients and products asked for")
    axes.set_title(f"smallest value so far, in {deep[0].x.size} variables", fontsize=10, loc="left")
    axes.legend(frameon=False, fontsize=8)
    tidy(axes)
    save(drawing, file)


def main() -> None:
    """Search with every method, in two variables and in many."""
    parser = argparse.ArgumentParser(description="Rosenbrock's valley with and without derivatives.")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="(%(default)s: GPU if any)")
    parser.add_argument("--variables", type=int, default=20, help="for the table (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/science"), help="folder for the picture (%(default)s)")
    args = parser.parse_args()
    gg.set_default_device(None if args.device == "auto" else args.device)  # the one line that chooses the device

    flat = [search(method, numpy.array([-1.2, 1.0])) for method in METHODS]
    deep = [search(method, numpy.resize([-1.2, 1.0], args.variables)) for method in METHODS]
    for runs in (flat, deep):
        print(f"{runs[0].x.size:>3} variables           values  gradients  products  distance to the minimum")
        for run in runs:
            distance = abs(run.x - 1).max()
            print(f"{run.method:22} {run.values:7} {run.gradients:10} {run.products:9}  {distance:.1e}")
    args.out.mkdir(parents=True, exist_ok=True)
    draw(args.out / "rosenbrock.png", flat, deep)


if __name__ == "__main__":
    main()
