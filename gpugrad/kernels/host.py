"""Parts that the hand-written NumPy routines share, and routines for few numbers, as in small recurrent steps.

Temporary arrays are overwritten in place. Every routine is tested against its reference.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy

from . import activation as kernels

Array = numpy.ndarray[Any, Any]
BITS = {numpy.dtype("float32"): numpy.dtype("int32"), numpy.dtype("float64"): numpy.dtype("int64")}
ONE = numpy.int8(1)
ONES: dict[Any, Array] = {dtype: numpy.ones((), dtype) for dtype in BITS}
HALVES: dict[Any, Array] = {dtype: numpy.full((), 0.5, dtype) for dtype in BITS}
"""Constants as arrays, which NumPy takes in half the time of Python's numbers."""
SMALL = 256
"""Below this many elements a routine's calls cost more than they save, and the routines for few numbers run."""


def routine(kernel: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function the routine of a kernel, for arrays of one shape and of float32 or float64."""
    count = len(kernel.arrays)

    def make(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def of_one(x: Array, *scalars: Any) -> Any:
            if x.size < SMALL or x.dtype not in BITS:
                return NotImplemented
            return function(x, *scalars)

        @wraps(function)
        def of_two(a: Array, b: Any, *scalars: Any) -> Any:
            if a.size < SMALL or a.dtype not in BITS or type(b) is not numpy.ndarray:
                return NotImplemented
            if b.shape != a.shape or b.dtype != a.dtype:
                return NotImplemented
            return function(a, b, *scalars)

        kernel.on_host(of_one if count == 1 else of_two)
        return kernel.routine  # type: ignore[no-any-return]

    return make


def masked(out: Array, g: Array) -> Array:
    """``g``, and exactly 0 where ``out`` is true: its bits, or none of them."""
    bits = numpy.subtract(out.view("i1"), ONE).astype(BITS[g.dtype])
    bits &= g.view(bits.dtype)
    kept: Array = bits.view(g.dtype)
    return kept


NEAR = 1800.0
"""Numbers whose squares add up to less are below 43, and the square of their hyperbolic cosine is a float32."""


_square_sum: Any = getattr(numpy.vdot, "_implementation", numpy.vdot)
"""Without a warning of an overflow, as dot would give; and without the search for other libraries' arrays."""


def _few(x: Any) -> bool:
    """Return whether these are few elements, so near 0 that no exponential overflows."""
    if type(x) is not numpy.ndarray or x.size >= SMALL or x.dtype not in BITS:
        return False
    return _square_sum(x, x) < NEAR  # type: ignore[no-any-return]


@kernels.sigmoid_forward.on_host
def _sigmoid(x: Any) -> Any:
    if not _few(x):
        return NotImplemented
    y = numpy.exp(numpy.negative(x))
    y += ONES[x.dtype]
    return numpy.reciprocal(y)


@kernels.sigmoid_backward.on_host
def _sigmoid_back(g: Any, x: Any) -> Any:
    if not _few(x):
        return NotImplemented
    c = numpy.cosh(numpy.multiply(x, HALVES[x.dtype]))
    c += c
    c *= c
    return g / c


@kernels.tanh_backward.on_host
def _tanh_back(g: Any, x: Any) -> Any:
    if not _few(x):
        return NotImplemented
    c = numpy.cosh(x)
    c *= c
    return g / c
