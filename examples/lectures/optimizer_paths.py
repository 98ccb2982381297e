"""SGD, momentum, AdaGrad and Adam on two surfaces that are not convex: where each goes, step by step.

    python examples/lectures/optimizer_paths.py
    python examples/lectures/optimizer_paths.py --animation          a GIF of the saddle too

A saddle: in one direction a narrow valley, in the other a hilltop on which the start all but lies. SGD sees hardly any
slope there and waits, while what divides by the size of past gradients walks off at once. Then six hollows: which one
is found depends on the way there. The minima are known, so that the script says who arrived. Written to ``--out``:
``optimizer_paths.png``, and ``optimizer_paths.gif``.

Sources: CS231n, the notes on learning and the lecture on optimizers; six-hump camel function: Dixon and Szego 1978.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy
from showing import BLUE, GREEN, GREY, ORANGE, RED, command_line, figure, rows, save, tidy, written_whole

import gpugrad as gg
from gpugrad import optim


def saddle(a, b):
    """``4 a^2 - b^2 + b^4 / 4``: level at (0, 0), and -1 at its minima (0, sqrt 2) and (0, -sqrt 2)."""
    return 4 * a**2 - b**2 + b**4 / 4


def camel(a, b):
    """Six hollows, of two each equally deep; the deepest, -1.0316, at (0.0898, -0.7126) and opposite."""
    return (4 - 2.1 * a**2 + a**4 / 3) * a**2 + a * b + (4 * b**2 - 4) * b**2


class Surface(NamedTuple):
    """A function of two numbers, where to start on it, and what of it to draw."""

    f: Callable
    start: tuple[float, float]
    minima: list[tuple[float, float]]
    """The deepest points."""
    window: tuple[float, float, float, float]


SURFACES = {
    "a saddle": Surface(saddle, (-0.9, 0.001), [(0.0, 2**0.5), (0.0, -(2**0.5))], (-1.2, 1.2, -0.6, 1.9)),
    "six hollows": Surface(camel, (-2.0, -0.25), [(0.0898, -0.7126), (-0.0898, 0.7126)], (-2.2, 2.2, -1.1, 1.1)),
}

OPTIMIZERS: dict[str, tuple[Callable, str]] = {
    "SGD": (partial(optim.SGD, lr=0.02), GREY),
    "momentum": (partial(optim.SGD, lr=0.02, momentum=0.9), ORANGE),
    "AdaGrad": (partial(optim.Adagrad, lr=0.2), GREEN),
    "Adam": (partial(optim.Adam, lr=0.05), BLUE),
}


class Path2D(NamedTuple):
    """Where an optimizer went."""

    places: numpy.ndarray
    """``(steps + 1, 2)``, the start first."""
    values: numpy.ndarray

    def arrival(self, surface: Surface, near: float = 0.1) -> int | None:
        """The first step from which on the way stays near one of the deepest points."""
        distances = numpy.min([numpy.hypot(*(self.places - minimum).T) for minimum in surface.minima], axis=0)
        far = numpy.flatnonzero(distances > near)
        first = 0 if not len(far) else int(far[-1]) + 1
        return first if first < len(distances) else None


def walk(surface: Surface, optimizer: Callable, steps: int = 200) -> Path2D:
    """Follow an optimizer."""
    place = gg.tensor(surface.start, dtype=gg.float64, requires_grad=True)
    chosen = optimizer([place])
    places, values = [], []
    for _ in range(steps + 1):
        value = surface.f(*place)
        places.append(place.detach().numpy())
        values.append(value.item())
        chosen.zero_grad()
        value.backward()
        chosen.step()
    return Path2D(numpy.array(places), numpy.array(values))


def landscape(axes, name: str, surface: Surface) -> None:
    """Lines of equal height, closer together in the hollows."""
    left, right, low, high = surface.window
    a, b = numpy.meshgrid(numpy.linspace(left, right, 150), numpy.linspace(low, high, 150))
    height = surface.f(a, b)
    levels = height.min() + (height.max() - height.min()) * numpy.linspace(0, 1, 12) ** 2.5
    axes.contourf(a, b, height, levels, cmap="Greys", alpha=0.4)
    axes.plot(*zip(*surface.minima, strict=True), "*", color=RED, markersize=10, zorder=1)
    axes.set(xlim=(left, right), ylim=(low, high), xlabel="a", ylabel="b")
    axes.set_title(name, fontsize=10, loc="left")


def draw(path: Path, paths: dict[str, dict[str, Path2D]]) -> None:
    """Both surfaces with every way on them, and how the value falls on the saddle."""
    drawing = figure(figsize=(11, 3.8))
    if drawing is None:
        return
    *maps, curves = drawing.subplots(1, 3)
    for axes, (name, ways) in zip(maps, paths.items(), strict=True):
        landscape(axes, name, SURFACES[name])
        for optimizer, way in ways.items():
            colour = OPTIMIZERS[optimizer][1]
            axes.plot(*way.places.T, "-", color=colour, linewidth=1.4, label=optimizer)
            axes.plot(*way.places[-1], "o", color=colour, markersize=5)
    for optimizer, way in paths["a saddle"].items():
        curves.plot(way.values, color=OPTIMIZERS[optimizer][1], label=optimizer)
    curves.set(xlabel="step", ylabel="value", ylim=(-1.1, 1.5))
    curves.set_title("the value on the saddle", fontsize=10, loc="left")
    curves.legend(frameon=False, loc="upper right")
    tidy(*maps, curves)
    save(drawing, path, dpi=74)


def animate(path: Path, name: str, ways: dict[str, Path2D], frames: int = 50) -> None:
    """A GIF of the ways on one surface, growing."""
    drawing = figure(figsize=(4, 4), dpi=60)
    if drawing is None:
        return
    from matplotlib.animation import FuncAnimation, PillowWriter
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(drawing)
    axes = drawing.add_subplot()
    landscape(axes, name, SURFACES[name])
    lines = {
        optimizer: axes.plot([], [], "o-", color=OPTIMIZERS[optimizer][1], markevery=[-1], label=optimizer)[0]
        for optimizer in ways
    }
    axes.legend(frameon=False, fontsize=8, loc="lower left", ncols=2)
    longest = len(next(iter(ways.values())).places)

    def show(frame: int):
        until = 1 + round(frame * (longest - 1) / (frames - 1))
        for optimizer, line in lines.items():
            line.set_data(*ways[optimizer].places[:until].T)
        return lines.values()

    path.parent.mkdir(parents=True, exist_ok=True)
    moving = FuncAnimation(drawing, show, frames)
    with written_whole(path) as file:
        temporary = Path(file.name).with_suffix(".gif")
        moving.save(temporary, PillowWriter(fps=15))
        file.write(temporary.read_bytes())
        temporary.unlink()
    print(f"animation: {path}")


def main() -> None:
    """Follow each on both surfaces, say who arrived when, draw."""
    parser = command_line(__file__, __doc__)
    parser.add_argument("--steps", type=int, default=200, help="of each optimizer (%(default)s)")
    parser.add_argument("--animation", action="store_true", help="write a GIF too")
    args = parser.parse_args()
    gg.set_default_device(None if args.device == "auto" else args.device)  # the one line that chooses the device

    paths = {
        name: {optimizer: walk(surface, make, args.steps) for optimizer, (make, _) in OPTIMIZERS.items()}
        for name, surface in SURFACES.items()
    }
    for name, ways in paths.items():
        lines = []
        for optimizer, way in ways.items():
            arrival = way.arrival(SURFACES[name])
            a, b = way.places[-1]
            lines.append(
                (optimizer, float(a), float(b), float(way.values[-1]), "never" if arrival is None else arrival)
            )
        print(f"{name}, {args.steps} steps\n{rows([('', 'a', 'b', 'value', 'arrived in step'), *lines])}\n")
    draw(args.out / "optimizer_paths.png", paths)
    if args.animation:
        animate(args.out / "optimizer_paths.gif", "a saddle", paths["a saddle"])


if __name__ == "__main__":
    main()
