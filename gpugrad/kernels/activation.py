"""Activation functions, forward and backward, each in one launch.

Bytes moved, for n elements of s bytes: 2 n s forward (read x, write y), 3 n s backward (read g and y, write).
"""

from __future__ import annotations

import math

from ..backend import Array, Namespace, special
from .elementwise import elementwise

ROOT_2, ROOT_TAU, ROOT_2_PI = math.sqrt(2), math.sqrt(2 * math.pi), math.sqrt(2 / math.pi)
CUBIC = 0.044715
"""Of the approximation of GELU by tanh."""
FLAT = 30.0
"""So far from 0 that approximation is 0 or x, in float64 too."""


@elementwise("out = x <= T(0) ? T(0) : x;")  # a NaN stays
def relu_forward(xp: Namespace, x: Array, /) -> Array:
    """``max(x, 0)``. Source: Nair and Hinton 2010."""
    return xp.maximum(x, 0)


@elementwise("out = y <= T(0) ? T(0) : g;")
def relu_backward(xp: Namespace, g: Array, y: Array, /) -> Array:
    """``g`` where ``y > 0``, else exactly 0. Source: ``torch.ops.aten.threshold_backward``."""
    return xp.where(y <= 0, 0, g)


@elementwise("const T e = exp(x > T(0) ? T(0) : x); out = e / (e + exp(x > T(0) ? -x : T(0)));")
def sigmoid_forward(xp: Namespace, x: Array, /) -> Array:
    """``1 / (1 + exp(-x))``, multiplied through by ``exp(min(x, 0))`` so that nothing overflows."""
    e = xp.exp(xp.minimum(x, 0))
    return e / (e + xp.exp(xp.minimum(-x, 0)))


@elementwise("const T e = exp(-fabs(x)), d = T(1) + e; out = g * (e / (d * d));")
def sigmoid_backward(xp: Namespace, g: Array, x: Array, /) -> Array:
    """``g s (1 - s)`` with ``s = sigmoid(x)``, exact where s is 1 to rounding: ``g e / (1 + e)^2`` with ``e = e^-|x|``.

    Source: CS231n, backpropagation notes, the sigmoid gate.
    """
    e = xp.exp(-xp.abs(x))
    d = 1 + e
    return g * (e / (d * d))


@elementwise("const T e = exp(-fabs(x)), s = T(2) * e / (T(1) + e * e); out = g * s * s;")
def tanh_backward(xp: Namespace, g: Array, x: Array, /) -> Array:
    """``g / cosh(x)^2``, which is ``g (1 - tanh(x)^2)``, exact where tanh is 1 to rounding."""
    e = xp.exp(-xp.abs(x))
    s = 2 * e / (1 + e * e)
    return g * s * s


TANH_DEPTH = 9
"""Terms of the continued fraction of tanh that float64 needs up to 1."""


@elementwise("""
T w = T(0);
for (int k = 9; k; --k) w = x * x / (T(2 * k + 1) + w);
out = fabs(x) < T(1) ? x * (w / (T(1) + w)) : x - tanh(x);
""")
def tanhshrink_forward(xp: Namespace, x: Array, /) -> Array:
    """``x - tanh(x)``; near 0, where that cancels, ``x w / (1 + w)`` with ``tanh(x) = x / (1 + w)``.

    w is Lambert's continued fraction, ``x^2 / (3 + x^2 / (5 + ...))``.
    """
    near = xp.abs(x) < 1
    square = xp.square(xp.where(near, x, 0))
    w: Array | float = 0.0
    for k in range(TANH_DEPTH, 0, -1):
        w = square / (2 * k + 1 + w)
    return xp.where(near, x * (w / (1 + w)), x - xp.tanh(x))


@elementwise("const T t = tanh(x); out = g * t * t;")
def tanhshrink_backward(xp: Namespace, g: Array, x: Array, /) -> Array:
    """``g tanh(x)^2``."""
    t = xp.tanh(x)
    return g * t * t


@elementwise("out = x > T(0) ? x : slope * x;")
def leaky_forward(xp: Namespace, x: Array, /, slope: float) -> Array:
    """``x`` where it is positive, else ``slope x``. Source: Maas et al. 2013."""
    return xp.where(x > 0, x, slope * x)


@elementwise("out = x > T(0) ? g : slope * g;")
def leaky_backward(xp: Namespace, g: Array, x: Array, /, slope: float) -> Array:
    """``g`` where x is positive, else ``slope g``."""
    return xp.where(x > 0, g, slope * g)


@elementwise("out = x > T(0) ? scale * x : low * expm1(x * rate);")
def elu_forward(xp: Namespace, x: Array, /, scale: float, low: float, rate: float) -> Array:
    """``scale x`` where x is positive, else ``low (e^(rate x) - 1)``. Source: Clevert et al. 2016."""
    return xp.where(x > 0, scale * x, low * xp.expm1(rate * xp.minimum(x, 0)))


@elementwise("out = x > T(0) ? g * scale : g * (low * rate * exp(x * rate));")
def elu_backward(xp: Namespace, g: Array, x: Array, /, scale: float, low: float, rate: float) -> Array:
    """``scale g`` where x is positive, else ``low rate e^(rate x) g``."""
    return xp.where(x > 0, g * scale, g * (low * rate * xp.exp(rate * xp.where(x > 0, 0, x))))


@elementwise("out = x / (T(1) + exp(-x));")
def silu_forward(xp: Namespace, x: Array, /) -> Array:
    """``x sigmoid(x)``. Sources: Hendrycks and Gimpel 2016; Ramachandran et al. 2017 (swish)."""
    return x * sigmoid_forward.reference(xp, x)


@elementwise("const T s = T(1) / (T(1) + exp(-x)); out = g * s * (T(1) + x * (T(1) - s));")
def silu_backward(xp: Namespace, g: Array, x: Array, /) -> Array:
    """``g s (1 + x (1 - s))`` with ``s = sigmoid(x)``."""
    s, rest = sigmoid_forward.reference(xp, x), sigmoid_forward.reference(xp, -x)
    return g * s * (1 + x * rest)


def _cdf(xp: Namespace, x: Array) -> Array:
    """The normal distribution function: by erfc, since on the left ``1 + erf`` cancels."""
    return 0.5 * special(xp).erfc(-x / ROOT_2)


@elementwise("out = T(0.5) * x * erfc(x * T(-0.70710678118654752440));")
def gelu_forward(xp: Namespace, x: Array, /) -> Array:
    """``x`` times the normal distribution function of x. Source: Hendrycks and Gimpel 2016."""
    return x * _cdf(xp, x)


@elementwise("""
const T cdf = T(0.5) * erfc(x * T(-0.70710678118654752440));
out = g * (cdf + x * exp(T(-0.5) * x * x) * T(0.39894228040143267794));
""")
def gelu_backward(xp: Namespace, g: Array, x: Array, /) -> Array:
    """``g (cdf(x) + x pdf(x))`` of the normal distribution."""
    return g * (_cdf(xp, x) + x * xp.exp(-0.5 * x * x) / ROOT_TAU)


GELU_TANH = """
const T c = gg_minimum(gg_maximum(x, T(-30)), T(30));
const T u = T(0.79788456080286535588) * (c + T(0.044715) * c * c * c);
const T e = exp(T(-2) * fabs(u)), s = (u > T(0) ? T(1) : e) / (T(1) + e);
"""


def _gelu_tanh(xp: Namespace, x: Array) -> tuple[Array, Array, Array]:
    """x within 30 from 0, beyond which nothing changes and its cube would overflow; ``sigmoid(2 u)`` and ``2 u``."""
    c = xp.minimum(xp.maximum(x, -FLAT), FLAT)
    u = (2 * ROOT_2_PI) * (c + CUBIC * c * c * c)
    return c, sigmoid_forward.reference(xp, u), u


@elementwise(GELU_TANH + "out = x * s;")
def gelu_tanh_forward(xp: Namespace, x: Array, /) -> Array:
    """The approximation ``x / 2 (1 + tanh(u))`` with ``u = sqrt(2 / pi) (x + 0.044715 x^3)`` of GELU.

    It is computed as ``x sigmoid(2 u)``, which does not cancel on the left.
    """
    _, s, _ = _gelu_tanh(xp, x)
    return x * s


@elementwise(
    GELU_TANH
    + """
const T slope = T(0.79788456080286535588) * (T(1) + T(3 * 0.044715) * c * c);
out = g * (s * (T(1) + T(2) * c * slope * ((u > T(0) ? e : T(1)) / (T(1) + e))));
"""
)
def gelu_tanh_backward(xp: Namespace, g: Array, x: Array, /) -> Array:
    """The derivative of the approximation, ``s (1 + 2 x u' sigmoid(-2 u))`` with ``s = sigmoid(2 u)``, times ``g``."""
    c, s, u = _gelu_tanh(xp, x)
    slope = (2 * ROOT_2_PI) * (1 + 3 * CUBIC * c * c)
    return g * (s * (1 + c * slope * sigmoid_forward.reference(xp, -u)))


@elementwise("""
const T z = x * beta;
out = z > limit ? x : ((z > T(0) ? z : T(0)) + log1p(exp(-fabs(z)))) / beta;
""")
def softplus_forward(xp: Namespace, x: Array, /, beta: float, limit: float) -> Array:
    """``log(1 + e^(beta x)) / beta``, and x itself where ``beta x`` is above the limit. Source: Dugas et al. 2001."""
    z = x * beta
    return xp.where(z > limit, x, (xp.maximum(z, 0) + xp.log1p(xp.exp(-xp.abs(z)))) / beta)


@elementwise("out = x * beta > limit ? g : g / (T(1) + exp(-x * beta));")
def softplus_backward(xp: Namespace, g: Array, x: Array, /, beta: float, limit: float) -> Array:
    """``g sigmoid(beta x)``, and g itself above the limit."""
    z = x * beta
    return xp.where(z > limit, g, g * sigmoid_forward.reference(xp, z))


@elementwise("""
const T e = exp(x > T(0) ? -x : x);
const T n = x > T(0) ? T(1) + T(2) * e : e * (e + T(2));
out = x * n / (n + (x > T(0) ? T(2) * e * e : T(2)));
""")
def mish_forward(xp: Namespace, x: Array, /) -> Array:
    """``x tanh(softplus(x))``. Source: Misra 2020."""
    return x * _tanh_softplus(xp, x)


def _tanh_softplus(xp: Namespace, x: Array) -> Array:
    """``((1 + e^x)^2 - 1) / ((1 + e^x)^2 + 1)``, multiplied through by ``e^(-2 max(x, 0))`` so that nothing overflows.

    As in :func:`sigmoid_forward`, derivatives of any order are right at 0 too: only the ratio of both powers counts.
    """
    up, down = xp.exp(xp.minimum(x, 0)), xp.exp(xp.minimum(-x, 0))
    n = up * (up + 2 * down)
    return n / (n + 2 * down * down)


@elementwise("""
const T e = exp(x > T(0) ? -x : x);
const T n = x > T(0) ? T(1) + T(2) * e : e * (e + T(2));
const T t = n / (n + (x > T(0) ? T(2) * e * e : T(2)));
out = g * (t + x * (T(1) - t) * (T(1) + t) * (x > T(0) ? T(1) : e) / (T(1) + e));
""")
def mish_backward(xp: Namespace, g: Array, x: Array, /) -> Array:
    """``g (t + x (1 - t^2) sigmoid(x))`` with ``t = tanh(softplus(x))``."""
    t = _tanh_softplus(xp, x)
    return g * (t + x * (1 - t) * (1 + t) * sigmoid_forward.reference(xp, x))


@elementwise("out = x <= low ? low : x >= high ? high : x;")
def hardtanh_forward(xp: Namespace, x: Array, /, low: float, high: float) -> Array:
    """``x`` between the limits, the limits outside."""
    return xp.minimum(xp.maximum(x, low), high)


@elementwise("out = x <= low || x >= high ? T(0) : g;")
def hardtanh_backward(xp: Namespace, g: Array, x: Array, /, low: float, high: float) -> Array:
    """``g`` strictly between the limits, else 0. Source of the convention: ``torch.nn.functional.hardtanh``."""
    return xp.where((x <= low) | (x >= high), 0, g)


@elementwise("out = gg_minimum(gg_maximum(x + T(3), T(0)), T(6)) / T(6);")
def hardsigmoid_forward(xp: Namespace, x: Array, /) -> Array:
    """``min(max(x + 3, 0), 6) / 6``. Source: Courbariaux et al. 2015."""
    return xp.minimum(xp.maximum(x + 3, 0), 6) / 6


@elementwise("out = x <= T(-3) || x >= T(3) ? T(0) : g / T(6);")
def hardsigmoid_backward(xp: Namespace, g: Array, x: Array, /) -> Array:
    """``g / 6`` strictly between -3 and 3, else 0."""
    return xp.where((x <= -3) | (x >= 3), 0, g / 6)


@elementwise("out = x <= limit ? value : x;")
def threshold_forward(xp: Namespace, x: Array, /, limit: float, value: float) -> Array:
    """``x`` above the limit, else the value; a NaN stays."""
    return xp.where(x <= limit, value, x)


@elementwise("out = x <= limit ? T(0) : g;")
def threshold_backward(xp: Namespace, g: Array, x: Array, /, limit: float) -> Array:
    """``g`` above the limit, else 0."""
    return xp.where(x <= limit, 0, g)


@elementwise("out = x > T(0) ? x : slope * x;")
def sloped_forward(xp: Namespace, x: Array, slope: Array, /) -> Array:
    """:func:`leaky_forward` with a slope for each element."""
    return xp.where(xp.greater(x, 0), x, slope * x)  # x may be a number


@elementwise("out = x > T(0) ? g : slope * g;")
def sloped_backward(xp: Namespace, g: Array, x: Array, slope: Array, /) -> Array:
    """``g`` where x is positive, else ``slope g``."""
    return xp.where(xp.greater(x, 0), g, slope * g)


@elementwise("out = x * (gg_minimum(gg_maximum(x + T(3), T(0)), T(6)) / T(6));")
def hardswish_forward(xp: Namespace, x: Array, /) -> Array:
    """``x min(max(x + 3, 0), 6) / 6``. Source: Howard et al. 2019."""
    return x * (xp.minimum(xp.maximum(x + 3, 0), 6) / 6)


@elementwise("out = x <= T(-3) ? T(0) : x >= T(3) ? g : g * (x / T(3) + T(0.5));")
def hardswish_backward(xp: Namespace, g: Array, x: Array, /) -> Array:
    """``g (x / 3 + 1 / 2)`` between -3 and 3, 0 below, g above."""
    return xp.where(x <= -3, 0, xp.where(x >= 3, g, g * (x / 3 + 0.5)))


@elementwise("out = x >= -width && x <= width ? T(0) : x;")
def hardshrink_forward(xp: Namespace, x: Array, /, width: float) -> Array:
    """``x``, and 0 between ``-width`` and ``width``."""
    return xp.where((x >= -width) & (x <= width), 0, x)


@elementwise("out = x > width ? x - width : x < -width ? x + width : x * T(0);")
def softshrink_forward(xp: Namespace, x: Array, /, width: float) -> Array:
    """``x`` moved towards 0 by ``width``, and 0 where that would pass it. Source: Donoho 1995."""
    return x - xp.minimum(xp.maximum(x, -width), width)


@elementwise("out = x >= -width && x <= width ? T(0) : g;")
def shrink_backward(xp: Namespace, g: Array, x: Array, /, width: float) -> Array:
    """``g``, and 0 between ``-width`` and ``width``."""
    return xp.where((x >= -width) & (x <= width), 0, g)


@elementwise("out = x / (T(1) + fabs(x));")
def softsign_forward(xp: Namespace, x: Array, /) -> Array:
    """``x / (1 + |x|)``."""
    return x / (1 + xp.abs(x))


@elementwise("const T d = T(1) + fabs(x); out = g / d / d;")
def softsign_backward(xp: Namespace, g: Array, x: Array, /) -> Array:
    """``g / (1 + |x|)^2``."""
    d = 1 + xp.abs(x)
    return g / d / d  # the square may overflow
