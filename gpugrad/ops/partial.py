"""NumPy's further options of reductions, composed of other operations: ``where=``, ``initial=``, ``mean=``, ``dtype=``.

The operations themselves know ``axis`` and ``keepdims``. A call with more keywords comes here
(:attr:`Primitive.further`), so that the other calls cost no more. Elements that ``where`` leaves out get gradient 0,
whatever their value. ``initial``, ``mean`` and ``correction`` may be variables.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..backend import Array
from ..core import Tensor, modes
from ..core.operation import extend
from ..kernels.shapes import Axis, several
from . import reduction, statistics
from .arithmetic import add, divide, maximum, minimum, multiply, subtract, where
from .beside import beside
from .comparison import isnan, logical_and, logical_not, logical_or
from .creation import asarray, astype, full_like
from .functions import sqrt
from .inspection import iinfo
from .rounding import conj, real
from .shaping import broadcast_to
from .ufuncs import fmax, fmin


def _mask(name: str, condition: Any, x: Tensor) -> Tensor:
    """The condition in the shape of ``x``."""
    mask = astype(beside(condition, x), bool, copy=False)
    try:
        return broadcast_to(mask, x.shape)
    except ValueError:
        raise ValueError(f"{name}: where= of shape {mask.shape} does not broadcast to the tensor's {x.shape}") from None


def _lowest(x: Tensor, sign: int) -> Any:
    """What no element is smaller (larger) than."""
    if x.dtype.kind in "iu":
        return iinfo(x.dtype).min if sign < 0 else iinfo(x.dtype).max
    return sign * math.inf if x.dtype.kind != "b" else sign > 0


FOLDED: dict[str, tuple[Any, Callable[[Tensor], Any], Callable[..., Any]]] = {
    "sum": (reduction.sum, lambda x: 0, add),
    "prod": (reduction.prod, lambda x: 1, multiply),
    "max": (reduction.max, lambda x: _lowest(x, -1), maximum),
    "min": (reduction.min, lambda x: _lowest(x, 1), minimum),
    "all": (reduction.all, lambda x: True, logical_and),
    "any": (reduction.any, lambda x: False, logical_or),
    "nansum": (statistics.nansum, lambda x: 0, add),
    "nanmax": (statistics.nanmax, lambda x: _lowest(x, -1), fmax),
    "nanmin": (statistics.nanmin, lambda x: _lowest(x, 1), fmin),
}
"""Reductions by an operation of two: with what is neutral, and that operation."""


def fold(name: str, x: Any, initial: Any = None, condition: Any = True, dtype: Any = None, **options: Any) -> Any:
    """A reduction of the elements for which a condition holds, beginning with ``initial``.

    Raises:
        ValueError: a largest or smallest element is asked for with a condition and nothing to begin with.
        TypeError: a floating-point number to begin with, and integers.

    >>> import gpugrad as gg
    >>> fold("max", gg.tensor([1.0, 5.0, 2.0]), initial=0.0, condition=[True, False, True])
    tensor(2.)
    """
    op, neutral, join = FOLDED[name]
    t = asarray(x) if dtype is None else astype(asarray(x), dtype)
    if condition is not True:
        if initial is None and name in ("max", "min", "nanmax", "nanmin"):
            raise ValueError(f"{name}: where= needs an initial= to begin with, since {name} has no identity")
        t = where(_mask(name, condition, t), t, neutral(t))
    elif initial is not None and name in ("max", "min", "nanmax", "nanmin") and not t.size:
        t = _one_more(t, neutral(t), options.get("axis"))
    y = op(t, **options)
    if initial is None:
        return y
    joined = join(beside(initial, y) if isinstance(initial, list | tuple) else initial, y)
    if joined.dtype.kind != y.dtype.kind and y.dtype.kind in "biu" and joined.dtype.kind in "fc":
        raise TypeError(f"{name}: initial={initial} does not fit a result of {y.dtype}: use x.astype(float)")
    return astype(joined, y.dtype, copy=False) if name in ("sum", "prod") and joined.dtype != y.dtype else joined


def _one_more(x: Tensor, value: Any, axis: Axis) -> Tensor:
    """Something in place of nothing along the axes that are reduced."""
    reduced = range(x.ndim) if axis is None else [a % x.ndim for a in several(axis)]
    shape = tuple(1 if i in reduced and not n else n for i, n in enumerate(x.shape))
    return broadcast_to(full_like(asarray(0, dtype=x.dtype, device=x.device), value), shape)


def average(
    name: str, x: Any, axis: Axis = None, keepdims: bool = False, *, dtype: Any = None, condition: Any = True
) -> Tensor:  # fmt: skip
    """The mean of the elements for which a condition holds; of nothing, NaN.

    >>> import gpugrad as gg
    >>> average("mean", gg.tensor([1.0, 5.0, 3.0]), condition=[True, False, True])
    tensor(2.)
    """
    t = _numbers(x, dtype)
    mask = _counted(name, t, condition)
    if mask is None:
        return reduction.mean(t, axis=axis, keepdims=keepdims)
    total = reduction.sum(where(mask, t, 0), axis=axis, keepdims=keepdims)
    return divide(total, _count(mask, total, axis, keepdims))


def _numbers(x: Any, dtype: Any) -> Tensor:
    t = asarray(x) if dtype is None else astype(asarray(x), dtype)
    return t if t.dtype.kind in "fc" else astype(t, modes.get_default_dtype())


def _counted(name: str, t: Tensor, condition: Any) -> Tensor | None:
    """Which elements count: those that the condition names and, for the functions that pass over NaN, are numbers."""
    mask = None if condition is True else _mask(name, condition, t)
    if not name.startswith("nan"):
        return mask
    return logical_not(isnan(t)) if mask is None else logical_and(mask, logical_not(isnan(t)))


def _count(mask: Tensor, like: Tensor, axis: Axis, keepdims: bool, correction: Any = 0) -> Tensor:
    real_dtype = real(like).dtype if like.dtype.kind == "c" else like.dtype
    count = astype(reduction.sum(mask, axis=axis, keepdims=keepdims), real_dtype) - correction
    return where(count > 0, count, math.nan)


def variance(
    name: str, x: Any, axis: Axis = None, correction: Any = 0, keepdims: bool = False, *, dtype: Any = None,
    condition: Any = True, mean: Any = None,
) -> Tensor:  # fmt: skip
    """The variance of the elements for which a condition holds, or its root, about a mean that may be given.

    >>> import gpugrad as gg
    >>> variance("var", gg.tensor([1.0, 5.0, 3.0]), condition=[True, False, True])
    tensor(1.)
    """
    t = _numbers(x, dtype)
    mask = _counted(name, t, condition)
    if mask is None:
        mask = _mask(name, True, t)
    centre = average(name, t, axis, True, condition=mask) if mean is None else beside(mean, t)
    centred = where(mask, subtract(t, centre), 0)
    squares = real(multiply(centred, conj(centred))) if t.dtype.kind == "c" else multiply(centred, centred)
    total = reduction.sum(squares, axis=axis, keepdims=keepdims)
    y = divide(total, _count(mask, total, axis, keepdims, correction))
    if not name.endswith("std"):
        return y
    flat = y == 0
    return where(flat, 0, sqrt(where(flat, 1, y)))


# ---------------------------------------------------------------- the operations that come here


def _folded(name: str, typed: bool) -> Callable[..., Any]:
    def further(
        x: Array, axis: Axis = None, *args: Any, keepdims: bool = False, initial: Any = None, where: Any = True,
        dtype: Any = None,
    ) -> Any:  # fmt: skip
        if args:
            dtype, keepdims = (args[0], *args[1:], keepdims)[:2] if typed else (dtype, args[0])
        return fold(name, x, initial, where, dtype, axis=axis, keepdims=keepdims)

    return further


for _name in ("sum", "prod", "max", "min", "nansum", "nanmax", "nanmin"):
    _op = FOLDED[_name][0]
    _typed = "dtype" in _op.op.params
    extend(_op, _folded(_name, _typed), **({} if _typed else {"dtype": None}), initial=None, where=True)
for _name in ("all", "any"):
    extend(FOLDED[_name][0], _folded(_name, False), where=True)


def _mean(x: Array, axis: Axis = None, keepdims: bool = False, *, dtype: Any = None, where: Any = True) -> Tensor:
    return average("mean", x, axis, keepdims, dtype=dtype, condition=where)


extend(reduction.mean, _mean, dtype=None, where=True)


def _spread(name: str) -> Callable[..., Any]:
    def further(
        x: Array, axis: Axis = None, correction: Any = 0, keepdims: bool = False, *, where: Any = True,
        dtype: Any = None, mean: Any = None,
    ) -> Tensor:  # fmt: skip
        return variance(name, x, axis, correction, keepdims, dtype=dtype, condition=where, mean=mean)

    return further


for _name, _op in {
    "var": reduction.var,
    "std": reduction.std,
    "nanvar": statistics.nanvar,
    "nanstd": statistics.nanstd,
}.items():
    extend(_op, _spread(_name), dtype=None, where=True, mean=None)
    _op.op.variable = frozenset({"correction"})
