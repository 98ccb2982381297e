"""Trigonometric and hyperbolic functions and their inverses, element by element; angles are in radians.

Outside of a function's domain the value is NaN. Source: Python array API standard 2024.12; ``sinc`` and the names with
``arc`` are NumPy's.
"""

from __future__ import annotations

from math import factorial, pi

from ..backend import Array, Namespace
from ..backend.dtypes import COMMON
from ..core import Tensor, primitive
from ..kernels import activation as kernels
from .corners import marked
from .rounding import real_ones


@primitive(batch="elementwise")
def sin(xp: Namespace, x: Array, /) -> Array:
    """Sine of radians; derivative ``cos(x)``.

    >>> import gpugrad as gg
    >>> gg.sin(gg.tensor([0.0, 0.5]))
    tensor([0.       , 0.4794255])
    """
    return xp.sin(x)


sin.vjp(x=lambda xp, g, x: g * xp.cos(x))


@primitive(batch="elementwise")
def cos(xp: Namespace, x: Array, /) -> Array:
    """Cosine of radians; derivative ``-sin(x)``.

    >>> import gpugrad as gg
    >>> gg.cos(gg.tensor([0.0, 0.5]))
    tensor([1.       , 0.8775826])
    """
    return xp.cos(x)


cos.vjp(x=lambda xp, g, x: -g * xp.sin(x))


@primitive(batch="elementwise")
def tanh(xp: Namespace, x: Array, /) -> Array:
    """Hyperbolic tangent; derivative ``1 - y^2``, computed from x: where y is 1 to rounding it is not 0.

    >>> import gpugrad as gg
    >>> gg.tanh(gg.tensor([0.0, 0.5]))
    tensor([0.        , 0.46211717])
    """
    return xp.tanh(x)


@primitive(batch="elementwise")
def _tanh_back(xp: Namespace, g: Array, x: Array, /) -> Array:
    """``g tanh'(x)`` of real numbers; by x, ``-2 y tanh(x)``."""
    return kernels.tanh_backward(xp, g, x)


def _tanh_x(xp: Namespace, g: Array, x: Array) -> Array:
    if type(g) is Tensor:
        if x.dtype.kind != "c":
            return _tanh_back(g, x)
    elif x.dtype.num <= COMMON or x.dtype.kind != "c":
        return kernels.tanh_backward(xp, g, x)
    y = xp.tanh(x)
    return g - g * y * y


tanh.vjp(x=_tanh_x)
_tanh_back.vjp(
    g=lambda xp, h, x: _tanh_back.on(xp, h, x),
    x=lambda xp, h, x, y: -2 * h * y * xp.tanh(x),
)


@primitive(batch="elementwise", cast="float32")
def tan(xp: Namespace, x: Array, /) -> Array:
    """Tangent of radians; derivative ``1 + y^2``.

    >>> import gpugrad as gg
    >>> gg.tan(gg.tensor([0.0, 0.5]))
    tensor([0.       , 0.5463025])
    """
    return xp.tan(x)


tan.vjp(x=lambda xp, g, y: g * (1 + y * y))


@primitive(batch="elementwise", cast="float32")
def asin(xp: Namespace, x: Array, /) -> Array:
    """Inverse sine, in [-pi/2, pi/2]; derivative ``1 / sqrt(1 - x^2)``, infinite at -1 and 1.

    >>> import gpugrad as gg
    >>> gg.asin(gg.tensor([0.0, 1.0]))
    tensor([0.       , 1.5707964])
    """
    return xp.asin(x)


def _leg(xp: Namespace, x: Array) -> Array:
    """``sqrt(1 - x^2)``, not rounded near 1; of complex numbers on a branch cut, on the side of ``x``."""
    if x.dtype.kind == "c":
        return xp.sqrt(-(x - 1)) * xp.sqrt(x - -1)  # 1 - x and x + 1 would lose the sign of an imaginary part of 0
    return xp.sqrt(_one_less_square.on(xp, x))


@primitive(batch="elementwise")
def _one_less_square(xp: Namespace, x: Array, /) -> Array:
    """``1 - x^2``, not rounded near 1; derivative ``-2 x``, whereas those of the factors would cancel near 0."""
    return (1 - x) * (1 + x)


_one_less_square.vjp(x=lambda xp, g, x: -2 * g * x)
asin.vjp(x=lambda xp, g, x: g / _leg(xp, x))

arcsin = asin
"""NumPy's name of :func:`asin`."""


@primitive(batch="elementwise", cast="float32")
def acos(xp: Namespace, x: Array, /) -> Array:
    """Inverse cosine, in [0, pi]; derivative ``-1 / sqrt(1 - x^2)``, infinite at -1 and 1.

    >>> import gpugrad as gg
    >>> gg.acos(gg.tensor([0.0, 1.0]))
    tensor([1.5707964, 0.       ])
    """
    return xp.acos(x)


acos.vjp(x=lambda xp, g, x: -g / _leg(xp, x))

arccos = acos
"""NumPy's name of :func:`acos`."""


@primitive(batch="elementwise")
def atan(xp: Namespace, x: Array, /) -> Array:
    """Inverse tangent, in [-pi/2, pi/2]; derivative ``1 / (1 + x^2)``.

    >>> import gpugrad as gg
    >>> gg.atan(gg.tensor([0.0, 1.0]))
    tensor([0.       , 0.7853982])
    """
    return xp.atan(x)


atan.vjp(x=lambda xp, g, x: g / (1 + x * x))

arctan = atan
"""NumPy's name of :func:`atan`."""


@primitive(batch="elementwise", cast="float32")
def sinh(xp: Namespace, x: Array, /) -> Array:
    """Hyperbolic sine; derivative ``cosh(x)``.

    >>> import gpugrad as gg
    >>> gg.sinh(gg.tensor([0.0, 1.0]))
    tensor([0.       , 1.1752012])
    """
    return xp.sinh(x)


sinh.vjp(x=lambda xp, g, x: g * xp.cosh(x))


@primitive(batch="elementwise", cast="float32")
def cosh(xp: Namespace, x: Array, /) -> Array:
    """Hyperbolic cosine; derivative ``sinh(x)``.

    >>> import gpugrad as gg
    >>> gg.cosh(gg.tensor([0.0, 1.0]))
    tensor([1.       , 1.5430807])
    """
    return xp.cosh(x)


cosh.vjp(x=lambda xp, g, x: g * xp.sinh(x))


@primitive(batch="elementwise")
def asinh(xp: Namespace, x: Array, /) -> Array:
    """Inverse hyperbolic sine; derivative ``1 / sqrt(x^2 + 1)``.

    >>> import gpugrad as gg
    >>> gg.asinh(gg.tensor([0.0, 1.0]))
    tensor([0.       , 0.8813736])
    """
    return xp.asinh(x)


def _hypotenuse(xp: Namespace, x: Array) -> Array:
    """``sqrt(x^2 + 1)``, though ``x^2`` may be infinite; of complex numbers on a branch cut, on the side of ``x``."""
    return xp.cosh(xp.asinh(x)) if x.dtype.kind == "c" else xp.hypot(x, xp.ones_like(x))


asinh.vjp(x=lambda xp, g, x: g / _hypotenuse(xp, x))

arcsinh = asinh
"""NumPy's name of :func:`asinh`."""


@primitive(batch="elementwise")
def acosh(xp: Namespace, x: Array, /) -> Array:
    """Inverse hyperbolic cosine of ``x >= 1``; derivative ``1 / sqrt(x^2 - 1)``, infinite at 1.

    >>> import gpugrad as gg
    >>> gg.acosh(gg.tensor([1.0, 2.0]))
    tensor([0.       , 1.3169578])
    """
    return xp.acosh(x)


acosh.vjp(x=lambda xp, g, x: g / (xp.sqrt(x - 1) * xp.sqrt(x - -1)))  # as in _leg

arccosh = acosh
"""NumPy's name of :func:`acosh`."""


@primitive(batch="elementwise")
def atanh(xp: Namespace, x: Array, /) -> Array:
    """Inverse hyperbolic tangent of -1 to 1; derivative ``1 / (1 - x^2)``, infinite at -1 and 1.

    >>> import gpugrad as gg
    >>> gg.atanh(gg.tensor([0.0, 0.5]))
    tensor([0.       , 0.5493061])
    """
    return xp.atanh(x)


atanh.vjp(x=lambda xp, g, x: g / _one_less_square.on(xp, x))

arctanh = atanh
"""NumPy's name of :func:`atanh`."""


def _share(xp: Namespace, x: Array, length: Array) -> Array:
    """``x / length``, 0 where the length is."""
    return x / xp.where(length == 0, 1, length)


@primitive(batch="elementwise")
def hypot(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """``sqrt(x1^2 + x2^2)`` without overflow; the gradients are ``g x1 / y`` and ``g x2 / y``.

    At the origin they are 0, and there is no second derivative: that is NaN.

    >>> import gpugrad as gg
    >>> gg.hypot(gg.tensor([3.0, 3e30]), gg.tensor([4.0, 4e30]))
    tensor([5.e+00, 5.e+30])
    """
    return xp.hypot(*real_ones(x1, x2))


def _hypot_x(xp: Namespace, g: Array, x: Array, y: Array) -> Array:
    h = g * _share(xp, x, y)
    return marked(xp, marked(xp, h, y, lambda: y == 0), x, lambda: y == 0)


hypot.vjp(x1=lambda xp, g, x1, y: _hypot_x(xp, g, x1, y), x2=lambda xp, g, x2, y: _hypot_x(xp, g, x2, y))


@primitive(batch="elementwise")
def atan2(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """The angle of the point with abscissa ``x2`` and ordinate ``x1``, in [-pi, pi].

    With ``r^2 = x1^2 + x2^2``, the gradients are ``g x2 / r^2`` and ``-g x1 / r^2``; at the origin 0, second ones NaN.

    >>> import gpugrad as gg
    >>> gg.atan2(gg.tensor([1.0, -1.0]), gg.tensor([1.0, -1.0]))
    tensor([ 0.7853982, -2.3561945])
    """
    return xp.atan2(*real_ones(x1, x2))


def _turn(xp: Namespace, g: Array, across: Array, other: Array) -> Array:
    r = xp.hypot(across, other)
    h = _share(xp, g * _share(xp, across, r), r)
    return marked(xp, marked(xp, h, across, lambda: r == 0), other, lambda: r == 0)


atan2.vjp(
    x1=lambda xp, g, x1, x2: _turn(xp, g, x2, x1),
    x2=lambda xp, g, x1, x2: -_turn(xp, g, x1, x2),
)

arctan2 = atan2
"""NumPy's name of :func:`atan2`."""


@primitive(batch="elementwise")
def sinc(xp: Namespace, x: Array, /) -> Array:
    """``sin(pi x) / (pi x)``, 1 at 0; derivative ``(cos(pi x) - y) / x``, 0 at 0.

    Source: ``numpy.sinc``.

    >>> import gpugrad as gg
    >>> gg.sinc(gg.tensor([0.0, 0.5]))
    tensor([1.       , 0.6366198])
    """
    return xp.sinc(x)


_SERIES = [(-1) ** k * 2 * k * pi ** (2 * k) / factorial(2 * k + 1) for k in range(9, 0, -1)]
"""The derivative of sinc around 0 as a polynomial in ``x^2``, times x; highest power first."""


def _sinc_x(xp: Namespace, g: Array, x: Array) -> Array:
    near = xp.abs(x) < 0.2  # where cos(pi x) and sinc(x) would cancel
    small = xp.where(near, x, 0)
    series = 0.0
    for coefficient in _SERIES:
        series = series * (small * small) + coefficient
    large = xp.where(near, 1, x)
    return g * xp.where(near, small * series, (xp.cos(pi * large) - xp.sinc(large)) / large)


sinc.vjp(x=_sinc_x)
