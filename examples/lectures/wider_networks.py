"""Over-parameterization: a wider network fits more easily, although it has more parameters than there are points.

    python examples/lectures/wider_networks.py
    python examples/lectures/wider_networks.py --noise 0.3

Networks with two layers, from 1 to 256 hidden neurons, are trained with the same optimizer for the same number of
steps, each from several starts: all starts are one batch of matrices and train side by side. Narrow ones get stuck
where the points are not fitted. With some width, gradient descent finds its way from every start, and the loss on other
points hardly rises for it. Written to ``--out``: ``wider_networks.png``.

Source: CS221, the lectures on neural networks (why training works when there are more parameters than needed).
"""

from typing import NamedTuple

import numpy
from showing import BLUE, GREY, LIGHT, RED, command_line, figure, rows, save, tidy

import gpugrad as gg
from gpugrad import optim

WIDTHS = [1, 2, 4, 8, 16, 32, 64, 128, 256]


class Points(NamedTuple):
    """What is to be fitted, ``(N, 1)`` each."""

    x: gg.Tensor
    y: gg.Tensor


def points(count: int, noise: float, seed: int) -> Points:
    """A curve with three humps, and noise on it."""
    rng = numpy.random.default_rng(seed)
    x = numpy.sort(rng.uniform(-2, 2, count))
    y = numpy.sin(4 * x) + 0.5 * x + noise * rng.standard_normal(count)
    return Points(gg.tensor(x[:, None]), gg.tensor(y[:, None]))


class Networks(NamedTuple):
    """Networks of one width, a row each: ``w2 tanh(w1 x + b1) + b2``."""

    w1: gg.Tensor
    b1: gg.Tensor
    w2: gg.Tensor
    b2: gg.Tensor

    def __call__(self, x: gg.Tensor) -> gg.Tensor:
        """``(N, 1)`` in, ``(starts, N, 1)`` out."""
        return gg.tanh(x @ self.w1 + self.b1) @ self.w2 + self.b2

    @property
    def parameters(self) -> int:
        """Of one of them."""
        return sum(w.size for w in self) // len(self.w1)


def networks(width: int, starts: int) -> Networks:
    """Random first weights; those of the second layer by Xavier, so that outputs begin equally large at every width."""
    rng = numpy.random.default_rng(width)
    shapes = ((1, width), (1, width), (width, 1), (1, 1))
    spreads = (2.0, 2.0, width**-0.5, 0.0)
    return Networks(*(
        gg.tensor(spread * rng.standard_normal((starts, *shape)), requires_grad=True)
        for shape, spread in zip(shapes, spreads, strict=True)
    ))  # fmt: skip


class Fit(NamedTuple):
    """What training led to."""

    width: int
    parameters: int
    train: numpy.ndarray
    """The mean squared error of each start."""
    test: numpy.ndarray
    networks: Networks


def fit(width: int, train: Points, test: Points, starts: int = 10, steps: int = 1500) -> Fit:
    """Train all starts of one width; their losses are added up, so that none feels another."""
    found = networks(width, starts)
    optimizer = optim.Adam(found, lr=0.01)
    for _ in range(steps):
        loss = ((found(train.x) - train.y) ** 2).mean(axis=(1, 2)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with gg.no_grad():
        errors = [((found(part.x) - part.y) ** 2).mean(axis=(1, 2)).numpy() for part in (train, test)]
    return Fit(width, found.parameters, *errors, found)


def draw(path, fits: list[Fit], train: Points, test: Points) -> None:
    """Losses over the width, and what a narrow and a wide network made of the points."""
    drawing = figure(figsize=(9, 3.6))
    if drawing is None:
        return
    left, right = drawing.subplots(1, 2)
    for found in fits:
        left.plot([found.width] * len(found.train), found.train, ".", color=BLUE, alpha=0.35, markersize=5)
    widths = [found.width for found in fits]
    left.plot(widths, [numpy.median(found.train) for found in fits], color=BLUE, label="points trained on")
    left.plot(widths, [numpy.median(found.test) for found in fits], color=RED, label="other points")
    left.axvline(len(train.x) / 3, color=GREY, linestyle=":", linewidth=1)
    left.text(len(train.x) / 3 * 1.1, 0.97, "as many parameters\nas points", color=GREY, fontsize=8,
              transform=left.get_xaxis_transform(), va="top")  # fmt: skip
    left.set(xscale="log", yscale="log", xlabel="hidden neurons", ylabel="mean squared error")
    left.set_title("every dot one start, lines their median", fontsize=10)
    left.legend(frameon=False, fontsize=8, loc="upper right", bbox_to_anchor=(1, 0.75))
    right.plot(test.x.numpy(), test.y.numpy(), ".", color=LIGHT, markersize=3)
    right.plot(train.x.numpy(), train.y.numpy(), "o", color=GREY, markersize=3.5)
    line = gg.linspace(-2, 2, 200, dtype=gg.float64).reshape(200, 1)
    for found, colour in ((fits[2], RED), (fits[-1], BLUE)):
        with gg.no_grad():
            middle = found.networks(line).numpy()[numpy.argsort(found.train)[len(found.train) // 2]]
        right.plot(line.numpy(), middle, color=colour, label=f"{found.width} hidden neurons")
    right.set(xlabel="x", ylabel="y")
    right.set_title("the start in the middle of all", fontsize=10)
    right.legend(frameon=False, fontsize=8)
    tidy(left, right)
    save(drawing, path, dpi=80)


def main() -> None:
    """Fit every width, print, draw."""
    parser = command_line(__file__, __doc__)
    parser.add_argument("--noise", type=float, default=0.1, help="on the points (%(default)s)")
    parser.add_argument("--steps", type=int, default=1500, help="of the optimizer, at every width (%(default)s)")
    args = parser.parse_args()
    gg.set_default_device(None if args.device == "auto" else args.device)  # the one line that chooses the device

    train, test = points(48, args.noise, seed=0), points(400, args.noise, seed=1)
    fits = [fit(width, train, test, steps=args.steps) for width in WIDTHS]
    lines = [
        (str(found.width), str(found.parameters), *(float(q) for q in numpy.quantile(found.train, (0, 0.5, 1))),
         float(numpy.median(found.test)))
        for found in fits
    ]  # fmt: skip
    print(f"{len(train.x)} points, {args.steps} steps, 10 starts: mean squared error")
    print(rows([("hidden", "parameters", "best", "median", "worst", "median, other points"), *lines], digits=4))
    draw(args.out / "wider_networks.png", fits, train, test)


if __name__ == "__main__":
    main()
