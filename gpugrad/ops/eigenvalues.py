"""Eigenvalues and eigenvectors.

Source: Python array API standard 2024.12, and 2025.12 for ``eig`` and ``eigvals``. Rules: Giles, "An extended
collection of matrix derivative results for forward and reverse mode automatic differentiation", 2008; for vectors of
length 1 in the complex case Boeddeker, Hanebrink, Drude, Heymann, Haeb-Umbach, "On the computation of complex-valued
gradients with application to statistically optimum beamforming", 2017.
"""

from __future__ import annotations

from typing import NamedTuple

from ..backend import Array, Namespace
from ..core import primitive
from .matrices import adjoint, between, conjugate, degenerate, eye_like, skew, unsettled
from .solving import solve


@primitive(batch="matrices", outputs="partial")
def _eigh(xp: Namespace, x: Array, /, upper: bool) -> tuple[Array, ...]:
    return tuple(xp.linalg.eigh(x, "U" if upper else "L"))


def _eigh_x(xp: Namespace, g: tuple[Array, ...], x: Array, y: tuple[Array, ...]) -> Array:
    """``V (diag(g_w) + A) V^H``, ``A_ij = (X - X^H)_ij / (2 (w_j - w_i))`` with ``X = V^H g_V``, 0 on the diagonal."""
    w, v = y
    if g[1] is None:
        return _of_values(xp, g[0], x, w, v)
    g_v = conjugate(xp, g[1])
    gaps, equal = between(xp, w)
    skewed = skew(xp, adjoint(xp, v) @ g_v) * (1 - eye_like(xp, v)) / 2
    h = v @ degenerate(xp, skewed / gaps, equal) @ adjoint(xp, v)
    h = unsettled(xp, conjugate(xp, h), x, w, g_v)
    return h if g[0] is None else h + _of_values(xp, g[0], x, w, v)


def _of_values(xp: Namespace, g: Array, x: Array, w: Array, v: Array) -> Array:
    h = conjugate(xp, (v * xp.expand_dims(g, axis=-2)) @ adjoint(xp, v))
    return unsettled(xp, h, x, w)


_eigh.vjp(x=_eigh_x)


class EighResult(NamedTuple):
    """What :func:`eigh` returns."""

    eigenvalues: Array
    eigenvectors: Array


def _upper(name: str, triangle: str) -> bool:
    if triangle not in ("L", "U"):
        raise ValueError(f"{name}: expected UPLO 'L' or 'U', got {triangle!r}")
    return triangle == "U"


def eigh(x: Array, /, UPLO: str = "L") -> EighResult:  # noqa: N803  NumPy's name
    """``X = V diag(w) V^H`` of Hermitian matrices: real eigenvalues in increasing order, orthonormal eigenvectors.

    The gradient is Hermitian: that of a function of Hermitian matrices. Where eigenvalues are equal, their vectors are
    not determined: a gradient that comes for the vectors of such a matrix gives NaN. Values have theirs always, and
    :func:`eigvalsh` is faster for these. The signs (complex: phases) of vectors are the library's choice: gradients are
    for functions that do not depend on them.

    Args:
        x: shape ``(..., M, M)``.
        UPLO: the triangle that is read, "L" for the lower one or "U". Source: ``numpy.linalg.eigh``.

    Returns:
        ``eigenvalues`` of shape ``(..., M)``, ``eigenvectors`` of shape ``(..., M, M)``, as columns.

    Raises:
        ValueError: not square, or another UPLO.

    >>> import gpugrad as gg
    >>> gg.linalg.eigh(gg.tensor([[2.0, 1.0], [1.0, 2.0]])).eigenvalues
    tensor([1., 3.])
    """
    return EighResult(*_eigh(x, _upper("eigh", UPLO)))


@primitive(batch="matrices")
def _eigvalsh(xp: Namespace, x: Array, /, upper: bool) -> Array:
    return xp.linalg.eigvalsh(x, "U" if upper else "L")


def _eigvalsh_x(xp: Namespace, g: Array, x: Array, upper: bool) -> Array:
    return _of_values(xp, g, x, *_eigh.on(xp, x, upper=upper))


_eigvalsh.vjp(x=_eigvalsh_x)


def eigvalsh(x: Array, /, UPLO: str = "L") -> Array:  # noqa: N803  NumPy's name
    """The eigenvalues of Hermitian matrices, in increasing order; gradient ``V diag(g) V^H``.

    The vectors are computed when a gradient is asked for. Equal values share as their vectors happen to lie: right for
    functions that treat them alike, a sum or a product, and not for others, which have no derivative there.

    Args:
        x: shape ``(..., M, M)``.
        UPLO: the triangle that is read, "L" for the lower one or "U".

    Raises:
        ValueError: not square, or another UPLO.

    >>> import gpugrad as gg
    >>> gg.linalg.eigvalsh(gg.tensor([[2.0, 1.0], [1.0, 2.0]]))
    tensor([1., 3.])
    """
    return _eigvalsh(x, _upper("eigvalsh", UPLO))


# -------------------------------------------------------------------- any square matrix


@primitive(batch="matrices", outputs="partial")
def _eig(xp: Namespace, x: Array, /) -> tuple[Array, ...]:
    kind = xp.result_type(x.dtype, xp.complex64)  # NumPy gives real eigenvalues if all of them are
    return tuple(xp.astype(part, kind) for part in xp.linalg.eig(x))


def _eig_x(xp: Namespace, g: tuple[Array, ...], x: Array, y: tuple[Array, ...]) -> Array:
    """``V^-H (diag(g_w) + B) V^H``, ``B_ij = (X - V^H V diag(re X))_ij / conj(w_j - w_i)`` with ``X = V^H g_V``: what
    makes a vector longer is taken out.
    """
    w, v = y
    eye = eye_like(xp, v)
    of_values = None if g[0] is None else eye * xp.expand_dims(conjugate(xp, g[0]), axis=-2)
    gaps, equal = between(xp, conjugate(xp, w))
    if g[1] is None:
        return unsettled(xp, _pulled(xp, of_values, v), x, w)
    g_v, adjoint_v = conjugate(xp, g[1]), adjoint(xp, v)
    turn = adjoint_v @ g_v
    along = xp.sum(eye * xp.real(turn), axis=-2, keepdims=True)
    turned = (turn - (adjoint_v @ v) * along) * (1 - eye) / gaps
    middle = degenerate(xp, turned, equal)
    return unsettled(xp, _pulled(xp, middle if of_values is None else middle + of_values, v), x, w, g_v)


def _pulled(xp: Namespace, middle: Array, v: Array) -> Array:
    adjoint_v = adjoint(xp, v)
    return conjugate(xp, solve.on(xp, adjoint_v, middle @ adjoint_v))


_eig.vjp(x=_eig_x)


class EigResult(NamedTuple):
    """What :func:`eig` returns."""

    eigenvalues: Array
    eigenvectors: Array


def eig(x: Array, /) -> EigResult:
    """``X V = V diag(w)``: complex eigenvalues in any order, and eigenvectors of length 1.

    Where eigenvalues are equal, a gradient that comes for the vectors gives NaN. Phases of vectors are the library's
    choice: gradients are for functions that do not depend on them. A GPU needs CUDA 12.6.2.

    Args:
        x: shape ``(..., M, M)``, real or complex; the results are complex.

    Returns:
        ``eigenvalues`` of shape ``(..., M)``, ``eigenvectors`` of shape ``(..., M, M)``, as columns.

    Raises:
        ValueError: not square.
        RuntimeError: cuSOLVER is too old.

    >>> import gpugrad as gg
    >>> gg.sort(gg.real(gg.linalg.eig(gg.tensor([[2.0, 1.0], [0.0, 1.0]])).eigenvalues))
    tensor([1., 2.])
    """
    return EigResult(*_eig(x))


@primitive(batch="matrices")
def eigvals(xp: Namespace, x: Array, /) -> Array:
    """The eigenvalues of square matrices, complex, in any order; gradient ``V^-H diag(g) V^H``.

    The vectors are computed when a gradient is asked for.

    Raises:
        ValueError: not square.
        RuntimeError: cuSOLVER is too old, see :func:`eig`.

    >>> import gpugrad as gg
    >>> gg.linalg.eigvals(gg.tensor([[0.0, 1.0], [-1.0, 0.0]]))
    tensor([0.+1.j, 0.-1.j], dtype=complex64)
    """
    return xp.astype(xp.linalg.eigvals(x), xp.result_type(x.dtype, xp.complex64))


def _eigvals_x(xp: Namespace, g: Array, x: Array) -> Array:
    w, v = _eig.on(xp, x)
    return unsettled(xp, _pulled(xp, eye_like(xp, v) * xp.expand_dims(conjugate(xp, g), axis=-2), v), x, w)


eigvals.vjp(x=_eigvals_x)
