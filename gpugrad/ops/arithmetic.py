"""Arithmetic: the operators, and their local gradients.

Operands broadcast against each other (NumPy's rules); the engine sums a gradient over the axes that were broadcast.
Python numbers take the dtype of the array beside them (NEP 50). Shapes that do not broadcast raise ValueError, operands
on different devices too. Complex numbers have no remainder, which raises TypeError. Source of the names: Python array
API standard 2024.12.
"""

from __future__ import annotations

from ..backend import Array, Namespace
from ..core import Tensor, primitive
from ..kernels import composed as kernels
from .corners import marked, unless_zero


@primitive(batch="elementwise")
def add(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """``x1 + x2``. A distributor: each input gets the upstream gradient.

    >>> import gpugrad as gg
    >>> gg.add(gg.tensor([1.0, 2.0]), 1.0)
    tensor([2., 3.])
    """
    return xp.add(x1, x2)


add.vjp(
    x1=lambda xp, g: g,
    x2=lambda xp, g: g,
)


@primitive(batch="elementwise")
def subtract(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """``x1 - x2``.

    >>> import gpugrad as gg
    >>> gg.subtract(gg.tensor([1.0, 2.0]), 1.0)
    tensor([0., 1.])
    """
    return xp.subtract(x1, x2)


subtract.vjp(
    x1=lambda xp, g: g,
    x2=lambda xp, g: -g,
)


@primitive(batch="elementwise")
def multiply(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """``x1 * x2``. A switcher: each input gets the upstream gradient times the other input.

    >>> import gpugrad as gg
    >>> gg.multiply(gg.tensor([1.0, 2.0]), 3.0)
    tensor([3., 6.])
    """
    return xp.multiply(x1, x2)


multiply.vjp(
    x1=lambda xp, g, x2: g * x2,
    x2=lambda xp, g, x1: g * x1,
)


@primitive(batch="elementwise")
def divide(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """``x1 / x2``; the gradients are ``g / x2`` and ``-g y / x2``.

    >>> import gpugrad as gg
    >>> gg.divide(gg.tensor([1.0, 2.0]), 2.0)
    tensor([0.5, 1. ])
    """
    return xp.divide(x1, x2)


divide.vjp(
    x1=lambda xp, g, x2: g / x2,
    x2=lambda xp, g, x2, y: -g * y / x2,
)


@primitive(batch="elementwise")
def floor_divide(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """``floor(x1 / x2)``, flat between its jumps: the gradients are 0.

    >>> import gpugrad as gg
    >>> gg.floor_divide(gg.tensor([7.0, -7.0]), 2.0)
    tensor([ 3., -4.])
    """
    return xp.floor_divide(x1, x2)


floor_divide.vjp(
    x1=lambda xp, g: xp.zeros_like(g),
    x2=lambda xp, g: xp.zeros_like(g),
)


@primitive(batch="elementwise")
def remainder(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """``x1 - floor(x1 / x2) x2``, with the sign of ``x2``; the gradients are ``g`` and ``-g floor(x1 / x2)``.

    >>> import gpugrad as gg
    >>> gg.remainder(gg.tensor([7.0, -7.0]), 4.0)
    tensor([3., 1.])
    """
    return xp.remainder(x1, x2)


remainder.vjp(
    x1=lambda xp, g: g,
    x2=lambda xp, g, x1, x2: -g * xp.floor_divide(x1, x2),
)


@primitive(batch="elementwise")
def negative(xp: Namespace, x: Array, /) -> Array:
    """``-x``.

    >>> import gpugrad as gg
    >>> gg.negative(gg.tensor([1.0, -2.0]))
    tensor([-1.,  2.])
    """
    return xp.negative(x)


negative.vjp(x=lambda xp, g: -g)


@primitive(batch="elementwise")
def positive(xp: Namespace, x: Array, /) -> Array:
    """``+x``.

    >>> import gpugrad as gg
    >>> gg.positive(gg.tensor([1.0, -2.0]))
    tensor([ 1., -2.])
    """
    return xp.positive(x)


positive.vjp(x=lambda xp, g: g)


@primitive(batch="elementwise", cast="float32")
def pow(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """``x1 ** x2``, with ``0 ** 0 = 1``.

    The gradients are ``g x2 x1^(x2 - 1)``, which is 0 where ``x2`` is 0, and ``g y log(x1)``, which is 0 where ``x1``
    is 0 and ``x2`` is not negative, as PyTorch has it.

    >>> import gpugrad as gg
    >>> gg.pow(gg.tensor([2.0, 3.0]), 2)
    tensor([4., 9.])
    """
    return xp.pow(x1, x2)


def _pow_x1(xp: Namespace, g: Array, x1: Array, x2: Array) -> Array:
    if isinstance(x2, int | float):  # a constant exponent: the power is known without looking at an array
        return xp.zeros_like(g) if x2 == 0 else g if x2 == 1 else g * (x2 * x1 if x2 == 2 else x2 * x1 ** (x2 - 1))
    base = xp.where((x1 == 0) & (x2 == 0), 1, x1)  # 0 ** -1 must not meet the factor 0
    h = g * (x2 * base ** (x2 - 1))
    return marked(xp, h, x2, lambda: _steep(xp, x1, x2)) if hasattr(x2, "shape") else h


def _steep(xp: Namespace, x1: Array, x2: Array) -> Array:
    """Where ``x1^(x2 - 1) log(x1)``, a part of the mixed derivative, is infinite."""
    return (x1 == 0) & ((xp.real(x2) if x2.dtype.kind == "c" else x2) <= 1)


def _pow_x2(xp: Namespace, g: Array, x1: Array, x2: Array, y: Array) -> Array:
    flat = (x1 == 0) & (x2 >= 0)
    base = xp.where(flat, 1, x1)
    if y.dtype.kind == "c" != base.dtype.kind:  # a negative number to a complex power
        base = xp.astype(base, y.dtype)
    h = g * xp.where(flat, 0, y * xp.log(base))
    h = marked(xp, h, x2, lambda: (x1 == 0) & (x2 == 0))
    return marked(xp, h, x1, lambda: _steep(xp, x1, x2)) if hasattr(x1, "shape") else h


pow.vjp(x1=_pow_x1, x2=_pow_x2)


@primitive(batch="elementwise")
def abs(xp: Namespace, x: Array, /) -> Array:
    """``|x|``; the gradient is ``g sign(x)``, 0 at 0.

    >>> import gpugrad as gg
    >>> gg.abs(gg.tensor([1.0, -2.0]))
    tensor([1., 2.])
    """
    return xp.abs(x)


def _abs_x(xp: Namespace, g: Array, x: Array) -> Array:
    if x.dtype.kind != "c":
        return g * xp.sign(x)
    return unless_zero(xp, g * xp.conj(xp.sign(x)), x)


abs.vjp(x=_abs_x)


@primitive(batch="elementwise")
def _sign(xp: Namespace, x: Array, /) -> Array:
    return xp.sign(x)


@primitive(batch="elementwise")
def _direction(xp: Namespace, x: Array, /) -> Array:
    """``x / |x|`` of complex numbers, whose gradient needs them; the gradient of signs needs nothing."""
    return xp.sign(x)


def _direction_x(xp: Namespace, g: Array, x: Array) -> Array:
    y, length = xp.sign(x), xp.abs(x)
    across = xp.imag(g * y) / xp.where(length == 0, 1, length)  # along x nothing changes
    return unless_zero(xp, 1j * across * xp.conj(y), x)


_sign.vjp(x=lambda xp, g: xp.zeros_like(g))
_direction.vjp(x=_direction_x)


def sign(x: Array, /) -> Array:
    """-1, 0 or 1 by the sign of ``x``; the gradient is 0. Of complex numbers ``x / |x|``, 0 at 0, as ``torch.sgn``.

    >>> import gpugrad as gg
    >>> gg.sign(gg.tensor([3.0, -0.5, 0.0]))
    tensor([ 1., -1.,  0.])
    """
    return _direction(x) if hasattr(x, "dtype") and x.dtype.kind == "c" else _sign(x)


@primitive(batch="elementwise")
def maximum(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """The larger of the two, element by element. A router: the larger input gets the gradient; ties share it evenly.

    NaN in either gives NaN. Source: ``torch.maximum``.

    >>> import gpugrad as gg
    >>> gg.maximum(gg.tensor([1.0, 5.0]), gg.tensor([3.0, 2.0]))
    tensor([3., 5.])
    """
    return xp.maximum(x1, x2)


def _routed(xp: Namespace, g: Array, tie: Array, lost: Array) -> Array:
    return xp.where(tie, 0.5 * g, xp.where(lost, 0, g))


maximum.vjp(
    x1=lambda xp, g, x1, x2: _routed(xp, g, x1 == x2, x1 < x2),
    x2=lambda xp, g, x1, x2: _routed(xp, g, x1 == x2, x2 < x1),
)


@primitive(batch="elementwise")
def minimum(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """The smaller of the two, element by element; gradients as for :func:`maximum`.

    >>> import gpugrad as gg
    >>> gg.minimum(gg.tensor([1.0, 5.0]), gg.tensor([3.0, 2.0]))
    tensor([1., 2.])
    """
    return xp.minimum(x1, x2)


minimum.vjp(
    x1=lambda xp, g, x1, x2: _routed(xp, g, x1 == x2, x1 > x2),
    x2=lambda xp, g, x1, x2: _routed(xp, g, x1 == x2, x2 > x1),
)


@primitive(batch="elementwise")
def _clip(xp: Namespace, x: Array, min: Array | None, max: Array | None, /) -> Array:
    y = xp.clip(x, min, max)
    wanted = getattr(x, "dtype", y.dtype)
    alike = y.dtype.kind == wanted.kind or (y.dtype.kind in "iu" and wanted.kind in "iu")
    return xp.astype(xp.asarray(y), wanted) if alike and y.dtype != wanted else y


def _inside(x: Array, min: Array | None, max: Array | None) -> Array:
    above = x == x if min is None else x >= min
    return above if max is None else above & (x <= max)


def _clip_min(xp: Namespace, g: Array, x: Array, min: Array, max: Array | None) -> Array:
    below = x < min
    return xp.where(below if max is None else below & (min < max), g, 0)


_clip.vjp(
    x=lambda xp, g, x, min, max: xp.where(_inside(x, min, max), g, 0),
    min=_clip_min,
    max=lambda xp, g, x, min, max: xp.where(x > max if min is None else (x > max) | (max < min), g, 0),
)


def clip(x: Array, /, min: Array | None = None, max: Array | None = None) -> Tensor:
    """``min(max(x, min), max)``; the gradient passes where ``min <= x <= max``, the rest goes to the bound that holds.

    Args:
        x: shape ``(...)``.
        min: lower bound, a number or a tensor that broadcasts against ``x``; None for no bound.
        max: upper bound; where the bounds cross, it holds. Source: ``torch.clamp``. Wider bounds of its kind leave
            ``x`` its dtype, as the standard asks.

    >>> import gpugrad as gg
    >>> gg.clip(gg.tensor([-1.0, 0.5, 2.0]), 0, 1)
    tensor([0. , 0.5, 1. ])
    """
    return _clip(x, min, max)


@primitive(batch="elementwise")
def where(xp: Namespace, condition: Array, x1: Array, x2: Array, /) -> Array:
    """``x1`` where the condition holds, else ``x2``; the branch not taken gets exactly 0, never NaN.

    With the condition alone, as NumPy's, it is :func:`nonzero`.

    >>> import gpugrad as gg
    >>> gg.where(gg.tensor([True, False]), gg.tensor([1.0, 2.0]), 0.0)
    tensor([1., 0.])
    """
    return kernels.chosen(xp, condition, x1, x2)


where.vjp(
    x1=lambda xp, g, condition: kernels.kept(xp, condition, g),
    x2=lambda xp, g, condition: kernels.dropped(xp, condition, g),
)
