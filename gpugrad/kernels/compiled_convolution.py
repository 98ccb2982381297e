"""Convolutions as machine code for the CPU, without columns (:mod:`.product_loops`).

One- and two-dimensional ones are computed as three-dimensional ones, which are taken plane by plane of the results.

Functions give NotImplemented for what they do not know; then convolution goes through columns and BLAS. A border of
zeros is copied around some images at a time, in a buffer of at most ``BYTES``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any

import numpy

from ..backend import llvm
from . import compiled_product
from .compiled import Array
from .compiled_product import multiply, pack, tiling
from .compiled_windows import usable
from .shapes import Shape
from .window_loops import AXES
from .windows import Window

BYTES = 4 * 2**20
"""Of a buffer of images with borders."""

PANEL = 2**19
"""Bytes of a panel that is read again and again: it is to stay in a cache of the second level."""

LEAST = 1 << 20
"""Fewer multiplications are left to BLAS."""

FEWEST = 4
"""With fewer positions on a side, most of a tile or of what it reads would be empty: BLAS is faster."""

LARGEST = 1 << 24
"""Bytes of an image with its border: larger ones go through columns, in strips."""

PAGE = 4096
"""Rows of a matrix that are so many bytes apart share few places in the caches: BLAS copies them."""


def _starts(bias: Array | None, channels: int, width: int, dtype: Any) -> Array:
    """The bias of each channel, and zeros up to the end of the last panel."""
    start = numpy.zeros(-(-channels // width) * width, dtype)
    if bias is not None:
        start[:channels] = bias
    return start


def _fits(window: Window, work: int, channels: int, image: int, *arrays: Array | None) -> bool:
    """Whether to compute something here.

    Args:
        window: of up to three axes.
        work: multiplications.
        channels: of the results. Vectors should not be mostly empty.
        image: elements of an image that is read, with its border.
        arrays: the first one is that image.
    """
    given = [a for a in arrays if a is not None]
    if work < LEAST or len(window.inner) > AXES or min(window.before) < 0 or not usable(window, work, *given):
        return False
    own = given[0].itemsize
    if min(window.positions, prod(window.inner)) < FEWEST:
        return False
    if llvm.machine() is None or image * own > LARGEST or (window.plain and window.positions * own % PAGE == 0):
        return False
    lanes = compiled_product.registers().bytes // own
    return channels * 8 >= -(-channels // lanes) * lanes * 5


def _spatial(window: Window) -> Window:
    """A window of three axes that sees the same as one of fewer axes."""
    missing = AXES - len(window.inner)
    ones = {name: (1,) * missing + getattr(window, name) for name in ("kernel", "stride", "dilation", "inner", "outer")}
    return Window(before=(0,) * missing + window.before, **ones)


def _volumes(x: Array) -> Array:
    """Signals and images as volumes, with axes of size 1."""
    return x.reshape(*x.shape[:2], *(1,) * (AXES + 2 - x.ndim), *x.shape[2:])


def _bordered(x: Array, before: Shape, shape: Shape, buffer: Array | None) -> Array:
    """Volumes of ``shape`` that begin with so many zeros along each axis; in a buffer of an earlier call, if any."""
    if not any(before) and x.shape[2:] == shape:
        return numpy.ascontiguousarray(x)
    if buffer is None or buffer.shape[0] != x.shape[0]:
        buffer = numpy.zeros((*x.shape[:2], *shape), x.dtype)
    inside = [slice(b, b + n) for b, n in zip(before, x.shape[2:], strict=True)]
    part = buffer[:, :, *inside]
    part[...] = x[:, :, *[slice(n) for n in part.shape[2:]]]
    return buffer


def _seen(window: Window) -> tuple[int, ...]:
    """The sizes of an image with all that the window sees of it."""
    sizes = zip(window.outer, window.stride, window.dilation, window.kernel, window.before, window.inner, strict=True)
    return tuple(max((m - 1) * s + d * (k - 1) + 1, b + n) for m, s, d, k, b, n in sizes)


def _groups(count: int, image: int, most: int) -> list[slice]:
    """The images, so many at a time that they fit into so many bytes."""
    some = max(1, min(count, most // image))
    return [slice(i, min(i + some, count)) for i in range(0, count, some)]


@lru_cache(256)
def _forward_table(window: Window, channels: int, shape: Shape, own: int) -> Array:
    """For each channel and tap, the bytes to its element."""
    return _table(own, shape, range(channels), *(
        range(0, d * k, d) for d, k in zip(window.dilation, window.kernel, strict=True)
    ))  # fmt: skip


def _table(own: int, shape: Shape, first: Sequence[int], *others: Sequence[int]) -> Array:
    """The bytes to all combinations of places in an array of volumes of ``shape``."""
    steps = numpy.asarray(first, "int64")
    for size, places in zip(shape, others, strict=True):
        steps = steps[..., None] * size + numpy.asarray(places, "int64")
    return (steps * own).reshape(-1)


def convolve(x: Array, w: Array, bias: Array | None, window: Window) -> Any:
    """See :func:`~gpugrad.kernels.convolution.convolve`."""
    (count, channels), outputs = x.shape[:2], w.shape[0]
    terms, outer = channels * window.size, window.outer
    work = count * outputs * terms * window.positions
    if not _fits(window, work, outputs, channels * prod(_seen(window)), x, w, bias):
        return NotImplemented
    window, x = _spatial(window), _volumes(x)
    own, shape = x.itemsize, _seen(window)
    depth, rows, columns = (1, 1, window.positions) if window.plain else window.outer
    tile = tiling(rows, columns, outputs, own)
    w = numpy.ascontiguousarray(w)
    panels = pack(w, 1, outputs, terms, 0, terms * own, tile.vectors)
    start = _starts(bias, outputs, panels.array.shape[2], x.dtype)
    table = _forward_table(window, channels, shape, own)
    y = numpy.empty((count, outputs, depth, rows, columns), x.dtype)
    volume, buffer = prod(shape) * own, None
    for images in _groups(count, channels * volume, BYTES):
        buffer = _bordered(x[images], window.before, shape, buffer)
        for plane in range(depth):
            multiply(
                y[images, :, plane], buffer[:, :, plane * window.stride[0] :], panels, table, start, tile,
                images.stop - images.start, window.stride[2] * own,
                (channels * volume, window.stride[1] * shape[2] * own),
                (outputs * window.positions * own, window.positions * own, columns * own),
            )  # fmt: skip
    return y.reshape(count, outputs, *outer)


@lru_cache(256)
def _phases(window: Window) -> tuple[Shape, Shape, list[tuple[Any, ...]]]:
    """What of the positions each element of the inner side is a sum of.

    Element ``i = s m + f`` is a sum over the taps ``k`` with ``f + before - d k`` divisible by ``s``, of position
    ``m + (f + before - d k) / s``. So for a phase ``f``, the elements are a convolution of the positions.

    Returns:
        The border before the positions, the sizes of these with their borders, and for each phase, along each axis:
        ``f``, the number of elements, the slice of the taps, and where in the bordered positions the first element
        sees them.
    """
    borders, sizes, axes = [], [], []
    for k, s, d, b, n, m in zip(window.kernel, window.stride, window.dilation, window.before, window.inner,
                                window.outer, strict=True):  # fmt: skip
        found = []
        for f in range(min(s, n)):
            taps = [t for t in range(k) if (f + b - d * t) % s == 0]
            found.append((f, -(-(n - f) // s), taps, [(f + b - d * t) // s for t in taps]))
        places = [place for *_, own in found for place in own] or [0]
        border = max(0, -min(places))
        borders.append(border)
        sizes.append(max([m + border, *(count + max(own) + border for _, count, _, own in found if own)]))
        axes.append([
            (f, count, slice(taps[0], None, taps[1] - taps[0] if taps[1:] else k) if taps else slice(0, 0),
             [place + border for place in own])
            for f, count, taps, own in found
        ])  # fmt: skip
    return tuple(borders), tuple(sizes), list(product(*axes))


def spread(g: Array, w: Array, bias: Array | None, window: Window) -> Any:
    """See :func:`~gpugrad.kernels.convolution.spread`."""
    (count, outputs), channels = g.shape[:2], w.shape[1]
    work, inner = count * outputs * channels * window.size * window.positions, window.inner
    if not _fits(window, work, channels, outputs * window.positions, g, w, bias):
        return NotImplemented
    window, g, w = _spatial(window), _volumes(g), _volumes(w)
    own, strides = g.itemsize, window.stride
    before, shape, phases = _phases(window)
    x = numpy.empty((count, channels, *window.inner), g.dtype)
    volume, buffer, works = prod(shape) * own, None, []
    for phase in phases:
        firsts, counts, taps, places = zip(*phase, strict=True)
        where = [slice(f, None, s) for f, s in zip(firsts, strides, strict=True)]
        size = prod(map(len, places))
        if not size:
            x[:, :, *where] = 0 if bias is None else bias[:, None, None, None]
            continue
        part = numpy.ascontiguousarray(w[:, :, *taps])
        sizes = (1, 1, window.positions) if window.plain else counts
        tile = tiling(*sizes[1:], channels, own)
        panels = pack(part, outputs, channels, size, channels * size * own, size * own, tile.vectors)
        start = _starts(bias, channels, panels.array.shape[2], g.dtype)
        works.append((where, sizes, tile, panels, _table(own, shape, range(outputs), *places), start))
    for images in _groups(count, outputs * volume, BYTES):
        buffer = _bordered(g[images], before, shape, buffer)
        n = images.stop - images.start
        for where, sizes, tile, panels, table, start in works:
            y = (
                numpy.empty((n, channels, *sizes), g.dtype)
                if len(phases) > 1
                else x[images].reshape(n, channels, *sizes)
            )
            channel = prod(sizes) * own
            for plane in range(sizes[0]):
                multiply(y[:, :, plane], buffer[:, :, plane:], panels, table, start, tile, n, own,
                         (outputs * volume, shape[2] * own),
                         (channels * channel, channel, sizes[2] * own))  # fmt: skip
            if len(phases) > 1:
                x[images, :, *where] = y
    return x.reshape(count, channels, *inner)


@lru_cache(64)
def _backward_table(window: Window, count: int, image: int, shape: Shape, own: int) -> Array:
    """For each image and position, the bytes to what the first tap sees there."""
    places = [range(0, m * s, s) for m, s in zip(window.outer, window.stride, strict=True)]
    return (_table(own, shape, [0], *places) + numpy.arange(count)[:, None] * image).reshape(-1)


def filters(x: Array, g: Array, window: Window) -> Any:
    """See :func:`~gpugrad.kernels.convolution.filters`."""
    (count, channels), outputs = x.shape[:2], g.shape[1]
    work, kernel = count * outputs * channels * window.size * window.positions, window.kernel
    if prod(kernel[-2:]) < 3 or not _fits(window, work, outputs, channels * prod(_seen(window)), x, g):
        return NotImplemented
    window, x, g = _spatial(window), _volumes(x), _volumes(g)
    own, shape = x.itemsize, _seen(window)
    tile = tiling(*window.kernel[1:], outputs, own)
    width = tile.vectors * compiled_product.registers().bytes // own
    g = numpy.ascontiguousarray(g)
    volume, size, at = prod(shape) * own, window.size * own, window.positions
    start, buffer = _starts(None, outputs, width, x.dtype), None
    w: Any = None
    for images in _groups(count, max(channels * volume * PANEL // BYTES, at * width * own), PANEL):
        n = images.stop - images.start
        buffer = _bordered(x[images], window.before, shape, buffer)
        panels = pack(g[images], n, outputs, at, outputs * at * own, at * own, tile.vectors)
        part = numpy.empty((outputs, channels, *window.kernel), x.dtype)
        table = _backward_table(window, n, channels * volume, shape, own)
        for plane in range(window.kernel[0]):
            multiply(part[:, :, plane], buffer[:, :, plane * window.dilation[0] :], panels, table, start, tile,
                     channels, window.dilation[2] * own, (volume, window.dilation[1] * shape[2] * own),
                     (size, channels * size, window.kernel[2] * own))  # fmt: skip
        w = part if w is None else numpy.add(w, part, out=w)
    return w.reshape(outputs, channels, *kernel)
