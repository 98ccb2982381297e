"""A lens for waves, found by gradients through the simulation: one sheet of glass, two foci.

    python examples/wave_lens.py                               120 x 180 points, 480 steps; a quarter of a minute
    python examples/wave_lens.py --device cuda --scale 4       four times as fine, on the GPU

The wave equation is stepped forward in time with `numpy.roll` and arithmetic. A plane wave comes in from the left; what
is learned is how slow the wave is at each point of the glass, so that as much of it as possible arrives at two points
on the right. `gg.checkpoint` of every 20 steps keeps their first states alone. Written to ``--out``: ``wave_lens.png``.
"""

import argparse
import math
import time
from pathlib import Path
from typing import NamedTuple

import numpy
from fit_ode import peak_memory
from logistic_regression import for_scipy
from reporting import BLUE, GREY, figure, save, tidy
from scipy.optimize import minimize

import gpugrad as gg

OUTSIDE, SLOWEST = 0.6, 0.4  # cells a step: outside of the glass, and as slow as glass can be


class Scene(NamedTuple):
    """What is given: all arrays are ``(height, width)``, 1 where the thing is."""

    glass: gg.Tensor
    source: gg.Tensor
    targets: list[gg.Tensor]
    damping: gg.Tensor
    period: float
    steps: int


def scene(scale: float = 1.0) -> Scene:
    """A plane source at the left, glass, two targets at the right, and borders that swallow waves."""
    y, x = numpy.mgrid[: round(120 * scale), : round(180 * scale)] / scale
    edge = numpy.minimum(numpy.minimum(x, 180 - x), numpy.minimum(y, 120 - y))
    damping = 1 - 0.15 * numpy.clip(1 - edge / 20, 0, 1) ** 2 / scale

    def array(values: numpy.ndarray) -> gg.Tensor:
        return gg.tensor(values.astype(numpy.float32))

    spots = [array(((x - 140) ** 2 + (y - row) ** 2 < 2.5**2) / scale**2) for row in (36, 84)]
    glass, source = (x >= 40) & (x < 64) & (y >= 16) & (y < 104), abs(x - 24) < 0.5 / scale
    return Scene(array(glass), array(source / scale), spots, array(damping), 15 * scale, round(480 * scale))


def laplacian(u):
    """The sum of the four neighbours, less four times the point."""
    return numpy.roll(u, 1, 0) + numpy.roll(u, -1, 0) + numpy.roll(u, 1, 1) + numpy.roll(u, -1, 1) - 4 * u


def burst(u, before, brightness, speed, now, steps, world):
    """Some steps of ``u_tt = speed^2 laplacian(u) + source``; ``brightness`` sums ``u^2``, over the later half."""
    speed2 = speed**2
    for t in range(now, now + steps):
        push = min(t / world.period, 1) * math.sin(2 * math.pi * t / world.period)
        after = (2 * u - world.damping * before + speed2 * laplacian(u) + push * world.source) * world.damping
        u, before = after, u
        if 2 * t >= world.steps:
            brightness = brightness + u**2
    return u, before, brightness


def speed_of(p, world):
    """How fast the wave is at each point; ``p``: any numbers, smoothed first."""
    for _ in range(12):
        p = p + laplacian(p) / 8
    return OUTSIDE - (OUTSIDE - SLOWEST) * world.glass / (1 + numpy.exp(-p))


def simulate(p, world, burst=burst, length=20):
    """The mean of ``u^2`` over the later half of the time, and the wave at the end of each burst."""
    speed = speed_of(p, world)
    u = before = brightness = numpy.zeros_like(world.glass)
    frames = []
    for now in range(0, world.steps, length):
        u, before, brightness = burst(u, before, brightness, speed, now, min(length, world.steps - now), world)
        frames.append(u)
    return brightness * (2 / world.steps), frames


def loss(p, world, burst=burst):
    """Minus the logarithms of the two targets' brightness: the product is largest where they share."""
    brightness, _ = simulate(p.reshape(world.glass.shape), world, burst)
    return -sum(numpy.log((brightness * target).sum()) for target in world.targets)


def slab(world: Scene) -> numpy.ndarray:
    """Glass that is the same everywhere, from which the design starts."""
    return numpy.full(world.glass.shape, -1.0, numpy.float32)


def design(world: Scene, evaluations: int) -> tuple[numpy.ndarray, list[float]]:
    """A lens for the scene, from a slab, by L-BFGS; and the loss of every evaluation on the way."""
    losses: list[float] = []
    objective = for_scipy(lambda p: loss(gg.astype(p, gg.float32), world, gg.checkpoint(burst)), losses)
    options = {"maxfun": evaluations, "maxiter": evaluations}
    found = minimize(objective, slab(world).reshape(-1), jac=True, method="L-BFGS-B", options=options)
    return found.x.astype(numpy.float32).reshape(world.glass.shape), losses


def draw(file: Path, world: Scene, p: numpy.ndarray, gain: numpy.ndarray) -> None:
    """The wave on its way through the lens, the brightness with a slab and with the lens, the lens, the descent."""
    drawing = figure(figsize=(13, 4.9))
    if drawing is None:
        return
    plain_bright, plain = simulate(gg.tensor(slab(world)), world)
    lens_bright, through = simulate(gg.tensor(p), world)
    wave = {"cmap": "RdBu", "vmin": -2, "vmax": 2}
    bright = {"cmap": "inferno", "vmin": 0, "vmax": float(lens_bright.numpy()[:, world.glass.shape[1] // 2 :].max())}
    shown = [
        (f"the lens, after {n * world.steps // 3} steps", through[n * len(through) // 3 - 1], wave) for n in (1, 2)
    ]
    shown += [("the lens, at the end", through[-1], wave), ("a slab of glass, at the end", plain[-1], wave)]
    shown += [("brightness, slab", plain_bright, bright), ("brightness, lens", lens_bright, bright)]
    grid = drawing.subplots(2, 4, width_ratios=(1.5, 1.5, 1.5, 1.2))
    for axes, (title, picture, options) in zip(grid[:, :3].flat, shown, strict=True):
        axes.imshow(picture.numpy(), **options)
        axes.contour(world.glass.numpy(), levels=[0.5], colors=GREY, linewidths=1)
        axes.contour(sum(target.numpy() for target in world.targets) > 0, levels=[0.5], colors="lime")
        axes.set_title(title, fontsize=10)
        axes.set(xticks=[], yticks=[])
    lens, descent = grid[:, 3]
    speed = speed_of(gg.tensor(p), world).numpy()[:, : world.glass.shape[1] // 2]
    drawing.colorbar(lens.imshow(speed, vmin=SLOWEST, vmax=OUTSIDE), ax=lens, label="speed, cells a step")
    lens.set_title("the lens", fontsize=10)
    lens.set(xticks=[], yticks=[])
    descent.plot(range(1, len(gain) + 1), gain, color=BLUE)
    descent.set_title("brightness of the targets, slab = 1", fontsize=10)
    descent.set(xlabel="simulations with gradient", ylim=(0, None))
    tidy(descent)
    save(drawing, file)


def main() -> None:
    """Design a lens, and say what it took."""
    parser = argparse.ArgumentParser(description="Design a lens by gradients through a simulation of waves.")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="(%(default)s: GPU if any)")
    parser.add_argument("--scale", type=float, default=1.0, help="how many times as fine (%(default)s)")
    parser.add_argument("--evaluations", type=int, default=60, help="simulations with gradient (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/science"), help="folder for the picture (%(default)s)")
    args = parser.parse_args()
    gg.set_default_device(None if args.device == "auto" else args.device)  # the one line that chooses the device

    world = scene(args.scale)
    height, width = world.glass.shape
    print(f"{height} x {width} points, {world.steps} steps, on {world.glass.device}")
    started = time.perf_counter()
    p, losses = design(world, args.evaluations)
    seconds = (time.perf_counter() - started) / len(losses)
    gain = numpy.exp((losses[0] - numpy.minimum.accumulate(losses)) / len(world.targets))
    print(f"the targets are {gain[-1]:.2f} times as bright; a simulation with gradient took {seconds:.2f} s")
    if world.glass.device.type == "cpu":
        for name, one in (("all steps kept", burst), ("checkpoints of 20 steps", gg.checkpoint(burst))):
            held = peak_memory(lambda one=one: gg.grad(loss)(gg.tensor(p), world, one))
            print(f"host memory of a gradient, {name}: {held / 2**20:.1f} MiB")
    args.out.mkdir(parents=True, exist_ok=True)
    draw(args.out / "wave_lens.png", world, p, gain)


if __name__ == "__main__":
    main()
