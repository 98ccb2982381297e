"""The command line."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

import gpugrad as gg
from gpugrad import backend, cli


def test_version(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"gpugrad {gg.__version__}\n"


def test_info_lists_versions_and_devices(capsys):
    assert cli.main(["info"]) == 0
    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if len(line.split()) > 1)
    assert rows["gpugrad"] == gg.__version__
    assert {"Python", "numpy", "scipy", "CuPy"} <= set(rows)
    assert rows["default"] == f"device  {gg.get_default_device()}"


def test_info_says_what_to_do_without_cupy(monkeypatch, capsys):
    monkeypatch.setattr(cli.util, "find_spec", lambda name: None)
    assert cli.main(["info"]) == 0
    assert "pip install 'gpugrad[cuda13]'" in capsys.readouterr().out


def test_info_says_why_the_gpu_is_not_usable(monkeypatch, capsys):
    def refuse():
        raise RuntimeError("no CUDA GPU: the driver shows no device")

    monkeypatch.setattr(cli.util, "find_spec", lambda name: object())
    monkeypatch.setattr(backend, "load_cuda", refuse)
    assert cli.main(["info"]) == 0
    assert "not usable: no CUDA GPU: the driver shows no device" in capsys.readouterr().out


def test_info_lists_gpus(monkeypatch, capsys):
    runtime = SimpleNamespace(
        driverGetVersion=lambda: 13000,
        runtimeGetVersion=lambda: 12090,
        getDeviceCount=lambda: 1,
        getDeviceProperties=lambda i: {"name": b"A GPU", "major": 9, "minor": 0},
        memGetInfo=lambda: (2**33, 2**34),
    )
    cuda = SimpleNamespace(runtime=runtime, Device=lambda index: nullcontext())
    cupy = SimpleNamespace(__version__="14.2.0", cuda=cuda)
    monkeypatch.setattr(cli.util, "find_spec", lambda name: object())
    monkeypatch.setattr(backend, "load_cuda", lambda: SimpleNamespace(xp=cupy))
    assert cli.main(["info"]) == 0
    out = capsys.readouterr().out
    assert "driver 13.0, runtime 12.9" in out
    assert "A GPU, 16.00 GiB, 8.00 GiB free, compute capability 9.0" in out


def test_info_with_a_device_that_is_not_there():
    done = run("info", GPUGRAD_DEVICE="gpu")
    assert done.returncode == 0
    assert "expected a device such as 'cpu', 'cuda' or 'cuda:1', got 'gpu'" in done.stdout


def test_as_a_module_and_without_a_command():
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"gpugrad {gg.__version__}\n")
    done = run()
    assert done.returncode == 2
    assert "usage: gpugrad" in done.stderr


def run(*args, **environment):
    command = [sys.executable, "-W", "error", "-m", "gpugrad", *args]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)
