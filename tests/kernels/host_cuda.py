"""Run and compile CUDA sources without a GPU: with the host's C++ compiler, and with NVRTC."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy
import pytest

from gpugrad.backend import compiler

ARCHITECTURES = compiler.ARCHITECTURES

SHIM = """
#include <math.h>
#include <algorithm>
using std::max; using std::min;
#define __global__
#define __device__
#define __forceinline__ inline
struct Dim3 { unsigned x, y, z; };
static thread_local Dim3 threadIdx, blockIdx, blockDim, gridDim = {1, 1, 1};
"""

LAUNCH = """
extern "C" void host_launch(long long threads, {parameters}) {{
    blockDim.x = 256;
    for (long long t = 0; t < (threads + 255) / 256 * 256; ++t) {{
        blockIdx.x = t / 256;
        threadIdx.x = t % 256;
        gridDim.x = (threads + 255) / 256;
        {name}({names});
    }}
}}
"""


@cache
def build(source: str, name: str) -> ctypes._CFuncPtr:
    """The kernel as a host function ``(threads, *arguments)`` that runs all threads one after the other."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no g++: the CUDA source is not run on the host")
    parameters = re.search(rf"__global__ void {name}\(([^)]*)\)", source).group(1)
    names = ", ".join(re.split(r"[\s*&]+", p.strip())[-1] for p in parameters.split(","))
    folder = Path(tempfile.mkdtemp(prefix="gpugrad-host-cuda-"))
    (folder / "k.cpp").write_text(SHIM + source + LAUNCH.format(parameters=parameters, name=name, names=names))
    flags = ["-O1", "-std=c++17", "-ffp-contract=off", "-shared", "-fPIC"]
    done = subprocess.run([compiler, *flags, "-o", "k.so", "k.cpp"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(folder / "k.so")).host_launch


SCALARS = {"float64": ctypes.c_double, "int64": ctypes.c_int64, "uint64": ctypes.c_uint64}


def launch(source: str, name: str, size: int, arguments: tuple) -> None:
    """What a backend's ``launch`` does, on NumPy arrays and scalars."""
    call = build(source, name)
    converted = [
        ctypes.c_void_p(a.ctypes.data) if isinstance(a, numpy.ndarray) else SCALARS[a.dtype.name](a.item())
        for a in arguments
    ]
    call(ctypes.c_longlong(size), *converted)


def compile_with_nvrtc(source: str, architecture: str) -> bytes:
    """The machine code of ``source`` for an architecture such as ``sm_90``."""
    try:
        compiler.nvrtc().getVersion()
    except RuntimeError as error:
        pytest.skip(f"no NVRTC: the CUDA source is not compiled ({error})")
    return compiler.compile_source(source, "kernel", architecture)
