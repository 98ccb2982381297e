"""What is in memory, and what is said when there is no more."""

from __future__ import annotations

import gc

import numpy
import pytest

import gpugrad as gg
from gpugrad import backend
from gpugrad.backend import usage
from gpugrad.testing import cuda_simulator


@pytest.fixture
def gpu(device):
    if not device.is_host:
        pytest.skip("installs its own simulator")
    with cuda_simulator.installed(devices=2, memory=2**20) as cupy, gg.default_device("cuda"):
        yield cupy


def rows(text):
    return {line[2:18].strip(): line[18:].strip() for line in text.splitlines()[1:4]}


def test_summary_of_the_cpu():
    text = gg.memory_summary("cpu")
    assert text.splitlines()[0] == "cpu"
    assert set(rows(text)) == {"in use", "free", "total"}
    before = backend.cpu.backend.memory(gg.device("cpu")).used
    block = numpy.ones(2**23)
    if before is not None:
        assert backend.cpu.backend.memory(gg.device("cpu")).used >= before + block.nbytes // 2


def test_summary_where_the_system_says_nothing(monkeypatch):
    monkeypatch.delattr(usage.os, "sysconf")
    found = usage.process_memory()
    assert (found.free, found.total) == (None, None)
    assert "unknown" in gg.memory_summary("cpu")


def test_summary_of_a_gpu(gpu):
    x = gg.ones((128, 128))
    text = gg.memory_summary()
    assert text.splitlines()[0] == "cuda:0"
    assert "64.00 KiB" in text
    assert "1.00 MiB" in text
    del x
    found = backend.load_cuda().memory(gg.device("cuda"))
    assert found.held - found.used >= 2**16, "the pool keeps what was freed"
    assert "largest" not in text
    assert gg.memory_summary("cuda:1").startswith("cuda:1\n  in use")
    with pytest.raises(RuntimeError, match="no device cuda:2"):
        gg.memory_summary("cuda:2")


def test_debug_mode_lists_the_largest_with_their_lines(gpu):
    before = gg.ones((100, 100))
    with gg.debug():
        small = gg.ones(8)
        large = gg.ones((64, 64)) * 2.0  # the large one
    lines = gg.memory_summary().splitlines()
    assert lines[5] == "  largest tensors made in debug mode"
    assert lines[6].strip().startswith("16.00 KiB  float32 (64, 64), made at ")
    assert lines[6].endswith("# the large one")
    assert lines[-1].strip().startswith("32 B  float32 (8,)")
    assert not any("(100, 100)" in line for line in lines)
    assert "largest" not in gg.memory_summary("cuda:1")
    del large, small, before
    gc.collect()
    assert "largest" not in gg.memory_summary(), "nothing is kept alive by the list"


def test_views_are_not_listed_twice(gpu):
    with gg.debug():
        x = gg.ones((4, 4))
        y = x[1:]
    assert gg.memory_summary().count("made at") == 1
    del x, y


def test_out_of_memory_in_an_operation(gpu):
    x = gg.ones(1000)
    with pytest.raises(MemoryError) as raised:
        x[:, None] * x
    text = str(raised.value)
    assert type(raised.value) is MemoryError
    assert text.startswith(
        "multiply [operands: float32 (1000, 1) on cuda:0, float32 (1000,) on cuda:0]: out of memory on cuda:0: "
        "3.81 MiB asked for, "
    ), text
    assert "4.00 KiB in use, 4.00 KiB held by the pool, 1020.00 KiB of 1.00 MiB free" in text
    assert "gg.debug() shows the largest tensors" in text


@pytest.mark.parametrize("make", [
    lambda: gg.zeros(10**6), lambda: gg.tensor(numpy.zeros(10**6)),
    lambda: gg.asarray(numpy.zeros(10**6), device="cuda:1"), lambda: gg.random.Generator(0).random(10**6),
])  # fmt: skip
def test_out_of_memory_when_making_or_moving(make, gpu):
    with pytest.raises(MemoryError, match=r"^out of memory on cuda:\d: .* MiB asked for, .* in use") as raised:
        make()
    assert type(raised.value) is MemoryError


def test_out_of_memory_in_debug_mode_lists_the_largest(gpu):
    with gg.debug():
        x = gg.ones(1000)  # made here
        with pytest.raises(
            MemoryError, match=r"the largest tensors:\n +3.91 KiB  float32 \(1000,\), made at .*made here"
        ):
            x[:, None] * x


def test_the_limit_of_the_pool_is_said(gpu):
    gpu.get_default_memory_pool().set_limit(2**19)
    with pytest.raises(MemoryError, match=r"the pool's limit is 512\.00 KiB"):
        gg.zeros(200_000)


def test_out_of_memory_on_the_cpu():
    with gg.default_device("cpu"):
        x = gg.ones((1, 2**24))
        with pytest.raises(MemoryError, match=r"^multiply \[operands: .*\]: out of memory on cpu: Unable to allocate"):
            gg.broadcast_to(x, (2**24, 2**24)) * 2.0
