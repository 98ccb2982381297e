"""``gpugrad train``, ``gpugrad resume`` and ``gpugrad report``."""

from __future__ import annotations

import argparse
import inspect
import json
import os
import shlex
import shutil
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import random
from ..core import modes
from ..training.checkpoints.stores import masked
from ..training.run import opening, resuming
from .config import Config, ConfigError, named, parsed
from .out import fail, note, say
from .run import Run

WRONG = 2
"""The exit status of wrong arguments: a supervisor should not try again."""


def add(commands: Any) -> None:
    """The parsers of the commands."""
    start = commands.add_parser(
        "train",
        help="train a configuration or a script; resumes the run that is in the output folder",
        description="Train from a TOML file, or by calling a function of a script. The same command starts a run, and "
        "resumes it where it was stopped.",
        epilog="Exit status: 0 done; 1 it failed; 2 arguments or configuration are wrong; 75 stopped on request "
        "(SIGTERM, SIGHUP, a preemption notice), saved, to be started again; 130 Ctrl-C, saved.",
    )
    start.add_argument("target", metavar="CONFIG.toml|SCRIPT.py:FUNCTION", help="what to train")
    start.add_argument("--out", metavar="DIR", help="folder or URL (gs://, s3://) of checkpoints, log and report")
    start.add_argument("--device", help="cpu, cuda, cuda:1; auto is the GPU if there is one")
    start.add_argument("--epochs", type=int, help="how often to go through the data")
    start.add_argument("--seed", type=int, help="of everything random")
    start.add_argument("--grace", type=float, metavar="SECONDS", help="time to save in when stopped (20)")
    start.add_argument("--jit", action="store_true", help="record each kind of step once, and replay it")
    start.add_argument("--fresh", action="store_true", help="ignore what an earlier run left in the folder")
    start.add_argument(
        "--dry-run", action="store_true", help="check and build everything, train nothing, write nothing"
    )
    _allowing(start)
    start.add_argument(
        "--set", action="append", default=[], dest="changes", metavar="KEY=VALUE",
        help="another value for a setting, such as optimizer.lr=0.1, or an argument of the function; can be repeated",
    )  # fmt: skip
    start.set_defaults(run=train)
    again = commands.add_parser(
        "resume", help="resume a run, given its folder", description="Start the run of a folder again, as it was "
        "started; it resumes from its newest checkpoint that is whole.",
    )  # fmt: skip
    again.add_argument("folder", metavar="DIR", help="the --out of the run, a folder or URL")
    _allowing(again)
    again.set_defaults(run=resume)
    page = commands.add_parser(
        "report", help="write the report of a run", description="Write report.html, with the curves of a run, from its "
        "log, also while it is running.",
    )  # fmt: skip
    page.add_argument("folder", metavar="DIR", help="the --out of the run, a folder or URL")
    page.set_defaults(run=report)


def _allowing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--allow", action="append", default=[], metavar="MODULE",
        help="let the configuration use this module, or a file outside of its folder; can be repeated",
    )  # fmt: skip
    parser.add_argument("--takeover", action="store_true", help="take the run from a process that still works on it")


def train(args: argparse.Namespace) -> int:
    """Start a run, or resume it."""
    script = not args.target.endswith(".toml")
    said = {name: getattr(args, name) for name in ("device", "epochs", "seed", "out")}
    changes = args.changes + [f"{name}={json.dumps(value)}" for name, value in said.items() if value is not None]
    if args.grace is not None:
        changes.append(f"{'' if script else 'trainer.'}grace={args.grace}")
    if args.jit:
        changes.append(f"{'' if script else 'trainer.'}jit=true")
    place, _, function = args.target.rpartition(":") if script else (args.target, "", "")
    if script and not place:
        return fail(f"expected CONFIG.toml or SCRIPT.py:FUNCTION, got {args.target}", status=WRONG)
    try:
        path = Path(place).resolve()
        if not path.is_file():
            return fail(f"there is no file {place}", status=WRONG)
        text = None if script else path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:  # not UTF-8, a NUL in the name
        return fail(f"{place!r} cannot be read: {error}", status=WRONG)
    known = Run(f"{path}:{function}" if script else str(path), args.out or "", tuple(changes), text)
    return started(known, args)


def resume(args: argparse.Namespace) -> int:
    """Start the run of a folder again."""
    try:
        known = Run.load(args.folder)
    except Exception as error:  # noqa: BLE001  storage libraries have classes of their own
        return fail(str(error), status=WRONG)
    changes = [change for change in known.changes if not change.startswith("out=")]
    program = Path(known.target.rpartition(":")[0] if known.text is None else known.target)
    if not program.resolve().is_relative_to(Path(args.folder).resolve()):
        what = f"the function {known.target}" if known.text is None else f"run.json, with the files in {program.parent}"
        note(f"resuming {args.folder} runs {what}")
    return started(replace(known, changes=(*changes, f"out={json.dumps(known.out)}")), args)


def started(known: Run, args: argparse.Namespace) -> int:
    """Run a target; what it was started with is kept in its folder as soon as the folder is known to be this run's."""
    from ..distributed.world import started as started_together
    from ..training import CheckpointError, OtherRunError, OwnedError
    from . import build  # everything that trains, which the other commands do without

    options = {"resume": False} if getattr(args, "fresh", False) else {}
    options |= {"takeover": True} if args.takeover else {}
    dry = getattr(args, "dry_run", False)
    if known.text is not None and started_together(os.environ) > 1:
        options |= {"distributed": True}
    try:
        if known.text is None:
            return called(known, options, dry, args.allow)
        config = Config(known.text, Path(known.target), known.changes, args.allow)
        known = replace(known, out=config.value("out", str, f"runs/{config.file.stem}"))
        try:
            training = build.prepared(config, **options)
        except (ConfigError, ConnectionError, ImportError, MemoryError):
            raise
        except (OSError, SyntaxError) as error:
            return fail(str(error), status=WRONG)
        except Exception:  # noqa: BLE001  a mistake in a file beside the configuration: another try would meet it again
            traceback.print_exc()
            return WRONG
        if dry:
            say(f"{known.target}: nothing is wrong. It would train {_described(training)} in {known.out}")
            return 0
        with kept(known, args.allow):
            return _trained(known, training)
    except (ConfigError, OtherRunError, OwnedError, ImportError) as error:
        return fail(str(error), status=WRONG)
    except MemoryError as error:
        return fail(
            f"not enough memory: {str(error) or 'it is used up'}; a smaller loader.batch_size or model needs less"
        )
    except (CheckpointError, FloatingPointError, OSError) as error:
        return fail(str(error))


def again(known: Run, allow: Sequence[str]) -> str:
    """The command that resumes a run: by its folder, where all that it needs is kept there.

    >>> again(Run("/a/train.toml", "runs/my run", (), ""), ["models"])
    "gpugrad resume 'runs/my run' --allow models"
    """
    typed = sys.argv[0]
    name = ["gpugrad"]
    if "-m gpugrad" in " ".join(sys.orig_argv[:6]):
        name = [sys.orig_argv[0], "-m", "gpugrad"]
    elif Path(typed).name == "gpugrad" and shutil.which("gpugrad") != typed:
        name = [typed]
    more = [word for module in allow for word in ("--allow", module)]
    if known.out and all(masked(text) == text for text in (known.out, known.target, known.text or "", *known.changes)):
        return shlex.join([*name, "resume", known.out, *more])
    changes = [word for change in known.changes for word in ("--set", change)]
    return masked(shlex.join([*name, "train", known.target, *changes, *more]))


def _trained(known: Run, training: Any) -> int:
    """Train. What fails when it is first done would fail again: the configuration is wrong, or a file beside it."""
    try:
        training.run()
    except (
        FloatingPointError,
        MemoryError,
        OSError,
        RuntimeError,
    ):  # of the machine, the store, or of what was learned
        raise
    except Exception as error:
        trainer = training.trainer
        if not trainer.untried:
            raise
        folder = Path(known.target).parent
        own = any(Path(frame.filename).is_relative_to(folder) for frame in traceback.extract_tb(error.__traceback__))
        if own:
            traceback.print_exc()
        what = "the first step" if trainer.step == trainer.first else "the end of an epoch"
        said = str(error.args[0] if isinstance(error, KeyError) and error.args else error) or type(error).__name__
        return fail(f"{known.target}: {what} failed: {said}", status=WRONG)
    return 0


def _described(training: Any) -> str:
    model = training.trainer.model
    count = sum(parameter.size for parameter in model.parameters())
    return f"a {type(model).__name__} of {count:,} parameters for {training.epochs} epochs"


@contextmanager
def kept(known: Run, allow: Sequence[str]) -> Iterator[None]:
    """Keep what a run was started with, as soon as its trainer has found the folder to be its own.

    A run that is stopped in here says the command that resumes it.
    """

    def keep(folder: str) -> None:
        if known.out and folder == known.out.rstrip("/"):
            known.save()

    tokens = opening.set(keep), resuming.set(again(known, allow))
    try:
        yield
    finally:
        opening.reset(tokens[0])
        resuming.reset(tokens[1])


def called(known: Run, options: dict[str, Any], dry: bool, allow: Sequence[str]) -> int:
    """Call the function of a script; its result is the exit status if it is a number.

    Raises:
        ConfigError: there is no such function, it takes other arguments, or the folder is that of another program.
    """
    place, _, name = known.target.rpartition(":")
    path = Path(place)
    try:
        function = named(f"{path.name}:{name}", [], path.parent, None)
    except LookupError as error:
        raise ConfigError(error.args[0]) from None
    except SyntaxError as error:
        raise ConfigError(str(error)) from None
    arguments = dict(options)
    for change in known.changes:
        keys, value = parsed(change)
        if len(keys) > 1:
            raise ConfigError(f"--set {change}: a function takes plain names")
        arguments[keys[0]] = value
    signature = inspect.signature(function)
    for setting, use in (("device", modes.set_default_device), ("seed", random.seed)):
        if setting in arguments and setting not in signature.parameters:
            try:
                use(arguments.pop(setting))
            except (OverflowError, RuntimeError, TypeError, ValueError) as error:
                raise ConfigError(f"--{setting}: {error}") from error
    try:
        signature.bind(**arguments)
    except TypeError as error:
        raise ConfigError(f"{name}{signature}: {error}") from None
    if dry:
        say(f"{known.target}: nothing is wrong. It would be called with {arguments}")
        return 0
    if known.out and _kept(known) is None:
        known.save()
    with kept(known, allow):
        status = _status(function(**arguments))
    if known.out:
        known.save()
    return status


def _status(returned: Any) -> int:
    return returned if isinstance(returned, int) else 0


def _kept(known: Run) -> Run | None:
    """The record that the folder has.

    Raises:
        ConfigError: it is that of another program.
    """
    try:
        before = Run.load(known.out)
    except (FileNotFoundError, ValueError):
        return None
    except OSError as error:
        raise ConfigError(str(error)) from error
    if before.target != known.target:
        raise ConfigError(f"{known.out} holds the run of {before.target}: choose another --out")
    return before


def report(args: argparse.Namespace) -> int:
    """Write the report."""
    from ..training import CheckpointError, write_report
    from ..training.run_folder import RunFolder

    try:
        place = RunFolder(args.folder)
    except (ImportError, OSError, ValueError) as error:
        return fail(str(error), status=WRONG)
    try:
        place.fetch()
        path = write_report(place.local)
        place.push()
    except FileNotFoundError:
        return fail(
            f"there is no log.jsonl in {place.name}: gpugrad train --out {place.name} starts a run there", status=WRONG
        )
    except (CheckpointError, OSError, ValueError) as error:
        return fail(str(error))
    finally:
        place.close()
    say(f"written: {path if place.bucket is None else masked(f'{place.name}/{path.name}')}")
    return 0
