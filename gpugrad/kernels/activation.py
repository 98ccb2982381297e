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


@elementwise
def relu_forward(xp: Namespace, x: Array, /) -> Array:
    """``max(x, 0)``. Source: Nair and Hinton 2010."""
    return xp.maximum(x, 0)


@elementwise
def relu_backward(xp: Namespace, g: Array, y: Array, /) -> Array:
    """``g`` where ``y > 0``, else exactly 0. Source: ``torch.ops.aten.threshold_backward``."""
    return xp.where(y <= 0, 0, g)


@elementwise
def sigmoid_forward(xp: Namespace, x: Array, /) -> Array:
    """``1 / (1 + exp(-x))``, multiplied through by ``exp(min(x, 0))`` so that nothing overflows."""
    e = xp.exp(xp.minimum(x, 0))
    return e / (e + xp.exp(xp.minimum(-x, 0)))


@elementwise
def sigmoid_backward(xp: Namespace, g: Array, x: Array, /) -> Array:
    """``g s (1 - s)`` with ``s = sigmoid(x)``, exact where s is 1 to rounding: ``g e / (1 + e)^2`` with ``e = e^-|x|``.

    Source: CS231n, backpropagation notes, the sigmoid gate.
    """
    e = xp.exp(-xp.abs(x))
    d = 1 + e
    return g * (e / (d * d))


@elementwise
def tanh_backward(xp: Namespace, g: Array, x: Array, /) -> Array:
    """``g / cosh(x)^2``, which is ``g (1 - tanh(x)^2)``, exact where tanh is 1 to rounding."""
    e = xp.exp(-xp.abs(x))
    s = 2 * e / (1 + e * e)
    return g * s * s


TANH_DEPTH = 9
"""Terms of the continued fraction of tanh that float64 needs up to 1."""


@elementwise
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


@elementwise
def tanhshrink_backward(xp: Namespace, g: Array, x: Array, /) -> Array:
    """``g tanh(x)^2``."""
    t = xp.tanh(x)
    return g * t * t


@elementwise
def leaky_forward(xp: Namespace, x: Array, /, slope: float) -> Array:
    """``x`` where it is positive, else ``slope x``. Source: Maas et al. 2013."""
    return xp.where(x > 0, x, slope * x)


@elementwise
def leaky_backward(xp: Namespace, g: Array, x: Array, /, slope: float) -> Array:
    """``g`` where x is positive, else ``slope g``."""
    return xp.where(x > 0, g, slope * g)


@elementwise
def elu_forward(xp: Namespace, x: Array, /, scale: float, low: float, rate: float) -> Array:
    """``scale x`` where x is positive, else ``low (e^(rate x) - 1)``. Source: Clevert et al. 2016."""
    return xp.where(x > 0, scale * x, low * xp.expm1(rate * xp.minimum(x, 0)))


@elementwise
def elu_backward(xp: Namespace, g: Array, x: Array, /, scale: float, low: float, rate: float) -> Array:
    """``scale g`` where x is positive, else ``low rate e^(rate x) g``."""
    return xp.where(x > 0, g * scale, g * (low * rate * xp.exp(rate * xp.where(x > 0, 0, x))))


@elementwise
def silu_forward(xp: Namespace, x: Array, /) -> Array:
    """``x sigmoid(x)``. Sources: Hendrycks and Gimpel 2016; Ramachandran et al. 2017 (swish)."""
    return x * sigmoid_forward.reference(xp, x)


@elementwise
def silu_backward(xp: Namespace, g: Array, x: Array, /) -> Array:
    """``g s (1 + x (1 - s))`` with ``s = sigmoid(x)``."""
    s, rest = sigmoid_forward.reference(xp, x), sigmoid_forward.reference(xp, -x)
    return g * s * (1 + x * rest)


def _cdf(xp: Namespace, x: Array) -> Array:
    """The normal distribution function: by erfc, since on the left ``1 + erf`` cancels."""
    return 0.5 * special(xp).erfc(x * (-1 / ROOT_2))


@elementwise
def gelu_forward(xp: Namespace, x: Array, /) -> Array:
    """``x`` times the normal distribution function of x. Source: Hendrycks and Gimpel 2016."""
    return x * _cdf(xp, x)


@elementwise
def gelu_backward(xp: Namespace, g: Array, x: Array, /) -> Array:
    """``g (cdf(x) + x pdf(x))`` of the normal distribution."""
    return g * (_cdf(xp, x) + x * xp.exp(-0.5 * x * x) * (1 / ROOT_TAU))


def _gelu_tanh(xp: Namespace, x: Array) -> tuple[Array, Array, Array]:
    """x within 30 from 0, beyond which nothing changes and its cube would overflow; ``sigmoid(2 u)`` and ``2 u``."""
    c = xp.minimum(xp.maximum(x, -FLAT), FLAT)
    u = (2 * ROOT_2_PI) * (c + CUBIC * c * c * c)
    return c, sigmoid_forward.reference(xp, u), u


@elementwise
def gelu_tanh_forward(xp: Namespace, x: Array, /) -> Array:
    """The approximation ``x / 2 (1 + tanh(u))`` with ``u = sqrt(2 / pi) (x + 0.044715 x^3)`` of GELU.

    It is computed as ``x sigmoid(2 u)``, which does not cancel on the left.
    """
    _, s, _ = _gelu_tanh(xp, x)
    return x * s


@elementwise
def gelu_tanh_backward(xp: Namespace, g: Array, x: Array, /) -> Array:
    """The derivative of the approximation, ``s (1 + 2 x u' sigmoid(-2 u))`` with ``s = sigmoid(2 u)``, times ``g``."""
    c, s, u = _gelu_tanh(xp, x)
    slope = (2 * ROOT_2_PI) * (1 + 3 * CUBIC * c * c)
    return g * (s * (1 + c * slope * sigmoid_forward.reference(xp, -u)))


@elementwise
def softplus_forward(xp: Namespace, x: Array, /, beta: float, limit: float) -> Array:
    """``log(1 + e^(beta x)) / beta``, and x itself where ``beta x`` is above the limit. Source: Dugas et al. 2001."""
    z = x * beta
    return xp.where(z > limit, x, (xp.maximum(z, 0) + xp.log1p(xp.exp(-xp.abs(z)))) * (1 / beta))


@elementwise
def softplus_backward(xp: Namespace, g: Array, x: Array, /, beta: float, limit: float) -> Array:
    """``g sigmoid(beta x)``, and g itself above the limit."""
    z = x * beta
    return xp.where(z > limit, g, g * sigmoid_forward.reference(xp, z))


@elementwise
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


@elementwise
def mish_backward(xp: Namespace, g: Array, x: Array, /) -> Array:
    """``g (t + x (1 - t^2) sigmoid(x))`` with ``t = tanh(softplus(x))``."""
    t = _tanh_softplus(xp, x)
    return g * (t + x * (1 - t) * (1 + t) * sigmoid_forward.reference(xp, x))


@elementwise
def hardtanh_forward(xp: Namespace, x: Array, /, low: float, high: float) -> Array:
    """``x`` between the limits, the limits outside."""
    return xp.minimum(xp.maximum(x, low), high)


@elementwise
def hardtanh_backward(xp: Namespace, g: Array, x: Array, /, low: float, high: float) -> Array:
    """``g`` strictly between the limits, else 0. Source of the convention: ``torch.nn.functional.hardtanh``."""
    return xp.where((x <= low) | (x >= high), 0, g)


@elementwise
def hardsigmoid_forward(xp: Namespace, x: Array, /) -> Array:
    """``min(max(x + 3, 0), 6) / 6``. Source: Courbariaux et al. 2015."""
    return xp.minimum(xp.maximum(x + 3, 0), 6) / 6


@elementwise
def hardsigmoid_backward(xp: Namespace, g: Array, x: Array, /) -> Array:
    """``g / 6`` strictly between -3 and 3, else 0."""
    return xp.where((x <= -3) | (x >= 3), 0, g / 6)


@elementwise
def threshold_forward(xp: Namespace, x: Array, /, limit: float, value: float) -> Array:
    """``x`` above the limit, else the value; a NaN stays."""
    return xp.where(x <= limit, value, x)


@elementwise
def threshold_backward(xp: Namespace, g: Array, x: Array, /, limit: float) -> Array:
    """``g`` above the limit, else 0."""
    return xp.where(x <= limit, 0, g)


@elementwise
def sloped_forward(xp: Namespace, x: Array, slope: Array, /) -> Array:
    """:func:`leaky_forward` with a slope for each element."""
    return xp.where(xp.greater(x, 0), x, slope * x)  # x may be a number


@elementwise
def sloped_backward(xp: Namespace, g: Array, x: Array, slope: Array, /) -> Array:
    """``g`` where x is positive, else ``slope g``."""
    return xp.where(xp.greater(x, 0), g, slope * g)


@elementwise
def hardswish_forward(xp: Namespace, x: Array, /) -> Array:
    """``x min(max(x + 3, 0), 6) / 6``. Source: Howard et al. 2019."""
    return x * (xp.minimum(xp.maximum(x + 3, 0), 6) / 6)


@elementwise
def hardswish_backward(xp: Namespace, g: Array, x: Array, /) -> Array:
    """``g (x / 3 + 1 / 2)`` between -3 and 3, 0 below, g above."""
    return xp.where(x <= -3, 0, xp.where(x >= 3, g, g * (x / 3 + 0.5)))


@elementwise
def hardshrink_forward(xp: Namespace, x: Array, /, width: float) -> Array:
    """``x``, and 0 between ``-width`` and ``width``."""
    return xp.where((x >= -width) & (x <= width), 0, x)


@elementwise
def softshrink_forward(xp: Namespace, x: Array, /, width: float) -> Array:
    """``x`` moved towards 0 by ``width``, and 0 where that would pass it. Source: Donoho 1995."""
    return x - xp.minimum(xp.maximum(x, -width), width)


@elementwise
def shrink_backward(xp: Namespace, g: Array, x: Array, /, width: float) -> Array:
    """``g``, and 0 between ``-width`` and ``width``."""
    return xp.where((x >= -width) & (x <= width), 0, g)


@elementwise
def softsign_forward(xp: Namespace, x: Array, /) -> Array:
    """``x / (1 + |x|)``."""
    return x / (1 + xp.abs(x))


@elementwise
def softsign_backward(xp: Namespace, g: Array, x: Array, /) -> Array:
    """``g / (1 + |x|)^2``."""
    d = 1 + xp.abs(x)
    return g / d / d  # the square may overflow
