"""What slides over an array, as machine code for the CPU: im2col, col2im, pooling, depthwise convolution.

Functions give NotImplemented for what they do not know; then it is done slice by slice.
"""

from __future__ import annotations

from functools import cache, lru_cache
from itertools import product
from typing import Any

import numpy

from ..backend import llvm, threads
from .compiled import ALIGNED, LIGHT_STEP, Array, Code, address, load
from .window_loops import AXES, WORDS, positions, scattered, windows
from .windows import Window

DTYPES = frozenset({numpy.dtype("float32"), numpy.dtype("float64")})

BY_POSITION = ("sum", "max", "scale", "win")
"""What is done in registers where what neighbours see is 1 or 2 elements apart."""

LEAST = 4096
"""Arrays with fewer elements on the side of the positions are left to NumPy."""


@cache
def code(mode: str, dtype: Any, numbers: str, stride: int) -> Code:
    """The machine code of a function of :mod:`window_loops`."""
    if mode == "back":
        name, source = scattered(dtype.name, numbers)
    elif mode in BY_POSITION and stride in (1, 2):
        name, source = positions(mode, dtype.name, stride, numbers)
    else:
        name, source = windows(mode, dtype.name, 2 if stride == 2 and mode in ("copy", "dot") else 1, numbers)
    return Code(load(name, source), f"{len(WORDS)}q", (), 1)


@lru_cache(256)
def table(window: Window) -> Array:
    """For each offset along each axis: the first position inside, the one behind the last, where the window begins."""
    ndim = len(window.inner)
    rows = [[0, 1, 0]] * (AXES - ndim)
    for axis in range(ndim):
        known = {offset: outer for offset, _, outer in window.per_axis[axis]}
        for offset in range(window.kernel[axis]):
            start = offset * window.dilation[axis] - window.before[axis]
            there = known.get(offset, slice(0, 0))
            rows.append([there.start, there.stop, start])
    return numpy.array(rows, "int64")


@lru_cache(256)
def displacements(window: Window, strides: tuple[int, ...]) -> Array:
    """For each tap, the bytes from where an array begins to its element under the window at the first position."""
    rows = product(*(range(n) for n in window.kernel))
    axes = list(zip(window.dilation, window.before, strides, strict=True))
    return numpy.array(
        [sum((k * d - b) * step for k, (d, b, step) in zip(row, axes, strict=True)) for row in rows], "int64"
    )


def _three(sizes: tuple[int, ...], missing: int) -> tuple[int, ...]:
    return (missing,) * (AXES - len(sizes)) + tuple(sizes)


def usable(window: Window, size: int, *arrays: Any) -> bool:
    """Whether there is machine code for these arrays."""
    if type(arrays[0]) is not numpy.ndarray or size < LEAST or len(window.inner) > AXES or not llvm.wanted():
        return False
    dtype = arrays[0].dtype
    return dtype in DTYPES and all(
        type(a) is numpy.ndarray and a.flags.num & ALIGNED and a.dtype == dtype and a.size for a in arrays
    )


def run(
    mode: str, window: Window, outer: Array, inner: Array, third: Any, channels: int, images: int,
    inner_steps: tuple[int, int, int], outer_steps: tuple[int, int, int], third_steps: tuple[int, int] = (0, 0),
    skipped: int = 0,
) -> None:  # fmt: skip
    """Call a function.

    Args:
        mode: see :mod:`window_loops`.
        window: of at most three axes.
        outer: whose positions lie together.
        inner: whose last axes are those of the window, with any strides.
        third: the weights, or ``which``; None.
        channels: how many.
        images: how many.
        inner_steps: bytes from a channel, a tap and an image to the next.
        outer_steps: elements from a channel, a tap and an image to the next.
        third_steps: elements from a channel and a tap to the next.
        skipped: bytes from the inner array's first element to where the first tap is.
    """
    ndim = len(window.inner)
    strides = inner.strides[inner.ndim - ndim :]
    steps = tuple([s * m for s, m in zip(window.stride, strides, strict=True)])
    taps = displacements(window, strides) if mode == "back" else table(window)
    words = (
        address(outer), address(inner) + skipped, 0 if third is None else address(third), address(taps), images,
        *_three(window.kernel, 1), *_three(window.outer, 1), *_three(steps, 0), *_three(strides, 0),
        *inner_steps, *outer_steps, *third_steps,
    )  # fmt: skip
    numbers = third.dtype.name if mode in ("win", "back") else "uint8"
    apart, odd = divmod(steps[-1], inner.itemsize)
    made = code(mode, outer.dtype, numbers, 0 if odd or strides[-1] != inner.itemsize else apart)
    if mode == "copy":
        units, work = channels * window.size * images, window.positions
    elif mode == "dot":
        units, work = channels, window.size * images * window.positions
    else:
        units, work = channels * images, window.size * window.positions
    threads.share_out(made.function, made.pack(*words), units, max(1, LIGHT_STEP // max(1, work)))


def gathered(x: Array, window: Window, buffers: dict[int, Array]) -> Any:
    """See :func:`~gpugrad.kernels.columns.gathered`."""
    channels, images = x.shape[:2]
    if window.plain or not usable(window, channels * images * window.size * window.positions, x):
        return NotImplemented
    if -1 not in buffers:
        buffers[-1] = numpy.zeros((channels, *window.kernel, images, *window.outer), x.dtype)
    tap = images * window.positions
    run("copy", window, buffers[-1], x, None, channels, images, (x.strides[0], 0, x.strides[1]),
        (window.size * tap, tap, window.positions))  # fmt: skip
    return buffers[-1]


def _contiguous_planes(x: Array, ndim: int) -> bool:
    """Whether the last axes lie together in memory."""
    step = x.itemsize
    for size, stride in zip(reversed(x.shape[-ndim:]), reversed(x.strides[-ndim:]), strict=True):
        if size != 1 and stride != step:
            return False
        step *= size
    return True


def _add(window: Window, source: Array, x: Array, steps: tuple[int, int, int]) -> bool:
    """Add what positions hold to what they see: ``x`` of shape ``(C, N, *inner)``.

    Args:
        window: which one.
        source: whose positions lie together.
        x: what is added to.
        steps: elements from a channel, a tap and an image of ``source`` to the next.
    """
    channels, images = x.shape[:2]
    own = x.itemsize
    if set(window.stride) <= {1} and _contiguous_planes(x, len(window.inner)):
        shape = (channels, images, *window.outer)
        behind = steps[1] * (window.size - 1) * own
        plane = numpy.lib.stride_tricks.as_strided(source, shape, (0, 0, *_strides(window.outer, own)), writeable=False)
        run("sum", window.mirrored, x, plane, None, channels, images, (steps[0] * own, -steps[1] * own, steps[2] * own),
            (x.strides[0] // own, 0, x.strides[1] // own), skipped=behind)  # fmt: skip
    else:
        run("add", window, source, x, None, channels, images, (x.strides[0], 0, x.strides[1]), steps)
    return True


def _strides(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Of an array in order."""
    steps = [itemsize]
    for size in reversed(shape[1:]):
        steps.insert(0, steps[0] * size)
    return tuple(steps)


def added(columns: Array, x: Array, window: Window) -> bool:
    """See :func:`~gpugrad.kernels.columns.added`; False if it is not done."""
    if not usable(window, columns.size, columns, x) or not columns.flags.c_contiguous:
        return False
    tap = x.shape[1] * window.positions
    return _add(window, columns, x, (window.size * tap, tap, window.positions))


# ---------------------------------------------------------------- pooling, of arrays of shape (M, *inner)


@lru_cache(256)
def _stages(window: Window) -> tuple[Window, Window] | None:
    """Two windows that together see the same: the first along all axes but the last, the second along the last axis.

    None unless neighbours see elements that are more than 2 apart: then the first, which sees neighbours side by side
    and does most of the work, has the speed of vectors.
    """
    if window.stride[-1] <= 2 or window.size == window.kernel[-1]:
        return None
    ones, zeros = (1,) * (len(window.inner) - 1), (0,) * (len(window.inner) - 1)
    between = (*window.outer[:-1], window.inner[-1])
    first = Window((*window.kernel[:-1], 1), (*window.stride[:-1], 1), (*window.dilation[:-1], 1),
                   (*window.before[:-1], 0), window.inner, between)  # fmt: skip
    last = [(*parts, numbers[-1]) for parts, numbers in (
        (ones, window.kernel), (ones, window.stride), (ones, window.dilation), (zeros, window.before)
    )]  # fmt: skip
    return first, Window(last[0], last[1], last[2], last[3], between, window.outer)


def pooled(mode: str, x: Array, window: Window, start: Any) -> Any:
    """The largest element (``max``) or the sum (``sum``) under each window; ``start`` where there is none."""
    if not usable(window, x.shape[0] * window.positions * window.size // 4, x):
        return NotImplemented
    for stage in _stages(window) or (window,):
        x = _pooled(mode, x, stage, start)
    return x


def _pooled(mode: str, x: Array, window: Window, start: Any) -> Array:
    planes = x.shape[0]
    y = numpy.full((planes, *window.outer), start, x.dtype)
    run(mode, window, y, x, None, planes, 1, (x.strides[0], 0, 0), (window.positions, 0, 0))
    return y


def winners(x: Array, y: Array, window: Window) -> Any:
    """See :func:`~gpugrad.kernels.pooling.winners`."""
    if not usable(window, y.size, x, y) or not y.flags.c_contiguous:
        return NotImplemented
    dtype = numpy.dtype("uint8" if window.size < 256 else "int32")
    which = numpy.full(y.shape, numpy.iinfo(dtype).max, dtype)
    run("win", window, y, x, which, y.shape[0], 1, (x.strides[0], 0, 0), (window.positions, 0, 0))
    return which


def returned(g: Array, which: Array, window: Window) -> Any:
    """See :func:`~gpugrad.kernels.pooling.returned`."""
    if not usable(window, g.size, g) or type(which) is not numpy.ndarray or which.dtype.name not in ("uint8", "int32"):
        return NotImplemented
    g, which = numpy.ascontiguousarray(g), numpy.ascontiguousarray(which)
    x = numpy.zeros((g.shape[0], *window.inner), g.dtype)
    run("back", window, g, x, which, g.shape[0], 1, (x.strides[0], 0, 0), (window.positions, 0, 0))
    return x


def spread_out(g: Array, window: Window) -> Any:
    """Each element of ``g`` added to all that its window sees: ``(M, *outer)`` to ``(M, *inner)``."""
    if not usable(window, g.size * window.size // 4, g):
        return NotImplemented
    for stage in reversed(_stages(window) or (window,)):
        g = numpy.ascontiguousarray(g)
        x = numpy.zeros((g.shape[0], 1, *stage.inner), g.dtype)
        _add(stage, g, x, (stage.positions, 0, 0))
        g = x[:, 0]
    return g


# ---------------------------------------------------------------- convolution of each channel with one filter


def depthwise(x: Array, w: Array, bias: Array | None, window: Window) -> Any:
    """``y[n, c] = bias[c] + sum_k w[c, k] x[n, c, ...]``: shapes ``(N, C, *inner)``, ``(C, *kernel)`` and ``(C,)``."""
    images, channels = x.shape[:2]
    if not usable(window, images * channels * window.positions, x, w, *(() if bias is None else (bias,))):
        return NotImplemented
    y = numpy.empty((images, channels, *window.outer), x.dtype)
    y[...] = 0 if bias is None else bias.reshape(-1, *(1,) * len(window.inner))
    run("scale", window, y, x, numpy.ascontiguousarray(w), channels, images, (x.strides[1], 0, x.strides[0]),
        (window.positions, 0, channels * window.positions), (window.size, 1))  # fmt: skip
    return y


def depthwise_back(g: Array, w: Array, bias: Array | None, window: Window) -> Any:
    """The transpose of :func:`depthwise` by x: ``(N, C, *outer)`` to ``(N, C, *inner)``, a bias added."""
    images, channels = g.shape[:2]
    if not usable(window, g.size, g, w, *(() if bias is None else (bias,))):
        return NotImplemented
    g = numpy.ascontiguousarray(g)
    if set(window.stride) <= {1}:
        axes = tuple(range(1, w.ndim))
        return depthwise(g, numpy.flip(w, axes), bias, window.mirrored)
    x = numpy.empty((images, channels, *window.inner), g.dtype)
    x[...] = 0 if bias is None else bias.reshape(-1, *(1,) * len(window.inner))
    run("turn", window, g, x, numpy.ascontiguousarray(w), channels, images, (x.strides[1], 0, x.strides[0]),
        (window.positions, 0, channels * window.positions), (window.size, 1))  # fmt: skip
    return x


def depthwise_filters(x: Array, g: Array, window: Window) -> Any:
    """The transpose of :func:`depthwise` by w: shape ``(C, *kernel)``."""
    images, channels = x.shape[:2]
    if not usable(window, g.size, x, g):
        return NotImplemented
    g = numpy.ascontiguousarray(g)
    w = numpy.empty((channels, *window.kernel), x.dtype)
    run("dot", window, g, x, w, channels, images, (x.strides[1], 0, x.strides[0]),
        (window.positions, 0, channels * window.positions), (window.size, 1))  # fmt: skip
    return w
