"""Triangles and diagonals of matrices.

Source: Python array API standard 2024.12 for ``tril`` and ``triu``; the others are NumPy's.
"""

from __future__ import annotations

from typing import Any

from ..backend import Array, Namespace
from ..core import Tensor, primitive
from ..kernels.shapes import Shape
from .creation import asarray
from .dims import takes_dim
from .linear import _diagonal, _on_diagonal
from .padding import pad


@primitive(batch="matrices")
def tril(xp: Namespace, x: Array, /, k: int = 0) -> Array:
    """The lower triangle of each matrix, on and below its k-th diagonal, and exactly 0 above.

    >>> import gpugrad as gg
    >>> gg.tril(gg.ones((2, 2)))
    tensor([[1., 0.],
            [1., 1.]])
    """
    return xp.tril(x, k)


tril.vjp(x=lambda xp, g, k: xp.tril(g, k))


@primitive(batch="matrices")
def triu(xp: Namespace, x: Array, /, k: int = 0) -> Array:
    """The upper triangle of each matrix, on and above its k-th diagonal, and exactly 0 below.

    >>> import gpugrad as gg
    >>> gg.triu(gg.ones((2, 2)), k=1)
    tensor([[0., 1.],
            [0., 0.]])
    """
    return xp.triu(x, k)


triu.vjp(x=lambda xp, g, k: xp.triu(g, k))


@takes_dim
def diagonal(x: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """The diagonal of the matrices in two axes, as the last axis; ``offset`` to the right of the main one.

    Raises:
        ValueError: the axes are the same.

    >>> import gpugrad as gg
    >>> gg.diagonal(gg.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), 1)
    tensor([2., 6.])
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    ndim = len(x.shape)
    rows, columns = axis1 % ndim, axis2 % ndim
    if rows == columns:
        raise ValueError(f"diagonal: expected two axes, got {axis1} twice")
    down, right = max(-offset, 0), max(offset, 0)
    n = max(min(x.shape[rows] - down, x.shape[columns] - right), 0)
    if x.shape[rows] != n or x.shape[columns] != n:
        cut = {rows: slice(down, down + n), columns: slice(right, right + n)}
        x = x[tuple(cut.get(i, slice(None)) for i in range(ndim))]
    return _diagonal(x, rows, columns)


def diag(x: Array, k: int = 0) -> Array:
    """Of a vector the matrix with it on the k-th diagonal, of a matrix that diagonal.

    Raises:
        ValueError: neither one axis nor two.

    >>> import gpugrad as gg
    >>> gg.diag(gg.tensor([1.0, 2.0]))
    tensor([[1., 0.],
            [0., 2.]])
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    if len(x.shape) == 2:
        return diagonal(x, k)
    if len(x.shape) != 1:
        raise ValueError(f"diag: expected a vector or a matrix, got shape {x.shape}")
    square = _on_diagonal(x, 0, 1, (x.shape[0], x.shape[0]))
    down, right = max(-k, 0), max(k, 0)
    return pad(square, ((down, right), (right, down))) if k else square


@primitive(batch=("any_axes", "axis1", "axis2"))
def _trace(xp: Namespace, x: Array, /, offset: int, axis1: int, axis2: int, dtype: Any = None) -> Array:
    return xp.trace(x, offset, axis1, axis2, dtype)


def _trace_x(xp: Namespace, g: Array, x_shape: Shape, offset: int, axis1: int, axis2: int) -> Array:
    both = (axis1 % len(x_shape), axis2 % len(x_shape))
    order = (*(i for i in range(len(x_shape)) if i not in both), *both)
    h = xp.broadcast_to(xp.expand_dims(g, axis=(-2, -1)), tuple(x_shape[i] for i in order))
    return xp.permute_dims(xp.tril(xp.triu(h, offset), offset), tuple(sorted(range(len(order)), key=order.__getitem__)))


_trace.vjp(x=_trace_x)


def trace(x: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """The sum of a diagonal, over the matrices in two axes; see :func:`diagonal`.

    >>> import gpugrad as gg
    >>> gg.trace(gg.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(5.)
    """
    return _trace(x, offset, axis1, axis2)
