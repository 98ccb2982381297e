"""Copies that the host does not wait for, with streams that run late: right as they are, wrong with a fault planted."""

from __future__ import annotations

import contextlib
import gc

import numpy
import pytest

import gpugrad as gg
from gpugrad import backend, data
from gpugrad.testing import cuda_simulator

pytestmark = pytest.mark.any_device


@pytest.fixture
def late(request):
    """Install the simulated CuPy, with streams that run late by a seed."""
    if request.config.getoption("--device") == "cuda":
        pytest.skip("planted in the simulator")

    @contextlib.contextmanager
    def installed(seed):
        with cuda_simulator.installed(lag=seed) as cupy, gg.default_device("cuda"):
            yield cupy

    return installed


def transfers():
    from gpugrad.backend import transfers  # of the machine that is installed now

    return transfers


# Programs: whether all their numbers are right ------------------------------------------------------------------------


def batches_from_the_host(cp):
    """Uploads through two slots, of loaders that come and go, while the device is behind."""
    device, weights, found = gg.device("cuda"), cp.ones((8, 8)), []
    for _epoch in range(4):
        upload = backend.load_cuda().uploader(device, 2)
        coming = [upload([numpy.full(64, 4.0 * _epoch)])]
        for k in range(1, 5):
            coming.append(upload([numpy.full(64 + 8 * k, 4.0 * _epoch + k % 4)]))
            found.append(coming.pop(0)()[0] * 1)
            weights = weights @ weights
        del upload, coming
    cp.cuda.Stream.null.synchronize()
    return all((value.get() == k).all() for k, value in enumerate(found))


def epochs_of_a_loader(cp):
    """Nothing waits at the end of an epoch."""
    rows = numpy.repeat(numpy.arange(6, dtype="float32"), 8)[:, None] * numpy.ones((1, 40), "float32")
    loader, found, weights = data.DataLoader(data.ArrayDataset(rows), batch_size=8), [], cp.ones((8, 8))
    for _ in range(4):
        for (batch,) in loader:
            found.append((batch.min(), batch.max()))
            weights = weights @ weights
    return all((low.item(), high.item()) == (i % 6,) * 2 for i, (low, high) in enumerate(found))


def states_to_the_host(cp):
    """Downloads through three small blocks, of arrays that are overwritten at once; some results are dropped."""
    arrays = [cp.full(n, -1.0) for n in (40, 1, 200, 7)]
    waits, others = [], []
    for step in range(6):
        for i, array in enumerate(arrays):
            array.fill(10 * step + i)
        waits.append(backend.fetch(arrays))
        if step % 2:
            waits[step] = None
            others.append(transfers().pinned(512))
            others[-1][:] = 7
        if step == 2:
            cp.cuda.Stream.null.synchronize()
    right = True
    for step, wait in reversed(list(enumerate(waits))):
        if wait is not None:
            right &= all((copy == 10 * step + i).all() for i, copy in enumerate(wait()))
    return right and all((other == 7).all() for other in others)


def batches_of_another_stream(cp):
    """Arrays that one stream makes and another one takes, while the first goes on."""
    makes, takes, found = cp.cuda.Stream(non_blocking=True), cp.cuda.Stream(non_blocking=True), []
    for k in range(6):
        with makes:
            ready = backend.load_cuda().handover([cp.full(100, float(k)) * 2 for _ in range(2)])
        with takes:
            found += [(2.0 * k, array + 0) for array in ready()]
        with makes:
            later = cp.full(100, -1.0)
        if k % 3 == 2:
            makes.synchronize()
        del ready, later
    takes.synchronize()
    with takes:
        return all((array.get() == value).all() for value, array in found)


def indices_out_of_bounds(cp):
    """A check on a stream that the host waits for last."""
    values, index, other = gg.arange(3.0), gg.tensor(numpy.array([0, 9])), cp.cuda.Stream(non_blocking=True)
    cp.cuda.Stream.null.synchronize()
    with other:
        taken = values[index]
    if gg.ones(3).sum().item() != 3:
        return False
    try:
        with other:
            taken.sum().item()
    except IndexError as error:
        return "index 9 is out of bounds" in str(error)
    return False


# Faults -------------------------------------------------------------------------------------------------------------


def recorded_on_another_stream(monkeypatch, cp, side):
    """Events of the default stream are recorded on a new one, or those of all others on the default stream."""
    record, other = cp.cuda.Stream.record, cp.cuda.Stream(non_blocking=True)

    def wrong(self, event=None):
        return record(cp.cuda.Stream.null if side else other, event) if bool(self.ptr) == side else record(self, event)

    monkeypatch.setattr(cp.cuda.Stream, "record", wrong)


def not_waited_for(monkeypatch, cp, side):
    """No event is waited for by the default stream, or by none of the others."""
    wait = cp.cuda.Stream.wait_event
    monkeypatch.setattr(cp.cuda.Stream, "wait_event",
                        lambda self, event: None if bool(self.ptr) == side else wait(self, event))  # fmt: skip


def slots_end_with_their_loader(monkeypatch, cp):
    monkeypatch.setattr(transfers().Slots, "borrow", lambda self: transfers().Slot())
    monkeypatch.setattr(transfers().Slots, "give", lambda self, slots: None)


def slots_grow_in_use(monkeypatch, cp):
    monkeypatch.setattr(transfers().Slot, "finish", lambda self: None)


def the_host_waits_for_no_event(monkeypatch, cp):
    monkeypatch.setattr(cp.cuda.Event, "synchronize", lambda self: None)


def blocks_are_free_when_they_are_full(monkeypatch, cp):
    close = transfers().Downloads._close

    def early(self, block, stream):
        close(self, block, stream)
        self._free.append(block.memory)

    monkeypatch.setattr(transfers().Downloads, "_close", early)


def blocks_end_with_their_result(monkeypatch, cp):
    """Pinned memory belongs to the result, as if nothing but the caller held it."""
    call = transfers().Downloads.__call__
    monkeypatch.setattr(transfers().Downloads, "__call__", lambda self, arrays: call(transfers().Downloads(), arrays))


def reports_are_shared_by_all_streams(monkeypatch, cp):
    monkeypatch.setattr(type(backend.load_cuda()), "stream_id", lambda self, device: 0)


def nothing_is_held(monkeypatch, cp):
    monkeypatch.setattr(transfers().InFlight, "hold", lambda self, mark, memory: None)


FAULTS = {
    "a slot freed early": (batches_from_the_host, slots_end_with_their_loader),
    "a slot freed early, at the end of an epoch": (epochs_of_a_loader, slots_end_with_their_loader),
    "a slot freed when it grows": (batches_from_the_host, slots_grow_in_use),
    "a slot overwritten early": (batches_from_the_host, the_host_waits_for_no_event),
    "uploads recorded on the default stream": (batches_from_the_host, (recorded_on_another_stream, True)),
    "takes recorded on another stream": (batches_from_the_host, (recorded_on_another_stream, False)),
    "takes do not wait for uploads": (batches_from_the_host, (not_waited_for, False)),
    "uploads do not wait for takes": (batches_from_the_host, (not_waited_for, True)),
    "a block freed early": (states_to_the_host, blocks_are_free_when_they_are_full),
    "a block freed with its result": (states_to_the_host, blocks_end_with_their_result),
    "downloads recorded on another stream": (states_to_the_host, (recorded_on_another_stream, False)),
    "downloads not waited for": (states_to_the_host, the_host_waits_for_no_event),
    "memory of another stream freed early": (batches_of_another_stream, nothing_is_held),
    "makes recorded on the default stream": (batches_of_another_stream, (recorded_on_another_stream, True)),
    "takes do not wait for makes": (batches_of_another_stream, (not_waited_for, True)),
    "a report read before it is written": (indices_out_of_bounds, reports_are_shared_by_all_streams),
}


def right(program, cp, monkeypatch):
    monkeypatch.setattr(transfers(), "BLOCK", 512)
    monkeypatch.setattr(transfers(), "BLOCKS", 3)
    with contextlib.suppress(cuda_simulator.KernelError, IndexError):
        return program(cp)
    return False


@pytest.mark.parametrize("program", dict.fromkeys(program for program, _ in FAULTS.values()))
def test_late_streams_change_nothing(program, late, monkeypatch):
    for seed in range(5):
        with late(seed) as cp, monkeypatch.context() as patch:
            assert right(program, cp, patch), f"lag {seed}"


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_shows_as_late_as_possible(name, late, monkeypatch):
    program, fault = FAULTS[name]
    plant, *options = fault if isinstance(fault, tuple) else (fault,)
    with late(1) as cp, monkeypatch.context() as patch:
        plant(patch, cp, *options)
        assert not right(program, cp, patch)


def test_slots_of_a_loader_in_a_cycle_stay_whole(late):
    """The garbage collector calls the finalizers of a cycle in any order: those of events before that of the loader."""
    with late(1):
        upload = backend.load_cuda().uploader(gg.device("cuda"), 2)
        found = [upload([numpy.full(64, k)])()[0] for k in range(3)]
        cycle = [upload, *upload._slots]
        cycle.append(cycle)
        del upload, cycle
        gc.collect()
        upload = backend.load_cuda().uploader(gg.device("cuda"), 2)
        found += [upload([numpy.full(64, k)])()[0] for k in range(3, 6)]
        assert [(array.get() == k).all() for k, array in enumerate(found)] == [True] * 6
