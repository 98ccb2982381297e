"""Functions known at points: interpolated, differentiated and integrated along an axis.

Source: NumPy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import backend
from ..backend import Array, Namespace
from ..backend.dtypes import float64
from ..core import Tensor, primitive
from ..kernels.shapes import several
from .arithmetic import remainder, where
from .beside import beside
from .creation import asarray, astype
from .indexing import _gather, _scatter_add
from .inspection import result_type
from .nested import together
from .reduction import sum
from .scans import diff
from .selection import argsort, take
from .shaping import concat, reshape

# -------------------------------------------------------------------- interpolation


@primitive(batch=("one_for_all", 1, 2))
def _interp(xp: Namespace, x: Array, points: Array, values: Array, /, left: float | None, right: float | None) -> Array:
    dtype = xp.result_type(x, points, values)
    x = xp.asarray(x, order="C")  # CuPy's takes no other
    return xp.astype(xp.interp(x, points, values, left=left, right=right), dtype)


@_interp.joint_vjp
def _interp_all(
    xp: Namespace, g: Array, wanted: tuple[str, ...], x: Array, points: Array, values: Array, x_shape: tuple[int, ...],
    left: float | None, right: float | None,
) -> list[Array]:  # fmt: skip
    """Between points i and i + 1, at the share w: ``g slope``, ``-g slope (1 - w, w)`` and ``g (1 - w, w)``."""
    last = points.shape[0] - 1
    x, g = xp.reshape(x, (-1,)), xp.reshape(g, (-1,))
    number = xp.searchsorted(points, x, side="right")
    below, above = _place(xp.clip(number - 1, 0, last)), _place(xp.clip(number, 0, last))
    start, end = (_gather.on(xp, points, index=place) for place in (below, above))
    bottom, top = (_gather.on(xp, values, index=place) for place in (below, above))
    inside = (number > 0) & (number <= last)
    width = xp.where(inside, end - start, 1)
    share = xp.where(inside, (x - start) / width, 0)
    slope = xp.where(inside, (top - bottom) / width, 0)
    dx = g * slope
    free = g if left is None else xp.where(x < points[0], 0, g)
    free = free if right is None else xp.where(x > points[last], 0, free)
    gradients = {
        "x": lambda: xp.reshape(dx, x_shape),
        "points": lambda: _both(xp, -dx * (1 - share), -dx * share, below, above, points.shape),
        "values": lambda: _both(xp, free * (1 - share), free * share, below, above, values.shape),
    }
    return [gradients[name]() for name in wanted]


def _place(index: Array) -> Array:
    """An index is no Tensor."""
    return index.data if isinstance(index, Tensor) else index


def _both(xp: Namespace, first: Array, second: Array, below: Array, above: Array, shape: tuple[int, ...]) -> Array:
    return _scatter_add.on(xp, first, index=below, shape=shape) + _scatter_add.on(xp, second, index=above, shape=shape)


def interp(x: Array, xp: Array, fp: Array, left: Any = None, right: Any = None, period: Any = None) -> Array:
    """The piecewise linear function through points ``(xp_i, fp_i)``, at ``x``; differentiable in all arguments.

    At a point, the slope is that to its right; outside, it is 0. The dtype is that of the arguments.

    Args:
        x: shape ``(...)``.
        xp: shape ``(N,)``, increasing; not looked at. With a period, in any order.
        fp: shape ``(N,)``.
        left: the value before the first point; None for ``fp[0]``.
        right: the value after the last point; None for ``fp[-1]``.
        period: of the function, which then has no ends.

    Raises:
        ValueError: ``xp`` and ``fp`` are no sequences of one length, or empty; or a period of 0.

    >>> import gpugrad as gg
    >>> gg.interp(gg.tensor([0.5, 1.5, 9.0]), gg.tensor([0.0, 1.0, 2.0]), gg.tensor([0.0, 10.0, 0.0]))
    tensor([5., 5., 0.])
    """
    first = next((a for a in (x, xp, fp) if isinstance(a, Tensor)), asarray(x))
    like = first.dtype if backend.is_floating(first.dtype) else None  # what lists of numbers are taken for
    at, points, values = (beside(a, first, None if hasattr(a, "dtype") else like) for a in (x, xp, fp))
    if points.ndim != 1 or points.shape != values.shape or not points.size:
        raise ValueError(f"interp: expected points of shape (N,) twice, got {points.shape} and {values.shape}")
    if not backend.is_floating(result_type(at, points, values)):
        at = astype(at, float64)
    if period is None:
        ends = [None if isinstance(end, Tensor) else end for end in (left, right)]
        y = _interp(at, points, values, *ends)
        y = where(at < points[0], left, y) if isinstance(left, Tensor) else y
        return where(at > points[-1], right, y) if isinstance(right, Tensor) else y
    if not period:
        raise ValueError("interp: expected a period other than 0, got 0")
    length = abs(period)
    at, points = remainder(at, length), remainder(points, length)
    order = argsort(points)
    points, values = take(points, order), take(values, order)
    points = concat([points[-1:] - length, points, points[:1] + length])
    return _interp(at, points, concat([values[-1:], values, values[:1]]), None, None)


# -------------------------------------------------------------------- derivatives and integrals along an axis


def _along(axis: int, start: int | None, stop: int | None) -> tuple[slice, ...]:
    return (*(slice(None),) * axis, slice(start, stop))


def _by_axis(values: Array, axis: int, ndim: int) -> Array:
    """A vector, or a number, that broadcasts along one axis of several."""
    return reshape(values, tuple(-1 if i == axis else 1 for i in range(ndim))) if values.shape else values


def gradient(
    f: Array, *spacing: Any, axis: int | Sequence[int] | None = None, edge_order: int = 1
) -> Array | tuple[Array, ...]:
    """Differences that estimate the derivative along each axis: of second order inside, of ``edge_order`` at the ends.

    Not a gradient of this library: that is :func:`grad`. Differentiable in ``f`` and in the spacing.

    Args:
        f: shape ``(...)``.
        spacing: between neighbours: nothing for 1, one number for all axes, or for each axis a number or the
            coordinates, shape ``(N,)``.
        axis: one, several, or None for all.
        edge_order: 1 or 2.

    Returns:
        The estimate along the axis, a tuple of them for several axes.

    Raises:
        ValueError: the spacing does not fit the axes, an axis is too short, or another ``edge_order``.

    >>> import gpugrad as gg
    >>> gg.gradient(gg.tensor([1.0, 2.0, 4.0, 7.0]))
    tensor([1. , 1.5, 2.5, 3. ])
    """
    t = asarray(f)
    t = t if backend.is_floating(t.dtype) else astype(t, float64)
    listed = range(t.ndim) if axis is None else several(axis)
    if not all(-t.ndim <= a < t.ndim for a in listed):
        raise ValueError(f"gradient: axis {axis} is out of bounds for shape {t.shape}")
    axes = [a % t.ndim for a in listed]
    steps = [1.0] * len(axes) if not spacing else list(spacing) * (len(axes) if len(spacing) == 1 else 1)
    coordinates = len(spacing) == 1 and len(getattr(spacing[0], "shape", ())) == 1
    if (coordinates and len(axes) > 1) or len(steps) != len(axes):
        raise ValueError(f"gradient: expected a spacing for each of {len(axes)} axes, got {len(spacing)}")
    if edge_order not in (1, 2):
        raise ValueError(f"gradient: expected edge_order 1 or 2, got {edge_order}")
    found = tuple(_differences(t, a, step, edge_order) for a, step in zip(axes, steps, strict=True))
    return found[0] if len(found) == 1 else found


def _differences(f: Array, axis: int, step: Any, order: int) -> Array:
    n = f.shape[axis]
    if n <= order:
        raise ValueError(f"gradient: expected at least {order + 1} elements along axis {axis}, got shape {f.shape}")
    if not isinstance(step, int | float):
        step = beside(step, f, None if isinstance(step, Tensor) else f.dtype)
        if len(step.shape) > 1 or (step.shape and step.shape != (n,)):
            raise ValueError(f"gradient: expected a number or {n} coordinates for axis {axis}, got shape {step.shape}")
    if isinstance(step, int | float) or not step.shape:
        first, second, before, last = (f[_along(axis, i, i + 1)] for i in (0, 1, n - 2, n - 1))
        inner = (f[_along(axis, 2, None)] - f[_along(axis, None, -2)]) / (2 * step)
        if order == 1:
            start, end = (second - first) / step, (last - before) / step
        else:
            third, earlier = (f[_along(axis, i, i + 1)] for i in (2, n - 3))
            start = (4 * second - 3 * first - third) / (2 * step)
            end = (3 * last - 4 * before + earlier) / (2 * step)
        return concat([start, inner, end], axis=axis)
    widths = _by_axis(diff(step), axis, f.ndim)
    h, k = widths[_along(axis, None, -1)], widths[_along(axis, 1, None)]  # to the left and to the right
    slopes = (f[_along(axis, 1, None)] - f[_along(axis, None, -1)]) / widths
    a, b = slopes[_along(axis, None, -1)], slopes[_along(axis, 1, None)]
    inner = (k * a + h * b) / (h + k)
    if order == 1:
        start, end = slopes[_along(axis, 0, 1)], slopes[_along(axis, -1, None)]
    else:  # the parabola through three points
        bent = (b - a) / (h + k)
        start = (a - h * bent)[_along(axis, 0, 1)]
        end = (b + k * bent)[_along(axis, -1, None)]
    return concat([start, inner, end], axis=axis)


def trapezoid(y: Array, x: Array | None = None, dx: Any = 1.0, axis: int = -1) -> Array:
    """The integral along ``axis`` by the trapezoidal rule: ``sum((x_(i+1) - x_i) (y_i + y_(i+1)) / 2)``.

    Args:
        y: shape ``(..., N, ...)``.
        x: the coordinates, ``(N,)`` or a shape that broadcasts against ``y``; None for a distance of ``dx``.
        dx: the distance of neighbours.
        axis: along which.

    Raises:
        ValueError: the axis is not there, or there are not as many coordinates.

    >>> import gpugrad as gg
    >>> gg.trapezoid(gg.tensor([1.0, 2.0, 3.0]), gg.tensor([0.0, 1.0, 3.0]))
    tensor(6.5)
    """
    if x is not None:
        y, x = together("trapezoid", y, x)
    t = asarray(y)
    if not -t.ndim <= axis < t.ndim:
        raise ValueError(f"trapezoid: axis {axis} is out of bounds for shape {t.shape}")
    axis %= t.ndim
    heights = t[_along(axis, 1, None)] + t[_along(axis, None, -1)]
    if x is None:
        return sum(heights, axis=axis) * (dx / 2)
    at = beside(x, t)
    widths = _by_axis(diff(at), axis, t.ndim) if at.ndim == 1 else diff(at, axis=axis - t.ndim)
    return sum(widths * heights, axis=axis - t.ndim) / 2  # from the end: the coordinates may have more axes


@primitive(batch=("any_axes", "axis"))
def unwrap(
    xp: Namespace, x: Array, /, discont: float | None = None, axis: int = -1, *, period: float = 6.283185307179586
) -> Array:
    """Angles without jumps: multiples of the period are added such that no step along ``axis`` is more than half of it.

    Steps smaller than ``discont`` are left alone; by default, and at least, that is half the period. The gradient stays
    as it is: what is added is constant. Source: ``numpy.unwrap``.

    >>> import gpugrad as gg
    >>> gg.unwrap(gg.tensor([0.0, 3.0, -3.0]))
    tensor([0.       , 3.       , 3.2831854])
    """
    return xp.unwrap(x, discont=discont, axis=axis, period=period)


unwrap.vjp(x=lambda xp, g: g)
