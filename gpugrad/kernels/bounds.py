"""The check of indices on a GPU, beside its reference. What launches it, and looks at the report, is the backend.

Bytes moved, for n integers of s bytes: n s read.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..backend import Array, Namespace, bounds

NAME = bounds.NAME


def reference(
    xp: Namespace, index: Array, low: int, high: int, ignored: int | None, check: int, report: Array
) -> Array:
    """The report after a check of ``index``: the first value outside [low, high) that is not ``ignored``.

    It is ``[1, check, value, high]``; as it was, where nothing is out of bounds or there was a report before. The
    kernel may find another value first.

    >>> import numpy
    >>> reference(numpy, numpy.array([0, 3, -5, 7]), -5, 5, None, 2, numpy.zeros(4, numpy.int64)).tolist()
    [1, 2, 7, 5]
    """
    index = xp.astype(xp.reshape(index, -1), xp.int64)
    wrong = (index < low) | (index >= high)
    if ignored is not None:
        wrong = wrong & (index != ignored)
    if report[0] or not wrong.any():
        return report
    return xp.asarray([1, check, int(index[wrong][0]), high], dtype=xp.int64)


def sources() -> Iterator[tuple[str, str]]:
    """Every ``(variant, CUDA source)``: one for each dtype of an index."""
    for dtype in bounds.TYPES:
        yield dtype, bounds.source(dtype)
