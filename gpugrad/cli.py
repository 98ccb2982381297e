"""The command line: ``gpugrad info``, ``gpugrad --version``.

To add a command: a function that takes the parsed arguments and returns the exit status, and a parser for it in
:func:`main`.
"""

from __future__ import annotations

import argparse
import logging
import platform
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata, util
from typing import Any

from . import __version__, backend

PACKAGES = ("numpy", "scipy", "scikit-learn", "matplotlib", "rich")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line, by default that of the process; returns the exit status."""
    parser = argparse.ArgumentParser(prog="gpugrad", description="Automatic differentiation for NumPy and CuPy.")
    parser.add_argument("--version", action="version", version=f"gpugrad {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    about = commands.add_parser("info", help="versions and devices, and what is missing")
    about.set_defaults(run=info)
    args = parser.parse_args(argv)
    status: int = args.run(args)
    return status


def info(args: argparse.Namespace) -> int:
    """Say which versions and devices are there, and what to do about a GPU that cannot be used."""
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


def _cuda() -> Iterator[tuple[str, str]]:
    """Whether CuPy can be used, and the GPUs; if not, what would help."""
    if util.find_spec("cupy") is None:
        yield "CuPy", "not installed"
        yield (
            "GPU",
            "not usable: pip install 'gpugrad[cuda13]' (CUDA 13 drivers) or 'gpugrad[cuda12]' (CUDA 12 drivers)",
        )
        return
    try:
        cupy: Any = backend.load_cuda().xp
    except RuntimeError as error:
        yield "CuPy", _cupy_version()
        yield "GPU", f"not usable: {error}"
        return
    yield "CuPy", cupy.__version__
    runtime = cupy.cuda.runtime
    yield "CUDA", f"driver {_dotted(runtime.driverGetVersion())}, runtime {_dotted(runtime.runtimeGetVersion())}"
    for index in range(runtime.getDeviceCount()):
        about = runtime.getDeviceProperties(index)
        name = about["name"].decode() if isinstance(about["name"], bytes) else about["name"]
        yield (
            f"cuda:{index}",
            f"{name}, {about['totalGlobalMem'] / 2**30:.1f} GiB, compute capability {about['major']}.{about['minor']}",
        )


def _cupy_version() -> str:
    found = [name for name in ("cupy-cuda13x", "cupy-cuda12x", "cupy") if _version(name) != "not installed"]
    return f"{_version(found[0])} ({found[0]})" if found else "installed"


def _dotted(version: int) -> str:
    """CUDA's 13020 is version 13.2."""
    return f"{version // 1000}.{version % 1000 // 10}"
