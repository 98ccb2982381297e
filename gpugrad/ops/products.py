"""Products of vectors, matrices and higher arrays, most of them composed of ``matmul`` and ``multiply``.

Source: Python array API standard 2024.12 for ``tensordot``, ``vecdot``, ``outer`` and ``cross``; NumPy for the others.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence

from ..backend import Array, Namespace
from ..core import Tensor, primitive
from ..kernels.shapes import several
from .arithmetic import multiply
from .axes import moveaxis, ravel
from .dims import takes_dim
from .linear import einsum, matmul
from .nested import together
from .rounding import conj
from .shaping import permute_dims, reshape, which_axis


def tensordot(x1: Array, x2: Array, /, axes: int | tuple[Sequence[int], Sequence[int]] = 2) -> Array:
    """Products summed over pairs of axes: one matrix product.

    Args:
        x1: shape ``(...)``.
        x2: shape ``(...)``.
        axes: the axes of ``x1`` and, pair by pair, of ``x2``; or how many: the last of ``x1`` with the first of ``x2``.

    Raises:
        ValueError: paired axes have different sizes.

    >>> import gpugrad as gg
    >>> gg.tensordot(gg.ones((2, 3, 4)), gg.ones((4, 3)), axes=((1, 2), (1, 0)))
    tensor([12., 12.])
    """
    if not (isinstance(x1, Tensor) and isinstance(x2, Tensor)):
        x1, x2 = together("tensordot", x1, x2)
    m, n = len(x1.shape), len(x2.shape)
    if isinstance(axes, int) or getattr(axes, "shape", None) == ():
        axes = operator.index(axes)  # type: ignore[arg-type]
        left, right = list(range(m - axes, m)), list(range(axes))
    else:
        left, right = ([a % k for a in several(of)] for of, k in zip(axes, (m, n), strict=True))
    sizes = [x1.shape[a] for a in left]
    if sizes != [x2.shape[a] for a in right]:
        raise ValueError(f"tensordot: axes of different size: {x1.shape} and {x2.shape} over {axes}")
    outer1 = [i for i in range(m) if i not in left]
    outer2 = [i for i in range(n) if i not in right]
    rows, columns = tuple(x1.shape[i] for i in outer1), tuple(x2.shape[i] for i in outer2)
    inside = math.prod(sizes)
    a = reshape(permute_dims(x1, (*outer1, *left)), (math.prod(rows), inside))
    b = reshape(permute_dims(x2, (*right, *outer2)), (inside, math.prod(columns)))
    return reshape(matmul(a, b), (*rows, *columns))


def vecdot(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    """``sum(conj(x1) x2)`` along ``axis``, the other axes broadcast.

    Raises:
        ValueError: the sizes along the axis differ.
        AxisError: there is no such axis.

    >>> import gpugrad as gg
    >>> gg.vecdot(gg.tensor([[1.0, 2.0], [3.0, 4.0]]), gg.tensor([1.0, 1.0]))
    tensor([3., 7.])
    """
    if not (isinstance(x1, Tensor) and isinstance(x2, Tensor)):
        x1, x2 = together("vecdot", x1, x2)
    which_axis("vecdot", axis, min(len(x1.shape), len(x2.shape)))
    if x1.shape[axis] != x2.shape[axis]:
        raise ValueError(f"vecdot: axes of different size: {x1.shape} and {x2.shape} along {axis}")
    x1 = conj(x1) if x1.dtype.kind == "c" else x1
    if len(x1.shape) == len(x2.shape) == 1:
        return matmul(x1, x2)
    return einsum("...i,...i->...", moveaxis(x1, axis, -1), moveaxis(x2, axis, -1))


def outer(x1: Array, x2: Array, /) -> Array:
    """Each element of ``x1`` times each of ``x2``: shapes ``(M,)`` and ``(N,)`` to ``(M, N)``; others are flattened.

    >>> import gpugrad as gg
    >>> gg.outer(gg.tensor([1.0, 2.0]), gg.tensor([3.0, 4.0]))
    tensor([[3., 4.],
            [6., 8.]])
    """
    if not (isinstance(x1, Tensor) and isinstance(x2, Tensor)):
        x1, x2 = together("outer", x1, x2)
    return multiply(reshape(x1, (math.prod(x1.shape), 1)), ravel(x2))


def inner(x1: Array, x2: Array, /) -> Array:
    """The sum of products over the last axes: shapes ``(..., N)`` and ``(..., N)``; 0-d operands multiply.

    >>> import gpugrad as gg
    >>> gg.inner(gg.tensor([1.0, 2.0]), gg.tensor([3.0, 4.0]))
    tensor(11.)
    """
    if not (isinstance(x1, Tensor) and isinstance(x2, Tensor)):
        x1, x2 = together("inner", x1, x2)
    m, n = len(x1.shape), len(x2.shape)
    if not m or not n:
        return multiply(x1, x2)
    return matmul(x1, x2) if m == n == 1 else tensordot(x1, x2, axes=((-1,), (-1,)))


def dot(x1: Array, x2: Array, /) -> Array:
    """The sum of products over the last axis of ``x1`` and the last but one (or the only one) of ``x2``.

    Raises:
        ValueError: the axes have different sizes.

    >>> import gpugrad as gg
    >>> gg.dot(gg.tensor([1.0, 2.0]), gg.tensor([[3.0], [4.0]]))
    tensor([11.])
    """
    if not (isinstance(x1, Tensor) and isinstance(x2, Tensor)):
        x1, x2 = together("dot", x1, x2)
    m, n = len(x1.shape), len(x2.shape)
    if not m or not n:
        return multiply(x1, x2)
    return matmul(x1, x2) if m <= 2 and n <= 2 else tensordot(x1, x2, axes=((-1,), (-min(2, n),)))


def kron(x1: Array, x2: Array, /) -> Array:
    """The Kronecker product: ``x2`` times each element of ``x1``, laid out as these are.

    >>> import gpugrad as gg
    >>> gg.kron(gg.tensor([1.0, 10.0]), gg.tensor([1.0, 2.0, 3.0]))
    tensor([ 1.,  2.,  3., 10., 20., 30.])
    """
    if not (isinstance(x1, Tensor) and isinstance(x2, Tensor)):
        x1, x2 = together("kron", x1, x2)
    ndim = max(len(x1.shape), len(x2.shape))
    a, b = ((1,) * (ndim - len(x.shape)) + tuple(x.shape) for x in (x1, x2))
    left = reshape(x1, tuple(size for n in a for size in (n, 1)))
    right = reshape(x2, tuple(size for n in b for size in (1, n)))
    return reshape(multiply(left, right), tuple(m * n for m, n in zip(a, b, strict=True)))


@primitive(batch="matrices")
def _cross(xp: Namespace, x1: Array, x2: Array, /, axis: int) -> Array:
    return xp.cross(x1, x2, axis=axis)


_cross.vjp(
    x1=lambda xp, g, x2, axis: xp.cross(x2, g, axis=axis),
    x2=lambda xp, g, x1, axis: xp.cross(g, x1, axis=axis),
)


@takes_dim
class _Last(int):
    """The last axis as a default, which can be told from one that is given."""


LAST = _Last(-1)


def cross(
    x1: Array, x2: Array, /, *, axis: int | None = LAST, axisa: int = -1, axisb: int = -1, axisc: int = -1
) -> Array:
    """The cross product of vectors of 3 along ``axis``, the other axes broadcast.

    Without ``axis``, ``axisa``, ``axisb`` and ``axisc`` are the axes of ``x1``, ``x2`` and the result. A given ``axis``
    wins over them, as in NumPy.

    Raises:
        ValueError: another size than 3.
        AxisError: there is no such axis.

    >>> import gpugrad as gg
    >>> gg.cross(gg.tensor([1.0, 0.0, 0.0]), gg.tensor([0.0, 1.0, 0.0]))
    tensor([0., 0., 1.])
    """
    if not (isinstance(x1, Tensor) and isinstance(x2, Tensor)):
        x1, x2 = together("cross", x1, x2)
    if (axis is None or axis is LAST) and (axisa, axisb, axisc) != (-1, -1, -1):
        return moveaxis(cross(moveaxis(x1, axisa, -1), moveaxis(x2, axisb, -1)), -1, axisc)
    axis = -1 if axis is None else axis
    m, n = len(x1.shape), len(x2.shape)
    which_axis("cross", axis, min(m, n))
    if x1.shape[axis] != 3 or x2.shape[axis] != 3:
        raise ValueError(f"cross: expected size 3 along axis {axis}, got shapes {x1.shape} and {x2.shape}")
    if axis >= 0 and m != n:
        return moveaxis(_cross(moveaxis(x1, axis, -1), moveaxis(x2, axis, -1), axis=-1), -1, axis)
    return _cross(x1, x2, axis=axis if axis < 0 else axis - m)
