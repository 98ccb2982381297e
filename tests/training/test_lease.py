"""One owner per run: a second process is refused by name, a dead owner is replaced, a displaced one writes nothing."""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import queue
import random
import re
import signal
import sys
import threading
import time
import uuid
from dataclasses import asdict, replace

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn, optim
from gpugrad.training import Checkpointer, OwnedError, Trainer
from gpugrad.training.checkpoints import lease
from gpugrad.training.checkpoints.lease import FILE, Lease, Owner
from gpugrad.training.checkpoints.stores import store
from gpugrad.training.reporting.log import read_rows

pytestmark = pytest.mark.any_device
FORK = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def random_numbers_stay():
    before = gg.random.default_generator.state
    yield
    gg.random.default_generator.state = before


@pytest.fixture(params=["folder", "memory"])
def place(request, tmp_path):
    return place_of(request.param, tmp_path)


def place_of(kind, folder):
    if kind == "folder":
        return str(folder / "run")
    pytest.importorskip("fsspec", reason="URLs are reached through fsspec")
    if kind != "memory":
        delayed()
    return f"{kind}://{uuid.uuid4().hex}/run"


@functools.cache
def delayed():
    """Stores in memory that take their time; ``torn`` has none of the guarantees that a store may have.

    It cannot create a file exclusively, and shows a file that is being written as an empty one.
    """
    import fsspec
    from fsspec.implementations.memory import MemoryFileSystem

    class Slow(MemoryFileSystem):
        protocol = "slow"

        def pipe_file(self, path, value, mode="overwrite", **kwargs):
            time.sleep(random.uniform(0, 0.02))
            super().pipe_file(path, value, mode=mode, **kwargs)

        def cat_file(self, path, **kwargs):
            time.sleep(random.uniform(0, 0.01))
            return super().cat_file(path, **kwargs)

    class Torn(Slow):
        protocol = "torn"

        def pipe_file(self, path, value, mode="overwrite", **kwargs):
            if mode == "create":
                raise NotImplementedError
            MemoryFileSystem.pipe_file(self, path, b"")
            super().pipe_file(path, value, **kwargs)

    for kind in (Slow, Torn):
        fsspec.register_implementation(kind.protocol, kind)


def owner_of(place):
    return Owner(**json.loads(store(place).read(FILE)))


def put_owner(place, owner):
    store(place).write(FILE, json.dumps(asdict(owner)).encode())


def elsewhere(age=0.0):
    now = time.time() - age
    return Owner("x" * 32, "ada", "another-machine", 7, "1", now, now, 0)


def test_a_second_writer_is_refused_by_name_and_the_first_goes_on(place):
    with Checkpointer(place) as first:
        first.save(1, wait=True)
        with pytest.raises(OwnedError, match=re.escape(f"{place} belongs to another Checkpointer of this process")):
            Checkpointer(place).save(2)
        assert Checkpointer(place).restore().step == 1, "reading needs no lease"
        first.save(3, wait=True)
    with Checkpointer(place) as second:
        second.save(4, wait=True)
        assert second.names() == ["000001-step-1", "000002-step-3", "000003-step-4"]


def test_whoever_is_taken_over_writes_and_deletes_nothing_more(place):
    first = Checkpointer(place, keep_last=1)
    first.save(1, wait=True)
    with Checkpointer(place, takeover=True, keep_last=None) as second:
        second.save(2, wait=True)
        for attempt in (lambda: first.save(3, wait=True), lambda: first._prune("000009-step-9")):
            with pytest.raises(OwnedError, match="was taken over by another Checkpointer of this process"):
                attempt()
        first.close()
        assert second.names() == ["000001-step-1", "000003-step-2"], "a number is left out for a save under way"
        assert owner_of(place).term == 1
        second.save(3, wait=True)


def test_a_save_under_way_when_the_run_is_taken_over_is_abandoned(place):
    first = Checkpointer(place)
    first.save(1, wait=True)
    waiting, go = threading.Event(), threading.Event()
    put = first.store.put

    def slow(*args):
        waiting.set()
        go.wait(20)
        put(*args)

    first.store.put = slow
    first.save(2)
    waiting.wait(20)
    with Checkpointer(place, takeover=True) as second:
        second.save(1, wait=True)
        go.set()
        with pytest.raises(OwnedError):
            first.wait()
        assert second.names() == ["000001-step-1", "000003-step-1"]


@pytest.mark.parametrize("how", ["its process has ended", "silent for a minute", "very old, elsewhere", "no lease"])
def test_an_owner_that_is_gone_is_replaced_at_once(place, how):
    Checkpointer(place).save(1, wait=True)
    here = Lease(store(place))
    mine = replace(here.owner, token="y" * 32)
    here.release()
    process = FORK.Process(target=int)
    process.start()
    process.join()
    owners = {
        "its process has ended": replace(mine, process=process.pid, born="1"),
        "silent for a minute": replace(mine, process=os.getppid(), born=lease._born(os.getppid()),
                                       renewed=time.time() - lease.STALE - 1),
        "very old, elsewhere": elsewhere(age=3600),
    }  # fmt: skip
    if how == "no lease":
        store(place).write(FILE, b"[" * 100)
    else:
        put_owner(place, owners[how])
    with Checkpointer(place) as next_one:
        next_one.save(2, wait=True)
        assert owner_of(place).process == os.getpid()


def test_an_owner_on_another_machine_is_watched_before_it_is_replaced(place, monkeypatch):
    monkeypatch.setattr(lease, "STALE", 1.0)
    Checkpointer(place).save(1, wait=True)
    put_owner(place, elsewhere())
    timer = threading.Timer(0.4, put_owner, (place, elsewhere()))
    timer.start()
    with pytest.raises(OwnedError, match="belongs to process 7 of ada on another-machine, since 20"):
        Checkpointer(place).save(2)
    timer.join()
    with Checkpointer(place) as next_one:  # now nobody renews it
        next_one.save(2, wait=True)


def test_an_owner_says_that_it_is_alive_until_it_is_forgotten(place, monkeypatch):
    monkeypatch.setattr(lease, "STALE", 0.2)
    checkpointer = Checkpointer(place)
    checkpointer.save(1, wait=True)
    first = owner_of(place).renewed
    deadline = time.monotonic() + 20
    while owner_of(place).renewed == first:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    del checkpointer
    while store(place).read(FILE) is not None:  # at the latest when the renewal under way is done
        assert time.monotonic() < deadline
        time.sleep(0.01)


def racer(folder, who, go, results):
    go.wait()
    saved, error = 0, ""
    checkpointer = Checkpointer(folder, keep_last=3)
    for step in range(1, 8):
        try:
            checkpointer.save(step, extra={"who": who, "x": numpy.full(2000, float(who))}, wait=True)
            saved += 1
        except OwnedError as refused:
            error = str(refused)
    results.put((who, saved, error))


@pytest.mark.parametrize("kind", ["folder", "memory", "slow", "torn"])
def test_two_writers_that_start_together(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(lease, "WITHOUT_CREATION", 0.1)
    refusals, count = 0, 6 if kind in ("folder", "memory") else 2
    for race in range(count):
        folder = place_of(kind, tmp_path / str(race))
        if kind == "folder":
            go, results, start = FORK.Event(), FORK.SimpleQueue(), FORK.Process
        else:  # what is in memory is seen by one process
            go, results, start = threading.Event(), queue.SimpleQueue(), threading.Thread
        writers = [start(target=racer, args=(folder, who, go, results)) for who in (1, 2)]
        for writer in writers:
            writer.start()
        go.set()
        found = [results.get() for _ in writers]
        for writer in writers:
            writer.join()
        checkpointer = Checkpointer(folder)
        loaded = [checkpointer.load(name) for name in checkpointer.names()]
        assert all((c.extra["x"] == c.extra["who"]).all() for c in loaded)
        numbers = [int(name[:6]) for name in checkpointer.names()]
        assert numbers == sorted(set(numbers))
        for _, saved, error in found:
            assert saved == 7 or re.search("belongs to (process|another Checkpointer)", error)
            refusals += bool(error)
        assert max(saved for _, saved, _ in found) == 7
    assert refusals >= count // 2, "the races are races"


def test_a_lease_that_is_being_written_is_waited_for(place):
    Checkpointer(place).save(1, wait=True)
    whole = json.dumps(asdict(elsewhere())).encode()
    store(place).write(FILE, whole[:20])
    timer = threading.Timer(0.2, store(place).write, (FILE, whole))
    timer.start()
    assert lease._read(store(place)) == Owner(**json.loads(whole))
    timer.join()


@pytest.mark.parametrize("scheme", ["file", "local"])
def test_urls_of_local_folders_are_local(scheme, tmp_path):
    assert store(f"{scheme}://{tmp_path}").local


def fit(folder, epochs, **options):
    model = nn.Linear(1, 1)
    trainer = Trainer(
        model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1), folder=folder, progress=False, log_every=1,
        save_every=2, save_seconds=None, **options,
    )  # fmt: skip
    trainer.fit([(gg.ones((2, 1)), gg.ones((2, 1)))] * 4, epochs=epochs)
    return trainer


def sleeper(folder, ready, go):
    class Wait(gg.training.Callback):
        def on_step(self, trainer):
            if trainer.step == 5:
                ready.set()
                go.wait(60)

    try:
        fit(folder, 4, callbacks=[Wait()])
    except OwnedError:
        os._exit(9)
    os._exit(0)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs SIGSTOP")
def test_a_process_that_wakes_up_in_a_run_of_another_one_harms_nothing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)  # it takes seconds to import
    ready, go = FORK.Event(), FORK.Event()
    old = FORK.Process(target=sleeper, args=(tmp_path, ready, go))
    old.start()
    assert ready.wait(60)
    with pytest.raises(OwnedError, match=f"belongs to process {old.pid} of"):
        fit(tmp_path, 4, callbacks=[gg.training.Callback()])
    os.kill(old.pid, signal.SIGSTOP)
    monkeypatch.setattr(lease, "STALE", 0.0)  # as if a minute had gone by
    fit(tmp_path, 4, callbacks=[gg.training.Callback()])
    before = sorted(path.name for path in (tmp_path / "checkpoints").iterdir()), (tmp_path / "log.jsonl").read_bytes()
    os.kill(old.pid, signal.SIGCONT)
    go.set()
    old.join(60)
    assert old.exitcode == 9
    after = sorted(path.name for path in (tmp_path / "checkpoints").iterdir()), (tmp_path / "log.jsonl").read_bytes()
    assert before == after
    rows = [(row["step"], "loss" in row) for row in read_rows(tmp_path)]
    assert len(rows) == len(set(rows))
