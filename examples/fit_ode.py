"""The parameters of a differential equation, from noisy observations: hares and lynxes.

    python examples/fit_ode.py                         observations made by the script, with known parameters
    python examples/fit_ode.py --data pelts.csv        your own: a line of names, then one a year: year, prey, predators

The Lotka-Volterra equations are integrated by Runge-Kutta steps in NumPy, and the gradient goes back through all of
them: the same functions draw curves from arrays, and are differentiated where they are given Tensors. SciPy's L-BFGS
finds the parameters, the Hessian at the end tells how sure they are, and `gg.checkpoint` of each year keeps one year's
steps in memory instead of all. Written to ``--out``: ``fit_ode.png``.
"""

import argparse
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy
from logistic_regression import for_scipy
from reporting import BLUE, GREY, RED, figure, save, tidy
from scipy.optimize import minimize

import gpugrad as gg

NAMES = ("hares' births", "lynxes' deaths", "loss to a lynx", "gain from a hare", "hares at first", "lynxes at first")
TRUTH = numpy.log([0.55, 0.85, 0.028, 0.026, 33.0, 6.0])
GUESS = numpy.log([0.7, 0.7, 0.02, 0.02, 20.0, 10.0])


def slope(u, rates, meetings):
    """Lotka-Volterra: ``dh/dt = h (birth - loss l)``, ``dl/dt = l (-death + gain h)`` for ``u = (h, l)``."""
    return u * (rates + meetings * numpy.flip(u))


def advance(u, rates, meetings, duration, steps):
    """The state after a duration, by the classical Runge-Kutta method."""
    dt = duration / steps
    for _ in range(steps):
        k1 = slope(u, rates, meetings)
        k2 = slope(u + dt / 2 * k1, rates, meetings)
        k3 = slope(u + dt / 2 * k2, rates, meetings)
        k4 = slope(u + dt * k3, rates, meetings)
        u = u + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return u


def trajectory(p, count, duration=1.0, steps=10, advance=advance):
    """Hares and lynxes at ``count`` times, a duration apart, ``(count, 2)``; ``p``: logarithms of six parameters."""
    birth, death, lost, gained, hares, lynxes = numpy.exp(p)
    u = numpy.stack([hares, lynxes])
    rates, meetings = numpy.stack([birth, -death]), numpy.stack([-lost, gained])
    states = [u]
    for _ in range(count - 1):
        u = advance(u, rates, meetings, duration, steps)
        states.append(u)
    return numpy.stack(states)


def loss(p, observed, advance=advance):
    """Half the squared error of the logarithms: observations are wrong by a factor."""
    error = numpy.log(trajectory(p, len(observed), advance=advance)) - numpy.log(observed)
    return (error**2).sum() / 2


def fit(observed: numpy.ndarray, guess: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray, list[float]]:
    """The logarithms of the parameters, their standard errors, and the loss of every evaluation.

    With independent errors of one size, the covariance is their variance times the inverse of the Hessian.
    """
    given = gg.tensor(observed)
    losses: list[float] = []
    objective = for_scipy(lambda p: loss(p, given, gg.checkpoint(advance)), losses)
    p = minimize(objective, guess, jac=True, method="L-BFGS-B", options={"ftol": 1e-11, "gtol": 1e-6}).x
    hessian = gg.hessian(lambda p: loss(p, given))(gg.tensor(p)).numpy()
    variance = 2 * min(losses) / (observed.size - p.size)
    return p, numpy.sqrt(variance * numpy.diag(numpy.linalg.inv(hessian))), losses


def observations(years: int = 21, noise: float = 0.15) -> numpy.ndarray:
    """A trajectory of known parameters, each number of it wrong by some 15 per cent."""
    true = trajectory(TRUTH, years)
    return true * numpy.exp(noise * numpy.random.default_rng(2).standard_normal(true.shape))


def peak_memory(compute: Callable[[], object]) -> int:
    """The largest number of bytes on the host that a computation held."""
    tracemalloc.start()
    compute()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def draw(file: Path, times: numpy.ndarray, observed: numpy.ndarray, found: numpy.ndarray, errors: numpy.ndarray,
         losses: list[float], truth: numpy.ndarray | None) -> None:  # fmt: skip
    """The observations with both curves, the parameters with their errors, and the loss."""
    drawing = figure(figsize=(11, 5.5))
    if drawing is None:
        return
    grid = drawing.add_gridspec(2, 2, width_ratios=(1.5, 1))
    fine = numpy.linspace(times[0], times[-1], 20 * (len(times) - 1) + 1)
    curves = [trajectory(p, len(fine), 1 / 20, steps=1) for p in (GUESS, found)]
    for kind, (name, color) in enumerate((("hares", BLUE), ("lynxes", RED))):
        axes = drawing.add_subplot(grid[kind, 0])
        axes.plot(fine, curves[0][:, kind], color=GREY, linestyle="--", label="first guess")
        axes.plot(fine, curves[1][:, kind], color=color, label="fitted")
        axes.plot(times, observed[:, kind], "o", color="black", markersize=4, label="observed")
        axes.set(ylabel=name, xlabel="year" if kind else None, ylim=(0, None))
        axes.locator_params(axis="x", integer=True)
        axes.legend(frameon=False, fontsize=9, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 0.98))
        tidy(axes)
    axes = drawing.add_subplot(grid[0, 1])
    relative = numpy.exp(found - truth) if truth is not None else numpy.ones(len(found))
    axes.errorbar(relative, NAMES, xerr=2 * errors * relative, fmt="o", color=BLUE, capsize=3)
    axes.axvline(1, color=GREY, linestyle=":")
    against = "divided by the true value" if truth is not None else "relative"
    axes.set(xlabel=f"{against}, with two standard errors", title="Parameters")
    axes.invert_yaxis()
    descent = drawing.add_subplot(grid[1, 1])
    descent.plot(range(1, len(losses) + 1), numpy.minimum.accumulate(losses), color=BLUE)
    descent.set(yscale="log", xlabel="evaluation", ylabel="loss")
    tidy(axes, descent)
    save(drawing, file)


def main() -> None:
    """Fit, and say what it took."""
    parser = argparse.ArgumentParser(description="Fit the Lotka-Volterra equations to observations.")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="cpu", help="(%(default)s: tiny arrays)")
    parser.add_argument("--data", type=Path, help="a line of names, then one a year: year, prey, predators")
    parser.add_argument("--out", type=Path, default=Path("runs/science"), help="folder for the picture (%(default)s)")
    args = parser.parse_args()
    gg.set_default_device(None if args.device == "auto" else args.device)  # the one line that chooses the device

    table = numpy.loadtxt(args.data, delimiter=",", skiprows=1) if args.data else None
    times, observed = (numpy.arange(21), observations()) if table is None else (table[:, 0], table[:, 1:])
    found, errors, losses = fit(observed, GUESS)
    print(f"loss {losses[0]:.3f} to {min(losses):.5f} in {len(losses)} evaluations with gradient")
    for number, name in enumerate(NAMES):
        known = f", in truth {numpy.exp(TRUTH[number]):.4g}" if table is None else ""
        print(f"{name:17} {numpy.exp(found[number]):8.4g} within {2 * errors[number]:.1%}{known}")
    for name, one in (("all steps kept", advance), ("one year kept", gg.checkpoint(advance))):
        held = peak_memory(lambda one=one: gg.grad(loss)(gg.tensor(found), gg.tensor(observed), one))
        print(f"host memory of a gradient, {name}: {held / 1024:,.0f} KiB")
    args.out.mkdir(parents=True, exist_ok=True)
    draw(args.out / "fit_ode.png", times, observed, found, errors, losses, TRUTH if table is None else None)


if __name__ == "__main__":
    main()
