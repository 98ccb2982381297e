"""Nested lists in which there are Tensors: found, and made one Tensor, as NumPy makes an array of numbers."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

import numpy

from .. import backend
from ..core import Tensor
from ..core.errors import user_line
from ..ops import creation, shaping

PLAIN = frozenset({bool, int, float, complex, str, bytes, type(None), numpy.float64, numpy.int64, numpy.ndarray})
"""Types that are neither Tensors nor hold any."""

all_plain = PLAIN.issuperset
"""Whether types are all of them such types."""

LISTS = frozenset({list, tuple})


def strangers(values: Iterable[Any]) -> set[type]:
    """The types in a list, and in the lists in it, that are not plain."""
    found: set[type] = set()
    while True:  # a level at a time, so that long lists are looked at by C code
        kinds = set(map(type, values))
        if kinds <= LISTS:
            values = [*chain.from_iterable(values)]
            if all_plain(map(type, values)):
                return found
            continue
        found |= kinds - PLAIN - LISTS
        if kinds.isdisjoint(LISTS):
            return found
        values = [*chain.from_iterable(v for v in values if type(v) in LISTS)]


def holds_tensors(values: Iterable[Any]) -> bool:
    """Whether there is a Tensor in a list, or in a list in it.

    >>> import gpugrad as gg
    >>> holds_tensors([1.0, [gg.tensor(2.0)]]), holds_tensors([[1.0, 2.0], [3.0, 4.0]])
    (True, False)
    """
    return not all_plain(map(type, values)) and any(issubclass(kind, Tensor) for kind in strangers(values))


def assembled(data: Any, dtype: Any = None) -> Tensor:
    """Nested lists of Tensors, arrays and numbers as one Tensor, with the shape and dtype of ``numpy.array``.

    Raises:
        ValueError: the lists are not of equal length, or the arrays not of equal shape.
        TypeError: something in them is not a number.

    >>> import gpugrad as gg
    >>> c, s = gg.cos(gg.tensor(0.0)), gg.sin(gg.tensor(0.0))
    >>> assembled([[c, -s], [s, c]])
    tensor([[ 1., -0.],
            [ 0.,  1.]])
    """
    leaves: list[Any] = []
    outer = _flatten(data, leaves)
    arrays = [leaf if isinstance(leaf, Tensor) or backend.is_array(leaf) else numpy.asarray(leaf) for leaf in leaves]
    for leaf, array in zip(leaves, arrays, strict=True):
        if array.dtype.kind not in "biufc":
            raise TypeError(f"array: expected numbers and tensors, got {type(leaf).__name__} [{user_line()}]")
    wanted = numpy.result_type(*{array.dtype for array in arrays}) if dtype is None else backend.as_dtype(dtype)
    place = next((x.device for x in arrays if isinstance(x, Tensor)), None)
    parts = [x if isinstance(x, Tensor) else creation.asarray(x, device=place) for x in arrays]
    shapes = {x.shape for x in parts}
    if outer is None or len(shapes) > 1:
        raise ValueError(f"array: expected nested lists of equal length, and arrays of equal shape [{user_line()}]")
    y: Tensor = shaping.stack([creation.astype(x, wanted, copy=False) for x in parts])
    return y if len(outer) == 1 else shaping.reshape(y, (*outer, *shapes.pop()))


def _flatten(data: Any, leaves: list[Any]) -> tuple[int, ...] | None:
    """Append what is in nested lists to ``leaves``; the shape of the lists, or None if they differ.

    An array beside a list counts as the list of its parts.
    """
    if type(data) not in LISTS and not isinstance(data, list | tuple):
        leaves.append(data)
        return ()
    if any(isinstance(v, list | tuple) for v in data):
        data = [v if isinstance(v, list | tuple) or not getattr(v, "shape", ()) else list(v) for v in data]
    shapes = {_flatten(v, leaves) for v in data} or {()}
    inner = shapes.pop()
    return None if shapes or inner is None else (len(data), *inner)
