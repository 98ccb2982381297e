"""Linear equations: solving, inverting, least squares.

A singular matrix raises on the CPU. CuPy does not look, so that the GPU need not be waited for: there the result has
infinities and NaN, or is meaningless; in debug mode they raise. (``with cupyx.errstate(linalg="raise")`` makes CuPy
look.) float16 is refused by NumPy and CuPy.

Source: Python array API standard 2024.12 for ``inv``, ``solve`` and ``pinv``; the others are NumPy's, and
``solve_triangular`` SciPy's. Rules: Giles, "An extended collection of matrix derivative results for forward and reverse
mode automatic differentiation", 2008.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..backend import Array, Namespace, matrix_functions
from ..backend.dtypes import float64
from ..core import Tensor, primitive
from .inspection import finfo
from .matrices import adjoint, as_tensor, conjugate, eye_like, hermitian_part, matrices, transposed
from .rounding import conj
from .shaping import matrix_transpose, permute_dims, reshape

Shape = tuple[int, ...]


@primitive(batch="matrices")
def inv(xp: Namespace, x: Array, /) -> Array:
    """The inverse of each square matrix: ``Y = X^-1``; gradient ``-Y^T g Y^T``.

    Raises:
        ValueError: not square, or singular (on the GPU: NaN).

    >>> import gpugrad as gg
    >>> gg.linalg.inv(gg.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5 , 0.  ],
            [0.  , 0.25]])
    """
    return xp.linalg.inv(x)


def _inv_x(xp: Namespace, g: Array, y: Array) -> Array:
    t = transposed(xp, y)
    return -(t @ g @ t)


inv.vjp(x=_inv_x)


@primitive(batch="solved")
def solve(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """``Y`` with ``X1 Y = X2``, without an inverse; gradients ``h = X1^-T g`` for ``x2`` and ``-h Y^T`` for ``x1``.

    ``x1`` of shape ``(..., M, M)`` and ``x2`` of shape ``(..., M, K)``, batch axes broadcast, or ``(M,)``, a vector for
    all matrices. The result has shape ``(..., M, K)``, or ``(..., M)`` for a vector.

    Raises:
        ValueError: sizes that do not fit, or a singular matrix (on the GPU: NaN).

    >>> import gpugrad as gg
    >>> gg.linalg.solve(gg.tensor([[2.0, 0.0], [0.0, 4.0]]), gg.tensor([2.0, 2.0]))
    tensor([1. , 0.5])
    """
    if len(x2.shape) > 1 and len(x1.shape) > 1 and x1.shape[:-2] != x2.shape[:-2]:  # CuPy broadcasts nothing
        batch = xp.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
        x1, x2 = (xp.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (x1, x2))
    if len(x2.shape) > 1 and x2.shape[-1] == 0:  # CuPy takes no batches of nothing
        return xp.linalg.solve(x1, xp.zeros((*x2.shape[:-1], 1), dtype=x2.dtype))[..., :0]
    return xp.linalg.solve(x1, x2)


@solve.joint_vjp
def _solve_both(xp: Namespace, g: Array, wanted: tuple[str, ...], x1: Array, y: Array, x2_shape: Shape) -> list[Array]:
    if len(x2_shape) == 1:
        g, y = xp.expand_dims(g, axis=-1), xp.expand_dims(y, axis=-1)
    h = solve.on(xp, transposed(xp, x1), g)
    by_right = xp.squeeze(h, axis=-1) if len(x2_shape) == 1 else h
    return [by_right if name == "x2" else -(h @ transposed(xp, y)) for name in wanted]


# -------------------------------------------------------------------- triangles


@primitive(batch="vector_right")
def _solve_triangular(xp: Namespace, a: Array, b: Array, /, lower: bool, unit: bool) -> Array:
    """By substitution. Several matrices at once by their LU factors, which need no pivots: the triangle and the
    identity; a lower triangle is solved upside down.
    """
    if len(a.shape) == 2 and len(b.shape) < 3:
        solver = matrix_functions(xp).solve_triangular
        return solver(a, b, lower=lower, unit_diagonal=unit, check_finite=False)
    t = (xp.tril if lower else xp.triu)(a, k=(-1 if lower else 1) if unit else 0)
    if unit:
        t = t + eye_like(xp, t)
    if not lower:
        return solve.on(xp, t, b)
    rows = -1 if len(b.shape) == 1 else -2
    return xp.flip(solve.on(xp, xp.flip(t, axis=(-2, -1)), xp.flip(b, axis=rows)), axis=rows)


@_solve_triangular.joint_vjp
def _triangular_both(
    xp: Namespace, g: Array, wanted: tuple[str, ...], a: Array, y: Array, b_shape: Shape, lower: bool, unit: bool
) -> list[Array]:
    vector = len(b_shape) == 1
    if vector:
        g, y = xp.expand_dims(g, axis=-1), xp.expand_dims(y, axis=-1)
    h = _solve_triangular.on(xp, transposed(xp, a), g, lower=not lower, unit=unit)
    by_right = xp.squeeze(h, axis=-1) if vector else h
    if wanted == ("b",):
        return [by_right]
    by_left = -(h @ transposed(xp, y))
    by_left = xp.tril(by_left, k=-unit) if lower else xp.triu(by_left, k=+unit)
    return [by_right if name == "b" else by_left for name in wanted]


def solve_triangular(
    a: Array, b: Array, trans: int | str = 0, lower: bool = False, unit_diagonal: bool = False
) -> Array:
    """:func:`solve` by substitution, with one triangle of ``a``: what is in the other has no gradient.

    Source: ``scipy.linalg.solve_triangular``.

    Args:
        a: shape ``(..., M, M)``.
        b: shape ``(M,)`` or ``(..., M, K)``.
        trans: 0 or "N" for ``A x = b``, 1 or "T" for ``A^T x = b``, 2 or "C" for ``A^H x = b``.
        lower: which triangle.
        unit_diagonal: take ones for the diagonal, whatever is there.

    Raises:
        ValueError: another ``trans``; or as :func:`solve`.

    >>> import gpugrad as gg
    >>> gg.linalg.solve_triangular(gg.tensor([[2.0, 9.0], [1.0, 1.0]]), gg.tensor([2.0, 2.0]), lower=True)
    tensor([1., 1.])
    """
    if trans not in (0, 1, 2, "N", "T", "C"):
        raise ValueError(f"solve_triangular: expected trans 0, 1, 2, 'N', 'T' or 'C', got {trans!r}")
    t, c = matrices("solve_triangular", a), as_tensor(b)
    rows = c.shape[-1 if c.ndim == 1 else -2] if c.ndim else None
    if t.shape[-1] != t.shape[-2] or rows != t.shape[-1]:
        raise ValueError(
            f"solve_triangular: expected square matrices and b of as many rows, got shapes {t.shape} and {c.shape}"
        )
    if trans in (0, "N"):
        return _solve_triangular(t, c, bool(lower), bool(unit_diagonal))
    t = matrix_transpose(t)
    if trans in (2, "C") and t.dtype.kind == "c":
        t = conj(t)
    return _solve_triangular(t, c, not lower, bool(unit_diagonal))


# -------------------------------------------------------------------- least squares


@primitive(batch="matrices")
def _pinv(xp: Namespace, x: Array, /, rtol: Any) -> Array:
    return xp.linalg.pinv(x, rtol)


def _pinv_x(xp: Namespace, g: Array, x: Array, y: Array) -> Array:
    """From ``dY = -Y dX Y + Y Y^H dX^H (1 - X Y) + (1 - Y X) dX^H Y^H Y``."""
    g, p = conjugate(xp, g), adjoint(xp, y)
    adjoint_g = adjoint(xp, g)
    left, right = adjoint_g @ y @ p, p @ y @ adjoint_g
    h = left - x @ (y @ left) + right - (right @ y) @ x - p @ g @ p
    return conjugate(xp, h)


_pinv.vjp(x=_pinv_x)


def tolerance(x: Array, rtol: Any) -> Any:
    """``rtol``, or for None the number of rows or columns times the machine epsilon."""
    if rtol is None:
        return max(x.shape[-2:]) * float(finfo(x.dtype if x.dtype.kind in "fc" else float64).eps)
    return rtol.data if isinstance(rtol, Tensor) else rtol


def pinv(x: Array, /, rcond: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Array:
    """The pseudoinverse of Moore and Penrose: singular values not above ``rtol`` times the largest count as 0.

    The gradient is that at constant rank: G. Golub, V. Pereyra, "The differentiation of pseudo-inverses and nonlinear
    least squares problems whose variables separate", 1973.

    Args:
        x: shape ``(..., M, N)``.
        rcond: NumPy's name of ``rtol``.
        hermitian: the matrices are Hermitian: so is the gradient. Source: ``numpy.linalg.pinv``.
        rtol: a number, or an array of shape ``(...)``; for None ``max(M, N)`` times the machine epsilon.

    Returns:
        Shape ``(..., N, M)``.

    Raises:
        ValueError: fewer than two axes.

    >>> import gpugrad as gg
    >>> gg.linalg.pinv(gg.tensor([[2.0], [0.0]]))
    tensor([[0.5, 0. ]])
    """
    t = matrices("pinv", x)
    t = hermitian_part(t) if hermitian else t
    return _pinv(t, tolerance(t, rcond if rtol is None else rtol))


@primitive(outputs=True)
def _lstsq(xp: Namespace, a: Array, b: Array, /, rcond: float) -> tuple[Array, ...]:
    return tuple(xp.linalg.lstsq(a, b, rcond))


@_lstsq.joint_vjp
def _lstsq_both(
    xp: Namespace, g: tuple[Array, ...], wanted: tuple[str, ...], a: Array, b: Array, y: tuple[Array, ...], rcond: float
) -> list[Array]:
    p, x, g_x = _pinv.on(xp, a, rtol=rcond), y[0], conjugate(xp, g[0])
    vector = len(b.shape) == 1
    if vector:
        b, x, g_x = (xp.expand_dims(c, axis=-1) for c in (b, x, g_x))
    adjoint_p = adjoint(xp, p)
    u, error = adjoint_p @ g_x, b - a @ x  # as for the pseudoinverse, with the gradient g_x b^H
    h_a = error @ adjoint(xp, p @ u) + (adjoint_p @ x) @ adjoint(xp, g_x - adjoint(xp, a) @ u) - u @ adjoint(xp, x)
    h_b = u
    if y[1].shape[0]:
        pull = 2 * error * g[1]
        h_a, h_b = h_a - pull @ adjoint(xp, x), h_b + pull
    gradients = {"a": conjugate(xp, h_a), "b": conjugate(xp, xp.squeeze(h_b, axis=-1) if vector else h_b)}
    return [gradients[name] for name in wanted]


@primitive
def _singular_values(xp: Namespace, a: Array, s: Array, /) -> Array:
    """``s``, known to be the singular values of ``a``; vectors are computed if a gradient comes."""
    return s


def _singular_values_a(xp: Namespace, g: Array, a: Array) -> Array:
    u, _, vh = xp.linalg.svd(a, full_matrices=False)
    return conjugate(xp, (u * xp.expand_dims(g, axis=-2)) @ vh)


_singular_values.vjp(
    a=_singular_values_a,
    s=lambda xp, g: xp.zeros_like(g),  # all of the gradient goes by a
)


class LstsqResult(NamedTuple):
    """What :func:`lstsq` returns."""

    x: Array
    residuals: Array
    rank: Array
    s: Array


def lstsq(a: Array, b: Array, rcond: float | None = None) -> LstsqResult:
    """The shortest ``x`` that minimises ``|b - a x|^2``; gradients at constant rank, as of ``pinv(a) @ b``.

    Args:
        a: shape ``(M, N)``.
        b: shape ``(M,)`` or ``(M, K)``.
        rcond: singular values not above this part of the largest count as 0; for None as in :func:`pinv`.

    Returns:
        ``x`` of shape ``(N,)`` or ``(N, K)``; ``residuals``, the minima, of shape ``(1,)`` or ``(K,)``, or ``(0,)``
        where the rank is below N or ``M <= N``; the rank, a constant; and the singular values, with the gradients of
        :func:`svdvals`. The GPU is waited for. Source: ``numpy.linalg.lstsq``.

    Raises:
        ValueError: ``a`` is no matrix, or the numbers of rows differ.

    >>> import gpugrad as gg
    >>> gg.linalg.lstsq(gg.tensor([[1.0], [1.0]]), gg.tensor([1.0, 3.0])).x
    tensor([2.])
    """
    t = matrices("lstsq", a)
    x, residuals, rank, s = _lstsq(t, b, tolerance(t, rcond))
    return LstsqResult(x, residuals, Tensor(rank.data), _singular_values(t, Tensor(s.data)))


# -------------------------------------------------------------------- composed


def tensorsolve(a: Array, b: Array, axes: Sequence[int] | None = None) -> Array:
    """``x`` with ``tensordot(a, x, axes=x.ndim) == b``. Source: ``numpy.linalg.tensorsolve``.

    Args:
        a: shape ``(*b.shape, *Q)``, where the sizes of Q multiply up to those of ``b``.
        b: shape ``(...)``.
        axes: of ``a``, to be moved to its end before.

    Returns:
        Shape Q.

    Raises:
        ValueError: the sizes do not fit, or the matrix is singular.

    >>> import gpugrad as gg
    >>> gg.linalg.tensorsolve(gg.reshape(gg.eye(4), (2, 2, 4)), gg.ones((2, 2)))
    tensor([1., 1., 1., 1.])
    """
    t, c = as_tensor(a), as_tensor(b)
    if axes is not None:
        last = [axis % t.ndim for axis in axes]
        t = permute_dims(t, (*(i for i in range(t.ndim) if i not in last), *last))
    shape, size = t.shape[c.ndim :], math.prod(c.shape)
    if math.prod(shape) != size or math.prod(t.shape[: c.ndim]) != size:
        raise ValueError(f"tensorsolve: expected a square matrix over {size} elements of b, got shape {t.shape}")
    return reshape(solve(reshape(t, (size, size)), reshape(c, (size,))), shape)


def tensorinv(a: Array, ind: int = 2) -> Array:
    """The inverse of ``tensordot(a, x, axes=ind)`` as a function of x. Source: ``numpy.linalg.tensorinv``.

    Args:
        a: shape ``(*P, *Q)``, P of ``ind`` axes, whose sizes multiply up to those of Q.
        ind: how many axes P has.

    Returns:
        Shape ``(*Q, *P)``.

    Raises:
        ValueError: ``ind`` is not positive, the sizes do not fit, or the matrix is singular.

    >>> import gpugrad as gg
    >>> gg.linalg.tensorinv(gg.reshape(2 * gg.eye(4), (2, 2, 4))).shape
    (4, 2, 2)
    """
    t = as_tensor(a)
    first, last = t.shape[: max(ind, 0)], t.shape[max(ind, 0) :]
    size = math.prod(first)
    if ind <= 0 or math.prod(last) != size:
        raise ValueError(f"tensorinv: expected a square matrix over the first {ind} axes, got shape {t.shape}")
    return reshape(inv(reshape(t, (size, size))), (*last, *first))
