"""The structure of a batch: tuples, named tuples, lists and dicts, with arrays in them.

A batch is taken apart into its arrays and a form, which is the batch with a :class:`Slot` for each array. Only the
arrays are sent through shared memory and uploaded; the form is put together around them again.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy

from .. import backend
from ..backend.cpu import CPU
from ..core import Tensor
from ..ops.creation import asarray
from ..ops.nested import is_numeric

ARRAYS = ("__array__", "__dlpack__", "__cuda_array_interface__", "__array_interface__")
"""Attributes of what is an array to other libraries."""

NUMBERS = (bool, int, float, complex, numpy.generic)

PAD = "collate= puts them together in another way, such as padding them"


@dataclass(frozen=True)
class Slot:
    """Where an array was: its number."""

    number: int


class Parts(list[Any]):
    """The arrays of a batch, with its ``form``; None for a tuple of nothing but arrays."""

    form: Any = None
    sharded = False
    """Whether it comes from a stream that shards itself."""


def taken_apart(batch: Any) -> Parts:
    """The arrays of a batch, and its form.

    Raises:
        TypeError: an array holds no numbers, and is not in a dict or a named tuple, where it stays as it is.

    >>> parts = taken_apart({"x": numpy.zeros(2), "name": "a"})
    >>> parts, parts.form
    ([array([0., 0.])], {'x': Slot(number=0), 'name': 'a'})
    """
    if type(batch) is tuple:
        for value in batch:
            if type(value) is not numpy.ndarray or value.dtype.kind not in "biufc":
                break
        else:
            return Parts(batch)
    arrays: list[Any] = []
    form = _form(batch, arrays, named=False, where="the batch")
    return formed(arrays, form)


def formed(arrays: Sequence[Any], form: Any, sharded: bool = False) -> Parts:
    """Arrays with the form of their batch."""
    parts = Parts(arrays)
    parts.form, parts.sharded = form, sharded
    return parts


def _form(value: Any, arrays: list[Any], named: bool, where: str) -> Any:
    if is_named(value):
        names = value._fields
        return type(value)(*(_form(v, arrays, True, f"{where}.{n}") for n, v in zip(names, value, strict=True)))
    if isinstance(value, Mapping):
        return like(value, {k: _form(v, arrays, True, f"{where}[{k!r}]") for k, v in value.items()})
    if type(value) is tuple and not named:  # here a list of numbers is an array, as it is in an example
        value = tuple(asarray(v, device=CPU) if type(v) is list and v and _is_table(v) else v for v in value)
    if type(value) in (tuple, list):
        return type(value)(_form(v, arrays, named, f"{where}[{i}]") for i, v in enumerate(value))
    if not is_array(value):
        return value
    return _placed(value, arrays, named, where)


def _placed(value: Any, arrays: list[Any], named: bool, where: str) -> Any:
    """The place of an array, which goes to the others."""
    array = value if type(value) is numpy.ndarray or isinstance(value, Tensor) else _from_other(value)
    if not isinstance(array, Tensor) and not is_numeric(array):
        if named:
            return value
        raise _not_numbers(array, where)
    arrays.append(array)
    return Slot(len(arrays) - 1)


def put_together(parts: Sequence[Any], form: Any) -> Any:
    """The batch of this form with these arrays.

    >>> put_together(["array"], {"x": Slot(0), "name": "a"})
    {'x': 'array', 'name': 'a'}
    """
    return tuple(parts) if form is None else _filled(form, parts)


def _filled(form: Any, parts: Sequence[Any]) -> Any:
    if type(form) is Slot:
        return parts[form.number]
    if is_named(form):
        return type(form)(*(_filled(v, parts) for v in form))
    if isinstance(form, Mapping):
        return like(form, {k: _filled(v, parts) for k, v in form.items()})
    if type(form) in (tuple, list):
        return type(form)(_filled(v, parts) for v in form)
    return form


def like(value: Mapping[Any, Any], items: dict[Any, Any]) -> Any:
    """``items`` in a mapping of the kind of ``value``, where that can be copied and filled; else in a dict."""
    if type(value) is dict:
        return items
    try:
        made: Any = copy.copy(value)
        made.update(items)
    except Exception:  # noqa: BLE001  mappings of any library
        return items
    return made


def is_named(value: Any) -> bool:
    """Whether it is a named tuple."""
    return isinstance(value, tuple) and hasattr(value, "_fields")


def is_array(value: Any) -> bool:
    """Whether it is an array of any library, a NumPy scalar or a Tensor."""
    kind = type(value)
    return kind is numpy.ndarray or issubclass(kind, Tensor | numpy.generic) or any(hasattr(kind, a) for a in ARRAYS)


def leaves(batch: Any) -> Iterator[Any]:
    """The arrays of a batch, from left to right.

    >>> [x.shape for x in leaves({"a": numpy.zeros(2), "b": (numpy.zeros(3), "text")})]
    [(2,), (3,)]
    """
    if isinstance(batch, Mapping):
        for value in batch.values():
            yield from leaves(value)
    elif isinstance(batch, tuple | list):
        for value in batch:
            yield from leaves(value)
    elif is_array(batch):
        yield batch


def examples_of(batch: Any, otherwise: int = 1) -> int:
    """The number of examples in a batch: the first size of its first array that has one; ``otherwise`` without.

    >>> examples_of(({"x": numpy.zeros((4, 2))}, numpy.zeros(4)))
    4
    """
    for leaf in leaves(batch):
        shape: tuple[int, ...] = getattr(leaf, "shape", ())
        if len(shape):
            return int(shape[0])
    return (
        len(batch) if isinstance(batch, list | tuple) and batch and not any(True for _ in leaves(batch)) else otherwise
    )


# ------------------------------------------------------------------------------------------------ making batches


def stacked(examples: Sequence[Any]) -> Any:
    """Put examples together: each number or array gets a new first axis, tuples, lists and dicts stay what they are.

    An example that is a single value makes a batch that is a tuple of one array. A list of numbers is an array. In
    dicts and named tuples, values that are not numbers stay as they are: their batch is the list of them. So do strings
    that are values of a tuple.

    Raises:
        TypeError: other values are not numbers.
        ValueError: the examples differ in their structure, or in the shape of an array.

    >>> stacked([(1.0, (2, 3)), (4.0, (5, 6))])
    (array([1., 4.]), (array([2, 5]), array([3, 6])))
    >>> stacked([{"x": 1, "name": "a"}, {"x": 2, "name": "b"}])
    {'x': array([1, 2]), 'name': ['a', 'b']}
    """
    first = examples[0]
    if type(first) is tuple and all(type(example) is tuple for example in examples):
        return _columns(examples, False, "example")
    made = _stacked(examples, False, "example")
    return made if isinstance(made, tuple | list | Mapping) else (made,)


def _columns(examples: Sequence[Any], named: bool, where: str) -> tuple[Any, ...]:
    if len(set(map(len, examples))) > 1:
        raise ValueError(
            f"DataLoader: expected the same length of {where} in all examples, got {sorted(set(map(len, examples)))}"
        )
    return tuple(_stacked(column, named, f"{where}[{i}]") for i, column in enumerate(zip(*examples, strict=True)))


def _stacked(values: Sequence[Any], named: bool, where: str) -> Any:
    """Values of the same place in each example, put together."""
    kinds = set(map(type, values))
    if len(kinds) == 1 and issubclass(type(values[0]), (numpy.ndarray, *NUMBERS)):
        with suppress(ValueError):  # told below
            made = numpy.asarray(values) if numpy.ndarray not in kinds else numpy.stack(values)
            if made.dtype.kind in "biufc":
                return made
    if all(type(v) is numpy.ndarray or isinstance(v, NUMBERS) for v in values):
        return _array([numpy.asarray(v) for v in values], values, named, where)
    first = values[0]
    same = all(type(v) is type(first) for v in values)
    if isinstance(first, Mapping) and same:
        if any(v.keys() != first.keys() for v in values):
            differ = next(sorted(map(str, v.keys() ^ first.keys())) for v in values if v.keys() != first.keys())
            raise ValueError(f"DataLoader: expected the same keys of {where} in all examples, some lack {differ}")
        return like(first, {k: _stacked([v[k] for v in values], True, f"{where}[{k!r}]") for k in first})
    if is_named(first) and same:
        names = first._fields
        return type(first)(*(_stacked([v[i] for v in values], True, f"{where}.{n}") for i, n in enumerate(names)))
    if same and type(first) is tuple:
        return _columns(values, named, where)
    if same and type(first) is list and any(map(_has_structure, first)):
        return list(_columns(values, named, where))
    if all(is_array(v) or isinstance(v, NUMBERS) or (type(v) is list and _is_table(v)) for v in values):
        arrays = [v.numpy() if isinstance(v, Tensor) else _rows(v, where) for v in values]
        return _array(arrays, values, named, where)
    if named or (where != "example" and all(isinstance(v, str | bytes) for v in values)):
        return list(values)
    odd = next((v for v in values if not (is_array(v) or isinstance(v, NUMBERS))), first)
    raise TypeError(
        f"DataLoader: expected numbers or arrays in {where}, got {type(odd).__name__}; give examples as dicts, whose "
        "other values stay as they are, or collate="
    )


def _array(arrays: list[numpy.ndarray], values: Sequence[Any], named: bool, where: str) -> Any:
    shapes = {array.shape for array in arrays}
    if not all(map(is_numeric, arrays)):
        if named:
            return list(values)
        raise _not_numbers(next(array for array in arrays if not is_numeric(array)), where)
    if len(shapes) > 1:
        few = ", ".join(map(str, sorted(shapes)[:3]))
        raise ValueError(f"DataLoader: expected the same shape of {where} in all examples of a batch, got {few}; {PAD}")
    return numpy.stack(arrays)


def _rows(value: Any, where: str) -> numpy.ndarray:
    try:
        array: numpy.ndarray = numpy.asarray(value) if type(value) is list else _from_other(value)
        return array
    except ValueError as error:
        raise ValueError(f"DataLoader: expected lists of the same length in {where}; {PAD}") from error


def _has_structure(value: Any) -> bool:
    """Whether it makes a list around it one of structure, rather than a row of numbers."""
    if type(value) is list:
        return any(map(_has_structure, value))
    return isinstance(value, Mapping | tuple) or (is_array(value) and not isinstance(value, numpy.generic))


def _is_table(value: Any) -> bool:
    """Whether it is a list of nothing but numbers, or of such lists."""
    return all(isinstance(v, NUMBERS) or (type(v) is list and _is_table(v)) for v in value)


def _from_other(value: Any) -> Any:
    """An array of another library as one of NumPy, or on a device as it is."""
    if isinstance(value, Tensor) or (backend.is_array(value) and not isinstance(value, numpy.ndarray)):
        return value
    return numpy.asarray(value)


def _not_numbers(array: Any, where: str) -> TypeError:
    kinds = {"O": "Python objects", "U": "text", "S": "bytes", "M": "dates", "m": "time differences"}
    got = kinds.get(array.dtype.kind, f"an array of {array.dtype}")
    return TypeError(
        f"DataLoader: expected numbers in {where}, got {got}; what is not to become a tensor belongs in a dict"
    )


def hosted(parts: Parts) -> tuple[numpy.ndarray, ...]:
    """The arrays in NumPy, with the dtypes that they get as Tensors."""
    return tuple(array if type(array) is numpy.ndarray else _on_host(array) for array in parts)


def _on_host(array: Any) -> numpy.ndarray:
    tensor: Tensor = array if isinstance(array, Tensor) else asarray(array, device=CPU)
    made: numpy.ndarray = tensor.numpy()
    return made
