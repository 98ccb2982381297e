"""A Trainer in several processes: what it learns, and what is left when one of them is killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy
import pytest

pytest.importorskip("mpi4py")
from test_processes import HERE, MPIEXEC, run

pytestmark = [
    pytest.mark.any_device,
    pytest.mark.skipif(MPIEXEC is None, reason="there is no mpiexec: pip install mpich"),
]


def trained(count, folder, expect=0, **settings):
    """What ``with_a_trainer.py`` has written."""
    given = json.dumps({"together": count > 1, **settings})
    if count > 1:
        status, printed = run(count, "with_a_trainer.py", str(folder), given)
    else:
        ran = subprocess.run(
            [sys.executable, HERE / "with_a_trainer.py", str(folder), given], capture_output=True, text=True,
            check=False, env={**os.environ, "GPUGRAD_DEVICE": "cpu", "GPUGRAD_COMPILE": "0"},
        )  # fmt: skip
        status, printed = ran.returncode, ran.stdout + ran.stderr
    assert status == expect, printed
    return None if expect else json.loads(folder.with_suffix(".json").read_text())


def close(one, other, tolerance):
    assert one["step"] == other["step"]
    for name, value in one["results"].items():
        assert value == pytest.approx(other["results"][name], abs=tolerance), name
    for name, value in one["state"].items():
        numpy.testing.assert_allclose(value, other["state"][name], rtol=0, atol=tolerance)


@pytest.mark.parametrize("settings", [{}, {"accumulate": 3, "ignored": 2}, {"sharded": True}], ids=str)
def test_several_processes_learn_what_one_learns(tmp_path, settings):
    alone = trained(1, tmp_path / "alone", **{k: v for k, v in settings.items() if k != "sharded"})
    both = trained(2, tmp_path / "both", **settings)
    close(alone, both, 1e-12)
    rows = [json.loads(line) for line in (tmp_path / "both" / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == sorted({row["step"] for row in rows if "loss" in row})


def test_a_signal_to_one_rank_ends_all_behind_the_same_step(tmp_path):
    whole = trained(2, tmp_path / "whole", dropout=0.2)
    trained(2, tmp_path / "ended", expect=75, dropout=0.2, signal=[9, 1])
    close(whole, trained(2, tmp_path / "ended", dropout=0.2), 0)


def test_killed_ranks_lose_nothing(tmp_path):
    whole = trained(2, tmp_path / "whole", dropout=0.2, sharded=True)
    folder, kills, rng = tmp_path / "killed", 0, random.Random(1)
    for _ in range(2):
        settings = json.dumps({"together": True, "dropout": 0.2, "sharded": True, "sleep": 0.05})
        process = subprocess.Popen(
            [MPIEXEC, "-n", "2", sys.executable, "with_a_trainer.py", str(folder), settings],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=HERE,
            env={**os.environ, "GPUGRAD_DEVICE": "cpu", "GPUGRAD_COMPILE": "0", "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip
        while process.poll() is None and not _ranks(folder):
            time.sleep(0.05)
        deadline = time.monotonic() + 60
        while (
            process.poll() is None
            and time.monotonic() < deadline
            and not list(folder.glob("checkpoints/*/manifest.json"))
        ):
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 0.5))
        ranks = _ranks(folder)
        if process.poll() is None and ranks:
            os.kill(rng.choice(ranks), signal.SIGKILL)
            kills += 1
        assert process.wait(timeout=60) != 0 or not ranks
        deadline = time.monotonic() + 20
        while _ranks(folder) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not _ranks(folder), "a process is left"
    assert kills
    close(whole, trained(2, folder, dropout=0.2, sharded=True), 0)
    # Another number of processes goes on from there: other dropout masks, the same data.
    one = trained(1, tmp_path / "fewer", epochs=2)
    close(trained(1, tmp_path / "more", epochs=4), trained(2, tmp_path / "fewer", epochs=4), 1e-12)
    assert one["step"] == 14


def _ranks(folder):
    """The processes that train into a folder."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            if b"python" in words[0] and str(folder).encode() in words and b"with_a_trainer.py" in words:
                found.append(int(name))
    return found
