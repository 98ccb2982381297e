"""``gpugrad evaluate``: the loss and the metrics of a run's model on data."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .. import data
from ..formats import measured
from .build import data_sets, unshuffled
from .config import ConfigError, named
from .out import say
from .trained import Trained, arguments, dataset_of, opened


def add(commands: Any) -> None:
    """The parser of the command."""
    parser = commands.add_parser(
        "evaluate",
        help="the loss and the metrics of a run's model on its validation data, or on other data",
        description="Compute the loss and the metrics of a run's model on data. The run is that of a configuration, "
        "which is read again, with the data that it names; nothing is written.",
    )
    parser.add_argument(
        "--data", default="validation", metavar="WHAT",
        help="validation (which was held out), train, a folder with one folder of images per class, or a function as "
        "the configuration's use names it: NAME or file.py:function",
    )  # fmt: skip
    arguments(parser, evaluate)


def evaluate(args: argparse.Namespace) -> int:
    """Say the loss and the metrics."""
    with opened(args) as run:
        batches = _batches(run, args.data)
        dataset = dataset_of(batches)
        count = f", {len(dataset):,} examples" if hasattr(dataset, "__len__") else ""
        results = run.training.trainer.evaluate(batches)
    what = f"{args.data} data" if args.data in ("validation", "train") else args.data
    say(f"{run.folder} at {run.state}, on {what}{count}:")
    width = max(map(len, results))
    for name, value in results.items():
        say(f"{name:<{width}}  {measured(name, value)}")
    return 0


def _batches(run: Trained, what: str) -> Any:
    """The batches to evaluate on.

    Raises:
        ConfigError: there are none.
        ValueError: the images do not have the classes of the training data.
    """
    if what == "validation":
        if run.training.validation is None:
            raise run.config.error("there is no validation data: use --data train, or --data file.py:function", "data")
        return run.training.validation
    own = run.dataset
    if what == "train":
        return unshuffled(run.config, own)
    if Path(what).is_dir():
        if not isinstance(own, data.ImageFolder):
            raise run.config.error(
                f"{what} is a folder, and the configuration's data is not a folder of images", "data"
            )
        return unshuffled(run.config, data.ImageFolder(what, own.size, own.channels, classes=own.classes))
    try:
        named(what, [data], run.config.file.parent, run.config.allow)
    except LookupError as error:
        raise ConfigError(f"--data {what}: {error.args[0]}") from None
    run.config.values["data"] = {"use": what}
    made = run.config.make("data", among=[data])
    return unshuffled(run.config, dataset_of(data_sets(made)[-1]))
