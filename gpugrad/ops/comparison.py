"""Comparisons and logic: booleans and constants, without gradients. Operands broadcast.

Complex numbers come in the order of their real parts, and of the imaginary ones where these are equal, as in NumPy.
Source: Python array API standard 2024.12.
"""

from __future__ import annotations

from ..backend import Array, Namespace
from ..core import primitive


@primitive(batch="elementwise")
def equal(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Whether ``x1 == x2``, element by element.

    >>> import gpugrad as gg
    >>> gg.equal(gg.tensor([1.0, 2.0]), gg.tensor([1.0, 3.0]))
    tensor([ True, False])
    """
    return xp.equal(x1, x2)


equal.nondifferentiable()


@primitive(batch="elementwise")
def not_equal(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Whether ``x1 != x2``, element by element.

    >>> import gpugrad as gg
    >>> gg.not_equal(gg.tensor([1.0, 2.0]), gg.tensor([1.0, 3.0]))
    tensor([False,  True])
    """
    return xp.not_equal(x1, x2)


not_equal.nondifferentiable()


@primitive(batch="elementwise")
def less(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Whether ``x1 < x2``, element by element.

    >>> import gpugrad as gg
    >>> gg.less(gg.tensor([1.0, 2.0]), gg.tensor([1.0, 3.0]))
    tensor([False,  True])
    """
    return xp.less(x1, x2)


less.nondifferentiable()


@primitive(batch="elementwise")
def less_equal(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Whether ``x1 <= x2``, element by element.

    >>> import gpugrad as gg
    >>> gg.less_equal(gg.tensor([1.0, 2.0]), gg.tensor([1.0, 3.0]))
    tensor([ True,  True])
    """
    return xp.less_equal(x1, x2)


less_equal.nondifferentiable()


@primitive(batch="elementwise")
def greater(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Whether ``x1 > x2``, element by element.

    >>> import gpugrad as gg
    >>> gg.greater(gg.tensor([1.0, 4.0]), gg.tensor([1.0, 3.0]))
    tensor([False,  True])
    """
    return xp.greater(x1, x2)


greater.nondifferentiable()


@primitive(batch="elementwise")
def greater_equal(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Whether ``x1 >= x2``, element by element.

    >>> import gpugrad as gg
    >>> gg.greater_equal(gg.tensor([1.0, 4.0]), gg.tensor([1.0, 3.0]))
    tensor([ True,  True])
    """
    return xp.greater_equal(x1, x2)


greater_equal.nondifferentiable()


def _truth(x: Array) -> Array:
    """What CuPy's logic takes: neither complex numbers, nor Python integers that the other operand's dtype lacks."""
    if type(x) in (int, complex):
        return x != 0
    return x != 0 if hasattr(x, "dtype") and x.dtype.kind == "c" else x


@primitive(batch="elementwise")
def logical_and(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Whether both are true, element by element.

    >>> import gpugrad as gg
    >>> gg.logical_and(gg.tensor([True, True]), gg.tensor([True, False]))
    tensor([ True, False])
    """
    return xp.logical_and(_truth(x1), _truth(x2))


logical_and.nondifferentiable()


@primitive(batch="elementwise")
def logical_or(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Whether at least one is true, element by element.

    >>> import gpugrad as gg
    >>> gg.logical_or(gg.tensor([True, False]), gg.tensor([True, False]))
    tensor([ True, False])
    """
    return xp.logical_or(_truth(x1), _truth(x2))


logical_or.nondifferentiable()


@primitive(batch="elementwise")
def logical_xor(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """Whether exactly one is true, element by element.

    >>> import gpugrad as gg
    >>> gg.logical_xor(gg.tensor([True, True]), gg.tensor([True, False]))
    tensor([False,  True])
    """
    return xp.logical_xor(_truth(x1), _truth(x2))


logical_xor.nondifferentiable()


@primitive(batch="elementwise")
def logical_not(xp: Namespace, x: Array, /) -> Array:
    """Whether it is false, element by element.

    >>> import gpugrad as gg
    >>> gg.logical_not(gg.tensor([True, False]))
    tensor([False,  True])
    """
    return xp.logical_not(_truth(x))


logical_not.nondifferentiable()


@primitive(batch="elementwise")
def isnan(xp: Namespace, x: Array, /) -> Array:
    """Whether it is NaN, element by element.

    >>> import gpugrad as gg
    >>> gg.isnan(gg.tensor([1.0, float('nan')]))
    tensor([False,  True])
    """
    return xp.isnan(x)


isnan.nondifferentiable()


@primitive(batch="elementwise")
def isinf(xp: Namespace, x: Array, /) -> Array:
    """Whether it is infinite, element by element.

    >>> import gpugrad as gg
    >>> gg.isinf(gg.tensor([1.0, float('inf')]))
    tensor([False,  True])
    """
    return xp.isinf(x)


isinf.nondifferentiable()


@primitive(batch="elementwise")
def isfinite(xp: Namespace, x: Array, /) -> Array:
    """Whether it is neither NaN nor infinite, element by element.

    >>> import gpugrad as gg
    >>> gg.isfinite(gg.tensor([1.0, float('inf')]))
    tensor([ True, False])
    """
    return xp.isfinite(x)


isfinite.nondifferentiable()


@primitive(batch="elementwise")
def bitwise_and(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """``x1 & x2`` of integers or booleans.

    >>> import gpugrad as gg
    >>> gg.bitwise_and(gg.tensor([6]), gg.tensor([3]))
    tensor([2])
    """
    return xp.bitwise_and(x1, x2)


bitwise_and.nondifferentiable()


@primitive(batch="elementwise")
def bitwise_or(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """``x1 | x2`` of integers or booleans.

    >>> import gpugrad as gg
    >>> gg.bitwise_or(gg.tensor([6]), gg.tensor([3]))
    tensor([7])
    """
    return xp.bitwise_or(x1, x2)


bitwise_or.nondifferentiable()


@primitive(batch="elementwise")
def bitwise_xor(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """``x1 ^ x2`` of integers or booleans.

    >>> import gpugrad as gg
    >>> gg.bitwise_xor(gg.tensor([6]), gg.tensor([3]))
    tensor([5])
    """
    return xp.bitwise_xor(x1, x2)


bitwise_xor.nondifferentiable()


@primitive(batch="elementwise")
def bitwise_invert(xp: Namespace, x: Array, /) -> Array:
    """``~x`` of integers or booleans.

    >>> import gpugrad as gg
    >>> gg.bitwise_invert(gg.tensor([True, False]))
    tensor([False,  True])
    """
    return xp.invert(x)


bitwise_invert.nondifferentiable()


@primitive(batch="elementwise")
def bitwise_left_shift(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """``x1 << x2`` of integers: ``x1 2^x2``.

    >>> import gpugrad as gg
    >>> gg.bitwise_left_shift(gg.tensor([3]), gg.tensor([2]))
    tensor([12])
    """
    return xp.left_shift(x1, x2)


bitwise_left_shift.nondifferentiable()


@primitive(batch="elementwise")
def bitwise_right_shift(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """``x1 >> x2`` of integers: ``floor(x1 / 2^x2)``.

    >>> import gpugrad as gg
    >>> gg.bitwise_right_shift(gg.tensor([12]), gg.tensor([2]))
    tensor([3])
    """
    return xp.right_shift(x1, x2)


bitwise_right_shift.nondifferentiable()
