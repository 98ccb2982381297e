"""What a sliding window sees, side by side as columns (*im2col*), and columns added up again (*col2im*).

Both go along one axis after the other: for a window of k x k, 2 k copies in the place of k^2. All but those along the
last axis are of rows that lie together in memory, so they run at its speed even where images are small. With a compiler
for the CPU both are one loop (``compiled_windows.py``), on a GPU one kernel (``launched_windows.py``).
"""

from __future__ import annotations

from ..backend import Array, Namespace
from . import compiled_windows, launched_windows
from .windows import Window

ALL = slice(None)


def gathered(xp: Namespace, x: Array, window: Window, buffers: dict[int, Array]) -> Array:
    """Columns of shape ``(C, *kernel, N, *outer)`` of an array of shape ``(C, N, *inner)``, 0 outside of it.

    Args:
        xp: the array library.
        x: the array.
        window: what slides over its last axes.
        buffers: of an earlier call with the same shapes; they are written again, and their borders are 0 already.
    """
    found: Array = compiled_windows.gathered(x, window, buffers)
    if found is NotImplemented:
        found = launched_windows.gathered(xp, x, window, buffers)
    if found is not NotImplemented:
        return found
    ndim = len(window.inner)
    place = (ALL,) * (ndim + 1)  # in front of the axis, counted from the one that is done first
    for axis in reversed(range(ndim)):
        taps, size, count = window.per_axis[axis], window.outer[axis], window.kernel[axis]
        if count == 1 and taps and taps[0][2] == slice(0, size):
            x = x[(*place, taps[0][1])][:, None]
            continue
        if axis not in buffers:
            shape = (x.shape[0], count, *x.shape[1 : ndim + 1], size, *x.shape[ndim + 2 :])
            buffers[axis] = xp.zeros(shape, dtype=x.dtype)
        wide = buffers[axis]
        for offset, inner, outer in taps:
            wide[(ALL, offset, *place[1:], outer)] = x[(*place, inner)]
        x = wide
    return x


def added(xp: Namespace, columns: Array, x: Array, window: Window) -> None:
    """Add columns of shape ``(C, *kernel, N, *outer)`` to ``x``, shape ``(C, N, *inner)``, in their places."""
    if compiled_windows.added(columns, x, window) or launched_windows.added(xp, columns, x, window):
        return
    ndim = len(window.inner)
    place = (ALL,) * (ndim + 1)
    for axis in range(ndim):
        count, taps, size = window.kernel[axis], window.per_axis[axis], window.inner[axis]
        whole = (0, slice(0, size, 1), slice(0, window.outer[axis]))
        shape = (columns.shape[0], *columns.shape[2 : ndim + 2], size, *columns.shape[ndim + 3 :])
        if axis == ndim - 1:
            narrow = x
        elif count == 1 and taps == (whole,):
            columns = columns[:, 0]
            continue
        else:
            narrow = xp.zeros(shape, dtype=columns.dtype)
        for offset, inner, outer in taps:
            there = narrow[(*place, inner)]
            xp.add(there, columns[(ALL, offset, *place[1:], outer)], out=there)
        columns = narrow
