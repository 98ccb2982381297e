"""What every test shares: the device of the run, and the check that nothing global is left changed."""

from __future__ import annotations

import numpy
import pytest

import gpugrad as gg

pytest_plugins = ["gpugrad.testing.plugin"]  # --device, and the fixture of that name


@pytest.fixture(autouse=True)
def _nothing_left_changed(device):
    before = (gg.is_grad_enabled(), gg.get_default_dtype(), gg.get_default_device())
    yield
    after = (gg.is_grad_enabled(), gg.get_default_dtype(), gg.get_default_device())
    assert after == before, "a test left grad mode, default dtype or default device changed"


@pytest.fixture
def rng():
    return numpy.random.default_rng(0)
