"""What a run was started with, kept in its folder so that it can be resumed from there."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..training.log import replaced
from ..training.stores import Bucket, store

FILE = "run.json"


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
        """Write it into the folder of the results.

        Raises:
            OSError: the folder cannot be written.
            ImportError: the URL needs a package that is not installed.
        """
        text = json.dumps(asdict(self), indent=1) + "\n"
        place = store(self.out)
        if isinstance(place, Bucket):
            place.write(FILE, text.encode())
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
            ValueError: what is there is no record of a run.
            ImportError: the URL needs a package that is not installed.
        """
        place = store(out)
        path = Path(place.place) / FILE
        text = place.read(FILE) if isinstance(place, Bucket) else path.read_bytes() if path.is_file() else None
        if text is None:
            raise FileNotFoundError(f"there is no {FILE} in {out}: gpugrad train --out {out} starts a run there")
        try:
            said = json.loads(text)
            known = Run(str(said["target"]), out, tuple(map(str, said["changes"])), said["text"])
            if known.text is not None and not isinstance(known.text, str):
                raise TypeError(f"expected the text of a configuration, got {type(known.text).__name__}")
            return known
        except (KeyError, RecursionError, TypeError, ValueError) as error:
            raise ValueError(f"{FILE} in {out} is no record of a run: {error}") from error
