"""Runs in processes of their own, which tests may kill; random numbers that stay as they were."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

import gpugrad as gg

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def random_numbers_stay():
    before = gg.random.default_generator.state
    yield
    gg.random.default_generator.state = before


class Runs:
    """Starts runs of ``worker.py`` in one folder after the other, one run at a time."""

    def __init__(self, folder):
        self.folder = folder
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        variables = {"PYTHONPATH": path, "GPUGRAD_DEVICE": "cpu", "OPENBLAS_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("worker.py"))], env={**os.environ, **variables}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self.process.stdout.readline() == "ready\n"
        self.shared, self.result = folder / "shared", folder / "result"
        self.out, self.marker = folder / "out", folder / "marker"

    def start(self, **spec):
        """Begin a run; its process id."""
        for path in (self.result, self.marker, self.out):
            path.unlink(missing_ok=True)
        files = {"shared": self.shared, "result": self.result, "out": self.out, "marker": self.marker}
        spec = {**{name: str(path) for name, path in files.items()}, **spec}
        self.process.stdin.write(json.dumps(spec, default=str) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def wait(self):
        """The status of the run, when it has ended."""
        return int(self.process.stdout.readline())

    def finished(self, **spec):
        """Run to the end; what it ends with, as text."""
        self.start(**spec)
        assert self.wait() == 0, self.out.read_text()
        return self.result.read_text()

    def kill(self, process, number):
        with suppress(ProcessLookupError):  # it was faster
            os.kill(process, number)

    def state(self):
        """The step of the run, and whether a save was under way."""
        content = self.shared.read_bytes().ljust(16, b"\0")
        return int.from_bytes(content[:8], "little"), int.from_bytes(content[8:16], "little")

    def marked(self):
        """Wait until the run is in its slow place."""
        deadline = time.monotonic() + 60
        while not self.marker.exists():
            assert time.monotonic() < deadline, self.out.read_text()
            time.sleep(0.002)

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


@pytest.fixture(scope="module")
def runs(request, tmp_path_factory):
    if request.config.getoption("--device") not in (None, "cpu"):
        pytest.skip("the runs are in processes of their own, on the CPU")
    if not hasattr(os, "fork"):
        pytest.skip("needs os.fork")
    runs = Runs(tmp_path_factory.mktemp("runs"))
    yield runs
    runs.close()


@pytest.fixture(scope="module")
def uninterrupted(runs, tmp_path_factory):
    """What the run ends with that nobody disturbs."""
    return runs.finished(folder=tmp_path_factory.mktemp("uninterrupted"))
