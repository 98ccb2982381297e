"""Borders around an array, of a number or of what is inside, and the way back.

A border is a few slices that repeat others of the same axis. So one axis after the other is filled from itself, the
last one first, and on the way back added to itself in the opposite order; no index is made.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from ..backend import Array, Namespace
from .indexing import _atomic as atomic
from .shapes import Shape

Widths = tuple[tuple[int, int], ...]

INSIDE: dict[str, Callable[[int, int], int]] = {
    "edge": lambda i, n: min(max(i, 0), n - 1),
    "wrap": lambda i, n: i % n,
    "symmetric": lambda i, n: i % (2 * n) if i % (2 * n) < n else 2 * n - 1 - i % (2 * n),
    "reflect": lambda i, n: n - 1 - abs(n - 1 - i % (2 * n - 2)) if n > 1 else 0,
}
"""For each mode, the place inside an axis of size n whose element stands at place i, inside or not."""


@lru_cache(maxsize=256)
def runs(mode: str, n: int, before: int, behind: int) -> tuple[tuple[slice, slice], ...]:
    """For an axis of n elements with a border: slices of the border, and of the inside that they repeat.

    >>> runs("reflect", 4, 2, 0)
    ((slice(0, 2, None), slice(4, 2, -1)),)
    >>> runs("edge", 4, 0, 3)
    ((slice(4, 7, None), slice(3, 4, None)),)
    """
    found = []
    for places in (range(-before, 0), range(n, n + behind)):
        sources = [before + INSIDE[mode](i, n) for i in places]
        start = 0
        while start < len(sources):
            stop = start + 1
            step = sources[stop] - sources[start] if stop < len(sources) else 1
            while abs(step) <= 1 and stop < len(sources) and sources[stop] - sources[stop - 1] == step:
                stop += 1
            first, last = sources[start], sources[stop - 1]
            source = slice(first, last + 1) if last >= first else slice(first, last - 1 if last else None, -1)
            found.append((slice(before + places[start], before + places[start] + stop - start), source))
            start = stop
    return tuple(found)


def _inside(shape: Shape, widths: Widths) -> tuple[slice, ...]:
    """The place in a bordered array of what has this shape."""
    return tuple(slice(before, before + n) for n, (before, _) in zip(shape, widths, strict=True))


def _around(shape: Shape, widths: Widths) -> Shape:
    return tuple(before + n + behind for n, (before, behind) in zip(shape, widths, strict=True))


@atomic
def framed(xp: Namespace, x: Array, widths: Widths, value: Any) -> Array:
    """``x`` with a border of one number."""
    y = xp.full(_around(x.shape, widths), value, dtype=x.dtype)
    y[_inside(x.shape, widths)] = x
    return y


@atomic
def bordered(xp: Namespace, x: Array, widths: Widths, mode: str) -> Array:
    """``x`` with a border of its own elements."""
    y = xp.empty(_around(x.shape, widths), dtype=x.dtype)
    inside = _inside(x.shape, widths)
    y[inside] = x
    for axis in reversed(range(len(x.shape))):
        for border, source in runs(mode, x.shape[axis], *widths[axis]):
            y[(*inside[:axis], border)] = y[(*inside[:axis], source)]
    return y


@atomic
def unbordered(xp: Namespace, g: Array, widths: Widths, mode: str) -> Array:
    """The transpose of :func:`bordered`: what stands in the border is added to the elements that it repeats."""
    shape = tuple(n - before - behind for n, (before, behind) in zip(g.shape, widths, strict=True))
    inside = _inside(shape, widths)
    whole = xp.array(g, copy=True)
    for axis, n in enumerate(shape):
        for border, source in runs(mode, n, *widths[axis]):
            part, place = whole[(*inside[:axis], border)], whole[(*inside[:axis], source)]
            if part.shape != place.shape:  # one element, many times
                part = xp.sum(part, axis=axis, keepdims=True, dtype=g.dtype)
            xp.add(place, part, out=place)
    return xp.array(whole[inside], copy=True)
