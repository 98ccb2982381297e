"""CUDA sources to machine code with NVRTC, kept on disk; needs no GPU, so images can be filled in advance.

The cache is a folder of ``.cubin`` files named by a hash of source, architecture, options and compiler version (see
:mod:`.codecache`). Where the folder cannot be written, a temporary one lasts as long as the process.
"""

from __future__ import annotations

import atexit
import hashlib
import logging
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from . import cupy_cache
from .codecache import CodeCache, distrust, make_folder

logger = logging.getLogger("gpugrad")

ARCHITECTURES = ("sm_75", "sm_80", "sm_90", "sm_100", "sm_120")
"""Compute capabilities that the project promises to compile for: 7.5 (Turing) to 12.0 (Blackwell)."""

OPTIONS = ("--std=c++17", "--fmad=true")


class CompileError(RuntimeError):
    """A CUDA source does not compile; the message is the compiler's."""


@cache
def nvrtc() -> Any:
    """CuPy's binding to NVRTC, which needs no driver and no GPU.

    Raises:
        RuntimeError: CuPy or NVRTC is not installed; the message says what to install.
    """
    cupy_cache.make_usable()
    try:
        from cupy.cuda import nvrtc as binding

        binding.getVersion()  # CuPy looks for the library when it is first called
    except Exception as error:
        raise RuntimeError(f"CUDA sources need CuPy and NVRTC ({error}): {installation()}") from error
    return binding


def cupy_package() -> str | None:
    """The name under which CuPy was installed, such as ``cupy-cuda13x``; None if it was not."""
    from importlib import metadata  # which takes as long to import as a tenth of gpugrad

    for name in ("cupy-cuda13x", "cupy-cuda12x", "cupy"):
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        return name
    return None


def installation() -> str:
    """The command that installs what is missing to compile CUDA sources."""
    found = cupy_package()
    return f"pip install '{found}[ctk]'" if found else "pip install 'gpugrad[cuda13]' (cuda12 for drivers of CUDA 12)"


@cache
def compiler_version() -> str:
    """NVRTC's version, such as ``13.0``."""
    return ".".join(map(str, nvrtc().getVersion()))


@cache
def known_architectures() -> frozenset[str]:
    """The architectures for which this NVRTC writes machine code."""
    return frozenset(f"sm_{number}" for number in nvrtc().getSupportedArchs())


@cache
def target(architecture: str) -> str:
    """What to compile for, so that it runs on a GPU of ``architecture``.

    This is the architecture itself, or, for a GPU that is newer than NVRTC, ``compute_120`` or the like: PTX for the
    newest architecture that NVRTC knows, of which the driver makes machine code when it loads it.
    Source: CUDA C++ programming guide, just-in-time compilation.

    Raises:
        RuntimeError: the GPU is older than all that NVRTC knows.
    """
    known = known_architectures()
    if architecture in known:
        return architecture
    older = [n for n in map(_number, known) if n < _number(architecture)]
    if not older:
        oldest = min(map(_number, known))
        raise RuntimeError(
            f"NVRTC {compiler_version()} compiles for GPUs of compute capability {oldest / 10} and later, this one is "
            f"{architecture}: install an older CuPy and CUDA, such as 'gpugrad[cuda12]'"
        )
    return f"compute_{max(older)}"


def _number(architecture: str) -> int:
    return int(architecture.removeprefix("sm_"))


def compile_source(source: str, name: str, architecture: str) -> bytes:
    """The machine code of one CUDA source for an architecture such as ``sm_90``; PTX for ``compute_90``.

    Raises:
        CompileError: the source has an error; names the kernel, the line and what is wrong.
        RuntimeError: there is no compiler.
    """
    binding = nvrtc()
    program = binding.createProgram(source, f"{name}.cu", (), ())
    try:
        binding.compileProgram(program, (f"--gpu-architecture={architecture}", *OPTIONS))
        ptx = architecture.startswith("compute_")
        code: bytes = binding.getPTX(program) if ptx else binding.getCUBIN(program)
    except binding.NVRTCError as error:
        raise CompileError(f"{name} for {architecture}: {binding.getProgramLog(program)}") from error
    finally:
        binding.destroyProgram(program)
    return code


def wanted_folder() -> Path | None:
    """Where compiled kernels are to be kept: ``GPUGRAD_CACHE_DIR``, else in the user's cache; None without a home."""
    wanted = os.environ.get("GPUGRAD_CACHE_DIR")
    if wanted:
        return Path(wanted)
    try:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    except RuntimeError:  # no home
        return None
    return home / "gpugrad" / "kernels"


def writable(path: Path) -> bool:
    """Whether files can be made in a folder, which is made if it is not there."""
    try:
        make_folder(path, 0o755 if os.environ.get("GPUGRAD_CACHE_DIR") else 0o700)  # an image's is for its users
        with tempfile.TemporaryFile(dir=path):
            return True
    except OSError:
        return False


@cache
def folder() -> Path:
    """Where compiled kernels are kept: :func:`wanted_folder`, else a temporary one for this process.

    A folder that cannot be written to is read: an image may have filled it. One that others can write to is not used.
    """
    path = wanted_folder()
    reason = "no home" if path is None else f"{path} cannot be written"
    if path is not None and (writable(path) or path.is_dir()):
        distrusted = distrust(path.resolve())
        if distrusted is None:
            return path
        reason = distrusted
        logger.warning("the kernel cache is not used: %s", distrusted)
    temporary = Path(tempfile.mkdtemp(prefix="gpugrad-kernels-"))
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    logger.info("kernels are compiled again in each process: %s", reason)
    return temporary


@cache
def entries(path: Path) -> CodeCache:
    """The kernels that a folder holds."""
    return CodeCache(path, ".cubin")


def stem(source: str, name: str, architecture: str) -> str:
    """The name of a source in the cache; what fills the cache and what loads from it both ask here."""
    key = "\n".join([source, architecture, *OPTIONS, compiler_version()])
    return f"{name}-{architecture}-{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def compatible(architecture: str) -> list[str]:
    """The architectures whose code runs on one: itself, then those the project names of the same major version below.

    Not for the integrated GPUs of Tegra (8.7, 11.0), which run no code but their own.
    Source: CUDA C++ programming guide, binary compatibility.

    >>> compatible("sm_89"), compatible("sm_90"), compatible("sm_121")
    (['sm_89', 'sm_80'], ['sm_90'], ['sm_121', 'sm_120'])
    """
    number = _number(architecture)
    others = [_number(a) for a in ARCHITECTURES]
    return [architecture, *(f"sm_{n}" for n in reversed(others) if n // 10 == number // 10 and n < number)]


def cached(source: str, name: str, architecture: str, integrated: bool = False) -> Path | bytes:
    """The compiled source for a GPU: a file of the cache, or the code itself where the cache cannot take it.

    Code for an architecture that was compiled in advance is taken where it runs too.

    Args:
        source: CUDA C++.
        name: of the kernel.
        architecture: of the GPU.
        integrated: whether the GPU is a part of the processor's chip, as Tegra's are.
    """
    for like in (architecture,) if integrated else compatible(architecture):
        path = entries(folder()).find(stem(source, name, like))
        if path is not None:
            return path
    return keep(source, name, target(architecture))


def keep(source: str, name: str, architecture: str) -> Path | bytes:
    """Compile a source for exactly this architecture into the cache, unless it is there; see :func:`cached`."""
    known, entry = entries(folder()), stem(source, name, architecture)
    path = known.find(entry)
    if path is not None:
        return path
    code = compile_source(source, name, architecture)
    return known.put(entry, code) or code
