"""Copies off the device, beside its work: right, whole, and without a wait in the loop."""

from __future__ import annotations

from contextlib import nullcontext

import numpy
import pytest

import gpugrad as gg
from gpugrad import backend, nn, optim
from gpugrad.testing import cuda_simulator
from gpugrad.training import Checkpointer

ARRAYS = [
    numpy.arange(12.0).reshape(3, 4), numpy.zeros((0, 3), "float32"), numpy.array(5), numpy.arange(6)[::2],
    numpy.arange(6).reshape(2, 3).T, numpy.array([True, False]), numpy.array([1 + 2j]),
]  # fmt: skip


@pytest.fixture
def simulator(request):
    if request.config.getoption("--device") == "cuda":
        pytest.skip("what is counted is counted by the simulator")
    with nullcontext() if cuda_simulator.is_installed() else cuda_simulator.installed(devices=2):
        yield


def test_every_array_arrives(device):
    arrays = [gg.asarray(array, device=device).data for array in ARRAYS]
    found = backend.fetch(arrays)()
    assert [type(array) for array in found] == [numpy.ndarray] * len(ARRAYS)
    for got, expected in zip(found, ARRAYS, strict=True):
        assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
        numpy.testing.assert_array_equal(got, expected)


def test_from_several_devices_in_their_order(simulator):
    places = ["cuda:0", "cpu", "cuda:1", "cuda:0"] if backend.load_cuda().count > 1 else ["cuda:0", "cpu", "cuda:0"]
    arrays = [gg.full(3, i, device=place).data for i, place in enumerate(places)]
    assert [array[0] for array in backend.fetch(arrays)()] == list(range(len(places)))


def test_of_nothing():
    assert backend.fetch([])() == []


def test_a_save_makes_the_loop_wait_for_nothing(simulator, tmp_path):
    with gg.default_device("cuda"):
        model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
        optimizer = optim.Adam(model.parameters())
        (model(gg.ones((5, 3))) ** 2).sum().backward()
        optimizer.step()
        checkpointer = Checkpointer(tmp_path, {"model": model, "optimizer": optimizer})
        started, checkpointer._write = [], lambda about, tree, arrays: started.append(arrays)
        with cuda_simulator.count() as seen:
            checkpointer.save(1)
        checkpointer.wait()
        assert (seen.device_to_host, seen.allocations) == (15, 0), "a copy each, and no memory on the device"
        (written,) = started
    state = {f"parts/model/{name}": value.numpy() for name, value in model.state_dict().items()}
    assert state.keys() < written.keys()
    for name, expected in state.items():
        numpy.testing.assert_array_equal(written[name], expected)


def test_fetching_waits_for_nothing_and_what_is_written_after_it_does_not_arrive(simulator):
    arrays = [gg.full((100, i), i, device="cuda:0").data for i in range(40)]
    with cuda_simulator.count() as seen:
        wait = backend.fetch(arrays)
        for array in arrays:
            array.fill(-1)
    assert (seen.synchronizations, seen.device_to_host) == (0, 39)
    assert all((copy == i).all() and copy.shape == (100, i) for i, copy in enumerate(wait()))


def test_a_state_larger_than_the_pinned_blocks_arrives_in_pieces(simulator, monkeypatch):
    from gpugrad.backend import transfers

    monkeypatch.setattr(transfers, "BLOCK", 512)
    monkeypatch.setattr(transfers, "BLOCKS", 3)
    monkeypatch.setattr(backend.load_cuda(), "_downloads", {})
    arrays = [gg.arange(n, device="cuda:0").data for n in (5, 1000, 0, 64, 65, 3)]
    waits = [backend.fetch(arrays) for _ in range(3)]
    assert len(backend.load_cuda()._downloads[0]._free) <= 3
    for wait in waits[::-1]:
        for copy, array in zip(wait(), arrays, strict=True):
            numpy.testing.assert_array_equal(copy, array.get())


def test_the_memory_of_a_checkpoint_is_bounded(simulator, monkeypatch):
    """A state three times as large as the pinned blocks, on a device that has no room beside it."""
    from gpugrad.backend import transfers

    assert transfers.BLOCK * transfers.BLOCKS <= 60 << 20
    monkeypatch.setattr(transfers, "BLOCK", 4096)
    monkeypatch.setattr(backend.load_cuda(), "_downloads", {})
    asked = []
    make = transfers.pinned
    monkeypatch.setattr(transfers, "pinned", lambda size: asked.append(size) or make(size))
    arrays = [gg.full(256, i, device="cuda:0").data for i in range(transfers.BLOCKS * 12)]
    with cuda_simulator.count() as seen:
        waits = [backend.fetch(arrays) for _ in range(2)]
    assert seen.allocations == 0
    assert (len(asked), sum(asked)) == (transfers.BLOCKS, transfers.BLOCKS * 4096)
    for wait in waits:
        assert [int(copy[0]) for copy in wait()] == list(range(len(arrays)))


def test_host_memory_for_copies_is_taken_when_they_arrive(simulator, monkeypatch):
    """By whoever waits, and not while the loop is held; where there is none, the one who waits learns of it."""
    from gpugrad.backend import transfers

    made, copy_of = [], transfers.Copies._copy

    def noted(copies, i):
        made.append(i)
        return copy_of(copies, i)

    def full(copies, i):
        raise MemoryError("none left")

    monkeypatch.setattr(transfers.Copies, "_copy", noted)
    arrays = [gg.full(100, i, device="cuda:0").data for i in range(3)]
    wait = backend.fetch(arrays)
    assert made == []
    assert [int(copy[0]) for copy in wait()] == [0, 1, 2]
    assert set(made) == {0, 1, 2}
    refused, fine = backend.fetch(arrays), backend.fetch(arrays)
    with monkeypatch.context() as patched:
        patched.setattr(transfers.Copies, "_copy", full)
        with pytest.raises(MemoryError, match="none left"):
            refused()
    assert [int(copy[0]) for copy in fine()] == [0, 1, 2]
