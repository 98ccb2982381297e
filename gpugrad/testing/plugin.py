"""The pytest plugin: ``pytest --device cpu|simulator|cuda``, and ``--lag N`` beside ``--device simulator``.

With ``simulator``, ``import cupy`` gives :mod:`gpugrad.testing.cuda_simulator` in the whole run; with ``--lag``, the
work of its streams is done late, by a schedule that restarts with each test. With any of the devices, each
test runs with gpugrad's default device set; without the option, only those that ask for the fixture ``device`` (then
the CPU). The entry point has the module's name, so that ``pytest_plugins`` does not register it twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

DEVICES = ("cpu", "simulator", "cuda")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("gpugrad")
    group.addoption("--device", choices=DEVICES, default=None,
                    help="the default device of all tests; simulator: CuPy's code path without a GPU")  # fmt: skip
    group.addoption("--simulated-devices", type=int, default=1, metavar="N", help="GPUs of the simulated machine")
    group.addoption("--lag", type=int, default=0, metavar="N",
                    help="let the simulator's streams run late; 1: as late as CUDA allows")  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    """Install the simulator, before any test is imported."""
    lag = config.getoption("--lag")
    if lag < 0 or (lag and config.getoption("--device") != "simulator"):
        raise pytest.UsageError(f"--lag takes a number from 0 and --device simulator, got --lag {lag}")
    if config.getoption("--device") == "simulator":
        from .cuda_simulator import install

        install(devices=config.getoption("--simulated-devices"), lag=lag)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take it away again."""
    if config.getoption("--device") == "simulator":
        from .cuda_simulator import uninstall

        uninstall()


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say which device it is."""
    chosen, lag = config.getoption("--device"), config.getoption("--lag")
    return None if chosen is None else f"gpugrad: default device {chosen}{f', lag {lag}' if lag else ''}"


@pytest.fixture
def device(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The device of this run, which is gpugrad's default device during the test."""
    import gpugrad

    name = request.config.getoption("--device") or "cpu"
    gpugrad.set_default_device("cpu" if name == "cpu" else "cuda")
    yield gpugrad.get_default_device()
    gpugrad.set_default_device(None)


@pytest.fixture(autouse=True)
def _gpugrad_device(request: pytest.FixtureRequest) -> Iterator[None]:
    """In a run with ``--device``, every test has it; in one with ``--lag``, a schedule of its own."""
    if request.config.getoption("--device") is not None:
        request.getfixturevalue("device")
    lag = request.config.getoption("--lag")
    if lag:
        from .cuda_simulator import set_lag

        set_lag(lag)
    yield
    if lag:
        set_lag(lag)  # which raises what went wrong in work that nobody waited for
