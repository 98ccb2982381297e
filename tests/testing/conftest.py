from __future__ import annotations

import pytest

from gpugrad.testing import cuda_simulator


@pytest.fixture
def cp(device):
    """The simulated CuPy, on a machine of two GPUs."""
    with cuda_simulator.installed(devices=2) as cupy:
        yield cupy
