"""Rounding, signs and parts of numbers, element by element.

Rounding is flat between its jumps: gradients are 0. Source: Python array API standard 2024.12; ``angle`` and
``nan_to_num`` are NumPy's.
"""

from __future__ import annotations

import math

from ..backend import Array, Namespace
from ..core import primitive
from .corners import unless_zero


def real_ones(*operands: Array) -> tuple[Array, ...]:
    """The operands, of which none is complex: CuPy would take them where NumPy does not."""
    for x in operands:
        if type(x) is complex or (hasattr(x, "dtype") and x.dtype.kind == "c"):
            raise TypeError(f"expected real numbers, got {getattr(x, 'dtype', x)}")
    return operands


@primitive(batch="elementwise")
def floor(xp: Namespace, x: Array, /) -> Array:
    """The largest integer not above ``x``; the gradient is 0.

    >>> import gpugrad as gg
    >>> gg.floor(gg.tensor([1.5, -1.5]))
    tensor([ 1., -2.])
    """
    return xp.floor(x)


floor.vjp(x=lambda xp, g: xp.zeros_like(g))


@primitive(batch="elementwise")
def ceil(xp: Namespace, x: Array, /) -> Array:
    """The smallest integer not below ``x``; the gradient is 0.

    >>> import gpugrad as gg
    >>> gg.ceil(gg.tensor([1.5, -1.5]))
    tensor([ 2., -1.])
    """
    return xp.ceil(x)


ceil.vjp(x=lambda xp, g: xp.zeros_like(g))


@primitive(batch="elementwise")
def trunc(xp: Namespace, x: Array, /) -> Array:
    """The integer towards 0; the gradient is 0.

    >>> import gpugrad as gg
    >>> gg.trunc(gg.tensor([1.5, -1.5]))
    tensor([ 1., -1.])
    """
    return xp.trunc(x)


trunc.vjp(x=lambda xp, g: xp.zeros_like(g))


@primitive(batch="elementwise")
def round(xp: Namespace, x: Array, /, decimals: int = 0) -> Array:
    """The nearest integer, halves to the even one, or the nearest with so many decimals; the gradient is 0.

    >>> import gpugrad as gg
    >>> gg.round(gg.tensor([0.5, 1.5, 2.7]))
    tensor([0., 2., 3.])
    """
    return xp.round(x, decimals)


round.vjp(x=lambda xp, g: xp.zeros_like(g))


@primitive(batch="elementwise")
def signbit(xp: Namespace, x: Array, /) -> Array:
    """Whether the sign is negative, that of ``-0.0`` too.

    >>> import gpugrad as gg
    >>> gg.signbit(gg.tensor([0.0, -0.0, -2.0]))
    tensor([False,  True,  True])
    """
    return xp.signbit(x)


signbit.nondifferentiable()


@primitive(batch="elementwise")
def copysign(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """``|x1|`` with the sign of ``x2``; the gradients are ``g`` or ``-g``, 0 where ``x1`` is 0, and 0.

    Source of the convention: ``torch.copysign``.

    >>> import gpugrad as gg
    >>> gg.copysign(gg.tensor([1.0, -2.0]), gg.tensor([-0.0, 3.0]))
    tensor([-1.,  2.])
    """
    return xp.copysign(*real_ones(x1, x2))


copysign.vjp(
    x1=lambda xp, g, x1, x2: g * (xp.sign(x1) * xp.copysign(xp.ones_like(g), x2)),
    x2=lambda xp, g: xp.zeros_like(g),
)


@primitive(batch="elementwise")
def nextafter(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """The next representable number after ``x1`` in the direction of ``x2``; the gradients are ``g`` and 0.

    >>> import gpugrad as gg
    >>> gg.nextafter(gg.tensor([1.0]), 2.0)
    tensor([1.0000001])
    """
    return xp.nextafter(*real_ones(x1, x2))


nextafter.vjp(x1=lambda xp, g: g, x2=lambda xp, g: xp.zeros_like(g))


@primitive(batch="elementwise", view=True)
def real(xp: Namespace, x: Array, /) -> Array:
    """The real part: of real numbers, they themselves.

    >>> import gpugrad as gg
    >>> gg.real(gg.tensor([1 + 2j]))
    tensor([1.])
    """
    y = xp.real(x)
    return x[...] if y is x else y  # a part of it in both cases, as core/temporary.py wants to know


real.vjp(x=lambda xp, g: g)


@primitive(batch="elementwise", view=True)
def imag(xp: Namespace, x: Array, /) -> Array:
    """The imaginary part: of real numbers, 0.

    >>> import gpugrad as gg
    >>> gg.imag(gg.tensor([1 + 2j]))
    tensor([2.])
    """
    return xp.imag(x)


imag.vjp(x=lambda xp, g: g * -1j)  # of a real variable the engine takes the real part, which is 0


@primitive(batch="elementwise")
def conj(xp: Namespace, x: Array, /) -> Array:
    """The complex conjugate: of real numbers, they themselves.

    >>> import gpugrad as gg
    >>> gg.conj(gg.tensor([1 + 2j]))
    tensor([1.-2.j], dtype=complex64)
    """
    return xp.conj(x)


conj.vjp(x=lambda xp, g: xp.conj(g))


@primitive(batch="elementwise")
def angle(xp: Namespace, x: Array, /, deg: bool = False) -> Array:
    """The angle of complex numbers in radians, in [-pi, pi], or in degrees; of real ones, 0 or pi.

    The gradient is ``i x g / |x|^2``, across ``x``, and 0 at 0 and for real numbers.

    >>> import gpugrad as gg
    >>> gg.angle(gg.tensor([1j, -2.0 + 0j]), deg=True)
    tensor([ 90., 180.])
    """
    return xp.angle(x, deg)


def _angle_x(xp: Namespace, g: Array, x: Array, deg: bool) -> Array:
    if x.dtype.kind != "c":
        return xp.zeros_like(g)
    nothing = x == 0
    h = g * (-180j / math.pi if deg else -1j) * xp.where(nothing, 0, 1 / xp.where(nothing, 1, x))
    return unless_zero(xp, h, x)


angle.vjp(x=_angle_x)


@primitive(batch="elementwise")
def nan_to_num(
    xp: Namespace, x: Array, /, *, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Array:
    """``x`` with numbers for NaN and infinities, for None the largest there are; the gradient passes elsewhere.

    Source: ``numpy.nan_to_num``.

    >>> import gpugrad as gg
    >>> gg.nan_to_num(gg.tensor([1.0, float('nan'), float('inf')]), posinf=9.0)
    tensor([1., 0., 9.])
    """
    return xp.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)


def _nan_to_num_x(xp: Namespace, g: Array, x: Array) -> Array:
    if x.dtype.kind != "c":
        return xp.where(xp.isfinite(x), g, 0)
    a, b = (xp.where(xp.isfinite(part(x)), part(g), 0) for part in (xp.real, xp.imag))  # each part by itself
    return a + 1j * b


nan_to_num.vjp(x=_nan_to_num_x)
