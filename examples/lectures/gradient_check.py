"""Numerical and analytic gradients, side by side: how exact they are, and what they cost.

    python examples/lectures/gradient_check.py
    python examples/lectures/gradient_check.py --most 1000

A difference quotient needs no derivation, only a step h: too large, and the curve bends away; too small, and the
subtraction leaves nothing but rounding. The error is measured for steps from 1 to 1e-15, forward and central, in
float64 and float32. Then the cost, in evaluations and in seconds, of the gradient by a number of parameters: one walk
back, or a difference for each. So derive, and check the derivation by differences. Written to ``--out``:
``gradient_check.png``.

Source: CS231n, lecture 4 and the notes on optimization and on gradient checks.
"""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy
from showing import BLUE, GREY, ORANGE, RED, command_line, figure, rows, save, tidy

import gpugrad as gg


def forward_difference(f: Callable, x: gg.Tensor, h: float):
    """``(f(x + h e_i) - f(x)) / h`` for each i: an error of the order of h, for n + 1 evaluations."""
    here = f(x)
    return gg.stack([(f(x + step) - here) / h for step in steps(x, h)])


def central_difference(f: Callable, x: gg.Tensor, h: float):
    """``(f(x + h e_i) - f(x - h e_i)) / (2 h)`` for each i: an error of the order of h squared, for 2 n evaluations."""
    return gg.stack([(f(x + step) - f(x - step)) / (2 * h) for step in steps(x, h)])


def steps(x: gg.Tensor, h: float) -> Iterator[gg.Tensor]:
    """``h e_i`` for each element of the vector x."""
    index = gg.arange(x.size)
    for i in range(x.size):
        yield h * gg.astype(index == i, x.dtype)


def curve(x):
    """A smooth function of a vector, whose derivatives of every order are of about the same size."""
    return (gg.exp(gg.sin(3 * x)) * x).sum()


WAYS = {"forward": forward_difference, "central": central_difference}


def error(way: str, dtype, h: float) -> float:
    """The largest difference between a numerical and the analytic gradient, relative to the largest gradient."""
    points = numpy.linspace(0.3, 1.1, 5)
    analytic = gg.grad(curve)(gg.tensor(points, dtype=gg.float64)).numpy()
    with gg.no_grad():
        numerical = WAYS[way](curve, gg.tensor(points, dtype=dtype), h).numpy()
    return float(abs(numerical - analytic).max() / abs(analytic).max())


def network_loss(size: int) -> tuple[Callable, gg.Tensor]:
    """The loss of a network with two layers as a function of a vector of about ``size`` parameters; and the vector."""
    hidden = max(1, size // 10)
    rng = numpy.random.default_rng(0)
    x, y = (gg.tensor(rng.standard_normal(shape)) for shape in ((20, 9), (20,)))

    def loss(parameters):
        first, second = parameters[: 9 * hidden].reshape(9, hidden), parameters[9 * hidden :]
        return ((gg.tanh(x @ first) @ second - y) ** 2).mean()

    return loss, gg.tensor(rng.standard_normal(10 * hidden))


class Cost(NamedTuple):
    """What the gradient of one network costs by each way."""

    parameters: int
    evaluations: int
    """By central differences; the analytic way has one, and one walk back."""
    analytic: float
    numerical: float
    """Seconds."""
    error: float


def cost(size: int) -> Cost:
    """Measure one network."""
    loss, x = network_loss(size)
    evaluations = 0

    def counted(x):
        nonlocal evaluations
        evaluations += 1
        return loss(x)

    started = time.perf_counter()
    with gg.no_grad():
        numerical = central_difference(counted, x, 1e-5).numpy()
    middle = time.perf_counter()
    analytic = gg.grad(loss)(x).numpy()
    ended = time.perf_counter()
    off = abs(numerical - analytic).max() / abs(analytic).max()
    return Cost(x.size, evaluations, ended - middle, middle - started, float(off))


STEPS = [10.0**k for k in range(-15, 1)]


def draw(path, errors: dict[tuple[str, str], list[float]], costs: list[Cost]) -> None:
    """Error over the step, seconds over the number of parameters."""
    drawing = figure(figsize=(9, 3.6))
    if drawing is None:
        return
    left, right = drawing.subplots(1, 2)
    colours = {"forward": ORANGE, "central": BLUE}
    for (way, dtype), off in errors.items():
        style = "o-" if dtype == "float64" else "o:"
        left.plot(STEPS, off, style, color=colours[way], markersize=3, label=f"{way}, {dtype}")
    left.set(xscale="log", yscale="log", xlabel="step h", ylabel="relative error", ylim=(1e-13, 1e3))
    left.set_title("too large a step bends, too small a one rounds", fontsize=10)
    left.legend(frameon=False, fontsize=8)
    sizes = [c.parameters for c in costs]
    right.plot(sizes, [1e3 * c.numerical for c in costs], "o-", color=RED, label="central differences")
    right.plot(sizes, [1e3 * c.analytic for c in costs], "o-", color=GREY, label="walk back")
    right.set(xscale="log", yscale="log", xlabel="parameters", ylabel="milliseconds for a gradient")
    right.set_title("a difference for each parameter, or one walk back", fontsize=10)
    right.legend(frameon=False, fontsize=8)
    tidy(left, right)
    save(drawing, path, dpi=80)


def main() -> None:
    """Measure, print, draw."""
    parser = command_line(__file__, __doc__)
    parser.add_argument("--most", type=int, default=10_000, help="parameters of the largest network (%(default)s)")
    args = parser.parse_args()
    gg.set_default_device(None if args.device == "auto" else args.device)  # the one line that chooses the device

    kinds = [(way, dtype) for dtype in (gg.float64, gg.float32) for way in WAYS]
    errors = {(way, dtype.name): [error(way, dtype, h) for h in STEPS] for way, dtype in kinds}
    heads = [f"{way}, {dtype}" for way, dtype in errors]
    lines = [(f"{h:.0e}", *(f"{off[i]:.1e}" for off in errors.values())) for i, h in enumerate(STEPS)]
    print(rows([("h", *heads), *lines[::-1]]))

    cost(10)  # what is set up at the first call is not to be counted
    costs = [cost(10**k) for k in range(1, 7) if 10**k <= args.most]
    print()
    heads = ("parameters", "evaluations", "differences, ms", "walk back, ms", "times", "error")
    lines = [
        (f"{c.parameters:,}", f"{c.evaluations:,}", 1e3 * c.numerical, 1e3 * c.analytic,
         f"{c.numerical / c.analytic:,.0f}", f"{c.error:.0e}")
        for c in costs
    ]  # fmt: skip
    print(rows([heads, *lines]))
    draw(args.out / "gradient_check.png", errors, costs)


if __name__ == "__main__":
    main()
