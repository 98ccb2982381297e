"""What a run was started with, kept in its folder so that it can be resumed from there."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..plain import plain
from ..training.checkpoints.stores import Bucket, lacks_secret, masked, store
from ..training.reporting.log import replaced

FILE = "run.json"
LARGEST = 1 << 24
"""Bytes."""


@dataclass(frozen=True)
class Run:
    """A call of ``gpugrad train``.

    Attributes:
        target: the configuration, or ``script.py:function``; absolute.
        out: the folder or URL of the results.
        changes: what ``--set`` and the other options said.
        text: the configuration as it was.
    """

    target: str
    out: str
    changes: tuple[str, ...] = field(default=())
    text: str | None = None

    def save(self) -> None:
        """Write it into the folder of the results, without the passwords in its URLs.

        Raises:
            OSError: the folder cannot be written.
            ImportError: the URL needs a package that is not installed.
        """
        known = Run(
            masked(self.target), masked(self.out), tuple(map(masked, self.changes)), self.text and masked(self.text)
        )
        text = json.dumps(asdict(known), indent=1) + "\n"
        place = store(self.out)
        if isinstance(place, Bucket):
            try:
                place.write(FILE, text.encode())
            except Exception as error:  # storage libraries have classes of their own
                raise OSError(f"{FILE} cannot be written to {place.place}: {error}") from error
            return
        folder = Path(place.place)
        folder.mkdir(parents=True, exist_ok=True)
        with replaced(folder / FILE) as file:
            file.write(text)

    @staticmethod
    def load(out: str) -> Run:
        """The run of a folder or URL.

        Raises:
            FileNotFoundError: no run was started there.
            OSError: it cannot be read.
            ValueError: what is there is not a record of a run, or is one that had a password in it.
            ImportError: the URL needs a package that is not installed.
        """
        place = store(out)
        try:
            text = place.read(FILE, LARGEST + 1)
        except Exception as error:  # storage libraries have classes of their own
            raise OSError(f"{FILE} in {place.place} cannot be read: {error}") from error
        if text is None:
            raise FileNotFoundError(f"there is no {FILE} in {out}: gpugrad train --out {out} starts a run there")
        if len(text) > LARGEST:
            raise ValueError(f"{FILE} in {out} is not a record of a run: it has more than {LARGEST} bytes")
        try:
            said = plain(text)
            known = Run(str(said["target"]), out, tuple(map(str, said["changes"])), said["text"])
            if known.text is not None and not isinstance(known.text, str):
                raise TypeError(f"expected the text of a configuration, got {type(known.text).__name__}")
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{FILE} in {out} is not a record of a run: {error}") from error
        needed = [known.text or "", *(change for change in known.changes if not change.startswith("out="))]
        if any(map(lacks_secret, needed)):
            raise ValueError(
                f"{FILE} in {out} lacks a password or token, which is not kept: use gpugrad train {known.target} "
                f"--out {out}"
            )
        return known
