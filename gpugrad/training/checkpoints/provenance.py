"""Which code makes a run: versions, and the commit of the program."""

from __future__ import annotations

import platform
import sys
from functools import cache
from pathlib import Path

import numpy

from ...version import __version__


@cache
def code_version() -> dict[str, str]:
    """The versions of gpugrad, NumPy and Python, and the commit of the program if it lies in a git repository.

    >>> sorted(code_version())[-2:]
    ['numpy', 'python']
    """
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    commit = _commit(Path(main).resolve().parent if main else Path.cwd())
    versions = {"gpugrad": __version__, "numpy": numpy.__version__, "python": platform.python_version()}
    return {"commit": commit, **versions} if commit else versions


def _commit(folder: Path) -> str | None:
    """What ``HEAD`` is in the repository around a folder, read from its files: git need not be installed."""
    try:
        for place in (folder, *folder.parents):
            git = place / ".git"
            if git.is_file():  # a work tree, a submodule
                git = place / git.read_text().removeprefix("gitdir:").strip()
            if (git / "HEAD").is_file():
                return _resolved(git, (git / "HEAD").read_text().strip())
    except OSError:
        pass
    return None


def _resolved(git: Path, head: str) -> str | None:
    if not head.startswith("ref: "):
        return head
    name = head.removeprefix("ref: ")
    shared = git / "commondir"
    common = git / shared.read_text().strip() if shared.is_file() else git
    for place in (git, common):
        if (place / name).is_file():
            return (place / name).read_text().strip()
    packed = common / "packed-refs"
    lines = packed.read_text().splitlines() if packed.is_file() else []
    return next((line.split()[0] for line in lines if line.endswith(f" {name}")), None)
