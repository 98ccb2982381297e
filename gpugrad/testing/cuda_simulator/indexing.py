"""Indexing as CuPy does it: integers and slices make views, integer arrays wrap around, masks wait for the device."""

from __future__ import annotations

from types import EllipsisType
from typing import Any

import numpy

from .array import change, check_device, fresh, like, ndarray, view_of
from .calls import unwrap
from .state import counters, machine
from .streams import late, settle


def _prepare(array: ndarray, index: Any) -> tuple[tuple[Any, ...], bool, bool]:
    """The index for NumPy; whether it holds arrays, and whether it holds masks. Integer arrays are not wrapped yet."""
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
    taken = sum(_taken(e) for e in entries)
    if taken > array.ndim:
        raise IndexError(f"too many indices for array: array is {array.ndim}-dimensional, but {taken} were indexed")
    if not any(isinstance(entry, EllipsisType) for entry in entries):
        entries.append(Ellipsis)  # NumPy then gives an array, not a scalar
    return tuple(entries), advanced, masked


def _wrapped(entries: tuple[Any, ...], shape: tuple[int, ...]) -> tuple[Any, ...]:
    """The index with integer arrays wrapped, by the values that they have now."""
    wrapped = list(entries)
    axis = 0
    for i, entry in enumerate(entries):
        if entry is Ellipsis:
            axis = len(shape) - sum(_taken(e) for e in entries[i + 1 :])
            continue
        if isinstance(entry, numpy.ndarray) and entry.dtype.kind != "b" and shape[axis]:
            wrapped[i] = entry % shape[axis]
        axis += _taken(entry)
    return tuple(wrapped)


def _taken(entry: Any) -> int:
    return 0 if entry is None or entry is Ellipsis else _axes(entry)


def _axes(entry: Any) -> int:
    return entry.ndim if isinstance(entry, numpy.ndarray) and entry.dtype.kind == "b" else 1


def _from_host(entry: Any) -> Any:
    """An index that comes from the host: CuPy copies it to the device."""
    counters.host_to_device += 1
    values = numpy.asarray(unwrap(entry, []) if isinstance(entry, list | tuple) else entry)
    if values.size == 0 and isinstance(entry, list | tuple):
        values = values.astype(numpy.int32)
    return values.copy() if machine.lag else values


def getitem(array: ndarray, index: Any) -> ndarray:
    """``array[index]``."""
    entries, advanced, masked = _prepare(array, index)
    if not advanced:
        return view_of(array, array._values[entries])
    check_device(array)
    if masked:
        counters.synchronizations += 1  # the size of the result is only known on the device
        settle()
    values, shape = array._values, array.shape
    try:
        found = values[_wrapped(entries, shape)]
    except IndexError as error:
        if "broadcast" not in str(error):
            raise
        raise ValueError(str(error).replace("shape mismatch: indexing arrays", "operands")) from None
    if masked or not machine.lag:
        made = fresh(found)
    else:
        made = like(found, found.dtype)
        target = made._values
        late(lambda: numpy.copyto(target, values[_wrapped(entries, shape)]))
    counters.launch("getitem", *_arrays(entries), made._values, made._values)  # as much is read as is written
    return made


def _arrays(entries: tuple[Any, ...]) -> list[Any]:
    return [entry for entry in entries if isinstance(entry, numpy.ndarray)]


def setitem(array: ndarray, index: Any, value: Any) -> None:
    """``array[index] = value``."""
    entries, advanced, masked = _prepare(array, index)
    check_device(array)
    given = _value(array, value, advanced)
    if masked:
        settle()
    counters.launch("setitem", *_arrays((*entries, given)), array._values[_wrapped(entries, array.shape)])
    seed = machine.thread_order if advanced else 0
    kind = array.dtype

    def work(values: Any) -> None:
        places = _wrapped(entries, values.shape) if advanced else entries
        if seed:
            _in_any_order(values, places, _typed(given, kind), seed)
        else:
            values[places] = _typed(given, kind)

    change(array, work)


def _value(array: ndarray, value: Any, advanced: bool) -> Any:
    if isinstance(value, ndarray):
        check_device(value)
        return value._values
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


def _typed(value: Any, kind: Any) -> Any:
    """Without a ComplexWarning; and a value that overlaps is read first."""
    return value.astype(kind) if isinstance(value, numpy.ndarray) else value


def _in_any_order(target: Any, entries: tuple[Any, ...], values: Any, seed: int) -> None:
    """Write in an order drawn from the seed: where an index is named twice, CuPy does not say which value stays."""
    places = numpy.arange(target.size).reshape(target.shape)[entries]
    order = numpy.random.default_rng(seed).permutation(places.size)
    spread = numpy.broadcast_to(values, places.shape).ravel()
    target.flat[places.ravel()[order]] = spread[order]


ndarray.__getitem__, ndarray.__setitem__ = getitem, setitem


def scatter(name: str, array: ndarray, index: Any, value: Any) -> None:
    """Combine ``value`` into ``array[index]`` by a ufunc of NumPy, each element that the index names in turn."""
    entries, advanced, masked = _prepare(array, index)
    check_device(array)
    given = _value(array, value, advanced)
    counters.launch(f"{name}.at", *_arrays((*entries, given, given, given)))  # what it adds to is read and written
    kind = array.dtype

    def work(values: Any) -> None:
        added = numpy.asarray(_typed(given, kind))
        places = _wrapped(entries, values.shape)
        getattr(numpy, name).at(values, places, added.astype(kind) if kind.kind in "iu" else added)

    if masked:
        settle()
    change(array, work)
