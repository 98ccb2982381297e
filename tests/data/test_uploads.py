"""Batches on their way to a GPU; the simulator stands in for one."""

from __future__ import annotations

import gc
from contextlib import nullcontext

import numpy
import pytest

import gpugrad as gg
from gpugrad import backend, data
from gpugrad.testing import cuda_simulator


@pytest.fixture
def gpu(device):
    with cuda_simulator.installed() if device.is_host else nullcontext():
        yield gg.device("cuda")


@pytest.mark.parametrize("prefetch", [0, 2])
def test_arrays_in_the_other_byte_order(gpu, prefetch):
    """Arrays as files hold them, and fields of records."""
    numbers = numpy.arange(6)
    records = numpy.zeros(6, [("name", "S3"), ("value", ">f4")])
    records["value"] = numbers
    columns = [numbers.astype(kind) for kind in (">f2", ">f4", ">f8", ">i2", ">i8", ">u4", ">c8")]
    columns += [records["value"], numbers.astype(">f4")[::-1][::-1]]
    loader = data.DataLoader(data.ArrayDataset(*columns), batch_size=6, prefetch=prefetch, device=gpu)
    (batch,) = loader
    for column, tensor in zip(columns, batch, strict=True):
        assert tensor.device == gpu
        assert tensor.dtype.isnative
        assert (tensor.numpy() == column).all()


class Mark:
    """An event that notices when it is used after its end."""

    def __init__(self):
        self.alive = True

    def __del__(self):
        self.alive = False

    def synchronize(self):
        assert self.alive, "an event that was destroyed is waited for"


def test_slots_outlive_a_loader_in_a_reference_cycle(gpu):
    """The collector finalizes all objects of a cycle, and what only they hold, before it frees the first."""
    for _ in range(3):
        upload = backend.backend_for(gpu).uploader(gpu, 2)
        cycle = [upload, *[upload([numpy.full(5, float(k))])() for k in range(4)]]
        for slot in upload._slots:
            slot.copied = Mark()
        cycle.append(cycle)
        del upload, slot, cycle
        gc.collect()
