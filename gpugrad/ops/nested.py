"""Lists beside tensors, and lists of tensors: what NumPy calls array-like, as Tensors.

A list of Python's numbers is weak, as its numbers are: beside floating-point tensors it takes their dtype (complex
numbers the complex one). Beside integers, and for lists of integers, it is what NumPy makes of it. A list with tensors
in it is stacked, and each of them gets its part of the gradient.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy

from .. import backend
from ..backend import NUMBERS
from ..core import Tensor, dispatch, modes
from .shaping import _stack, reshape

LISTS = (list, tuple, range)


def is_table(value: object) -> bool:
    """Whether it is a Series, an Index or a DataFrame of pandas, or an array of NumPy in a file."""
    kind = type(value)
    return (hasattr(kind, "__pandas_priority__") and not isinstance(value, Tensor)) or kind is numpy.memmap


def holds_tensors(data: Any) -> bool:
    """Whether there is a Tensor or an array of a GPU somewhere in nested lists."""
    kinds = set(map(type, data))
    if kinds <= NUMBERS:
        return False
    if any(issubclass(kind, Tensor) or (kind.__module__.partition(".")[0] == "cupy") for kind in kinds):
        return True
    return not kinds.isdisjoint((list, tuple)) and any(holds_tensors(v) for v in data if type(v) in (list, tuple))


def operands(name: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The operands of an operation, lists and tables among them as Tensors beside the others.

    Raises:
        TypeError: an operand is none of these, no array and no number.
    """
    others = [v for v in values if hasattr(v, "dtype") and not is_table(v)]
    return tuple(
        constant(name, v, others) if isinstance(v, LISTS) or is_table(v) else dispatch.checked_operand(name, v)
        if not isinstance(v, Tensor) else v
        for v in values
    )  # fmt: skip


def together(name: str, *values: Any) -> tuple[Any, ...]:
    """Operands as Tensors and arrays that have a shape: numbers, lists and tables become constants beside the others.

    >>> import gpugrad as gg
    >>> together("dot", [1, 2], gg.tensor([3.0, 4.0]))[0]
    tensor([1, 2])
    """
    for v in values:
        if not isinstance(v, Tensor):
            break
    else:
        return values
    others = [v for v in values if hasattr(v, "dtype") and not is_table(v)]
    return tuple(
        v if isinstance(v, Tensor) or backend.is_array(v)
        else constant(name, v, others) if isinstance(v, LISTS) or is_table(v)
        else _part(dispatch.checked_operand(name, v), others)
        for v in values
    )  # fmt: skip


def constant(name: str, data: Any, others: Iterable[Any] = ()) -> Tensor:
    """A list as a Tensor with the dtype and the device that follow from the arrays beside it."""
    others = list(others)
    if isinstance(data, list | tuple) and holds_tensors(data):
        return nested(data, others)
    array = numbers(data)
    if isinstance(data, LISTS):
        array = array.astype(_weak(array.dtype, others), copy=False)
    return _made(array, others)


def numbers(data: Any) -> Any:
    """Numbers and nested lists of them as an array of NumPy.

    Raises:
        ValueError: nested lists of unequal length.
        TypeError: they are no numbers.
    """
    if isinstance(data, numpy.ma.MaskedArray):
        raise TypeError("expected numbers, got a masked array, whose mask would be lost: use x.filled(...) or gg.where")
    try:
        array = numpy.asarray(data)
    except ValueError as error:
        raise ValueError(f"expected nested lists of equal length: {error}") from error
    if not is_numeric(array):
        raise TypeError(f"expected numbers, got {type(data).__name__} of {array.dtype}")
    return array


def is_numeric(array: Any) -> bool:
    """Whether an array holds numbers or booleans: no objects, no text, no dates, no records."""
    return array.dtype.kind in "biufc" or (array.dtype.kind == "V" and array.dtype.num >= 256)  # ml_dtypes


def check_numeric(name: str, array: Any) -> None:
    """Check that an array holds numbers.

    Raises:
        TypeError: it holds objects, text, dates or records.

    >>> check_numeric("tensor", numpy.array(["a"]))
    Traceback (most recent call last):
    TypeError: tensor: expected an array of numbers, got <U1; give text numbers first, such as data.Vocabulary does
    """
    if is_numeric(array):
        return
    remedy = {
        "O": "convert it with x.astype(numpy.float32), or look for what in it is not a number",
        "U": "give text numbers first, such as data.Vocabulary does",
        "S": "give text numbers first, such as data.Vocabulary does",
        "M": "make numbers of dates, such as (x - x.min()) / numpy.timedelta64(1, 'D')",
        "m": "make numbers of time differences, such as x / numpy.timedelta64(1, 'D')",
    }.get(array.dtype.kind, "take its fields one by one, such as x['name']")
    raise TypeError(f"{name}: expected an array of numbers, got {array.dtype}; {remedy}")


def _made(array: Any, others: Iterable[Any]) -> Tensor:
    """An array of NumPy in the library and on the device of the others: of the first on a GPU, if there is one."""
    arrays = [v for v in (v.data if isinstance(v, Tensor) else v for v in others) if backend.is_array(v)]
    x = next((v for v in arrays if not backend.device_of(v).is_host), arrays[0] if arrays else None)
    moves = backend.recorder() is None or (x is not None and backend.device_of(x).is_host)
    if x is not None and backend.backend_of(x).whole is None and moves:
        with backend.beside(x):
            return Tensor(backend.backend_of(x).xp.asarray(array))
    place = modes.get_default_device() if x is None else backend.device_of(x)
    return Tensor(backend.backend_for(place).from_host(array, place))


def _weak(dtype: Any, others: Sequence[Any]) -> Any:
    """The dtype of a list of numbers, which NumPy makes the widest of their kind."""
    if dtype.kind not in "fc":
        return dtype
    real = [x.dtype for x in others if backend.is_floating(x.dtype)]
    if not others:
        real = [modes.get_default_dtype()]
    return numpy.result_type(*real, 0.0 if dtype.kind == "f" else 0j) if real else dtype


def nested(data: Sequence[Any], others: Sequence[Any] = ()) -> Tensor:
    """Nested lists with Tensors in them as one Tensor.

    Raises:
        ValueError: nested lists of unequal length, or parts of different shapes.

    >>> import gpugrad as gg
    >>> c, s = gg.tensor(0.6), gg.tensor(0.8)
    >>> nested([[c, -s], [s, c]])
    tensor([[ 0.6, -0.8],
            [ 0.8,  0.6]])
    """
    sizes, parts = [len(data)], list(data)
    while all(isinstance(part, list | tuple) for part in parts):
        sizes.append(len(parts[0]))
        if any(len(part) != sizes[-1] for part in parts):
            raise ValueError(f"expected nested lists of equal length, got lengths {sorted({*map(len, parts)})}")
        parts = [entry for part in parts for entry in part]
    tensors = [part for part in parts if isinstance(part, Tensor) or backend.is_array(part)]
    beside = [*tensors, *others]
    y: Tensor = _stack(*(_part(part, beside) for part in parts), axis=0)
    return y if len(sizes) == 1 else reshape(y, (*sizes, *y.shape[1:]))


def _part(part: Any, others: list[Any]) -> Any:
    if isinstance(part, Tensor):
        return part
    if isinstance(part, LISTS) or is_table(part):
        return constant("asarray", part, others)
    dispatch.checked_operand("asarray", part)
    if backend.is_array(part) and not backend.device_of(part).is_host:
        return part
    array = numpy.asarray(part)
    if isinstance(part, numpy.generic) or type(part) in NUMBERS:
        array = array.astype(_weak(array.dtype, others), copy=False)
    return _made(array, others)
