"""The command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

import gpugrad as gg
from gpugrad import backend, cli
from gpugrad.backend import compiler, cupy_cache, driver, llvm
from gpugrad.cli import cupy_kernels, info, precompile
from gpugrad.testing import cuda_simulator


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


def test_info_says_whether_kernels_are_compiled_for_the_cpu(monkeypatch, capsys):
    def row():
        assert cli.main(["info"]) == 0
        return next(line for line in capsys.readouterr().out.splitlines() if line.startswith("kernels on CPU"))

    if llvm.wanted():
        assert f"threads: {gg.get_num_threads()}" in row()
    monkeypatch.setattr(llvm, "_machine", None)
    monkeypatch.setattr(llvm, "installed", lambda: True)
    monkeypatch.setattr(llvm, "wanted", lambda: False)
    assert row().endswith("run on NumPy, slower: GPUGRAD_COMPILE=0")

    def broken():
        raise OSError("libllvmlite.so: no such file")

    monkeypatch.setattr(llvm, "wanted", lambda: True)
    monkeypatch.setattr(llvm, "_broken", None)
    monkeypatch.setattr(llvm, "Machine", broken)
    assert row().endswith("run on NumPy, slower: llvmlite cannot be used: libllvmlite.so: no such file")
    monkeypatch.setattr(llvm, "installed", lambda: False)
    assert "pip install 'gpugrad[cpu]'" in row()


def test_info_says_what_to_do_without_cupy(monkeypatch, capsys):
    monkeypatch.setattr(info.util, "find_spec", lambda name: None)
    assert cli.main(["info"]) == 0
    assert "pip install 'gpugrad[cuda13]'" in capsys.readouterr().out


def test_info_says_why_the_gpu_is_not_usable(monkeypatch, capsys):
    def refuse():
        raise RuntimeError("no CUDA GPU: the driver shows no device")

    monkeypatch.setattr(info.util, "find_spec", lambda name: object())
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
    monkeypatch.setattr(info.util, "find_spec", lambda name: object())
    monkeypatch.setattr(backend, "load_cuda", lambda: SimpleNamespace(xp=cupy))
    assert cli.main(["info"]) == 0
    out = capsys.readouterr().out
    assert "driver 13.0, runtime 12.9" in out
    assert "A GPU, 16.00 GiB, 8.00 GiB free, compute capability 9.0" in out


def rows(capsys):
    return {line[:16].strip(): line[16:] for line in capsys.readouterr().out.splitlines()}


def test_info_about_the_driver(monkeypatch, capsys):
    monkeypatch.setattr(driver, "version", lambda: None)
    assert cli.main(["info"]) == 0
    assert "sudo ubuntu-drivers install" in rows(capsys)["NVIDIA driver"]
    monkeypatch.setattr(driver, "version", lambda: 12080)
    monkeypatch.setattr(info.util, "find_spec", lambda name: None)
    assert cli.main(["info"]) == 0
    found = rows(capsys)
    assert found["NVIDIA driver"] == "for CUDA 12.8 and before"
    assert found["GPU"] == "not usable: pip install 'gpugrad[cuda12]'"


def test_the_driver_is_asked(monkeypatch):
    def answer(value, status=0):
        def ask(reference):
            reference._obj.value = value
            return status

        monkeypatch.setattr(driver.ctypes, "CDLL", lambda name: SimpleNamespace(cuDriverGetVersion=ask))

    answer(13020)
    assert driver.version() == 13020
    answer(13020, status=3)
    assert driver.version() is None
    monkeypatch.setattr(driver.ctypes, "CDLL", lambda name: SimpleNamespace())
    assert driver.version() is None


def test_info_about_kernels(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("GPUGRAD_CACHE_DIR", str(tmp_path))
    (tmp_path / "k-sm_90-0.cubin").write_bytes(b"")
    monkeypatch.setattr(info.util, "find_spec", lambda name: object())
    monkeypatch.setattr(compiler, "compile_source", lambda *args: b"12345")
    monkeypatch.setattr(compiler, "compiler_version", lambda: "13.0")
    assert cli.main(["info"]) == 0
    found = rows(capsys)
    assert found["kernels"] == "compile: NVRTC 13.0, 5 bytes for sm_90"
    assert found["kernel cache"] == f"{tmp_path}, 1 kernels, writable"

    def broken(*args):
        raise RuntimeError("CUDA sources need CuPy and NVRTC (no libnvrtc): pip install 'cupy-cuda13x[ctk]'")

    monkeypatch.setattr(compiler, "compile_source", broken)
    monkeypatch.setattr(compiler, "writable", lambda path: False)
    assert cli.main(["info"]) == 0
    found = rows(capsys)
    assert found["kernels"].startswith("cannot be compiled: ")
    assert found["kernels"].endswith("pip install 'cupy-cuda13x[ctk]'")
    assert "cannot be written" in found["kernel cache"]
    monkeypatch.setattr(compiler, "wanted_folder", lambda: None)
    assert cli.main(["info"]) == 0
    assert "set GPUGRAD_CACHE_DIR" in rows(capsys)["kernel cache"]


def test_info_on_the_simulator(device, capsys):
    if not device.is_host:
        pytest.skip("installs its own simulator")
    with cuda_simulator.installed(devices=2):
        assert cli.main(["info"]) == 0
    found = rows(capsys)
    assert found["cuda:1"] == "CUDA simulator, 16.00 GiB, 16.00 GiB free, compute capability 9.0"


# -------------------------------------------------------------------- precompile

ONE = [("twice", "float32", 'extern "C" __global__ void twice(float* x) { x[0] *= 2; }')]
BROKEN = [*ONE, ("broken", "float32", 'extern "C" __global__ void broken() {\n  mistake();\n}')]


@pytest.fixture
def cache(monkeypatch, tmp_path):
    try:
        compiler.compiler_version()
    except RuntimeError as error:
        pytest.skip(f"CUDA sources are not compiled: {error}")
    monkeypatch.setenv("GPUGRAD_CACHE_DIR", str(tmp_path / "cache"))
    compiler.folder.cache_clear()
    yield tmp_path / "cache"
    compiler.folder.cache_clear()


def test_precompile_keeps_and_lists(cache, monkeypatch, capsys):
    monkeypatch.setattr(precompile, "all_sources", lambda: iter(ONE))
    assert cli.main(["precompile", "--arch", "sm_90"]) == 0
    (path,) = cache.iterdir()
    first, last = capsys.readouterr().out.splitlines()
    assert first.split() == ["twice", "float32", "sm_90", str(path.stat().st_size), "bytes"]
    assert last.startswith(f"1 of 1 compiled: 1 CUDA sources x sm_90; {path.stat().st_size} bytes, NVRTC ")
    assert last.endswith(f", kept in {cache}")


def test_precompile_for_all_without_keeping(cache, monkeypatch, capsys):
    monkeypatch.setattr(precompile, "all_sources", lambda: iter(ONE))
    assert cli.main(["precompile", "--check"]) == 0
    assert not cache.exists()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2] for line in lines[:-1]] == list(compiler.ARCHITECTURES)
    assert lines[-1].endswith(", nothing kept")
    assert cli.main(["precompile", "--check", "--arch", "all", "--arch", "sm_90"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(lines)


@pytest.mark.parametrize("more", [[], ["--check"]])
def test_precompile_with_an_error(more, cache, monkeypatch, capsys):
    monkeypatch.setattr(precompile, "all_sources", lambda: iter(BROKEN))
    assert cli.main(["precompile", "--arch", "sm_90", *more]) == 1
    said = capsys.readouterr()
    assert "FAILED" in said.out
    assert "1 of 2 compiled" in said.out
    assert "gpugrad: broken for sm_90: broken.cu(2): error:" in said.err
    assert "mistake" in said.err


def test_precompile_where_nothing_can_be_kept(cache, monkeypatch, capsys):
    monkeypatch.setattr(precompile, "all_sources", lambda: iter(ONE))
    monkeypatch.setattr(compiler, "writable", lambda path: False)
    assert cli.main(["precompile", "--arch", "sm_90"]) == 1
    assert f"{cache} cannot be written: set GPUGRAD_CACHE_DIR" in capsys.readouterr().err
    assert cli.main(["precompile", "--arch", "sm_90", "--check"]) == 0
    monkeypatch.setattr(compiler, "wanted_folder", lambda: None)
    assert cli.main(["precompile", "--arch", "sm_90"]) == 1
    assert "there is no home folder: set GPUGRAD_CACHE_DIR" in capsys.readouterr().err


def test_precompile_without_a_compiler(monkeypatch, capsys):
    def missing():
        raise RuntimeError("CUDA sources need CuPy and NVRTC (none): pip install 'gpugrad[cuda13]'")

    monkeypatch.setattr(compiler, "compiler_version", missing)
    assert cli.main(["precompile"]) == 1
    assert "pip install 'gpugrad[cuda13]'" in capsys.readouterr().err


def test_precompile_for_what_is_no_architecture(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["precompile", "--arch", "hopper"])
    assert ended.value.code == 2
    assert "expected an architecture such as sm_90, or all, got 'hopper'" in capsys.readouterr().err


# -------------------------------------------------------------------- as a program


def test_info_with_a_device_that_is_not_there():
    done = run("info", GPUGRAD_DEVICE="gpu")
    assert done.returncode == 0
    assert "expected a device such as 'cpu', 'cuda' or 'cuda:1', got 'gpu'" in done.stdout


def test_as_a_module_and_without_a_command():
    for option in ("--version", "-V"):
        done = run(option)
        assert (done.returncode, done.stdout) == (0, f"gpugrad {gg.__version__}\n")
    done = run()
    assert done.returncode == 0
    assert done.stdout.startswith("usage: gpugrad")


def run(*args, **environment):
    command = [sys.executable, "-W", "error", "-m", "gpugrad", *args]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)


def test_check_computes_on_the_cpu(monkeypatch, capsys):
    with gg.default_device("cpu"):
        assert cli.main(["info", "--check"]) == 0
        assert capsys.readouterr().out == ""
        monkeypatch.setattr(info, "zeros", lambda shape: gg.ones(shape))
        assert cli.main(["info", "--check"]) == 1
    assert "0 + 1 gave 2" in capsys.readouterr().err


def test_check_of_a_gpu_makes_no_context(device, capsys):
    if not device.is_host:
        pytest.skip("installs its own simulator")
    with cuda_simulator.installed(), cuda_simulator.count() as counted, gg.default_device("cuda"):
        assert cli.main(["info", "--check"]) == 0
    assert (counted.launches, counted.host_to_device, counted.device_to_host) == (0, 0, 0)
    assert capsys.readouterr().err == ""


def test_check_of_a_device_that_is_not_there(monkeypatch, capsys):
    def broken(shape):
        raise RuntimeError("cudaErrorNoDevice")

    monkeypatch.setattr(info, "zeros", broken)
    with gg.default_device("cpu"):
        assert cli.main(["info", "--check"]) == 1
    assert capsys.readouterr().err == "gpugrad: no device to compute on: cudaErrorNoDevice\n"


@pytest.mark.parametrize("delay", [0.15, 0.4])
def test_ctrl_c_while_importing_shows_no_traceback(delay):
    process = subprocess.Popen(
        [sys.executable, "-m", "gpugrad", "info"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    if b"gpugrad" in said:  # else Python itself had only just begun
        assert b"Traceback" not in said
    assert process.returncode in (-signal.SIGINT, 130, 0)


# -------------------------------------------------------------------- CuPy's own kernels


def test_precompile_for_cupy_on_the_simulator(device, monkeypatch, tmp_path, capsys):
    if not device.is_host:
        pytest.skip("installs its own simulator")
    monkeypatch.setenv("CUPY_CACHE_DIR", str(tmp_path))
    optimizers = {name for name, _ in cupy_kernels.programs() if name.startswith("optimizer ")}
    assert {name.split(",")[0].split()[1] for name in optimizers} >= {
        "SGD",
        "Adagrad",
        "Adam",
        "AdamW",
        "RMSprop",
        "Lion",
    }
    with cuda_simulator.installed(), cuda_simulator.count() as seen:
        assert cli.main(["precompile", "--cupy"]) == 0
    assert {"adam_update", "amsgrad_update", "sgd_momentum_update", "rmsprop_centered_update"} <= set(seen.kernels)
    *programs, last = capsys.readouterr().out.splitlines()
    assert len(programs) == len(list(cupy_kernels.programs()))
    assert last.startswith(f"{len(programs)} programs, 0 kernels of CuPy in ")
    assert last.endswith(f"0 are in {tmp_path}")


def test_precompile_for_cupy_says_which_program_failed(device, monkeypatch, tmp_path, capsys):
    if not device.is_host:
        pytest.skip("installs its own simulator")
    monkeypatch.setenv("CUPY_CACHE_DIR", str(tmp_path))

    def fails():
        (tmp_path / "half.cubin").touch()
        raise ValueError("no such function")

    names = [("one", lambda: (tmp_path / "k.cubin").touch()), ("two", fails), ("three", lambda: None)]
    monkeypatch.setattr(cupy_kernels, "programs", lambda: iter(names))
    with cuda_simulator.installed():
        assert cli.main(["precompile", "--cupy"]) == 1
    said = capsys.readouterr()
    assert [line.split()[:2] for line in said.out.splitlines()] == [
        ["one", "1"], ["two", "1"], ["three", "0"], ["2", "programs,"]
    ]  # fmt: skip
    assert "two: ValueError: no such function" in said.err


def test_precompile_for_cupy_needs_a_gpu(monkeypatch, capsys):
    def missing():
        raise RuntimeError("no CUDA GPU: no NVIDIA driver was found")

    monkeypatch.setattr(backend, "load_cuda", missing)
    assert cli.main(["precompile", "--cupy"]) == 1
    assert "--cupy runs on a GPU: no CUDA GPU: no NVIDIA driver was found" in capsys.readouterr().err
    assert cli.main(["precompile", "--cupy", "--check"]) == 1
    assert "choose one" in capsys.readouterr().err


def test_cupy_has_a_folder_that_it_can_write_to(monkeypatch, tmp_path):
    filled = tmp_path / "filled"
    filled.mkdir()
    (filled / "k.cubin").write_bytes(b"code")
    monkeypatch.setenv("CUPY_CACHE_DIR", str(filled))
    monkeypatch.setitem(sys.modules, "cupy", None)
    cupy_cache.make_usable()  # too late: CuPy has been imported
    monkeypatch.delitem(sys.modules, "cupy")
    cupy_cache.make_usable()
    assert os.environ["CUPY_CACHE_DIR"] == str(filled)
    monkeypatch.setattr(cupy_cache, "writable", lambda path: False)
    cupy_cache.make_usable()
    assert cupy_cache.folder() != filled
    assert (cupy_cache.folder() / "k.cubin").read_bytes() == b"code"
    monkeypatch.undo()
    file = tmp_path / "a file"
    file.touch()
    assert [cupy_cache.writable(p) for p in (tmp_path / "new" / "folder", file, file / "below")] == [True, False, False]
    monkeypatch.setenv("CUPY_CACHE_DIR", "")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert not cupy_cache.writable(cupy_cache.folder()), "a folder called ~ is not made"


def test_info_about_the_kernels_of_cupy(monkeypatch, tmp_path):
    monkeypatch.setattr(compiler, "cupy_package", lambda: "cupy-cuda13x")
    monkeypatch.setenv("CUPY_CACHE_DIR", str(tmp_path))
    (tmp_path / "k.cubin").touch()
    assert dict(info._kernels())["CuPy's kernels"] == f"{tmp_path}, 1 kernels, writable"
    monkeypatch.setattr(cupy_cache, "writable", lambda path: False)
    assert dict(info._kernels())["CuPy's kernels"].endswith("1 kernels, cannot be written: set CUPY_CACHE_DIR")
