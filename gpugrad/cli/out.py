"""How the commands speak."""

from __future__ import annotations

import sys

from ..training.checkpoints.stores import masked


def say(text: str) -> None:
    """A line of a command's result."""
    sys.stdout.write(f"{text}\n")


def fail(*texts: str, status: int = 1) -> int:
    """What is wrong, a line each, on standard error; returns the exit status."""
    for text in texts:
        sys.stderr.write(f"gpugrad: {masked(text)}\n")
    return status
