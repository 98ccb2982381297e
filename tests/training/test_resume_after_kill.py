"""SIGKILL at random moments: the run is resumed each time, and ends as if nothing had happened.

``GPUGRAD_KILLS=50`` kills each kind of run 50 times, and reads the stream by processes in half of the runs too.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter

import pytest

from gpugrad.training import Checkpointer

KILLS = int(os.environ.get("GPUGRAD_KILLS", "0"))
SAVES = 3
"""Kills that have to come during a save; on a busy machine that takes more of them."""
STREAM = {"stream": True, "second_log": True, "num_workers": 2}
"""A stream that draws and divides itself, two workers, and a second log. All runs have BatchNorm, dropout, an EMA, a
schedule, accumulation and a metric."""
ROWS = {
    "waiting": (25, {"asynchronous": False, "save_every": 4}),
    "asynchronous": (25, {"asynchronous": True, "save_every": 10}),
    "stream": (8, {"asynchronous": True, "save_every": 5, **STREAM}),
}


def hit(moments):
    """The number of kills that came during a save."""
    return sum(saving for _, saving, _ in moments)


def newest(folder):
    """The step of the newest checkpoint that verifies, or 0."""
    checkpointer = Checkpointer(folder / "checkpoints")
    names = checkpointer.names()  # a kill leaves nothing half-written under a checkpoint's name: each of them loads
    return max((checkpointer.load(name).step for name in names), default=0)


@pytest.mark.parametrize("row", ROWS)
def test_kills_lose_nothing(runs, row, tmp_path, record_property, capsys):
    chance = random.Random(7)
    kills, spec = ROWS[row]
    kills, save_every, spec = KILLS or kills, spec["save_every"], {**spec, "epochs": 8}
    readers = ["thread", "process"] if KILLS and "num_workers" in spec else ["thread"]
    started = time.monotonic()
    uninterrupted = runs.finished(folder=tmp_path / "uninterrupted", workers=readers[0], **spec)
    whole = time.monotonic() - started
    moments, ends, number = [], 0, 0
    while len(moments) < kills or (hit(moments) < SAVES and len(moments) < 4 * kills):
        folder = tmp_path / f"run{number}"
        workers = readers[number % len(readers)]
        process = runs.start(folder=folder, prefetch=chance.choice([0, 1, 2, 5]), workers=workers, **spec)
        slower = 3.0 if workers == "process" else 1.0
        time.sleep(chance.uniform(0, 0.7 * whole * slower))
        if chance.random() < 0.5:  # now wait for the next save, and for a part of it
            deadline = time.monotonic() + whole
            while runs.state()[1] == 0 and time.monotonic() < deadline:
                pass
            time.sleep(chance.uniform(0, 0.004))
        runs.kill(process, signal.SIGKILL)
        status = runs.wait()
        if status == 0:  # it was faster
            assert runs.result.read_text() == uninterrupted
            ends, number = ends + 1, number + 1
            continue
        assert status == -signal.SIGKILL, runs.out.read_text()
        step, saving = runs.state()
        lost = max(step - newest(folder), 0)
        assert lost <= save_every
        moments.append((step, bool(saving), lost))
        if len(moments) % 5 == 0:  # not all at the end
            assert runs.finished(folder=folder, workers=workers, **spec) == uninterrupted
            ends, number = ends + 1, number + 1
    assert runs.finished(folder=folder, workers=workers, **spec) == uninterrupted
    saves = hit(moments)
    assert saves >= SAVES
    lost = dict(sorted(Counter(lost for *_, lost in moments).items()))
    text = (
        f"{len(moments)} kills, {row}, {ends + 1} runs, at most {save_every} steps to "
        f"be lost; {saves} during a save; how often so many steps were lost: {lost}; "
        f"in step {', '.join(str(step) + '*' * saving for step, saving, _ in moments)} (* during a save)"
    )
    record_property("moments", text)
    with capsys.disabled():
        print(f"\n{text}")
