"""The model of a run, for ``gpugrad evaluate`` and ``gpugrad predict``; nothing is written."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..training import Checkpoint, CheckpointError
from ..training.program import classes_of
from . import build
from .config import Config, ConfigError
from .out import fail
from .run import Run


@dataclass(frozen=True)
class Trained:
    """A run of a configuration, with its model as in one of its checkpoints.

    Attributes:
        folder: of the run.
        config: what it was started with.
        training: made of it; the model has its weights.
        checkpoint: where they are from.
    """

    folder: str
    config: Config
    training: build.Training
    checkpoint: Checkpoint

    @property
    def state(self) -> str:
        """The step of the weights, in words."""
        return f"step {self.checkpoint.step:,}"

    @property
    def dataset(self) -> Any:
        """The training data, not in batches."""
        return dataset_of(self.training.batches)


def arguments(parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], int]) -> None:
    """What both commands take."""
    parser.add_argument("folder", metavar="DIR", help="the --out of the run, a folder or URL")
    parser.add_argument(
        "--checkpoint", default="newest", metavar="NAME",
        help="whose weights: newest, best (of the metric that trainer.monitor names), a step, or a checkpoint's name",
    )  # fmt: skip
    parser.add_argument("--device", help="cpu, cuda, cuda:1; auto is the GPU if there is one (as in training)")
    parser.add_argument(
        "--allow", action="append", default=[], metavar="MODULE",
        help="let the configuration use this module, or a file outside of its folder; can be repeated",
    )  # fmt: skip
    parser.set_defaults(run=guarded(run))


def guarded(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """A command whose errors are messages and exit statuses."""

    def guarded(args: argparse.Namespace) -> int:
        try:
            return run(args)
        except (ConfigError, ImportError, FileNotFoundError, ValueError, TypeError, LookupError) as error:
            return fail(str(error.args[0] if isinstance(error, LookupError) and error.args else error), status=2)
        except (CheckpointError, OSError) as error:
            return fail(str(error))

    return guarded


@contextmanager
def opened(args: argparse.Namespace) -> Iterator[Trained]:
    """The run of a folder, inside a ``with`` block.

    Raises:
        ConfigError: it is not the run of a configuration, that no longer makes what it made, or there is no such
            checkpoint.
        CheckpointError: there is no checkpoint yet, or it does not fit the model.
        FileNotFoundError: no run was started there.
        OSError: it cannot be read.
    """
    known = Run.load(args.folder)
    if known.text is None:
        raise ConfigError(
            f"{args.folder} is the run of the function {known.target}; evaluate and predict need that of a "
            "configuration. In Python: training.Checkpointer(DIR + '/checkpoints', {'model': model}).restore()"
        )
    said = {"out": args.folder} | ({} if args.device is None else {"device": args.device})
    kept = [change for change in known.changes if change.partition("=")[0] not in said]
    changes = [*kept, *(f"{name}={json.dumps(value)}" for name, value in said.items())]
    config = Config(known.text, Path(known.target), changes, args.allow)
    made = build.prepared(config)
    try:
        yield Trained(args.folder, config, made, restored(made, args.checkpoint))
    finally:
        made.trainer.close()


def restored(made: build.Training, wanted: str) -> Checkpoint:
    """Give the model, and its averaged weights, what a checkpoint holds.

    Raises:
        ConfigError: there is no such checkpoint, or the data has other classes now, whose numbers mean something else.
        CheckpointError: there is none yet, or it does not fit.
    """
    trainer = made.trainer
    checkpointer = trainer.checkpointer
    assert checkpointer is not None
    names = checkpointer.names()
    if wanted == "newest":
        checkpoint = checkpointer.newest()
    else:
        checkpointer.keep_best = trainer.monitor or ("loss" if made.validation is None else "validation/loss")
        found = checkpointer.best() if wanted == "best" else None
        found = next((name for name in names if wanted in (name, name.rpartition("-")[2])), found)
        if found is None:
            lacks = f"none of them has {checkpointer.keep_best}" if wanted == "best" else f"no {wanted!r} among them"
            raise ConfigError(f"--checkpoint: {checkpointer.place} has {', '.join(names) or 'no checkpoints'}: {lacks}")
        checkpoint = checkpointer.load(found)
    if checkpoint is None:
        raise CheckpointError(f"there is no checkpoint in {checkpointer.place} yet")
    saved = checkpoint.parts.get("trainer")
    program = saved.get("program") if isinstance(saved, dict) else None
    before = program.get("data.classes") if isinstance(program, dict) else None
    classes = classes_of(dataset_of(made.batches))
    if before is not None and classes != before:
        raise ConfigError(
            f"the classes of the training data are {classes or 'not named'}, the run was started with {before}"
        )
    for name, part in (("model", trainer.model), ("ema", trainer.ema)):
        if part is None:
            continue
        try:
            part.load_state_dict(checkpoint.parts[name])
        except Exception as error:
            raise CheckpointError(f"{checkpointer.place}/{checkpoint.name} does not fit {name}: {error}") from error
    return checkpoint


def dataset_of(batches: Any) -> Any:
    """What a loader makes its batches of; anything else as it is."""
    return getattr(batches, "dataset", batches)
