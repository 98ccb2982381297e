"""What the gradient rules of matrices have in common.

The literature writes gradients as users see them (``dL/da + i dL/db``, with ``dL = Re tr(G^H dX)``); rules carry their
conjugates. So a rule of a function that is not holomorphic takes the conjugate of what it is given, follows the
literature, and gives the conjugate of what it finds. For real matrices nothing is conjugated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ..backend import Array, Namespace
from ..core import Tensor
from . import linear
from .corners import marked
from .creation import asarray
from .rounding import conj
from .shaping import permute_dims

transposed = linear._T


def conjugate(xp: Namespace, x: Array) -> Array:
    """``conj(x)``; real arrays as they are, without a copy."""
    return xp.conj(x) if x.dtype.kind == "c" else x


def adjoint(xp: Namespace, x: Array) -> Array:
    """``X^H`` of each matrix."""
    return transposed(xp, conjugate(xp, x))


def skew(xp: Namespace, x: Array) -> Array:
    """``X - X^H``."""
    return x - adjoint(xp, x)


def eye_like(xp: Namespace, x: Array) -> Array:
    """Ones on the diagonals of matrices like ``x``, on its device, whatever its values."""
    return xp.tril(xp.triu(xp.ones_like(x)))


def degenerate(xp: Namespace, x: Array, zero: Array) -> Array:
    """``x``, but NaN where ``zero`` holds, which is where vectors are not determined by their matrix.

    Rules ask where a gradient comes for vectors, whatever it is: in ``U diag(S) V^H`` it is 0 at the zero matrix, and
    the derivative is not that of the values alone.
    """
    return xp.where(zero, float("nan"), x)


def between(xp: Namespace, values: Array) -> tuple[Array, Array]:
    """``v_j - v_i``, with 1 for 0, and where two of the values are equal."""
    d = xp.expand_dims(values, axis=-2) - xp.expand_dims(values, axis=-1)
    zero = d == 0
    return xp.where(zero, 1, d), zero & (eye_like(xp, d) == 0)


def unsettled(xp: Namespace, h: Array, x: Array, values: Array, *upstream: Array, more: Array | None = None) -> Array:
    """``h``, which has no derivative, by the matrix and by the gradients that came, for a matrix with equal values, or
    one for which ``more`` holds somewhere.
    """

    def lost() -> Array:
        equal = between(xp, values)[1]
        return xp.any(equal if more is None else equal | more, axis=(-2, -1), keepdims=True)

    for by in (x, *(xp.sum(g, axis=(-2, -1), keepdims=True) for g in upstream)):
        h = marked(xp, h, by, lost)
    return h


def each_matrix(xp: Namespace, f: Callable[..., Any], *operands: Array) -> Any:
    """``f`` of single matrices, for all matrices of the batch axes, which broadcast: SciPy's and CuPy's functions take
    one at a time. Results are stacked, each if there are several.
    """
    if all(len(x.shape) == 2 for x in operands):
        return f(*operands)
    batch = xp.broadcast_shapes(*(x.shape[:-2] for x in operands))
    count, some = math.prod(batch), max(math.prod(batch), 1)
    spread = [
        xp.broadcast_to(x, (*batch, *x.shape[-2:])) if count else xp.eye(*x.shape[-2:], dtype=x.dtype) for x in operands
    ]
    flat = [xp.reshape(x, (some, *x.shape[-2:])) for x in spread]
    results = [f(*(x[k] for x in flat)) for k in range(some)]

    def stacked(parts: Sequence[Array]) -> Array:
        return xp.reshape(xp.stack(parts)[:count], (*batch, *parts[0].shape))

    return tuple(map(stacked, zip(*results, strict=True))) if isinstance(results[0], tuple) else stacked(results)


def as_tensor(x: Array) -> Tensor:
    """A Tensor as it is, anything else as one."""
    return x if isinstance(x, Tensor) else asarray(x)


def matrices(name: str, x: Array) -> Tensor:
    """``x`` as a Tensor of at least two axes.

    Raises:
        ValueError: it has fewer.
    """
    t = as_tensor(x)
    if len(t.shape) < 2:
        raise ValueError(f"{name}: expected matrices, of at least two axes, got shape {t.shape}")
    return t


def hermitian_part(x: Tensor) -> Tensor:
    """``(X + X^H) / 2``: Hermitian matrices themselves, with gradients that are Hermitian."""
    adjoint = permute_dims(conj(x) if x.dtype.kind == "c" else x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))
    return (x + adjoint) / 2
