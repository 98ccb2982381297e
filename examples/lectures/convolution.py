"""A convolutional network: its gradients by hand, its filters and what they see, and how well it reads digits.

    python examples/lectures/convolution.py                          digits of 8x8; MNIST too where its files are: 20 s
    python examples/lectures/convolution.py --mnist DIR              MNIST's IDX files in DIR

A filter slides over the image: the same few weights at every place, so the gradient of each weight is a sum over the
places. Written out, the gradient of a filter is the image slid over the upstream gradient, and the gradient of the
image is the filter, turned around, slid over it. Written to ``--out``, for each data set: ``filters.png`` and
``maps.png``, what the first layer learned and what it makes of one digit, and ``graph.html`` and ``graph.svg``, the
network with its layers folded.

Sources: CS231n, lecture 5 and the notes on convolutional networks; LeCun et al. 1998.
"""

import argparse
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

import numpy
from scipy.signal import convolve2d, correlate2d
from showing import BLUE, GREY, RED, command_line, figure, rows, save, save_graph, tidy

import gpugrad as gg
from gpugrad import data, nn, optim

MNIST = Path(__file__).resolve().parents[3] / "shared" / "data" / "mnist10k"
"""Where MNIST is looked for, beside the repository."""
FOLDED = 12
"""So many boxes and nodes of the graph are open at first."""


def slide(image, kernel):
    """The valid cross-correlation, a loop over the places: ``y[i, j] = sum image[i + a, j + b] kernel[a, b]``."""
    high, wide = (image.shape[axis] - kernel.shape[axis] + 1 for axis in (0, 1))
    return numpy.array(
        [
            [(image[i : i + kernel.shape[0], j : j + kernel.shape[1]] * kernel).sum() for j in range(wide)]
            for i in range(high)
        ]
    )


def by_hand(image, kernel, upstream) -> tuple[numpy.ndarray, numpy.ndarray]:
    """The gradients of the image and of the filter, when ``upstream`` is that of the result.

    Weight ``[a, b]`` met pixel ``[i + a, j + b]`` on the way to ``y[i, j]``, for every place: its gradient is
    ``sum upstream[i, j] image[i + a, j + b]``, again a correlation. A pixel was under the filter at several places, in
    each under another weight: adding up turns the filter around.
    """
    to_filter = slide(image, upstream)
    border = [(size - 1, size - 1) for size in kernel.shape]
    to_image = slide(numpy.pad(upstream, border), kernel[::-1, ::-1])
    return to_image, to_filter


def differences() -> dict[str, float]:
    """How far the convolution and both gradients by hand are from the library's, and from SciPy's functions."""
    rng = numpy.random.default_rng(0)
    image, kernel = rng.standard_normal((7, 6)), rng.standard_normal((3, 2))
    upstream = rng.standard_normal((5, 5))
    x, w = gg.tensor(image, requires_grad=True), gg.tensor(kernel, requires_grad=True)
    y = nn.functional.conv2d(gg.reshape(x, (1, 1, *x.shape)), gg.reshape(w, (1, 1, *w.shape)))
    y.backward(gg.tensor(upstream[None, None]))
    to_image, to_filter = by_hand(image, kernel, upstream)
    pairs = {
        "result": (slide(image, kernel), y.numpy()[0, 0], correlate2d(image, kernel, "valid")),
        "image": (to_image, x.grad.numpy(), convolve2d(upstream, kernel, "full")),
        "filter": (to_filter, w.grad.numpy(), correlate2d(image, upstream, "valid")),
    }
    return {name: float(max(abs(hand - other).max() for other in others)) for name, (hand, *others) in pairs.items()}


def network(size: int, filters: int = 8) -> nn.Sequential:
    """Twice convolution, ReLU and pooling, then scores; for square grey images of this size."""
    wide = 3 if size < 16 else 5

    def stage(into: int, out: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(into, out, wide, padding=wide // 2), nn.ReLU(), nn.MaxPool2d(2))

    first, second = stage(1, filters), stage(filters, 2 * filters)
    scores = nn.Sequential(nn.Flatten(), nn.Linear(2 * filters * (size // 4) ** 2, 10))
    return nn.Sequential(OrderedDict(first=first, second=second, scores=scores))


def parameters(model: nn.Module) -> int:
    """How many numbers there are to learn."""
    return sum(p.size for p in model.parameters())


class Trained(NamedTuple):
    """A network, the loss of each step, and the fraction of test images that it reads correctly."""

    model: nn.Sequential
    losses: list[float]
    accuracy: float


def train(train_data: data.ArrayDataset, test_data: data.ArrayDataset, epochs: int) -> Trained:
    """Fit, with steps that become smaller, and test."""
    model = network(train_data[0][0].shape[-1])
    optimizer = optim.Adam(model.parameters(), lr=0.004)
    losses = []
    for epoch in range(epochs):
        optimizer.param_groups[0]["lr"] = 0.004 * (1 - epoch / epochs)
        for images, labels in data.DataLoader(train_data, 50, shuffle=True, seed=epoch):
            loss = nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    right = 0
    with gg.no_grad():
        for images, labels in data.DataLoader(test_data, 500):
            right += (gg.argmax(model(images), axis=1) == labels).sum().item()
    return Trained(model, losses, right / len(test_data))


@gg.no_grad()
def maps(model: nn.Sequential, image: numpy.ndarray) -> list[tuple[str, numpy.ndarray]]:
    """What each layer of the first two stages makes of one image: ``(name, (channels, height, width))``."""
    x, seen = gg.tensor(image[None]), []
    for layer in (*model.first, *model.second):
        x = layer(x)
        seen.append((type(layer).__name__, x.numpy()[0]))
    return seen


def graph(model: nn.Sequential, image: numpy.ndarray, label: int) -> Any:
    """The loss of one image, drawn."""
    pixels, digit = gg.tensor(image[None]), gg.tensor([label])
    return gg.draw(
        lambda: nn.functional.cross_entropy(model(pixels), digit), title="a convolutional network", limit=FOLDED
    )


def draw_filters(file: Path, model: nn.Sequential, losses: list[float], title: str) -> None:
    """The first layer's filters, blue where they want ink and red where they want none; and the loss."""
    weights = model.first[0].weight.numpy()[:, 0]
    drawing = figure(figsize=(9, 2.8))
    if drawing is None:
        return
    drawing.suptitle(title, fontsize=11)
    left, right = drawing.subfigures(1, 2, width_ratios=(1.4, 1))
    limit = abs(weights).max()
    for place, weight in enumerate(weights):
        axes = left.add_subplot(2, (len(weights) + 1) // 2, place + 1)
        axes.imshow(weight, cmap="RdBu", vmin=-limit, vmax=limit)
        axes.set(xticks=[], yticks=[])
    axes = right.add_subplot()
    axes.plot(losses, color=BLUE, linewidth=0.5, alpha=0.4)
    count = max(len(losses) // 50, 1)
    axes.plot(numpy.convolve(losses, numpy.full(count, 1 / count), "valid"), color=BLUE)
    axes.set(yscale="log", xlabel="step", ylabel="cross-entropy")
    tidy(axes)
    save(drawing, file)


def draw_maps(file: Path, image: numpy.ndarray, seen: list[tuple[str, numpy.ndarray]]) -> None:
    """A row for each layer: its first eight maps, after the image."""
    drawing = figure(figsize=(9, 1.1 * len(seen)))
    if drawing is None:
        return
    grid = drawing.subplots(len(seen), 9)
    for line, (name, values) in zip(grid, seen, strict=True):
        for axes in line:
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        limit = abs(values).max()
        for axes, value in zip(line[1:], values, strict=False):
            axes.imshow(value, cmap="RdBu", vmin=-limit, vmax=limit)
        shape = "x".join(map(str, values.shape))
        line[0].text(0.5, 0.5, f"{name}\n{shape}", color=GREY, fontsize=8, ha="center", va="center")
    grid[0, 0].clear()
    grid[0, 0].set(xticks=[], yticks=[])
    grid[0, 0].imshow(image[0], cmap="gray_r")
    grid[0, 0].set_title("image, and Conv2d of it", color=GREY, fontsize=8, loc="left")
    grid[0, 0].spines[:].set_color(RED)
    save(drawing, file)


def sources(args: argparse.Namespace) -> dict[str, tuple[data.ArrayDataset, data.ArrayDataset, int]]:
    """Training data, test data and epochs by the name of the data set."""
    where = args.mnist or (MNIST if MNIST.is_dir() else None)
    try:
        found = {"digits": (*data.digits(), args.epochs)}
        if where is not None:
            found["mnist"] = (*data.mnist(where), max(args.epochs // 5, 1))
    except (ImportError, OSError, ValueError) as error:
        sys.exit(str(error))
    if where is None:
        print(f"digits only: MNIST is not in {MNIST}; --mnist says where it is")
    return found


def main() -> None:
    """Check the gradients, train on each data set, draw."""
    parser = command_line(__file__, __doc__)
    parser.add_argument("--mnist", type=Path, help="folder with MNIST's files (where it is found)")
    parser.add_argument("--epochs", type=int, default=30, help="through the digits; a fifth, MNIST (%(default)s)")
    args = parser.parse_args()
    gg.set_default_device(None if args.device == "auto" else args.device)  # the one line that chooses the device

    print("how far the library and SciPy are from the convolution by hand, and from its gradients")
    for name, apart in differences().items():
        print(f"  {name:8}{apart:.1e}")
    lines: list[tuple] = [("", "images to train on", "to test", "parameters", "test accuracy")]
    for name, (train_data, test_data, epochs) in sources(args).items():
        gg.random.seed(0)
        found = train(train_data, test_data, epochs)
        count = f"{parameters(found.model):,}"
        lines.append((name, f"{len(train_data):,}", f"{len(test_data):,}", count, f"{found.accuracy:.2%}"))
        folder = args.out / name
        draw_filters(folder / "filters.png", found.model, found.losses, f"{name}: filters of the first layer, and loss")
        image, label = (array[0] for array in test_data.arrays)
        draw_maps(folder / "maps.png", image, maps(found.model, image))
        save_graph(graph(found.model, image, int(label)), folder / "graph")
    print(rows(lines))


if __name__ == "__main__":
    main()
