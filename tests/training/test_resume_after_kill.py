"""SIGKILL at 50 random moments: the run goes on each time, and ends as if nothing had happened."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter

import pytest

from gpugrad.training import Checkpointer

KILLS = 50
SAVES = 3
"""Kills that have to come during a save; on a busy machine that takes more of them."""


def hit(moments):
    """The number of kills that came during a save."""
    return sum(saving for _, saving, _ in moments)


def newest(folder):
    """The step of the newest checkpoint that verifies, or 0."""
    checkpointer = Checkpointer(folder / "checkpoints")
    names = checkpointer.names()  # a kill leaves nothing half-written under a checkpoint's name: each of them loads
    return max((checkpointer.load(name).step for name in names), default=0)


@pytest.mark.parametrize(("asynchronous", "save_every"), [(False, 4), (True, 10)], ids=["waiting", "asynchronous"])
def test_fifty_kills_lose_nothing(runs, asynchronous, save_every, tmp_path, record_property, capsys):
    chance = random.Random(7)
    spec = {"asynchronous": asynchronous, "save_every": save_every, "epochs": 8}
    started = time.monotonic()
    uninterrupted = runs.finished(folder=tmp_path / "uninterrupted", **spec)
    whole = time.monotonic() - started
    moments, ends, number = [], 0, 0
    while len(moments) < KILLS // 2 or (hit(moments) < SAVES and len(moments) < 2 * KILLS):
        folder = tmp_path / f"run{number}"
        process = runs.start(folder=folder, prefetch=chance.choice([0, 1, 2, 5]), **spec)
        time.sleep(chance.uniform(0, 0.7 * whole))
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
            assert runs.finished(folder=folder, **spec) == uninterrupted
            ends, number = ends + 1, number + 1
    assert runs.finished(folder=folder, **spec) == uninterrupted
    saves = hit(moments)
    assert saves >= SAVES
    lost = dict(sorted(Counter(lost for *_, lost in moments).items()))
    text = (
        f"{len(moments)} kills, {'asynchronous' if asynchronous else 'waiting'} saves, at most {save_every} steps to "
        f"be lost; {saves} during a save; how often so many steps were lost: {lost}; "
        f"in step {', '.join(str(step) + '*' * saving for step, saving, _ in moments)} (* during a save)"
    )
    record_property("moments", text)
    with capsys.disabled():
        print(f"\n{text}")
