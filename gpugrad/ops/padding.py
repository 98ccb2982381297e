"""Padding: a border of constants, or of what is inside, along each axis.

Source: ``numpy.pad``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..backend import Array, Namespace
from ..core import primitive
from .creation import asarray
from .selection import take
from .shaping import concat

Widths = tuple[tuple[int, int], ...]

INSIDE: dict[str, Callable[[int, int], int]] = {
    "edge": lambda i, n: min(max(i, 0), n - 1),
    "wrap": lambda i, n: i % n,
    "symmetric": lambda i, n: i % (2 * n) if i % (2 * n) < n else 2 * n - 1 - i % (2 * n),
    "reflect": lambda i, n: n - 1 - abs(n - 1 - i % (2 * n - 2)) if n > 1 else 0,
}
"""For each mode, the place inside an axis of size n whose element stands at place i, inside or not."""


@primitive
def _pad(xp: Namespace, x: Array, /, widths: Widths, values: Any) -> Array:
    return xp.pad(x, widths, mode="constant", constant_values=values)


def _inner(xp: Namespace, g: Array, x_shape: tuple[int, ...], widths: Widths) -> Array:
    return g[tuple(slice(before, before + n) for n, (before, _) in zip(x_shape, widths, strict=True))]


_pad.vjp(x=_inner)


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


def pad(x: Array, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0) -> Array:
    """``x`` with a border: of ``constant_values``, or of its own elements, whose gradients add up.

    Args:
        x: shape ``(...)``.
        pad_width: how many elements go before and behind: a number, a pair, or a pair for each axis.
        mode: "constant"; "edge", the nearest element; "reflect", a mirror on the last element; "symmetric", a mirror
            behind it; "wrap", the other end.
        constant_values: one for all, a pair, or a pair for each axis; constants.

    Raises:
        ValueError: another mode, negative widths, widths that do not fit, or no elements to fill a border with.

    >>> import gpugrad as gg
    >>> gg.pad(gg.tensor([1.0, 2.0, 3.0]), (1, 2), mode="reflect")
    tensor([2., 1., 2., 3., 2., 1.])
    """
    t = asarray(x)
    widths = tuple((int(before), int(behind)) for before, behind in _pairs("widths", pad_width, t.ndim))
    if any(width < 0 for pair in widths for width in pair):
        raise ValueError(f"pad: expected widths of at least 0, got {pad_width}")
    if mode == "constant" and widths:
        return _pad(t, widths, _pairs("values", constant_values, t.ndim))
    if mode not in INSIDE and mode != "constant":
        raise ValueError(f"pad: expected mode 'constant', {', '.join(map(repr, INSIDE))}, got {mode!r}")
    for axis, (before, behind) in enumerate(widths):
        n = t.shape[axis]
        if before or behind:
            if not n:
                raise ValueError(f"pad: axis {axis} has no elements to fill a border with")
            place = INSIDE[mode]  # only the border is gathered: for most of the gradient a slice will do
            first = take(t, [place(i, n) for i in range(-before, 0)], axis)
            last = take(t, [place(i, n) for i in range(n, n + behind)], axis)
            t = concat([part for part, width in ((first, before), (t, 1), (last, behind)) if width], axis=axis)
    return t
