"""Powers, exponentials and logarithms, element by element.

Shapes and dtypes stay; integers become floating point as NumPy decides. Source: Python array API standard 2024.12.
"""

from __future__ import annotations

import math

from ..backend import Array, Namespace
from ..core import primitive
from .activation import sigmoid

LOG_2, LOG_10 = math.log(2), math.log(10)


@primitive(batch="elementwise", cast="float32")
def exp(xp: Namespace, x: Array, /) -> Array:
    """``e^x``, its own derivative.

    >>> import gpugrad as gg
    >>> gg.exp(gg.tensor([0.0, 1.0]))
    tensor([1.       , 2.7182817])
    """
    return xp.exp(x)


exp.vjp(x=lambda xp, g, y: g * y)


@primitive(batch="elementwise", cast="float32")
def exp2(xp: Namespace, x: Array, /) -> Array:
    """``2^x``; derivative ``y log(2)``. Source: ``numpy.exp2``.

    >>> import gpugrad as gg
    >>> gg.exp2(gg.tensor([0.0, 3.0]))
    tensor([1., 8.])
    """
    return xp.exp2(x)


exp2.vjp(x=lambda xp, g, y: g * y * LOG_2)


@primitive(batch="elementwise", cast="float32")
def expm1(xp: Namespace, x: Array, /) -> Array:
    """``e^x - 1``, exact near 0; derivative ``e^x``.

    >>> import gpugrad as gg
    >>> gg.expm1(gg.tensor([0.0, 1e-6]))
    tensor([0.0000000e+00, 1.0000005e-06])
    """
    return xp.expm1(x)


expm1.vjp(x=lambda xp, g, x: g * xp.exp(x))


@primitive(batch="elementwise", cast="float32")
def log(xp: Namespace, x: Array, /) -> Array:
    """Natural logarithm; derivative ``1 / x``.

    >>> import gpugrad as gg
    >>> gg.log(gg.tensor([1.0, 10.0]))
    tensor([0.       , 2.3025851])
    """
    return xp.log(x)


log.vjp(x=lambda xp, g, x: g / x)


@primitive(batch="elementwise", cast="float32")
def log1p(xp: Namespace, x: Array, /) -> Array:
    """``log(1 + x)``, exact near 0; derivative ``1 / (1 + x)``.

    >>> import gpugrad as gg
    >>> gg.log1p(gg.tensor([0.0, 1.0]))
    tensor([0.       , 0.6931472])
    """
    return xp.log1p(x)


log1p.vjp(x=lambda xp, g, x: g / (1 + x))


@primitive(batch="elementwise", cast="float32")
def log2(xp: Namespace, x: Array, /) -> Array:
    """Logarithm to base 2; derivative ``1 / (x log(2))``.

    >>> import gpugrad as gg
    >>> gg.log2(gg.tensor([1.0, 8.0]))
    tensor([0., 3.])
    """
    return xp.log2(x)


log2.vjp(x=lambda xp, g, x: g / (x * LOG_2))


@primitive(batch="elementwise", cast="float32")
def log10(xp: Namespace, x: Array, /) -> Array:
    """Logarithm to base 10; derivative ``1 / (x log(10))``.

    >>> import gpugrad as gg
    >>> gg.log10(gg.tensor([1.0, 100.0]))
    tensor([0., 2.])
    """
    return xp.log10(x)


log10.vjp(x=lambda xp, g, x: g / (x * LOG_10))


@primitive(batch="elementwise", cast="float32")
def logaddexp(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """``log(exp(x1) + exp(x2))`` without overflow; the gradients are ``g sigmoid(x1 - x2)`` and ``g sigmoid(x2 - x1)``.

    Where both are the same infinity, they share the gradient evenly.

    >>> import gpugrad as gg
    >>> gg.logaddexp(gg.tensor([0.0, 1000.0]), gg.tensor([0.0, 1000.0]))
    tensor([6.9314718e-01, 1.0006931e+03])
    """
    return xp.logaddexp(x1, x2)


def _share(xp: Namespace, g: Array, x: Array, other: Array) -> Array:
    both = (x == other) & (abs(x) == math.inf)  # inf - inf must not be computed; equal numbers must stay in the graph
    return g * sigmoid.on(xp, xp.where(both, 0, x) - xp.where(both, 0, other))


logaddexp.vjp(
    x1=lambda xp, g, x1, x2: _share(xp, g, x1, x2),
    x2=lambda xp, g, x1, x2: _share(xp, g, x2, x1),
)


@primitive(batch="elementwise")
def sqrt(xp: Namespace, x: Array, /) -> Array:
    """Square root; derivative ``1 / (2 y)``, infinite at 0.

    >>> import gpugrad as gg
    >>> gg.sqrt(gg.tensor([4.0, 9.0]))
    tensor([2., 3.])
    """
    return xp.sqrt(x)


sqrt.vjp(x=lambda xp, g, y: 0.5 * g / y)


@primitive(batch="elementwise")
def square(xp: Namespace, x: Array, /) -> Array:
    """``x^2``; derivative ``2 x``.

    >>> import gpugrad as gg
    >>> gg.square(gg.tensor([2.0, -3.0]))
    tensor([4., 9.])
    """
    return xp.square(x)


square.vjp(x=lambda xp, g, x: 2 * g * x)


@primitive(batch="elementwise", cast="float32")
def reciprocal(xp: Namespace, x: Array, /) -> Array:
    """``1 / x``; derivative ``-y^2``.

    >>> import gpugrad as gg
    >>> gg.reciprocal(gg.tensor([2.0, -4.0]))
    tensor([ 0.5 , -0.25])
    """
    return xp.reciprocal(x)


reciprocal.vjp(x=lambda xp, g, y: -g * y * y)
