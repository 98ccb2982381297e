"""Attention in tiles: no array of all queries times all keys is ever held, forward or backward.

A tile is some queries of some heads, against every key they may see. On a CPU its scores stay in a core's cache, and
the gradient computes them again from what each query's softmax subtracted and divided by, which is kept. On a GPU tiles
are in the shared memory of a kernel (``launched_attention.py``). What that does not know, such as vectors of more than
1,024 elements, is taken in tiles as large as :data:`ON_DEVICE` allows, whose softmax is one launch.

Bytes moved, for H heads, L queries and S keys of E elements of s bytes: on a CPU about ``2 H (L + S) E s`` forward and
``5 H (L + S) E s`` backward, since scores do not leave the cache.

Source: Dao et al. 2022, "FlashAttention": tiles, and scores computed twice; Rabe and Staats 2021.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from math import inf
from typing import Any

from ..backend import NAMESPACES, Array, Backend, Namespace
from . import launched_attention
from .composed import Composed
from .softmax import shift_of, softmax_backward, softmax_forward, top, total_of

ON_HOST = 1 << 20
"""Bytes of the scores of a tile, so that two such arrays stay in a cache of the second level."""

ON_DEVICE = 1 << 28
"""Bytes of the scores of a tile on a GPU."""

FEWEST = 16
"""Queries in a tile, at least."""


class Tiled(Composed):
    """A kernel whose reference makes all scores at once; arrays of NumPy and of a GPU are taken tile by tile."""

    def __init__(self, reference: Callable[..., Any], name: str | None = None) -> None:
        super().__init__(reference, name)
        self.tiles: Callable[..., Any] = reference
        self.kernels: Callable[..., Any] = lambda *_: NotImplemented
        self.routine = lambda *arguments: self._run(NAMESPACES[type(arguments[0])], True, arguments)

    def launch(self, xp: Namespace, owner: Backend, arguments: tuple[Any, ...]) -> Any:
        found = self.kernels(owner, *arguments)
        return self._run(xp, False, arguments) if found is NotImplemented else found

    def _run(self, xp: Namespace, on_host: bool, arguments: tuple[Any, ...]) -> Any:
        arrays = [a for a in arguments[: len(self.arrays)] if a is not None]
        alike = {a.dtype.name for a in arrays}
        if len(alike) > 1 or not alike <= {"float32", "float64"} or not all(a.size for a in arrays):
            return NotImplemented
        return self.tiles(xp, on_host, *arguments)


def transposed(xp: Namespace, x: Array) -> Array:
    """The last two axes exchanged."""
    return xp.permute_dims(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def scores(xp: Namespace, query: Array, key: Array, mask: Array | None, causal: bool, scale: float) -> Array:
    """``scale q k^T + mask``, and ``-inf`` for the keys after a query."""
    s = (query * scale) @ transposed(xp, key)
    if mask is not None:
        s = s + mask
    if causal:
        s = xp.where(xp.triu(xp.ones_like(s), k=1) == 1, -inf, s)
    return s


@Tiled
def attention_forward(
    xp: Namespace, query: Array, key: Array, value: Array, mask: Array | None, /, causal: bool, scale: float
) -> tuple[Array, Array | None]:
    """``softmax(scale q k^T + mask) v``, and for the gradient ``m`` and ``sum exp(s - m)`` of each query's scores.

    Not the logarithm of the sum, which is one number: ``m + log(sum)`` would round the sum away where m is large.
    """
    s = scores(xp, query, key, mask, causal, scale)
    largest = shift_of(xp, top(xp, s, -1))
    e = xp.exp(s - largest)
    total = total_of(xp, e, -1)
    return (e / total) @ value, xp.concat([largest, total], axis=-1)


@Tiled
def attention_backward(
    xp: Namespace, g: Array, query: Array, key: Array, value: Array, mask: Array | None,
    sums: Array | None, /, causal: bool, scale: float,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """The gradients of query, key and value, with the axes that broadcast: ``ds = p (d - sum p d)`` with ``d = g v^T``.

    The sum is that of the tile's own products, not ``g y``: where one key has all the weight, they cancel exactly.
    """
    s = scores(xp, query, key, mask, causal, scale)
    if sums is None:
        p = xp.exp(s - shift_of(xp, top(xp, s, -1)))
        p = p / total_of(xp, p, -1)
    else:
        p = xp.exp(s - sums[..., :1]) / sums[..., 1:]
    d = g @ transposed(xp, value)
    d = p * (d - xp.sum(p * d, axis=-1, keepdims=True))
    return (d @ key) * scale, transposed(xp, d) @ (query * scale), transposed(xp, p) @ g


attention_backward.rounds = 3


class Tiles:
    """The tiles of one call: what each of them is made of, and its scores."""

    def __init__(
        self, xp: Namespace, on_host: bool, query: Array, key: Array, value: Array, mask: Array | None, causal: bool
    ) -> None:
        self.xp, self.causal, self.on_host = xp, causal, on_host
        most = ON_HOST if on_host else ON_DEVICE
        self.steps, self.keys = query.shape[-2], key.shape[-2]
        shapes = [x.shape[:-2] for x in (query, key, value, *(() if mask is None else (mask,)))]
        self.lead = xp.broadcast_shapes(*shapes)
        self.query, self.key, self.value = (self.whole(x) for x in (query, key, value))
        self.mask = mask
        if mask is not None:
            self.mask = xp.broadcast_to(mask, (*self.lead, self.steps, self.keys))
        size = query.dtype.itemsize * self.keys
        self.rows = min(self.steps, max(FEWEST, most // size))
        self.ahead, size = len(self.lead), size * self.rows
        while self.ahead and size * self.lead[self.ahead - 1] <= most:
            self.ahead -= 1
            size *= self.lead[self.ahead]
        self.one = not on_host and self.ahead == 0 and self.rows == self.steps
        self.one = self.one and not (causal and self.steps != self.keys)
        """Whether a single tile on a GPU is all."""
        corner = xp.full((self.rows, self.rows), -inf, dtype=query.dtype) if causal else None
        self.corner = xp.triu(corner, k=1) if causal else None

    def whole(self, x: Array) -> Array:
        """An operand with all leading axes."""
        return self.xp.broadcast_to(x, (*self.lead, *x.shape[-2:]))

    def heads(self) -> Iterator[tuple[Any, ...]]:
        """Indices of the leading axes, such that what they leave fits into a tile."""
        return product(*map(range, self.lead[: self.ahead]))

    def queries(self) -> Iterator[tuple[int, int, int]]:
        """From which query to which, and how many keys they may see."""
        for first in range(0, self.steps, self.rows):
            last = min(self.steps, first + self.rows)
            yield first, last, min(self.keys, last) if self.causal else self.keys

    def scores(self, at: tuple[Any, ...], q: Array, keys: Array, first: int, last: int, n: int) -> Array:
        """The scores of a tile, given its queries times the scale and the keys as columns."""
        s = q @ keys[..., :n]
        if self.mask is not None:
            s += self.mask[at][..., first:last, :n]
        if self.corner is not None and n > first:
            part = s[..., first:n]
            part += self.corner[: last - first, : n - first]
        return s

    def columns(self, x: Array, at: tuple[Any, ...]) -> Array:
        """Rows as columns; on a CPU in one piece, which its products read faster."""
        columns = transposed(self.xp, x[at])
        return self.xp.ascontiguousarray(columns) if self.on_host else columns


def forward_tiles(
    xp: Namespace, on_host: bool, query: Array, key: Array, value: Array, mask: Array | None, causal: bool, scale: float
) -> tuple[Array, Array | None]:
    """As the reference, tile by tile; the sums are kept for the CPU's gradient alone."""
    tiles = Tiles(xp, on_host, query, key, value, mask, causal)
    if tiles.one:
        s = tiles.scores((), tiles.query * scale, tiles.columns(tiles.key, ()), 0, tiles.steps, tiles.keys)
        return softmax_forward(xp, s, -1) @ tiles.value, None
    y = xp.empty((*tiles.lead, tiles.steps, value.shape[-1]), dtype=query.dtype)
    sums = xp.empty((*tiles.lead, tiles.steps, 2), dtype=query.dtype) if tiles.on_host else None
    for at in tiles.heads():
        keys = tiles.columns(tiles.key, at)
        for first, last, n in tiles.queries():
            rows = (*at, ..., slice(first, last), slice(None))
            s = tiles.scores(at, tiles.query[rows] * scale, keys, first, last, n)
            v = tiles.value[at][..., :n, :]
            if sums is None:
                y[rows] = softmax_forward(xp, s, -1) @ v
                continue
            largest = shift_of(xp, top(xp, s, -1))
            s -= largest
            xp.exp(s, out=s)
            total = total_of(xp, s, -1)
            xp.divide(s @ v, total, out=y[rows])
            part = sums[rows]
            part[..., :1], part[..., 1:] = largest, total
    return y, sums


def backward_tiles(
    xp: Namespace, on_host: bool, g: Array, query: Array, key: Array, value: Array, mask: Array | None,
    sums: Array | None, causal: bool, scale: float,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """As the reference, tile by tile."""
    tiles = Tiles(xp, on_host, query, key, value, mask, causal)
    if tiles.one:
        q, keys = tiles.query * scale, tiles.columns(tiles.key, ())
        p = softmax_forward(xp, tiles.scores((), q, keys, 0, tiles.steps, tiles.keys), -1)
        d = softmax_backward(xp, g @ tiles.columns(tiles.value, ()), p, -1)
        return (d @ tiles.key) * scale, transposed(xp, d) @ q, transposed(xp, p) @ g
    dq = xp.empty(tiles.query.shape, dtype=query.dtype)
    dk, dv = (xp.zeros(x.shape, dtype=query.dtype) for x in (tiles.key, tiles.value))
    if sums is not None:  # dividing g by the sums leaves exponentials in the place of probabilities
        g = g / sums[..., 1:]
    for at in tiles.heads():
        keys, values = tiles.columns(tiles.key, at), tiles.columns(tiles.value, at)
        for first, last, n in tiles.queries():
            rows = (*at, ..., slice(first, last), slice(None))
            q, up = tiles.query[rows] * scale, g[rows]
            p = tiles.scores(at, q, keys, first, last, n)
            d = up @ values[..., :n]
            if sums is None:
                p = softmax_forward(xp, p, -1)
                d = softmax_backward(xp, d, p, -1)
            else:
                p -= sums[rows][..., :1]
                xp.exp(p, out=p)
                d -= (p[..., None, :] @ d[..., None])[..., 0] / sums[rows][..., 1:]
                d *= p
            seen = (*at, ..., slice(None, n), slice(None))
            dv[seen] += transposed(xp, p) @ up
            dk[seen] += transposed(xp, d) @ q
            xp.multiply(d @ tiles.key[seen], scale, out=dq[rows])
    return dq, dk, dv


attention_forward.tiles, attention_forward.kernels = forward_tiles, launched_attention.forward
attention_backward.tiles, attention_backward.kernels = backward_tiles, launched_attention.backward
