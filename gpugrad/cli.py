"""The command line: ``gpugrad info``, ``gpugrad precompile``, ``gpugrad --version``.

To add a command: a function that takes the parsed arguments and returns the exit status, and a parser for it in
:func:`main`.
"""

from __future__ import annotations

import argparse
import ctypes
import logging
import os
import platform
import re
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata, util
from typing import Any

from . import __version__, backend
from .backend import compiler, usage
from .kernels import all_sources

PACKAGES = ("numpy", "scipy", "scikit-learn", "matplotlib", "rich")
DRIVER = "https://www.nvidia.com/drivers, on Ubuntu: sudo ubuntu-drivers install; in a container: docker run --gpus all"
PROBE = 'extern "C" __global__ void probe(float* x) { x[threadIdx.x] = 1.0f; }'

Row = tuple[str, str]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line, by default that of the process; returns the exit status."""
    parser = argparse.ArgumentParser(prog="gpugrad", description="Automatic differentiation for NumPy and CuPy.")
    parser.add_argument("--version", action="version", version=f"gpugrad {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    about = commands.add_parser("info", help="versions and devices, and what is missing")
    about.set_defaults(run=info)
    fill = commands.add_parser(
        "precompile",
        help="fill the kernel cache without a GPU",
        description="Compile every CUDA source of the library into the kernel cache (GPUGRAD_CACHE_DIR, else in the "
        "user's), so that nothing is compiled later. Needs CuPy and NVRTC, but neither a GPU nor a driver.",
    )
    fill.add_argument(
        "--arch", action="append", type=_architecture, metavar="ARCH",
        help=f"sm_90, or another one; can be repeated; all (the default) for {', '.join(compiler.ARCHITECTURES)}",
    )  # fmt: skip
    fill.add_argument("--check", action="store_true", help="compile, and keep nothing")
    fill.set_defaults(run=precompile)
    args = parser.parse_args(argv)
    status: int = args.run(args)
    return status


# -------------------------------------------------------------------- precompile


def _architecture(text: str) -> str:
    if text != "all" and not re.fullmatch(r"sm_\d{2,3}", text):
        raise argparse.ArgumentTypeError(f"expected an architecture such as sm_90, or all, got {text!r}")
    return text


def precompile(args: argparse.Namespace) -> int:
    """Compile every CUDA source for the architectures asked for; 1 if one does not compile or cannot be kept."""
    wanted = args.arch or ["all"]
    architectures = list(dict.fromkeys(a for w in wanted for a in (compiler.ARCHITECTURES if w == "all" else (w,))))
    try:
        version = compiler.compiler_version()
    except RuntimeError as error:
        return _fail(str(error))
    if not args.check:
        path = compiler.wanted_folder()
        if path is None or not compiler.writable(path):
            where = "there is no home folder" if path is None else f"{path} cannot be written"
            return _fail(f"{where}: set GPUGRAD_CACHE_DIR to a folder that can (--check compiles without keeping)")
    jobs = [(*row, architecture) for architecture in architectures for row in all_sources()]
    failures, total = [], 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for (name, variant, _, architecture), made in zip(
            jobs, pool.map(lambda job: _compiled(job, args.check), jobs), strict=True
        ):
            if isinstance(made, int):
                total += made
                result = f"{made:>8} bytes"
            else:
                failures.append(made)
                result = "  FAILED"
            sys.stdout.write(f"{name:<34}{variant:<34}{architecture:<8}{result}\n")
    done = f"{len(jobs) - len(failures)} of {len(jobs)} compiled: {len(jobs) // len(architectures)} CUDA sources x "
    done += f"{', '.join(architectures)}; {total} bytes, NVRTC {version}"
    sys.stdout.write(f"{done}{', nothing kept' if args.check else f', kept in {compiler.folder()}'}\n")
    return _fail(*failures) if failures else 0


def _compiled(job: tuple[str, str, str, str], check: bool) -> int | str:
    """The bytes of machine code of one source, or what is wrong."""
    name, _, source, architecture = job
    try:
        if check:
            return len(compiler.compile_source(source, name, architecture))
        made = compiler.keep(source, name, architecture)
    except compiler.CompileError as error:
        return str(error)
    if isinstance(made, bytes):
        return f"{name} for {architecture}: the code cannot be written to {compiler.folder()}"
    return made.stat().st_size


def _fail(*texts: str) -> int:
    for text in texts:
        sys.stderr.write(f"gpugrad: {text}\n")
    return 1


# -------------------------------------------------------------------- info


def info(args: argparse.Namespace) -> int:
    """Say which versions and devices are there, whether kernels compile, what is missing and how to install it."""
    rows = [("gpugrad", __version__), ("Python", f"{platform.python_version()} on {platform.platform()}")]
    rows += [(name, _version(name)) for name in PACKAGES]
    rows += _cuda()
    try:
        logging.disable(logging.WARNING)  # the reason for the fall-back to the CPU stands in the rows above
        rows.append(("default device", str(backend.default_device())))
    except (RuntimeError, ValueError) as error:
        rows.append(("default device", f"none: GPUGRAD_DEVICE: {error}"))
    finally:
        logging.disable(logging.NOTSET)
    for name, value in rows:
        sys.stdout.write(f"{name:<16}{value}\n")
    return 0


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _cuda() -> Iterator[Row]:
    """The driver, CuPy, the GPUs and the kernels; for what is missing, what installs it."""
    driver = driver_version()
    yield "NVIDIA driver", f"not found: {DRIVER}" if driver is None else f"for CUDA {_dotted(driver)} and before"
    if util.find_spec("cupy") is None:
        extra = "cuda12" if driver is not None and driver < 13000 else "cuda13"
        yield "CuPy", "not installed"
        other = "" if driver else " (CUDA 13 drivers) or 'gpugrad[cuda12]' (CUDA 12 drivers)"
        yield "GPU", f"not usable: pip install 'gpugrad[{extra}]'{other}"
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
    yield "CUDA", f"driver {_dotted(runtime.driverGetVersion())}, runtime {_dotted(runtime.runtimeGetVersion())}"
    for index in range(runtime.getDeviceCount()):
        about = runtime.getDeviceProperties(index)
        name = about["name"].decode() if isinstance(about["name"], bytes) else about["name"]
        capability = f"compute capability {about['major']}.{about['minor']}"
        with cupy.cuda.Device(index):
            free, total = runtime.memGetInfo()
        yield (
            f"cuda:{index}",
            f"{name}, {usage.size_text(total)}, {usage.size_text(free)} free, {capability}",
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


def driver_version() -> int | None:
    """The newest CUDA that the machine's NVIDIA driver can run, 13020 for 13.2; None if there is no driver."""
    library = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    found = ctypes.c_int()
    try:
        status = ctypes.CDLL(library).cuDriverGetVersion(ctypes.byref(found))
    except (OSError, AttributeError):
        return None
    return found.value if status == 0 and found.value else None


def _cupy_version() -> str:
    found = compiler.cupy_package()
    return f"{_version(found)} ({found})" if found else "installed"


def _dotted(version: int) -> str:
    """CUDA's 13020 is version 13.2."""
    return f"{version // 1000}.{version % 1000 // 10}"
