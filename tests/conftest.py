"""What every test shares: the device of the run, and the check that nothing global is left changed."""

from __future__ import annotations

import numpy
import pytest

import gpugrad as gg


def pytest_addoption(parser):
    parser.addoption("--device", default="cpu", choices=("cpu", "cuda"), help="the default device of all tests")


def pytest_report_header(config):
    return f"gpugrad: default device {config.getoption('--device')}"


@pytest.fixture(autouse=True)
def device(request):
    """The device of this run, as the default device; afterwards nothing global may have changed."""
    name = request.config.getoption("--device")
    gg.set_default_device(name)
    before = (gg.is_grad_enabled(), gg.get_default_dtype(), gg.get_default_device())
    yield gg.device(name)
    after = (gg.is_grad_enabled(), gg.get_default_dtype(), gg.get_default_device())
    assert after == before, "a test left grad mode, default dtype or default device changed"
    gg.set_default_device(None)


@pytest.fixture
def rng():
    return numpy.random.default_rng(0)
