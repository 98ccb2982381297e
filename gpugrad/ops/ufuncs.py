"""NumPy's functions of elements that the array API standard leaves out. Operands broadcast.

Source: NumPy; where numbers tie, the gradient is shared evenly, as by ``maximum``.
"""

from __future__ import annotations

import math

from .. import backend
from ..backend import Array, Namespace
from ..backend.dtypes import float64
from ..core import primitive
from .activation import sigmoid
from .arithmetic import multiply, pow
from .beside import beside
from .creation import asarray, astype
from .inspection import result_type
from .rounding import trunc

LOG_2 = math.log(2)


def _routed(xp: Namespace, g: Array, x: Array, y: Array, other: Array) -> Array:
    """The gradient for ``x`` if it was chosen, half of it where both are the same; a lone NaN is passed over."""
    return xp.where(x == other, 0.5 * g, xp.where((x == y) | xp.isnan(y), g, 0))


@primitive(batch="elementwise")
def fmax(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """The larger of the two, element by element, as :func:`maximum`, but a number wins over NaN.

    >>> import gpugrad as gg
    >>> gg.fmax(gg.tensor([1.0, float('nan')]), gg.tensor([3.0, 2.0]))
    tensor([3., 2.])
    """
    return xp.fmax(x1, x2)


@primitive(batch="elementwise")
def fmin(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """The smaller of the two, element by element, as :func:`minimum`, but a number wins over NaN.

    >>> import gpugrad as gg
    >>> gg.fmin(gg.tensor([1.0, float('nan')]), gg.tensor([3.0, 2.0]))
    tensor([1., 2.])
    """
    return xp.fmin(x1, x2)


for _function in (fmax, fmin):
    _function.vjp(
        x1=lambda xp, g, x1, x2, y: _routed(xp, g, x1, y, x2),
        x2=lambda xp, g, x1, x2, y: _routed(xp, g, x2, y, x1),
    )


@primitive(batch="elementwise")
def fmod(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """``x1 - trunc(x1 / x2) x2``, with the sign of ``x1``; the gradients are ``g`` and ``-g trunc(x1 / x2)``.

    >>> import gpugrad as gg
    >>> gg.fmod(gg.tensor([7.0, -7.0]), 4.0)
    tensor([ 3., -3.])
    """
    return xp.fmod(x1, x2)


fmod.vjp(
    x1=lambda xp, g: g,
    x2=lambda xp, g, x1, x2: -g * xp.trunc(x1 / x2),
)


@primitive(batch="elementwise")
def fabs(xp: Namespace, x: Array, /) -> Array:
    """``|x|`` as floating point, for integers too; the gradient is ``g sign(x)``, 0 at 0.

    >>> import gpugrad as gg
    >>> gg.fabs(gg.tensor([1.0, -2.0]))
    tensor([1., 2.])
    """
    return xp.fabs(x)


fabs.vjp(x=lambda xp, g, x: g * xp.sign(x))


@primitive(batch="elementwise")
def cbrt(xp: Namespace, x: Array, /) -> Array:
    """The cube root, of negative numbers too; derivative ``1 / (3 y^2)``, infinite at 0.

    >>> import gpugrad as gg
    >>> gg.cbrt(gg.tensor([8.0, -27.0]))
    tensor([ 2., -3.])
    """
    return xp.cbrt(x)


cbrt.vjp(x=lambda xp, g, y: g / (3 * y * y))


@primitive(batch="elementwise")
def logaddexp2(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """``log2(2^x1 + 2^x2)`` without overflow; as :func:`logaddexp`, to base 2.

    >>> import gpugrad as gg
    >>> gg.logaddexp2(gg.tensor([0.0, 1000.0]), gg.tensor([0.0, 1000.0]))
    tensor([   1., 1001.])
    """
    return xp.logaddexp2(x1, x2)


def _share(xp: Namespace, g: Array, x: Array, other: Array) -> Array:
    both = (x == other) & (abs(x) == math.inf)  # inf - inf must not be computed; equal numbers must stay in the graph
    return g * sigmoid.on(xp, (xp.where(both, 0, x) - xp.where(both, 0, other)) * LOG_2)


logaddexp2.vjp(
    x1=lambda xp, g, x1, x2: _share(xp, g, x1, x2),
    x2=lambda xp, g, x1, x2: _share(xp, g, x2, x1),
)


@primitive(batch="elementwise")
def heaviside(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """0 where ``x1`` is negative, ``x2`` where it is 0, 1 where it is positive; ``x2`` gets the gradient at 0.

    >>> import gpugrad as gg
    >>> gg.heaviside(gg.tensor([-1.0, 0.0, 2.0]), 0.5)
    tensor([0. , 0.5, 1. ])
    """
    return xp.heaviside(x1, x2)


heaviside.vjp(
    x1=lambda xp, g: xp.zeros_like(g),
    x2=lambda xp, g, x1: xp.where(x1 + xp.zeros_like(g) == 0, g, 0),  # x1 may be a number
)


def float_power(x1: Array, x2: Array, /) -> Array:
    """``x1 ** x2`` in float64 (complex128), integers to negative powers too.

    >>> import gpugrad as gg
    >>> gg.float_power(gg.tensor([2, 4]), -1)
    tensor([0.5 , 0.25], dtype=float64)
    """
    wanted = result_type(*(x if hasattr(x, "dtype") else asarray(x) for x in (x1, x2)), float64)
    return pow(*(astype(asarray(x), wanted, copy=False) if hasattr(x, "dtype") else x for x in (x1, x2)))


def deg2rad(x: Array, /) -> Array:
    """Degrees as radians: ``x pi / 180``.

    >>> import gpugrad as gg
    >>> gg.deg2rad(gg.tensor([180.0, 90.0]))
    tensor([3.1415927, 1.5707964])
    """
    return multiply(x, math.pi / 180)


def rad2deg(x: Array, /) -> Array:
    """Radians as degrees: ``x 180 / pi``.

    >>> import gpugrad as gg
    >>> gg.rad2deg(gg.tensor([gg.pi, gg.pi / 2]))
    tensor([180.,  90.])
    """
    return multiply(x, 180 / math.pi)


radians = deg2rad
"""NumPy's other name of :func:`deg2rad`."""

degrees = rad2deg
"""NumPy's other name of :func:`rad2deg`."""


@primitive(batch="elementwise", outputs=True)
def divmod(xp: Namespace, x1: Array, x2: Array, /) -> tuple[Array, Array]:
    """``(floor_divide(x1, x2), remainder(x1, x2))``, at once.

    >>> import gpugrad as gg
    >>> gg.divmod(gg.tensor([7.0, -7.0]), 4.0)
    (tensor([ 1., -2.]), tensor([3., 1.]))
    """
    quotient, rest = xp.divmod(x1, x2)
    return quotient, rest


divmod.vjp(
    x1=lambda xp, g: g[1],
    x2=lambda xp, g, x1, x2: -g[1] * xp.floor_divide(x1, x2),
)


def modf(x: Array, /) -> tuple[Array, Array]:
    """The part behind the point and that before it, both with the sign of ``x``; the gradient goes to the first.

    Of an infinity the first part is 0.

    >>> import gpugrad as gg
    >>> gg.modf(gg.tensor([1.25, -1.25]))
    (tensor([ 0.25, -0.25]), tensor([ 1., -1.]))
    """
    t = asarray(x)
    t = t if backend.is_floating(t.dtype) else astype(t, float64)
    return _behind_the_point(t), trunc(t)


@primitive(batch="elementwise")
def _behind_the_point(xp: Namespace, x: Array, /) -> Array:
    return xp.modf(x)[0]


_behind_the_point.vjp(x=lambda xp, g: g)


def ldexp(x1: Array, x2: Array, /) -> Array:
    """``x1 2^x2`` for integers ``x2``.

    >>> import gpugrad as gg
    >>> gg.ldexp(gg.tensor([1.0, 3.0]), gg.tensor([2, -1]))
    tensor([4. , 1.5])
    """
    t = asarray(x1)
    return multiply(t, pow(2.0, beside(x2, t, t.dtype)))
