"""Matrices taken apart: Cholesky, QR, singular values.

Factors are made unique by what the libraries agree on: a positive diagonal (Cholesky), a real one (QR, where its signs
are the library's), singular values in decreasing order. What is left open, such as the signs and phases of singular
vectors, may differ from one library to the other; gradients are right for functions that do not depend on it.

Source: Python array API standard 2024.12. Rules: Giles, "An extended collection of matrix derivative results for
forward and reverse mode automatic differentiation", 2008; Seeger, Hetzel, Dai, Meissner, Lawrence, "Auto-
differentiating linear algebra", 2017; Townsend, "Differentiating the singular value decomposition", 2016; Walter,
Lehmann, "Algorithmic differentiation of linear algebra functions with application in optimum experimental design",
2010.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..backend import Array, Namespace
from ..core import Tensor, primitive
from .arithmetic import where
from .creation import astype
from .eigenvalues import eigh
from .matrices import (
    adjoint,
    as_tensor,
    between,
    conjugate,
    degenerate,
    eye_like,
    matrices,
    skew,
    transposed,
    unsettled,
)
from .rounding import conj
from .selection import argsort, take_along_axis
from .shaping import expand_dims, matrix_transpose
from .solving import solve


@primitive(batch="matrices")
def _cholesky(xp: Namespace, x: Array, /) -> Array:
    return xp.linalg.cholesky(x)


def _cholesky_x(xp: Namespace, g: Array, y: Array) -> Array:
    """``(S + S^H) / 2``, ``S = L^-H P L^-1``, P the lower triangle of ``L^H g``, its diagonal halved."""
    lower = xp.tril(adjoint(xp, y) @ conjugate(xp, g))
    halved = lower * (1 - eye_like(xp, lower) / 2)
    left = solve.on(xp, adjoint(xp, y), halved)
    s = adjoint(xp, solve.on(xp, adjoint(xp, y), adjoint(xp, left)))
    return conjugate(xp, (s + adjoint(xp, s)) / 2)


_cholesky.vjp(x=_cholesky_x)


def cholesky(x: Array, /, *, upper: bool = False) -> Array:
    """The lower triangle L with a positive diagonal and ``L L^H = X``; with ``upper``, ``L^H``.

    Of X only the same triangle is read. The gradient is Hermitian: that of a function of Hermitian matrices, as in
    PyTorch.

    Args:
        x: Hermitian and positive definite, shape ``(..., M, M)``.
        upper: which triangle.

    Raises:
        ValueError: not square, or not positive definite (on the GPU the result is meaningless instead).

    >>> import gpugrad as gg
    >>> gg.linalg.cholesky(gg.tensor([[4.0, 2.0], [2.0, 10.0]]))
    tensor([[2., 0.],
            [1., 3.]])
    """
    if not upper:
        return _cholesky(x)
    return _adjoint(_cholesky(_adjoint(as_tensor(x))))


def _adjoint(x: Tensor) -> Tensor:
    t: Tensor = matrix_transpose(x)
    return conj(t) if t.dtype.kind == "c" else t


# -------------------------------------------------------------------- QR


@primitive(batch="matrices", outputs=True)
def _qr(xp: Namespace, x: Array, /, mode: str) -> tuple[Array, ...]:
    return tuple(xp.linalg.qr(x, mode=mode))


def _qr_x(xp: Namespace, g: tuple[Array, ...], x: Array, y: tuple[Array, ...]) -> Array:
    """``(g_Q + Q (M + M^H)) R^-H``, M the upper triangle of ``g_R R^H - Q^H g_Q`` with half of its diagonal.

    A wide matrix is a square one, ``X_1 = Q R_1``, and ``R_2 = Q^H X_2``. Of a complete Q, the columns beyond those of
    X span what is orthogonal to them: they turn as they must, and no more.
    """
    (q, r), (g_q, g_r) = y, (conjugate(xp, part) for part in g)
    m, n = x.shape[-2:]
    k = min(m, n)
    if q.shape[-1] > k:
        g_q, g_r = _inside(xp, q, g_q, k), g_r[..., :k, :]
        q, r = q[..., :k], r[..., :k, :]
    if n > k:
        g_q = g_q + x[..., k:] @ adjoint(xp, g_r[..., k:])
    r_1, g_1 = r[..., :k], g_r[..., :k]
    r_1 = xp.where((r_1 == 0) & (eye_like(xp, r_1) != 0), float("nan"), r_1)  # a singular R would raise
    upper = xp.triu(g_1 @ adjoint(xp, r_1) - adjoint(xp, q) @ g_q)
    both = (upper + adjoint(xp, upper)) * (1 - eye_like(xp, upper) / 2)
    h = adjoint(xp, solve.on(xp, r_1, adjoint(xp, g_q + q @ both)))
    if n > k:
        h = xp.concat([h, q @ g_r[..., k:]], axis=-1)
    return conjugate(xp, h)


_qr.vjp(x=_qr_x)


def _inside(xp: Namespace, u: Array, g: Array, k: int) -> Array:
    """Of the gradient of a unitary matrix, that of its first k columns, which the others follow:
    ``U_2' = -U_1 (U_2^H U_1')^H``, so ``g_1 - U_2 g_2^H U_1``.
    """
    return g[..., :k] - u[..., k:] @ (adjoint(xp, g[..., k:]) @ u[..., :k])


class QRResult(NamedTuple):
    """What :func:`qr` returns."""

    Q: Array
    R: Array


def qr(x: Array, /, *, mode: str = "reduced") -> Any:
    """``X = Q R``, Q with orthonormal columns, R an upper triangle. With ``K = min(M, N)``:

    Args:
        x: shape ``(..., M, N)``; if the first K columns are linearly dependent, the gradient is NaN.
        mode: "reduced" for Q of shape ``(..., M, K)`` and R of ``(..., K, N)``; "complete" for ``(..., M, M)`` and
            ``(..., M, N)``; "r" for R of the first alone, without a tuple.

    Raises:
        ValueError: another mode, or fewer than two axes.

    >>> import gpugrad as gg
    >>> q, r = gg.linalg.qr(gg.tensor([[3.0, 5.0], [4.0, 5.0]]))
    >>> gg.abs(r)
    tensor([[5., 7.],
            [0., 1.]])
    """
    if mode not in ("reduced", "complete", "r"):
        raise ValueError(f"qr: expected mode 'reduced', 'complete' or 'r', got {mode!r}")
    t = matrices("qr", x)
    result = QRResult(*_qr(t, "reduced" if mode == "r" else mode))
    return result.R if mode == "r" else result


# -------------------------------------------------------------------- singular values


@primitive(batch="matrices", outputs="partial")
def _svd(xp: Namespace, x: Array, /, full_matrices: bool) -> tuple[Array, ...]:
    return tuple(xp.linalg.svd(x, full_matrices=full_matrices))


def _svd_x(xp: Namespace, g: tuple[Array, ...], x: Array, y: tuple[Array, ...]) -> Array:
    """``U (A S + S B + diag(g_S)) V^H + (1 - U U^H) g_U S^-1 V^H + U S^-1 g_V^H (1 - V V^H)``, with
    ``A_ij = (X - X^H)_ij / (s_j^2 - s_i^2)``, ``X = U^H g_U``, and B likewise of ``V^H g_V``.

    The diagonals of X and B are turns of phases: only their difference means anything.
    """
    u, s, vh = y
    v, k = adjoint(xp, vh), s.shape[-1]
    if g[0] is None and g[2] is None:
        return _of_values(xp, g[1], x, u[..., :k], s, vh[..., :k, :])
    g_u = xp.zeros_like(u) if g[0] is None else conjugate(xp, g[0])
    g_v = xp.zeros_like(v) if g[2] is None else transposed(xp, g[2])
    if u.shape[-1] > k:
        u, g_u = u[..., :k], _inside(xp, u, g_u, k)
    if v.shape[-1] > k:
        v, g_v = v[..., :k], _inside(xp, v, g_v, k)
    row, column = xp.expand_dims(s, axis=-2), xp.expand_dims(s, axis=-1)
    left, right = adjoint(xp, u) @ g_u, adjoint(xp, v) @ g_v
    (gaps, equal), eye = between(xp, s * s), eye_like(xp, left)
    a, b = (degenerate(xp, skew(xp, part) * (1 - eye) / gaps, equal) for part in (left, right))
    nothing = row == 0
    inverse = degenerate(xp, 1 / xp.where(nothing, 1, row), nothing)
    middle = a * row + column * b
    if g[1] is not None:
        middle = middle + eye * xp.expand_dims(g[1], axis=-2)
    if u.dtype.kind == "c":
        middle = middle + eye * (skew(xp, left) - skew(xp, right)) * inverse / 4
    h = u @ middle @ adjoint(xp, v)
    if u.shape[-2] > k:
        h = h + ((g_u - u @ left) * inverse) @ adjoint(xp, v)
    if v.shape[-2] > k:
        h = h + (u * inverse) @ adjoint(xp, g_v - v @ right)
    divided = u.dtype.kind == "c" or u.shape[-2] != v.shape[-2]
    return conjugate(xp, unsettled(xp, h, x, s, g_u, g_v, more=nothing if divided else None))


def _of_values(xp: Namespace, g: Array, x: Array, u: Array, s: Array, vh: Array) -> Array:
    h = conjugate(xp, (u * xp.expand_dims(g, axis=-2)) @ vh)
    return unsettled(xp, h, x, s)


_svd.vjp(x=_svd_x)


class SVDResult(NamedTuple):
    """What :func:`svd` returns."""

    U: Array
    S: Array
    Vh: Array


def svd(x: Array, /, *, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """``X = U diag(S) V^H``, U and V unitary, S the singular values, largest first. With ``K = min(M, N)``:

    Where singular values are equal, or 0, their vectors are not determined: a gradient that comes for the vectors of
    such a matrix gives NaN. Values have theirs always; :func:`svdvals` is faster for these. The sign of a pair of
    vectors, a phase of complex ones, is the library's choice: gradients are for functions that do not depend on it.

    Args:
        x: shape ``(..., M, N)``.
        full_matrices: U of shape ``(..., M, M)`` and ``V^H`` of ``(..., N, N)``; or else of ``(..., M, K)`` and
            ``(..., K, N)``.
        compute_uv: False for the singular values alone, as :func:`svdvals`. Source: ``numpy.linalg.svd``.
        hermitian: the matrices are Hermitian, and only their lower triangles are read: as :func:`eigh`, and faster.

    Raises:
        ValueError: fewer than two axes.

    >>> import gpugrad as gg
    >>> gg.linalg.svd(gg.tensor([[0.0, 3.0], [2.0, 0.0]])).S
    tensor([3., 2.])
    """
    t = matrices("svd", x)
    if hermitian:
        return _hermitian_svd(t, compute_uv)
    return SVDResult(*_svd(t, full_matrices)) if compute_uv else svdvals(t)


def _hermitian_svd(x: Array, compute_uv: bool) -> Any:
    """By eigenvalues, of which the singular values are the magnitudes."""
    w, v = eigh(x)
    order = argsort(abs(w), axis=-1, descending=True)
    s = take_along_axis(abs(w), order, axis=-1)
    if not compute_uv:
        return s
    u = take_along_axis(v, expand_dims(order, -2), axis=-1)
    signs = where(take_along_axis(w, order, axis=-1) < 0, -1.0, 1.0)
    return SVDResult(u, s, conj(matrix_transpose(u * expand_dims(astype(signs, s.dtype), -2))))


@primitive(batch="matrices")
def svdvals(xp: Namespace, x: Array, /) -> Array:
    """The singular values, largest first, of shape ``(..., min(M, N))``; gradient ``U diag(g) V^H``.

    The vectors are computed when a gradient is asked for. Equal values share as their vectors happen to lie: right for
    functions that treat them alike.

    Raises:
        ValueError: fewer than two axes.

    >>> import gpugrad as gg
    >>> gg.linalg.svdvals(gg.tensor([[0.0, 3.0], [2.0, 0.0]]))
    tensor([3., 2.])
    """
    return xp.linalg.svd(x, compute_uv=False)


def _svdvals_x(xp: Namespace, g: Array, x: Array) -> Array:
    return _of_values(xp, g, x, *_svd.on(xp, x, full_matrices=False))


svdvals.vjp(x=_svdvals_x)
