"""The command line, ``gpugrad COMMAND``.

To add a command, write a module here and list it in ``COMMANDS``. Its ``add(commands)`` makes the parser and sets
``run`` to a function that takes the parsed arguments and returns the exit status.

Exit statuses: 0 success; 1 failure; 2 wrong arguments or configuration; 75 stopped on request, state saved: run the
same command to resume; 130 Ctrl-C.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ..starting import started
from ..version import __version__
from . import completion, evaluate, info, init, precompile, predict, train
from .out import UnwritableError, fail, silence

COMMANDS = (init, train, evaluate, predict, info, precompile, completion)

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line, by default that of the process; returns the exit status."""
    try:
        started()
        return _run(argv)
    except KeyboardInterrupt:
        return 130
    except UnwritableError as error:
        return fail(str(error))
    finally:
        silence()


def _run(argv: Sequence[str] | None) -> int:
    parser = whole_parser()
    args = parser.parse_args(argv)
    if args.run is None:
        parser.print_help()
        return 0
    status: int = args.run(args)
    return status


def whole_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(prog="gpugrad", description="Automatic differentiation for NumPy and CuPy.")
    parser.set_defaults(run=None, parser=parser)
    parser.add_argument("-V", "--version", action="version", version=f"gpugrad {__version__}")
    commands = parser.add_subparsers(metavar="command")
    for command in COMMANDS:
        command.add(commands)
    return parser
