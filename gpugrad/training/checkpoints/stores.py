"""Where checkpoints lie: a local folder, or any place that fsspec knows (``gs://``, ``s3://``, ``memory://``).

A checkpoint is a folder of files, the last of which, the manifest, says what the others must be. In a local folder it
is written under another name, flushed to the disk with everything in it, and renamed: it is there whole, or not at
all. An object store has no renaming; there the manifest, one small object, comes last, and what has none is no
checkpoint.

To add a kind of place: a subclass of :class:`Store`.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

Pieces = Iterable[memoryview | bytes]

NAME = re.compile(r"(\d{6,})-step-(\d+)")
"""A checkpoint's folder: the number of the save, and the step."""

MANIFEST = "manifest.json"

LOCAL = ("file", "local")
"""The schemes of URLs that are local folders."""

EXTRAS = {"gs": "gcs", "gcs": "gcs", "s3": "s3", "s3a": "s3"}
"""The extra of gpugrad that brings what reaches a scheme."""

PASSWORD = re.compile(r"(\w[\w+.-]*://[^\s/:@]*):[^\s/'\"]*@")
SECRET = re.compile(r"([?&][\w.-]*(?:token|sig|signature|secret|password|key|credential)=)[^&\s'\"]+", re.IGNORECASE)
HIDDEN = "***"


def masked(text: str) -> str:
    """The text with passwords, keys and tokens in its URLs replaced by ``***``.

    >>> masked("sftp://anna:secret@host/runs is not there"), masked("https://host/runs?sig=a%20b&x=1")
    ('sftp://anna:***@host/runs is not there', 'https://host/runs?sig=***&x=1')
    """
    return SECRET.sub(rf"\g<1>{HIDDEN}", PASSWORD.sub(rf"\g<1>:{HIDDEN}@", text))


def lacks_secret(text: str) -> bool:
    """Whether :func:`masked` has taken something out of this text."""
    return any(HIDDEN in found[0] for kind in (PASSWORD, SECRET) for found in kind.finditer(text))


def store(place: str | os.PathLike[str]) -> Store:
    """The store of a path or URL.

    Raises:
        ImportError: the URL needs fsspec, or a package with which fsspec reaches it, that is not installed.
        ValueError: there can be no such place.
    """
    text = os.fspath(place)
    if "://" not in text:
        return Folder(Path(text))
    scheme, _, path = text.partition("://")
    if scheme in LOCAL:
        return Folder(Path(path))
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise ImportError(f"{masked(text)} is reached through fsspec: pip install 'gpugrad[train]'") from error
    try:
        files, root = url_to_fs(text)
    except ImportError as error:
        extra = EXTRAS.get(scheme)
        hint = f": pip install 'gpugrad[{extra}]'" if extra else ""
        raise ImportError(f"{masked(text)} needs a package that is not installed ({error}){hint}") from error
    except OSError:
        raise
    except Exception as error:  # storage libraries have classes of their own
        raise ValueError(f"{masked(text)} cannot be reached: {masked(str(error))}") from error
    return Bucket(files, root, text)


class Store:
    """Named folders of files that appear when they are complete."""

    place: str
    """What to call it in messages."""
    local = False
    """Whether reading a small file takes microseconds."""
    exclusive = True
    """Whether :meth:`create` is one request that the store decides."""

    def names(self) -> list[str]:
        """The checkpoints that are there, in the order in which they were saved."""
        raise NotImplementedError

    def begin(self, name: str) -> None:
        """Make room for a new checkpoint."""
        raise NotImplementedError

    def put(self, name: str, file: str, pieces: Pieces) -> None:
        """Write one file of it; the manifest is the last."""
        raise NotImplementedError

    def commit(self, name: str) -> None:
        """Give it its name.

        Raises:
            FileExistsError: somebody else has written a checkpoint of that name.
        """
        raise NotImplementedError

    def abandon(self, name: str) -> None:
        """Remove what was written of a checkpoint that will not be completed, as far as that goes."""
        raise NotImplementedError

    def length(self, name: str, file: str) -> int:
        """The bytes of a file.

        Raises:
            FileNotFoundError: there is no such file.
        """
        raise NotImplementedError

    def get(self, name: str, file: str, size: int) -> memoryview:
        """The first ``size`` bytes of a file, or fewer if there are no more."""
        raise NotImplementedError

    def remove(self, name: str) -> None:
        """Remove a checkpoint, so that it is whole or gone at every moment."""
        raise NotImplementedError

    def clear_leftovers(self, before: str) -> None:
        """Remove what processes that were killed have left of checkpoints with an earlier number."""
        raise NotImplementedError

    def probe(self) -> None:
        """See that something can be written, and remove it again.

        Raises:
            OSError: it cannot.
        """
        raise NotImplementedError

    # Files beside the checkpoints -----------------------------------------------------------------------------------

    def read(self, file: str, most: int | None = None) -> bytes | None:
        """The content of a file, or its first ``most`` bytes; None if there is no such file."""
        raise NotImplementedError

    def write(self, file: str, content: bytes) -> None:
        """Write a small file in one go, so that others read the old content or the new one."""
        raise NotImplementedError

    def create(self, file: str, content: bytes) -> bool:
        """:meth:`write`, unless there is such a file: then return False."""
        raise NotImplementedError

    def delete(self, file: str) -> None:
        """Remove a file."""
        raise NotImplementedError


class Folder(Store):
    """A local folder."""

    local = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place = str(path)

    def names(self) -> list[str]:
        found = os.listdir(self.path) if self.path.is_dir() else []
        return sorted((name for name in found if NAME.fullmatch(name)), key=order)

    def begin(self, name: str) -> None:
        self.abandon(name)
        self._partial(name).mkdir(parents=True)

    def put(self, name: str, file: str, pieces: Pieces) -> None:
        with (self._partial(name) / file).open("wb", buffering=0) as out:
            for piece in pieces:
                rest = memoryview(piece)
                while rest:  # a write may be a part: at the limit of a file's size, on a disk that becomes full
                    rest = rest[out.write(rest) or 0 :]

    def commit(self, name: str) -> None:
        partial, final = self._partial(name), self.path / name
        if final.exists():
            raise FileExistsError(f"{final} is there already")
        for path in (*sorted(partial.iterdir()), partial):  # now, together: the disk does it in one go
            sync(path)
        partial.rename(final)
        sync(self.path)

    def abandon(self, name: str) -> None:
        shutil.rmtree(self._partial(name), ignore_errors=True)

    def length(self, name: str, file: str) -> int:
        return (self.path / name / file).stat().st_size

    def get(self, name: str, file: str, size: int) -> memoryview:
        content = bytearray(size)
        with (self.path / name / file).open("rb") as source:
            return memoryview(content)[: source.readinto(content)]

    def remove(self, name: str) -> None:
        self.abandon(name)
        (self.path / name).rename(self._partial(name))
        shutil.rmtree(self._partial(name))

    def clear_leftovers(self, before: str) -> None:
        for name in os.listdir(self.path):
            stem = name.removeprefix(".").removesuffix(".part")
            if name == f".{stem}.part" and NAME.fullmatch(stem) and order(stem) < order(before):
                self.abandon(stem)

    def probe(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        probe = self.path / f".probe-{os.getpid()}"
        try:
            probe.write_bytes(b"")
        finally:
            with suppress(OSError):
                probe.unlink()

    def read(self, file: str, most: int | None = None) -> bytes | None:
        try:
            with (self.path / file).open("rb") as source:
                size = os.fstat(source.fileno()).st_size
                return source.read(size if most is None else min(most, size))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, file: str, content: bytes) -> None:
        self._written(file, content).replace(self.path / file)

    def create(self, file: str, content: bytes) -> bool:
        partial = self._written(file, content)
        try:
            os.link(partial, self.path / file)
        except FileExistsError:
            return False
        except OSError:  # a file system without links
            try:
                with (self.path / file).open("xb") as made:
                    made.write(content)
            except FileExistsError:
                return False
        finally:
            partial.unlink(missing_ok=True)
        return True

    def delete(self, file: str) -> None:
        (self.path / file).unlink(missing_ok=True)

    def _written(self, file: str, content: bytes) -> Path:
        """The content under another name."""
        self.path.mkdir(parents=True, exist_ok=True)
        partial = self.path / f".{file}-{os.getpid()}-{threading.get_ident()}.part"
        partial.write_bytes(content)
        return partial

    def _partial(self, name: str) -> Path:
        return self.path / f".{name}.part"


class Bucket(Store):
    """A place in a file system of fsspec."""

    def __init__(self, files: Any, root: str, place: str) -> None:
        self.files = files
        self.root = root.rstrip("/")
        self.place = masked(place)

    def names(self) -> list[str]:
        return [name for name, complete in self._folders() if complete]

    def _folders(self) -> list[tuple[str, bool]]:
        """Every folder that looks like a checkpoint, and whether it has a manifest."""
        self.files.invalidate_cache()
        try:
            paths = self.files.ls(self.root, detail=False)
        except FileNotFoundError:
            return []
        found = {str(path).rstrip("/").rpartition("/")[2] for path in paths}
        names = sorted((name for name in found if NAME.fullmatch(name)), key=order)
        return [(name, self.files.exists(self._path(name, MANIFEST))) for name in names]

    def begin(self, name: str) -> None:
        if self.files.exists(self._path(name, MANIFEST)):
            raise FileExistsError(f"{self._path(name)} is there already")
        self.files.makedirs(self._path(name), exist_ok=True)

    def put(self, name: str, file: str, pieces: Pieces) -> None:
        path = self._path(name, file)
        if file == MANIFEST:  # one request: there or not
            self.files.pipe_file(path, b"".join(pieces))
            return
        size = 0
        with self.files.open(path, "wb") as out:
            for piece in pieces:
                out.write(piece)
                size += len(piece)
        self.files.invalidate_cache()
        stored = self.files.info(path)["size"]
        if stored != size:
            raise OSError(f"{path} has {stored} bytes, {size} were written")

    def commit(self, name: str) -> None:
        self.files.invalidate_cache()

    def abandon(self, name: str) -> None:
        with suppress(Exception):  # the store does not work; what is left has no manifest
            self.files.rm(self._path(name), recursive=True)

    def length(self, name: str, file: str) -> int:
        return int(self.files.info(self._path(name, file))["size"])

    def get(self, name: str, file: str, size: int) -> memoryview:
        with self.files.open(self._path(name, file), "rb") as source:
            return memoryview(bytearray(source.read(size)))

    def remove(self, name: str) -> None:
        self.files.rm_file(self._path(name, MANIFEST))
        self.files.rm(self._path(name), recursive=True)

    def clear_leftovers(self, before: str) -> None:
        for name, complete in self._folders():
            if not complete and order(name) < order(before):
                self.abandon(name)

    def probe(self) -> None:
        path = f"{self.root}/.probe-{os.getpid()}"
        self.files.makedirs(self.root, exist_ok=True)
        self.files.pipe_file(path, b"")
        self.files.rm_file(path)

    def read(self, file: str, most: int | None = None) -> bytes | None:
        self.files.invalidate_cache()
        try:
            content: bytes = self.files.cat_file(self._path(file), end=most)
        except FileNotFoundError:
            return None
        return content

    def write(self, file: str, content: bytes) -> None:
        self.files.makedirs(self.root, exist_ok=True)
        self.files.pipe_file(self._path(file), content)

    def create(self, file: str, content: bytes) -> bool:
        self.files.makedirs(self.root, exist_ok=True)
        try:
            self.files.pipe_file(self._path(file), content, mode="create")  # one request that the store decides
        except FileExistsError:
            return False
        except (NotImplementedError, TypeError, ValueError):  # a store without: what is there later is read again
            self.files.invalidate_cache()
            if self.files.exists(self._path(file)):
                return False
            self.exclusive = False
            self.files.pipe_file(self._path(file), content)
        return True

    def delete(self, file: str) -> None:
        with suppress(FileNotFoundError):
            self.files.rm_file(self._path(file))

    def _path(self, *names: str) -> str:
        return "/".join([self.root, *names])


def order(name: str) -> tuple[int, int]:
    """What checkpoints are sorted by: the number of the save, then the step."""
    match = NAME.fullmatch(name)
    assert match is not None
    return int(match[1]), int(match[2])


def sync(path: Path) -> None:
    """Flush a file, or a folder's list of names, to the disk; Windows opens no folders, and needs it for none."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:
        if path.is_dir():
            return
        raise
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
