"""The pytest plugin, as another project uses it: in a pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import gpugrad

ROOT = Path(gpugrad.__file__).parents[1]
PROJECT = """
import sys
import gpugrad as gg

def test_device(device):
    assert str(gg.get_default_device()) == str(device) == {device!r}

def test_cupy():
    if {simulated}:
        import cupy
        assert "simulator" in cupy.__doc__
        assert type(gg.ones(3).data) is cupy.ndarray
    elif "cupy" in sys.modules:
        assert "simulator" not in sys.modules["cupy"].__doc__
"""

LATE = """
import cupy
from gpugrad.testing import cuda_simulator

def test_is_late():
    side, x = cupy.cuda.Stream(non_blocking=True), cupy.zeros(1)
    cupy.cuda.Stream.null.synchronize()
    with side:
        for _ in range(400):
            x += 1
    assert x.get().item() < 400

def test_waits_for_nothing():
    source = 'extern "C" __global__ void f(float* x) { x[4] = 1; }'
    cupy.RawKernel(source, "f")((1,), (1,), (cupy.zeros(4, "float32"),))
"""


@pytest.fixture
def run(tmp_path):
    def run(*options, device="cpu", simulated=False):
        (tmp_path / "conftest.py").write_text('pytest_plugins = ["gpugrad.testing.plugin"]\n')
        (tmp_path / "test_it.py").write_text(PROJECT.format(device=device, simulated=simulated))
        environment = os.environ | {"PYTHONPATH": str(ROOT), "GPUGRAD_DEVICE": "cpu"}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)

    return run


@pytest.mark.parametrize(("options", "device", "simulated"), [
    ((), "cpu", False), (("--device", "cpu"), "cpu", False),  # "--device simulator" alone: in the test of --lag
    (("--device", "simulator", "--simulated-devices", "2"), "cuda:0", True),
    # as when the package is installed and its entry point has loaded the plugin already
    (("-p", "gpugrad.testing.plugin", "--device", "simulator"), "cuda:0", True),
])  # fmt: skip
def test_the_option_chooses_the_device(run, options, device, simulated):
    done = run(*options, device=device, simulated=simulated)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_the_option_lag_lets_streams_run_late(run, tmp_path):
    (tmp_path / "test_late.py").write_text(LATE)
    done = run("--device", "simulator", "--lag", "2", device="cuda:0", simulated=True)
    assert "4 passed, 1 error" in done.stdout, done.stdout + done.stderr
    assert "of argument 0" in done.stdout
    done = run("--lag", "1")
    assert done.returncode != 0
    assert "--lag takes a number from 0 and --device simulator, got --lag 1" in done.stderr


def test_an_unknown_device_is_refused(run):
    done = run("--device", "tpu")
    assert done.returncode != 0
    assert "--device" in done.stderr


def test_the_entry_point_is_named_as_the_module():
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"gpugrad.testing.plugin": "gpugrad.testing.plugin"}
