"""The pytest plugin: ``pytest --device cpu|simulator|cuda``.

With ``simulator``, ``import cupy`` gives :mod:`gpugrad.testing.cuda_simulator` in the whole run. With any of them, each
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


def pytest_configure(config: pytest.Config) -> None:
    """Install the simulator, before any test is imported."""
    if config.getoption("--device") == "simulator":
        from .cuda_simulator import install

        install(devices=config.getoption("--simulated-devices"))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take it away again."""
    if config.getoption("--device") == "simulator":
        from .cuda_simulator import uninstall

        uninstall()


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say which device it is."""
    chosen = config.getoption("--device")
    return None if chosen is None else f"gpugrad: default device {chosen}"


@pytest.fixture
def device(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The device of this run, which is gpugrad's default device during the test."""
    import gpugrad

    name = request.config.getoption("--device") or "cpu"
    gpugrad.set_default_device("cpu" if name == "cpu" else "cuda")
    yield gpugrad.get_default_device()
    gpugrad.set_default_device(None)


@pytest.fixture(autouse=True)
def _gpugrad_device(request: pytest.FixtureRequest) -> None:
    """In a run with ``--device``, every test has it."""
    if request.config.getoption("--device") is not None:
        request.getfixturevalue("device")
