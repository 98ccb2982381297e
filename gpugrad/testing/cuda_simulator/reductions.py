"""CuPy's reductions where they are not NumPy's, as functions of NumPy arrays.

A 0-d array has no axis 0; a bad axis of ``var`` is an IndexError; ``argmax`` takes several axes; nothing and NaN
have other results. The errors are CuPy's, word for word.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy
from numpy.exceptions import AxisError

Values = Any
STRICT = (
    "all", "amax", "amin", "any", "argmax", "argmin", "count_nonzero", "max", "min", "nanargmax", "nanargmin",
    "nanmax", "nanmean", "nanmin", "nanprod", "nanstd", "nansum", "nanvar", "prod", "ptp", "sum",
)  # fmt: skip
"""The functions for which a 0-d array has no axis 0."""


def axes_of(a: Values, axis: Any) -> tuple[int, ...]:
    """The axes to reduce, none of them negative."""
    if axis is None:
        return tuple(range(a.ndim))
    given = axis if isinstance(axis, tuple) else (axis,)
    for entry in given:
        if not -a.ndim <= entry < a.ndim:
            raise AxisError(entry, a.ndim)
    taken = tuple(entry % a.ndim for entry in given)
    if len(set(taken)) < len(taken):
        raise ValueError("duplicate value in 'axis'")
    return taken


def _strict(function: Callable[..., Any]) -> Callable[..., Any]:
    def reduction(a: Values, axis: Any = None, **options: Any) -> Values:
        given = axis if isinstance(axis, tuple) else (axis,)
        if not a.ndim and axis is not None and all(isinstance(entry, int) for entry in given):
            for entry in given:
                raise AxisError(entry, 0)
        return function(a, axis=axis, **options)

    return reduction


def _counted(a: Values, axis: Any) -> int:
    return math.prod(a.shape[entry] for entry in axes_of(a, axis))


def _no_identity(name: str) -> ValueError:
    return ValueError(f"zero-size array to reduction operation cupy_{name} which has no identity")


def var(a: Values, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0, **options: Any) -> Values:
    """NaN where ``ddof`` leaves nothing; computed in float64 for a dtype that is not floating."""
    return _spread(numpy.var, a, axis, dtype, out, ddof, **options)


def std(a: Values, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0, **options: Any) -> Values:
    """As :func:`var`."""
    if dtype is not None and numpy.dtype(dtype).kind in "biu":
        raise TypeError(f"Wrong type ({numpy.dtype(dtype)}) of arguments for cupy_sqrt")
    result = _spread(numpy.std, a, axis, dtype, out, ddof, **options)
    return result if dtype is None or out is not None else numpy.asarray(result).astype(dtype)


def _spread(function: Any, a: Values, axis: Any, dtype: Any, out: Any, ddof: Any, **options: Any) -> Values:
    try:
        count = _counted(a, axis)
    except AxisError:
        raise IndexError("tuple index out of range") from None
    if dtype is not None and numpy.dtype(dtype).kind != "f":
        dtype = numpy.float64 if a.dtype.kind != "c" else None
    result = function(a, axis=axis, dtype=dtype, ddof=ddof, **options)
    if count - ddof <= 0:
        result = numpy.full_like(result, numpy.nan)
    if out is not None:
        out[...] = result
        return out
    return result


def _nan_spread(function: Any, usual: Callable[..., Values]) -> Callable[..., Values]:
    def spread(a: Values, axis: Any = None, **options: Any) -> Values:
        if a.dtype.kind in "biu":
            return usual(a, axis, **options)
        result = function(a, axis=axis, **options)
        return result if _counted(a, axis) else numpy.zeros_like(result)

    return spread


def nanmean(a: Values, axis: Any = None, **options: Any) -> Values:
    """Of nothing there is none."""
    if not _counted(a, axis):
        raise _no_identity("nanmean")
    return numpy.nanmean(a, axis=axis, **options)


def _place(function: Callable[..., Any]) -> Callable[..., Any]:
    """The place of an extreme value: over several axes if wanted, and -1 for NaN alone."""

    def place(a: Values, axis: Any = None, keepdims: bool = False, **options: Any) -> Values:
        if not isinstance(axis, tuple):
            return _found(function, a, axis, {"keepdims": True} if keepdims else {}).astype(numpy.longlong)
        taken = axes_of(a, axis)
        if not taken:
            return numpy.zeros(a.shape, numpy.longlong)
        kept = tuple(i for i in range(a.ndim) if i not in taken)
        flat = a.transpose(kept + tuple(sorted(taken))).reshape([a.shape[i] for i in kept] + [-1])
        result = _found(function, flat, -1, {}).astype(numpy.longlong)
        return numpy.expand_dims(result, taken) if keepdims else result

    return place


def _found(function: Callable[..., Any], a: Values, axis: Any, options: dict[str, Any]) -> Values:
    if not function.__name__.startswith("nan") or a.dtype.kind not in "fc" or not a.size:
        return function(a, axis=axis, **options)
    blank = numpy.isnan(a).all(axis=axis, **options)
    filled = numpy.where(numpy.isnan(a).all(axis=axis, keepdims=True), 0, a)
    return numpy.where(blank, -1, function(filled, axis=axis, **options))


def prod(a: Values, **options: Any) -> Values:
    """The product of complex numbers that are 0 is a positive one."""
    result = numpy.prod(a, **options)
    return result + 0 if a.dtype.kind == "c" and options.get("out") is None else result


def nanprod(a: Values, **options: Any) -> Values:
    """As :func:`prod`."""
    result = numpy.nanprod(a, **options)
    return result + 0 if a.dtype.kind == "c" and options.get("out") is None else result


def median(a: Values, axis: Any = None, **options: Any) -> Values:
    """Of nothing there is none."""
    if a.size == 0 and not _counted(a, axis):
        raise ValueError("kth(=-1) out of bounds 0")
    return numpy.median(a, axis=axis, **options)


def nanmedian(a: Values, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: bool = False) \
        -> Values:  # fmt: skip
    """Axes that are not there are not looked at."""
    if a.dtype.kind not in "fc":
        return numpy.median(a, axis=axis, keepdims=keepdims)
    given = tuple(range(a.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    taken = tuple(i for i in range(a.ndim) if i in given or i - a.ndim in given)
    if not a.size and 0 in (a.shape[i] for i in range(a.ndim) if i not in taken):
        raise ValueError(f"cannot reshape array of size 0 into shape {tuple(a.shape[:1])}")
    if not taken:
        return a.copy()
    if not a.size:
        return numpy.nanmedian(a, axis=taken, keepdims=keepdims)
    kept = tuple(i for i in range(a.ndim) if i not in taken)
    rows = a.transpose(kept + taken).reshape((*(a.shape[i] for i in kept), -1))
    count = numpy.sum(~numpy.isnan(rows), axis=-1, keepdims=True)
    most = numpy.finfo(a.dtype).max  # in the place of NaN: infinities are sorted behind it
    rows = numpy.sort(numpy.where(numpy.isnan(rows), most, rows), axis=-1)
    low, high = (numpy.take_along_axis(rows, numpy.maximum(i, 0), -1) for i in ((count - 1) // 2, count // 2))
    result = numpy.where(count == 0, numpy.nan, numpy.where(low == high, low, (low + high) / 2)).astype(a.dtype)
    return result.reshape([1 if i in taken else n for i, n in enumerate(a.shape) if keepdims or i not in taken])


def _quantile(scale: float) -> Callable[..., Values]:
    def quantile(
        a: Values, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False, **other: Any
    ) -> Values:
        """With NaN among the values, these are sorted to the end and counted as the others are."""
        usual: Any = numpy.quantile if scale == 1 else numpy.percentile
        if a.dtype.kind != "f" or not numpy.isnan(a).any() or method != "linear" or axis is not None:
            return usual(a, q, axis=axis, method=method, keepdims=keepdims)
        ordered = numpy.sort(a, axis=None)
        place = numpy.asarray(q) / scale * (a.size - 1)
        low = numpy.floor(place).astype(int)
        below, above = ordered[low], ordered[numpy.minimum(low + 1, a.size - 1)]
        return (below + (above - below) * (place - low)).astype(a.dtype)

    return quantile


REFERENCES: dict[str, Callable[..., Any]] = {
    "argmax": _place(numpy.argmax), "argmin": _place(numpy.argmin), "median": median,
    "nanargmax": _place(numpy.nanargmax), "nanargmin": _place(numpy.nanargmin),
    "nanmean": nanmean, "nanmedian": nanmedian, "nanprod": nanprod, "nanstd": _nan_spread(numpy.nanstd, std),
    "nanvar": _nan_spread(numpy.nanvar, var), "percentile": _quantile(100), "prod": prod, "quantile": _quantile(1),
    "std": std, "var": var,
}  # fmt: skip
REFERENCES |= {name: _strict(REFERENCES.get(name, getattr(numpy, name))) for name in STRICT}
"""What takes the place of NumPy's function of that name."""
