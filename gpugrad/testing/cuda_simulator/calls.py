"""Calling NumPy on what is inside the arrays, and making arrays of what it returns."""

from __future__ import annotations

from collections.abc import Callable
from types import EllipsisType
from typing import Any

import numpy

from .array import PYTHON_SCALARS, check_device, fresh, ndarray, view_of
from .state import counters


def unwrap(value: Any, used: list[ndarray]) -> Any:
    """What NumPy is to see of an argument; the arrays met are added to ``used``."""
    if isinstance(value, ndarray):
        check_device(value)
        used.append(value)
        return value._values
    if value is None or isinstance(value, str | int | float | complex | slice | type | numpy.generic | EllipsisType):
        return value
    if isinstance(value, list | tuple):
        return type(value)(unwrap(entry, used) for entry in value)
    if hasattr(value, "__array__") or hasattr(value, "__array_ufunc__"):
        raise TypeError(f"Unsupported type {type(value)}")
    return value


def _owner(values: Any) -> Any:
    while isinstance(values.base, numpy.ndarray):
        values = values.base
    return values


def wrap(name: str, result: Any, used: list[ndarray], read: list[ndarray]) -> Any:
    """NumPy's result as arrays of the device: views stay views, all else is what a kernel called ``name`` made.

    Args:
        name: of the kernel.
        result: NumPy's.
        used: the arrays among all arguments.
        read: those of them that the kernel reads.
    """
    made: list[ndarray] = []
    wrapped = _wrapped(result, used, made)
    if made:
        counters.launch(name, *(array._values for array in (*read, *made)))
    return wrapped


def _wrapped(value: Any, used: list[ndarray], made: list[ndarray]) -> Any:
    if isinstance(value, numpy.ndarray):
        for array in used:
            if value is array._values:
                made.append(array)  # the output
                return array
        owner = _owner(value)
        for array in used:
            if owner is _owner(array._values):
                return view_of(array, value)
    elif isinstance(value, list):
        return [_wrapped(entry, used, made) for entry in value]
    elif isinstance(value, tuple):
        parts = [_wrapped(entry, used, made) for entry in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    elif not isinstance(value, numpy.generic | PYTHON_SCALARS):
        return value
    made.append(fresh(value))
    return made[-1]


def run(name: str, function: Callable[..., Any], arguments: Any, options: Any) -> Any:
    """Call NumPy's ``function`` on what is inside of the arguments."""
    read: list[ndarray] = []
    written: list[ndarray] = []
    inside = [unwrap(value, read) for value in arguments]
    named = {key: unwrap(value, written if key == "out" else read) for key, value in options.items()}
    with numpy.errstate(all="ignore"):
        result = function(*inside, **named)
    return wrap(name, result, [*read, *written], read)
