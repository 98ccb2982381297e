"""CUDA sources to machine code with NVRTC, kept on disk; needs no GPU, so images can be filled in advance.

The cache is a folder of ``.cubin`` files named by a hash of source, architecture, options and compiler version. Files
are written under a temporary name and renamed, so processes that share the folder, on a network file system too, never
see half a file. Where the folder cannot be written, a temporary one lasts as long as the process.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

logger = logging.getLogger("gpugrad")

ARCHITECTURES = ("sm_75", "sm_80", "sm_90", "sm_100", "sm_120")
"""What the project promises to compile for: compute capabilities 7.5 (Turing) to 12.0 (Blackwell)."""

OPTIONS = ("--std=c++17", "--fmad=true")


class CompileError(RuntimeError):
    """A CUDA source does not compile; the message is the compiler's."""


def nvrtc() -> Any:
    """CuPy's binding to NVRTC.

    Raises:
        RuntimeError: CuPy or NVRTC is not installed.
    """
    try:
        from cupy.cuda import nvrtc as binding
    except ImportError as error:
        raise RuntimeError(f"CUDA sources need CuPy and NVRTC ({error}): pip install 'gpugrad[cuda13]'") from error
    return binding


@cache
def compiler_version() -> str:
    """NVRTC's version, such as ``13.0``."""
    return ".".join(map(str, nvrtc().getVersion()))


def compile_source(source: str, name: str, architecture: str) -> bytes:
    """The machine code of one CUDA source for an architecture such as ``sm_90``.

    Raises:
        CompileError: the source has an error; names the kernel, the line and what is wrong.
        RuntimeError: there is no compiler.
    """
    binding = nvrtc()
    program = binding.createProgram(source, f"{name}.cu", (), ())
    try:
        binding.compileProgram(program, (f"--gpu-architecture={architecture}", *OPTIONS))
        code: bytes = binding.getCUBIN(program)
    except binding.NVRTCError as error:
        raise CompileError(f"{name} for {architecture}: {binding.getProgramLog(program)}") from error
    finally:
        binding.destroyProgram(program)
    return code


@cache
def folder() -> Path:
    """Where compiled kernels are kept.

    ``GPUGRAD_CACHE_DIR``, else ``gpugrad/kernels`` in the user's cache folder, else a temporary folder.
    """
    wanted = os.environ.get("GPUGRAD_CACHE_DIR")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    path = Path(wanted) if wanted else home / "gpugrad" / "kernels"
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        if path.is_dir():  # read-only, as in an image, but perhaps filled
            return path
        temporary = Path(tempfile.mkdtemp(prefix="gpugrad-kernels-"))
        logger.info("kernels are compiled anew in each process: %s cannot be written (%s)", path, error)
        return temporary
    return path


def cached(source: str, name: str, architecture: str) -> Path | bytes:
    """The compiled source: a file of the cache, or the code itself where the cache cannot take it."""
    key = "\n".join([source, architecture, *OPTIONS, compiler_version()])
    path = folder() / f"{name}-{architecture}-{hashlib.sha256(key.encode()).hexdigest()[:32]}.cubin"
    if path.exists():
        return path
    code = compile_source(source, name, architecture)
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(code)
        Path(file.name).replace(path)
    except OSError:
        return code
    return path
