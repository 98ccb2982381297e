"""Determinants, and their logarithms."""

from __future__ import annotations

from typing import NamedTuple

from ..backend import Array, Namespace
from ..core import primitive
from ..kernels.scan import exclusive_product
from .decompositions import _svd
from .matrices import conjugate, eye_like, transposed
from .solving import inv


@primitive(batch="matrices")
def det(xp: Namespace, x: Array, /) -> Array:
    """The determinant of each square matrix; the gradient is ``g`` times the matrix of cofactors.

    Cofactors are polynomials: singular matrices have them too. They are computed from singular values, and so is the
    second derivative, without a division. Source: Python array API standard 2024.12.

    Raises:
        ValueError: not square.

    >>> import gpugrad as gg
    >>> x = gg.tensor([[1.0, 2.0], [2.0, 4.0]], requires_grad=True)
    >>> gg.linalg.det(x).backward()
    >>> x.grad
    tensor([[ 4., -2.],
            [-2.,  1.]])
    """
    return xp.linalg.det(x)


def _factors(xp: Namespace, x: Array) -> tuple[Array, ...]:
    """Of ``X = U S V^H``: ``conj(U)``, the singular values, ``V^T``, and ``det(U V^H)``."""
    u, s, vh = _svd.on(xp, x, full_matrices=False)
    return conjugate(xp, u), s, conjugate(xp, vh), xp.expand_dims(det.on(xp, u @ vh), axis=(-2, -1))


SMALL = 8
"""Up to this size third derivatives are those of a polynomial, whose terms cancel too much in larger matrices."""


def _polynomial(xp: Namespace, x: Array, /) -> Array:
    """The cofactors as a polynomial, for derivatives of any order: Faddeev and LeVerrier's recursion, ``M_1 = 1``,
    ``M_k = X M_(k-1) - tr(X M_(k-1)) / (k - 1)``, ``adj(X) = (-1)^(n-1) M_n``. Of large matrices, composed.
    """
    n = x.shape[-1]
    if n > SMALL:
        return _composed(xp, *_factors(xp, x))
    eye = eye_like(xp, x)
    if n < 2:
        return xp.where(eye == 0, x, 1)
    m = eye
    for k in range(1, n):
        xm = x @ m
        m = xm - eye * (xp.sum(xm * eye, axis=(-2, -1), keepdims=True) / k)
    return transposed(xp, m if n % 2 else -m)


def _composed(xp: Namespace, u: Array, s: Array, vt: Array, sign: Array) -> Array:
    return sign * ((u * xp.expand_dims(exclusive_product(xp, s), axis=-2)) @ vt)


@primitive(batch="matrices", residuals=("u", "s", "vt", "sign"), reference=_polynomial)
def _cofactors(xp: Namespace, x: Array, /) -> tuple[Array, ...]:
    """``adj(X)^T = det(U V^H) conj(U) diag(e) V^T``, with ``e_i`` the product of all singular values but the i-th."""
    factors = _factors(xp, x)
    return _composed(xp, *factors), *factors


def _cofactors_x(xp: Namespace, g: Array, x: Array, u: Array, s: Array, vt: Array, sign: Array) -> Array:
    """``det(U V^H) conj(U) K V^T``, with ``H = U^H g V``, ``e_ij`` the product of all singular values but the i-th and
    the j-th, 0 for ``i = j``, and ``K_ij = -e_ij H_ji`` but ``K_ii = sum_j e_ij H_jj``.
    """
    h = transposed(xp, u) @ g @ transposed(xp, vt)
    eye = eye_like(xp, s[..., None] * s[..., None, :])
    e = (1 - eye) * exclusive_product(xp, eye + (1 - eye) * xp.expand_dims(s, axis=-2))
    diagonal = e @ xp.sum(eye * h, axis=-1, keepdims=True)
    return sign * (u @ (eye * diagonal - transposed(xp, e * h)) @ vt)


_cofactors.vjp(x=_cofactors_x)
det.vjp(x=lambda xp, g, x: xp.expand_dims(g, axis=(-2, -1)) * _cofactors.on(xp, x))


@primitive(batch="matrices", outputs=True)
def _slogdet(xp: Namespace, x: Array, /) -> tuple[Array, ...]:
    return tuple(xp.linalg.slogdet(x))


def _slogdet_x(xp: Namespace, g: tuple[Array, ...], x: Array, y: tuple[Array, ...]) -> Array:
    turn, scale = g[0] * y[0], g[1]
    if x.dtype.kind == "c":  # a real determinant keeps its sign
        scale = scale + (turn - conjugate(xp, turn)) / 2
    return xp.expand_dims(scale, axis=(-2, -1)) * transposed(xp, inv.on(xp, x))


_slogdet.vjp(x=_slogdet_x)


class SlogdetResult(NamedTuple):
    """What :func:`slogdet` returns."""

    sign: Array
    logabsdet: Array


def slogdet(x: Array, /) -> SlogdetResult:
    """The sign of the determinant (of complex ones the number of modulus 1), and the logarithm of its modulus.

    The gradient of the logarithm is ``X^-T``; a singular matrix has none. Source: Python array API standard 2024.12.

    Args:
        x: shape ``(..., M, M)``.

    Returns:
        ``sign`` and ``logabsdet`` of shape ``(...)``; 0 and minus infinity for a singular matrix.

    Raises:
        ValueError: not square.

    >>> import gpugrad as gg
    >>> gg.linalg.slogdet(gg.tensor([[1.0, 0.0], [0.0, -1.0]]))
    SlogdetResult(sign=tensor(-1.), logabsdet=tensor(0.))
    """
    return SlogdetResult(*_slogdet(x))
