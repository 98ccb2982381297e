"""Sizes that users give for sliding windows, as one number an axis, and the :class:`Window` that they make."""

from __future__ import annotations

import operator
from functools import lru_cache
from typing import Any

from ..core import Tensor
from ..kernels.shapes import Shape
from ..kernels.windows import Window

AXES = {1: "L", 2: "H, W", 3: "D, H, W"}


def sizes(name: str, what: str, given: Any, ndim: int, least: int) -> Shape:
    """A number for all axes, or a number for each, as a tuple of at least ``least``.

    Raises:
        TypeError: no integers.
        ValueError: another number of them, or a smaller one.

    >>> sizes("conv2d", "stride", 2, 2, least=1)
    (2, 2)
    """
    if type(given) is int and given >= least:
        return (given,) * ndim
    try:
        found = tuple(map(operator.index, given)) if isinstance(given, tuple | list) else (operator.index(given),)
    except TypeError:
        raise TypeError(f"{name}: expected {what} as an integer or one for each axis, got {given!r}") from None
    found = found * ndim if len(found) == 1 else found
    if len(found) != ndim or any(n < least for n in found):
        form = "an integer" if ndim == 1 else f"one or {ndim} integers"
        raise ValueError(f"{name}: expected {what} as {form} of at least {least}, got {given!r}")
    return found


def batched(name: str, x: Tensor, ndim: int) -> tuple[Tensor, bool]:
    """``x`` as ``(N, C, ...)``, and whether the N was there.

    Raises:
        ValueError: another number of axes.
    """
    if x.ndim == ndim + 2:
        return x, True
    if x.ndim == ndim + 1:
        return x[None], False
    raise ValueError(f"{name}: expected an input of shape (N, C, {AXES[ndim]}) or (C, {AXES[ndim]}), got {x.shape}")


@lru_cache(maxsize=4096)
def sliding(
    name: str, inner: Shape, kernel: Shape, stride: Shape, dilation: Shape, before: Shape, behind: Shape,
    ceil: bool = False,
) -> Window:  # fmt: skip
    """The window over ``inner`` with a border before and behind.

    With ``ceil``, a last window may reach beyond the border, as long as it begins before the border behind.

    Raises:
        ValueError: there is no place for the window.
    """
    outer = []
    for n, k, s, d, b, e in zip(inner, kernel, stride, dilation, before, behind, strict=True):
        free = n + b + e - d * (k - 1) - 1
        size = (free + s - 1 if ceil else free) // s + 1
        if ceil and (size - 1) * s >= n + b:
            size -= 1
        outer.append(size)
    if min(outer) < 1:
        spans = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
        padded = tuple(n + b + e for n, b, e in zip(inner, before, behind, strict=True))
        raise ValueError(
            f"{name}: expected an input of at least the size of the window {spans}, got {inner}, padded {padded}"
        )
    return Window(kernel, stride, dilation, before, inner, tuple(outer))
