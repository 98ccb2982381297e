"""Indexing as CuPy does it: integers and slices make views, integer arrays wrap around, masks wait for the device."""

from __future__ import annotations

from types import EllipsisType
from typing import Any

import numpy

from .array import check_device, fresh, ndarray, view_of
from .calls import unwrap
from .state import counters, machine


def _prepare(array: ndarray, index: Any) -> tuple[tuple[Any, ...], bool, bool]:
    """The index for NumPy, with integer arrays wrapped; whether it holds arrays, and whether it holds masks."""
    entries = list(index) if isinstance(index, tuple) else [index]
    advanced = masked = False
    for i, entry in enumerate(entries):
        if entry is None or entry is Ellipsis or isinstance(entry, slice):
            continue
        if isinstance(entry, ndarray):
            check_device(entry)
            values = entry._values
        elif isinstance(entry, int | numpy.integer) and not isinstance(entry, bool):
            continue
        elif isinstance(entry, list | tuple | numpy.ndarray | bool | numpy.bool_):
            values = _from_host(entry)
        else:
            entries[i] = int(entry)  # floating numbers too
            continue
        if values.dtype.kind not in "biu":
            raise IndexError(
                f"arrays used as indices must be of integer or boolean type. (actual: {values.dtype.type})"
            )
        advanced, masked = True, masked or values.dtype.kind == "b"
        entries[i] = values
    taken = [0 if e is None or e is Ellipsis else _axes(e) for e in entries]
    if sum(taken) > array.ndim:
        raise IndexError(
            f"too many indices for array: array is {array.ndim}-dimensional, but {sum(taken)} were indexed"
        )
    axis = 0
    for i, entry in enumerate(entries):
        if entry is Ellipsis:
            axis = array.ndim - sum(taken[i + 1 :])
            continue
        if isinstance(entry, numpy.ndarray) and entry.dtype.kind != "b" and array.shape[axis]:
            entries[i] = entry % array.shape[axis]
        axis += taken[i]
    if not any(isinstance(entry, EllipsisType) for entry in entries):
        entries.append(Ellipsis)  # NumPy then gives an array, not a scalar
    return tuple(entries), advanced, masked


def _axes(entry: Any) -> int:
    return entry.ndim if isinstance(entry, numpy.ndarray) and entry.dtype.kind == "b" else 1


def _from_host(entry: Any) -> Any:
    """An index that comes from the host: CuPy copies it to the device."""
    counters.host_to_device += 1
    values = numpy.asarray(unwrap(entry, []) if isinstance(entry, list | tuple) else entry)
    if values.size == 0 and isinstance(entry, list | tuple):
        values = values.astype(numpy.int32)
    return values


def getitem(array: ndarray, index: Any) -> ndarray:
    """``array[index]``."""
    entries, advanced, masked = _prepare(array, index)
    if not advanced:
        return view_of(array, array._values[entries])
    check_device(array)
    if masked:
        counters.synchronizations += 1  # the size of the result is only known on the device
    try:
        made = fresh(array._values[entries])
    except IndexError as error:
        if "broadcast" not in str(error):
            raise
        raise ValueError(str(error).replace("shape mismatch: indexing arrays", "operands")) from None
    counters.launch("getitem", *_arrays(entries), made._values, made._values)  # as much is read as is written
    return made


def _arrays(entries: tuple[Any, ...]) -> list[Any]:
    return [entry for entry in entries if isinstance(entry, numpy.ndarray)]


def setitem(array: ndarray, index: Any, value: Any) -> None:
    """``array[index] = value``."""
    entries, advanced, _ = _prepare(array, index)
    check_device(array)
    values = _value(array, value, advanced)
    counters.launch("setitem", *_arrays((*entries, values)), array._values[entries])
    with numpy.errstate(all="ignore"):
        if advanced and machine.thread_order:
            _in_any_order(array._values, entries, values)
        else:
            array._values[entries] = values


def _value(array: ndarray, value: Any, advanced: bool) -> Any:
    if isinstance(value, ndarray):
        check_device(value)
        return value._values.astype(array.dtype)  # no ComplexWarning, and a value that overlaps is read first
    if isinstance(value, list | tuple | numpy.ndarray):
        values = numpy.asarray(value)
        if values.ndim and not advanced:
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        counters.host_to_device += 1
        return values.astype(array.dtype)
    if value is None or isinstance(value, str):
        return numpy.asarray(value, array.dtype)  # None is NaN
    if not isinstance(value, bool | int | float | complex | numpy.generic):
        raise TypeError(f"Unsupported type {type(value)}")
    return value


def _in_any_order(target: Any, entries: tuple[Any, ...], values: Any) -> None:
    """Write in an order drawn from the seed: where an index is named twice, CuPy does not say which value stays."""
    places = numpy.arange(target.size).reshape(target.shape)[entries]
    order = numpy.random.default_rng(machine.thread_order).permutation(places.size)
    spread = numpy.broadcast_to(values, places.shape).ravel()
    target.flat[places.ravel()[order]] = spread[order]


ndarray.__getitem__, ndarray.__setitem__ = getitem, setitem


def scatter(name: str, array: ndarray, index: Any, value: Any) -> None:
    """Combine ``value`` into ``array[index]`` by a ufunc of NumPy, each element that the index names in turn."""
    entries, advanced, _ = _prepare(array, index)
    check_device(array)
    values = _value(array, value, advanced)
    counters.launch(f"{name}.at", *_arrays((*entries, values, values, values)))  # what it adds to is read and written
    values = numpy.asarray(values).astype(array.dtype) if array.dtype.kind in "iu" else values
    with numpy.errstate(all="ignore"):
        getattr(numpy, name).at(array._values, entries, values)
