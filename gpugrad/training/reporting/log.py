"""What happened in a run, step by step, in files that other programs read: JSON lines, CSV and TensorBoard.

``log.jsonl`` is the truth: one JSON object a line, written and flushed row by row. ``log.csv`` has the same rows as a
table and is made anew from it where the columns change. What is not a number in JSON (NaN, infinities) is written as a
string. Works alone: nothing here knows the Trainer.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from ...backend import logger
from ...plain import plain

ROWS, TABLE, SETTINGS, TENSORBOARD = "log.jsonl", "log.csv", "settings.json", "tensorboard"
NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
LARGEST = 2**1023
Row = dict[str, Any]


class Log:
    """The rows of a run in a folder, append-only, each on the disk's way as soon as it is written.

    Args:
        folder: a local one; it is made. What an earlier run left there is gone on with: a last line that was torn by a
            kill is cut off.
        tensorboard: whether TensorBoard's files are written too; None: where tensorboardX is installed.

    Raises:
        ImportError: ``tensorboard=True`` without tensorboardX.
        OSError: the folder cannot be written to.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> with Log(folder, tensorboard=False) as log:
    ...     for step in (1, 2, 3):
    ...         log.write(step, {"loss": 1 / step})
    >>> with Log(folder, tensorboard=False) as log:
    ...     _ = log.resume(2)                    # the checkpoint was that of step 2
    ...     log.write(3, {"loss": 0.25})
    >>> [row["loss"] for row in read_rows(folder)]
    [1.0, 0.5, 0.25]
    """

    def __init__(self, folder: str | os.PathLike[str], tensorboard: bool | None = None) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._tensorboard = _tensorboard_wanted(tensorboard)
        self._writer: Any = None
        self._columns: dict[str, None] = {}
        _mend(self.folder / ROWS)
        self.seconds = max((_seconds(line) for line in _lines(self.folder / ROWS)), default=0.0)
        """The most seconds that any row or event tells of, rows that were dropped included."""
        self.rows = sum("event" not in line for line in _lines(self.folder / ROWS))
        """The number of rows, events not counted."""
        self._lines: IO[str] = (self.folder / ROWS).open("a", encoding="utf-8", newline="\n")
        self._table: IO[str] | None = None
        self._write_table()

    # ---------------------------------------------------------------- writing

    def write(self, step: int, values: Mapping[str, Any] | None = None, **more: Any) -> None:
        """One row: numbers, strings, or tensors of one element, by name.

        Args:
            step: how many steps the run has made.
            values: by name, such as ``"loss"`` or ``"validation/loss"``.
            more: further ones; ``seconds``, the time of training so far, is looked at by :meth:`resume`.

        Raises:
            ValueError: a name that the log uses itself (``step``, ``event``), an integer too large for a float, or the
                log is closed.
            TypeError: a value that is neither a number nor a string.
        """
        given = {**(values or {}), **more}
        taken = {"step", "event"} & given.keys()
        if taken:
            raise ValueError(f"Log.write: {sorted(taken)} is what the log calls its own columns")
        row = {"step": int(step), **{writable(name): _as_json(name, value) for name, value in given.items()}}
        self._append(row)
        self.rows += 1
        if any(name not in self._columns for name in row):
            self._write_table()
        elif self._table is not None:
            csv.DictWriter(self._table, list(self._columns), restval="", lineterminator="\n").writerow(row)
            self._table.flush()
        self._to_tensorboard(row)

    def event(self, name: str, step: int, **values: Any) -> None:
        """Something that happened, such as "resume" or "preempted". Events are never dropped, and not in the table."""
        more = {key: _as_json(key, value) for key, value in values.items()}
        self._append({"event": name, "step": int(step), "time": round(time.time(), 3), **more})

    def settings(self, values: Mapping[str, Any]) -> None:
        """What the run was started with, for the table in the report: written whole, or not at all."""
        shown = {writable(str(name)): _setting(value) for name, value in values.items()}
        with replaced(self.folder / SETTINGS) as file:
            json.dump(shown, file, indent=2, ensure_ascii=False)

    def sync(self) -> None:
        """Return when what was written is on the disk, also if the machine should lose its power."""
        for file in (self._lines, self._table):
            if file is not None:
                file.flush()
                os.fsync(file.fileno())

    # ---------------------------------------------------------------- going on

    def drop_after(self, step: int, rows: int | None = None) -> int:
        """Delete the rows after ``step``, atomically: after a kill in between, either all are there or none.

        Args:
            step: the last one to keep.
            rows: the number of rows to keep, at most: a checkpoint may lie between two rows of one step.

        Returns:
            the number of deleted rows.
        """
        kept = dropped = 0
        self._lines.flush()
        with replaced(self.folder / ROWS) as file:
            for line in _lines(self.folder / ROWS):
                if "event" not in line:
                    if line["step"] > step or (rows is not None and kept >= rows):
                        dropped += 1
                        continue
                    kept += 1
                file.write(_text(line))
        self.rows = kept
        self._lines.close()
        self._lines = (self.folder / ROWS).open("a", encoding="utf-8", newline="\n")
        self._write_table()
        self._close_writer()
        if self._tensorboard:
            self._open_writer(purge_step=step + 1)
        return dropped

    def resume(self, step: int, rows: int | None = None) -> float:
        """Continue after ``step``: delete the rows after it, and note the event for the report.

        Args:
            step: that of the checkpoint.
            rows: the number of rows (:attr:`rows`) when it was saved; None: all those up to ``step``.

        Returns:
            the seconds of training so far, those of the deleted rows included: they were paid for.
        """
        last = max((line["step"] for line in read_rows(self.folder)), default=step)
        dropped = self.drop_after(step, rows)
        self.event("resume", step, lost_steps=max(last - step, 0), lost_rows=dropped, seconds=self.seconds)
        return self.seconds

    def close(self) -> None:
        """Close the files; closing twice is allowed."""
        for file in (self._lines, self._table):
            if file is not None:
                file.close()
        self._close_writer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # ---------------------------------------------------------------- the files

    def _append(self, row: Row) -> None:
        self._lines.write(_text(row))
        self._lines.flush()
        self.seconds = max(self.seconds, _seconds(row))

    def _write_table(self) -> None:
        """The table from the rows, with a column for every name there is."""
        if self._table is not None:
            self._table.close()
        rows = list(read_rows(self.folder))
        self._columns = {"step": None} | {name: None for row in rows for name in row}
        with replaced(self.folder / TABLE) as file:
            table = csv.DictWriter(file, list(self._columns), restval="", lineterminator="\n")
            table.writeheader()
            table.writerows(rows)
        self._table = (self.folder / TABLE).open("a", encoding="utf-8", newline="")

    # ---------------------------------------------------------------- TensorBoard

    def _to_tensorboard(self, row: Row) -> None:
        if not self._tensorboard:
            return
        if self._writer is None:
            self._open_writer()
        for name, value in row.items():
            if name != "step" and isinstance(value, int | float) and not isinstance(value, bool):
                self._writer.add_scalar(name, value, row["step"])

    def _open_writer(self, purge_step: int | None = None) -> None:
        from tensorboardX import SummaryWriter

        folder = self.folder / TENSORBOARD
        # Names are made of the second: two writers in one second would share a file. What comes after purge_step in
        # older files of the folder is hidden by TensorBoard.
        number = len(list(folder.iterdir())) if folder.is_dir() else 0
        self._writer = SummaryWriter(str(folder), purge_step=purge_step, filename_suffix=f".{number}")

    def _close_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def read_rows(folder: str | os.PathLike[str]) -> Iterator[Row]:
    """The rows that a log has in ``folder``, in the order they were written.

    >>> import tempfile
    >>> list(read_rows(tempfile.mkdtemp()))
    []
    """
    return (line for line in _lines(Path(folder) / ROWS) if "event" not in line)


def read_events(folder: str | os.PathLike[str]) -> Iterator[Row]:
    """The events that a log has in ``folder``.

    >>> import tempfile
    >>> list(read_events(tempfile.mkdtemp()))
    []
    """
    return (line for line in _lines(Path(folder) / ROWS) if "event" in line)


def read_settings(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """What :meth:`Log.settings` wrote; empty where there is nothing.

    Raises:
        ValueError: the file is no JSON object.

    >>> import tempfile
    >>> read_settings(tempfile.mkdtemp())
    {}
    """
    try:
        found = plain((Path(folder) / SETTINGS).read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ValueError(f"{Path(folder) / SETTINGS}: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(  # noqa: TRY004  it is the file that is wrong
            f"{Path(folder) / SETTINGS}: expected a JSON object, got {type(found).__name__}"
        )
    return {writable(name): _setting(value) for name, value in found.items()}


def _lines(path: Path) -> Iterator[Row]:
    """The objects in a file of JSON lines; lines that are none are left out, with a word about it."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    damaged = 0
    with file:
        for text in file:
            line = _parsed(text)
            if line is None:
                damaged += 1
            else:
                yield line
    if damaged:
        logger.warning("%s: %d damaged line(s) left out", path, damaged)


def _parsed(text: bytes) -> Row | None:
    try:
        line = plain(text)
    except ValueError:
        return None
    if not isinstance(line, dict) or type(line.get("step")) is not int or not all(map(_is_json_value, line.values())):
        return None
    return {
        writable(name): NOT_FINITE.get(value, writable(value)) if isinstance(value, str) else value
        for name, value in line.items()
    }


def _is_json_value(value: Any) -> bool:
    """Whether it can be in a row: no list or dictionary, and no integer that no float comes near."""
    if isinstance(value, int):
        return abs(value) < LARGEST
    return value is None or isinstance(value, float | str)


def writable(text: str) -> str:
    """The text with surrogates that stand alone written as escapes: they have no UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _mend(path: Path) -> None:
    """Cut off a last line that was torn."""
    try:
        file = path.open("r+b")
    except FileNotFoundError:
        return
    with file:
        end = size = file.seek(0, os.SEEK_END)
        tail = b""
        while end and b"\n" not in tail:
            start = max(0, end - 4096)
            file.seek(start)
            tail = file.read(end - start) + tail
            end = start
        whole = end + tail.rfind(b"\n") + 1
        if whole < size:
            file.truncate(whole)


def _text(row: Row) -> str:
    safe = {name: _json_number(value) if isinstance(value, float) else value for name, value in row.items()}
    return json.dumps(safe, ensure_ascii=False, allow_nan=False) + "\n"


def _json_number(value: float) -> float | str:
    return value if math.isfinite(value) else "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _as_json(name: str, value: Any) -> Any:
    if hasattr(value, "item"):
        value = value.item()  # a tensor or an array of one element
    if isinstance(value, str):
        return writable(value)
    if _is_json_value(value):
        return value
    if isinstance(value, int):
        raise ValueError(  # noqa: TRY004  it is the value that is wrong
            f"Log: expected a number that a float can hold for {name!r}, got one of {value.bit_length()} bits"
        )
    raise TypeError(f"Log: expected a number or a string for {name!r}, got {type(value).__name__}")


def _setting(value: Any) -> Any:
    """Settings may be nested; what JSON has no word for is written as Python shows it."""
    if isinstance(value, float):
        return _json_number(value)
    if isinstance(value, str):
        return writable(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Mapping):
        return {writable(str(name)): _setting(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_setting(entry) for entry in value]
    return writable(repr(value))


def _seconds(row: Row) -> float:
    value = row.get("seconds", 0.0)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else 0.0


@contextmanager
def replaced(path: Path) -> Iterator[IO[str]]:
    """A file that takes the place of ``path`` when it is complete and on the disk."""
    partial = path.with_name(f".{path.name}.part")
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _tensorboard_wanted(wanted: bool | None) -> bool:
    installed = importlib.util.find_spec("tensorboardX") is not None
    if wanted and not installed:
        raise ImportError("TensorBoard's files are written by tensorboardX: pip install 'gpugrad[train]'")
    return installed if wanted is None else wanted


def merged(rows: Iterable[Row]) -> dict[str, list[tuple[int, float]]]:
    """The curves in rows: for each name of numbers, ``(step, value)`` by growing step; of one step the last row counts.

    >>> merged([{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0, "note": "text"}])
    {'loss': [(1, 2.0), (2, 1.0)]}
    """
    curves: dict[str, dict[int, float]] = {}
    for row in rows:
        for name, value in row.items():
            if name != "step" and isinstance(value, int | float) and not isinstance(value, bool):
                curves.setdefault(name, {})[row["step"]] = float(value)
    return {name: sorted(points.items()) for name, points in curves.items()}
