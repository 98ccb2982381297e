"""``gpugrad precompile``: the kernel cache filled where there is no GPU, and CuPy's where there is one."""

from __future__ import annotations

import argparse
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .. import backend
from ..backend import compiler, cupy_cache
from ..core.modes import default_device
from ..kernels import all_sources
from . import cupy_kernels
from .out import fail, say


def add(commands: Any) -> None:
    """The parser of the command."""
    parser = commands.add_parser(
        "precompile",
        help="fill the kernel cache without a GPU",
        description="Compile every CUDA source of the library into the kernel cache (GPUGRAD_CACHE_DIR, else in the "
        "user's), so that nothing is compiled later. Needs CuPy and NVRTC, but neither a GPU nor a driver. With "
        "--cupy: the kernels that CuPy compiles itself, which needs a GPU.",
    )
    parser.add_argument(
        "--arch", action="append", type=_architecture, metavar="ARCH",
        help=f"sm_90, or another one; can be repeated; all (the default) for {', '.join(compiler.ARCHITECTURES)}",
    )  # fmt: skip
    parser.add_argument("--check", action="store_true", help="compile, and keep nothing")
    parser.add_argument(
        "--cupy", action="store_true",
        help="run small programs on the GPU that make CuPy compile its own kernels into CUPY_CACHE_DIR, for "
        "this kind of GPU; of gpugrad's kernels, only those that they need and those of --arch",
    )  # fmt: skip
    parser.set_defaults(run=precompile)


def _architecture(text: str) -> str:
    if text != "all" and not re.fullmatch(r"sm_\d{2,3}", text):
        raise argparse.ArgumentTypeError(f"expected an architecture such as sm_90, or all, got {text!r}")
    return text


def precompile(args: argparse.Namespace) -> int:
    """Compile every CUDA source for the architectures asked for; 1 if one does not compile or cannot be kept.

    With ``--cupy``, CuPy's kernels for the GPU that is here.
    """
    if args.cupy and args.check:
        return fail("--check keeps nothing, --cupy fills a cache: choose one")
    if args.cupy and not args.arch:
        return fill_cupy()
    failed = _compile(args)
    return fill_cupy() if args.cupy and not failed else failed


def fill_cupy() -> int:
    """Run what makes CuPy compile its kernels; 1 if there is no GPU, or a program fails."""
    try:
        backend.load_cuda()
    except RuntimeError as error:
        return fail(f"--cupy runs on a GPU: {error}")
    path = cupy_cache.folder()
    before, start, failures = cupy_cache.kernels(path), time.perf_counter(), []
    ran = 0
    with default_device("cuda"):
        for name, program in cupy_kernels.programs():
            there, begun = cupy_cache.kernels(path), time.perf_counter()
            try:
                program()
                ran += 1
            except Exception as error:  # noqa: BLE001  the others still run
                failures.append(f"{name}: {type(error).__name__}: {error}")
            added = cupy_cache.kernels(path) - there
            say(f"{name:<44}{added:>5} kernels{time.perf_counter() - begun:8.1f} s")
    seconds, after = time.perf_counter() - start, cupy_cache.kernels(path)
    say(f"{ran} programs, {after - before} kernels of CuPy in {seconds:.1f} s: {after} are in {path}")
    return fail(*failures) if failures else 0


def _compile(args: argparse.Namespace) -> int:
    """The kernels of gpugrad."""
    wanted = args.arch or ["all"]
    architectures = list(dict.fromkeys(a for w in wanted for a in (compiler.ARCHITECTURES if w == "all" else (w,))))
    try:
        version = compiler.compiler_version()
    except RuntimeError as error:
        return fail(str(error))
    if not args.check:
        path = compiler.wanted_folder()
        if path is None or not compiler.writable(path):
            where = "there is no home folder" if path is None else f"{path} cannot be written"
            return fail(f"{where}: set GPUGRAD_CACHE_DIR to a folder that can (--check compiles without keeping)")
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
            say(f"{name:<34}{variant:<34}{architecture:<8}{result}")
    done = f"{len(jobs) - len(failures)} of {len(jobs)} compiled: {len(jobs) // len(architectures)} CUDA sources x "
    done += f"{', '.join(architectures)}; {total} bytes, NVRTC {version}"
    say(f"{done}{', nothing kept' if args.check else f', kept in {compiler.folder()}'}")
    return fail(*failures) if failures else 0


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
