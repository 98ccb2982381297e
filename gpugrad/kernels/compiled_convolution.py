"""Convolutions in two dimensions as machine code for the CPU, without columns (:mod:`.product_loops`).

Functions give NotImplemented for what they do not know; then convolution goes through columns and BLAS. A border of
zeros is copied around some images at a time, in a buffer of at most ``BYTES``.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

import numpy

from ..backend import llvm
from . import compiled_product
from .compiled import Array
from .compiled_product import multiply, pack, tiling
from .compiled_windows import usable
from .windows import Window

BYTES = 4 * 2**20
"""Of a buffer of images with borders."""

PANEL = 2**19
"""Bytes of a panel that is read again and again: it is to stay in a cache of the second level."""

LEAST = 1 << 20
"""Fewer multiplications are left to BLAS."""

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
        window: of one or two axes.
        work: multiplications.
        channels: of the results. Vectors should not be mostly empty.
        image: elements of an image that is read, with its border.
        arrays: the first one is that image.
    """
    given = [a for a in arrays if a is not None]
    if work < LEAST or len(window.inner) > 2 or min(window.before) < 0 or not usable(window, work, *given):
        return False
    own = given[0].itemsize
    if llvm.machine() is None or image * own > LARGEST or (window.plain and window.positions * own % PAGE == 0):
        return False
    lanes = compiled_product.registers().bytes // own
    return channels * 8 >= -(-channels // lanes) * lanes * 5


def _planar(window: Window) -> Window:
    """A window of two axes that sees the same as one of a single axis."""
    if len(window.inner) == 2:
        return window
    ones = {name: (1, *getattr(window, name)) for name in ("kernel", "stride", "dilation", "inner", "outer")}
    return Window(before=(0, *window.before), **ones)


def _images(x: Array) -> Array:
    """An array of signals as one of images."""
    return x if x.ndim == 4 else x[:, :, None]


def _bordered(x: Array, before: tuple[int, ...], shape: tuple[int, ...], buffer: Array | None) -> Array:
    """Images of ``shape`` that begin with so many rows and columns of zeros; in a buffer of an earlier call, if any."""
    if not any(before) and x.shape[2:] == shape:
        return numpy.ascontiguousarray(x)
    if buffer is None or buffer.shape[0] != x.shape[0]:
        buffer = numpy.zeros((*x.shape[:2], *shape), x.dtype)
    (top, left), (rows, columns) = before, x.shape[2:]
    buffer[:, :, top : top + rows, left : left + columns] = x[:, :, : shape[0] - top, : shape[1] - left]
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
def _forward_table(window: Window, channels: int, shape: tuple[int, ...], own: int) -> Array:
    """For each channel and tap, the bytes to its element."""
    (a, b), (d, e) = window.kernel, window.dilation
    c, i, j = numpy.ogrid[:channels, :a, :b]
    return numpy.ascontiguousarray(((c * shape[0] + i * d) * shape[1] + j * e) * own, "int64").reshape(-1)


def convolve(x: Array, w: Array, bias: Array | None, window: Window) -> Any:
    """See :func:`~gpugrad.kernels.convolution.convolve`."""
    (count, channels), outputs = x.shape[:2], w.shape[0]
    terms, outer = channels * window.size, window.outer
    work = count * outputs * terms * window.positions
    if not _fits(window, work, outputs, channels * prod(_seen(window)), x, w, bias):
        return NotImplemented
    window, x = _planar(window), _images(x)
    own, flat = x.itemsize, window.plain
    shape = _seen(window)
    rows, columns = (1, window.positions) if flat else window.outer
    tile = tiling(rows, columns, outputs, own)
    w = numpy.ascontiguousarray(w)
    panels = pack(w, 1, outputs, terms, 0, terms * own, tile.vectors)
    start = _starts(bias, outputs, panels.array.shape[2], x.dtype)
    table = _forward_table(window, channels, shape, own)
    y = numpy.empty((count, outputs, *outer), x.dtype)
    plane = shape[0] * shape[1] * own
    buffer = None
    for images in _groups(count, channels * plane, BYTES):
        buffer = _bordered(x[images], window.before, shape, buffer)
        multiply(
            y[images], buffer, panels, table, start, tile, images.stop - images.start, window.stride[1] * own,
            (channels * plane, window.stride[0] * shape[1] * own),
            (outputs * window.positions * own, window.positions * own, columns * own),
        )  # fmt: skip
    return y


@lru_cache(256)
def _phases(window: Window) -> tuple[tuple[int, int], tuple[int, int], tuple[Any, ...]]:
    """What of the positions each element of the inner side is a sum of.

    Element ``i = s m + f`` is a sum over the taps ``k`` with ``f + before - d k`` divisible by ``s``, of position
    ``m + (f + before - d k) / s``. So for a phase ``f``, the elements are a convolution of the positions.

    Returns:
        The border before the positions, the sizes of these with their borders, and for each phase: ``f``, the number
        of elements, the slice of the taps, and where in the bordered positions the first element sees them.
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
    pairs = tuple((first, second) for first in axes[0] for second in axes[1])
    return (borders[0], borders[1]), (sizes[0], sizes[1]), pairs


def spread(g: Array, w: Array, bias: Array | None, window: Window) -> Any:
    """See :func:`~gpugrad.kernels.convolution.spread`."""
    (count, outputs), channels = g.shape[:2], w.shape[1]
    work, inner = count * outputs * channels * window.size * window.positions, window.inner
    if not _fits(window, work, channels, outputs * window.positions, g, w, bias):
        return NotImplemented
    window, g, w = _planar(window), _images(g), _images(w)
    own = g.itemsize
    before, shape, pairs = _phases(window)
    one = len(pairs) == 1
    x = numpy.empty((count, channels, *window.inner), g.dtype)
    plane, buffer, works = shape[0] * shape[1] * own, None, []
    for (f, rows, taps, places), (e, columns, others, lines) in pairs:
        part = numpy.ascontiguousarray(w[:, :, taps, others])
        size = len(places) * len(lines)
        if not size:
            x[:, :, f :: window.stride[0], e :: window.stride[1]] = 0 if bias is None else bias[:, None, None]
            continue
        flat = window.plain
        tile = tiling(*((1, rows * columns) if flat else (rows, columns)), channels, own)
        panels = pack(part, outputs, channels, size, channels * size * own, size * own, tile.vectors)
        o, i, j = numpy.arange(outputs), numpy.array(places), numpy.array(lines)
        steps = (o[:, None, None] * shape[0] + i[:, None]) * shape[1] + j
        table = numpy.ascontiguousarray(steps * own, "int64").reshape(-1)
        start = _starts(bias, channels, panels.array.shape[2], g.dtype)
        works.append((f, e, rows, columns, tile, panels, table, start))
    for images in _groups(count, outputs * plane, BYTES):
        buffer = _bordered(g[images], before, shape, buffer)
        n = images.stop - images.start
        for f, e, rows, columns, tile, panels, table, start in works:
            y = x[images] if one else numpy.empty((n, channels, rows, columns), g.dtype)
            row = rows * columns if window.plain else columns
            multiply(y, buffer, panels, table, start, tile, n, own, (outputs * plane, shape[1] * own),
                      (channels * rows * columns * own, rows * columns * own, row * own))  # fmt: skip
            if not one:
                x[images, :, f :: window.stride[0], e :: window.stride[1]] = y
    return x.reshape(count, channels, *inner)


@lru_cache(64)
def _backward_table(window: Window, count: int, image: int, width: int, own: int) -> Array:
    """For each image and position, the bytes to what the first tap sees there."""
    n, i, j = numpy.ogrid[:count, : window.outer[0], : window.outer[1]]
    steps = n * image + i * (window.stride[0] * width * own) + j * (window.stride[1] * own)
    return numpy.ascontiguousarray(steps, "int64").reshape(-1)


def filters(x: Array, g: Array, window: Window) -> Any:
    """See :func:`~gpugrad.kernels.convolution.filters`."""
    (count, channels), outputs = x.shape[:2], g.shape[1]
    work, kernel = count * outputs * channels * window.size * window.positions, window.kernel
    if window.size < 3 or not _fits(window, work, outputs, channels * prod(_seen(window)), x, g):
        return NotImplemented
    window, x, g = _planar(window), _images(x), _images(g)
    own, shape = x.itemsize, _seen(window)
    tile = tiling(*window.kernel, outputs, own)
    width = tile.vectors * compiled_product.registers().bytes // own
    g = numpy.ascontiguousarray(g)
    plane, size, at = shape[0] * shape[1] * own, window.size * own, window.positions
    start, buffer = _starts(None, outputs, width, x.dtype), None
    w: Any = None
    for images in _groups(count, max(channels * plane * PANEL // BYTES, at * width * own), PANEL):
        n = images.stop - images.start
        buffer = _bordered(x[images], window.before, shape, buffer)
        panels = pack(g[images], n, outputs, at, outputs * at * own, at * own, tile.vectors)
        part = numpy.empty((outputs, channels, *window.kernel), x.dtype)
        table = _backward_table(window, n, channels * plane, shape[1], own)
        multiply(part, buffer, panels, table, start, tile, channels, window.dilation[1] * own,
                  (plane, window.dilation[0] * shape[1] * own),
                  (size, channels * size, window.kernel[1] * own))  # fmt: skip
        w = part if w is None else numpy.add(w, part, out=w)
    return w.reshape(outputs, channels, *kernel)
