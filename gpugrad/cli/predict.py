"""``gpugrad predict``: what a run's model says of images, arrays and tables."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy

from ..core import Tensor, modes
from ..data import ImageFolder, read_image
from ..data.images import SUFFIXES, images_in
from ..nn.preserving import mode
from ..ops.creation import asarray
from ..training.reporting.log import replaced
from .build import unshuffled
from .config import ConfigError
from .out import fail, note, say
from .trained import Trained, arguments, opened

BATCH = 256
FAR = 2.0
"""How many times the range of the training data an input's values may span before that is told."""

Array = Any

SOFTMAX = {"crossentropy", "multimargin"}
LOGARITHMS = {"nll"}
SIGMOID = {"binarycrossentropywithlogits", "bcewithlogits", "softmargin"}
PROBABILITIES = {"binarycrossentropy", "bce"}


class Expected(NamedTuple):
    """What the model takes: shape and dtype of an input, and the range of the values that it was trained on."""

    shape: tuple[int, ...]
    dtype: Any
    low: float
    high: float
    labels: bool
    """Whether the targets are whole numbers."""


class Inputs(NamedTuple):
    """Inputs from one file, and what each is called."""

    names: list[str]
    values: Array


class Said(NamedTuple):
    """What a model says: the probability of each class, or plain outputs."""

    values: Array
    classes: list[str] | None


def add(commands: Any) -> None:
    """The parser of the command."""
    parser = commands.add_parser(
        "predict",
        help="what a run's model says of images, .npy arrays or .csv tables",
        description="Print the class and its probability for each input, or the outputs where there are no classes. "
        "Inputs are images, folders of images, .npy files (one input, or many along the first axis) and .csv files "
        "(one input per row, without its target). Arrays and tables have to be scaled as the training data is; images "
        "are brought to its size.",
    )
    arguments(parser, predict)
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="image, folder of images, .npy or .csv")
    parser.add_argument("--top", type=int, default=1, metavar="N", help="print the N most probable classes (1)")
    parser.add_argument(
        "--save", metavar="FILE", help="write it too: all probabilities or outputs, as .csv (with names) or .npy"
    )


def predict(args: argparse.Namespace) -> int:
    """Say what the model says."""
    if args.top < 1:
        raise ConfigError(f"--top: expected a number from 1 on, got {args.top}")
    if args.save is not None and not args.save.endswith((".csv", ".npy")):
        raise ConfigError(f"--save: expected a name that ends in .csv or .npy, got {args.save}")
    with opened(args) as run:
        expected = expectations(run)
        inputs = [found for given in args.inputs for found in read(Path(given), expected, run.dataset)]
        outputs = outputs_of(run, numpy.concatenate([found.values for found in inputs]))
        said = interpreted(outputs, run, expected)
    names = [name for found in inputs for name in found.names]
    width = max(map(len, names))
    for name, values in zip(names, said.values, strict=True):
        say(f"{name:<{width}}  {_described(values, said.classes, args.top)}")
    if args.save is not None:
        try:
            _save(Path(args.save), names, said)
        except OSError as error:
            return fail(f"{args.save} cannot be written: {error}")
    return 0


def expectations(run: Trained) -> Expected:
    """What the model takes, by the first batch of its data.

    Raises:
        ConfigError: its batches are not one input and its target.
    """
    held = run.training.validation
    batch = next(iter(unshuffled(run.config, run.dataset) if held is None else held), None)
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        got = "none" if batch is None else len(batch) if isinstance(batch, tuple | list) else type(batch).__name__
        raise run.config.error(f"predict needs data of pairs (input, target), got {got}", "data")
    first, targets = (part.numpy() for part in batch)
    return Expected(
        first.shape[1:], first.dtype, float(first.min()), float(first.max()), targets.dtype.kind in "iu"
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------ inputs


def read(path: Path, expected: Expected, dataset: Any) -> Iterator[Inputs]:
    """The inputs in a file or a folder.

    Raises:
        ConfigError: they are not what the model takes.
        FileNotFoundError: there is no such file.
        OSError: it cannot be read.
    """
    suffix = path.suffix.lower()
    if path.is_dir():
        files = images_in(path)
        if not files:
            raise ConfigError(f"{path} has no images: {', '.join(SUFFIXES)}")
        for file in files:
            yield _image(file, expected, dataset)
    elif not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    elif suffix in SUFFIXES:
        yield _image(path, expected, dataset)
    elif suffix == ".npy":
        yield _array(path, expected)
    elif suffix == ".csv":
        yield _table(path, expected)
    else:
        raise ConfigError(f"{path}: expected an image ({', '.join(SUFFIXES)}), a folder of images, .npy or .csv")


def _image(path: Path, expected: Expected, dataset: Any) -> Inputs:
    if isinstance(dataset, ImageFolder):
        image = dataset.load(path)
    elif len(expected.shape) == 3 and expected.shape[0] in (1, 3):
        image = read_image(path, expected.shape[1:], expected.shape[0]).astype(numpy.float32) / 255
    else:
        raise ConfigError(f"{path} is an image, the model takes inputs of shape {expected.shape}")
    return Inputs([str(path)], _fitting(image, expected, str(path)))


def _array(path: Path, expected: Expected) -> Inputs:
    try:
        array = numpy.load(path, allow_pickle=False)
    except ValueError as error:
        raise ConfigError(f"{path} is not an array in NumPy's format: {error}") from error
    values = _fitting(array, expected, str(path))
    return Inputs(
        [str(path)]
        if len(values) == 1 and array.ndim <= len(expected.shape)
        else [f"{path}[{i}]" for i in range(len(values))],
        values,
    )


def _table(path: Path, expected: Expected) -> Inputs:
    """The rows of numbers in a table; a first row of names is left out."""
    names: list[str] = []
    rows: list[list[float]] = []
    with path.open(newline="", encoding="utf-8-sig") as file:
        for number, row in enumerate(csv.reader(file), start=1):
            if not any(cell.strip() for cell in row):
                continue
            try:
                rows.append([float(cell) for cell in row])
            except ValueError as error:
                if rows or names or number > 1:
                    raise ConfigError(f"{path}:{number}: expected numbers, got {row}") from error
                continue
            if len(row) != (wanted := int(numpy.prod(expected.shape, dtype=int))):
                raise ConfigError(f"{path}:{number}: expected {wanted} numbers, one input, got {len(row)}")
            names.append(f"{path}:{number}")
    if not rows:
        raise ConfigError(f"{path} has no rows of numbers")
    return Inputs(names, _fitting(numpy.asarray(rows), expected, str(path)))


def _fitting(array: Array, expected: Expected, where: str) -> Array:
    """Inputs of the shape and dtype that the model takes.

    Raises:
        ConfigError: the array cannot be brought to them, or has NaN or infinity.
    """
    count = int(numpy.prod(expected.shape, dtype=int))
    if array.dtype.kind not in "biuf":
        raise ConfigError(f"{where}: expected numbers, got {array.dtype}")
    if array.size != count and (array.ndim == 0 or array.size != len(array) * count):
        raise ConfigError(f"{where}: expected inputs of shape {expected.shape}, or (N, ...) of them, got {array.shape}")
    if not array.size:
        raise ConfigError(f"{where}: there are no inputs")
    if not numpy.isfinite(array).all():
        raise ConfigError(f"{where}: expected finite numbers, got NaN or infinity")
    if expected.dtype.kind in "iu" and (array != numpy.floor(array)).any():
        raise ConfigError(f"{where}: expected whole numbers, as in the training data")
    span = (expected.high - expected.low) or 1.0
    low, high = float(array.min()), float(array.max())
    if high > expected.high + FAR * span or low < expected.low - FAR * span:
        note(
            f"{where} has values from {low:g} to {high:g}, the data of the run from {expected.low:g} to "
            f"{expected.high:g}: scale it in the same way"
        )
    return array.reshape(-1, *expected.shape).astype(expected.dtype)


# ------------------------------------------------------------------------------------------------ outputs


def outputs_of(run: Trained, values: Array) -> Array:
    """What the model gives, with averaged weights where there are some."""
    trainer = run.training.trainer
    parts = []
    device = next((p.device for p in trainer.model.parameters()), None)
    averaged = nullcontext() if trainer.ema is None else trainer.ema.swapped()
    with modes.no_grad(), mode(trainer.model, training=False), averaged:
        for start in range(0, len(values), BATCH):
            y = trainer.model(asarray(values[start : start + BATCH], device=device))
            if not isinstance(y, Tensor):
                raise run.config.error(f"predict needs a model with one output, got {type(y).__name__}", "model")
            parts.append(y.numpy())
    return numpy.concatenate(parts)


def interpreted(outputs: Array, run: Trained, expected: Expected) -> Said:
    """Probabilities of classes, as far as the loss says that the outputs are scores of classes."""
    kind = _kind(run.training.trainer.loss)
    one = outputs.reshape(len(outputs), -1)
    many = outputs.ndim == 2 and outputs.shape[1] > 1
    if kind in SOFTMAX or (kind not in LOGARITHMS | SIGMOID | PROBABILITIES and many and expected.labels):
        if many:
            exponentials = numpy.exp(outputs - outputs.max(1, keepdims=True))
            return _named(exponentials / exponentials.sum(1, keepdims=True), run)
    elif kind in LOGARITHMS and many:
        return _named(numpy.exp(outputs), run)
    elif kind in SIGMOID | PROBABILITIES and one.shape[1] == 1:
        second = one if kind in PROBABILITIES else 0.5 * (1 + numpy.tanh(one / 2))
        return _named(numpy.concatenate([1 - second, second], axis=1), run)
    return Said(one, None)


def _named(probabilities: Array, run: Trained) -> Said:
    """With the names of the classes, where the data has as many."""
    place = run.dataset
    while not hasattr(place, "classes") and hasattr(place, "dataset"):
        place = place.dataset
    names = list(map(str, getattr(place, "classes", [])))
    count = probabilities.shape[1]
    return Said(probabilities, names if len(names) == count else [str(i) for i in range(count)])


def _kind(loss: Any) -> str:
    """The name of a loss, without what modules and functions write differently."""
    function = loss.func if isinstance(loss, partial) else loss
    name = getattr(function, "__name__", type(function).__name__)
    return name.lower().replace("_", "").removesuffix("loss")


def _described(values: Array, classes: list[str] | None, top: int) -> str:
    if classes is None:
        return "  ".join(f"{value:.6g}" for value in values)
    order = numpy.argsort(-values, kind="stable")[:top]
    return "  ".join(f"{classes[i]} ({100 * values[i]:.1f} %)" for i in order)


def _save(path: Path, names: list[str], said: Said) -> None:
    if path.suffix == ".npy":
        with path.open("wb") as array:
            numpy.save(array, said.values)
        return
    with replaced(path) as file:
        write = csv.writer(file, lineterminator="\n").writerow
        columns = said.classes or [f"output {i}" for i in range(said.values.shape[1])]
        write(["input", *([] if said.classes is None else ["class", "probability"]), *columns])
        for name, values in zip(names, said.values, strict=True):
            best = int(values.argmax())
            first = [] if said.classes is None else [said.classes[best], f"{values[best]:.6g}"]
            write([name, *first, *(f"{value:.6g}" for value in values)])
