"""What the examples share: the progress of a training run, and pictures of what came out.

rich draws the progress bar and matplotlib the pictures; the training runs without them.
"""

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy

BLUE, RED, GREY, LIGHT = "#2563eb", "#dc2626", "#6b7280", "#d1d5db"


class Report:
    """Count losses and hits, and show them: a progress bar on a terminal, one line an epoch elsewhere."""

    def __init__(self, epochs: int, samples: int) -> None:
        self.epochs = epochs
        self.samples = samples
        self.losses: list[float] = []
        """The loss of every step."""
        self.epoch_ends: list[int] = []
        """How many steps had been made at the end of each epoch."""
        self.bar: Any = None
        self._new_epoch()

    def __enter__(self) -> "Report":
        self.bar = progress_bar(self.epochs * self.samples)
        if self.bar is not None:
            self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.stop()

    def step(self, loss: float, correct: int, count: int) -> None:
        """Note one step: the mean loss of its ``count`` images, and how many of them were read correctly.

        Raises:
            FloatingPointError: the loss is not finite.
        """
        if not math.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss} in step {len(self.losses) + 1}")
        self.losses.append(loss)
        self.loss_sum += loss * count
        self.correct += correct
        self.seen += count
        if self.bar is not None:
            self.bar.update(self.bar.task_ids[0], advance=count, text=self.text())

    def end_epoch(self) -> None:
        """Note that all images have been seen once more."""
        if self.bar is None:
            print(self.text(), flush=True)
        self.epoch_ends.append(len(self.losses))
        self._new_epoch()

    def text(self) -> str:
        """The means over this epoch so far."""
        speed = self.seen / max(time.perf_counter() - self.started, 1e-9)
        epoch = str(len(self.epoch_ends) + 1).rjust(len(str(self.epochs)))
        loss, accuracy = self.loss_sum / self.seen, self.correct / self.seen
        return f"epoch {epoch}/{self.epochs}  loss {loss:.4f}  accuracy {accuracy:6.2%}  {speed:7,.0f} samples/s"

    def epoch_losses(self) -> list[float]:
        """The mean loss of each epoch."""
        starts = [0, *self.epoch_ends[:-1]]
        return [float(numpy.mean(self.losses[a:b])) for a, b in zip(starts, self.epoch_ends, strict=True)]

    def _new_epoch(self) -> None:
        self.loss_sum, self.correct, self.seen, self.started = 0.0, 0, 0, time.perf_counter()


def progress_bar(total: int) -> Any:
    """rich's progress bar, or None where there is no terminal or no rich."""
    if not sys.stdout.isatty():
        return None
    try:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
    except ImportError:
        return None
    bar = Progress(BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[text]}"), TimeRemainingColumn())
    bar.add_task("training", total=total, text="")
    return bar


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


def draw_loss(path: Path, report: Report, accuracy: float) -> None:
    """The loss of every step, and the mean of every epoch, on a logarithmic scale."""
    drawing = figure(figsize=(7, 4))
    if drawing is None:
        return
    axes = drawing.add_subplot()
    axes.plot(range(1, len(report.losses) + 1), report.losses, color=BLUE, alpha=0.25, linewidth=0.8, label="each step")
    if report.epoch_ends:
        axes.plot(report.epoch_ends, report.epoch_losses(), "o-", color=BLUE, markersize=4, label="mean of each epoch")
    axes.set(xlabel="step", ylabel="cross-entropy", yscale="log", title=f"Training loss (test accuracy {accuracy:.2%})")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False)
    save(drawing, path)


def draw_misclassified(
    path: Path, images: numpy.ndarray, labels: numpy.ndarray, predicted: numpy.ndarray, columns: int = 8
) -> None:
    """The first images that were misread, with what was read and what it is."""
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
    save(drawing, path)
