"""CUDA C++ to a library of the host: rewritten a little, compiled by g++, kept on disk."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import hashlib
import logging
import os
import platform
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from ...backend.codecache import CodeCache, distrust, make_folder

logger = logging.getLogger("gpugrad")

INCLUDE = Path(__file__).parent / "include"
FLAGS = (
    "-O2",
    "-shared",
    "-fPIC",
    "-std=c++17",
    "-w",
    "-ffp-contract=off",
    "-fno-strict-aliasing",
    "-Wl,-Bsymbolic",
    "-ldl",
)
"""-Bsymbolic: a kernel named as a function of some library must stay itself."""
KERNEL = re.compile(
    r"(template\s*<[^;{}]*>\s*)?(?:static\s+)?__global__\s+"
    r"(?:__launch_bounds__\s*\([^()]*\)\s*)?void\s+(?:__launch_bounds__\s*\([^()]*\)\s*)?(\w+)\s*\("
)
ALIGN = r"(?:(?:__align__|alignas)\s*\([^()]*\)\s*)?"
DYNAMIC = re.compile(rf"extern\s+{ALIGN}__shared__\s+{ALIGN}([\w:<>, ]+?)\s*{ALIGN}\b(\w+)\s*\[\s*\]\s*;")
COMMENTS = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


class CompileException(Exception):  # noqa: N818  CuPy's name
    """The source is no valid CUDA C++; the message is the compiler's."""

    def __init__(self, msg: str, source: str, name: str, options: tuple[str, ...], backend: str = "nvrtc") -> None:
        super().__init__(msg)
        self._msg = msg
        self.source, self.name, self.options, self.backend = source, name, options, backend

    def get_message(self) -> str:
        return self._msg


class Library:
    """A compiled source: its kernels by name, and the launcher of each."""

    def __init__(self, path: Path, expressions: tuple[str, ...]) -> None:
        self.code = ctypes.CDLL(str(path))
        self.labels = {expression: i for i, expression in enumerate(expressions)}


def kernels_in(source: str) -> tuple[str, ...]:
    """The names of the kernels in a source that are no templates.

    >>> kernels_in('extern "C" __global__ void f(int n) {} template <class T> __global__ void g(T x) {}')
    ('f',)
    """
    found = KERNEL.finditer(COMMENTS.sub(" ", source))
    return tuple(dict.fromkeys(name for template, name in (match.groups() for match in found) if not template))


@functools.cache
def load(source: str, options: tuple[str, ...], wanted: tuple[str, ...]) -> Library:
    """Compile a source, or find it compiled.

    Args:
        source: CUDA C++.
        options: those of nvrtc; only definitions and include folders matter here.
        wanted: kernels asked for, names or template expressions; all others that are seen in the source come with them.

    Raises:
        CompileException: the compiler says no.
    """
    names = tuple(dict.fromkeys((*kernels_in(source), *wanted)))
    try:
        return Library(_compiled(source, options, names), names)
    except CompileException:
        if names == wanted or not wanted:
            raise
    return Library(_compiled(source, options, wanted), wanted)  # a kernel seen in an inactive #if, or in a namespace


def _compiled(source: str, options: tuple[str, ...], expressions: tuple[str, ...]) -> Path:
    flags = tuple(option for option in options if re.match(r"-[DUI]|--(define-macro|include-path)", option))
    launchers = "".join(f"CUDA_HOST_LAUNCHER({i}, &{e})\n" for i, e in enumerate(expressions))
    body = DYNAMIC.sub(r"static \1* const \2 = (\1*)cuda_host::dynamic_shared;", source)
    text = f'#include "cuda_host.hpp"\n#line 1 "kernel.cu"\n{body}\n#line 1 "launchers"\n{launchers}'
    compiler = find_compiler()
    key = hashlib.sha256("\0".join((text, *flags, *FLAGS, platform.machine(), _identity(compiler))).encode())
    kept, stem = _entries(cache_folder()), key.hexdigest()[:32]
    path = kept.find(stem)
    if path is not None:
        return path
    with tempfile.TemporaryDirectory(prefix="gpugrad-build-") as folder:
        file = Path(folder) / "kernel.cpp"
        file.write_text(text)
        made = file.with_suffix(".so")
        command = [compiler, *FLAGS, *flags, f"-I{INCLUDE}", "-o", str(made), str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CompileException(done.stderr, source, expressions[0] if expressions else "", options)
        path = kept.put(stem, made.read_bytes())
    if path is None:
        raise OSError(f"the CUDA simulator cannot write to {cache_folder()}")
    return path


@functools.cache
def find_compiler() -> str:
    """g++, or what the environment variable ``CXX`` names.

    Raises:
        RuntimeError: there is none.
    """
    found = shutil.which(os.environ.get("CXX", "g++"))
    if found is None:
        raise RuntimeError("the CUDA simulator compiles raw kernels with g++, which is not installed (or set CXX)")
    return found


@functools.cache
def _identity(compiler: str) -> str:
    """What must change the name of a compiled file: the compiler's version, and the headers."""
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False).stdout
    headers = [file.read_text() for file in sorted(INCLUDE.iterdir())]
    return hashlib.sha256("\0".join((version, *headers)).encode()).hexdigest()


@functools.cache
def cache_folder() -> Path:
    """Where compiled kernels are kept: in the user's cache, or in a temporary folder of this process."""
    with contextlib.suppress(OSError, RuntimeError):
        path = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "gpugrad" / "cuda_simulator"
        make_folder(path)
        with tempfile.TemporaryFile(dir=path):
            reason = distrust(path.resolve())
        if reason is None:
            return path
        logger.warning("the CUDA simulator's cache is not used: %s", reason)
    temporary = Path(tempfile.mkdtemp(prefix="gpugrad-simulator-"))
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    return temporary


@functools.cache
def _entries(path: Path) -> CodeCache:
    return CodeCache(path, ".so")
