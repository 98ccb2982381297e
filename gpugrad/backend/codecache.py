"""Compiled code on disk that may be executed: only what its own compilation wrote there, whole and unchanged.

An entry is one file, ``<stem>-<checksum><suffix>``. It is written under a temporary name, flushed and renamed, so that
processes that share the folder never see half a file. A file whose content does not have the checksum of its name is
removed and compiled again. Files and folders that another user owns or can write to are never used, and no link is
followed.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import tempfile
from pathlib import Path

logger = logging.getLogger("gpugrad")

DIGITS = 16
"""Of a checksum, in hexadecimal."""


def distrust(path: Path) -> str | None:
    """Why code in a file or folder is not to be executed; None if it may be.

    It has to belong to this user, to root, or to the owner of this package, and nobody else may write to it.
    """
    try:
        found = path.lstat()
    except OSError as error:
        return str(error)
    if stat.S_ISLNK(found.st_mode):
        return f"{path} is a link"
    if hasattr(os, "geteuid"):
        if found.st_uid not in {0, os.geteuid(), Path(__file__).stat().st_uid}:
            return f"{path} belongs to user {found.st_uid}"
        if found.st_mode & 0o022:
            return f"{path} can be written to by other users (mode {stat.S_IMODE(found.st_mode):04o})"
    return None


def make_folder(path: Path, mode: int = 0o700) -> None:
    """Make a folder with this mode, and its parents.

    Raises:
        OSError: it cannot be made.
    """
    if not path.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=mode, exist_ok=True)


class CodeCache:
    """The entries of one folder.

    >>> import tempfile
    >>> cache = CodeCache(Path(tempfile.mkdtemp()), ".so")
    >>> path = cache.put("twice-sm_90", b"code")
    >>> cache.find("twice-sm_90") == path, path.read_bytes()
    (True, b'code')
    >>> _ = path.write_bytes(b"c0de")
    >>> CodeCache(cache.folder, ".so").find("twice-sm_90") is None
    True
    """

    def __init__(self, folder: Path, suffix: str) -> None:
        self.folder = folder
        self.suffix = suffix
        self._names: dict[str, list[str]] | None = None
        self._verified: dict[str, Path] = {}

    def find(self, stem: str) -> Path | None:
        """The file of an entry, verified; None if there is none."""
        if stem not in self._verified:
            for path in self._candidates(stem):
                reason = self._wrong(path)
                if reason is None:
                    self._verified[stem] = path
                    break
                logger.warning("compiled again: %s", reason)
                try:
                    path.unlink()
                except OSError:
                    continue
        return self._verified.get(stem)

    def put(self, stem: str, code: bytes) -> Path | None:
        """Write an entry; None if the folder takes none."""
        path = self.folder / f"{stem}-{_checksum(code)}{self.suffix}"
        temporary = None
        try:
            with tempfile.NamedTemporaryFile(dir=self.folder, prefix="new-", delete=False) as file:
                temporary = Path(file.name)
                file.write(code)
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o644)  # an image is filled by one user and used by another
            temporary.replace(path)
        except OSError:
            if temporary is not None:
                temporary.unlink(missing_ok=True)
            return None
        self._verified[stem] = path
        return path

    def _candidates(self, stem: str) -> list[Path]:
        if self._names is None:
            self._names = {}
            for entry in os.scandir(self.folder) if self.folder.is_dir() else ():
                self._names.setdefault(entry.name[: -DIGITS - 1 - len(self.suffix)], []).append(entry.name)
        found = self._names.pop(stem, None)
        if found is None:  # what other processes have made meanwhile
            found = [path.name for path in self.folder.glob(f"{stem}-{'?' * DIGITS}{self.suffix}")]
        return [self.folder / name for name in sorted(found)]

    def _wrong(self, path: Path) -> str | None:
        reason = distrust(path)
        if reason is None:
            try:
                code = path.read_bytes()
            except OSError as error:
                return str(error)
            if _checksum(code) != path.name.removesuffix(self.suffix)[-DIGITS:]:
                reason = f"{path} is not what was written"
        return reason


def _checksum(code: bytes) -> str:
    return hashlib.sha256(code).hexdigest()[:DIGITS]
