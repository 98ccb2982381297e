"""The dtypes, and the default one for floating-point numbers."""

from __future__ import annotations

from contextvars import ContextVar
from functools import cache
from typing import Any

import numpy

DType = numpy.dtype[Any]

bool_ = numpy.dtype("bool")
int8, int16, int32, int64 = (numpy.dtype(f"int{bits}") for bits in (8, 16, 32, 64))
uint8, uint16, uint32, uint64 = (numpy.dtype(f"uint{bits}") for bits in (8, 16, 32, 64))
float16, float32, float64 = (numpy.dtype(f"float{bits}") for bits in (16, 32, 64))
complex64, complex128 = numpy.dtype("complex64"), numpy.dtype("complex128")

COMMON = numpy.dtype("longdouble").num
"""The largest type number of integers, booleans and of float32 and float64. Comparing with it takes no longer than
looking at ``kind``, and leaves the rare dtypes: complex ones, float16, and bfloat16 of ``ml_dtypes``."""

default_dtype: ContextVar[DType] = ContextVar("gpugrad_default_dtype", default=float32)


def as_dtype(dtype: Any) -> DType:
    """A NumPy dtype of numbers from anything that names one.

    Raises:
        TypeError: it names none, or one of objects, text or times.

    >>> as_dtype("float64"), as_dtype(float)
    (dtype('float64'), dtype('float64'))
    """
    try:
        wanted: DType = numpy.dtype(dtype)
    except TypeError as error:
        raise TypeError(f"expected a dtype such as gpugrad.float32, got {dtype!r}") from error
    if wanted.kind in "OSUMm":
        raise TypeError(f"expected a dtype of numbers, such as gpugrad.float32, got {wanted}")
    return wanted


@cache
def name_of(dtype: DType) -> str:
    """``dtype.name``, which NumPy builds again each time, in microseconds.

    >>> name_of(float32)
    'float32'
    """
    return dtype.name


def complex_beside(dtype: DType) -> DType:
    """The complex dtype whose parts are as precise as a real floating-point dtype, complex64 at least.

    >>> complex_beside(float32), complex_beside(float64)
    (dtype('complex64'), dtype('complex128'))
    """
    return complex128 if dtype == float64 else complex64


def is_floating(dtype: DType) -> bool:
    """Whether numbers of this dtype can carry a gradient: real or complex floating point, ``bfloat16`` included.

    >>> is_floating(float32), is_floating(int64)
    (True, False)
    """
    return dtype.kind in "fc" or dtype.name == "bfloat16"


def is_short(dtype: DType) -> bool:
    """Whether it is a floating-point dtype of 16 bits. These are computed with in float32, and rounded once at the end.

    >>> is_short(float16), is_short(float32)
    (True, False)
    """
    return dtype.num > COMMON and (dtype == float16 or dtype.name == "bfloat16")


def struct_of(numbers: tuple[int, ...], wide: bool) -> numpy.ndarray[Any, Any]:
    """Integers as a struct of as many ``int``, or ``long long`` where ``wide``: an array of one element.

    >>> struct_of((3, 4), wide=False).nbytes
    8
    """
    packed = numpy.array(numbers, int64 if wide else int32)
    return packed.view(f"V{packed.nbytes}")
