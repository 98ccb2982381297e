"""Random bits that are a function of a seed and a counter, the same on every device: Philox4x32-10.

A *block* is 128 bits: the counter (64 bits), the attempt (32 bits, 0 but for numbers that were rejected) and a tag
(32 bits) go through ten rounds keyed by the seed. No state is kept, so any block can be made at any time, in any order,
by any thread. A :class:`Sampler` says what numbers a block becomes: the reference on ``xp`` for many blocks, and
beside it the CUDA statements for one.

Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011; Random123.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

from ..backend import Array, Backend, DType, Namespace, as_dtype
from . import compiled_philox

LOW = 0xFFFFFFFF
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)  # of the words 0 and 2
WEYL = (0x9E3779B9, 0xBB67AE85)  # what the two halves of the key grow by each round
ROUNDS = 10
CHUNK = 1 << 13
"""Blocks made at a time by the reference: its work arrays (half a MiB) then stay in a core's cache."""

PHILOX = """
typedef unsigned int u32;
typedef unsigned long long u64;

__device__ inline void philox(u64 seed, u64 counter, u32 attempt, u32 tag, u32* w) {
    u32 c0 = (u32)counter, c1 = (u32)(counter >> 32), c2 = attempt, c3 = tag;
    u32 k0 = (u32)seed, k1 = (u32)(seed >> 32);
    for (int round = 0; round < 10; ++round) {
        const u64 p0 = (u64)0xD2511F53u * c0, p1 = (u64)0xCD9E8D57u * c2;
        c0 = (u32)(p1 >> 32) ^ c1 ^ k0;
        c2 = (u32)(p0 >> 32) ^ c3 ^ k1;
        c1 = (u32)p1;
        c3 = (u32)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    w[0] = c0; w[1] = c1; w[2] = c2; w[3] = c3;
}
"""


def philox(xp: Namespace, seed: int, counter: Array, attempt: int = 0, tag: int = 0) -> Array:
    """The blocks of uint64 counters ``(N,)``, as uint32 words ``(N, 4)``.

    The words 0 and 2, which are multiplied, are the rows of one array; the words 1 and 3 of another.

    >>> import numpy
    >>> [hex(word) for word in philox(numpy, 0, numpy.zeros(1, numpy.uint64))[0].tolist()]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    compiled: Array = compiled_philox.philox(MULTIPLIERS, _keys(seed), counter, attempt, tag)
    if compiled is not NotImplemented:
        return compiled
    n = counter.shape[0]
    multiplied, other, product = (xp.empty((2, n), dtype=xp.uint64) for _ in range(3))
    xp.bitwise_and(counter, xp.uint64(LOW), out=multiplied[0])
    xp.right_shift(counter, xp.uint64(32), out=other[0])
    multiplied[1], other[1] = attempt, tag
    multipliers = xp.array([[m] for m in MULTIPLIERS], dtype=xp.uint64)
    low, half = xp.uint64(LOW), xp.uint64(32)
    for key in xp.array(_keys(seed), dtype=xp.uint64):
        xp.multiply(multiplied, multipliers, out=product)
        other ^= key
        xp.right_shift(product[::-1], half, out=multiplied)
        multiplied ^= other
        multiplied &= low  # what is above 32 bits in `other` ends here, so it needs no mask of its own
        other, product = product[::-1], other
    words = xp.empty((n, 4), dtype=xp.uint32)
    for lane, word in enumerate((multiplied[0], other[0], multiplied[1], other[1])):
        words[:, lane] = word  # of 64 bits the lower 32
    return words


@lru_cache(maxsize=16)
def _keys(seed: int) -> list[list[list[int]]]:
    """The keys of all rounds, for both rows."""
    halves = (seed & LOW, seed >> 32)
    return [[[(k + r * w) & LOW] for k, w in zip(halves, WEYL, strict=True)] for r in range(ROUNDS)]


class Sampler:
    """Numbers of one dtype made of blocks, ``lanes`` of them to a block.

    The reference is ``f(xp, words, redraw, *scalars) -> (N, lanes)`` with words ``(N, 4)``, which it may overwrite;
    ``redraw(rows, attempt)`` gives the words of some rows anew. The body turns ``w[4]`` into ``v[lanes]`` of type
    ``T``; it may call ``philox(seed, block, attempt, 0, w)``. Scalars are 64-bit integers.
    """

    def __init__(self, reference: Callable[..., Array], dtype: str, ctype: str, lanes: int, body: str,
                 scalars: tuple[str, ...]) -> None:  # fmt: skip
        self.name = f"philox_{reference.__name__}"
        self.reference = reference
        self.dtype: DType = as_dtype(dtype)
        self.ctype, self.lanes, self.body, self.scalars = ctype, lanes, body, scalars
        SAMPLERS[self.name] = self

    def blocks(self, size: int) -> int:
        """How many blocks ``size`` numbers use up."""
        return -(-size // self.lanes)

    def fill(self, owner: Backend, shape: tuple[int, ...], seed: int, counter: int, *scalars: int) -> Array:
        """A new array of ``shape`` on the backend's current device, made of the blocks from ``counter`` on."""
        xp = owner.xp
        out = xp.empty(shape, dtype=self.dtype)
        if owner.compiles:
            numbers = (*(xp.uint64(v) for v in (seed, counter, *scalars)), xp.int64(out.size))
            owner.launch(self.source(), self.name, self.blocks(out.size), (out, *numbers))
        else:
            self.fill_by_reference(xp, out.reshape(-1), seed, counter, *scalars)
        return out

    def fill_by_reference(self, xp: Namespace, out: Array, seed: int, counter: int, *scalars: int) -> None:
        """Fill the flat array ``out`` without the CUDA source."""
        for begin in range(0, self.blocks(out.size), CHUNK):
            part = out[begin * self.lanes : (begin + CHUNK) * self.lanes]
            counters = xp.arange(self.blocks(part.size), dtype=xp.uint64)
            counters += xp.uint64((counter + begin) % 2**64)

            def redraw(rows: Array, attempt: int, counters: Array = counters) -> Array:
                return philox(xp, seed, counters[rows], attempt)

            values = self.reference(xp, philox(xp, seed, counters), redraw, *scalars)
            part[...] = values.reshape(-1)[: part.size]

    @cache  # noqa: B019  samplers live as long as the program
    def source(self) -> str:
        """The CUDA source: one thread a block."""
        parameters = ["T* out", "u64 seed", "u64 counter", *(f"u64 {s}" for s in self.scalars), "long long n"]
        return f"""{PHILOX}
typedef {self.ctype} T;

extern "C" __global__ void {self.name}({", ".join(parameters)}) {{
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i * {self.lanes} >= n) return;
    const u64 block = counter + (u64)i;
    u32 w[4];
    T v[{self.lanes}];
    philox(seed, block, 0, 0, w);
    {self.body.strip()}
    for (int j = 0; j < {self.lanes}; ++j)
        if (i * {self.lanes} + j < n) out[i * {self.lanes} + j] = v[j];
}}
"""


SAMPLERS: dict[str, Sampler] = {}
"""Every sampler by name; the compile checks and the comparison with the references go through it."""


def sampler(
    dtype: str, ctype: str, lanes: int, body: str, scalars: tuple[str, ...] = ()
) -> Callable[[Callable[..., Array]], Sampler]:
    """Make a :class:`Sampler` of a reference and the CUDA statements for one block."""

    def make(reference: Callable[..., Array]) -> Sampler:
        return Sampler(reference, dtype, ctype, lanes, body, scalars)

    return make


@sampler("uint32", "u32", 4, "for (int j = 0; j < 4; ++j) v[j] = w[j];")
def bits32(xp: Namespace, words: Array, redraw: Any) -> Array:
    """The words themselves."""
    return words


@sampler("uint64", "u64", 2, "for (int j = 0; j < 2; ++j) v[j] = w[2 * j] | (u64)w[2 * j + 1] << 32;")
def bits64(xp: Namespace, words: Array, redraw: Any) -> Array:
    """Two words each, the lower one first."""
    return words.view(xp.uint64)


@sampler("float32", "float", 4, "for (int j = 0; j < 4; ++j) v[j] = (float)(w[j] >> 8) * 0x1p-24f;")
def random32(xp: Namespace, words: Array, redraw: Any) -> Array:
    """The upper 24 bits of a word, ``(x >> 8) 2^-24``: every float32 multiple of 2^-24 in [0, 1)."""
    words >>= xp.uint32(8)
    u = words.view(xp.int32).astype(xp.float32)
    u *= xp.float32(2**-24)
    return u


@sampler("float64", "double", 2, """
    for (int j = 0; j < 2; ++j) v[j] = (double)((w[2 * j] | (u64)w[2 * j + 1] << 32) >> 11) * 0x1p-53;
""")  # fmt: skip
def random64(xp: Namespace, words: Array, redraw: Any) -> Array:
    """The upper 53 bits of two words, times 2^-53."""
    pairs = words.view(xp.uint64)
    pairs >>= xp.uint64(11)
    u = pairs.view(xp.int64).astype(xp.float64)
    u *= 2.0**-53
    return u


@sampler("float32", "float", 4, """
    for (int j = 0; j < 4; j += 2) {
        const float r = sqrtf(-2.0f * logf((float)w[j] * 0x1p-32f + 0x1p-33f));
        const float angle = (float)(w[j + 1] >> 8) * 3.7450702829239286e-07f;  // 2 pi 2^-24
        v[j] = r * cosf(angle);
        v[j + 1] = r * sinf(angle);
    }
""")  # fmt: skip
def normal32(xp: Namespace, words: Array, redraw: Any) -> Array:
    """Box and Muller 1958: ``sqrt(-2 log u) (cos a, sin a)``, u of 32 bits in (0, 1], the angle a of 24."""
    u = words[:, ::2].astype(xp.float32)
    u *= xp.float32(2**-32)
    u += xp.float32(2**-33)  # never 0: no normal is larger than sqrt(2 log 2^33) = 6.8
    angle = (words[:, 1::2] >> xp.uint32(8)).view(xp.int32).astype(xp.float32)
    angle *= xp.float32(2 * math.pi * 2**-24)
    return _box_muller(xp, u, angle)


@sampler("float64", "double", 2, """
    const u64 x = w[0] | (u64)w[1] << 32, y = w[2] | (u64)w[3] << 32;
    const double r = sqrt(-2.0 * log((double)(x >> 11) * 0x1p-53 + 0x1p-54));
    const double angle = (double)(y >> 11) * 6.975736996017264e-16;  // 2 pi 2^-53
    v[0] = r * cos(angle);
    v[1] = r * sin(angle);
""")  # fmt: skip
def normal64(xp: Namespace, words: Array, redraw: Any) -> Array:
    """The same in float64, of 53 bits each."""
    pairs = (words.view(xp.uint64) >> xp.uint64(11)).view(xp.int64).astype(xp.float64)
    u = pairs[:, :1] * 2.0**-53
    u += 2.0**-54
    return _box_muller(xp, u, pairs[:, 1:] * (2 * math.pi * 2.0**-53))


def _box_muller(xp: Namespace, u: Array, angle: Array) -> Array:
    """Normals ``(N, 2 M)`` of uniforms and angles ``(N, M)``; changes ``u``."""
    r = xp.log(u, out=u)
    r *= u.dtype.type(-2)
    xp.sqrt(r, out=r)
    out = xp.empty((*u.shape, 2), dtype=u.dtype)
    xp.multiply(r, xp.cos(angle), out=out[..., 0])
    xp.multiply(r, xp.sin(angle), out=out[..., 1])
    return out


@sampler("uint32", "u32", 4, """
    for (int j = 0; j < 4; ++j) {
        u64 m = w[j] * range;
        for (u32 attempt = 1; (u32)m < floor; ++attempt) {
            u32 again[4];
            philox(seed, block, attempt, 0, again);
            m = again[j] * range;
        }
        v[j] = (u32)(m >> 32);
    }
""", ("range", "floor"))  # fmt: skip
def below32(xp: Namespace, words: Array, redraw: Any, range: int, floor: int) -> Array:
    """Integers in [0, range), range at most 2^32, without bias: Lemire 2019, "Fast random integer generation".

    The upper half of ``word * range``; drawn anew where the lower half is below ``floor = 2^32 mod range``, so that
    every integer is left with the same number of words.
    """
    product = words * xp.uint64(range)
    attempt, rejected = 0, xp.nonzero((product & xp.uint64(LOW)) < xp.uint64(floor))
    while rejected[0].size:
        attempt += 1
        rows, lanes = rejected
        again = redraw(rows, attempt)[xp.arange(rows.size), lanes] * xp.uint64(range)
        product[rows, lanes] = again
        left = (again & xp.uint64(LOW)) < xp.uint64(floor)
        rejected = rows[left], lanes[left]
    return product >> xp.uint64(32)


@sampler("uint64", "u64", 2, """
    for (int j = 0; j < 2; ++j) {
        u64 x = w[2 * j] | (u64)w[2 * j + 1] << 32;
        for (u32 attempt = 1; x > last; ++attempt) {
            u32 again[4];
            philox(seed, block, attempt, 0, again);
            x = again[2 * j] | (u64)again[2 * j + 1] << 32;
        }
        v[j] = range ? x % range : x;
    }
""", ("range", "last"))  # fmt: skip
def below64(xp: Namespace, words: Array, redraw: Any, range: int, last: int) -> Array:
    """Integers in [0, range) of 64 bits (range 0 stands for 2^64), without bias.

    Two words modulo ``range``; drawn anew above ``last``, the end of the last whole run of ``range`` integers.
    """
    pairs = words.view(xp.uint64)
    attempt, rejected = 0, xp.nonzero(pairs > xp.uint64(last))
    while rejected[0].size:
        attempt += 1
        rows, lanes = rejected
        again = redraw(rows, attempt).view(xp.uint64)[xp.arange(rows.size), lanes]
        pairs[rows, lanes] = again
        left = again > xp.uint64(last)
        rejected = rows[left], lanes[left]
    return pairs % xp.uint64(range) if range else pairs
