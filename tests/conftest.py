"""What every test shares: the device of the run, and the check that nothing global is left changed."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy
import pytest

import gpugrad as gg

for _name in gg.__all__:  # tests look through every operation that is declared: import all of them
    getattr(gg, _name)

pytest_plugins = ["gpugrad.testing.plugin"]  # --device, and the fixture of that name


def pytest_addoption(parser):
    parser.addoption("--note-skipped", metavar="FILE", help="list the tests that were skipped in FILE")
    parser.addoption("--only-noted", metavar="FILE", help="run the tests that FILE lists")


def pytest_configure(config):
    path = config.getoption("--note-skipped")
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Skipped(Path(path)))


class Skipped:
    """Notes what was skipped, so that it alone can be run again with what it had lacked."""

    def __init__(self, path):
        self.path, self.found = path, set()

    def pytest_runtest_logreport(self, report):
        if report.skipped:
            self.found.add(report.nodeid)

    pytest_collectreport = pytest_runtest_logreport  # a whole file

    def pytest_sessionfinish(self):
        self.path.write_text("\n".join(sorted(self.found)))


def pytest_collection_modifyitems(config, items):
    if config.getoption("--device") == "simulator":
        again = [item for item in items if item.get_closest_marker("any_device")]
        config.hook.pytest_deselected(items=again)
        items[:] = [item for item in items if item not in set(again)]
    path = config.getoption("--only-noted")
    if path:
        noted = set(Path(path).read_text().split("\n"))
        chosen = [item for item in items if {item.nodeid, item.nodeid.partition("::")[0]} & noted]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(chosen)])
        items[:] = chosen


def pytest_collection_finish():
    """Tests of memory collect garbage: let them look at their own objects, not at all tests and libraries."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item):
    row = getattr(item, "callspec", None) and item.callspec.params.get("row")
    if getattr(row, "host_only", False) and item.config.getoption("--device") not in (None, "cpu"):
        pytest.skip("a GPU has no such function")


@pytest.fixture(autouse=True)
def _nothing_left_changed(device):
    before = (gg.is_grad_enabled(), gg.get_default_dtype(), gg.get_default_device())
    yield
    after = (gg.is_grad_enabled(), gg.get_default_dtype(), gg.get_default_device())
    assert after == before, "a test left grad mode, default dtype or default device changed"


@pytest.fixture
def rng():
    return numpy.random.default_rng(0)
