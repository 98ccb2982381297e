"""Row kernels: each row of the last axis is reduced, once or more, and then written element by element.

A row of up to 1,024 elements is one warp's work, four rows to a block; a longer one is a whole block's. The partial
results of the threads meet through warp shuffles, and across the warps of a block through shared memory.
Source of the pattern: ``dev/cuda/softmax_forward.cu`` of llm.c.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from ..backend import Backend, Namespace
from ..backend.dtypes import name_of
from .cuda_types import COMPUTE, PRELUDE, STORAGE
from .kernel import REGISTRY, Kernel

WARP_ROW = 1024
"""The longest row for one warp."""
WARP_BLOCK, LONG_BLOCK = 128, 512
"""Threads in a block: four warps with a row each, or all for one row."""

START = {"max": "-from_bits(0x7f800000u)", "sum": "0"}
JOIN = {"max": "a != a || b != b ? (T)from_bits(0x7fc00000u) : a > b ? a : b", "sum": "a + b"}
"""What a reduction begins with, and how it joins two values; a NaN stays one."""


class Rows(Kernel):
    """A kernel over the rows of contiguous arrays of one shape ``(..., N)``, for ``axis`` the last one.

    Args:
        reference: ``f(xp, *arrays, /, axis)``.
        reduce: ``(name, "max" or "sum", expression)`` one after the other; an expression may use the arrays' names for
            their element, and the names of earlier reductions.
        out: the expression of an element of the result.
    """

    def __init__(self, reference: Callable[..., Any], reduce: tuple[tuple[str, str, str], ...], out: str) -> None:
        super().__init__(reference)
        self.reduce = reduce
        self.out = out

    def launch(self, xp: Namespace, owner: Backend, arguments: tuple[Any, ...]) -> Any:
        """See :meth:`Kernel.launch`."""
        *arrays, axis = arguments
        first = arrays[0]
        kind, shape, dtype = type(first), first.shape, first.dtype
        name = name_of(dtype)
        if name not in COMPUTE or not shape or axis not in (-1, len(shape) - 1, (-1,), (len(shape) - 1,)):
            return NotImplemented
        for a in arrays:
            if type(a) is not kind or a.shape != shape or a.dtype != dtype or not a.flags.c_contiguous:
                return NotImplemented
        out = kind(shape, dtype)
        if out.size:
            length = shape[-1]
            rows = out.size // length
            short = length <= WARP_ROW
            block, threads = (WARP_BLOCK, rows * 32) if short else (LONG_BLOCK, rows * LONG_BLOCK)
            owner.launch(self.source(name, short), self.name, threads, (*arrays, out, rows, length), block)
        return out

    def sources(self) -> Iterator[tuple[str, str]]:
        """Both variants in every dtype."""
        for dtype in COMPUTE:
            yield f"warp {dtype}", self.source(dtype, short=True)
            yield f"block {dtype}", self.source(dtype, short=False)

    @cache  # noqa: B019  kernels live as long as the program
    def source(self, dtype: str, short: bool) -> str:
        """The CUDA source with a warp (``short``) or a block for each row."""
        pointers = [f"const S* __restrict__ {a}_" for a in self.arrays]
        loads = " ".join(f"const T {a} = load({a}_[base + j]);" for a in self.arrays)
        used = sorted({how for _, how, _ in self.reduce})
        lines = [
            PRELUDE,
            f"typedef {STORAGE[dtype]} S;",
            f"typedef {COMPUTE[dtype]} T;",
            *(line for how in used for line in self._reduction(how, short)),
            f'extern "C" __global__ void {self.name}({", ".join(pointers)}, S* __restrict__ out_,',
            "    long long rows, long long n) {",
            "    const long long index = (long long)blockIdx.x * blockDim.x + threadIdx.x;",
            f"    const long long row = {'index / 32' if short else 'blockIdx.x'};",
            f"    const int lane = {'threadIdx.x % 32' if short else 'threadIdx.x'};",
            f"    const int width = {'32' if short else 'blockDim.x'};",
            "    if (row >= rows) return;",
            "    const long long base = row * n;",
        ]
        for name, how, expression in self.reduce:
            lines += [
                f"    T {name} = (T){START[how]};",
                f"    for (long long j = lane; j < n; j += width) {{ {loads} "
                f"{name} = join_{how}({name}, (T)({expression})); }}",
                f"    {name} = all_{how}({name});",
            ]
        lines += [
            f"    for (long long j = lane; j < n; j += width) {{ {loads} store(out_[base + j], (T)({self.out})); }}",
            "}",
        ]
        return "\n".join(lines) + "\n"

    def _reduction(self, how: str, short: bool) -> list[str]:
        """Functions that join two values, and the values of all threads of a row."""
        lines = [
            f"__device__ __forceinline__ T join_{how}(T a, T b) {{ return {JOIN[how]}; }}",
            f"__device__ __forceinline__ T warp_{how}(T v) {{",
            f"    for (int far = 16; far; far /= 2) v = join_{how}(v, __shfl_xor_sync(0xffffffffu, v, far));",
            "    return v;",
            "}",
        ]
        if short:
            return [*lines, f"__device__ __forceinline__ T all_{how}(T v) {{ return warp_{how}(v); }}"]
        return [
            *lines,
            f"__device__ T all_{how}(T v) {{",
            f"    __shared__ T parts[{LONG_BLOCK // 32}];",
            f"    v = warp_{how}(v);",
            "    __syncthreads();  // the parts of the reduction before have been read",
            "    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = v;",
            "    __syncthreads();",
            "    v = parts[0];",
            f"    for (int k = 1; k < {LONG_BLOCK // 32}; ++k) v = join_{how}(v, parts[k]);",
            "    return v;",
            "}",
        ]


def rows(reduce: tuple[tuple[str, str, str], ...], out: str) -> Callable[[Callable[..., Any]], Rows]:
    """Make a row kernel of the library of a reference ``f(xp, *arrays, /, axis)``; see :class:`Rows`."""

    def make(reference: Callable[..., Any]) -> Rows:
        kernel = Rows(reference, reduce, out)
        REGISTRY[kernel.name] = kernel
        return kernel

    return make
