"""Convolution as a product of matrices: the elements under the window are copied into columns, and BLAS does the rest.

For each image the columns ``(C K, P)`` hold, for C channels and K offsets of the kernel, what P output positions see.

    convolve   y  = W columns(x)             W of shape (O, C K)
    spread     x' = uncolumns(W^T g)         the transpose of convolve by x
    filters    W' = g columns(x)^T           the transpose of convolve by W

The columns are K times as large as the image. So on the CPU a few images at a time go through one buffer that stays in
the cache; on a GPU as many as fit into a fixed share of memory. A convolution of each channel with one filter needs no
columns where windows are machine code (``compiled_windows.py``) or CUDA kernels (``launched_windows.py``), and with
machine code other convolutions in up to three dimensions need none either (``compiled_convolution.py``).
Source: Chellapilla, Puri and Simard 2006, "High performance convolutional neural networks for document processing".
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from .. import backend
from ..backend import Array, Namespace
from . import compiled_convolution, compiled_windows, launched_windows
from .columns import added, gathered
from .indexing import _atomic as atomic
from .windows import Window

WIDE = 1024
"""Enough columns for BLAS to be fast, if they fit into the buffer."""
HOST_BYTES = 4 * 2**20
DEVICE_BYTES = 256 * 2**20
"""The largest buffer of columns; images that are larger go through it in strips of rows."""

Piece = tuple[slice, slice, slice, Window]


def _pieces(array: Array, channels: int, window: Window) -> Iterator[Piece]:
    """What goes through the buffer at once: images, positions of the output, rows of the input, the window there."""
    count: int = array.shape[0]
    host = backend.device_of(array).is_host
    limit = HOST_BYTES if host else DEVICE_BYTES
    image: int = max(1, channels) * window.size * window.positions * array.dtype.itemsize
    some = max(1, min(limit // image, -(-WIDE // window.positions) if host else count, count))
    rows = window.outer[0] if window.plain or not image // limit else limit * window.outer[0] // image
    for positions, seen, strip in window.strips(rows):
        for start in range(0, count, some):
            yield slice(start, min(start + some, count)), positions, seen, strip


def _columns(xp: Namespace, x: Array, window: Window, groups: int) -> Iterator[tuple[slice, slice, Array]]:
    """Piece by piece: images, positions and columns ``(groups, C/groups K, n P)``, which the next ones overwrite."""
    channels = x.shape[1]
    moved = xp.swapaxes(x, 0, 1)
    buffers: dict[int, Array] = {}
    before = None
    for images, positions, seen, strip in _pieces(x, channels, window):
        part = moved[:, images, seen]
        if (part.shape[1], strip) != before:
            buffers, before = {}, (part.shape[1], strip)
        columns = gathered(xp, part, strip, buffers)
        size = part.shape[1] * strip.positions
        yield images, positions, xp.reshape(columns, (groups, channels // groups * window.size, size))


def _depthwise(x: Array, w: Array, groups: int) -> bool:
    """Whether each channel has one filter of its own."""
    shape = w.shape
    return bool(groups == shape[0] == x.shape[1] and shape[1] == 1)


def _by_channel(xp: Namespace, g: Array, images: slice, positions: slice, groups: int) -> Array:
    """Some images of ``g``, shape ``(N, O, P)``, as ``(groups, O/groups, n P)``."""
    part = xp.swapaxes(g[images, :, positions], 0, 1)
    return xp.reshape(part, (groups, g.shape[1] // groups, prod(part.shape[1:])))


def _matrices(xp: Namespace, w: Array, groups: int) -> Array:
    matrices = xp.reshape(w, (groups, w.shape[0] // groups, prod(w.shape[1:])))
    return xp.ascontiguousarray(matrices)  # BLAS takes no negative strides


@atomic
def convolve(xp: Namespace, x: Array, w: Array, bias: Array | None, window: Window, groups: int) -> Array:
    """``y[n, o, p] = bias[o] + sum_(c, k) w[o, c, k] x[n, c, stride p + dilation k - before]``.

    Shapes: ``(N, C, *inner)``, ``(O, C/groups, *kernel)`` and ``(O,)`` to ``(N, O, *outer)``.
    """
    if _depthwise(x, w, groups):
        found: Array = compiled_windows.depthwise(x, w[:, 0], bias, window)
        if found is NotImplemented:
            found = launched_windows.depthwise(xp, x, w[:, 0], bias, window)
        if found is not NotImplemented:
            return found
    if groups == 1:
        found = compiled_convolution.convolve(x, w, bias, window)
        if found is not NotImplemented:
            return found
    outputs = w.shape[0]
    matrices = _matrices(xp, w, groups)
    dtype = xp.result_type(x.dtype, w.dtype, *(() if bias is None else (bias.dtype,)))
    y = xp.empty((x.shape[0], outputs, window.positions), dtype=dtype)
    for images, positions, columns in _columns(xp, x, window, groups):
        n, size = images.stop - images.start, positions.stop - positions.start
        place = y[images, :, positions]
        if n == 1 and size == window.positions:
            xp.matmul(matrices, columns, out=xp.reshape(place, (groups, outputs // groups, size)))
            out = place
        else:
            out = xp.swapaxes(xp.reshape(xp.matmul(matrices, columns), (outputs, n, size)), 0, 1)
        if bias is not None:
            xp.add(out, xp.reshape(bias, (outputs, 1)), out=place)
        elif out is not place:
            place[...] = out
    return xp.reshape(y, (x.shape[0], outputs, *window.outer))


def _mirrored(xp: Namespace, w: Array, groups: int) -> Array:
    """``w[c, o, K - 1 - k]``, with outputs and inputs exchanged within each group."""
    axes = tuple(range(2, w.ndim))
    parts = xp.reshape(xp.flip(w, axis=axes), (groups, w.shape[0] // groups, *w.shape[1:]))
    return xp.reshape(xp.swapaxes(parts, 1, 2), (w.shape[1] * groups, w.shape[0] // groups, *w.shape[2:]))


@atomic
def spread(xp: Namespace, g: Array, w: Array, bias: Array | None, window: Window, groups: int) -> Array:
    """``x[n, c, i] = bias[c] + sum g[n, o, p] w[o, c, k]``, over all with ``i = stride p + dilation k - before``.

    Shapes: ``(N, O, *outer)``, ``(O, C/groups, *kernel)`` and ``(C,)`` to ``(N, C, *inner)``.
    """
    if _depthwise(g, w, groups):
        found: Array = compiled_windows.depthwise_back(g, w[:, 0], bias, window)
        if found is NotImplemented:
            found = launched_windows.depthwise_back(xp, g, w[:, 0], bias, window)
        if found is not NotImplemented:
            return found
    if groups == 1:
        found = compiled_convolution.spread(g, w, bias, window)
        if found is not NotImplemented:
            return found
    count, channels = g.shape[0], w.shape[1] * groups
    if window.plain or (set(window.stride) <= {1} and w.shape[0] <= channels):  # reading is faster than adding up
        return convolve(xp, g, _mirrored(xp, w, groups), bias, window.mirrored, groups)
    matrices = xp.swapaxes(_matrices(xp, w, groups), 1, 2)
    dtype = xp.result_type(g.dtype, w.dtype, *(() if bias is None else (bias.dtype,)))
    pieces = [*_pieces(g, channels, window)]
    fresh = launched_windows.owner_of(g, w, bias) is not None and len({piece[1].start for piece in pieces}) == 1
    x = (xp.empty if fresh else xp.zeros)((count, channels, *window.inner), dtype=dtype)
    if bias is not None and fresh:
        bias = xp.ascontiguousarray(bias)
    elif bias is not None:
        x[...] = xp.reshape(bias, (channels, *(1 for _ in window.inner)))
    moved, flat = xp.swapaxes(x, 0, 1), xp.reshape(g, (count, g.shape[1], window.positions))
    buffer = None
    for images, positions, seen, strip in pieces:
        n = images.stop - images.start
        shape = (groups, matrices.shape[1], n * strip.positions)
        if buffer is None or buffer.shape != shape:
            buffer = xp.empty(shape, dtype=dtype)
        xp.matmul(matrices, _by_channel(xp, flat, images, positions, groups), out=buffer)
        columns = xp.reshape(buffer, (channels, *window.kernel, n, *strip.outer))
        if fresh:
            launched_windows.added(xp, columns, moved[:, images], window, bias, fresh)
        else:
            added(xp, columns, moved[:, images, seen], strip)
    return x


@atomic
def filters(xp: Namespace, x: Array, g: Array, window: Window, groups: int) -> Array:
    """``w[o, c, k] = sum_(n, p) g[n, o, p] x[n, c, stride p + dilation k - before]``.

    Shapes: ``(N, C, *inner)`` and ``(N, O, *outer)`` to ``(O, C/groups, *kernel)``.
    """
    outputs, channels = g.shape[1], x.shape[1] // groups
    if channels == 1 and outputs == groups:
        found: Array = compiled_windows.depthwise_filters(x, g, window)
        if found is NotImplemented:
            found = launched_windows.depthwise_filters(xp, x, g, window)
        if found is not NotImplemented:
            return found[:, None]
    if groups == 1:
        found = compiled_convolution.filters(x, g, window)
        if found is not NotImplemented:
            return found
    host = backend.device_of(x).is_host
    w = None
    flat = xp.reshape(g, (g.shape[0], outputs, window.positions))
    for images, positions, columns in _columns(xp, x, window, groups):
        upstream = _by_channel(xp, flat, images, positions, groups)
        if host:  # whose BLAS likes this order better
            part = xp.swapaxes(xp.matmul(columns, xp.swapaxes(upstream, 1, 2)), 1, 2)
        else:
            part = xp.matmul(upstream, xp.swapaxes(columns, 1, 2))
        w = part if w is None else xp.add(w, part, out=w)
    if w is None:
        w = xp.zeros((outputs, channels * window.size), dtype=xp.result_type(x.dtype, g.dtype))
    return xp.reshape(w, (outputs, channels, *window.kernel))


@atomic
def unfold(xp: Namespace, x: Array, window: Window) -> Array:
    """What each position of the window sees: shape ``(N, C, *inner)`` to ``(N, C K, P)``, 0 outside of the image."""
    count, channels = x.shape[:2]
    columns = gathered(xp, xp.reshape(x, (count * channels, 1, *window.inner)), window, {})
    return xp.reshape(columns, (count, channels * window.size, window.positions))


@atomic
def fold(xp: Namespace, columns: Array, window: Window) -> Array:
    """What the windows give to each place added up: shape ``(N, C K, P)`` to ``(N, C, *inner)``."""
    count, channels = columns.shape[0], columns.shape[1] // window.size
    columns = xp.reshape(columns, (count * channels, *window.kernel, 1, *window.outer))
    x = xp.empty((count * channels, 1, *window.inner), dtype=columns.dtype)
    if not launched_windows.added(xp, columns, x, window, fresh=True):
        x[...] = 0
        added(xp, columns, x, window)
    return xp.reshape(x, (count, channels, *window.inner))
