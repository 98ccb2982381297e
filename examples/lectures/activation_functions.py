"""The activation functions and their derivatives, drawn by the library itself.

    python examples/lectures/activation_functions.py
    python examples/lectures/activation_functions.py --reach 10

Each curve is a function of gpugrad at 401 points, each dashed curve its gradient there: no derivative is written down
here. The table says how large a derivative gets and how much of the axis passes hardly any gradient: where a sigmoid or
tanh is flat it *saturates*, and what lies behind it stops learning. Written to ``--out``: ``activation_functions.png``.

Sources: CS231n, lectures 4 and 6; CS224n, the lecture on backpropagation.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy
from showing import BLUE, RED, command_line, figure, rows, save, tidy

import gpugrad as gg
from gpugrad.nn import functional


def maxout(x):
    """``max(w1 x + b1, w2 x + b2)``, here with w = (-0.5, 1) and b = (-1, 0): the larger of two straight lines."""
    return gg.maximum(-0.5 * x - 1, x)


FUNCTIONS: dict[str, Callable] = {
    "sigmoid": gg.sigmoid,
    "tanh": gg.tanh,
    "hard tanh": functional.hardtanh,
    "softsign": functional.softsign,
    "ReLU": gg.relu,
    "leaky ReLU": lambda x: functional.leaky_relu(x, 0.1),
    "ELU": functional.elu,
    "maxout": maxout,
    "softplus": functional.softplus,
    "SiLU, swish": functional.silu,
    "GELU": functional.gelu,
    "Mish": functional.mish,
}


class Curve(NamedTuple):
    """A function and its derivative at some points."""

    x: numpy.ndarray
    y: numpy.ndarray
    slope: numpy.ndarray

    @property
    def saturated(self) -> float:
        """The fraction of the points where the derivative is below 0.01."""
        return float((abs(self.slope) < 0.01).mean())


def curve(f: Callable, reach: float = 5.0, points: int = 401) -> Curve:
    """A function from -reach to reach; the sum of all values has at each point the derivative there as its gradient."""
    x = gg.linspace(-reach, reach, points, dtype=gg.float64).requires_grad_()
    y = f(x)
    y.sum().backward()
    return Curve(*(a.detach().numpy() for a in (x, y, x.grad)))


def draw(path, curves: dict[str, Curve]) -> None:
    """A grid of small axes, a function each."""
    drawing = figure(figsize=(9, 6))
    if drawing is None:
        return
    grid = drawing.subplots(3, 4, sharex=True, sharey=True)
    for axes, (name, (x, y, slope)) in zip(grid.flat, curves.items(), strict=True):
        axes.plot(x, y, color=BLUE, linewidth=1.6, label="the function")
        axes.plot(x, slope, "--", color=RED, linewidth=1.2, label="its derivative")
        axes.set_title(name, fontsize=10, loc="left")
    grid[0, 0].set(ylim=(-1.6, 2.6))
    grid[0, 0].legend(frameon=False, fontsize=8, loc="upper left")
    tidy(*grid.flat)
    save(drawing, path, dpi=80)


def main() -> None:
    """Compute the curves, say what is flat, draw."""
    parser = command_line(__file__, __doc__)
    parser.add_argument("--reach", type=float, default=5.0, help="how far from 0 the curves go (%(default)s)")
    args = parser.parse_args()
    gg.set_default_device(None if args.device == "auto" else args.device)  # the one line that chooses the device

    curves = {name: curve(f, args.reach) for name, f in FUNCTIONS.items()}
    lines = [(name, float(c.slope.min()), float(c.slope.max()), f"{c.saturated:.0%}") for name, c in curves.items()]
    print(rows([("", "smallest slope", "largest", "saturated"), *lines]))
    draw(args.out / "activation_functions.png", curves)


if __name__ == "__main__":
    main()
