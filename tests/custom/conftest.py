"""The devices that users' kernels are tested on: the CPU, where the twin runs, and one that runs CUDA."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

import gpugrad as gg
from gpugrad.testing import cuda_simulator


@pytest.fixture(params=["cpu", "cuda"])
def where(request):
    """A device, as the default one: `cuda` is the simulator's where the run is on no GPU."""
    chosen = request.config.getoption("--device")
    own = request.param == "cuda" and chosen != "cuda" and not cuda_simulator.is_installed()
    with cuda_simulator.installed() if own else nullcontext(), gg.default_device(request.param):
        yield request.param
