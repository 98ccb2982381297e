"""States as JSON and arrays: what ``state_dict()`` gives, taken apart and put together again, exactly.

A state is nested dicts, lists and tuples of numbers, strings, booleans, None, Tensors and arrays. In JSON an array is
its place, ``{"$": "tensor", "key": "model/weight", ...}``; whatever else JSON does not have (tuples, keys that are no
strings, NaN) is a dictionary with ``"$"`` as well. Reading makes nothing but these types.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy

from ...backend import Array, DType, is_array
from ...core import Tensor

MARK = "$"
SCALARS = (str, bool, int, type(None))
TEXT = {str}


class Gathered:
    """A state taken apart: ``tree`` for JSON, and ``arrays`` by their key, still where they were.

    >>> import numpy
    >>> parts = Gathered({"lr": 0.1, "betas": (0.9, 0.999), "weight": numpy.zeros(2)})
    >>> parts.tree["betas"]
    {'$': 'tuple', 'items': [0.9, 0.999]}
    >>> parts.arrays
    {'weight': array([0., 0.])}
    """

    def __init__(self, state: Any) -> None:
        self.arrays: dict[str, Array] = {}
        self.tree = self._take("", state)

    def _take(self, path: str, value: Any) -> Any:
        kind = type(value)  # what there is hundreds of comes first: a loop is held here while a checkpoint begins
        if kind in SCALARS:
            return value
        if kind is dict:
            return self._mapping(path, value)
        if isinstance(value, Tensor):
            return self._array(path, value.data, "tensor")
        if isinstance(value, numpy.generic):
            return self._array(path, numpy.asarray(value), "scalar")
        if isinstance(value, float):
            return value if math.isfinite(value) else {MARK: "float", "text": repr(float(value))}
        if is_array(value):
            return self._array(path, value, "array")
        if isinstance(value, Mapping):
            return self._mapping(path, value)
        if isinstance(value, list | tuple):
            items = [self._take(f"{path}/{i}" if path else str(i), item) for i, item in enumerate(value)]
            return items if isinstance(value, list) else {MARK: "tuple", "items": items}
        if isinstance(value, SCALARS):  # subclasses, such as members of an enum: as what they are made of
            return next(kind(value) for kind in (str, int) if isinstance(value, kind))
        raise TypeError(
            f"a state holds numbers, strings, booleans, None, Tensors, arrays, and dicts, lists and tuples of them; "
            f"got {type(value).__name__} at {path or 'the top'}"
        )

    def _mapping(self, path: str, value: Mapping[Any, Any]) -> Any:
        above = f"{path}/" if path else ""
        items = {key: self._take(f"{above}{key}", item) for key, item in value.items()}
        if {*map(type, items)} <= TEXT and MARK not in items:
            return items
        return {MARK: "dict", "items": [[self._take(path, key), item] for key, item in items.items()]}

    def _array(self, path: str, array: Array, kind: str) -> dict[str, Any]:
        key = path or "value"
        while key in self.arrays:  # {"a/b": x, "a": {"b": y}}
            key += "'"
        self.arrays[key] = array
        return {MARK: kind, "key": key}


def assembled(tree: Any, arrays: Mapping[str, numpy.ndarray[Any, Any]]) -> Any:
    """The state that :class:`Gathered` took apart, its arrays on the host.

    Raises:
        ValueError: the tree is none that :class:`Gathered` makes, or lacks an array.

    >>> assembled({"betas": {"$": "tuple", "items": [0.9, 0.999]}}, {})
    {'betas': (0.9, 0.999)}
    """
    if isinstance(tree, list):
        return [assembled(item, arrays) for item in tree]
    if not isinstance(tree, dict):
        return tree
    return entry({key: assembled(item, arrays) for key, item in tree.items()}, arrays)


def entry(tree: dict[str, Any], arrays: Mapping[str, numpy.ndarray[Any, Any]]) -> Any:
    """What a dictionary stands for, whose entries are assembled already.

    Raises:
        ValueError: as for :func:`assembled`.

    >>> entry({"$": "tuple", "items": [0.9, 0.999]}, {})
    (0.9, 0.999)
    """
    if MARK not in tree:
        return tree
    kind = tree[MARK]
    try:
        if kind == "tuple":
            return tuple(tree["items"])
        if kind == "dict":
            return dict(tree["items"])
        if kind == "float" and tree["text"] in ("nan", "inf", "-inf"):
            return float(tree["text"])
        if kind in ("tensor", "array", "scalar"):
            array = arrays[tree["key"]]
            return Tensor(array) if kind == "tensor" else array if kind == "array" else array[()]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"expected a state, got {kind!r} with {sorted(map(str, tree))}: {error!r}") from error
    raise ValueError(f"expected a state, got an entry of the unknown kind {kind!r}")


def named_dtype(name: str) -> DType:
    """The dtype of a name as NumPy writes it; ``bfloat16`` comes from the package ``ml_dtypes``.

    Raises:
        ImportError: ``ml_dtypes`` is not installed and the dtype is one of its.
        ValueError: there is no such dtype, or it is none of numbers.
    """
    if name in ("bfloat16", "float8_e4m3fn", "float8_e5m2"):
        try:
            import ml_dtypes
        except ImportError as error:
            raise ImportError(f"arrays of {name} need the package ml_dtypes: pip install ml_dtypes") from error
        found: DType = numpy.dtype(getattr(ml_dtypes, name))
        return found
    try:
        found = numpy.dtype(name)
    except TypeError as error:
        raise ValueError(f"expected a dtype of numbers, got {name!r}") from error
    if found.kind not in "biufc":
        raise ValueError(f"expected a dtype of numbers, got {name!r}")
    return found
