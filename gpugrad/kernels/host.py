"""Hand-written NumPy routines: what some kernels run on the CPU in place of their reference.

NumPy's ``where`` takes 3 ns an element, since it branches on each; choosing by bits takes a tenth of that, and so does
a gradient of exactly 0 where a mask is false, which multiplying with the mask would not give for infinities and NaN.
What is computed once and never seen again is written over in place. Every routine is tested against its reference.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy

from . import activation as kernels
from . import composed, softmax

Array = numpy.ndarray[Any, Any]
BITS = {numpy.dtype("float32"): numpy.dtype("int32"), numpy.dtype("float64"): numpy.dtype("int64")}
SMALL = 256
"""Below this many elements a routine's calls cost more than they save."""


def routine(kernel: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function the routine of a kernel, for arrays of one shape and of float32 or float64."""
    count = len(kernel.arrays)

    def make(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*arguments: Any) -> Any:
            first = arguments[0]
            if first.size < SMALL or first.dtype not in BITS:
                return NotImplemented
            for other in arguments[1:count]:
                if type(other) is not numpy.ndarray or other.shape != first.shape or other.dtype != first.dtype:
                    return NotImplemented
            return function(*arguments)

        kernel.on_host(call)
        return call

    return make


def masked(out: Array, g: Array) -> Array:
    """``g``, and exactly 0 where ``out`` is true: its bits, or none of them."""
    bits = numpy.subtract(out.view("i1"), numpy.int8(1)).astype(BITS[g.dtype])
    bits &= g.view(bits.dtype)
    kept: Array = bits.view(g.dtype)
    return kept


def select(mask: Array, a: Array, b: Array) -> Array:
    """``a`` where the mask is true, else ``b``: b with the bits turned in which they differ."""
    bits = numpy.negative(mask.view("i1")).astype(BITS[a.dtype])
    other = b.view(bits.dtype)
    bits &= a.view(bits.dtype) ^ other
    bits ^= other
    chosen: Array = bits.view(a.dtype)
    return chosen


def _masks(mask: Any, g: Any) -> bool:
    """Whether a mask and what it is laid on are arrays of one shape that bits can choose from."""
    alike = type(mask) is type(g) is numpy.ndarray and mask.shape == g.shape
    return alike and mask.dtype == numpy.bool_ and g.size >= SMALL and g.dtype in BITS


@composed.kept.on_host
def _kept(mask: Any, g: Any) -> Any:
    return masked(~mask, g) if _masks(mask, g) else NotImplemented


@composed.dropped.on_host
def _dropped(mask: Any, g: Any) -> Any:
    return masked(mask, g) if _masks(mask, g) else NotImplemented


# ---------------------------------------------------------------- rectifiers


@routine(kernels.relu_forward)
def _relu(x: Array) -> Array:
    return numpy.clip(x, 0.0, numpy.inf)


@routine(kernels.relu_backward)
def _relu_back(g: Array, y: Array) -> Array:
    return masked(y <= 0, g)


@routine(kernels.leaky_forward)
def _leaky(x: Array, slope: float) -> Array:
    low = x * slope
    return numpy.maximum(x, low, out=low) if slope <= 1 else numpy.minimum(x, low, out=low)


@routine(kernels.leaky_backward)
def _leaky_back(g: Array, x: Array, slope: float) -> Array:
    return select(x > 0, g, slope * g)


@routine(kernels.elu_forward)
def _elu(x: Array, scale: float, low: float, rate: float) -> Array:
    below = numpy.clip(x, -numpy.inf, 0.0)
    below *= rate
    numpy.expm1(below, out=below)
    below *= low
    return select(x > 0, x * scale if scale != 1 else x, below)


@routine(kernels.elu_backward)
def _elu_back(g: Array, y: Array, scale: float, low: float, rate: float) -> Array:
    below = y + low
    below *= rate
    below *= g
    return select(y > 0, g * scale if scale != 1 else g, below)


@routine(kernels.hardtanh_forward)
def _hardtanh(x: Array, low: float, high: float) -> Array:
    y: Array = numpy.clip(x, low, high)
    return y


@routine(kernels.hardtanh_backward)
def _hardtanh_back(g: Array, x: Array, low: float, high: float) -> Array:
    outside = x <= low
    outside |= x >= high
    return masked(outside, g)


@routine(kernels.hardswish_forward)
def _hardswish(x: Array) -> Array:
    y = x + 3
    numpy.clip(y, 0.0, 6.0, out=y)
    y /= 6
    y *= x
    return y


@routine(kernels.hardswish_backward)
def _hardswish_back(g: Array, x: Array) -> Array:
    inside = x / 3
    inside += 0.5
    inside *= g
    return masked(x <= -3, select(x >= 3, g, inside))


def _inside(x: Array, width: float) -> Array:
    inside = x >= -width
    inside &= x <= width
    return inside


@routine(kernels.hardshrink_forward)
def _hardshrink(x: Array, width: float) -> Array:
    return masked(_inside(x, width), x)


@routine(kernels.softshrink_forward)
def _softshrink(x: Array, width: float) -> Array:
    y = numpy.clip(x, -width, width)
    return numpy.subtract(x, y, out=y)


@routine(kernels.shrink_backward)
def _shrink_back(g: Array, x: Array, width: float) -> Array:
    return masked(_inside(x, width), g)


# ---------------------------------------------------------------- smooth ones


def _logistic(x: Array) -> Array:
    """``1 / (1 + e^-x)``; where ``e^-x`` overflows, the result is 0 as it should be."""
    y = numpy.negative(x)
    with numpy.errstate(over="ignore"):
        numpy.exp(y, out=y)
    y += 1
    return numpy.reciprocal(y, out=y)


@routine(kernels.sigmoid_forward)
def _sigmoid(x: Array) -> Array:
    return _logistic(x)


@routine(kernels.sigmoid_backward)
def _sigmoid_back(g: Array, y: Array) -> Array:
    d = 1 - y
    d *= y
    d *= g
    return d


@routine(kernels.silu_forward)
def _silu(x: Array) -> Array:
    y = _logistic(x)
    y *= x
    return y


@routine(kernels.silu_backward)
def _silu_back(g: Array, x: Array) -> Array:
    s = _logistic(x)
    d = 1 - s
    d *= x
    d += 1
    d *= s
    d *= g
    return d


@routine(kernels.softplus_forward)
def _softplus(x: Array, beta: float, limit: float) -> Array:
    z = x * beta if beta != 1 else x.copy()
    above = z > limit
    numpy.clip(z, -numpy.inf, limit, out=z)
    numpy.exp(z, out=z)
    numpy.log1p(z, out=z)
    if beta != 1:
        z /= beta
    return select(above, x, z) if above.any() else z


@routine(kernels.softplus_backward)
def _softplus_back(g: Array, x: Array, beta: float, limit: float) -> Array:
    z = x * beta if beta != 1 else x
    above = z > limit
    d = _logistic(z)
    d *= g
    return select(above, g, d) if above.any() else d


def _tanh_softplus(x: Array) -> Array:
    t = numpy.abs(x)
    numpy.negative(t, out=t)
    numpy.exp(t, out=t)
    numpy.log1p(t, out=t)
    t += numpy.clip(x, 0.0, numpy.inf)
    return numpy.tanh(t, out=t)


@routine(kernels.mish_forward)
def _mish(x: Array) -> Array:
    y = _tanh_softplus(x)
    y *= x
    return y


@routine(kernels.mish_backward)
def _mish_back(g: Array, x: Array) -> Array:
    t = _tanh_softplus(x)
    d = _logistic(x)
    d *= x
    d *= 1 - t
    d *= 1 + t
    d += t
    d *= g
    return d


# ---------------------------------------------------------------- the normal distribution function

ERFC = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
"""Of ``erfc(z) e^(z^2) / t`` in ``t = 1 / (1 + 0.3275911 z)``; erfc is right to 1.5e-7, as its float32 sum with 1 is.
Source: Abramowitz and Stegun 1964, 7.1.26."""


def _normal(x: Array) -> tuple[Array, Array]:
    """The normal distribution function in float32, and ``e^(-x^2 / 2)``."""
    e = x * x
    e *= numpy.float32(-0.5)
    numpy.exp(e, out=e)
    t = numpy.abs(x)
    t *= numpy.float32(0.3275911 / kernels.ROOT_2)
    t += 1
    numpy.reciprocal(t, out=t)
    p = t * numpy.float32(ERFC[0])
    for c in ERFC[1:]:
        p += numpy.float32(c)
        p *= t
    p *= e
    p *= numpy.float32(0.5)  # the tail beyond |x|
    numpy.copysign(p, x, out=p)
    p -= x > 0
    return numpy.abs(p, out=p), e


@routine(kernels.gelu_forward)
def _gelu(x: Array) -> Any:
    if x.dtype != numpy.float32:
        return NotImplemented
    y, _ = _normal(x)
    y *= x
    return y


@routine(kernels.gelu_backward)
def _gelu_back(g: Array, x: Array) -> Any:
    if x.dtype != numpy.float32:
        return NotImplemented
    cdf, e = _normal(x)
    e *= numpy.float32(1 / kernels.ROOT_TAU)
    e *= x
    e += cdf
    e *= g
    return e


# ---------------------------------------------------------------- rows


def _sums(x: Array) -> Array:
    """The sums of rows, by BLAS."""
    total: Array = x @ numpy.ones((x.shape[-1], 1), x.dtype)
    return total


def _along_rows(x: Array, axis: Any) -> bool:
    return x.ndim > 0 and x.size > 0 and axis in (-1, x.ndim - 1, (-1,), (x.ndim - 1,))


def _shifted(x: Array, axis: Any) -> Array | None:
    """``x`` less the largest of its row; None where that is no number, or the rows do not lie along the last axis."""
    if not _along_rows(x, axis):
        return None
    largest = numpy.maximum.reduce(x, axis=-1, keepdims=True)
    return x - largest if numpy.isfinite(largest).all() else None


@routine(softmax.softmax_forward)
def _softmax(x: Array, axis: Any) -> Any:
    y = _shifted(x, axis)
    if y is None:
        return NotImplemented
    numpy.exp(y, out=y)
    y *= 1 / _sums(y)
    return y


@routine(softmax.softmax_backward)
def _softmax_back(g: Array, y: Array, axis: Any) -> Any:
    if not _along_rows(y, axis):
        return NotImplemented
    d = g - numpy.vecdot(g, y)[..., None]
    d *= y
    return d


@routine(softmax.log_softmax_forward)
def _log_softmax(x: Array, axis: Any) -> Any:
    z = _shifted(x, axis)
    if z is None:
        return NotImplemented
    z -= numpy.log(_sums(numpy.exp(z)))
    return z


@routine(softmax.log_softmax_backward)
def _log_softmax_back(g: Array, y: Array, axis: Any) -> Any:
    if not _along_rows(y, axis):
        return NotImplemented
    d = numpy.exp(y)
    d *= _sums(g)
    return numpy.subtract(g, d, out=d)
