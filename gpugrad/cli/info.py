"""``gpugrad info``: versions and devices, and what is missing."""

from __future__ import annotations

import argparse
import logging
import platform
from collections.abc import Iterator
from importlib import metadata, util
from typing import Any

from .. import backend, formats
from ..backend import compiler, cupy_cache, driver, llvm, threads
from ..ops.creation import zeros
from ..version import __version__
from .out import fail, say

PACKAGES = ("numpy", "scipy", "scikit-learn", "matplotlib", "pillow", "rich", "safetensors", "fsspec", "graphviz")
DRIVER = "https://www.nvidia.com/drivers, on Ubuntu: sudo ubuntu-drivers install; in a container: docker run --gpus all"
PROBE = 'extern "C" __global__ void probe(float* x) { x[threadIdx.x] = 1.0f; }'

Row = tuple[str, str]


def add(commands: Any) -> None:
    """The parser of the command."""
    parser = commands.add_parser(
        "info",
        help="versions and devices, and what is missing",
        description="Say which versions and devices are there, whether kernels compile, and what installs what is "
        "missing.",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="exit with 1 where there is no device to compute on, for health checks; on a GPU nothing is computed",
    )
    parser.set_defaults(run=info)


def info(args: argparse.Namespace) -> int:
    """Say which versions and devices are there, whether kernels compile, what is missing and how to install it."""
    if args.check:
        return check()
    rows = [("gpugrad", __version__), ("Python", f"{platform.python_version()} on {platform.platform()}")]
    rows += [(name, _version(name)) for name in PACKAGES]
    rows.append(("kernels on CPU", _cpu()))
    rows += _cuda()
    try:
        logging.disable(logging.WARNING)  # the reason for the fall-back to the CPU stands in the rows above
        rows.append(("default device", str(backend.default_device())))
    except (RuntimeError, ValueError) as error:
        rows.append(("default device", f"none: GPUGRAD_DEVICE: {error}"))
    finally:
        logging.disable(logging.NOTSET)
    for name, value in rows:
        say(f"{name:<16}{value}")
    return 0


def check() -> int:
    """Whether the default device is there; 1 if it is not.

    The CPU computes something. A GPU is found by its driver and asked for its name, but computes nothing: a context
    takes hundreds of megabytes, which a run that fills the card does not leave.
    """
    try:
        device = backend.default_device()
        if not device.is_host:
            backend.load_cuda().describe(device)
            return 0
        one = zeros((1,)) + 1
        return 0 if one.item() == 1 else fail(f"{one.device}: 0 + 1 gave {one.item()}")
    except Exception as error:  # noqa: BLE001  whatever a broken driver raises
        return fail(f"no device to compute on: {error}")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _cpu() -> str:
    """Say whether kernels are compiled for the CPU; if not, why."""
    machine = llvm.machine()
    if machine is None:
        return f"run on NumPy, slower: {llvm.why_not()}"
    return f"compiled: LLVM {machine.version} for {machine.cpu}, threads: {threads.get_num_threads()}"


def _cuda() -> Iterator[Row]:
    """The driver, CuPy, the GPUs and the kernels; for what is missing, what installs it."""
    found = driver.version()
    yield "NVIDIA driver", f"not found: {DRIVER}" if found is None else f"for CUDA {driver.dotted(found)} and before"
    if util.find_spec("cupy") is None:
        yield "CuPy", "not installed"
        other = "" if found else " (CUDA 13 drivers) or 'gpugrad[cuda12]' (CUDA 12 drivers)"
        yield "GPU", f"not usable: pip install 'gpugrad[{driver.extra(found)}]'{other}"
        return
    try:
        cupy: Any = backend.load_cuda().xp
    except RuntimeError as error:
        yield "CuPy", _cupy_version()
        yield "GPU", f"not usable: {error}"
    else:
        yield "CuPy", cupy.__version__
        yield from _devices(cupy)
    yield from _kernels()


def _devices(cupy: Any) -> Iterator[Row]:
    runtime = cupy.cuda.runtime
    yield (
        "CUDA",
        f"driver {driver.dotted(runtime.driverGetVersion())}, runtime {driver.dotted(runtime.runtimeGetVersion())}",
    )
    for index in range(runtime.getDeviceCount()):
        about = runtime.getDeviceProperties(index)
        name = about["name"].decode() if isinstance(about["name"], bytes) else about["name"]
        capability = f"compute capability {about['major']}.{about['minor']}"
        with cupy.cuda.Device(index):
            free, total = runtime.memGetInfo()
        yield (
            f"cuda:{index}",
            f"{name}, {formats.size(total)}, {formats.size(free)} free, {capability}",
        )


def _kernels() -> Iterator[Row]:
    """Whether kernels compile, and where they are kept."""
    try:
        size = len(compiler.compile_source(PROBE, "probe", "sm_90"))
    except RuntimeError as error:
        yield "kernels", f"cannot be compiled: {error}"
    else:
        yield "kernels", f"compile: NVRTC {compiler.compiler_version()}, {size} bytes for sm_90"
    path = compiler.wanted_folder()
    if path is None:
        yield "kernel cache", "none: there is no home folder; set GPUGRAD_CACHE_DIR"
        return
    count = len(list(path.glob("*.cubin"))) if path.is_dir() else 0
    state = "writable" if compiler.writable(path) else "cannot be written: set GPUGRAD_CACHE_DIR, or use what it holds"
    yield "kernel cache", f"{path}, {count} kernels, {state}"
    if compiler.cupy_package() is None:
        return
    path = cupy_cache.folder()
    state = "writable" if cupy_cache.writable(path) else "cannot be written: set CUPY_CACHE_DIR"
    yield "CuPy's kernels", f"{path}, {cupy_cache.kernels(path)} kernels, {state}"


def _cupy_version() -> str:
    found = compiler.cupy_package()
    return f"{_version(found)} ({found})" if found else "installed"
