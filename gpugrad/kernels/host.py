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
from . import composed

Array = numpy.ndarray[Any, Any]
BITS = {numpy.dtype("float32"): numpy.dtype("int32"), numpy.dtype("float64"): numpy.dtype("int64")}
ONE = numpy.int8(1)
ONES: dict[Any, Array] = {dtype: numpy.ones((), dtype) for dtype in BITS}
HALVES: dict[Any, Array] = {dtype: numpy.full((), 0.5, dtype) for dtype in BITS}
"""Constants as arrays, which NumPy takes in half the time of Python's numbers."""
SMALL = 256
"""Below this many elements a routine's calls cost more than they save."""


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


@composed.chosen.on_host
def _chosen(mask: Any, a: Any, b: Any) -> Any:
    if type(mask) is not numpy.ndarray or mask.dtype != numpy.bool_ or mask.size < SMALL:
        return NotImplemented
    dtype = getattr(b if isinstance(a, int | float) else a, "dtype", None)
    if dtype not in BITS:
        return NotImplemented
    for branch in (a, b):
        if isinstance(branch, int | float):
            continue
        if type(branch) is not numpy.ndarray or branch.dtype != dtype or branch.shape not in (mask.shape, ()):
            return NotImplemented
    return select(mask, numpy.asarray(a, dtype), numpy.asarray(b, dtype))


@composed.thinned.on_host
def _thinned(x: Any, mask: Any, scale: float) -> Any:
    if _masks(mask, x):
        y = masked(~mask, x)
        y *= scale
        return y
    if type(x) is not numpy.ndarray or x.dtype not in BITS or x.size < SMALL:
        return NotImplemented
    if type(mask) is not numpy.ndarray or mask.dtype != numpy.bool_:
        return NotImplemented
    whole = next((i for i, (n, m) in enumerate(zip(mask.shape, x.shape, strict=False)) if n != m), x.ndim)
    if mask.shape != (*x.shape[:whole], *(1,) * (x.ndim - whole)):  # all or nothing of what is behind these axes
        return NotImplemented
    y = x * scale
    y[~mask.reshape(x.shape[:whole])] = 0
    return y


# ---------------------------------------------------------------- rectifiers


@routine(kernels.relu_forward)
def _relu(x: Array) -> Array:
    return x.clip(0.0, numpy.inf)  # numpy.maximum with a number takes three times as long; numpy.clip calls this


@routine(kernels.relu_backward)
def _relu_back(g: Array, y: Array) -> Array:
    return masked(y <= 0, g)


@routine(kernels.leaky_forward)
def _leaky(x: Array, slope: float) -> Array:
    low = x * slope
    return numpy.maximum(x, low, out=low) if slope <= 1 else numpy.minimum(x, low, out=low)


@routine(kernels.leaky_backward)
def _leaky_back(g: Array, x: Array, slope: float) -> Array:
    integer = BITS[x.dtype]
    low, high = (numpy.asarray(v, x.dtype).view(integer) for v in (slope, 1))
    factor = numpy.multiply((x > 0).view("i1"), high - low)  # the bits of the slope, or of 1
    factor += low
    d: Array = factor.view(x.dtype)
    d *= g
    return d


@kernels.sloped_forward.on_host
def _sloped(x: Any, slope: Any) -> Any:
    return _sloped_back(x, x, slope)


@kernels.sloped_backward.on_host
def _sloped_back(g: Any, x: Any, slope: Any) -> Any:
    below = slope * g
    if below.shape != x.shape or below.dtype != g.dtype or not _masks(x > 0, g):
        return NotImplemented
    return select(x > 0, g, below)


@routine(kernels.elu_forward)
def _elu(x: Array, scale: float, low: float, rate: float) -> Array:
    below = x.clip(-numpy.inf, 0.0)
    below *= rate
    numpy.expm1(below, out=below)
    below *= low
    return select(x > 0, x * scale if scale != 1 else x, below)


@routine(kernels.elu_backward)
def _elu_back(g: Array, x: Array, scale: float, low: float, rate: float) -> Array:
    below = x.clip(-numpy.inf, 0.0)
    if rate != 1:
        below *= rate
    numpy.exp(below, out=below)
    if low * rate != 1:
        below *= low * rate
    below *= g
    return select(x > 0, g * scale if scale != 1 else g, below)


@routine(kernels.hardtanh_forward)
def _hardtanh(x: Array, low: float, high: float) -> Array:
    y: Array = x.clip(low, high)
    return y


@routine(kernels.hardtanh_backward)
def _hardtanh_back(g: Array, x: Array, low: float, high: float) -> Array:
    outside = x <= low
    outside |= x >= high
    return masked(outside, g)


@routine(kernels.threshold_forward)
def _threshold(x: Array, limit: float, value: float) -> Array:
    low = x <= limit
    return select(low, numpy.asarray(value, x.dtype), x) if value else masked(low, x)


@routine(kernels.threshold_backward)
def _threshold_back(g: Array, x: Array, limit: float) -> Array:
    return masked(x <= limit, g)


@routine(kernels.hardsigmoid_forward)
def _hardsigmoid(x: Array) -> Array:
    y = x + 3
    y.clip(0.0, 6.0, out=y)
    y *= 1 / 6
    return y


@routine(kernels.hardsigmoid_backward)
def _hardsigmoid_back(g: Array, x: Array) -> Array:
    d = masked(numpy.abs(x) >= 3, g)
    d *= 1 / 6
    return d


@routine(kernels.hardswish_forward)
def _hardswish(x: Array) -> Array:
    y: Array = _hardsigmoid(x)
    y *= x
    return y


@routine(kernels.hardswish_backward)
def _hardswish_back(g: Array, x: Array) -> Array:
    inside = x * (1 / 3)
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
    y: Array = x.clip(-width, width)
    numpy.subtract(x, y, out=y)
    return y


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
    return numpy.divide(1, y, out=y)  # numpy.reciprocal takes twice the time


def _over_one_and_exp(g: Array, x: Array) -> Array:
    """``g / (1 + e^-x)``."""
    y = numpy.negative(x)
    with numpy.errstate(over="ignore"):
        numpy.exp(y, out=y)
    y += 1
    return numpy.divide(g, y, out=y)


@composed.log_sigmoid.on_host
def _log_sigmoid(x: Any) -> Any:
    if type(x) is not numpy.ndarray or x.size < SMALL or x.dtype not in BITS:
        return NotImplemented
    t = numpy.abs(x)
    numpy.negative(t, out=t)
    numpy.exp(t, out=t)
    numpy.log1p(t, out=t)
    low = x.clip(-numpy.inf, 0.0)
    return numpy.subtract(low, t, out=low)


@composed.log_sigmoid_back.on_host
def _log_sigmoid_back(g: Any, x: Any) -> Any:
    if g.shape != x.shape or g.dtype != x.dtype or x.size < SMALL or x.dtype not in BITS:
        return NotImplemented
    with numpy.errstate(over="ignore"):
        d = numpy.exp(x)
    d += 1
    return numpy.divide(g, d, out=d)


NEAR = 1800.0
"""Numbers whose squares add up to less are below 43, and the square of their hyperbolic cosine is a float32."""


def _near(x: Array) -> bool:
    """Whether a few elements are so near 0 that no exponential overflows: then fewer calls will do."""
    return x.dtype in BITS and bool(numpy.vdot(x, x) < NEAR)  # without a warning of an overflow, as dot would give


@kernels.sigmoid_forward.on_host
def _sigmoid(x: Any) -> Any:
    if type(x) is not numpy.ndarray or x.dtype not in BITS:
        return NotImplemented
    if x.size >= SMALL:
        return _logistic(x)
    if not _near(x):
        return NotImplemented
    y = numpy.exp(numpy.negative(x))
    y += ONES[x.dtype]
    return numpy.reciprocal(y)


@kernels.sigmoid_backward.on_host
def _sigmoid_back(g: Any, x: Any) -> Any:
    if type(x) is not numpy.ndarray:
        return NotImplemented
    if x.size < SMALL:
        if not _near(x):
            return NotImplemented
        c = numpy.cosh(numpy.multiply(x, HALVES[x.dtype]))
        c += c
        c *= c
        return g / c
    if x.shape != g.shape or x.dtype not in BITS or type(g) is not numpy.ndarray or g.dtype != x.dtype:
        return NotImplemented
    e = _exp_of_minus_abs(x)
    d = e + 1
    d *= d
    numpy.divide(e, d, out=d)
    d *= g
    return d


@kernels.tanh_backward.on_host
def _tanh_back(g: Any, x: Any) -> Any:
    if type(x) is not numpy.ndarray:
        return NotImplemented
    if x.size < SMALL:  # few calls: this is on the way of every small recurrent step
        if not _near(x):
            return NotImplemented
        c = numpy.cosh(x)
        c *= c
        return g / c
    if x.shape != g.shape or x.dtype not in BITS or type(g) is not numpy.ndarray or g.dtype != x.dtype:
        return NotImplemented
    e = _exp_of_minus_abs(x)
    d = e * e
    d += 1
    numpy.divide(e, d, out=d)
    d *= 2
    h = d * g
    h *= d
    return h


def _exp_of_minus_abs(x: Array) -> Array:
    e = numpy.abs(x)
    numpy.negative(e, out=e)
    return numpy.exp(e, out=e)


@routine(kernels.silu_forward)
def _silu(x: Array) -> Array:
    return _over_one_and_exp(x, x)


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
    z = x * beta if beta != 1 else x
    above = z > limit
    low = z.clip(0.0, numpy.inf)
    z = _exp_of_minus_abs(z)
    numpy.log1p(z, out=z)
    z += low
    if beta != 1:
        z /= beta
    return select(above, x, z) if above.any() else z


@routine(kernels.softplus_backward)
def _softplus_back(g: Array, x: Array, beta: float, limit: float) -> Array:
    z = x * beta if beta != 1 else x
    above = z > limit
    d = _over_one_and_exp(g, z)
    return select(above, g, d) if above.any() else d


def _tanh_softplus(x: Array) -> Array:
    t = numpy.abs(x)
    numpy.negative(t, out=t)
    numpy.exp(t, out=t)
    numpy.log1p(t, out=t)
    t += x.clip(0.0, numpy.inf)
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
