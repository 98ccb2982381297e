"""What a network looks for: the weights of its first layer, drawn as pictures.

    python examples/lectures/templates.py                                                 1,797 digits of 8x8
    python examples/lectures/templates.py --data mnist --data-dir ../shared/data/mnist10k  MNIST, from its files

A linear classifier has one template a class: its row of weights is the picture that would score highest, and all ways
to write a digit are averaged in it. A network with two layers has as many templates as hidden neurons, and its second
layer says how much of each makes up a class: one digit is read in several ways. Both are trained, tested and drawn.
Written to ``--out``: ``linear.png`` and ``two_layers.png``.

Source: CS231n, lectures 3 and 4, templates and neural networks.
"""

import sys
from pathlib import Path

import numpy
from linear_classifier import hinge
from showing import LIGHT, command_line, figure, save

import gpugrad as gg
from gpugrad import data, nn, optim


def read(name: str, folder: Path | None) -> tuple[data.ArrayDataset, data.ArrayDataset]:
    """Training and test data; what is missing ends the program with a word about it."""
    try:
        return data.digits() if name == "digits" else data.mnist(folder)
    except (ImportError, OSError, ValueError) as error:
        sys.exit(str(error))


def hinge_loss(scores, labels):
    """The mean hinge loss of a batch."""
    return hinge(scores, labels).mean()


def fit(model, loss_of, train: data.ArrayDataset, epochs: int, rate: float = 0.05) -> nn.Module:
    """Train with momentum, in ever smaller steps.

    The first layer begins near 0 and weights decay, so that a pixel that says nothing gets no weight.
    """
    with gg.no_grad():
        model[1].weight *= 0.3
    optimizer = optim.SGD(model.parameters(), lr=rate, momentum=0.9, weight_decay=0.001)
    for epoch in range(epochs):
        optimizer.param_groups[0]["lr"] = rate * (1 - epoch / epochs)
        for images, labels in data.DataLoader(train, 64, shuffle=True, seed=0):
            loss = loss_of(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model


@gg.no_grad()
def accuracy(model, test: data.ArrayDataset) -> float:
    """The fraction of images that are read correctly."""
    images, labels = (gg.tensor(array) for array in test.arrays)
    return (gg.argmax(model(images), axis=1) == labels).sum().item() / len(labels)


def linear(train: data.ArrayDataset, epochs: int) -> nn.Module:
    """A linear classifier with hinge loss."""
    return fit(nn.Sequential(nn.Flatten(), nn.Linear(train[0][0].size, 10)), hinge_loss, train, epochs)


def two_layers(train: data.ArrayDataset, epochs: int, hidden: int = 36) -> nn.Module:
    """A network with one hidden layer and cross-entropy."""
    first, second = nn.Linear(train[0][0].size, hidden), nn.Linear(hidden, 10)
    with gg.no_grad():
        first.bias[...] = 0.3  # every neuron is active at first, so that none is dead from then on
    model = nn.Sequential(nn.Flatten(), first, nn.ReLU(), second)
    return fit(model, nn.functional.cross_entropy, train, epochs)


def pictures(layer: nn.Linear, side: int) -> numpy.ndarray:
    """A layer's templates ``(outputs, side, side)``."""
    return layer.weight.detach().numpy().reshape(-1, side, side)


def strongest(model: nn.Module, digit: int, count: int) -> list[int]:
    """The hidden neurons that speak most for a digit, the loudest first."""
    return numpy.argsort(-model[3].weight.detach().numpy()[digit])[:count].tolist()


def show(axes, template: numpy.ndarray, title: str = "") -> None:
    """One template: what is blue speaks for it, what is red against it."""
    reach = abs(template).max()
    axes.imshow(template, cmap="RdBu", vmin=-reach, vmax=reach)
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=8, pad=2)
    axes.spines[:].set_color(LIGHT)


def draw_linear(path: Path, model: nn.Module, side: int, read_correctly: float) -> None:
    """The ten templates of the linear classifier."""
    drawing = figure(figsize=(8, 1.35))
    if drawing is None:
        return
    drawing.suptitle(f"linear classifier: one template a digit, {read_correctly:.1%} read correctly", fontsize=10)
    for digit, (axes, template) in enumerate(zip(drawing.subplots(1, 10), pictures(model[1], side), strict=True)):
        show(axes, template, str(digit))
    save(drawing, path, dpi=90)


def draw_two_layers(path: Path, model: nn.Module, side: int, read_correctly: float, most: int = 6) -> None:
    """All hidden templates, and which of them make up each of four digits, with their weights in the second layer."""
    drawing = figure(figsize=(8, 4.8))
    if drawing is None:
        return
    templates, second = pictures(model[1], side), model[3].weight.detach().numpy()
    above, below = drawing.subfigures(2, 1, height_ratios=[2.6, 2.2])
    title = f"two layers: {len(templates)} hidden templates, {read_correctly:.1%} read correctly"
    above.suptitle(title, fontsize=10)
    grid = above.subplots(-(-len(templates) // 12), 12, squeeze=False)
    for axes, template in zip(grid.flat, templates, strict=False):
        show(axes, template)
    for axes in grid.flat[len(templates) :]:
        axes.set_axis_off()
    below.suptitle("what speaks most for four of the digits, with its weight in the second layer", fontsize=10)
    for line, digit in zip(below.subplots(2, 2 * most, squeeze=False), ((2, 3), (7, 8)), strict=True):
        for half, one in enumerate(digit):
            for place, neuron in enumerate(strongest(model, one, most)):
                title = f"{second[one, neuron]:+.1f}"
                show(line[half * most + place], templates[neuron], title)
            line[half * most].set_ylabel(str(one), rotation=0, fontsize=12, labelpad=8, va="center")
    save(drawing, path, dpi=90)


def main() -> None:
    """Train both, say how well they read, draw what they look for."""
    parser = command_line(__file__, __doc__)
    parser.add_argument("--data", choices=("digits", "mnist"), default="digits", help="what to read (%(default)s)")
    parser.add_argument("--data-dir", type=Path, help="folder with MNIST's files; without it they are downloaded")
    parser.add_argument("--epochs", type=int, default=40, help="how often to go through the data (%(default)s)")
    args = parser.parse_args()
    gg.set_default_device(None if args.device == "auto" else args.device)  # the one line that chooses the device
    gg.random.seed(0)

    train, test = read(args.data, args.data_dir)
    side = train[0][0].shape[-1]
    print(f"{len(train)} images to train on, {len(test)} to test")
    for model, draw, file in (
        (linear(train, args.epochs), draw_linear, "linear"),
        (two_layers(train, args.epochs), draw_two_layers, "two_layers"),
    ):
        read_correctly = accuracy(model, test)
        print(f"{file.replace('_', ' ')}: {read_correctly:.2%} of the test images read correctly")
        draw(args.out / f"{file}.png", model, side, read_correctly)


if __name__ == "__main__":
    main()
