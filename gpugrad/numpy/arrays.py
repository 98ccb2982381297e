"""Functions that make arrays, for Tensors too: ``np.array``, ``np.full``, ``np.arange``, ``np.r_``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

import numpy

from .. import backend
from ..backend import BACKENDS
from ..core import Tensor, modes
from ..ops import creation, shaping
from .nested import LISTS, PLAIN, all_plain, assembled, holds_tensors, strangers

inside = modes.inside


def made(y: Any) -> Any:
    """A new array, or several: inside a transform, as Tensors on the device of its arguments.

    On the CPU, integers and booleans stay arrays: no gradient comes back through them, and every function of NumPy
    takes them as indices.
    """
    place = inside()
    if place is None:
        return y
    if type(y) in LISTS:
        return type(y)(map(made, y))
    if type(y) is not numpy.ndarray or y.dtype.char not in ("efdFD" if place.is_host else "efdFD?bBhHiIlLqQ"):
        return y
    return creation.asarray(y, device=place)


def _library(value: Any) -> Any:
    """The library of an array that is not NumPy's, alone or first in lists; else NumPy."""
    while type(value) in LISTS and value:
        value = value[0]
    if type(value) not in PLAIN and backend.is_array(value) and BACKENDS[type(value)].whole is None:
        return BACKENDS[type(value)].xp
    return numpy


def _converter(name: str, copies: bool) -> Callable[..., Any]:
    """``array``, ``asarray`` and their kin, for Tensors, lists that hold them, and arrays of CuPy."""
    function = getattr(numpy, name)

    def convert(*args: Any, **kwargs: Any) -> Any:
        value: Any = args[0] if args else None
        kind = type(value)
        if kind not in PLAIN and (kind not in LISTS or not all_plain(map(type, value))):
            kinds = strangers(value) if issubclass(kind, list | tuple) else (kind,)
            if kinds and any(issubclass(k, Tensor) for k in kinds):
                return _as_tensor(name, copies, *args, **kwargs)
            if kinds and (library := _library(value)) is not numpy:
                return getattr(library, name)(*args, **kwargs)
        if inside() is None:
            return function(*args, **kwargs)
        y = function(*args, **kwargs)
        return y if y is value or y.base is not None else made(y)

    return convert


def _as_tensor(
    name: str, copies: bool, a: Any, dtype: Any = None, requirements: Any = None, *, copy: bool | None = None,
    order: Any = None, subok: bool = False, ndmin: int = 0, device: Any = None, like: Any = None,
) -> Tensor:  # fmt: skip
    if isinstance(a, Tensor):
        y = a if dtype is None else creation.astype(a, dtype, copy=False)
        if copy is False and y is not a:
            raise ValueError(f"{name}: {a.dtype} as {y.dtype} needs a copy, and copy=False was given")
        if y is a and (copy or (copies and copy is None)):
            y = a.copy()
    elif copy is False:
        raise ValueError(f"{name}: a list of tensors needs a copy, and copy=False was given")
    else:
        y = assembled(a, dtype)
    return y if y.ndim >= ndmin else shaping.reshape(y, (1,) * (ndmin - y.ndim) + y.shape)


array = _converter("array", copies=True)


def full(*args: Any, **kwargs: Any) -> Any:
    """``numpy.full``; a Tensor as the value gets its gradient."""
    return _filled(numpy.full, *args, **kwargs)


def full_like(*args: Any, **kwargs: Any) -> Any:
    """``numpy.full_like``; a Tensor as the value gets its gradient."""
    return _filled(numpy.full_like, *args, **kwargs)


def _filled(function: Any, shape: Any, fill_value: Any, dtype: Any = None, **kwargs: Any) -> Any:
    if type(fill_value) in PLAIN:
        y = function(shape, fill_value, dtype, **kwargs)
        return y if inside() is None else made(y)
    if isinstance(fill_value, Tensor) or (type(fill_value) in LISTS and holds_tensors(fill_value)):
        value = fill_value if isinstance(fill_value, Tensor) else assembled(fill_value)
        if function is numpy.full_like:
            dtype = shape.dtype if dtype is None else dtype
            shape = shape.shape if kwargs.get("shape") is None else kwargs["shape"]
        size = (shape,) if isinstance(shape, int | numpy.integer) else tuple(shape)
        return shaping.broadcast_to(value if dtype is None else creation.astype(value, dtype), size) * 1
    return made(function(shape, fill_value, dtype, **kwargs))


def arange(*args: Any, **kwargs: Any) -> Any:
    """``numpy.arange``; a Tensor as the start or the step gets its gradient."""
    for value in args:
        if isinstance(value, Tensor):
            return _arange(*args, **kwargs)
    return made(numpy.arange(*args, **kwargs)) if inside() is not None else numpy.arange(*args, **kwargs)


def _arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Any:
    if stop is None:
        start, stop = 0, start
    start, stop, step = (
        v if isinstance(v, Tensor) and v.dtype.kind in "fc" else _number(v) for v in (start, stop, step)
    )
    if not any(isinstance(v, Tensor) for v in (start, stop, step)):
        return made(numpy.arange(*(start, stop, step), dtype=dtype))
    count = len(numpy.arange(*(v.item() if isinstance(v, Tensor) else v for v in (start, stop, step))))
    like = next(v for v in (start, stop, step) if isinstance(v, Tensor))
    y = start + step * creation.arange(count, dtype=like.dtype, device=like.device)
    return y if dtype is None else creation.astype(y, dtype)


def _number(value: Any) -> Any:
    return value.item() if isinstance(value, Tensor) else value


def fromiter(iter: Iterable[Any], dtype: Any, count: int = -1, **kwargs: Any) -> Any:
    """``numpy.fromiter``; values that are Tensors make a Tensor."""
    values = iter_of(iter)
    first = next(values, None)
    if isinstance(first, Tensor) or inside() is not None:
        rest = values if count < 0 else (v for _, v in zip(range(count - 1), values, strict=False))
        taken = [] if first is None or count == 0 else [first, *rest]
        return array(taken, dtype)
    return numpy.fromiter(values if first is None else chain([first], values), dtype, count, **kwargs)


iter_of = iter


def isscalar(element: Any) -> bool:
    """``numpy.isscalar``; of a Tensor, whether it has no axes, as the elements of an array."""
    return not element.shape if isinstance(element, Tensor) else numpy.isscalar(element)


class Joined:
    """``np.r_`` and ``np.c_``, of Tensors too."""

    def __init__(self, original: Any, columns: bool) -> None:
        self._original, self._columns = original, columns

    def __getitem__(self, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        if inside() is None and not any(isinstance(p, Tensor) or type(p) in LISTS for p in parts):
            return self._original[key]
        if any(isinstance(p, str) for p in parts) or not holds_tensors(parts):
            return made(self._original[key])
        pieces = [self._original[p] if isinstance(p, slice) else p for p in parts]
        pieces = [
            p if isinstance(p, Tensor) else assembled(p) if type(p) in LISTS else numpy.asarray(p) for p in pieces
        ]
        least = 2 if self._columns else 1
        device = next(p.device for p in pieces if isinstance(p, Tensor))
        shaped = []
        for p in pieces:
            t = p if isinstance(p, Tensor) else creation.asarray(p, device=device)
            missing = (1,) * (least - t.ndim)
            shaped.append(shaping.reshape(t, (*t.shape, *missing)) if missing else t)
        wanted = numpy.result_type(*(t.dtype for t in shaped))
        return shaping.concat([creation.astype(t, wanted, copy=False) for t in shaped], axis=-1 if self._columns else 0)

    def __len__(self) -> int:
        return 0


class Grid:
    """``np.mgrid`` and ``np.ogrid``."""

    def __init__(self, original: Any) -> None:
        self._original = original

    def __getitem__(self, key: Any) -> Any:
        return made(self._original[key])


OWN: dict[str, Any] = {
    "array": array, "arange": arange, "c_": Joined(numpy.c_, True), "fromiter": fromiter, "full": full,
    "full_like": full_like, "isscalar": isscalar, "mgrid": Grid(numpy.mgrid), "ogrid": Grid(numpy.ogrid),
    "r_": Joined(numpy.r_, False),
}  # fmt: skip
OWN |= {
    name: _converter(name, copies=False)
    for name in ("asarray", "asanyarray", "asarray_chkfinite", "ascontiguousarray", "asfortranarray", "require")
}
