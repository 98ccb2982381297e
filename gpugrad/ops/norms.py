"""Norms, condition numbers, ranks.

Source: Python array API standard 2024.12 for ``vector_norm``, ``matrix_norm`` and ``matrix_rank``; ``norm`` and
``cond`` are NumPy's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..backend import Array, Namespace, is_floating
from ..backend.dtypes import float64, int64
from ..core import Tensor, primitive
from ..kernels.shapes import Axis, Shape, axes, kept, length, several
from .arithmetic import abs, divide, multiply, where
from .beside import beside
from .comparison import equal, not_equal
from .corners import marked, over_length, unless_zero
from .creation import astype
from .decompositions import svdvals
from .matrices import as_tensor, conjugate, matrices
from .reduction import max, min, sum
from .rounding import real
from .shaping import expand_dims, permute_dims, reshape
from .solving import inv, tolerance
from .wide import full_in_autocast


@primitive(batch="reduction", cast="float32")
def _norm(xp: Namespace, x: Array, /, ord: float, axis: Axis, keepdims: bool, bounded: bool = False) -> Array:
    """Of a vector over one axis or several; ``ord`` is finite and not 0. A bounded one is not used where it is 0."""
    if isinstance(axis, int) or getattr(axis, "shape", None) == ():
        return xp.linalg.norm(x, ord, axis, keepdims)
    reduced = axes(axis, len(x.shape))
    if ord == 2 and len(reduced) in (2, len(x.shape)):
        return xp.linalg.norm(x, None, None if len(reduced) == len(x.shape) else reduced, keepdims)
    order = (*(i for i in range(len(x.shape)) if i not in reduced), *reduced)
    rest = tuple(x.shape[i] for i in order[: len(order) - len(reduced)])
    rows = xp.reshape(xp.permute_dims(x, order), (*rest, length(x.shape, axis)))
    y = xp.linalg.norm(rows, ord, -1)
    return xp.reshape(y, kept(x.shape, axis)) if keepdims else y


def _norm_x(
    xp: Namespace, g: Array, x: Array, y: Array, x_shape: Shape, ord: float, axis: Axis, bounded: bool
) -> Array:
    """``g conj(x) / |x| (|x| / y)^(p - 1)``; 0 where x or y is 0, and there is no second derivative where y is 0.

    With ``p < 2`` there is none where x is 0 either, with ``p < 3`` no third one.
    """
    small = kept(x_shape, axis)
    y, g = xp.reshape(y, small), xp.reshape(g, small)
    by = None if bounded else x
    if ord == 2:
        return over_length(xp, conjugate(xp, x), g, y, by)
    size = xp.abs(x)
    zero = size == 0
    part = xp.where(zero, 0, (xp.where(zero, 1, size) / xp.where(y == 0, 1, y)) ** (ord - 2))
    part = marked(xp, part, size, lambda: zero) if 2 < ord < 3 else part
    h = over_length(xp, conjugate(xp, x) * part, g, y, by)
    return unless_zero(xp, h, x) if ord < 2 else h


@primitive(batch="elementwise")
def root(xp: Namespace, x: Array, /, ord: float) -> Array:
    """``x^(1 / ord)``, with gradient 0 at 0 by convention.

    >>> import gpugrad as gg
    >>> root(gg.tensor([0.0, 9.0]), 2.0)
    tensor([0., 3.])
    """
    nothing = x == 0
    return xp.where(nothing, 0, xp.where(nothing, 1, x) ** (1 / ord))


def _root_x(xp: Namespace, g: Array, x: Array, y: Array, ord: float) -> Array:
    return over_length(xp, 1 / ord if ord == 2 else xp.where(y == 0, 1, y) ** (2 - ord) / ord, g, y, x)


root.vjp(x=_root_x)


_norm.vjp(x=_norm_x)


def _numbers(name: str, axis: Sequence[int], ndim: int) -> tuple[int, ...]:
    """Axes counted from 0, each once."""
    numbers = tuple(i + ndim if i < 0 else i for i in axis)
    if len(set(numbers)) != len(numbers) or not all(0 <= i < ndim for i in numbers):
        raise ValueError(f"{name}: expected different axes of {ndim}, got {tuple(axis)}")
    return numbers


def bounded_norm(x: Tensor, axis: Axis, ord: float = 2) -> Tensor:
    """The norm as a divisor that has a lower bound, its axes kept: at 0 it is not used, and is no corner.

    >>> import gpugrad as gg
    >>> bounded_norm(gg.tensor([3.0, 4.0]), 0)
    tensor([5.])
    """
    y: Tensor
    if ord in (0, 1) or math.isinf(ord):
        y = vector_norm(x, axis=axis, keepdims=True, ord=ord)
    else:
        over = _numbers("norm", axis, x.ndim) if isinstance(axis, tuple) else axis
        y = _norm(x, ord, over, keepdims=True, bounded=True)
    return y


@full_in_autocast
def vector_norm(x: Array, /, *, axis: Axis = None, keepdims: bool = False, ord: float | str = 2) -> Tensor:
    """``(sum |x|^p)^(1/p)`` with ``p = ord``, over ``axis``, all axes for None.

    Where a norm is 0, its gradient is 0, and so is that of an element which is 0; second derivatives that do not exist
    there are NaN. Of several elements of the largest
    modulus (``inf``) or the smallest (``-inf``), each gets the same part.

    Args:
        x: shape ``(...)``.
        axis: an axis, or several as a tuple.
        keepdims: the reduced axes stay with size 1.
        ord: any number; ``inf`` for the largest modulus, ``-inf`` for the smallest, 0 for the number of elements that
            are not 0, a constant.

    Raises:
        TypeError: ``ord`` is no number.
        ValueError: axes that are not there, or the smallest of nothing.

    >>> import gpugrad as gg
    >>> x = gg.tensor([3.0, -4.0, 0.0], requires_grad=True)
    >>> gg.linalg.vector_norm(x).backward()
    >>> x.grad
    tensor([ 0.6, -0.8,  0. ])
    """
    if not isinstance(ord, int | float):
        raise TypeError(f"vector_norm: expected a number for ord, got {ord!r}")
    t = as_tensor(x)
    if not is_floating(t.dtype):
        t = astype(t, float64)
    if isinstance(axis, tuple):
        axis = _numbers("vector_norm", axis, t.ndim)
    if ord == 0:
        return sum(astype(not_equal(t, 0), real(t).dtype), axis=axis, keepdims=keepdims)
    if ord == 1 or (ord == math.inf and not length(t.shape, axis)):
        return sum(abs(t), axis=axis, keepdims=keepdims)
    if math.isinf(ord):
        return (max if ord > 0 else min)(abs(t), axis=axis, keepdims=keepdims)
    return _norm(t, ord, axis, keepdims)


def matrix_norm(x: Array, /, *, keepdims: bool = False, ord: float | str | None = "fro") -> Array:
    """A norm of each matrix, of shape ``(..., M, N)``.

    Args:
        x: shape ``(..., M, N)``.
        keepdims: the last two axes stay with size 1.
        ord: "fro", the root of the sum of all ``|x|^2``; "nuc", the sum of the singular values; 2 and -2, the largest
            and the smallest of them; 1 and -1, the largest and the smallest sum of moduli of a column; ``inf`` and
            ``-inf``, of a row. Equal largest or smallest ones share the gradient.

    Raises:
        ValueError: fewer than two axes, another ``ord``, or the smallest of nothing.

    >>> import gpugrad as gg
    >>> gg.linalg.matrix_norm(gg.tensor([[1.0, -2.0], [3.0, 4.0]]), ord=1)
    tensor(6.)
    """
    t = matrices("matrix_norm", x)
    if ord in ("fro", "f", None):
        return vector_norm(t, axis=(-2, -1), keepdims=keepdims)
    if ord in ("nuc", 2, -2):
        values = svdvals(t)
    elif ord in (1, -1, math.inf, -math.inf):
        values = vector_norm(t, axis=-2 if ord in (1, -1) else -1, ord=1)
    else:
        raise ValueError(f"matrix_norm: expected ord 'fro', 'nuc', 1, 2, inf, or a negative of these, got {ord!r}")
    y = vector_norm(values, axis=-1, ord=1 if isinstance(ord, str) else math.copysign(math.inf, ord))
    return expand_dims(y, axis=(-2, -1)) if keepdims else y


def norm(x: Array, ord: float | str | None = None, axis: Axis = None, keepdims: bool = False) -> Array:
    """:func:`vector_norm` over one axis, :func:`matrix_norm` over two. Source: ``numpy.linalg.norm``.

    Args:
        x: shape ``(...)``.
        ord: of one of the two; None for the root of the sum of all ``|x|^2``.
        axis: one or two; None for all, of which there may be more if ``ord`` is None.
        keepdims: the reduced axes stay with size 1.

    Raises:
        ValueError: another ``ord``, or another number of axes.

    >>> import gpugrad as gg
    >>> gg.linalg.norm(gg.tensor([[3.0, 4.0], [6.0, 8.0]]), axis=1)
    tensor([ 5., 10.])
    """
    t = as_tensor(x)
    if ord is None:
        return vector_norm(t, axis=axis, keepdims=keepdims)
    over = _numbers("norm", range(t.ndim) if axis is None else several(axis), t.ndim)
    if len(over) == 1:
        return vector_norm(t, axis=over[0], keepdims=keepdims, ord=ord)
    if len(over) != 2:
        raise ValueError(f"norm: expected one axis or two for ord {ord!r}, got {over} of shape {t.shape}")
    y = matrix_norm(permute_dims(t, (*(i for i in range(t.ndim) if i not in over), *over)), ord=ord)
    return reshape(y, kept(t.shape, over)) if keepdims else y


def cond(x: Array, p: float | str | None = None) -> Array:
    """The condition number ``|X| |X^-1|`` of each matrix, by the norm p of :func:`matrix_norm`; None is 2.

    For 2 and -2 the quotient of the largest and the smallest singular value, or its inverse: X need not be square, and
    where there is nothing to divide by, the number is infinite and the gradient 0. Source: ``numpy.linalg.cond``.

    Args:
        x: shape ``(..., M, N)``.
        p: which norm.

    Raises:
        ValueError: no elements, or for other norms a matrix that :func:`inv` refuses.

    >>> import gpugrad as gg
    >>> gg.linalg.cond(gg.tensor([[2.0, 0.0], [0.0, 8.0]]))
    tensor(4.)
    """
    t = matrices("cond", x)
    if not math.prod(t.shape):
        raise ValueError(f"cond: expected matrices with elements, got shape {t.shape}")
    if p not in (None, 2, -2):
        return multiply(matrix_norm(t, ord=p), matrix_norm(inv(t), ord=p))
    values = svdvals(t)
    above, below = (values[..., -1], values[..., 0]) if p == -2 else (values[..., 0], values[..., -1])
    nothing = equal(below, 0)
    return where(nothing, math.inf, divide(above, where(nothing, 1, below)))


@primitive(batch="matrices")
def _rank(xp: Namespace, x: Array, /, rtol: Any) -> Array:
    s = xp.linalg.svd(x, compute_uv=False)
    return xp.sum(s > rtol * xp.max(s, axis=-1, keepdims=True) if s.shape[-1] else s > 0, axis=-1)


_rank.nondifferentiable()


def matrix_rank(x: Array, /, *, tol: Any = None, hermitian: bool = False, rtol: Any = None) -> Array:
    """How many singular values of each matrix are above ``rtol`` times the largest; a constant.

    Args:
        x: shape ``(..., M, N)``.
        tol: what singular values must be above, in place of ``rtol``. Source: ``numpy.linalg.matrix_rank``.
        hermitian: the matrices are Hermitian; changes nothing.
        rtol: a number, or an array of shape ``(...)``; for None ``max(M, N)`` times the machine epsilon.

    Raises:
        ValueError: fewer than two axes, or both ``tol`` and ``rtol``.

    >>> import gpugrad as gg
    >>> gg.linalg.matrix_rank(gg.tensor([[1.0, 2.0], [2.0, 4.0]]))
    tensor(1)
    """
    t = matrices("matrix_rank", x)
    if tol is not None:
        if rtol is not None:
            raise ValueError("matrix_rank: expected tol or rtol, got both")
        least = beside(tol, t)
        return sum(astype(svdvals(Tensor(t.data)) > (least[..., None] if least.shape else least), int64), axis=-1)
    part = tolerance(t, rtol)
    return _rank(t, part[..., None] if getattr(part, "shape", ()) else part)
