"""Dropout whose mask is a function of a seed and a counter: it is made again on the way back, and kept nowhere.

Bytes moved for n elements of s bytes: 2 n s. On a CPU a part of the mask at a time is in a core's cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from math import prod
from typing import Any

import numpy

from ..backend import Array, Backend, Namespace
from ..backend.dtypes import name_of
from .composed import Composed, thinned
from .cuda_types import COMPUTE, PRELUDE, STORAGE
from .philox import CHUNK, PHILOX, philox

LANES = 4
"""The elements whose bits are one block."""


class Drawn(Composed):
    """A kernel of one array and the numbers that its bits are made of."""

    def launch(self, xp: Namespace, owner: Backend, arguments: tuple[Any, ...]) -> Any:
        x, seed, counter, below, scale = arguments
        dtype = name_of(x.dtype)
        if dtype not in COMPUTE:
            return NotImplemented
        x = x if x.flags.c_contiguous else xp.ascontiguousarray(x)
        y = type(x)(x.shape, x.dtype)
        numbers = (_signed(seed), _signed(counter), below, float(scale), x.size)  # NumPy's scalars would take longer
        owner.launch(source(dtype), self.name, -(-x.size // LANES), (x, y, *numbers))
        return y

    def sources(self) -> Iterator[tuple[str, str]]:
        """One for each dtype."""
        for dtype in COMPUTE:
            yield f"whole {dtype}", source(dtype)


def _signed(number: int) -> int:
    """The signed number of the same 64 bits."""
    return number - 2**64 if number >> 63 else number


@cache
def source(dtype: str) -> str:
    """The CUDA source: a thread for each block of bits."""
    stored = STORAGE[dtype]
    return f"""{PRELUDE}{PHILOX}
extern "C" __global__ void drawn_dropout(const {stored}* __restrict__ x, {stored}* __restrict__ y, u64 seed,
                                         u64 counter, u64 below, double scale, long long n) {{
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i * {LANES} >= n) return;
    u32 w[4];
    philox(seed, counter + (u64)i, 0, 0, w);
    #pragma unroll
    for (int j = 0; j < {LANES}; ++j)
        if (i * {LANES} + j < n)
            store(y[i * {LANES} + j], w[j] < below ? load(x[i * {LANES} + j]) * ({COMPUTE[dtype]})scale
                                                   : ({COMPUTE[dtype]})0);
}}
"""


def blocks(shape: tuple[int, ...]) -> int:
    """How many blocks of bits an array uses up."""
    return -(-prod(shape) // LANES)


@Drawn
def drawn_dropout(xp: Namespace, x: Array, /, seed: int, counter: int, below: int, scale: float) -> Array:
    """``x`` times the scale where a word of 32 bits is less than ``below``, else exactly 0.

    The words are those of the blocks from ``counter`` on, in the order of the elements.
    """
    numbers = xp.arange(blocks(x.shape), dtype=xp.uint64) + xp.uint64(counter % 2**64)
    words = xp.reshape(philox(xp, seed, numbers), (-1,))[: x.size]
    return thinned(xp, x, xp.reshape(words < xp.uint64(below), x.shape), scale)


@drawn_dropout.on_host
def _by_chunks(x: numpy.ndarray[Any, Any], seed: int, counter: int, below: int, scale: float) -> Any:
    step = CHUNK * LANES
    if x.size <= step:
        return NotImplemented
    flat = x.reshape(-1)
    y = numpy.empty(x.size, x.dtype)
    for first in range(0, x.size, step):
        part = flat[first : first + step]
        begin = counter + first // LANES
        y[first : first + step] = drawn_dropout.reference(numpy, part, seed, begin, below, scale)
    return y.reshape(x.shape)
