"""Products with weights that are laid side by side first, as machine code for the CPU (:mod:`.product_loops`)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy

from ..backend import Namespace, llvm, threads
from .compiled import ALIGNED, LIGHT_STEP, Array, Code, address, load
from .product_loops import PACK_WORDS, TILE_WORDS, packed, tiles

DTYPES = frozenset({numpy.dtype("float32"), numpy.dtype("float64")})

LEAST, OFTEN = 1 << 17, 4
"""Fewer multiplications in a product, and fewer products with the same weights, are left to BLAS."""


class Registers(NamedTuple):
    """What the CPU has: bytes of a vector, and vectors that may hold results."""

    bytes: int
    sums: int


@cache
def registers() -> Registers:
    """Those of this machine."""
    machine = llvm.machine()
    features = {*machine.features.split(",")} if machine is not None else set()
    return (
        Registers(64, 28) if "+avx512f" in features else Registers(32, 12) if "+avx2" in features else Registers(16, 24)
    )


class Tiling(NamedTuple):
    """How rows and columns are divided: tiles of N and of N - 1, as even as possible."""

    vectors: int
    rows: int
    columns: int
    wide: int
    narrow: int
    high: int
    low: int


def _even(total: int, most: int) -> tuple[int, int, int]:
    """The size of the larger parts, how many there are, and how many are smaller by one.

    >>> _even(32, 14)
    (11, 2, 1)
    """
    count = -(-total // most)
    part = -(-total // count)
    larger = total - count * (part - 1)
    return part, larger, count - larger


@lru_cache(1024)
def tiling(rows: int, columns: int, channels: int, itemsize: int) -> Tiling:
    """The tiles for results of so many rows and columns."""
    have = registers()
    vectors = 2 if channels > have.bytes // itemsize and not rows * columns <= have.sums < 2 * rows * columns else 1
    room = have.sums // vectors
    if columns > room:
        return Tiling(vectors, 1, *_even(columns, room), rows, 0)
    part, high, low = _even(rows, room // columns)
    return Tiling(vectors, part, columns, 1, 0, high, low)


@cache
def _tiles(dtype: Any, step: int, across: bool, vectors: int, rows: int, columns: int, low: bool, narrow: bool) -> Code:
    lanes = registers().bytes // dtype.itemsize
    name, source = tiles(dtype.name, lanes, vectors, rows, columns, step, low, narrow, across)
    return Code(load(name, source), f"{len(TILE_WORDS)}q", (), 1)


@cache
def _packed(dtype: Any, vectors: int) -> Code:
    name, source = packed(dtype.name, registers().bytes // dtype.itemsize, vectors)
    return Code(load(name, source), f"{len(PACK_WORDS)}q", (), 1)


class Panels(NamedTuple):
    """Weights side by side: shape ``(panels, terms, vectors * lanes)``."""

    array: Array
    channels: int


def pack(source: Array, images: int, rows: int, columns: int, image: int, row: int, vectors: int) -> Panels:
    """Rows of some matrices, as panels whose terms are the columns of all matrices.

    Args:
        source: where the first one begins; ``columns`` lie together.
        images: how many matrices.
        rows: the channels.
        columns: of each.
        image: bytes from one matrix to the next.
        row: bytes from one row to the next.
        vectors: in a panel.
    """
    own = source.itemsize
    width = vectors * registers().bytes // own
    panels = -(-rows // width)
    target = numpy.empty((panels, images * columns, width), source.dtype)
    made = _packed(source.dtype, vectors)
    words = made.pack(address(source), address(target), images, rows, columns, image, row, columns * width * own,
                      images * columns * width * own)  # fmt: skip
    units = panels * images
    threads.share_out(made.function, words, units, max(1, LIGHT_STEP * units // target.size))
    return Panels(target, rows)


def multiply(
    y: Array, x: Array, panels: Panels, table: Array, start: Array, tile: Tiling, images: int, step: int,
    x_steps: tuple[int, int], y_steps: tuple[int, int, int], across: bool = False,
) -> None:  # fmt: skip
    """Call the function of tiles; steps in bytes, from one image (channel) and row to the next."""
    made = _tiles(y.dtype, step, across, tile.vectors, tile.rows, tile.columns, tile.low > 0, tile.narrow > 0)
    count, terms, width = panels.array.shape
    words = made.pack(
        address(y), address(x), address(panels.array), address(table), address(start), images, terms, panels.channels,
        tile.wide, tile.narrow, tile.high, tile.low, *x_steps, *y_steps, terms * width * y.itemsize,
    )  # fmt: skip
    units = count * images
    work = terms * (tile.wide * tile.columns + tile.narrow) * (tile.high * tile.rows + tile.low)
    threads.share_out(made.function, words, units, max(1, LIGHT_STEP // max(1, work)))


Product = Callable[..., Array]


def by(xp: Namespace, w: Array, rows: int, times: int) -> Product:
    """A function ``product(h, out=None)`` that gives ``h @ w``, to be called many times.

    Args:
        xp: the array library.
        w: a matrix with any strides.
        rows: of nearly every ``h``. For these the elements of ``w`` are laid out once. BLAS would do that in each call,
            and takes twice the time where there are few rows.
        times: how often it will be called.
    """
    known = type(w) is numpy.ndarray and w.dtype in DTYPES
    if not known or times < OFTEN or rows * w.size < LEAST or llvm.machine() is None:
        columns = xp.ascontiguousarray(w)  # which BLAS reads faster

        def plain(h: Array, out: Array | None = None) -> Array:
            product: Array = xp.matmul(h, columns, out=out)
            return product

        return plain
    terms, channels = w.shape
    own = w.itemsize
    tile = tiling(1, rows, channels, own)
    if w.strides[0] == own and w.flags.num & ALIGNED:
        panels = pack(w, 1, channels, terms, 0, w.strides[1], tile.vectors)
    else:
        width = tile.vectors * registers().bytes // own
        count = -(-channels // width)
        wide = numpy.zeros((terms, count * width), w.dtype)
        wide[:, :channels] = w
        panels = Panels(numpy.ascontiguousarray(wide.reshape(terms, count, width).swapaxes(0, 1)), channels)
    table, start = numpy.arange(terms) * own, numpy.zeros(panels.array.shape[0] * panels.array.shape[2], w.dtype)
    strides = (terms * own, own)

    def packed(h: Array, out: Array | None = None) -> Array:
        if len(h) != rows:
            product: Array = xp.matmul(h, w, out=out)
            return product
        if h.strides != strides:
            h = numpy.ascontiguousarray(h)
        if out is None:
            out = numpy.empty((rows, channels), h.dtype)
        row = out.strides[0]
        multiply(out, h, panels, table, start, tile, 1, strides[0], (0, 0), (0, own, row), across=True)
        return out

    return packed
