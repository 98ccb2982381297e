"""Ctrl-C while the command line is still importing, which takes a moment: the process ends, without a traceback.

It is imported before everything else, and does nothing in other programs.
"""

from __future__ import annotations

import os
import signal
import sys

_quiet = False


def _is_command() -> bool:
    """Whether this process is ``gpugrad ...`` or ``python -m gpugrad ...``."""
    name = os.path.basename(sys.argv[0]) if getattr(sys, "argv", None) else ""
    return name in ("gpugrad", "gpugrad.exe") or (name == "-m" and "-m gpugrad" in " ".join(sys.orig_argv[:6]))


def started() -> None:
    """The imports are done: Ctrl-C raises KeyboardInterrupt again."""
    global _quiet
    if _quiet:
        _quiet = False
        signal.signal(signal.SIGINT, signal.default_int_handler)


if _is_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    _quiet = True
    signal.signal(signal.SIGINT, signal.SIG_DFL)
