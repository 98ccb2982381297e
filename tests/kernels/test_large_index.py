"""Index arithmetic near 2^31, on small memory: single blocks far out, strides of 0 or pointers shifted back."""

from __future__ import annotations

import ctypes
import math
import re
import shutil
import subprocess
from types import SimpleNamespace

import host_cuda
import numpy
import pytest

from gpugrad import backend
from gpugrad.kernels import REGISTRY
from gpugrad.kernels.elementwise import MOST_NARROW, Elementwise, contiguous, reach

BLOCK = """
extern "C" void host_block(unsigned block, {parameters}) {{
    blockDim.x = 256;
    blockIdx.x = block;
    for (unsigned t = 0; t < 256; ++t) {{
        threadIdx.x = t;
        {name}({names});
    }}
}}
"""


def build(source, name, folder):
    """A function that runs one block of the kernel, whose overflows end the process."""
    if shutil.which("g++") is None:
        pytest.skip("no g++: the CUDA source is not run on the host")
    parameters = re.search(rf"__global__ void {name}\(([^)]*)\)", source).group(1)
    names = ", ".join(re.split(r"[\s*&]+", p.strip())[-1] for p in parameters.split(","))
    text = host_cuda.SHIM + source + BLOCK.format(parameters=parameters, name=name, names=names)
    (folder / "k.cpp").write_text(text)
    flags = ["-O1", "-std=c++17", "-ftrapv", "-shared", "-fPIC"]
    subprocess.run(["g++", *flags, "-o", "k.so", "k.cpp"], cwd=folder, check=True)
    return ctypes.CDLL(str(folder / "k.so")).host_block


COUNT = Elementwise(lambda xp, x, /: None, "x += T(1);", changes=("x",), name="count")


@pytest.mark.parametrize("size", [2**31 - 1, 2**31 - 100, 2**31 - 256, 2**30 + 5])
def test_the_last_block_of_a_strided_kernel(size, tmp_path):
    class Layout(ctypes.Structure):
        _fields_ = [(name, ctypes.c_int) for name in ("d0", "t0_x", "n")]

    run = build(COUNT.strided("float64", 1), "count", tmp_path)
    x = numpy.zeros(1)
    last = (size - 1) // 256
    for block in (last, -(-size // 256) - 1):
        x[:] = 0
        run(ctypes.c_uint(block), ctypes.c_void_p(x.ctypes.data), Layout(size, 0, size))
        assert x[0] == size - 256 * block, "each element in range once, and nothing beyond"


@pytest.mark.parametrize("size", [2**31 - 1, 2**31 - 8, 2**31 - 100])
def test_the_last_block_of_a_packed_kernel(size, tmp_path):
    run = build(COUNT.packed("float32"), "count", tmp_path)
    pieces = -(-size // 4)
    block = (pieces - 1) // 256
    around = numpy.zeros(4 * 256 + 8, "f4")
    x = around[-around.ctypes.data % 16 // 4 :][: 4 * 256]
    run(ctypes.c_uint(block), ctypes.c_void_p(x.ctypes.data - 16 * 256 * block), ctypes.c_int(size))
    assert x.sum() == size - 4 * 256 * block
    assert x[: size - 4 * 256 * block].all()


class Fake:
    """An array that only says where it lies."""

    def __init__(self, shape, dtype="f4", memory=None, strides=None, order="C", pointer=1 << 40):
        self.shape = shape
        self.dtype = numpy.dtype(dtype)
        self.size = math.prod(shape)
        usual = [4]
        for n in shape[:0:-1]:
            usual.insert(0, usual[0] * n)
        if order == "F":
            strides = tuple(4 * n for n in contiguous(shape[::-1])[::-1])
        self.strides = tuple(usual) if strides is None else strides
        self.flags = SimpleNamespace(c_contiguous=self.strides == tuple(usual))
        self.data = SimpleNamespace(ptr=pointer)


def launched(*arrays):
    """The source and the number of threads that are asked for."""
    calls = []
    owner = backend.Backend()

    def launcher(source, name):
        return lambda threads, arguments, shared, block: calls.append((source, threads, arguments))

    owner.launcher = launcher
    owner.empty_beside = lambda array, dtype: Fake(array.shape, dtype, strides=array.strides)
    result = REGISTRY["relu_forward"].launch(None, owner, arrays)
    assert result is not NotImplemented
    return calls[0]


@pytest.mark.parametrize(
    ("array", "wide", "threads"),
    [
        (Fake((2**31 - 1,)), False, 2**29),
        (Fake((2**31,)), True, 2**29),
        (Fake((2**31 - 1,), pointer=4), False, 2**31 - 1),
        (Fake((3_000_000,), strides=(4000,)), True, 3_000_000),  # few elements, far apart
        (Fake((3_000_000,), strides=(-4000,)), True, 3_000_000),
        (Fake((3_000_000,), strides=(400,)), False, 3_000_000),
    ],
)  # fmt: skip
def test_indices_are_64_bit_where_elements_are_far_apart(array, wide, threads):
    source, asked, arguments = launched(array)
    assert ("typedef long long gg_I;" in source) == wide
    assert asked == -(-threads // 256) * 256, "whole blocks"
    (last,) = (a for a in arguments if not isinstance(a, Fake))
    numbers = [last] if isinstance(last, int) else numpy.frombuffer(last.tobytes(), "i8" if wide else "i4").tolist()
    assert numbers[-1] == array.size
    assert all(abs(n) <= MOST_NARROW for n in numbers) or wide


@pytest.mark.parametrize(
    ("shape", "strides", "packed"),
    [
        ((6, 4), (4, 24), True),  # transposed
        ((2, 3, 4), (4, 8, 24), True),
        ((2, 3, 4), (48, 4, 12), True),
        ((2, 1, 4), (4, 400, 8), True),  # the stride of a single element is never used
        ((6, 4), (4, 28), False),  # with gaps
        ((6, 4), (8, 48), False),
        ((6, 4), (0, 4), False),  # broadcast
        ((6, 4), (-4, 24), False),
    ],
)
def test_arrays_that_are_transposed_alike_are_contiguous(shape, strides, packed):
    source, _, arguments = launched(Fake(shape, strides=strides))
    assert ("gg_Pack" in source) == packed
    assert (arguments[1].strides == strides) == packed, "the result lies as its inputs do"


def test_arrays_that_are_transposed_differently_are_not():
    calls = []
    owner = backend.Backend()
    owner.launcher = lambda source, name: lambda *arguments: calls.append(source)
    turned, straight = Fake((4, 4), strides=(4, 16)), Fake((4, 4))
    for pair in ((turned, straight), (straight, turned), (turned, Fake((4, 4), strides=(4, 16), pointer=8))):
        assert REGISTRY["relu_backward"].launch(None, owner, pair).strides == straight.strides
    assert all("gg_Layout" in source for source in calls)
    assert REGISTRY["relu_backward"].launch(None, owner, (turned, turned)).strides == turned.strides
    assert "gg_Pack" in calls[-1]


def test_reach_goes_both_ways():
    assert reach([3, 5], [10, -1]) == reach([3, 5], [-10, 1]) == 24


def test_a_view_into_records_goes_to_the_reference():
    field = Fake((4,), strides=(6,))
    assert REGISTRY["relu_forward"].launch(None, backend.Backend(), (field,)) is NotImplemented
    shifted = Fake((4,), pointer=(1 << 40) + 2)
    assert REGISTRY["relu_forward"].launch(None, backend.Backend(), (shifted,)) is NotImplemented
