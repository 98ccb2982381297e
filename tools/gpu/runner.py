"""Run parts within a budget, and write what they find while they run."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from parts import HERE, Part

ROOT = HERE.parent.parent
GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL, within the limit of a part."""

RESERVE = 0.5
"""Seconds at the end for the last table."""


LEAST = 8.0
"""Seconds that a part gets where there are as many: the start of a process and of CUDA in it."""


def limit(parts: Sequence[Part], left: float) -> float:
    """Seconds for the first of these parts: its share of the time that is left. What it leaves goes to the others."""
    left = max(0.0, left)
    return min(left, max(LEAST, left * parts[0].share / sum(part.share for part in parts)))


def write(path: Path, text: str) -> None:
    """Replace a file at once: whoever reads it, or a kill, finds the old text or the new one."""
    beside = path.with_name(f".{path.name}")
    beside.write_text(text)
    beside.replace(path)


class Runner:
    """A session.

    Args:
        parts: in the order in which they run.
        budget: seconds for all of them.
        out: the folder for the results.
        device: ``cuda`` or ``simulator``.
    """

    def __init__(self, parts: Sequence[Part], budget: float, out: Path, device: str) -> None:
        self.parts, self.budget, self.out, self.device = parts, budget, out, device
        self.start, self.stopped = time.monotonic(), False
        self.rows: dict[str, dict[str, Any]] = {part.name: {"status": "not reached"} for part in parts}

    def run(self) -> int:
        """Run the parts; the exit status."""
        self.out.mkdir(parents=True, exist_ok=True)
        (self.out / "log.txt").write_text("")
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        with tempfile.TemporaryDirectory(prefix="gpugrad-gpu-", ignore_cleanup_errors=True) as work:
            for i, part in enumerate(self.parts):
                if self.stopped:
                    break
                seconds = limit(self.parts[i:], self.budget - RESERVE - (time.monotonic() - self.start))
                self._run(part, seconds, Path(work))
                self._print(part.name)
        self.save()
        print(f"\n{self.table()}", flush=True)
        return int(any(row["status"].startswith("FAILED") for row in self.rows.values()))

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopped = True

    def _run(self, part: Part, seconds: float, work: Path) -> None:
        row, start = self.rows[part.name], time.monotonic()
        row |= {"status": "running", "limit_s": round(seconds, 1)}
        self.save()
        results = work / "part.json"
        results.unlink(missing_ok=True)
        with (self.out / "log.txt").open("ab") as log:
            log.write(f"\n== {part.name}, {seconds:.1f} s at most\n".encode())
            log.flush()
            process = self._started(part, seconds, results, work, log)
            try:
                cut = self._watch(process, part, start + seconds, results)
            finally:
                end(process)
                self._take(part, results)
                row["seconds"] = round(time.monotonic() - start, 1)
        row["status"] = status(row.get("found", {}), process.returncode, cut)

    def _started(self, part: Part, seconds: float, results: Path, work: Path, log: Any) -> subprocess.Popen[bytes]:
        arguments = [argument.format(results=results) for argument in part.arguments]
        path = os.pathsep.join(filter(None, [str(ROOT), str(HERE), os.environ.get("PYTHONPATH")]))
        variables = {
            "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1",
            "GPUGRAD_CACHE_DIR": str(work / "kernels"), "CUPY_CACHE_DIR": str(work / "cupy"),
            "GPU_RESULTS": str(results), "GPU_DEVICE": self.device, "GPU_SECONDS": str(seconds - GRACE),
            **dict(part.environment),
        }  # fmt: skip
        return subprocess.Popen(
            [sys.executable, str(HERE / "launch.py"), str(part.script), *arguments], cwd=ROOT, stdout=log, stderr=log,
            stdin=subprocess.DEVNULL, env={**os.environ, **variables}, start_new_session=True,
        )  # fmt: skip

    def _watch(self, process: subprocess.Popen[bytes], part: Part, deadline: float, results: Path) -> bool:
        """Wait for a process and take what it writes; whether it was cut."""
        while True:
            left = deadline - GRACE - time.monotonic()
            try:
                process.wait(min(max(left, 0.01), 0.5))
                return False
            except subprocess.TimeoutExpired:
                if self._take(part, results):
                    self.save()
            if left <= 0 or self.stopped:
                return True

    def _take(self, part: Part, results: Path) -> bool:
        """The newest results of a part; whether there are others than before."""
        row = self.rows[part.name]
        try:
            found = json.loads(results.read_text())
        except (OSError, ValueError):  # not there yet, or half written by a script of its own
            return False
        if found == row.get("found"):
            return False
        row["found"] = found
        row["summary"] = found.get("not_run") or part.summary(found)
        return True

    def save(self) -> None:
        """Write the results and the table."""
        whole = {"device": self.device, "budget_s": self.budget,
                 "seconds": round(time.monotonic() - self.start, 1), "parts": self.rows}  # fmt: skip
        write(self.out / "results.json", json.dumps(whole, indent=1) + "\n")
        write(self.out / "table.txt", self.table() + "\n")

    def table(self) -> str:
        """One line for each part."""
        return "\n".join(self._line(name) for name in self.rows)

    def _line(self, name: str) -> str:
        row = self.rows[name]
        return f"{name:<20}{row['status']:<13}{row.get('seconds', 0):6.1f} s  {row.get('summary', '')}".rstrip()

    def _print(self, name: str) -> None:
        self.save()
        print(self._line(name), flush=True)


def status(found: dict[str, Any], code: int, cut: bool) -> str:
    """What became of a part, from its results and the exit status of its process."""
    if "not_run" in found:
        return "skipped"
    wrong = found.get("failed", 0) + found.get("errors", 0) + len(found.get("problems", ()))
    wrong += sum(not check["ok"] for check in found.get("checks", ()))
    if wrong or (code and not cut):
        return "FAILED, cut" if cut else "FAILED"
    return "cut" if cut else "ok"


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and those that it started."""
    for number, patience in ((signal.SIGTERM, GRACE), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
