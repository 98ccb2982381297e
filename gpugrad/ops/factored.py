"""Matrices as products of factors that are kept: LU with pivots, Cholesky, and solving with them.

Source: ``scipy.linalg``. Rule of LU: Walter, Lehmann, "Algorithmic differentiation of linear algebra functions with
application in optimum experimental design", 2010.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..backend import Array, Namespace, matrix_functions
from ..core import Tensor, primitive
from .decompositions import cholesky
from .diagonals import triu
from .inspection import broadcast_shapes
from .matrices import as_tensor, each_matrix, eye_like, matrices, transposed
from .selection import take_along_axis
from .shaping import broadcast_to, expand_dims, squeeze
from .solving import _solve_triangular, solve_triangular

# -------------------------------------------------------------------- LU


@primitive(batch="matrices", outputs=True)
def _lu(xp: Namespace, x: Array, /) -> tuple[Array, ...]:
    """L without its diagonal and U in one matrix; the row that each row was exchanged with."""
    if 0 in x.shape[-2:]:
        return x, xp.zeros((*x.shape[:-2], 0), dtype=xp.int32)
    factor = matrix_functions(xp).lu_factor
    return tuple(each_matrix(xp, lambda a: tuple(factor(a, check_finite=False)), x))


@_lu.joint_vjp
def _lu_x(xp: Namespace, g: tuple[Array, ...], wanted: tuple[str, ...], x: Array, y: tuple[Array, ...]) -> list[Array]:
    """``P L^-T (tril(L^T g, -1) + triu(g U^T)) U^-T``, L and U made square with ones on the diagonal."""
    (packed, pivots), g_packed = y, g[0]
    m, n = x.shape[-2:]
    k = min(m, n)
    if k == 0:
        return [g_packed]
    lower, upper = packed[..., :, :k], packed[..., :k, :]
    if m > k:
        lower = xp.concat([lower, xp.zeros_like(packed[..., :, :1]) + xp.zeros((m - k,), dtype=packed.dtype)], axis=-1)
    if n > k:
        rest = xp.zeros_like(packed[..., :1, :]) + xp.zeros((n - k, 1), dtype=packed.dtype)
        upper = xp.concat([upper, rest + xp.eye(n, dtype=packed.dtype)[k:, :]], axis=-2)
    one = xp.eye(m, dtype=packed.dtype)
    lower, upper = xp.tril(lower, k=-1) + one, xp.triu(upper)
    lower_t, upper_t = transposed(xp, lower), transposed(xp, upper)
    middle = xp.tril(lower_t @ xp.tril(g_packed, k=-1), k=-1) + xp.triu(xp.triu(g_packed) @ upper_t)
    h = _solve_triangular.on(xp, lower_t, middle, lower=False, unit=True)
    h = transposed(xp, _solve_triangular.on(xp, upper, transposed(xp, h), lower=False, unit=False))
    rows = _permutation.on(xp, pivots, m=m, inverse=True)
    return [xp.take_along_axis(h, xp.broadcast_to(rows[..., None], h.shape), axis=-2)]


@primitive(batch="matrices")
def _permutation(xp: Namespace, pivots: Array, /, m: int, inverse: bool) -> Array:
    """The row of a matrix of m rows that comes to each place by the exchanges; or where each row comes to."""
    places = xp.arange(m)
    rows = xp.broadcast_to(places, (*pivots.shape[:-1], m))
    count = pivots.shape[-1]
    for i in range(count - 1, -1, -1) if inverse else range(count):
        other = xp.astype(pivots[..., i : i + 1], rows.dtype)
        here, there = rows[..., i : i + 1], xp.take_along_axis(rows, other, axis=-1)
        rows = xp.where(places == i, there, xp.where(places == other, here, rows))
    return rows


_permutation.nondifferentiable()


@primitive(batch="matrices")
def _exchange(xp: Namespace, pivots: Array, /, m: int, dtype: Any) -> Array:
    """The permutation matrix P of ``A = P L U``, with ones at ``(rows[i], i)``."""
    rows = _permutation.on(xp, pivots, m=m, inverse=False)
    return xp.astype(xp.expand_dims(rows, axis=-2) == xp.arange(m)[:, None], dtype)


_exchange.nondifferentiable()


@primitive(batch="matrices")
def _unit_lower(xp: Namespace, x: Array, /) -> Array:
    """The lower triangle of each matrix, with ones on its diagonal."""
    return xp.tril(x, k=-1) + eye_like(xp, x)


_unit_lower.vjp(x=lambda xp, g: xp.tril(g, k=-1))


class LUFactor(NamedTuple):
    """What :func:`lu_factor` returns."""

    lu: Array
    piv: Array


def lu_factor(a: Array) -> LUFactor:
    """The factors of ``A = P L U`` for :func:`lu_solve`: rows are exchanged so that the elements of L are at most 1.

    On a GPU matrices are factored one after the other, and each is waited for. Source: ``scipy.linalg.lu_factor``.

    Args:
        a: shape ``(..., M, N)``.

    Returns:
        ``lu``, U and below its diagonal L without its ones, of shape ``(..., M, N)``; and ``piv``, constant integers of
        shape ``(..., min(M, N))``: row ``i`` was exchanged with row ``piv[i]``.

    Raises:
        ValueError: fewer than two axes. A singular matrix warns; its gradient raises.

    >>> import gpugrad as gg
    >>> factors = gg.linalg.lu_factor(gg.tensor([[2.0, 1.0], [4.0, 4.0]]))
    >>> factors.lu
    tensor([[ 4. ,  4. ],
            [ 0.5, -1. ]])
    >>> gg.linalg.lu_solve(factors, gg.tensor([3.0, 8.0]))
    tensor([1., 1.])
    """
    packed, pivots = _lu(matrices("lu_factor", a))
    return LUFactor(packed, Tensor(pivots.data))


def lu(a: Array, permute_l: bool = False, *, p_indices: bool = False) -> Any:
    """``A = P L U``: P a permutation, L with ones on its diagonal and 0 above, U an upper triangle. ``K = min(M, N)``.

    Source: ``scipy.linalg.lu``.

    Args:
        a: shape ``(..., M, N)``.
        permute_l: return ``P L`` and U.
        p_indices: give P as integers of shape ``(..., M)``, ``A = L[p] U``.

    Returns:
        P of shape ``(..., M, M)``, a constant, L of ``(..., M, K)`` and U of ``(..., K, N)``.

    Raises:
        ValueError: fewer than two axes. The gradient of a singular matrix raises.

    >>> import gpugrad as gg
    >>> p, l, u = gg.linalg.lu(gg.tensor([[2.0, 1.0], [4.0, 4.0]]))
    >>> l, u
    (tensor([[1. , 0. ],
            [0.5, 1. ]]), tensor([[ 4.,  4.],
            [ 0., -1.]]))
    """
    packed, pivots = lu_factor(a)
    m, n = packed.shape[-2:]
    k = min(m, n)
    lower, upper = _unit_lower(packed[..., :, :k]), triu(packed[..., :k, :])
    if permute_l or p_indices:
        places = _permutation(pivots, m=m, inverse=True)
        return (_rows_of(lower, places), upper) if permute_l else (places, lower, upper)
    return _exchange(pivots, m=m, dtype=packed.dtype), lower, upper


def lu_solve(lu_and_piv: tuple[Array, Array], b: Array, trans: int = 0) -> Array:
    """``x`` with ``A x = b``, from the factors of :func:`lu_factor`. Source: ``scipy.linalg.lu_solve``.

    Args:
        lu_and_piv: the factors, of shapes ``(..., M, M)`` and ``(..., M)``.
        b: shape ``(M,)`` or ``(..., M, K)``.
        trans: 1 for ``A^T x = b``, 2 for ``A^H x = b``.

    Raises:
        ValueError: another ``trans``, or sizes that do not fit, or a singular matrix (on the GPU: infinities and NaN).

    >>> import gpugrad as gg
    >>> gg.linalg.lu_solve(gg.linalg.lu_factor(gg.tensor([[0.0, 2.0], [4.0, 0.0]])), gg.tensor([2.0, 4.0]))
    tensor([1., 1.])
    """
    if trans not in (0, 1, 2):
        raise ValueError(f"lu_solve: expected trans 0, 1 or 2, got {trans!r}")
    packed, c = matrices("lu_solve", lu_and_piv[0]), as_tensor(b)
    m = packed.shape[-1]
    if packed.shape[-2] != m or c.shape[-1 if c.ndim == 1 else -2] != m:
        raise ValueError(f"lu_solve: expected factors of square matrices and b of as many rows, got {packed.shape} and "
                         f"{c.shape}")  # fmt: skip
    vector = c.ndim == 1
    c = expand_dims(c, axis=-1) if vector else c
    rows = _permutation(as_tensor(lu_and_piv[1]), m=m, inverse=trans != 0)
    if trans == 0:
        c = _rows_of(c, rows)
        c = solve_triangular(packed, c, lower=True, unit_diagonal=True)
        x = solve_triangular(packed, c)
    else:
        c = solve_triangular(packed, c, trans=trans)
        c = solve_triangular(packed, c, trans=trans, lower=True, unit_diagonal=True)
        x = _rows_of(c, rows)
    return squeeze(x, axis=-1) if vector else x


def _rows_of(x: Tensor, rows: Tensor) -> Any:
    if rows.ndim == 1:
        return x[..., rows, :]
    shape = (*broadcast_shapes(rows.shape[:-1], x.shape[:-2]), *x.shape[-2:])
    return take_along_axis(broadcast_to(x, shape), broadcast_to(rows[..., None], shape), axis=-2)


# -------------------------------------------------------------------- Cholesky


class CholeskyFactor(NamedTuple):
    """What :func:`cho_factor` returns."""

    c: Array
    lower: bool


def cho_factor(a: Array, lower: bool = False) -> CholeskyFactor:
    """A triangular factor of a positive definite matrix, for :func:`cho_solve`: ``A = U^H U``, or ``L L^H``.

    As :func:`cholesky`, whose triangle it is; the other triangle is 0. Source: ``scipy.linalg.cho_factor``.

    Args:
        a: Hermitian and positive definite, shape ``(..., M, M)``.
        lower: which triangle is read, and returned.

    Raises:
        ValueError: not square, or not positive definite (on the GPU the result is meaningless instead).

    >>> import gpugrad as gg
    >>> gg.linalg.cho_solve(gg.linalg.cho_factor(gg.tensor([[4.0, 2.0], [2.0, 10.0]])), gg.tensor([6.0, 12.0]))
    tensor([1., 1.])
    """
    return CholeskyFactor(cholesky(a, upper=not lower), lower)


def cho_solve(c_and_lower: tuple[Array, bool], b: Array) -> Array:
    """``x`` with ``A x = b``, from the factor of :func:`cho_factor` or :func:`cholesky`, by two substitutions.

    Source: ``scipy.linalg.cho_solve``.

    Args:
        c_and_lower: the factor, of shape ``(..., M, M)``, and which triangle of it is read.
        b: shape ``(M,)`` or ``(..., M, K)``.

    Raises:
        ValueError: sizes that do not fit.

    >>> import gpugrad as gg
    >>> gg.linalg.cho_solve((gg.tensor([[2.0, 0.0], [1.0, 3.0]]), True), gg.tensor([6.0, 12.0]))
    tensor([1., 1.])
    """
    c, lower = c_and_lower
    first, second = (0, 2) if lower else (2, 0)
    return solve_triangular(c, solve_triangular(c, b, trans=first, lower=lower), trans=second, lower=lower)
