"""The folder of a run: local, or a URL, with a local folder beside it for what is written line by line."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from ..backend import logger
from .checkpoints.reading import CheckpointError
from .checkpoints.stores import LOCAL, Bucket, masked, store

CHECKPOINTS = "checkpoints"
FILES = ("log.jsonl", "log.csv", "settings.json", "report.html")


class RunFolder:
    """Where a run leaves its checkpoints, its log and its report.

    Args:
        folder: a path, or a URL that fsspec knows. An object store cannot append to a file; so the log is written in a
            folder of this machine (:attr:`local`), copied up with each checkpoint, and fetched back by a machine that
            comes later.

    Raises:
        ImportError: the URL needs a package that is not installed.
        ValueError: there is no name, it is the root of a disk or of a store, a file is in the way, or there can be
            no such place.

    >>> RunFolder("runs/a").checkpoints
    'runs/a/checkpoints'
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        given = os.fspath(folder)
        scheme, _, rest = given.rpartition("://")
        local = scheme in ("", *LOCAL)
        bare = "\0" not in rest and (rest.strip() and Path(rest).resolve().name if local else rest.strip("/"))
        if not bare:
            raise ValueError(f"expected the name of a folder for the run, such as runs/first, got {masked(given)!r}")
        if local:
            home = os.path.expanduser(rest)
            if home != rest:
                raise ValueError(
                    f"expected a folder for the run, got {given}, in which ~ is not replaced: write {home}"
                )
            above = next((path for path in (Path(rest), *Path(rest).parents) if os.path.lexists(path)), Path())
            if not above.is_dir():
                raise ValueError(
                    f"expected a folder for the run, {above} is {'a broken link' if above.is_symlink() else 'a file'}"
                )
        self.name = given.rstrip("/")
        self.checkpoints = f"{self.name}/{CHECKPOINTS}"
        found = store(self.name)
        self.bucket = found if isinstance(found, Bucket) else None
        self.local = Path(tempfile.mkdtemp(prefix="gpugrad-")) if self.bucket else Path(found.place)

    def fetch(self) -> None:
        """Bring the log of an earlier machine here.

        Raises:
            CheckpointError: the store cannot be read.
        """
        if self.bucket is None:
            return
        for file in FILES:
            try:
                content = self.bucket.read(file)
            except Exception as error:  # storage libraries have classes of their own
                raise CheckpointError(f"{self.bucket.place}/{file} cannot be read: {error}") from error
            if content is not None:
                (self.local / file).write_bytes(content)

    def push(self) -> None:
        """See that the log outlives this machine: on the disk, or in the bucket."""
        try:
            for file in FILES:
                path = self.local / file
                if not path.is_file():
                    continue
                if self.bucket is not None:
                    self.bucket.write(file, path.read_bytes())
                else:
                    with path.open("rb") as written:
                        os.fsync(written.fileno())
        except Exception as error:  # noqa: BLE001  the checkpoint matters more
            logger.warning("the log cannot be kept in %s: %s", masked(self.name), masked(str(error)))

    def close(self) -> None:
        """Remove the local folder beside a store."""
        if self.bucket is not None:
            shutil.rmtree(self.local, ignore_errors=True)
