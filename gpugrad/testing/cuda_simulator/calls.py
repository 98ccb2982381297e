"""Calling NumPy on what is inside the arrays, and making arrays of what it returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import EllipsisType
from typing import Any

import numpy

from .array import PYTHON_SCALARS, check_device, fresh, like, ndarray, view_of
from .state import counters, machine
from .streams import late, settle


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
    if machine.lag:
        return _run_late(name, function, arguments, options)
    return run_now(name, function, arguments, options)


def run_now(name: str, function: Callable[..., Any], arguments: Any, options: Any) -> Any:
    """:func:`run`, for functions whose results have a size that depends on values; late work is done first."""
    if machine.lag:
        settle()
    inside, named, read, written = _opened(arguments, options)
    with numpy.errstate(all="ignore"):
        result = function(*inside, **named)
    return wrap(name, result, [*read, *written], read)


def _opened(arguments: Any, options: Any) -> tuple[list[Any], dict[str, Any], list[ndarray], list[ndarray]]:
    """What NumPy is to see of the arguments, the arrays that are read and those that are written."""
    read: list[ndarray] = []
    written: list[ndarray] = []
    inside = [unwrap(value, read) for value in arguments]
    named = {key: unwrap(value, written if key == "out" else read) for key, value in options.items()}
    return inside, named, read, written


# With lag ----------------------------------------------------------------------------------------------------------


def _run_late(name: str, function: Callable[..., Any], arguments: Any, options: Any) -> Any:
    """Queue a call. It is rehearsed now, on whatever the memory holds, for its errors and the shapes of its results."""
    inside, named, read, written = _opened(arguments, options)
    used = [*read, *written]
    stands: dict[int, Any] = {}
    for values in (array._values for array in read):
        if values.size:
            stands[id(values)] = values.view()
            stands[id(values)].flags.writeable = False
    for values in (array._values for array in written):
        stands[id(values)] = numpy.empty_like(values)
    try:
        with numpy.errstate(all="ignore"):
            result = function(*_replaced(inside, stands), **_replaced(named, stands))
    except Exception:  # noqa: BLE001  it is wrong, or it looks at values or writes to an argument
        return run_now(name, function, arguments, options)
    targets: list[Any] = []
    wrapped = _prepared(result, used, stands, targets)
    made = [target for target in targets if target is not None]
    if made:
        counters.launch(name, *(array._values for array in read), *made)

        def work() -> None:
            for values, target in zip(_leaves(function(*inside, **named)), targets, strict=True):
                if target is not None and values is not target:
                    if numpy.shape(values) != target.shape:
                        raise RuntimeError(f"(CUDA simulator) {name}: the shape of a result depends on values")
                    numpy.copyto(target, values, casting="unsafe")

        late(work)
    return wrapped


def _replaced(value: Any, stands: dict[int, Any]) -> Any:
    if isinstance(value, list):
        return [_replaced(entry, stands) for entry in value]
    if isinstance(value, tuple):
        return tuple(_replaced(entry, stands) for entry in value)
    if isinstance(value, dict):
        return {key: _replaced(entry, stands) for key, entry in value.items()}
    return stands.get(id(value), value) if isinstance(value, numpy.ndarray) else value


def _leaves(value: Any) -> Iterator[Any]:
    """The arrays and numbers in a result."""
    if isinstance(value, list | tuple):
        for entry in value:
            yield from _leaves(entry)
    elif isinstance(value, numpy.ndarray | numpy.generic | PYTHON_SCALARS):
        yield value


def _prepared(value: Any, used: list[ndarray], stands: dict[int, Any], targets: list[Any]) -> Any:
    """As :func:`_wrapped`, of a rehearsal; for each leaf, the values that the call is to overwrite, None for a view."""
    if isinstance(value, list | tuple):
        parts = [_prepared(entry, used, stands, targets) for entry in value]
        if isinstance(value, list):
            return parts
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if not isinstance(value, numpy.ndarray | numpy.generic | PYTHON_SCALARS):
        return value
    if isinstance(value, numpy.ndarray):
        for array in used:
            if value is stands.get(id(array._values), array._values):
                targets.append(array._values)
                return array
        owner = _owner(value)
        for array in used:
            if owner is _owner(array._values):
                targets.append(None)
                return view_of(array, value)
    values = numpy.asarray(value)
    array = like(values, values.dtype)
    targets.append(array._values)
    return array
