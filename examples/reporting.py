"""What the examples share: weights in a file, and pictures, which matplotlib draws; without it they run too."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy

import gpugrad as gg

BLUE, RED, GREY, LIGHT = "#2563eb", "#dc2626", "#6b7280", "#d1d5db"


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A file that gets its name when it is complete: until then, what had that name before is there."""
    partial = path.with_name(f".{path.name}.part")
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def figure(**options: Any) -> Any:
    """A matplotlib figure that needs no screen, or None, and a word about it, where matplotlib is missing."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("no picture: matplotlib is not installed (pip install 'gpugrad[examples]')")
        return None
    return Figure(layout="constrained", **options)


def tidy(*all_axes: Any) -> None:
    """A frame on the left and below only, and a faint grid."""
    for axes in all_axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        axes.set_axisbelow(True)


def save(drawing: Any, path: Path) -> None:
    """Write a figure as PNG."""
    with written_whole(path) as file:
        drawing.savefig(file, format="png", dpi=150)


def load_weights(model: gg.nn.Module, path: str | None) -> None:
    """Give a model the weights in a file of :func:`save_weights`; with no path nothing is done."""
    if path:
        model.load_state_dict(dict(numpy.load(path)))


def save_weights(model: gg.nn.Module, folder: str) -> None:
    """The weights of a model as ``model.npz``."""
    with written_whole(Path(folder) / "model.npz") as file:
        numpy.savez(file, **{name: value.numpy() for name, value in model.state_dict().items()})


@gg.no_grad()
def draw_misclassified(model: gg.nn.Module, data: gg.data.ArrayDataset, folder: str, columns: int = 8) -> None:
    """The first images that are misread, with what was read and what it is, as ``misclassified.png``."""
    model.eval()
    scores = [model(images) for images, _ in gg.data.DataLoader(data, batch_size=1000)]
    predicted = gg.argmax(gg.concat(scores), axis=1).numpy()
    images, labels = data.arrays
    wrong = numpy.flatnonzero(predicted != labels)
    rows = min(math.ceil(len(wrong) / columns), 3)
    drawing = figure(figsize=(columns * 1.1, rows * 1.35 + 0.5))
    if drawing is None:
        return
    drawing.suptitle(f"{len(wrong)} of {len(labels)} test images misread", fontsize=12)
    for place, index in enumerate(wrong[: rows * columns]):
        axes = drawing.add_subplot(rows, columns, place + 1)
        axes.imshow(images[index].squeeze(), cmap="gray_r", vmin=0, vmax=1)
        axes.set_title(f"read {predicted[index]}", color=RED, fontsize=9, loc="left", pad=3)
        axes.set_title(f"is {labels[index]}", color=GREY, fontsize=9, loc="right", pad=3)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_color(LIGHT)
    save(drawing, Path(folder) / "misclassified.png")
