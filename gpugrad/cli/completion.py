"""``gpugrad completion``: what makes a shell complete the command line."""

from __future__ import annotations

import argparse
from typing import Any

from .out import fail, say

SHELLS = ("bash", "zsh", "fish", "tcsh")


def add(commands: Any) -> None:
    """The parser of the command."""
    parser = commands.add_parser(
        "completion",
        help="print the completion script of a shell",
        description="Print a script that makes the shell complete gpugrad's commands and options. "
        'For bash: eval "$(gpugrad completion bash)"',
    )
    parser.add_argument("shell", choices=SHELLS)
    parser.set_defaults(run=completion)


def completion(args: argparse.Namespace) -> int:
    """Print the script that shtab makes of the parser."""
    try:
        import shtab
    except ImportError:
        return fail("completion scripts are made by shtab: pip install 'gpugrad[cli]'")
    say(shtab.complete(args.parser, shell=args.shell))
    return 0
