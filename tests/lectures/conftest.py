"""The lectures' scripts: imported as if run in their folder, and run as programs."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

import gpugrad as gg

FOLDER = Path(__file__).parents[2] / "examples" / "lectures"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Programs are run on the CPU, whatever the device of the run is."""
    for item in items:
        if Path(__file__).parent in item.path.parents and "program" in item.fixturenames:
            item.add_marker("any_device")


@pytest.fixture
def lecture(monkeypatch):
    """Import a script by its name; it leaves no module and no random number behind."""
    monkeypatch.syspath_prepend(FOLDER)
    path, before, state = list(sys.path), set(sys.modules), gg.random.default_generator.state
    yield importlib.import_module
    gg.random.default_generator.state = state
    sys.path[:] = path
    ours = {file.stem for folder in (FOLDER, FOLDER.parent) for file in folder.glob("*.py")}
    for name in ours & (set(sys.modules) - before):
        del sys.modules[name]


@pytest.fixture
def program(lecture, monkeypatch, capsys, tmp_path):
    """Run a script's ``main`` with options, on the CPU: what it printed; its pictures are in ``tmp_path``."""

    def run(name, *options):
        module = lecture(name)
        monkeypatch.setattr(sys, "argv", [name, "--device", "cpu", "--out", str(tmp_path), *map(str, options)])
        before = gg.get_default_device()
        try:
            module.main()
        finally:
            gg.set_default_device(before)
        return capsys.readouterr().out

    return run
