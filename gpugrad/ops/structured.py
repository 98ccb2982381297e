"""Matrices that are mostly zeros: block diagonals and bands. Source: ``scipy.linalg``."""

from __future__ import annotations

from typing import Any

from ..backend import Array, Namespace, matrix_functions
from ..core import Tensor, primitive
from .creation import zeros
from .inspection import broadcast_shapes
from .matrices import as_tensor, each_matrix, matrices
from .padding import pad
from .shaping import broadcast_to, concat, expand_dims, squeeze
from .stacking import atleast_2d


def block_diag(*arrs: Any) -> Tensor:
    """Matrices along a diagonal, and zeros elsewhere. A vector is one row, a number one element.

    Source: ``scipy.linalg.block_diag``.

    Args:
        *arrs: shapes ``(..., M_i, N_i)``, batch axes broadcast.

    Returns:
        Shape ``(..., M_1 + M_2 + ..., N_1 + N_2 + ...)``; ``(1, 0)`` for no matrices.

    >>> import gpugrad as gg
    >>> gg.linalg.block_diag(gg.tensor([[1.0, 2.0]]), gg.tensor([[3.0]]))
    tensor([[1., 2., 0.],
            [0., 0., 3.]])
    """
    if not arrs:
        return zeros((1, 0))
    given = [atleast_2d(as_tensor(x)) for x in arrs]
    batch = broadcast_shapes(*(t.shape[:-2] for t in given))
    width, before, rows = sum(t.shape[-1] for t in given), 0, []
    for t in given:
        t = t if t.shape[:-2] == batch else broadcast_to(t, (*batch, *t.shape[-2:]))
        after = width - before - t.shape[-1]
        rows.append(pad(t, (*[(0, 0)] * (t.ndim - 1), (before, after))))
        before += t.shape[-1]
    return concat(rows, axis=-2)


# -------------------------------------------------------------------- bands


@primitive(batch="matrices")
def _solve_banded(xp: Namespace, ab: Array, b: Array, /, below: int, above: int) -> Array:
    function = getattr(matrix_functions(xp), "solve_banded", None)
    if function is None or ab.shape[-1] == 0:
        full = _full(xp, ab, below, above)
        batch = xp.broadcast_shapes(full.shape[:-2], b.shape[:-2])
        if b.shape[-1] == 0:  # CuPy divides by it
            return xp.zeros_like(xp.broadcast_to(b, (*batch, *b.shape[-2:])))
        return xp.linalg.solve(*(xp.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (full, b)))
    return each_matrix(xp, lambda a, c: function((below, above), a, c, check_finite=False), ab, b)


def _full(xp: Namespace, ab: Array, below: int, above: int) -> Array:
    """The matrix with these bands."""
    m = ab.shape[-1]
    places = xp.arange(m)
    band = above + places[:, None] - places
    there = (band >= 0) & (band <= below + above)
    rows = xp.broadcast_to(xp.where(there, band, 0), (*ab.shape[:-2], m, m))
    return xp.where(there, xp.take_along_axis(ab, rows, axis=-2), 0)


def _shifted(xp: Namespace, x: Array, d: int) -> Array:
    """Element ``i - d`` at place i of the last axis, and zeros where there is none."""
    n = x.shape[-1]
    none = xp.zeros_like(x[..., : min(abs(d), n)])
    if d > 0:
        return xp.concat([none, x[..., : max(n - d, 0)]], axis=-1)
    return xp.concat([x[..., -d:], none], axis=-1) if d else x


@_solve_banded.joint_vjp
def _solve_banded_both(
    xp: Namespace, g: Array, wanted: tuple[str, ...], ab: Array, y: Array, below: int, above: int
) -> list[Array]:
    """As ``solve``: ``h = A^-T g`` and, of ``-h Y^T``, what is in the bands."""
    diagonals = range(-below, above + 1)
    turned = xp.stack([_shifted(xp, ab[..., above - d, :], -d) for d in diagonals], axis=-2)
    h = _solve_banded.on(xp, turned, g, below=above, above=below)
    if wanted == ("b",):
        return [h]
    axes = (*range(len(h.shape) - 2), len(h.shape) - 1, len(h.shape) - 2)
    h_t, y_t = xp.permute_dims(h, axes), xp.permute_dims(y, axes)
    bands = [-xp.sum(_shifted(xp, h_t, d) * y_t, axis=-2) for d in reversed(diagonals)]
    return [h if name == "b" else xp.stack(bands, axis=-2) for name in wanted]


def solve_banded(l_and_u: tuple[int, int], ab: Array, b: Array) -> Array:
    """``x`` with ``A x = b``, for a matrix with few diagonals, in a time proportional to its size.

    On a GPU the full matrix is solved. Source: ``scipy.linalg.solve_banded``.

    Args:
        l_and_u: how many diagonals there are below and above the main one.
        ab: the diagonals as rows, ``ab[u + i - j, j] == A[i, j]``: shape ``(..., l + u + 1, M)``. What lies outside of
            the matrix is not read, and its gradient is 0.
        b: shape ``(M,)`` or ``(..., M, K)``, batch axes broadcast.

    Raises:
        ValueError: sizes that do not fit, or a singular matrix (on the GPU: infinities and NaN).

    >>> import gpugrad as gg
    >>> gg.linalg.solve_banded((1, 0), gg.tensor([[1.0, 2.0], [1.0, 0.0]]), gg.tensor([1.0, 3.0]))
    tensor([1., 1.])
    """
    below, above = map(int, l_and_u)
    t, c = matrices("solve_banded", ab), as_tensor(b)
    rows = c.shape[0] if c.ndim == 1 else c.shape[-2] if c.ndim else None
    if min(below, above) < 0 or t.shape[-2] != below + above + 1 or rows != t.shape[-1]:
        raise ValueError(
            f"solve_banded: expected ab of shape (..., l + u + 1, M) with l = {below}, u = {above}, and b of M rows, "
            f"got shapes {t.shape} and {c.shape}"
        )
    if c.ndim > 1:
        return _solve_banded(t, c, below=below, above=above)
    return squeeze(_solve_banded(t, expand_dims(c, axis=-1), below=below, above=above), axis=-1)
