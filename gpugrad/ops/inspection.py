"""Questions about dtypes and shapes, which no array needs to be looked at for.

Source: Python array API standard 2024.12.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import backend
from ..backend import Device, DType

_host = backend.backend_for(Device("cpu")).xp


def _dtype(value: Any) -> Any:
    """The dtype of an array; Python's numbers as they are, they are weak."""
    if type(value) in backend.NUMBERS:
        return value
    of_array = None if isinstance(value, type) else getattr(value, "dtype", None)  # numpy.float32 has one, of no use
    return backend.as_dtype(value) if of_array is None else of_array


def isdtype(dtype: Any, kind: Any) -> bool:
    """Whether a dtype is of a kind: another dtype, "bool", "integral", "real floating", "numeric", ... or a tuple.

    >>> import gpugrad as gg
    >>> gg.isdtype(gg.float32, "real floating"), gg.isdtype(gg.int8, ("bool", gg.float64))
    (True, False)
    """
    return bool(_host.isdtype(backend.as_dtype(dtype), kind))


def result_type(*arrays_and_dtypes: Any) -> Any:
    """The dtype of what is computed of all of these; Python's numbers give way to arrays.

    >>> import gpugrad as gg
    >>> gg.result_type(gg.zeros(2), gg.float64, 1), gg.result_type(gg.zeros(2), 1.0)
    (dtype('float64'), dtype('float32'))
    """
    return _host.result_type(*map(_dtype, arrays_and_dtypes))


def can_cast(from_: Any, to: Any, /, casting: str = "safe") -> bool:
    """Whether a dtype, or that of an array, becomes another one: without loss, or by NumPy's rule of another name.

    >>> import gpugrad as gg
    >>> gg.can_cast(gg.float32, gg.float64), gg.can_cast(gg.float64, gg.int32)
    (True, False)
    """
    return bool(_host.can_cast(_dtype(from_), backend.as_dtype(to), casting))


class FloatInfo(NamedTuple):
    """What :func:`finfo` returns; the limits are Python's floats."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: DType


class IntInfo(NamedTuple):
    """What :func:`iinfo` returns."""

    bits: int
    max: int
    min: int
    dtype: DType


def finfo(type: Any, /) -> FloatInfo:
    """The limits of a floating-point dtype, or of an array's; of complex numbers, those of their parts.

    >>> import gpugrad as gg
    >>> gg.finfo(gg.float32).eps
    1.1920928955078125e-07
    """
    found = _host.finfo(_dtype(type))
    eps, max, min, smallest = (float(getattr(found, name)) for name in ("eps", "max", "min", "smallest_normal"))
    return FloatInfo(int(found.bits), eps, max, min, smallest, backend.as_dtype(found.dtype))


def iinfo(type: Any, /) -> IntInfo:
    """The limits of an integer dtype, or of an array's: bits, max, min.

    >>> import gpugrad as gg
    >>> gg.iinfo(gg.int8).max
    127
    """
    found = _host.iinfo(_dtype(type))
    return IntInfo(int(found.bits), int(found.max), int(found.min), backend.as_dtype(found.dtype))


def broadcast_shapes(*shapes: int | tuple[int, ...]) -> tuple[int, ...]:
    """The shape that arrays of these shapes broadcast to together.

    Raises:
        ValueError: they do not.

    >>> import gpugrad as gg
    >>> gg.broadcast_shapes((2, 1), (3,))
    (2, 3)
    """
    return tuple(_host.broadcast_shapes(*shapes))
