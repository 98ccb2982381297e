"""CuPy's elementwise functions where they compute or refuse something else than NumPy's, as functions of NumPy arrays.

``OWN`` holds what a ufunc calls instead of NumPy's function, and ``check`` what it refuses before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
import scipy.special

from .compiler import CompileException

Values = Any
NO_COMPLEX_SOURCE = {
    "cupy_arctan2", "cupy_atan2", "cupy_copysign", "cupy_hypot", "cupy_i0", "cupy_nextafter",
    "cupyx_scipy_special_digamma", "cupyx_scipy_special_psi",
}  # fmt: skip
"""CuPy hands complex numbers to these, but its CUDA source does not compile for them."""
COMPLEX_SPECIAL = {"expm1", "exprel", "gamma", "log1p", "loggamma", "rgamma", "sinc", "xlog1py", "xlogy"}
"""The functions of ``cupyx.scipy.special`` that know complex numbers."""
LOGICAL = {"logical_and", "logical_not", "logical_or", "logical_xor"}
BITWISE = {
    "bitwise_and", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "left_shift",
    "right_shift",
}  # fmt: skip
DOUBLE = {"beta", "betaln", "xlog1py", "xlogy"}
"""Functions of two arrays that make float64 of float16."""


def kind_of(*values: Values) -> numpy.dtype[Any]:
    """The dtype that NumPy's promotion gives; Python's numbers are weak."""
    return numpy.result_type(*(v if isinstance(v, bool | int | float | complex) else v.dtype for v in values))


def check_integers(values: Any, fitting: bool = True) -> None:
    """Raise OverflowError for a Python integer that C's long does not hold, or (``fitting``) the result's dtype."""
    integers = [v for v in values if isinstance(v, int) and not isinstance(v, bool)]
    if not integers:
        return
    kind = kind_of(*values)
    for value in integers:
        if kind.kind not in "iu" and not -(2**63) <= value < 2**64:
            raise OverflowError("Python int too large to convert to C long")
        if kind.kind in "iu" and fitting and any(hasattr(v, "dtype") for v in values):
            numpy.asarray(value, kind)


def wrong_type(name: str, values: Any) -> TypeError:
    """CuPy's error for operands that a function has no loop for."""
    kinds = tuple(kind_of(v) if isinstance(v, bool | int | float | complex) else v.dtype for v in values)
    return TypeError(f"Wrong type ({kinds}) of arguments for {name}")


def check(name: str, full: str, values: Any) -> None:
    """Refuse what CuPy refuses.

    Args:
        name: of the function.
        full: the name that CuPy's errors give.
        values: what is inside the operands.
    """
    check_integers(values, fitting=name == "logical_xor")
    kinds = {v.dtype.kind if hasattr(v, "dtype") else kind_of(v).kind for v in values}
    if "c" in kinds:
        if full in NO_COMPLEX_SOURCE:
            raise CompileException(f"{full}: the source does not compile for complex numbers", "", full, ())
        if name in LOGICAL or (full.startswith("cupyx") and name not in COMPLEX_SPECIAL):
            raise wrong_type(full, values)
    if name in BITWISE and "f" in kinds:
        numpy.broadcast_shapes(*(getattr(v, "shape", ()) for v in values))
    if name == "positive" and kinds == {"b"}:
        raise TypeError("The cupy boolean positive, the `+` operator, is not supported.")


def _quotient(x: Values, y: Values) -> tuple[Values, Values, numpy.dtype[Any]]:
    """Both as arrays of the type that is computed with, and the result's dtype."""
    kind = kind_of(x, y)
    wide = numpy.float32 if kind == numpy.float16 else kind
    return numpy.asarray(x, wide), numpy.asarray(y, wide), kind


def floor_divide(x: Values, y: Values) -> Values:
    """The floor of the rounded quotient."""
    if kind_of(x, y).kind != "f":
        return numpy.floor_divide(x, y)
    x, y, kind = _quotient(x, y)
    return numpy.floor(x / y).astype(kind)


def remainder(x: Values, y: Values) -> Values:
    """``x - floor(x / y) * y``, as it is written: NaN for an infinite divisor."""
    if kind_of(x, y).kind != "f":
        return numpy.remainder(x, y)
    x, y, kind = _quotient(x, y)
    return (x - numpy.floor(x / y) * y).astype(kind)


def divmod(x: Values, y: Values) -> tuple[Values, Values]:
    """Quotient and remainder."""
    if kind_of(x, y).kind != "f":
        return numpy.divmod(x, y)
    return floor_divide(x, y), remainder(x, y)


def power(x: Values, y: Values) -> Values:
    """Integers to a negative power are 0, 1 or -1."""
    kind = kind_of(x, y)
    if kind.kind != "i":
        return numpy.power(x, y)
    x, y = numpy.broadcast_arrays(numpy.asarray(x, kind), numpy.asarray(y, kind))
    small = numpy.where(x == 1, 1, numpy.where(x == -1, 1 - 2 * (y & 1), 0)).astype(kind)
    return numpy.where(y < 0, small, numpy.power(x, numpy.maximum(y, 0)))


def log2(x: Values) -> Values:
    """Complex numbers are divided by a complex one, and 0 gives ``-inf+nanj``."""
    result = numpy.log2(x)
    if result.dtype.kind == "c":
        result = numpy.where(numpy.asarray(x) == 0, result.dtype.type(complex(-numpy.inf, numpy.nan)), result)
    return result


def reciprocal(x: Values) -> Values:
    """The integer 0 gives 0."""
    result = numpy.reciprocal(x)
    return numpy.where(numpy.asarray(x) == 0, result.dtype.type(0), result) if result.dtype.kind in "iu" else result


def sign(x: Values) -> Values:
    """Of bool it is int8."""
    return numpy.sign(x.astype(numpy.int8) if kind_of(x).kind == "b" else x)


def sinc(x: Values) -> Values:
    """1 where ``abs(x) > 1e-9`` does not hold, NaN included; small integers are float16."""
    x = numpy.asarray(x)
    x = x.astype(numpy.result_type(x.dtype, numpy.float16))
    wide = x.astype(numpy.float64) if x.dtype.kind == "f" else x
    turned = numpy.pi * wide
    return numpy.where(numpy.abs(wide) > 1e-9, numpy.sin(turned) / turned, 1).astype(x.dtype)


def i0(x: Values) -> Values:
    """Small integers are float16; infinite at infinity."""
    x = numpy.asarray(x)
    wide = x.astype(numpy.float64)
    result = numpy.where(numpy.isinf(wide), numpy.inf, scipy.special.i0(wide))
    return result.astype(numpy.result_type(x.dtype, numpy.float16))


def erfinv(x: Values) -> Values:
    """Keeps the sign of zero."""
    result = scipy.special.erfinv(x)
    return numpy.where(result == 0, numpy.asarray(x, result.dtype), result)


def _alike(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    def alike(x: Values, y: Values) -> Values:
        kind = kind_of(x, y)
        if name in DOUBLE and kind == numpy.float16:
            kind = numpy.dtype(numpy.float64)
        return function(numpy.asarray(x, kind), numpy.asarray(y, kind))

    return alike


def xlog1py(x: Values, y: Values) -> Values:
    """0 where ``x`` is, even if ``y`` is NaN."""
    result = scipy.special.xlog1py(x, y)
    return numpy.where(x == 0, result.dtype.type(0), result)


def _at_poles(x: Values, y: Values, result: Values) -> Values:
    def pole(values: Values) -> Values:
        return (values <= 0) & (values == numpy.floor(values))

    return numpy.where(pole(x + y) & ~pole(x) & ~pole(y), numpy.nan, result).astype(result.dtype)


def beta(x: Values, y: Values) -> Values:
    """NaN where only the gamma function of ``x + y`` has a pole."""
    return _at_poles(x, y, scipy.special.beta(x, y))


def betaln(x: Values, y: Values) -> Values:
    """NaN where only the gamma function of ``x + y`` has a pole."""
    return _at_poles(x, y, scipy.special.betaln(x, y))


def zeta(x: Values, q: Values) -> Values:
    """Hurwitz's function of two arguments, of float32 or float64."""
    kind = kind_of(x, q)
    kind = numpy.result_type(kind, numpy.float32)
    x, q = numpy.asarray(x, kind), numpy.asarray(q, kind)
    return scipy.special.zeta(x, q).astype(kind)


def _scaled(name: str, factor: Callable[[Values], Values]) -> Callable[[Values], Values]:
    """A modified Bessel function times a power of e, computed as just that: NaN where one of them is infinite."""

    def scaled(x: Values) -> Values:
        x = numpy.asarray(x)
        x = x.astype(numpy.float32 if x.dtype == numpy.float32 else numpy.float64)
        return factor(x) * getattr(scipy.special, name)(x)

    return scaled


OWN: dict[str, Callable[..., Any]] = {
    "divmod": divmod, "floor_divide": floor_divide, "i0": i0, "log2": log2,
    "mod": remainder, "pow": power, "power": power, "reciprocal": reciprocal, "remainder": remainder, "sign": sign,
    "sinc": sinc,
}  # fmt: skip
"""Of ``cupy``."""

OWN_SPECIAL: dict[str, Callable[..., Any]] = {
    "beta": _alike(beta, "beta"), "betaln": _alike(betaln, "betaln"), "erfinv": erfinv, "sinc": sinc,
    "i0e": _scaled("i0", lambda x: numpy.exp(-numpy.abs(x))), "i1e": _scaled("i1", lambda x: numpy.exp(-numpy.abs(x))),
    "k0e": _scaled("k0", numpy.exp), "k1e": _scaled("k1", numpy.exp),
    "xlog1py": _alike(xlog1py, "xlog1py"), "xlogy": _alike(scipy.special.xlogy, "xlogy"), "zeta": zeta,
}  # fmt: skip
"""Of ``cupyx.scipy.special``."""
