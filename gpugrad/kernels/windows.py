"""Where a sliding window stands, and which elements it meets: the geometry of convolution, pooling and unfolding.

Along each axis, output position p of m sees the input positions ``stride p + dilation k - before`` for the offsets k of
the kernel, as far as these are inside [0, n). So for one offset (a *tap*) the elements that all output positions see
are one slice of the input, and a border of zeros need never be stored: output positions that would read it are left
out of the slice. Source: Dumoulin and Visin 2016, "A guide to convolution arithmetic for deep learning".
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import product

from .shapes import Shape

Slices = tuple[slice, ...]
Tap = tuple[int, Slices, Slices]


@dataclass(frozen=True)
class Window:
    """A window that slides over ``inner`` and gives ``outer`` positions; all fields have one number an axis.

    >>> Window((3,), (2,), (1,), before=(1,), inner=(6,), outer=(3,)).taps[0]
    (0, (slice(1, 4, 2),), (slice(1, 3, None),))
    """

    kernel: Shape
    stride: Shape
    dilation: Shape
    before: Shape
    inner: Shape
    outer: Shape

    @cached_property
    def size(self) -> int:
        """The number of elements in the window."""
        return math.prod(self.kernel)

    @cached_property
    def positions(self) -> int:
        """The number of places where it stands."""
        return math.prod(self.outer)

    @cached_property
    def disjoint(self) -> bool:
        """Whether no element is in two windows."""
        return all(s > d * (k - 1) for k, s, d in zip(self.kernel, self.stride, self.dilation, strict=True))

    @cached_property
    def plain(self) -> bool:
        """Whether each window is the one element that stands in its place."""
        return self.size == 1 and self.inner == self.outer and not any(self.before) and set(self.stride) <= {1}

    @cached_property
    def mirrored(self) -> Window:
        """For strides of 1: the window that, from each input position, sees the output positions that see it."""
        spans = [d * (k - 1) for k, d in zip(self.kernel, self.dilation, strict=True)]
        before = tuple(span - b for span, b in zip(spans, self.before, strict=True))
        return Window(self.kernel, self.stride, self.dilation, before, self.outer, self.inner)

    def strips(self, rows: int) -> tuple[tuple[slice, slice, Window], ...]:
        """The window cut along the first axis of the output into strips of at most so many rows.

        Each comes with its positions (flat) and with the rows of the input that it sees.
        """
        return _strips(self, -(-self.outer[0] // -(-self.outer[0] // max(1, rows))))

    @cached_property
    def per_axis(self) -> tuple[tuple[tuple[int, slice, slice], ...], ...]:
        """For each axis the offsets that meet anything: ``(offset, slice of the input, slice of the output)``."""
        rows = zip(self.kernel, self.stride, self.dilation, self.before, self.inner, self.outer, strict=True)
        return tuple(tuple(_along(*row)) for row in rows)

    @cached_property
    def taps(self) -> tuple[Tap, ...]:
        """For each offset that meets anything: its number, the slices of the input and the slices of the output."""
        found = []
        for places in product(*self.per_axis):
            number = 0
            for size, (offset, _, _) in zip(self.kernel, places, strict=True):
                number = number * size + offset
            found.append((number, tuple(p[1] for p in places), tuple(p[2] for p in places)))
        return tuple(found)


def _along(
    kernel: int, stride: int, dilation: int, before: int, inner: int, outer: int
) -> list[tuple[int, slice, slice]]:
    found = []
    for offset in range(kernel):
        start = offset * dilation - before
        first = max(0, -(start // stride))  # the first output position that is inside the input
        last = min(outer - 1, (inner - 1 - start) // stride)
        if first <= last:
            read = slice(first * stride + start, last * stride + start + 1, stride)
            found.append((offset, read, slice(first, last + 1)))
    return found


@lru_cache(maxsize=256)
def _strips(window: Window, rows: int) -> tuple[tuple[slice, slice, Window], ...]:
    kernel, stride, dilation, before, inner, outer = (
        sizes[0] for sizes in (window.kernel, window.stride, window.dilation, window.before, window.inner, window.outer)
    )
    width = math.prod(window.outer[1:])
    found = []
    for low in range(0, outer, rows):
        high = min(low + rows, outer)
        start, last = low * stride - before, (high - 1) * stride + dilation * (kernel - 1) - before
        first = min(max(start, 0), inner)
        seen = slice(first, max(first, min(last + 1, inner)))
        strip = replace(
            window,
            before=(first - start, *window.before[1:]),
            inner=(seen.stop - first, *window.inner[1:]),
            outer=(high - low, *window.outer[1:]),
        )
        found.append((slice(low * width, high * width), seen, strip))
    return tuple(found)
