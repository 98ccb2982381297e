"""Padding: a border of constants, or of what is inside, along each axis.

Source: ``numpy.pad``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..backend import Array, Namespace
from ..backend.dtypes import float64
from ..core import Tensor, primitive
from ..core.errors import AxisError
from ..kernels import borders as kernels
from ..kernels.borders import INSIDE, Widths
from . import reduction
from .beside import beside
from .creation import asarray, astype
from .quantiles import median
from .rounding import floor, round
from .selection import take
from .shaping import broadcast_to, concat, reshape

STATISTICS: dict[str, Callable[..., Any]] = {
    "maximum": reduction.max, "minimum": reduction.min, "mean": reduction.mean, "median": median,
}  # fmt: skip
MODES = ("constant", *INSIDE, "linear_ramp", *STATISTICS, "empty")


@primitive(batch="padded")
def _pad(xp: Namespace, x: Array, /, widths: Widths, values: Any) -> Array:
    first = values[0][0]
    if all(value is first or value == first for pair in values for value in pair):
        return kernels.framed(xp, x, widths, first)
    return xp.pad(x, widths, mode="constant", constant_values=values)


def _inner(xp: Namespace, g: Array, x_shape: tuple[int, ...], widths: Widths) -> Array:
    return g[tuple(slice(before, before + n) for n, (before, _) in zip(x_shape, widths, strict=True))]


_pad.vjp(x=_inner)


@primitive(batch="padded")
def _border(xp: Namespace, x: Array, /, widths: Widths, mode: str) -> Array:
    """``x`` with a border of its own elements."""
    return kernels.bordered(xp, x, widths, mode)


@primitive(batch="padded")
def _unborder(xp: Namespace, g: Array, /, widths: Widths, mode: str) -> Array:
    """The transpose of ``_border``."""
    return kernels.unbordered(xp, g, widths, mode)


_border.vjp(x=lambda xp, g, widths, mode: _unborder.on(xp, g, widths=widths, mode=mode))
_unborder.vjp(g=lambda xp, g, widths, mode: _border.on(xp, g, widths=widths, mode=mode))


def _pairs(name: str, given: Any, ndim: int) -> tuple[tuple[Any, Any], ...]:
    """One value, one in a tuple, one pair, or a pair for each axis, as a pair for each axis."""
    if not isinstance(given, tuple | list):
        return ((given, given),) * ndim
    rows = [tuple(row) if isinstance(row, tuple | list) else row for row in given]
    if rows and all(isinstance(row, tuple) for row in rows):
        pairs = [row * 2 if len(row) == 1 else row for row in rows]
        pairs = pairs * ndim if len(pairs) == 1 else pairs
        if len(pairs) == ndim and all(len(pair) == 2 for pair in pairs):
            return tuple(pairs)
    elif len(rows) in (1, 2) and not any(isinstance(row, tuple) for row in rows):
        return ((rows[0], rows[-1]),) * ndim
    raise ValueError(f"pad: expected {name} as a number, a pair, or a pair for each of {ndim} axes, got {given}")


def _of_axes(widths: dict[int, Any], ndim: int) -> list[Any]:
    """A pair for each axis, of the widths of some; an axis may be counted from the end."""
    pairs: list[Any] = [(0, 0)] * ndim
    for axis, width in widths.items():
        if not -ndim <= axis < ndim:
            raise AxisError(f"pad: axis {axis} is out of bounds for a tensor of {ndim} axes")
        pairs[axis] = width if isinstance(width, tuple | list) else (width, width)
    return pairs


def pad(
    x: Array, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0, end_values: Any = 0,
    stat_length: Any = None, reflect_type: str = "even",
) -> Array:  # fmt: skip
    """``x`` with a border: of ``constant_values``, or of what follows from its own elements, whose gradients add up.

    Args:
        x: shape ``(...)``.
        pad_width: how many elements go before and behind: a number, a pair, or a pair for each axis; or a dict of
            numbers or pairs by axis, the other axes get no border.
        mode: "constant"; "edge", the nearest element; "reflect", a mirror on the last element; "symmetric", a mirror
            behind it; "wrap", the other end; "linear_ramp", from the last element to ``end_values``; "maximum",
            "minimum", "mean", "median" of the nearest ``stat_length`` elements; "empty", anything.
        constant_values: one for all, a pair, or a pair for each axis.
        end_values: as ``constant_values``.
        stat_length: as ``pad_width``, at least 1; None for the whole axis.
        reflect_type: of a mirror: "even", or "odd", as far below the last element as the mirror image is above it.

    Raises:
        ValueError: another mode, negative widths, widths that do not fit, or no elements to fill a border with.

    Source: ``numpy.pad``.

    >>> import gpugrad as gg
    >>> gg.pad(gg.tensor([1.0, 2.0, 3.0]), (1, 2), mode="reflect")
    tensor([2., 1., 2., 3., 2., 1.])
    >>> gg.pad(gg.tensor([1.0, 2.0, 3.0]), 2, mode="linear_ramp")
    tensor([0. , 0.5, 1. , 2. , 3. , 1.5, 0. ])
    """
    t = asarray(x)
    given = _of_axes(pad_width, t.ndim) if isinstance(pad_width, dict) else pad_width
    widths = tuple((int(before), int(behind)) for before, behind in _pairs("widths", given, t.ndim))
    if any(width < 0 for pair in widths for width in pair):
        raise ValueError(f"pad: expected widths of at least 0, got {pad_width}")
    if mode in ("constant", "empty") and widths:
        values = _pairs("values", constant_values if mode == "constant" else 0, t.ndim)
        if any(isinstance(value, Tensor) for pair in values for value in pair):
            return _framed(t, widths, values)
        return _pad(t, widths, values)
    if mode not in MODES:
        raise ValueError(f"pad: expected mode {', '.join(map(repr, MODES))}, got {mode!r}")
    if reflect_type not in ("even", "odd"):
        raise ValueError(f"pad: expected reflect_type 'even' or 'odd', got {reflect_type!r}")
    odd = reflect_type == "odd" and mode in ("reflect", "symmetric")
    for axis, pair in enumerate(widths):
        if any(pair) and not t.shape[axis]:
            raise ValueError(f"pad: axis {axis} has no elements to fill a border with")
    if mode in INSIDE and not odd:
        return _border(t, widths, mode) if any(map(any, widths)) else t
    ends = _pairs("end values", end_values, t.ndim)
    lengths = _pairs("lengths", stat_length, t.ndim)
    for axis, (before, behind) in enumerate(widths):
        n = t.shape[axis]
        if before or behind:
            if mode in STATISTICS:
                first, last = (_statistic(t, axis, mode, lengths[axis][side], side) for side in (0, 1))
                shapes = [(*t.shape[:axis], width, *t.shape[axis + 1 :]) for width in (before, behind)]
                first, last = broadcast_to(first, shapes[0]), broadcast_to(last, shapes[1])
            elif mode == "linear_ramp":
                first = _ramp(_part(t, axis, 0, 1), axis, range(before), before, ends[axis][0])
                last = _ramp(_part(t, axis, n - 1, n), axis, range(behind - 1, -1, -1), behind, ends[axis][1])
            else:
                first, last = (
                    _point_mirrored(t, axis, mode, places) for places in (range(-before, 0), range(n, n + behind))
                )
            t = concat([part for part, width in ((first, before), (t, 1), (last, behind)) if width], axis=axis)
    return t


def _framed(x: Array, widths: Widths, values: tuple[tuple[Any, Any], ...]) -> Array:
    """``x`` with a border of Tensors of one element, which get their gradients."""
    for axis, (pair, numbers) in enumerate(zip(widths, values, strict=True)):
        shapes = [(*x.shape[:axis], width, *x.shape[axis + 1 :]) for width in pair]
        first, last = (
            broadcast_to(astype(beside(value, x), x.dtype), shape) for value, shape in zip(numbers, shapes, strict=True)
        )
        x = concat([first, x, last], axis=axis)
    return x


def _part(x: Array, axis: int, start: int, stop: int) -> Array:
    return x[(*(slice(None),) * axis, slice(start, stop))]


def _gathered(x: Array, axis: int, mode: str, places: range) -> Array:
    """The elements that stand at places outside of an axis."""
    n = x.shape[axis]
    return take(x, [INSIDE[mode](i, n) for i in places], axis)


def _point_mirrored(x: Array, axis: int, mode: str, places: range) -> Array:
    """The sequence goes on turned by 180 degrees about its ends: it rises by the same amount with each period.

    At place i that is ``s x_j + a (last - first) + (1 - s) x_end``, with s = -1 in every other copy.
    """
    n = x.shape[axis]
    period = n if mode == "symmetric" else n - 1
    if not period:
        return _gathered(x, axis, mode, places)
    first, last = _part(x, axis, 0, 1), _part(x, axis, n - 1, n)
    copies = [divmod(i, period) for i in places]
    shape = tuple(-1 if k == axis else 1 for k in range(x.ndim))

    def along(numbers: list[int]) -> Array:
        return reshape(beside(numbers, x, x.dtype), shape)

    turned = along([-1 if copy % 2 else 1 for copy, _ in copies])
    rises, doubled = along([2 * (copy // 2) for copy, _ in copies]), along([2 * (copy % 2) for copy, _ in copies])
    return turned * _gathered(x, axis, mode, places) + rises * (last - first) + doubled * last


def _ramp(edge: Array, axis: int, steps: range, width: int, end: float) -> Array:
    """``end + (edge - end) k / width`` for each step k; of integers what is not above."""
    shares = beside([k / width for k in steps], edge, float64 if edge.dtype.kind in "iu" else edge.dtype)
    ramp = end + (edge - end) * reshape(shares, tuple(-1 if k == axis else 1 for k in range(edge.ndim)))
    return astype(floor(ramp), edge.dtype) if edge.dtype.kind in "iu" else ramp


def _statistic(x: Array, axis: int, mode: str, length: int | None, side: int) -> Array:
    """Of the nearest elements to one end of an axis."""
    n = x.shape[axis]
    if length is not None and length < 1:
        raise ValueError(f"pad: expected a stat_length of at least 1, got {length}")
    near = n if length is None else min(length, n)
    y = STATISTICS[mode](_part(x, axis, n - near if side else 0, n if side else near), axis=axis, keepdims=True)
    return y if y.dtype == x.dtype else astype(round(y) if x.dtype.kind in "iu" else y, x.dtype)
