"""How the first weights decide what a deep network can learn: values and gradients, layer by layer.

    python examples/lectures/initialization.py                        ten layers, five ways to begin: 20 s
    python examples/lectures/initialization.py --layers 20

The first half looks at a network before its first step: zeros, numbers too small, too large, Xavier and He, for tanh
and for ReLU. Where the scale of the values goes can be computed without a network: of a sum of n terms with weights of
variance v, the variance is n v times the mean square of the terms. The second half trains each of them on the same
digits. Written to ``--out``: ``values.png`` and ``gradients.png`` (histograms layer by layer), ``depth.png`` (what a
chain of layers, and a product of one matrix with itself, does to a gradient) and ``learning.png``.

Sources: CS231n, the lectures on training neural networks; CS221, neural networks;
Glorot and Bengio 2010; He et al. 2015.
"""

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy
from showing import BLUE, GREEN, GREY, ORANGE, RED, VIOLET, command_line, figure, rows, save, tidy

import gpugrad as gg
from gpugrad import data, nn, optim

WAYS: dict[str, Callable[[gg.Tensor], gg.Tensor]] = {
    "zero": nn.init.zeros_,
    "too small": lambda w: nn.init.normal_(w, std=0.01),
    "too large": lambda w: nn.init.normal_(w, std=1.0),
    "Xavier": nn.init.xavier_normal_,
    "He": nn.init.kaiming_normal_,
}
"""How to begin; each writes into a matrix of weights ``(out, in)``."""

COLORS = dict(zip(WAYS, (GREY, BLUE, RED, GREEN, VIOLET), strict=True))
HIGHEST = 300
"""Losses above are off the picture, and said in words."""

ACTIVATIONS = {"tanh": (nn.Tanh, numpy.tanh), "ReLU": (nn.ReLU, lambda z: numpy.maximum(z, 0))}


def deviation(way: str, width: int) -> float:
    """The standard deviation of the weights between two layers of this width."""
    return {"zero": 0.0, "too small": 0.01, "too large": 1.0, "Xavier": width**-0.5, "He": (2 / width) ** 0.5}[way]


def network(way: str, activation: str, layers: int, width: int, inputs: int | None = None, outputs: int | None = None):
    """Linear layers of one width with an activation after each; where ``outputs`` is given, one more for scores."""
    model = nn.Sequential()
    for number in range(layers):
        model.append(nn.Linear(inputs or width if number == 0 else width, width))
        model.append(ACTIVATIONS[activation][0]())
    if outputs:
        model.append(nn.Linear(width, outputs))
    for p in model.parameters():
        WAYS[way](p) if p.ndim > 1 else nn.init.zeros_(p)
    return model


class Seen(NamedTuple):
    """What went through each hidden layer, ``(samples, width)`` each."""

    values: list[numpy.ndarray]
    gradients: list[numpy.ndarray]
    """Of the loss with respect to the values."""


def look(model: nn.Module, x: gg.Tensor, loss: Callable[[gg.Tensor], gg.Tensor]) -> Seen:
    """Forward and backward once; what the activations gave, and the gradients that came back to them."""
    values = []
    for layer in model:
        x = layer(x)
        if not isinstance(layer, nn.Linear):
            x.retain_grad()
            values.append(x)
    loss(x).backward()
    return Seen([v.numpy() for v in values], [v.grad.numpy() for v in values])


def random_slope(y: gg.Tensor) -> gg.Tensor:
    """A loss whose gradient has the scale 1 at each output, whatever the output is."""
    return (y * gg.random.normal(size=y.shape, dtype=y.dtype)).sum()


def expected(way: str, activation: str, layers: int, width: int) -> list[float]:
    """The scale (root mean square) of the values after each layer, as theory has it.

    In a wide layer each sum ``z`` is normally distributed with variance ``width * v * q``, where ``v`` is the variance
    of the weights and ``q`` the mean square of what comes in; that of ``f(z)`` is an integral over this bell.
    """
    points = numpy.linspace(-8, 8, 20_001)
    weights = numpy.exp(-(points**2) / 2)
    weights /= weights.sum()
    square, scales = 1.0, []
    for _ in range(layers):
        z = points * deviation(way, width) * math.sqrt(width * square)
        square = float(weights @ ACTIVATIONS[activation][1](z) ** 2)
        scales.append(math.sqrt(square))
    return scales


def scale(values: list[numpy.ndarray]) -> list[float]:
    """The root mean square of each array."""
    return [float(numpy.sqrt(numpy.mean(numpy.square(v, dtype=float)))) for v in values]


def chain_of_sigmoids(layers: int, width: int = 64) -> list[float]:
    """How long the gradient still is, layer by layer from the last back to the first, in a network of sigmoids.

    A sigmoid's derivative is at most 1/4; weights that keep the scale forward do not make up for that backward.
    """
    model = nn.Sequential(*(m for _ in range(layers) for m in (nn.Linear(width, width), nn.Sigmoid())))
    for p in model.parameters():
        nn.init.xavier_normal_(p) if p.ndim > 1 else nn.init.zeros_(p)
    seen = look(model, gg.random.normal(size=(100, width)), random_slope)
    sizes = scale(seen.gradients)[::-1]
    return [size / sizes[0] for size in sizes]


def product(radius: float, steps: int, width: int = 64) -> list[float]:
    """How long the gradient is that went back 0, 1, 2, ... steps through ``h = W h``, relative to where it began.

    ``W`` is orthogonal times ``radius``: each step back is one more product with ``W^T``, so the length is
    ``radius^steps`` exactly.
    """
    w = nn.init.orthogonal_(gg.zeros((width, width), dtype=gg.float64)) * radius
    h = gg.random.normal(size=width, dtype=gg.float64)
    h.requires_grad = True
    states = [h]
    for _ in range(steps):
        states.append(w @ states[-1])
        states[-1].retain_grad()
    states[-1].sum().backward()
    lengths = [float(numpy.linalg.norm(state.grad.numpy())) for state in reversed(states)]
    return [length / lengths[0] for length in lengths]


def learn(way: str, activation: str, layers: int, width: int, epochs: int) -> tuple[list[float], float]:
    """Train on the digits: the loss of each step, and the accuracy on those held out."""
    try:
        train, test = data.digits()
    except ImportError as error:
        sys.exit(f"no training: {error}")
    model = network(way, activation, layers, width, inputs=64, outputs=10)
    rate, losses = 0.05, []
    optimizer = optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    for epoch in range(epochs):
        optimizer.param_groups[0]["lr"] = rate * (1 - epoch / epochs)  # ever smaller steps
        for images, labels in data.DataLoader(train, 64, shuffle=True):
            loss = nn.functional.cross_entropy(model(standard(images)), labels)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.item())
    images, labels = (gg.tensor(a) for a in test.arrays)
    with gg.no_grad():
        read = gg.argmax(model(standard(images)), axis=1)
    return losses, (read == labels).sum().item() / len(labels)


def standard(images: gg.Tensor) -> gg.Tensor:
    """Pixels as one row an image, of mean 0 and deviation 1, roughly."""
    return (gg.reshape(images, (len(images), -1)) - 0.3) / 0.38


def histograms(file: Path, title: str, seen: dict[str, list[numpy.ndarray]], shared: bool) -> None:
    """A row for each way to begin, a column for each layer, its scale above; one range for all, or each its own."""
    count = len(next(iter(seen.values())))
    drawing = figure(figsize=(1.1 * count + 1, 1.25 * len(seen) + 0.5))
    if drawing is None:
        return
    drawing.suptitle(title, fontsize=11)
    grid = drawing.subplots(len(seen), count, squeeze=False)
    last = list(seen)[-1]
    for line, (way, arrays) in zip(grid, seen.items(), strict=True):
        for number, (axes, values) in enumerate(zip(line, arrays, strict=True), 1):
            size = scale([values])[0]
            reach = 1.05 if shared else 3.5 * size or 1.0
            axes.hist(numpy.clip(values.ravel(), -reach, reach), bins=40, range=(-reach, reach), color=COLORS[way])
            axes.set(xticks=[-1, 1] if shared else [], yticks=[], title=f"{size:.2g}")
            axes.title.set(fontsize=8, color=GREY)
            axes.tick_params(labelsize=7)
            axes.spines[["top", "right", "left"]].set_visible(False)
            if number == 1:
                axes.set_ylabel(way, fontsize=10)
            if way == last:
                axes.set_xlabel(f"layer {number}", fontsize=8)
    save(drawing, file)


def draw_depth(file: Path, sigmoids: list[float], products: dict[float, list[float]]) -> None:
    """Lengths of gradients against the number of layers, or of steps, that they went back through."""
    drawing = figure(figsize=(9, 3.6))
    if drawing is None:
        return
    left, right = drawing.subplots(1, 2)
    left.plot(sigmoids, "o-", color=BLUE, markersize=4, label="measured")
    left.plot([0.25**n for n in range(len(sigmoids))], "--", color=GREY, label="$1/4$ a layer")
    left.set(yscale="log", xlabel="layers of sigmoids back", ylabel="gradient, relative")
    left.legend(frameon=False)
    for color, (radius, lengths) in zip((BLUE, GREEN, RED), products.items(), strict=True):
        right.plot(lengths, color=color, label=f"{radius:g}")
    right.set(yscale="log", xlabel="steps back through $h = W h$")
    right.legend(frameon=False, title="eigenvalues of length")
    tidy(left, right)
    save(drawing, file)


def draw_learning(file: Path, curves: dict[str, dict[str, list[float]]]) -> None:
    """The loss, smoothed over ten steps, for each activation and each way to begin."""
    drawing = figure(figsize=(9, 3.6))
    if drawing is None:
        return
    for axes, (activation, ways) in zip(drawing.subplots(1, 2, sharey=True), curves.items(), strict=True):
        for way, losses in ways.items():
            smooth = numpy.convolve(losses, numpy.full(10, 0.1), "valid")
            axes.plot(smooth, color=COLORS[way], label=way, linestyle="--" if way == "too small" else "-")
            if smooth.min() > HIGHEST:
                axes.text(2, HIGHEST / 2, f"{way}: above $10^{{{math.log10(smooth.min()):.0f}}}$", color=COLORS[way])
        axes.axhline(math.log(10), color=ORANGE, linestyle=":", label="guessing, $\\log 10$")
        axes.set(yscale="log", xlabel="step", title=activation, ylim=(2e-3, HIGHEST))
        tidy(axes)
    axes.legend(frameon=False, fontsize=8, ncols=2, loc="lower left")
    save(drawing, file)


def main() -> None:
    """Look at each beginning, ask for a diagnosis, and train."""
    parser = command_line(__file__, __doc__)
    parser.add_argument("--layers", type=int, default=10, help="hidden layers (%(default)s)")
    parser.add_argument("--width", type=int, default=500, help="units in each, before the training (%(default)s)")
    parser.add_argument("--epochs", type=int, default=10, help="how often to go through the digits (%(default)s)")
    args = parser.parse_args()
    gg.set_default_device(None if args.device == "auto" else args.device)  # the one line that chooses the device
    gg.random.seed(0)

    for activation in ACTIVATIONS:
        seen = {}
        lines = [("", *(f"layer {n}" for n in range(1, args.layers + 1)))]
        for way in WAYS:
            model = network(way, activation, args.layers, args.width)
            seen[way] = look(model, gg.random.normal(size=(1000, args.width)), random_slope)
            lines.append((way, *(f"{s:.2g}" for s in scale(seen[way].values))))
            lines.append(("  expected", *(f"{s:.2g}" for s in expected(way, activation, args.layers, args.width))))
            lines.append(("  gradient", *(f"{s:.2g}" for s in scale(seen[way].gradients))))
        print(f"\n{activation}: the scale of the values, and of the gradients\n{rows(lines)}")
        if activation == "tanh":
            title = f"values of {args.layers} layers of tanh; above each, its scale"
            histograms(args.out / "values.png", title, {way: s.values for way, s in seen.items()}, shared=True)
            title = "gradients that come back to them; each in a range of its own, its scale above"
            histograms(args.out / "gradients.png", title, {way: s.gradients for way, s in seen.items()}, shared=False)

    print("\nwhat gg.diagnose says, of tanh")
    batch = (gg.random.normal(size=(200, 64)), gg.random.integers(0, 10, 200))
    for way in WAYS:
        found = gg.diagnose(network(way, "tanh", args.layers, 64, outputs=10), batch, nn.CrossEntropyLoss())
        kinds = list(dict.fromkeys(finding.kind for finding in found.findings))
        print(f"  {way}: {', '.join(kinds) or 'nothing looks wrong'}")

    sigmoids = chain_of_sigmoids(10)
    print(f"\nthrough nine more layers of sigmoids a gradient shrinks to {sigmoids[-1]:.1e} (4^-9 is {0.25**9:.1e})")
    products = {radius: product(radius, 50) for radius in (0.9, 1.0, 1.1)}
    for radius, lengths in products.items():
        print(f"through 50 steps of h = W h with eigenvalues of length {radius:g}: {lengths[-1]:.4g}")
    draw_depth(args.out / "depth.png", sigmoids, products)

    print("\nafter the same training, held-out digits read correctly")
    curves: dict[str, dict[str, list[float]]] = {}
    for activation in ACTIVATIONS:
        for way in WAYS:
            losses, accuracy = learn(way, activation, args.layers, 64, args.epochs)
            curves.setdefault(activation, {})[way] = losses
            print(f"  {activation}, {way}: {accuracy:.1%}")
    draw_learning(args.out / "learning.png", curves)


if __name__ == "__main__":
    main()
