"""examples/custom_kernel.py runs, learns, and does the same on the simulated GPU."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy
import pytest

import gpugrad as gg
from gpugrad.testing import cuda_simulator

FILE = Path(__file__).parent.parent / "examples" / "custom_kernel.py"


@pytest.fixture
def example():
    spec = importlib.util.spec_from_file_location("custom_kernel", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=["cpu", "cuda"])
def where(request):
    chosen = request.config.getoption("--device")
    own = request.param == "cuda" and chosen != "cuda" and not cuda_simulator.is_installed()
    with cuda_simulator.installed() if own else nullcontext(), gg.default_device(request.param):
        yield request.param


def test_it_runs_as_a_program_and_learns():
    paths = [str(FILE.parent.parent), os.environ.get("PYTHONPATH", "")]  # from a source tree, without installing
    done = subprocess.run(
        [sys.executable, str(FILE), "--device", "cpu"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    losses = [float(line.split()[-1]) for line in lines if line.startswith("step")]
    assert len(losses) == 4
    assert losses[-1] < losses[0] / 10
    assert lines[-1] == "second derivative of the bump at 0: -2.000"


def test_main(example, where, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["custom_kernel.py", "--device", where, "--steps", "3"])
    before = gg.get_default_device()
    with cuda_simulator.count() as seen:
        example.main()
    gg.set_default_device(before)
    assert capsys.readouterr().out.startswith("step 0: loss ")
    if where == "cuda" and cuda_simulator.is_installed():
        assert seen.kernels["bump_forward"] >= 4
        assert seen.kernels["moving_average"] >= 1


def test_the_kernels(example, where):
    x = gg.tensor(numpy.random.default_rng(0).normal(size=300), requires_grad=True)
    width = gg.tensor(1.3, dtype=gg.float64, requires_grad=True)
    for order in (0, 1, 2):
        with cuda_simulator.thread_order(order):
            padded = numpy.pad(x.detach().numpy(), 1)
            expected = (padded[:-2] + padded[1:-1] + padded[2:]) / 3
            numpy.testing.assert_allclose(example.moving_average(x).tolist(), expected, rtol=1e-12, atol=1e-15)
    few = gg.tensor([0.3, -1.0, 2.0], dtype=gg.float64, requires_grad=True)
    for f, inputs in ((example.bump, (few, width)), (example.moving_average, (few,))):
        assert gg.gradcheck(f, inputs)
        assert gg.gradgradcheck(f, inputs)
