"""``gpugrad train``, ``gpugrad resume`` and ``gpugrad report``."""

from __future__ import annotations

import argparse
import inspect
import json
from pathlib import Path
from typing import Any

from .. import random
from ..core import modes
from .config import Config, ConfigError, named, parsed
from .out import fail, say

WRONG = 2
"""The exit status of wrong arguments: a supervisor should not try again."""


def add(commands: Any) -> None:
    """The parsers of the commands."""
    start = commands.add_parser(
        "train",
        help="train what a configuration or a script says; goes on where an earlier run in the same folder stopped",
        description="Train from a TOML file, or by calling a function of a script. What is in the output folder "
        "already is gone on with, so that the same command starts a run and resumes it.",
        epilog="Exit status: 0 done; 1 it failed; 2 arguments or configuration are wrong; 75 told to go (SIGTERM, a "
        "preemption notice), saved, to be started again; 130 Ctrl-C, saved.",
    )
    start.add_argument("target", metavar="CONFIG.toml|SCRIPT.py:FUNCTION", help="what to train")
    start.add_argument("--out", metavar="DIR", help="folder or URL (gs://, s3://) of checkpoints, log and report")
    start.add_argument("--device", help="cpu, cuda, cuda:1; auto is the GPU if there is one")
    start.add_argument("--epochs", type=int, help="how often to go through the data")
    start.add_argument("--seed", type=int, help="of everything random")
    start.add_argument("--grace", type=float, metavar="SECONDS", help="time to save in when told to go (20)")
    start.add_argument(
        "--set", action="append", default=[], dest="changes", metavar="KEY=VALUE",
        help="another value for a setting, such as optimizer.lr=0.1, or an argument of the function; can be repeated",
    )  # fmt: skip
    start.set_defaults(run=train)
    again = commands.add_parser(
        "resume", help="go on with a run, given its folder", description="Start the run of a folder again, as it was "
        "started; it goes on from its newest checkpoint that is whole.",
    )  # fmt: skip
    again.add_argument("folder", metavar="DIR", help="the --out of the run, a folder or URL")
    again.set_defaults(run=resume)
    page = commands.add_parser(
        "report", help="write the report of a run", description="Write report.html, with the curves of a run, from its "
        "log, also while it is running.",
    )  # fmt: skip
    page.add_argument("folder", metavar="DIR", help="the --out of the run, a folder or URL")
    page.set_defaults(run=report)


def train(args: argparse.Namespace) -> int:
    """Start a run, or go on with it."""
    script = not args.target.endswith(".toml")
    said = {name: getattr(args, name) for name in ("device", "epochs", "seed", "out")}
    changes = args.changes + [f"{name}={json.dumps(value)}" for name, value in said.items() if value is not None]
    if args.grace is not None:
        changes.append(f"{'' if script else 'trainer.'}grace={args.grace}")
    place, _, function = args.target.rpartition(":") if script else (args.target, "", "")
    if script and not place:
        return fail(f"expected CONFIG.toml or SCRIPT.py:FUNCTION, got {args.target}", status=WRONG)
    path = Path(place).resolve()
    if not path.is_file():
        return fail(f"there is no file {place}", status=WRONG)
    text = None if script else path.read_text()
    return started(f"{path}:{function}" if script else str(path), tuple(changes), text, args.out)


def resume(args: argparse.Namespace) -> int:
    """Start the run of a folder again."""
    from .run import Run

    try:
        known = Run.load(args.folder)
    except (OSError, ValueError, ImportError) as error:
        return fail(str(error), status=WRONG)
    changes = [change for change in known.changes if not change.startswith("out=")]
    return started(known.target, (*changes, f"out={json.dumps(known.out)}"), known.text, known.out)


def started(target: str, changes: tuple[str, ...], text: str | None, out: str | None) -> int:
    """Run a target, and note in its folder how."""
    from ..training import CheckpointError, OtherRunError, OwnedError
    from . import build  # everything that trains, which the other commands do without
    from .run import Run

    try:
        if text is None:
            if out is not None:
                Run(target, out, changes).save()
            return called(target, changes)
        config = Config(text, Path(target), changes)
        out = config.value("out", str, f"runs/{config.file.stem}")
        Run(target, out, changes, text).save()
        build.run(config)
    except (ConfigError, OtherRunError, OwnedError, ImportError) as error:
        return fail(str(error), status=WRONG)
    except (CheckpointError, FloatingPointError, OSError) as error:
        return fail(str(error))
    return 0


def called(target: str, changes: tuple[str, ...]) -> int:
    """Call the function of a script; its result is the exit status if it is a number."""
    place, _, name = target.rpartition(":")
    path = Path(place)
    try:
        function = named(f"{path.name}:{name}", [], path.parent)
    except LookupError as error:
        raise ConfigError(error.args[0]) from None
    arguments = {}
    for change in changes:
        keys, value = parsed(change)
        if len(keys) > 1:
            raise ConfigError(f"--set {change}: a function takes plain names")
        arguments[keys[0]] = value
    known = inspect.signature(function).parameters
    for setting, use in (("device", modes.set_default_device), ("seed", random.seed)):
        if setting in arguments and setting not in known:
            use(arguments.pop(setting))
    try:
        inspect.signature(function).bind(**arguments)
    except TypeError as error:
        raise ConfigError(f"{name}{inspect.signature(function)}: {error}") from None
    status = function(**arguments)
    return status if isinstance(status, int) else 0


def report(args: argparse.Namespace) -> int:
    """Write the report."""
    from ..training import write_report
    from ..training.place import Place

    try:
        place = Place(args.folder)
        place.fetch()
        path = write_report(place.local)
        place.push()
    except (OSError, ValueError, ImportError) as error:
        return fail(str(error))
    say(f"written: {path}")
    return 0
