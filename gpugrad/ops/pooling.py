"""Pooling: one number for each place of a window, the largest under it, the average, or a norm.

The gradient of a maximum goes, whole, to the first of equal largest elements. That is PyTorch's convention for pooling,
and another one than that of :func:`gpugrad.max`, whose equal elements share; a plateau of equal pixels should not make
a window's gradient smaller. The gradient of a NaN goes to the first place of its window.

Both kinds are linear once it is known which element is chosen, so each has its transpose beside it and the two are
closed under differentiation. Source: names, defaults and sizes as in ``torch.nn.functional``.
"""

from __future__ import annotations

from math import prod
from typing import Any

from .. import backend
from ..backend import Array, Namespace
from ..core import Tensor, primitive
from ..core.modes import no_grad
from ..kernels import convolution as folding
from ..kernels import pooling as kernels
from ..kernels.pooling import Counts
from ..kernels.shapes import Shape
from ..kernels.windows import Window
from .creation import asarray, zeros
from .indexing import getitem
from .norms import root
from .reduction import argmax, mean
from .selection import put_along_axis, take_along_axis
from .shaping import permute_dims, reshape, squeeze
from .windows import batched, sizes, sliding

# -------------------------------------------------------------------- the operations


@primitive(batch="images")
def _max_pool(xp: Namespace, x: Array, /, window: Window) -> Array:
    return kernels.largest(xp, x, window)


@primitive(batch="images")
def _winners(xp: Namespace, x: Array, top: Array, /, window: Window) -> Array:
    """Which element of each window is its largest, ``top``: the first offset that holds it."""
    return kernels.winners(xp, x, top, window)


@primitive(batch="images")
def _chosen(xp: Namespace, x: Array, which: Array, /, window: Window) -> Array:
    """The elements of ``x`` at these offsets in their windows."""
    return kernels.won(xp, x, which, window)


@primitive(batch="images", wide=True)
def _returned(xp: Namespace, g: Array, which: Array, /, window: Window) -> Array:
    """The transpose of ``_chosen``."""
    return kernels.returned(xp, g, which, window)


_winners.nondifferentiable()
_max_pool.vjp(x=lambda xp, g, x, y, window: _returned.on(xp, g, _winners.on(xp, x, y, window=window), window=window))
_chosen.vjp(x=lambda xp, g, which, window: _returned.on(xp, g, which, window=window))
_returned.vjp(g=lambda xp, g, which, window: _chosen.on(xp, g, which, window=window))


@primitive(batch="images")
def _places(xp: Namespace, which: Array, /, window: Window) -> Array:
    """Offsets in windows as flat indices of the plane."""
    return kernels.places(xp, which, window)


_places.nondifferentiable()


@primitive(batch="images", wide=True)
def _average_pool(xp: Namespace, x: Array, /, window: Window, counts: Counts) -> Array:
    return kernels.average(xp, x, window, counts)


@primitive(batch="images", wide=True)
def _average_back(xp: Namespace, g: Array, /, window: Window, counts: Counts) -> Array:
    """The transpose of ``_average_pool``."""
    return kernels.average_back(xp, g, window, counts)


_average_pool.vjp(x=lambda xp, g, window, counts: _average_back.on(xp, g, window=window, counts=counts))
_average_back.vjp(g=lambda xp, g, window, counts: _average_pool.on(xp, g, window=window, counts=counts))


@primitive(batch="images")
def _unfold(xp: Namespace, x: Array, /, window: Window) -> Array:
    return folding.unfold(xp, x, window)


@primitive(batch="images", wide=True)
def _fold(xp: Namespace, columns: Array, /, window: Window) -> Array:
    return folding.fold(xp, columns, window)


_unfold.vjp(x=lambda xp, g, window: _fold.on(xp, g, window=window))
_fold.vjp(columns=lambda xp, g, window: _unfold.on(xp, g, window=window))


# -------------------------------------------------------------------- functions of them


def _pooled(
    name: str, input: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil: bool, ndim: int
) -> tuple[Tensor, bool, Window]:
    """The input with a batch axis, whether that was there, and the window."""
    x, whole = batched(name, asarray(input), ndim)
    kernel = sizes(name, "kernel_size", kernel, ndim, 1)
    stride = kernel if stride is None else sizes(name, "stride", stride, ndim, 1)
    before, dilation = sizes(name, "padding", padding, ndim, 0), sizes(name, "dilation", dilation, ndim, 1)
    if any(b > (d * (k - 1) + 1) // 2 for b, k, d in zip(before, kernel, dilation, strict=True)):
        raise ValueError(f"{name}: expected padding of at most half the window {kernel}, got {before}")
    return x, whole, sliding(name, x.shape[2:], kernel, stride, dilation, before, before, bool(ceil))


def max_pool(
    name: str, input: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil: bool, indices: bool, ndim: int
) -> Any:
    """The largest element under each window, and with ``indices`` also where it is, as flat indices of its plane.

    Raises:
        TypeError: sizes are no integers.
        ValueError: shapes or sizes do not fit; the message names the argument.
    """
    x, whole, window = _pooled(name, input, kernel, stride, padding, dilation, ceil, ndim)
    y = _max_pool(x, window)
    if not indices:
        return y if whole else y[0]
    found = _places(_winners(x, y, window), window)
    return (y, found) if whole else (y[0], found[0])


def max_unpool(
    name: str, input: Any, indices: Any, kernel: Any, stride: Any, padding: Any, output_size: Any, ndim: int
) -> Tensor:
    """Zeros, with each element of the input at its flat index; what ``max_pool`` chose, back where it was.

    Raises:
        IndexError: an index is outside of the output.
        TypeError: sizes are no integers.
        ValueError: shapes or sizes do not fit; the message names the argument.
    """
    x, whole = batched(name, asarray(input), ndim)
    at = asarray(indices)
    if at.shape != asarray(input).shape:
        raise ValueError(f"{name}: expected indices of the shape of the input, {asarray(input).shape}, got {at.shape}")
    kernel, padding = sizes(name, "kernel_size", kernel, ndim, 1), sizes(name, "padding", padding, ndim, 0)
    stride = kernel if stride is None else sizes(name, "stride", stride, ndim, 1)
    rows = zip(x.shape[2:], kernel, stride, padding, strict=True)
    usual = tuple((m - 1) * s - 2 * p + k for m, k, s, p in rows)
    inner = usual if output_size is None else sizes(name, "output_size", tuple(output_size)[-ndim:], ndim, 1)
    if any(abs(n - u) >= s for n, u, s in zip(inner, usual, stride, strict=True)):
        raise ValueError(f"{name}: expected an output_size less than the stride {stride} from {usual}, got {inner}")
    flat = (*x.shape[:2], prod(x.shape[2:]))
    empty = zeros((*x.shape[:2], prod(inner)), dtype=x.dtype, device=x.device)
    places = put_along_axis(empty, reshape(at, flat), reshape(x, flat), axis=-1)
    return reshape(places, (*x.shape[:2], *inner) if whole else (x.shape[1], *inner))


def average_pool(
    name: str, input: Any, kernel: Any, stride: Any, padding: Any, ceil: bool, include_border: bool,
    divisor: int | None, ndim: int,
) -> Tensor:  # fmt: skip
    """The average of what is under each window.

    Raises:
        TypeError: sizes are no integers, or the input is not floating-point.
        ValueError: shapes or sizes do not fit, or the divisor is 0; the message names the argument.
    """
    x, whole, window = _pooled(name, input, kernel, stride, padding, 1, ceil, ndim)
    _check_floating(name, x)
    if divisor is not None and not divisor:
        raise ValueError(f"{name}: expected a divisor_override other than 0, got {divisor}")
    counts = kernels.counted(window, window.before, include_border) if divisor is None else ((divisor,),)
    y: Tensor = _average_pool(x, window, counts)
    return y if whole else y[0]


def norm_pool(name: str, input: Any, norm: float, kernel: Any, stride: Any, ceil: bool, ndim: int) -> Tensor:
    """``(sum x^norm)^(1/norm)`` over each window; where the sum is 0, so is the gradient.

    Raises:
        TypeError: sizes are no integers, or the input is not floating-point.
        ValueError: shapes or sizes do not fit, or the norm is 0; the message names the argument.
    """
    if not norm:
        raise ValueError(f"{name}: expected a norm_type other than 0, got {norm}")
    count = prod(sizes(name, "kernel_size", kernel, ndim, 1))
    total = average_pool(name, asarray(input) ** norm, kernel, stride, 0, ceil, True, None, ndim) * count
    if norm == 1:
        return total
    return root(total, norm)


def _check_floating(name: str, x: Tensor) -> None:
    if not backend.is_floating(x.dtype):
        raise TypeError(f"{name}: expected a floating-point input, got {x.dtype}")


# -------------------------------------------------------------------- a given number of windows


def _output_size(name: str, given: Any, inner: Shape) -> Shape:
    """One size for each axis; None for that of the input."""
    listed = given if isinstance(given, tuple | list) else (given,) * len(inner)
    if len(listed) != len(inner):
        raise ValueError(f"{name}: expected output_size as one or {len(inner)} integers or None, got {given!r}")
    filled = tuple(n if m is None else m for m, n in zip(listed, inner, strict=True))
    return sizes(name, "output_size", filled, len(inner), 1)


def _even(inner: Shape, outer: Shape) -> Window | None:
    """The window that gives as many places without overlap, where there is one."""
    if any(n % m for n, m in zip(inner, outer, strict=True)) or not all(inner):
        return None
    kernel = tuple(n // m for n, m in zip(inner, outer, strict=True))
    return Window(kernel, kernel, (1,) * len(inner), (0,) * len(inner), inner, outer)


WIDE = 16
"""From this many elements on, windows are gone through one by one, not place by place."""


def _parts(n: int, m: int) -> list[tuple[int, int]]:
    """Where m windows over n elements begin and end: ``[floor(i n / m), ceil((i + 1) n / m))``."""
    return [(i * n // m, -(-(i + 1) * n // m)) for i in range(m)]


def adaptive_average_pool(name: str, input: Any, output_size: Any, ndim: int) -> Tensor:
    """The averages of ``output_size`` windows that together cover the input.

    Raises:
        TypeError: sizes are no integers, or the input is not floating-point.
        ValueError: shapes or sizes do not fit; the message names the argument.
    """
    x, whole = batched(name, asarray(input), ndim)
    _check_floating(name, x)
    _check_not_empty(name, x)
    outer = _output_size(name, output_size, x.shape[2:])
    window = _even(x.shape[2:], outer)
    if set(outer) == {1}:
        flat = mean(reshape(x, (*x.shape[:2], prod(x.shape[2:]))), axis=2)
        y: Tensor = reshape(flat, (*x.shape[:2], *outer))
        return y if whole else y[0]
    if window is not None and ndim == 1 and window.size >= WIDE:
        y = mean(reshape(x, (*x.shape[:2], *outer, window.size)), axis=3)
        return y if whole else y[0]
    if window is not None:
        y = _average_pool(x, window, tuple((k,) for k in window.kernel))
        return y if whole else y[0]
    for axis, m in enumerate(outer, start=2):  # the windows' sizes differ by one: along an axis, a matrix of averages
        rows = [[(start <= i < stop) / (stop - start) for start, stop in _parts(x.shape[axis], m)]
                for i in range(x.shape[axis])]  # fmt: skip
        matrix = asarray(rows, dtype=x.dtype, device=x.device)
        order = [i for i in range(ndim + 2) if i != axis]
        y = permute_dims(x, (*order, axis)) @ matrix
        back = [*range(axis), ndim + 1, *range(axis, ndim + 1)]
        x = permute_dims(y, tuple(back))
    return x if whole else x[0]


def adaptive_max_pool(name: str, input: Any, output_size: Any, indices: bool, ndim: int) -> Any:
    """The largest elements of ``output_size`` windows that together cover the input, and where they are.

    Raises:
        TypeError: sizes are no integers.
        ValueError: shapes or sizes do not fit; the message names the argument.
    """
    x, whole = batched(name, asarray(input), ndim)
    _check_not_empty(name, x)
    outer = _output_size(name, output_size, x.shape[2:])
    window = _even(x.shape[2:], outer)
    if window is not None and window.size < WIDE:
        y = _max_pool(x, window)
        found = _places(_winners(x, y, window), window) if indices else None
    else:
        y, found = _gathered(x, outer)
        found = found if indices else None
    if found is None:
        return y if whole else y[0]
    return (y, found) if whole else (y[0], found[0])


def _check_not_empty(name: str, x: Tensor) -> None:
    if not all(x.shape[2:]):
        raise ValueError(f"{name}: expected an input with elements in each channel, got shape {x.shape}")


def _gathered(x: Tensor, outer: Shape) -> tuple[Tensor, Tensor]:
    """The maxima of uneven or wide windows: where they are, and from there, so that the gradient knows them alone."""
    planes, window = reshape(x, (*x.shape[:2], prod(x.shape[2:]))), _even(x.shape[2:], outer)
    with no_grad():
        if window is None:
            found = _first_of_uneven(planes, x.shape[2:], outer)
        else:
            first = argmax(_side_by_side(x, window), axis=-1)
            found = reshape(_places(reshape(first, (*x.shape[:2], *outer)), window), first.shape)
    values = take_along_axis(planes, found, axis=-1)
    return reshape(values, (*x.shape[:2], *outer)), reshape(found, (*x.shape[:2], *outer))


def _side_by_side(x: Tensor, window: Window) -> Tensor:
    """The elements of even windows, ``(N, C, places, window)``."""
    pairs = [n for pair in zip(window.outer, window.kernel, strict=True) for n in pair]
    apart = reshape(x, (*x.shape[:2], *pairs))
    order = (0, 1, *range(2, apart.ndim, 2), *range(3, apart.ndim, 2))
    return reshape(permute_dims(apart, order), (*x.shape[:2], window.positions, window.size))


def _first_of_uneven(planes: Tensor, inner: Shape, outer: Shape) -> Tensor:
    """The flat indices of the maxima of uneven windows; short windows are filled up with their last element."""
    table: Tensor = asarray([[0]], device=planes.device)  # flat indices: for each place, those of its window
    for n, m in zip(inner, outer, strict=True):
        parts = _parts(n, m)
        widest = max(stop - start for start, stop in parts)
        rows = [[min(start + k, stop - 1) for k in range(widest)] for start, stop in parts]
        pairs = table[:, None, :, None] * n + asarray(rows, device=planes.device)[:, None, :]
        table = reshape(pairs, (table.shape[0] * m, table.shape[1] * widest))
    elements = getitem(planes, (slice(None), slice(None), table))  # (N, C, places, window)
    first = argmax(elements, axis=-1, keepdims=True)
    return squeeze(take_along_axis(table.reshape((1, 1, *table.shape)), first, axis=-1), axis=-1)


# -------------------------------------------------------------------- windows as columns


def unfold(name: str, input: Any, kernel: Any, dilation: Any, padding: Any, stride: Any) -> Tensor:
    """What each place of a window sees, as columns: shape ``(N, C, H, W)`` to ``(N, C kH kW, L)``.

    Raises:
        TypeError: sizes are no integers.
        ValueError: shapes or sizes do not fit; the message names the argument.
    """
    x, whole = batched(name, asarray(input), 2)
    y: Tensor = _unfold(x, _folding(name, x.shape[2:], kernel, dilation, padding, stride))
    return y if whole else y[0]


def fold(name: str, input: Any, output_size: Any, kernel: Any, dilation: Any, padding: Any, stride: Any) -> Tensor:
    """The transpose of :func:`unfold`: columns added up where they come from.

    Raises:
        TypeError: sizes are no integers.
        ValueError: shapes or sizes do not fit; the message names the argument.
    """
    columns = asarray(input)
    if columns.ndim not in (2, 3):
        raise ValueError(f"{name}: expected an input of shape (N, C kH kW, L) or (C kH kW, L), got {columns.shape}")
    window = _folding(name, sizes(name, "output_size", output_size, 2, 1), kernel, dilation, padding, stride)
    rows, count = columns.shape[-2:]
    if rows % window.size or count != window.positions:
        raise ValueError(
            f"{name}: expected an input of shape (N, C * {window.size}, {window.positions}) for this output_size, "
            f"got {columns.shape}"
        )
    x: Tensor = _fold(columns if columns.ndim == 3 else columns[None], window)
    return x if columns.ndim == 3 else x[0]


def _folding(name: str, inner: Shape, kernel: Any, dilation: Any, padding: Any, stride: Any) -> Window:
    before = sizes(name, "padding", padding, 2, 0)
    return sliding(
        name, inner, sizes(name, "kernel_size", kernel, 2, 1), sizes(name, "stride", stride, 2, 1),
        sizes(name, "dilation", dilation, 2, 1), before, before,
    )  # fmt: skip
