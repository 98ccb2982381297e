"""More of CuPy's functions that are not NumPy's, as functions of NumPy arrays: signals, searches, choices, creation.

CuPy looks at no values, because that would wait for the device: bins in no order, sides and axes of no name are taken.
A Python number has no ``ravel`` and no ``dtype``, where CuPy asks for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
import scipy.fft
from numpy.exceptions import AxisError

from .compiler import CompileException
from .elements import check_integers, kind_of, wrong_type

Values = Any
NUMBERS = (bool, int, float, complex, list, tuple)


def _attribute(value: Any, name: str) -> None:
    """What the expression ``value.name`` raises."""
    if isinstance(value, NUMBERS):
        message = f"{type(value).__name__!r} object has no attribute {name!r}"
        raise AttributeError(message)  # noqa: TRY004


def _convolved(a: Values, v: Values, mode: str) -> Values:
    """By an FFT, always, but for integers."""
    kind = numpy.result_type(a, v)
    if a.dtype.kind in "biu" or v.dtype.kind in "biu":
        return numpy.convolve(a.astype(kind), v.astype(kind), mode)  # type: ignore[call-overload]
    offset = 0
    if a.size < v.size:
        a, v, offset = v, a, 1 - v.size % 2 if a.size % 2 == v.size % 2 else 1 - a.size % 2
    size = scipy.fft.next_fast_len(a.size + v.size - 1)
    forward, back = (numpy.fft.fft, numpy.fft.ifft) if kind.kind == "c" else (numpy.fft.rfft, numpy.fft.irfft)
    out = back(forward(a, size) * forward(v, size), size)
    if mode == "full":
        start, end = 0, a.size + v.size - 1
    elif mode == "same":
        start = (v.size - 1) // 2 + offset
        end = start + a.size
    elif mode == "valid":
        start, end = v.size - 1, a.size
    else:
        raise ValueError("acceptable mode flags are `valid`, `same`, or `full`.")
    return out[start:end].astype(kind)


def convolve(a: Values, v: Values, mode: str = "full") -> Values:
    """By an FFT; of several axes, the first array is taken as one."""
    if not a.size or not v.size:
        raise ValueError("a cannot be empty" if not a.size else "v cannot be empty")
    if v.ndim > 1:
        raise ValueError("v cannot be multidimensional array")
    return _convolved(*((a.ravel(), v.ravel()) if v.size <= a.size else (v.ravel(), a.ravel())), mode)


def correlate(a: Values, v: Values, mode: str = "valid") -> Values:
    """By an FFT."""
    if not a.size or not v.size:
        raise ValueError("Array arguments cannot be empty")
    if a.ndim != 1 or v.ndim != 1:
        raise ValueError("object too deep for desired array")
    if a.dtype.kind in "biu" or v.dtype.kind in "biu":
        return numpy.correlate(a, v, mode)  # type: ignore[call-overload]
    return _convolved(a, v.conj()[::-1], mode)


def _look(bins: Values, x: Values, right: bool, increasing: bool) -> Values:
    """CuPy's binary search, which ends somewhere in bins of no order too."""
    count = len(bins)
    sign = 1 if increasing else -1
    bins, x, right = sign * bins, sign * x, right == increasing
    outside = x >= bins[-1] if right else x > bins[-1]
    low, high = numpy.zeros(x.shape, int), numpy.full(x.shape, count - 1)
    while (low < high).any():
        middle = low + (high - low) // 2
        value = bins[middle]
        on = value <= x if right else value < x
        on &= low < high
        low, high = numpy.where(on, middle + 1, low), numpy.where(on | (low >= high), high, middle)
    return numpy.where(outside, count, high)


def _in_order(bins: Values) -> bool:
    steps = bins[1:] >= bins[:-1]
    return bool(steps.all())


def searchsorted(a: Values, v: Values, side: str = "left", sorter: Any = None) -> Values:
    """Every side but 'right' is the left one."""
    if isinstance(v, list | tuple):
        raise NotImplementedError("Only python scalars or ndarrays are supported for v")
    return numpy.searchsorted(a, v, "right" if side == "right" else "left", sorter=sorter)


def digitize(x: Values, bins: Values, right: bool = False) -> Values:
    """Bins in no order are taken."""
    _attribute(x, "dtype")
    try:
        return numpy.digitize(x, bins, right)
    except ValueError:
        if bins.ndim != 1:
            raise
        return _look(bins, x, not right, bool(bins[0] <= bins[-1]))


def interp(x: Values, xp: Values, fp: Values, left: Any = None, right: Any = None, period: Any = None) -> Values:
    """Points in no order are taken."""
    _attribute(x, "flags")
    if period is None and xp.ndim == 1 and xp.size > 1 and xp.dtype.kind in "biuf" and not _in_order(xp):
        found = _look(xp, x, True, True)
        place = numpy.clip(found - 1, 0, xp.size - 2)
        slope = (fp[place + 1] - fp[place]) / (xp[place + 1] - xp[place])
        result = slope * (x - xp[place]) + fp[place]
        result = numpy.where(found == 0, fp[0] if left is None else left, result)
        return numpy.where(found == xp.size, fp[-1] if right is None else right, result).astype(numpy.float64)
    return numpy.interp(x, xp, fp, left, right, period)


def isin(element: Values, test_elements: Values, assume_unique: bool = False, invert: bool = False) -> Values:
    """A Python number has no ``ravel``."""
    for value in (element, test_elements):
        _attribute(value, "ravel")
    return numpy.isin(element, test_elements, invert=invert)


def where(condition: Values, x: Values = None, y: Values = None) -> Values:
    """A Python integer has to fit."""
    _attribute(condition, "astype")
    check_integers((x, y))
    return numpy.where(condition, x, y)


def clip(a: Values, a_min: Values, a_max: Values, out: Any = None) -> Values:
    """Comparisons, which NaN bounds pass."""
    _attribute(a, "clip")
    given = [a, *(bound for bound in (a_min, a_max) if bound is not None)]
    kind = kind_of(*given)
    if kind.kind == "c":
        raise wrong_type("cupy_clip", given)
    check_integers(given)
    low, high = (bound if bound is None else numpy.asarray(bound, kind) for bound in (a_min, a_max))
    result = a.astype(kind)
    if low is not None:
        result = numpy.where(result < low, low, result)
    if high is not None:
        result = numpy.where(result > high, high, result)
    if out is None:
        return result
    numpy.copyto(out, result, casting="same_kind")
    return out


def round(a: Values, decimals: int = 0, out: Any = None) -> Values:
    """Of a Python number too."""
    return numpy.round(numpy.asarray(a), decimals, out)


def bincount(x: Values, weights: Values = None, minlength: Any = None) -> Values:
    """Complex weights do not compile."""
    if weights is not None and weights.dtype.kind == "c":
        raise CompileException("cupy_bincount_with_weight_kernel does not compile for complex numbers", "", "", ())
    return numpy.bincount(x, weights, minlength or 0)


def histogram(x: Values, bins: Any = 10, range: Any = None, density: bool = False, weights: Values = None) -> Any:
    """Weighted counts are float64; NaN is counted in the first bin."""
    if x.dtype.kind == "c":
        raise NotImplementedError("complex number is not supported")
    if x.dtype.kind == "f" and (range is not None or not isinstance(bins, int)):
        x = numpy.where(numpy.isnan(x), bins[0] if range is None else range[0], x).astype(x.dtype)
    counts, edges = numpy.histogram(x, bins, range, density=density, weights=weights)
    return counts.astype(numpy.float64) if weights is not None and weights.dtype.kind == "f" else counts, edges


def angle(z: Values, deg: bool = False) -> Values:
    """Of real numbers: 0 for those that are 0 and more, else half a turn, NaN included."""
    z = numpy.asarray(z)
    result = numpy.angle(z, deg)
    if z.dtype.kind == "c":
        return result
    return numpy.where(z >= 0, 0, 180 if deg else numpy.pi).astype(result.dtype)


def diff(a: Values, n: int = 1, axis: int = -1, **options: Any) -> Values:
    """A 0-d array has no last axis."""
    if not a.ndim:
        raise AxisError(axis, 0)
    return numpy.diff(a, n, axis, **options)


def unwrap(p: Values, axis: int = -1, **options: Any) -> Values:
    """A 0-d array has no last axis."""
    if not p.ndim:
        raise AxisError(axis, 0)
    return numpy.unwrap(p, axis=axis, **options)


def diagonal(a: Values, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Values:
    """Axes that are not there are an AxisError."""
    if not (-a.ndim <= axis1 < a.ndim and -a.ndim <= axis2 < a.ndim):
        raise AxisError(f"axis1(={axis1}) and axis2(={axis2}) must be within range (ndim={a.ndim})")
    return numpy.diagonal(a, offset, axis1, axis2)


def swapaxes(a: Values, axis1: int, axis2: int) -> Values:
    """Axes that are not there are a ValueError."""
    if not (-a.ndim <= axis1 < a.ndim and -a.ndim <= axis2 < a.ndim):
        raise ValueError("Axis out of range")
    return numpy.swapaxes(a, axis1, axis2)


def _cumulative(name: str) -> Callable[..., Any]:
    def cumulative(x: Values, /, *, axis: Any = None, **options: Any) -> Values:
        if isinstance(axis, tuple):
            raise TypeError("'tuple' object cannot be interpreted as an integer")
        return getattr(numpy, name)(x, axis=axis, **options)

    return cumulative


def concatenate(tup: Any, axis: Any = 0, **options: Any) -> Values:
    """0-d arrays are a TypeError."""
    if axis is not None and any(not entry.ndim for entry in tup):
        raise TypeError("zero-dimensional arrays cannot be concatenated")
    return numpy.concatenate(tup, axis=axis, **options)


def isclose(a: Values, b: Values, **options: Any) -> Values:
    """What is no number is a ValueError."""
    if any(numpy.asarray(value).dtype.kind == "O" for value in (a, b)):
        raise ValueError("Unsupported dtype object")
    return numpy.isclose(a, b, **options)


def meshgrid(*xi: Values, **options: Any) -> Any:
    """Of arrays with one axis."""
    if any(x.ndim != 1 for x in xi):
        raise ValueError("input has to be 1d")
    return numpy.meshgrid(*xi, **options)


def gradient(f: Values, *varargs: Any, **options: Any) -> Any:
    """A list for several axes."""
    result = numpy.gradient(f, *varargs, **options)
    return list(result) if isinstance(result, tuple) else result


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Values:
    """Of real numbers, no more than an index counts."""
    if any(isinstance(value, complex) for value in (start, stop, step)):
        raise TypeError("ufunc 'ceil' not supported for the input types")
    first, last = (0, start) if stop is None else (start, stop)
    if step and abs((last - first) / step) >= 2**63:
        raise OverflowError("Python int too large to convert to C ssize_t")
    return numpy.arange(first, last, step, dtype)  # type: ignore[call-overload]


def linspace(start: Any, stop: Any, *args: Any, **options: Any) -> Values:
    """Of real numbers."""
    if all(isinstance(value, bool | int | float | complex | numpy.generic) for value in (start, stop)):
        for value in (start, stop):
            if isinstance(value, complex):
                float(value)  # type: ignore[arg-type]
    return numpy.linspace(start, stop, *args, **options)


def logspace(start: Any, stop: Any, *args: Any, **options: Any) -> Values:
    """Of real numbers."""
    for value in (start, stop):
        if isinstance(value, complex):
            float(value)  # type: ignore[arg-type]
    return numpy.logspace(start, stop, *args, **options)


OWN = (
    angle, arange, bincount, clip, concatenate, convolve, correlate, diagonal, diff, digitize, gradient, histogram,
    interp, isclose, isin, linspace, logspace, meshgrid, round, searchsorted, swapaxes, unwrap, where,
)  # fmt: skip
REFERENCES: dict[str, Callable[..., Any]] = {function.__name__: function for function in OWN}
REFERENCES["around"], REFERENCES["concat"] = round, concatenate
REFERENCES |= {name: _cumulative(name) for name in ("cumulative_prod", "cumulative_sum")}
"""What takes the place of NumPy's function of that name."""
