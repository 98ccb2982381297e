"""Attention as CUDA kernels: one launch forward, two back, and no array of all queries times all keys.

A row, which is a query or, for the gradients of keys and values, a key, is one thread's work, or that of 2 to 32
neighbours, so that each holds at most 32 elements of a vector. A block goes through the other side tile by tile, in
shared memory. Forward, the largest score so far and the sum of exponentials run along. Back, the scores are computed
again from both: first a kernel for the queries, which goes through the keys twice, for ``sum p d`` and for the
gradient; then one for keys and values. Nothing is added atomically.

Bytes moved, for H heads, L queries and S keys of E elements of s bytes, with blocks of 128 rows: ``H (L + S) E s`` each
way, and what blocks read again, mostly from a cache: ``H S E s`` for each 128 queries forward.

Source: Dao et al. 2022, "FlashAttention"; Milakov and Gimelshein 2018, "Online normalizer calculation for softmax".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from math import inf, prod
from typing import Any

from ..backend import Array, Backend, as_dtype
from ..backend.dtypes import name_of
from .cuda_types import COMPUTE, PRELUDE, STORAGE
from .kernel import nothing, remember
from .shapes import Shape, merged

THREADS = 128
EACH = 32
"""The most elements of a vector that a thread holds."""
SHARED = 32 * 1024
"""Bytes of a tile in shared memory."""
AT_ONCE = 4
"""The scores that are computed before the largest one so far is known again."""
WIDEST = 1024
"""The most elements of a vector."""
LEADING = 3
"""The most leading axes, after those have been merged that lie together in all arrays."""

KINDS = {
    "forward": ("query", "key", "value", "mask", "y", "sums"),
    "queries": ("g", "query", "key", "value", "mask", "sums", "dq", "inner"),
    "keys": ("g", "query", "key", "value", "mask", "sums", "inner", "dk", "dv"),
}
"""The arrays of each kernel. ``sums`` has two numbers for each query: what was subtracted from its scores, and the sum
of exponentials; ``inner`` has ``sum p d``. Both are contiguous."""

COMMON = """
struct alignas(16) Pack {{ A v[4]; }};
struct Steps {{ long long l0, l1, l2, row, col; }};
struct Layout {{ long long batches, n1, n2, queries, keys, causal, masked; Steps {steps}; }};

__device__ __forceinline__ long long begin(const Steps& s, long long b, const Layout& w) {{
    return b / (w.n1 * w.n2) * s.l0 + b / w.n2 % w.n1 * s.l1 + b % w.n2 * s.l2;
}}
template <int G, typename S> __device__ __forceinline__ void read(Pack* to, const S* from, long long step, int size,
                                                                  int part, bool there, A times) {{
    #pragma unroll
    for (int g = 0; g < G; ++g)
        for (int e = 0; e < 4; ++e) {{
            const int at = (g * P + part) * 4 + e;
            to[g].v[e] = there && at < size ? load(from[at * step]) * times : A(0);
        }}
}}
template <int G, typename S> __device__ __forceinline__ void write(const Pack* from, S* to, long long step, int size,
                                                                   int part, A times) {{
    #pragma unroll
    for (int g = 0; g < G; ++g)
        for (int e = 0; e < 4; ++e) {{
            const int at = (g * P + part) * 4 + e;
            if (at < size) store(to[at * step], from[g].v[e] * times);
        }}
}}
template <int G> __device__ __forceinline__ A dot(const Pack* a, const Pack* b, int part) {{
    A s = 0;
    #pragma unroll
    for (int g = 0; g < G; ++g) {{
        const Pack p = b[g * P + part];
        for (int e = 0; e < 4; ++e) s += a[g].v[e] * p.v[e];
    }}
    for (int far = P / 2; far; far /= 2) s += __shfl_xor_sync(0xffffffffu, s, far);
    return s;
}}
template <int G> __device__ __forceinline__ void scaled(Pack* to, A times) {{
    #pragma unroll
    for (int g = 0; g < G; ++g)
        for (int e = 0; e < 4; ++e) to[g].v[e] *= times;
}}
template <int G> __device__ __forceinline__ void add(Pack* to, A times, const Pack* b, int part) {{
    #pragma unroll
    for (int g = 0; g < G; ++g) {{
        const Pack p = b[g * P + part];
        for (int e = 0; e < 4; ++e) to[g].v[e] += times * p.v[e];
    }}
}}
// rows from `first` on, as many as a tile has, by all threads; 0 behind the last one
template <int G, typename S> __device__ __forceinline__ void tile(Pack* to, const S* from, const Steps& s, int size,
                                                                  long long first, long long count, A times) {{
    for (int t = threadIdx.x; t < TILE * G * P * 4; t += THREADS) {{
        const int row = t / (G * P * 4), at = t % (G * P * 4);
        const bool there = first + row < count && at < size;
        to[t / 4].v[t % 4] = there ? load(from[(first + row) * s.row + at * s.col]) * times : A(0);
    }}
}}
"""

HEAD = """
    const long long blocks = (w.{rows} + ROWS - 1) / ROWS;
    const long long b = blockIdx.x / blocks, base = blockIdx.x % blocks * ROWS, own = base + threadIdx.x / P;
    const int part = threadIdx.x % P;
    const bool there = own < w.{rows};
    const A scale = (A)gg_scale;
"""

BODY = {
    "forward": """
    __shared__ Pack ks[TILE * GE * P], vs[TILE * GV * P];
    query += begin(w.query, b, w); key += begin(w.key, b, w); value += begin(w.value, b, w); y += begin(w.y, b, w);
    if (w.masked) mask += begin(w.mask, b, w) + (there ? own : 0) * w.mask.row;
    Pack q[GE], sum[GV];
    read<GE>(q, query + own * w.query.row, w.query.col, E, part, there, scale);
    const Pack nothing = {};
    #pragma unroll
    for (int i = 0; i < GV; ++i) sum[i] = nothing;
    A top = -INF, total = 0, shift = 0;
    const long long seen = w.causal && base + ROWS < w.keys ? base + ROWS : w.keys;
    for (long long first = 0; first < seen; first += TILE) {
        __syncthreads();
        tile<GE>(ks, key, w.key, E, first, w.keys, A(1));
        tile<GV>(vs, value, w.value, V, first, w.keys, A(1));
        __syncthreads();
        for (int from = 0; from < TILE; from += SOME) {
            A s[SOME], most = top;
            #pragma unroll
            for (int j = 0; j < SOME; ++j) {
                const long long k = first + from + j;
                s[j] = dot<GE>(q, ks + (from + j) * GE * P, part);
                if (w.masked && k < w.keys) s[j] += load(mask[k * w.mask.col]);
                if (k >= w.keys || (w.causal && k > own)) s[j] = -INF;
                most = gg_maximum(most, s[j]);
            }
            shift = most == INF ? NOT_A_NUMBER : most == -INF ? A(0) : most;
            const A less = top == -INF ? A(0) : EXP(top - shift);
            total *= less;
            scaled<GV>(sum, less);
            #pragma unroll
            for (int j = 0; j < SOME; ++j) {
                const A p = EXP(s[j] - shift);
                total += p;
                add<GV>(sum, p, vs + (from + j) * GV * P, part);
            }
            top = most;
        }
    }
    if (!there) return;
    total = total == 0 ? NOT_A_NUMBER : total;
    write<GV>(sum, y + own * w.y.row, w.y.col, V, part, A(1) / total);
    if (part == 0) { sums[2 * (b * w.queries + own)] = shift; sums[2 * (b * w.queries + own) + 1] = total; }
""",
    "queries": """
    __shared__ Pack ks[TILE * GE * P], vs[TILE * GV * P];
    query += begin(w.query, b, w); key += begin(w.key, b, w); value += begin(w.value, b, w);
    g += begin(w.g, b, w); dq += begin(w.dq, b, w);
    if (w.masked) mask += begin(w.mask, b, w) + (there ? own : 0) * w.mask.row;
    Pack q[GE], up[GV], sum[GE];
    read<GE>(q, query + own * w.query.row, w.query.col, E, part, there, scale);
    read<GV>(up, g + own * w.g.row, w.g.col, V, part, there, A(1));
    const Pack nothing = {};
    #pragma unroll
    for (int i = 0; i < GE; ++i) sum[i] = nothing;
    const A shift = there ? sums[2 * (b * w.queries + own)] : A(0);
    const A total = there ? sums[2 * (b * w.queries + own) + 1] : A(1);
    const long long seen = w.causal && base + ROWS < w.keys ? base + ROWS : w.keys;
    A mean = 0;
    for (int again = 0; again < 2; ++again)
        for (long long first = 0; first < seen; first += TILE) {
            __syncthreads();
            tile<GE>(ks, key, w.key, E, first, w.keys, A(1));
            tile<GV>(vs, value, w.value, V, first, w.keys, A(1));
            __syncthreads();
            for (int j = 0; j < TILE; ++j) {
                const long long k = first + j;
                A s = dot<GE>(q, ks + j * GE * P, part);
                const A d = dot<GV>(up, vs + j * GV * P, part);
                if (k >= w.keys || (w.causal && k > own)) continue;
                if (w.masked) s += load(mask[k * w.mask.col]);
                const A p = EXP(s - shift) / total;
                if (again) add<GE>(sum, p * (d - mean), ks + j * GE * P, part);
                else mean += p * d;
            }
        }
    if (!there) return;
    write<GE>(sum, dq + own * w.dq.row, w.dq.col, E, part, scale);
    if (part == 0) inner[b * w.queries + own] = mean;
""",
    "keys": """
    __shared__ Pack qs[TILE * GE * P], gs[TILE * GV * P];
    __shared__ A known[3 * TILE];
    query += begin(w.query, b, w); key += begin(w.key, b, w); value += begin(w.value, b, w);
    g += begin(w.g, b, w); dk += begin(w.dk, b, w); dv += begin(w.dv, b, w);
    if (w.masked) mask += begin(w.mask, b, w) + (there ? own : 0) * w.mask.col;
    Pack k[GE], v[GV], by_k[GE], by_v[GV];
    read<GE>(k, key + own * w.key.row, w.key.col, E, part, there, A(1));
    read<GV>(v, value + own * w.value.row, w.value.col, V, part, there, A(1));
    const Pack nothing = {};
    #pragma unroll
    for (int i = 0; i < GE; ++i) by_k[i] = nothing;
    #pragma unroll
    for (int i = 0; i < GV; ++i) by_v[i] = nothing;
    for (long long first = w.causal ? base / TILE * TILE : 0; first < w.queries; first += TILE) {
        __syncthreads();
        tile<GE>(qs, query, w.query, E, first, w.queries, scale);
        tile<GV>(gs, g, w.g, V, first, w.queries, A(1));
        for (int t = threadIdx.x; t < 3 * TILE; t += THREADS) {
            const long long i = first + t / 3, at = b * w.queries + i;
            known[t] = i >= w.queries ? A(1) : t % 3 < 2 ? sums[2 * at + t % 3] : inner[at];
        }
        __syncthreads();
        for (int j = 0; j < TILE; ++j) {
            const long long i = first + j;
            A s = dot<GE>(k, qs + j * GE * P, part);
            const A d = dot<GV>(v, gs + j * GV * P, part);
            if (i >= w.queries || (w.causal && own > i)) continue;
            if (w.masked) s += load(mask[i * w.mask.row]);
            const A p = EXP(s - known[3 * j]) / known[3 * j + 1];
            add<GE>(by_k, p * (d - known[3 * j + 2]), qs + j * GE * P, part);
            add<GV>(by_v, p, gs + j * GV * P, part);
        }
    }
    if (!there) return;
    write<GE>(by_k, dk + own * w.dk.row, w.dk.col, E, part, A(1));
    write<GV>(by_v, dv + own * w.dv.row, w.dv.col, V, part, A(1));
""",
}

PLAIN = ("sums", "inner")


def threads_of(*sizes: int) -> int:
    """The number of threads that share a row.

    >>> threads_of(32, 20), threads_of(32, 33)
    (1, 2)
    """
    parts = 1
    while parts * EACH < max(sizes):
        parts *= 2
    return parts


@cache
def source(kind: str, dtype: str, wide: int, deep: int) -> str:
    """The CUDA source of a kernel for vectors of ``wide`` elements in queries and keys, and ``deep`` ones in values."""
    arithmetic, stored = COMPUTE[dtype], STORAGE[dtype]
    size = 8 if arithmetic == "double" else 4
    parts = threads_of(wide, deep)
    groups = [-(-n // (4 * parts)) for n in (wide, deep)]
    rows = 32
    while rows * sum(groups) * parts * 4 * size > SHARED:
        rows //= 2
    names = KINDS[kind]
    written = ("y", "dq", "dk", "dv") + (("sums",) if kind == "forward" else ("inner",) if kind == "queries" else ())
    parameters = [
        f"{'' if n in written else 'const '}{arithmetic if n in PLAIN else stored}* __restrict__ {n}" for n in names
    ]  # fmt: skip
    steps = ", ".join(n for n in names if n not in PLAIN)
    return "\n".join([
        PRELUDE,
        f"typedef {arithmetic} A;",
        f"enum {{ E = {wide}, V = {deep}, P = {parts}, GE = {groups[0]}, GV = {groups[1]}, TILE = {rows}, "
        f"SOME = {min(rows, AT_ONCE)}, THREADS = {THREADS}, ROWS = THREADS / P }};",
        f"#define EXP {'exp' if arithmetic == 'double' else 'expf'}",
        "#define INF ((A)from_bits(0x7f800000u))",
        "#define NOT_A_NUMBER ((A)from_bits(0x7fc00000u))",
        COMMON.format(steps=steps).strip(),
        f'extern "C" __global__ void attention_{kind}({", ".join(parameters)}, double gg_scale, const Layout w) {{',
        HEAD.format(rows="keys" if kind == "keys" else "queries").strip("\n"),
        BODY[kind].strip("\n"),
        "}",
        "",
    ])  # fmt: skip


def sources() -> Iterator[tuple[str, str, str]]:
    """``(name, variant, source)`` of those compiled in advance: heads of common sizes in every dtype."""
    for kind in KINDS:
        for dtype in COMPUTE:
            for size in (32, 64, 128):
                yield f"attention_{kind}", f"{dtype} {size}", source(kind, dtype, size, size)


Plan = tuple[Callable[..., None], int, Any]
"""See :meth:`Backend.launcher`; the number of threads; the last argument, a struct."""

LEFT: Plan = (nothing, 0, None)
"""What the kernels cannot read."""

_plans: dict[Any, Plan] = {}


class Call:
    """What the kernels of one call share: the leading axes, and how to launch.

    Attributes:
        lead: the shape of the leading axes of all results.
    """

    def __init__(self, owner: Backend, arrays: Sequence[Array], causal: bool, scale: float) -> None:
        self.owner, self.causal, self.scale = owner, causal, scale
        self.lead: Shape = _broadcast(tuple([a.shape[:-2] for a in arrays]))

    def new(self, like: Array, rows: int, size: int) -> Array:
        """An array for a result whose axes lie in memory in the order in which those of ``like`` do."""
        shape = (*self.lead, rows)
        order, back = _order((0,) * (len(shape) + 1 - like.ndim) + tuple(like.strides[:-1]))
        made = type(like)((*[shape[axis] for axis in order], size), like.dtype)
        return made if back is None else made.transpose(back)

    def plain(self, like: Array, *shape: int) -> Array:
        """A contiguous array of numbers of the arithmetic."""
        wide = like.dtype if like.dtype.itemsize > 4 else as_dtype("float32")
        return type(like)((*self.lead, *shape), wide)

    def launch(self, kind: str, queries: int, keys: int, sizes: tuple[int, int], **arrays: Array | None) -> bool:
        """Launch a kernel; False if it cannot read these arrays."""
        owner = self.owner
        laid = [None if a is None else (n, a.dtype, a.shape, a.strides) for n, a in arrays.items()]
        known = (owner, kind, self.lead, queries, keys, sizes, self.causal, *laid,
                 owner.current_index if owner.several_devices else 0)  # fmt: skip
        plan = _plans.get(known)
        if plan is None:
            plan = remember(_plans, known, self._plan(kind, queries, keys, sizes, arrays))
        if plan is LEFT:
            return False
        start, threads, numbers = plan
        first = arrays["query"]
        given = [first if (a := arrays.get(n)) is None else a for n in KINDS[kind]]
        start(threads, (*given, float(self.scale), numbers), 0, THREADS)
        return True

    def _plan(
        self, kind: str, queries: int, keys: int, sizes: tuple[int, int], arrays: Mapping[str, Array | None]
    ) -> Plan:
        """How to launch a kernel on such arrays."""
        strided = [n for n in KINDS[kind] if n not in PLAIN]
        there: dict[str, Array] = {n: a for n, a in arrays.items() if a is not None}
        leading = [n for n in strided if n in there]
        steps = {n: [s // there[n].dtype.itemsize for s in there[n].strides] for n in leading}
        lengths, rows = merged(
            self.lead, [there[n].shape[:-2] for n in leading], [tuple(steps[n][:-2]) for n in leading]
        )
        if len(lengths) > LEADING:
            return LEFT
        ahead = [0] * (LEADING - len(lengths))
        numbers = [
            prod(self.lead),
            *([1] * LEADING + lengths)[-2:],
            queries,
            keys,
            int(self.causal),
            int("mask" in there),
        ]
        for n in strided:
            if n not in there:
                numbers += [0] * (LEADING + 2)
                continue
            row, own = rows[leading.index(n)], steps[n][-2:]
            size = there[n].shape[-2:]
            numbers += [*ahead, *row, *(0 if k == 1 else s for k, s in zip(size, own, strict=True))]
        first = there["query"]
        text = source(kind, name_of(first.dtype), *sizes)
        count = keys if kind == "keys" else queries
        blocks = prod(self.lead) * -(-count // (THREADS // threads_of(*sizes)))
        start = self.owner.launcher(text, f"attention_{kind}") if blocks else nothing
        return start, blocks * THREADS, self.owner.struct(tuple(numbers), True)


@lru_cache(maxsize=1024)
def _order(strides: Shape) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
    """The axes from the slowest to the fastest, and what transposes an array of that order; None for nothing."""
    axes = range(len(strides))
    order = tuple(sorted(axes, key=lambda axis: (-strides[axis] or -inf, axis)))
    return order, None if order == tuple(axes) else (*(order.index(axis) for axis in axes), len(strides))


@lru_cache(maxsize=1024)
def _broadcast(shapes: tuple[Shape, ...]) -> Shape:
    ndim = max(map(len, shapes))
    padded = [(1,) * (ndim - len(s)) + s for s in shapes]
    return tuple(max(sizes, key=lambda n: n != 1) for sizes in zip(*padded, strict=True))


def usable(arrays: Sequence[Array]) -> bool:
    """Whether there are kernels for arrays of these dtypes and shapes."""
    first = arrays[0]
    return (
        name_of(first.dtype) in COMPUTE
        and all(type(a) is type(first) and a.dtype == first.dtype and a.size for a in arrays)
        and all(a.shape[-1] <= WIDEST for a in arrays[:3])
        and not any(s % a.dtype.itemsize for a in arrays for s in a.strides)
    )


def forward(
    owner: Backend, query: Array, key: Array, value: Array, mask: Array | None, causal: bool, scale: float
) -> Any:
    """See :func:`~gpugrad.kernels.attention.attention_forward`; NotImplemented for what is not known."""
    given = [query, key, value, *(() if mask is None else (mask,))]
    if not usable(given):
        return NotImplemented
    call = Call(owner, given, causal, scale)
    queries, keys, sizes = query.shape[-2], key.shape[-2], (query.shape[-1], value.shape[-1])
    y, sums = call.new(query, queries, sizes[1]), call.plain(query, queries, 2)
    done = call.launch("forward", queries, keys, sizes, query=query, key=key, value=value,
                       mask=_whole(mask, queries, keys), y=y, sums=sums)  # fmt: skip
    return (y, sums) if done else NotImplemented


def backward(
    owner: Backend, g: Array, query: Array, key: Array, value: Array, mask: Array | None, sums: Array | None,
    causal: bool, scale: float,
) -> Any:  # fmt: skip
    """See :func:`~gpugrad.kernels.attention.attention_backward`; NotImplemented for what is not known."""
    given = [query, key, value, g, *(() if mask is None else (mask,))]
    if sums is None or not usable(given) or not sums.flags.c_contiguous:
        return NotImplemented
    call = Call(owner, given, causal, scale)
    queries, keys, sizes = query.shape[-2], key.shape[-2], (query.shape[-1], value.shape[-1])
    shared = {"g": g, "query": query, "key": key, "value": value, "mask": _whole(mask, queries, keys), "sums": sums,
              "inner": call.plain(query, queries)}  # fmt: skip
    dq, dk, dv = (call.new(like, n, size) for like, n, size in (
        (query, queries, sizes[0]), (key, keys, sizes[0]), (value, keys, sizes[1])))  # fmt: skip
    if not call.launch("queries", queries, keys, sizes, **shared, dq=dq):
        return NotImplemented
    done = call.launch("keys", queries, keys, sizes, **shared, dk=dk, dv=dv)
    return (dq, dk, dv) if done else NotImplemented


def _whole(mask: Array | None, queries: int, keys: int) -> Array | None:
    """A mask with both of its last axes."""
    if mask is None or mask.ndim > 1:
        return mask
    return mask.reshape((1,) * (2 - mask.ndim) + mask.shape)
