"""How the commands speak."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from ..training.checkpoints.stores import masked


class UnwritableError(Exception):
    """The standard output cannot be written."""


def say(text: str) -> None:
    """A line of a command's result.

    Where its reader has read enough, as ``head`` does, the rest goes nowhere, and the command does its work to the end.

    Raises:
        UnwritableError: the standard output leads to a disk that is full, or fails otherwise.
    """
    if sys.stdout is None:  # closed by whoever started the command
        return
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        silence()
    except OSError as error:
        silence()
        raise UnwritableError(f"the standard output cannot be written: {error.strerror or error}") from error


def fail(*texts: str, status: int = 1) -> int:
    """What is wrong, a line each, on standard error; returns the exit status."""
    for text in texts:
        note(masked(text))
    return status


def note(text: str) -> None:
    """A line on standard error, if there is one."""
    if sys.stderr is not None:
        with suppress(OSError):
            sys.stderr.write(f"gpugrad: {text}\n")


def silence() -> None:
    """Let the standard output go nowhere, if it cannot be written: the interpreter would fail at its end."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
