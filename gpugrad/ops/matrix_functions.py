"""Functions of square matrices, and the linear equations that their derivatives solve.

On the CPU they are SciPy's. On a GPU, ``expm`` is a Padé approximant with scaling and squaring, ``solve_sylvester``
solves one large linear system, and ``sqrtm`` and ``logm`` raise, since CuPy has neither them nor a Schur decomposition.

Source: ``scipy.linalg``. Rules: N. Higham, "Functions of Matrices", 2008, chapter 3: the derivative of f at X along E
is the upper right block of ``f([[X, E], [0, X]])``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..backend import Array, Namespace, matrix_functions
from ..core import primitive
from .inspection import finfo
from .matrices import each_matrix, eye_like, matrices, transposed
from .rounding import conj
from .shaping import matrix_transpose
from .special import as_short

SQUARINGS = 24
PADE = [math.factorial(26 - k) / (math.factorial(13 - k) * math.factorial(k)) for k in range(14)]
REACH = 5.37
"""The norm up to which the approximant of degree 13 is exact to rounding."""


def square(name: str, x: Array) -> None:
    """Raise for what is not a square matrix, or several of one size."""
    if len(x.shape) < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"{name}: expected square matrices, of shape (..., M, M), got shape {x.shape}")


def _along(xp: Namespace, f: Callable[..., Array], x: Array, e: Array) -> Array:
    """The derivative of a matrix function at ``x`` along ``e``, which is scaled to add little to the norm."""
    n = x.shape[-1]
    if math.prod(e.shape) == 0:
        return e
    size = xp.max(xp.abs(e), axis=(-2, -1), keepdims=True)
    size = xp.where(size > 0, size, 1)
    above, below = xp.concat([x, e / size], axis=-1), xp.concat([xp.zeros_like(x), x], axis=-1)
    return f(xp, xp.concat([above, below], axis=-2))[..., :n, n:] * size


@primitive(batch="matrices")
def expm(xp: Namespace, x: Array, /) -> Array:
    """The exponential of each square matrix: ``1 + X + X^2 / 2 + ...``.

    The gradient is the derivative of the exponential at ``X^T`` along g. Source: ``scipy.linalg.expm``; N. Higham, "The
    scaling and squaring method for the matrix exponential revisited", 2005.

    Raises:
        ValueError: not square.

    >>> import gpugrad as gg
    >>> gg.linalg.expm(gg.tensor([[0.0, 1.0], [0.0, 0.0]]))
    tensor([[1., 1.],
            [0., 1.]])
    """
    square("expm", x)
    if math.prod(x.shape) == 0:
        return x
    library = matrix_functions(xp)
    return as_short(xp, library.expm(x) if hasattr(library, "logm") else _pade(xp, x), x)


def _pade(xp: Namespace, x: Array) -> Array:
    """``expm`` without a look at values: as many squarings as the largest norm may need, each where it is needed."""
    norm = xp.max(xp.sum(xp.abs(x), axis=-2, keepdims=True), axis=-1, keepdims=True)
    count = xp.ceil(xp.log2(xp.where(norm > REACH, norm, REACH) / REACH))
    a = x * 2.0**-count
    one, a2 = eye_like(xp, a), a @ a
    a4 = a2 @ a2
    a6 = a2 @ a4
    b = [c / PADE[13] for c in PADE]
    u = a @ (a6 @ (b[13] * a6 + b[11] * a4 + b[9] * a2) + b[7] * a6 + b[5] * a4 + b[3] * a2 + b[1] * one)
    v = a6 @ (b[12] * a6 + b[10] * a4 + b[8] * a2) + b[6] * a6 + b[4] * a4 + b[2] * a2 + b[0] * one
    y = xp.linalg.solve(v - u, v + u)
    for k in range(SQUARINGS):
        y = xp.where(count > k, y @ y, y)
    return xp.where(count > SQUARINGS, float("nan"), y)


expm.vjp(x=lambda xp, g, x: _along(xp, expm.on, transposed(xp, x), g))


def _on_host(name: str, function: Any) -> Any:
    if function is None:
        raise NotImplementedError(f"CuPy has no {name}; compute it on the CPU, with x.to('cpu')")
    return function


@primitive(batch="matrices")
def sqrtm(xp: Namespace, x: Array, /) -> Array:
    """The principal square root of each square matrix: ``Y Y = X``, eigenvalues with non-negative real parts.

    Complex if the root of a matrix is. The gradient h solves ``Y^T h + h Y^T = g``; a singular matrix has none, and
    gets NaN. Not on a GPU. Source: ``scipy.linalg.sqrtm``.

    Raises:
        ValueError: not square.
        NotImplementedError: on a GPU.

    >>> import gpugrad as gg
    >>> gg.linalg.sqrtm(gg.tensor([[4.0, 0.0], [0.0, 9.0]]))
    tensor([[2., 0.],
            [0., 3.]])
    """
    square("sqrtm", x)
    function = _on_host("sqrtm", getattr(matrix_functions(xp), "sqrtm", None))
    return x if math.prod(x.shape) == 0 else _like(xp, each_matrix(xp, function, x), x)


@primitive(batch="matrices")
def logm(xp: Namespace, x: Array, /) -> Array:
    """The principal logarithm of each square matrix: ``expm(Y) = X``, eigenvalues with imaginary parts in (-pi, pi].

    Complex if the logarithm of a matrix is. The gradient is the derivative of the logarithm at ``X^T`` along g.
    Computed in float64. Not on a GPU. Source: ``scipy.linalg.logm``.

    Raises:
        ValueError: not square.
        NotImplementedError: on a GPU.

    >>> import gpugrad as gg
    >>> gg.linalg.logm(gg.tensor([[1.0, 0.0], [0.0, 1.0]]))
    tensor([[0., 0.],
            [0., 0.]])
    """
    square("logm", x)
    function = _on_host("logm", getattr(matrix_functions(xp), "logm", None))
    if math.prod(x.shape) == 0:
        return x
    return _like(xp, each_matrix(xp, function, xp.astype(x, xp.complex128 if x.dtype.kind == "c" else xp.float64)), x)


def _like(xp: Namespace, y: Array, *given: Array) -> Array:
    """A result, real or complex, in the precision of what was given: SciPy computes some in float64."""
    short = all(x.dtype.kind in "fc" and x.dtype.itemsize // (1 + (x.dtype.kind == "c")) <= 4 for x in given)
    if not short:
        return y
    return xp.astype(y, xp.complex64 if y.dtype.kind == "c" else as_short(xp, y, *given).dtype)


# -------------------------------------------------------------------- Sylvester's equation


@primitive(batch="matrices")
def solve_sylvester(xp: Namespace, a: Array, b: Array, q: Array, /) -> Array:
    """``X`` with ``A X + X B = Q``: shapes ``(..., M, M)``, ``(..., N, N)`` and ``(..., M, N)``, batch axes broadcast.

    Gradients: ``h = solve_sylvester(A^T, B^T, g)`` for ``q``, ``-h X^T`` for ``a`` and ``-X^T h`` for ``b``. On a GPU a
    linear system of ``M N`` unknowns is solved. Source: ``scipy.linalg.solve_sylvester``.

    Where an eigenvalue of A is minus one of B there is no solution, or no single one: as SciPy's, the result then has
    huge numbers (on a GPU: NaN).

    Raises:
        ValueError: sizes that do not fit.

    >>> import gpugrad as gg
    >>> gg.linalg.solve_sylvester(gg.tensor([[1.0]]), gg.tensor([[3.0]]), gg.tensor([[8.0]]))
    tensor([[2.]])
    """
    square("solve_sylvester", a)
    square("solve_sylvester", b)
    m, n = a.shape[-1], b.shape[-1]
    if tuple(q.shape[-2:]) != (m, n):
        raise ValueError(
            f"solve_sylvester: expected q of shape (..., {m}, {n}) for a of {m} and b of {n}, got {q.shape}"
        )
    function = getattr(matrix_functions(xp), "solve_sylvester", None)
    if function is None or 0 in (m, n):
        return _by_one_system(xp, a, b, q)
    kind = xp.result_type(a.dtype, b.dtype, q.dtype, xp.float32)  # SciPy mixes up real and complex matrices
    return _like(xp, each_matrix(xp, function, *(xp.astype(x, kind) for x in (a, b, q))), a, b, q)


def _by_one_system(xp: Namespace, a: Array, b: Array, q: Array) -> Array:
    """``(A x 1 + 1 x B^T) vec(X) = vec(Q)``, with Kronecker products."""
    m, n = a.shape[-1], b.shape[-1]
    batch = xp.broadcast_shapes(a.shape[:-2], b.shape[:-2], q.shape[:-2])
    left = a[..., :, None, :, None] * xp.eye(n, dtype=a.dtype)[:, None, :]
    right = xp.eye(m, dtype=b.dtype)[:, None, :, None] * transposed(xp, b)[..., None, :, None, :]
    system = xp.broadcast_to(
        xp.reshape(left + right, (*(left + right).shape[:-4], m * n, m * n)), (*batch, m * n, m * n)
    )
    column = xp.reshape(xp.broadcast_to(q, (*batch, m, n)), (*batch, m * n, 1))
    return xp.reshape(xp.linalg.solve(system, column), (*batch, m, n))


@solve_sylvester.joint_vjp
def _sylvester_all(xp: Namespace, g: Array, wanted: tuple[str, ...], a: Array, b: Array, y: Array) -> list[Array]:
    h = solve_sylvester.on(xp, transposed(xp, a), transposed(xp, b), g)
    t = transposed(xp, y)
    return [h if name == "q" else -(h @ t) if name == "a" else -(t @ h) for name in wanted]


def _sqrtm_x(xp: Namespace, g: Array, y: Array) -> Array:
    """NaN where Y is singular to rounding, since then LAPACK solves the equation of another matrix."""
    t = transposed(xp, y)
    h = solve_sylvester.on(xp, t, t, g)
    size = [xp.max(xp.abs(x), axis=(-2, -1), keepdims=True) if math.prod(x.shape) else 0 for x in (h, y, g)]
    lost = size[0] * size[1] * float(finfo(y.dtype).eps) >= size[2] / 2
    return xp.where((lost | (size[1] == 0)) & (size[2] > 0), float("nan"), h)


sqrtm.vjp(x=_sqrtm_x)
logm.vjp(x=lambda xp, g, x: _along(xp, logm.on, transposed(xp, x), g))


def solve_continuous_lyapunov(a: Array, q: Array) -> Array:
    """``X`` with ``A X + X A^H = Q``, by :func:`solve_sylvester`. Source: ``scipy.linalg.solve_continuous_lyapunov``.

    Args:
        a: shape ``(..., M, M)``.
        q: shape ``(..., M, M)``.

    Raises:
        ValueError: sizes that do not fit.

    >>> import gpugrad as gg
    >>> gg.linalg.solve_continuous_lyapunov(gg.tensor([[2.0]]), gg.tensor([[8.0]]))
    tensor([[2.]])
    """
    t = matrices("solve_continuous_lyapunov", a)
    turned = matrix_transpose(t)
    return solve_sylvester(t, conj(turned) if t.dtype.kind == "c" else turned, q)
