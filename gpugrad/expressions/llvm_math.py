"""Elementary functions in LLVM IR, without branches and without calls to a C library.

Each is right to 2 units in the last place in float32 and in float64, and for zeros, infinities, NaN and subnormal
numbers. LLVM itself would call a scalar function per element.

To add one, write it here as ``f(code, *values)`` and name it in :data:`FUNCTIONS`.
``tests/expressions/test_llvm_math.py`` compares each with mpmath.

Sources: the reduction by pi / 2 and by log 2 in parts, Cody and Waite 1980; logarithms by the inverse hyperbolic
tangent, Ng 1993 (FreeBSD's ``e_log.c`` describes it); the scaled complementary error function as a polynomial of a
fraction, Shepherd and Laframboise 1981. The coefficients are computed by ``tools/coefficients.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

from . import coefficients
from .llvm_code import Code, Value, literal


class Format(NamedTuple):
    """Numbers that depend on the dtype."""

    bits: int
    integer: str
    mantissa: int  # bits of the fraction that are stored
    bias: int  # of the exponent
    magic: float  # adding and subtracting it rounds to an integer, which its low bits then hold
    least: float  # the least normal number


FORMATS = {
    "float32": Format(32, "int32", 23, 127, 1.5 * 2.0**23, 2.0**-126),
    "float64": Format(64, "int64", 52, 1023, 1.5 * 2.0**52, 2.0**-1022),
}

INTEGER = {"float32": 0x4B400000, "float64": 0x4338000000000000}
"""The bits of the magic number of a format."""


def table(name: str, x: Value) -> tuple[float, ...]:
    """The coefficients of a polynomial for the dtype of ``x``."""
    found: tuple[float, ...] = getattr(coefficients, f"{name}_{FORMATS[x.dtype].bits}")
    return found


def parts(value: Fraction, sizes: tuple[int, ...]) -> tuple[float, ...]:
    """Split a number into floats with so many bits each, and the rest."""
    result: list[float] = []
    for size in sizes:
        shift = size - math.frexp(float(value))[1] if value else 0
        part = Fraction(round(value * Fraction(2) ** shift)) / Fraction(2) ** shift
        result.append(float(part))
        value -= part
    return *result, float(value)


# 200 bits of each
LOG_2 = Fraction(0xB17217F7D1CF79ABC9E3B39803F2F6AF40F343267298B62D8A, 2**200)
HALF_PI = Fraction(0x1921FB54442D18469898CC51701B839A252049C1114CF98E804, 2**200)
LOG_2_E = Fraction(0x171547652B82FE1777D0FFDA0D23A7D11D6AEF551BAD2B4B116, 2**200)
LOG_10_E = Fraction(0x6F2DEC549B9438CA9AADD557D699EE191F71A30122E4D1011D, 2**200)

LOG_2_PARTS = {"float32": parts(LOG_2, (15, 24)), "float64": parts(LOG_2, (41, 53))}
"""The first part times an exponent is exact."""


def rounded(code: Code, x: Value) -> tuple[Value, Value]:
    """The nearest integer, as a float and as an integer; for ``|x| < 2^22`` (2^51 in float64)."""
    magic = FORMATS[x.dtype].magic
    shifted = x + magic
    return shifted - magic, shifted.bits() - INTEGER[x.dtype]


def power_of_2(code: Code, k: Value) -> Value:
    """``2^k`` of an integer for which that is a normal number."""
    form = FORMATS["float32" if k.dtype == "int32" else "float64"]
    return ((k + form.bias) << form.mantissa).bits()


def scaled(code: Code, x: Value, k: Value) -> Value:
    """``x 2^k``; in two steps, so that large and subnormal results are right."""
    half = k >> 1
    return x * power_of_2(code, half) * power_of_2(code, k - half)


def clamp(code: Code, x: Value, low: float, high: float) -> Value:
    """``x`` between two numbers; a NaN stays."""
    x = code.where(x < low, low, x)
    return code.where(x > high, high, x)


def reduce_by_log_2(code: Code, x: Value) -> tuple[Value, Value, Value]:
    """``x = k log 2 + r``: k as a float and as an integer, and r."""
    n, k = rounded(code, x * (1 / math.log(2)))
    high, middle, _ = LOG_2_PARTS[x.dtype]
    r = code.fma(n, -middle, code.fma(n, -high, x))
    return n, k, r


def exp_less_1(code: Code, r: Value) -> Value:
    """``e^r - 1`` for ``|r| <= log(2) / 2``."""
    return code.fma(r * r, code.polynomial(r, table("EXP", r)), r)


def exp_of_rest(code: Code, r: Value) -> Value:
    """``e^r`` for ``|r| <= log(2) / 2``, with the rounding error of ``1 + r`` added."""
    y = r + 1
    return y + code.fma(r * r, code.polynomial(r, table("EXP", r)), r - (y - 1))


LIMITS = {"float32": (-110.0, 95.0), "float64": (-760.0, 720.0)}
"""Exponential functions are 0 and infinite beyond these."""


def exp(code: Code, x: Value) -> Value:
    """``e^x``."""
    _, k, r = reduce_by_log_2(code, clamp(code, x, *LIMITS[x.dtype]))
    return scaled(code, exp_of_rest(code, r), k)


def half_exp(code: Code, x: Value) -> Value:
    """``e^x / 2``, which overflows later."""
    _, k, r = reduce_by_log_2(code, clamp(code, x, *LIMITS[x.dtype]))
    return scaled(code, exp_of_rest(code, r), k - 1)


def exp2(code: Code, x: Value) -> Value:
    """``2^x``."""
    x = clamp(code, x, -1100.0 if x.dtype == "float64" else -160.0, 1030.0 if x.dtype == "float64" else 140.0)
    n, k = rounded(code, x)
    return scaled(code, exp_of_rest(code, (x - n) * math.log(2)), k)


def expm1(code: Code, x: Value) -> Value:
    """``e^x - 1``: ``2 (s q + (s - 1 / 2))`` with ``q = e^r - 1`` and ``s = 2^(k - 1)``."""
    _, k, r = reduce_by_log_2(code, clamp(code, x, -50.0, LIMITS[x.dtype][1]))
    k = code.where(k > FORMATS[x.dtype].bias + 1, FORMATS[x.dtype].bias + 1, k)
    s = power_of_2(code, k - 1)
    y = code.fma(s, exp_less_1(code, r), s - 0.5) * 2
    y = code.where(x > LIMITS[x.dtype][1] - 1, math.inf, y)
    return code.where(code.abs(x) < 2.0**-60, x, y)  # keeps the sign of 0


def sinh(code: Code, x: Value) -> Value:
    """``(t + t / (t + 1)) / 2`` with ``t = e^|x| - 1``."""
    a = code.abs(x)
    t = code.call(expm1, a)
    y = code.where(a > 40.0, code.call(half_exp, a), (t + t / (t + 1)) * 0.5)
    return code.copysign(y, x)


def cosh(code: Code, x: Value) -> Value:
    """``(e^|x| + e^-|x|) / 2``."""
    a = code.abs(x)
    e = code.call(half_exp, a)
    return e + 0.25 / e


def tanh(code: Code, x: Value) -> Value:
    """An odd polynomial up to 0.56, beyond it ``1 - 2 / (e^(2 |x|) + 1)``."""
    a = code.abs(x)
    z = x * x
    near = code.fma(x * z, code.polynomial(z, table("TANH", x)), x)
    limited = code.where(a > 22.0, 22.0, a)
    _, k, r = reduce_by_log_2(code, limited + limited)
    e = exp_of_rest(code, r) * power_of_2(code, k)
    return code.copysign(code.where(a < 0.5625, near, 1 - 2 / (e + 1)), x)


def split_exponent(code: Code, x: Value) -> tuple[Value, Value]:
    """``x = 2^k m`` with m between the roots of 1/2 and of 2: k as a float, and m; for positive normal numbers."""
    form = FORMATS[x.dtype]
    root = int(literal_bits(math.sqrt(0.5), x.dtype))
    i = x.bits() - root
    k = i >> form.mantissa
    m = ((i & ((1 << form.mantissa) - 1)) + root).bits()
    return code.convert(k, x.dtype), m


def literal_bits(value: float, dtype: str) -> int:
    """The bits of a number in a dtype."""
    bits = int(literal(value, dtype), 16)
    if dtype == "float64":
        return bits
    sign, exponent, fraction = bits >> 63, (bits >> 52 & 0x7FF) - 1023 + 127, bits >> 29 & 0x7FFFFF
    return sign << 31 | exponent << 23 | fraction


def log_parts(code: Code, f: Value) -> tuple[Value, Value]:
    """``log(1 + f)`` for ``1 + f`` between the roots of 1/2 and of 2, as ``f + rest``."""
    if f.dtype == "float32":
        return f, f * f * code.fma(code.polynomial(f, table("LOG", f)), f, -0.5)
    s = f / (f + 2)
    z = s * s
    half = f * f * 0.5
    return f, s * (half + z * code.polynomial(z, table("ATANH", f))) - half


def normal(code: Code, x: Value) -> tuple[Value, Value]:
    """A positive number as a normal one, and the exponent that this took from it."""
    form = FORMATS[x.dtype]
    small = x < form.least
    up = float(form.mantissa + 2)
    return code.where(small, x * 2.0**up, x), code.where(small, code.constant(-up, x.dtype), 0.0)


def at_ends(code: Code, x: Value, y: Value, pole: float = 0.0) -> Value:
    """The logarithm where it is no number: at the pole, to the left of it, and at infinity."""
    y = code.where(x.equals(math.inf), x, y)
    y = code.where(x.equals(pole), -math.inf, y)
    return code.where(x >= pole, y, math.nan)


def log(code: Code, x: Value) -> Value:
    """``log x = k log 2 + log m``."""
    u, taken = normal(code, x)
    k, m = split_exponent(code, u)
    k = k + taken
    f, rest = log_parts(code, m - 1)
    high, low, _ = LOG_2_PARTS[x.dtype]
    return at_ends(code, x, code.fma(k, high, f + code.fma(k, low, rest)))


def log1p(code: Code, x: Value) -> Value:
    """``log(1 + x)``, with the rounding error of ``1 + x`` added to ``m``."""
    u = x + 1
    back = u - 1
    error = (1 - (u - back)) + (x - back)
    k, m = split_exponent(code, u)
    n = code.convert(k, FORMATS[x.dtype].integer)
    limit = FORMATS[x.dtype].bias - 2
    scale = power_of_2(code, 0 - code.where(n > limit, limit, n))
    f, rest = log_parts(code, code.fma(error, scale, m - 1))
    high, low, _ = LOG_2_PARTS[x.dtype]
    y = code.fma(k, high, f + code.fma(k, low, rest))
    y = code.where(code.abs(x) < 2.0**-60, x, y)
    return at_ends(code, x, y, -1.0)


def log1p_to_1(code: Code, x: Value) -> Value:
    """``log(1 + x)`` for x from 0 to 1, which takes a third of the time in float32."""
    if x.dtype != "float32":
        return log1p(code, x)
    return code.fma(x * x, code.polynomial(x, table("LOG1P", x)), x)


def without_lower_half(code: Code, x: Value) -> Value:
    """``x`` with so few bits that its square is exact."""
    return (x.bits() & -(1 << (12 if x.dtype == "float32" else 27))).bits()


def log_to(code: Code, x: Value, factor: Fraction, step: Fraction) -> Value:
    """The logarithm to a base: ``factor log(x)``, where ``step`` is that of 2."""
    u, taken = normal(code, x)
    k, m = split_exponent(code, u)
    k = k + taken
    f, rest = log_parts(code, m - 1)
    sizes = (12, 24) if x.dtype == "float32" else (26, 53)
    high, low, _ = parts(factor, sizes)
    # f in two parts, whose products with the first part of the factor are exact
    upper = without_lower_half(code, f)
    small = code.fma(f, low, code.fma(rest, high + low, (f - upper) * high))
    first, second, _ = parts(step, (15, 24) if x.dtype == "float32" else (41, 53))
    whole = k * first
    total = whole + upper * high  # the larger first, then the error of the sum
    part = upper * high
    error = code.where(k.equals(0.0), 0.0, part - (total - whole))
    return at_ends(code, x, total + (code.fma(k, second, small) + error))


def log2(code: Code, x: Value) -> Value:
    """The logarithm to the base 2."""
    return log_to(code, x, LOG_2_E, Fraction(1))


def log10(code: Code, x: Value) -> Value:
    """The logarithm to the base 10."""
    return log_to(code, x, LOG_10_E, LOG_2 * LOG_10_E)


def erf_near(code: Code, x: Value) -> Value:
    """The error function for ``|x| <= 1``."""
    return code.fma(x, code.polynomial(x * x, table("ERF", x)), x)


def erfc_far(code: Code, a: Value) -> Value:
    """``1 - erf(a)`` for a from 0.75 on: ``e^(-a^2) u P(u - 1/2)``, ``u = 1 / (1 + a / 4)``.

    ``a^2`` is taken in two parts. The rounding error of u is corrected in the exponent, to first order: there
    the condition number of ``u P`` is about ``1 + 0.7 u + 2.65 u^2``.
    """
    limit = 28.0 if a.dtype == "float64" else 10.5
    a = code.where(a > limit, limit, a)
    upper = without_lower_half(code, a)
    square = upper * upper  # exact
    low = (a - upper) * (a + upper)
    part = a * 0.25
    d = part + 1
    beyond = part > 1.0
    error = code.where(beyond, 1.0, part) - (d - code.where(beyond, part, 1.0))
    u = 1 / d
    wrong = code.fma(-u, d, 1.0) - u * error
    correction = code.fma(code.fma(u, code.fma(u, 2.65, 0.7), 1.0), wrong, -low)
    n, k = rounded(code, a * a * (-1 / math.log(2)))
    high, middle, _ = LOG_2_PARTS[a.dtype]
    r = code.fma(n, -high, -square) + code.fma(n, -middle, correction)
    t = u - 0.5
    p, error = precise_polynomial(code, t, table("ERFC", a))
    y = u * p
    error = code.fma(u, error, code.fma(u, p, -y))
    return scaled(code, y + code.fma(exp_less_1(code, r), y, error), k)


def precise_polynomial(code: Code, x: Value, coefficients: tuple[float, ...]) -> tuple[Value, Value]:
    """A polynomial and its error; the last two coefficients are in two parts."""
    *others, slope, constant, slope_rest, rest = coefficients
    y = code.polynomial(x, tuple(others))
    first = code.fma(y, x, slope)
    error = code.fma(y, x, slope - first) + slope_rest
    second = code.fma(first, x, constant)
    return second, code.fma(x, error, code.fma(first, x, constant - second) + rest)


def erf(code: Code, x: Value) -> Value:
    """The error function."""
    a = code.abs(x)
    return code.where(a < 1.0, erf_near(code, x), code.copysign(1 - code.call(erfc_far, a), x))


def erfc(code: Code, x: Value) -> Value:
    """``1 - erf(x)`` without cancellation."""
    a = code.abs(x)
    far = code.call(erfc_far, a)
    far = code.where(x < 0.0, 2 - far, far)
    near = code.fma(-x, code.polynomial(x * x, table("ERF", x)), 1 - x)
    return code.where(a < 0.75, near, far)


def quadrant(code: Code, x: Value) -> tuple[Value, Value]:
    """``x = k pi / 2 + r``: k as an integer, and r."""
    n, k = rounded(code, x * (2 / math.pi))
    sizes = (11, 11, 11, 24) if x.dtype == "float32" else (33, 33, 33, 53)
    r = x
    for part in parts(HALF_PI, sizes)[:-1]:
        r = code.fma(n, -part, r)
    return k, r


def sine_and_cosine(code: Code, r: Value) -> tuple[Value, Value]:
    """The sine and the cosine for ``|r| <= pi / 4``."""
    z = r * r
    sine = code.fma(r * z, code.polynomial(z, table("SIN", r)), r)
    cosine = code.fma(z * z, code.polynomial(z, table("COS", r)), code.fma(z, -0.5, 1.0))
    return sine, cosine


NEAR = {"float32": 8000.0, "float64": 2.0**19}
"""Angles up to which pi / 2 in parts is exact enough."""


def sin(code: Code, x: Value) -> Value:
    """The sine; vectors with an angle beyond :data:`NEAR` are left to the C library."""
    k, r = quadrant(code, x)
    sine, cosine = sine_and_cosine(code, r)
    y = code.where((k & 1).equals(0), sine, cosine)
    y = code.where((k & 2).equals(0), y, -y)
    y = code.where(x.equals(0.0), x, y)
    return code.rarely(code.abs(x) > NEAR[x.dtype], y, lambda: code.intrinsic("sin", x))


def cos(code: Code, x: Value) -> Value:
    """The cosine; vectors with an angle beyond :data:`NEAR` are left to the C library."""
    k, r = quadrant(code, x)
    sine, cosine = sine_and_cosine(code, r)
    y = code.where((k & 1).equals(0), cosine, sine)
    y = code.where(((k + 1) & 2).equals(0), y, -y)
    return code.rarely(code.abs(x) > NEAR[x.dtype], y, lambda: code.intrinsic("cos", x))


def power(code: Code, x: Value, y: Value) -> Value:
    """``x^y`` with the special values of C and IEEE 754.

    In float32 it is computed in float64. In float64 it is the C library's, an element at a time.
    """
    if x.dtype == "float64":
        return code.intrinsic("pow", x, y)
    a = code.abs(x)
    product = code.convert(y, "float64") * code.call(log2, code.convert(a, "float64"))
    z = code.convert(code.call(exp2, product), "float32")
    whole = code.intrinsic("floor", y)
    half = y * 0.5
    odd = code.where(code.abs(y) < 2.0**25, code.intrinsic("floor", half).compare("ne", half), False) & whole.equals(y)
    z = code.where(x.equals(0.0) & (y > 0.0), 0.0, z)
    z = code.where((x < 0.0) & (x > -math.inf) & whole.compare("ne", y), math.nan, z)
    z = code.where(odd, code.copysign(z, x), z)
    z = code.where(x.compare("ne", x) | y.compare("ne", y), math.nan, z)
    infinite = code.abs(y).equals(math.inf)
    return code.where(y.equals(0.0) | x.equals(1.0) | (x.equals(-1.0) & infinite), 1.0, z)


FUNCTIONS: dict[str, Callable[..., Value]] = {
    f.__name__: f for f in (exp, exp2, expm1, log, log1p, log2, log10, sinh, cosh, tanh, sin, cos, erf, erfc)
}
