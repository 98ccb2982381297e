"""``gpugrad init``: a configuration to start from, with every setting and its default, and a model beside it."""

from __future__ import annotations

import argparse
import inspect
import json
import re
import shlex
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .out import fail, say

CONFIG, MODEL = "train.toml", "model.py"
WIDTH, COLUMN = 119, 32

BY_OTHERS = {"params", "optimizer", "model", "loss", "dataset", "input", "target", "folder", "settings", "resume",
             "takeover", "scheduler", "metrics", "callbacks", "ema", "collate", "sampler", "batch_sampler", "weight",
             "last_epoch", "collate_fn", "worker_init_fn", "generator", "multiprocessing_context", "prefetch_factor",
             "world", "options"}  # fmt: skip
"""Arguments that a table cannot say: they come from other tables or options, or are not numbers, words or lists."""

CHOSEN: dict[str, dict[str, Any]] = {
    "optimizer": {"lr": 0.002},
    "trainer": {"schedule": "epoch", "save_seconds": 60.0},
}
"""The values that are written as settings; all others are shown as comments."""

UNSET = {
    "save_every": 1000, "clip_grad_norm": 1.0, "monitor": "validation/accuracy", "price_per_hour": 0.5,
    "metadata": "http://localhost:8080/preempted", "device": "cuda", "start_method": "spawn",
}  # fmt: skip
"""An example of a value, where the default is to have none."""

MEANINGS = {
    "loader": {"batch_size": "examples per batch", "seed": "of the order of the examples; that of the run, if not set",
               "device": "where the batches go; that of the run, if not set"},
    "loss": {"ignore_index": "examples with this label count for nothing", "reduction": "mean or sum",
             "label_smoothing": "this much of the probability is spread over all classes"},
    "trainer": {"accumulate": "how many batches make one step, as if they were one",
                "save_seconds": "the most seconds of training that can be lost",
                "save_every": "the most steps that can be lost",
                "monitor": "the name of a metric; if not set validation/loss, or loss without validation data",
                "progress": "whether the progress is shown", "metadata": "the address that tells of preemption",
                "grace": "seconds to save in when the run is stopped"},
    "callbacks.early": {"monitor": "the name of a metric", "patience": "epochs without improvement to tolerate"},
}  # fmt: skip
"""Where a docstring's first words do not stand alone."""

NETWORK = '''\
"""The model of {config}."""

from gpugrad import Tensor, nn


class Network(nn.Module):
    """Two convolutions, each normalized and followed by a pooling that halves height and width, and a linear layer.

    Args:
        channels: 1 for grey images, 3 for colour.
        size: height and width of the images.
        classes: how many there are.
        width: filters of the first convolution.
    """

    def __init__(self, channels: int, size: int, classes: int, width: int = 16) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1), nn.BatchNorm2d(2 * width), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Dropout(0.2), nn.Linear(2 * width * (size // 4) ** 2, classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """The score of each class, shape ``(N, classes)``, of images ``(N, channels, size, size)``."""
        return self.layers(images)
'''


def add(commands: Any) -> None:
    """The parser of the command."""
    parser = commands.add_parser(
        "init",
        help="write a configuration to start from, with every setting explained",
        description=f"Write {CONFIG}, a configuration with every setting, its default and what it means, and {MODEL}, "
        "the model that it trains. Both run as they are.",
    )
    parser.add_argument("folder", nargs="?", default=".", metavar="DIR", help="where to (the current folder)")
    parser.add_argument("--images", metavar="DIR", help="train on these images: a folder with one folder per class")
    parser.add_argument("--force", action="store_true", help="replace the files that are there")
    parser.set_defaults(run=init)


def init(args: argparse.Namespace) -> int:
    """Write the two files."""
    from ..data.images import HELD_OUT, class_names

    folder = Path(args.folder)
    data = "digits"
    shape = {"channels": 1, "size": 8, "classes": 10}
    if args.images is not None:
        try:
            names = class_names(Path(args.images))
            if "train" in names and (names == ["train"] or set(names) & set(HELD_OUT)):
                names = class_names(Path(args.images) / "train")
        except (OSError, ValueError) as error:
            return fail(str(error), status=2)
        data, shape = args.images, {"channels": 3, "size": 64, "classes": len(names)}
        if len(names) < 2:
            return fail(f"expected a folder for each of at least 2 classes in {args.images}, found one", status=2)
    there = [path for path in (folder / CONFIG, folder / MODEL) if path.exists()]
    if there and not args.force:
        return fail(f"{there[0]} is there already: choose another folder, or --force", status=2)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CONFIG).write_text(configuration(data, shape, folder.name or Path(CONFIG).stem), encoding="utf-8")
        (folder / MODEL).write_text(NETWORK.format(config=CONFIG), encoding="utf-8")
    except OSError as error:
        return fail(f"nothing can be written to {folder}: {error.strerror or error}", status=2)
    command = shlex.quote(str(folder / CONFIG))
    say(f"written: {folder / CONFIG} and {folder / MODEL}")
    say(f"next:    gpugrad train {command} --dry-run     # check it")
    say(f"         gpugrad train {command}               # train; the same command resumes it")
    return 0


def configuration(data: str, shape: dict[str, int], name: str) -> str:
    """The text of a configuration.

    Args:
        data: "digits", or a folder of images.
        shape: the arguments of the model.
        name: of the folder of the run, in ``runs``.
    """
    from .. import training
    from ..data import DataLoader, digits, image_folder
    from ..nn.functional import cross_entropy
    from ..optim import Adam, lr_scheduler, swa_utils

    images = data != "digits"
    own = {"folder": data, "size": shape["size"], "channels": shape["channels"]} if images else {}
    parts = [
        "# Trained by: gpugrad train train.toml",
        "# Lines that begin with # show the default of a setting, or an example where there is none by default.",
        "# A table with `use` calls a class or function of gpugrad, or of a file beside this one;",
        "# the other keys are its arguments.",
        "",
        *_lines({"epochs": (10, 1, "how often to go through the data"), "seed": (0, 0, "of everything random")}),
        *_lines({
            "device": (None, "auto", "cpu, cuda, cuda:1; auto is the GPU if there is one"),
            "out": (f"runs/{name}", None, "folder or URL (gs://, s3://) of checkpoints, log and report"),
        }),
        *_table("data", image_folder if images else digits, "gives training and validation data", own),
        *_table("loader", DataLoader, "", {"batch_size": 16 if images else 32}, {"shuffle": True}),
        *_head("model", '"model.py:Network"', "a class or function in a file beside this one"),
        *(f"{name} = {value}" for name, value in shape.items()),
        *_table("loss", cross_entropy, "of gpugrad.nn.functional or gpugrad.nn"),
        *_table("optimizer", Adam, "of gpugrad.optim", CHOSEN["optimizer"]),
        *_table("scheduler", lr_scheduler.CosineAnnealingLR, "of gpugrad.optim.lr_scheduler", {"T_max": 10}),
        *_table("metrics.accuracy", training.Accuracy, "of gpugrad.training; any number of tables metrics.NAME"),
        *_table("ema", swa_utils.ExponentialMovingAverage, "averaged weights, used for evaluation", off=True),
        *_table("callbacks.early", training.EarlyStopping, "any number of tables callbacks.NAME", off=True),
        *_table("trainer", training.Trainer, "", CHOSEN["trainer"]),
    ]  # fmt: skip
    return "\n".join(parts) + "\n"


def _head(name: str, use: str, about: str, off: bool = False) -> Iterator[str]:
    yield ""
    mark = "# " if off else ""
    yield f"{mark}[{name}]"
    if use:
        yield _commented(f"{mark}use = {use}", about)


def _table(
    name: str, function: Callable[..., Any], about: str, own: dict[str, Any] | None = None,
    defaults: dict[str, Any] | None = None, off: bool = False,
) -> Iterator[str]:  # fmt: skip
    """A table: what it calls, and each argument with its value or its default, and what the docstring says of it."""
    own = own or {}
    called = name.partition(".")[0] not in ("loader", "trainer")
    yield from _head(name, f'"{function.__name__}"' if called else "", about, off)
    meanings = arguments(inspect.getdoc(function) or "") | MEANINGS.get(name, {})
    found: dict[str, tuple[Any, Any, str]] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in BY_OTHERS - own.keys():
            continue
        default = (defaults or {}).get(parameter.name, parameter.default)
        default = None if default is parameter.empty else default
        found[parameter.name] = (own.get(parameter.name), default, meanings.get(parameter.name, ""))
    yield from _lines(found)


def _lines(settings: dict[str, tuple[Any, Any, str]]) -> Iterator[str]:
    """A line for each setting: its value, or as a comment its default, and what it means."""
    for name, (value, default, meaning) in settings.items():
        if value is not None:
            yield _commented(f"{name} = {_toml(value)}", meaning)
        elif default is not None:
            yield _commented(f"# {name} = {_toml(default)}", meaning)
        elif name in UNSET:
            yield _commented(f"# {name} = {_toml(UNSET[name])}", f"(not set) {meaning}")


def _commented(setting: str, meaning: str) -> str:
    if not meaning:
        return setting
    line = f"{setting:<{COLUMN}} # "
    first, *more = textwrap.wrap(meaning, WIDTH - max(len(line), COLUMN + 3)) or [""]
    return "\n".join([line + first, *(f"{'':<{COLUMN}} #   {rest}" for rest in more)])


def _toml(value: Any) -> str:
    """A value as TOML writes it; what JSON writes is TOML for words, numbers, truth values and lists of them."""
    return json.dumps(list(value) if isinstance(value, tuple) else value)


def arguments(doc: str) -> dict[str, str]:
    r"""What a docstring says of each argument, up to the first full stop or semicolon.

    >>> arguments("A thing.\n\nArgs:\n    a: the\n        first. And more.\n    b: last; or\n\nRaises:\n    x: no")
    {'a': 'the first', 'b': 'last'}
    """
    section = re.search(r"^Args:\n((?:[ ]{4}.*\n?|\n(?=[ ]{4}))*)", doc, re.MULTILINE)
    entries = re.findall(r"^[ ]{4}(\w+): (.*(?:\n[ ]{8}.*)*)", section[1], re.MULTILINE) if section else []
    return {name: _plain(re.split(r"[.;](?:\s|$)", re.sub(r"\s+", " ", text))[0]) for name, text in entries}


def _plain(text: str) -> str:
    return re.sub(r":\w+:`~?([^`]+)`", r"\1", text.replace("``", ""))
