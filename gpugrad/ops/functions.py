"""Functions of one real variable, element by element, and their derivatives.

Shapes and dtypes stay; integers become floating point as NumPy decides. Source: Python array API standard 2024.12.
"""

from __future__ import annotations

from ..backend import Array, Namespace
from ..core import primitive


@primitive
def exp(xp: Namespace, x: Array, /) -> Array:
    """``e^x``, its own derivative.

    >>> import gpugrad as gg
    >>> gg.exp(gg.tensor([0.0, 1.0]))
    tensor([1.       , 2.7182817])
    """
    return xp.exp(x)


exp.vjp(x=lambda xp, g, y: g * y)


@primitive
def expm1(xp: Namespace, x: Array, /) -> Array:
    """``e^x - 1``, exact near 0; derivative ``y + 1``.

    >>> import gpugrad as gg
    >>> gg.expm1(gg.tensor([0.0, 1e-6]))
    tensor([0.0000000e+00, 1.0000005e-06])
    """
    return xp.expm1(x)


expm1.vjp(x=lambda xp, g, y: g * (y + 1))


@primitive
def log(xp: Namespace, x: Array, /) -> Array:
    """Natural logarithm; derivative ``1 / x``.

    >>> import gpugrad as gg
    >>> gg.log(gg.tensor([1.0, 10.0]))
    tensor([0.       , 2.3025851])
    """
    return xp.log(x)


log.vjp(x=lambda xp, g, x: g / x)


@primitive
def log1p(xp: Namespace, x: Array, /) -> Array:
    """``log(1 + x)``, exact near 0; derivative ``1 / (1 + x)``.

    >>> import gpugrad as gg
    >>> gg.log1p(gg.tensor([0.0, 1.0]))
    tensor([0.       , 0.6931472])
    """
    return xp.log1p(x)


log1p.vjp(x=lambda xp, g, x: g / (1 + x))


@primitive
def sqrt(xp: Namespace, x: Array, /) -> Array:
    """Square root; derivative ``1 / (2 y)``, infinite at 0.

    >>> import gpugrad as gg
    >>> gg.sqrt(gg.tensor([4.0, 9.0]))
    tensor([2., 3.])
    """
    return xp.sqrt(x)


sqrt.vjp(x=lambda xp, g, y: 0.5 * g / y)


@primitive
def square(xp: Namespace, x: Array, /) -> Array:
    """``x^2``; derivative ``2 x``.

    >>> import gpugrad as gg
    >>> gg.square(gg.tensor([2.0, -3.0]))
    tensor([4., 9.])
    """
    return xp.square(x)


square.vjp(x=lambda xp, g, x: 2 * g * x)


@primitive
def sin(xp: Namespace, x: Array, /) -> Array:
    """Sine of radians; derivative ``cos(x)``.

    >>> import gpugrad as gg
    >>> gg.sin(gg.tensor([0.0, 0.5]))
    tensor([0.       , 0.4794255])
    """
    return xp.sin(x)


sin.vjp(x=lambda xp, g, x: g * xp.cos(x))


@primitive
def cos(xp: Namespace, x: Array, /) -> Array:
    """Cosine of radians; derivative ``-sin(x)``.

    >>> import gpugrad as gg
    >>> gg.cos(gg.tensor([0.0, 0.5]))
    tensor([1.       , 0.8775826])
    """
    return xp.cos(x)


cos.vjp(x=lambda xp, g, x: -g * xp.sin(x))


@primitive
def tanh(xp: Namespace, x: Array, /) -> Array:
    """Hyperbolic tangent; derivative ``1 - y^2``.

    >>> import gpugrad as gg
    >>> gg.tanh(gg.tensor([0.0, 0.5]))
    tensor([0.        , 0.46211717])
    """
    return xp.tanh(x)


tanh.vjp(x=lambda xp, g, y: g - g * y * y)
