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


def degenerate(xp: Namespace, x: Array, zero: Array, *upstream: Array) -> Array:
    """``x``, but where ``zero`` holds, which is where vectors are not determined by their matrix: 0 if no gradient
    comes for the vectors of that matrix, NaN if one does. So functions of the values alone have their gradient, and the
    others say that they have none. What depends on the values looked at here is constant, so ``x`` stays linear.
    """
    lost = False
    for g in upstream:
        lost = lost | xp.any(g != 0, axis=(-2, -1), keepdims=True)
    return xp.where(zero & lost, float("nan"), xp.where(zero, 0, x))


def quotients(xp: Namespace, x: Array, values: Array, *upstream: Array) -> Array:
    """``x_ij / (v_j - v_i)``, and 0 on the diagonal; for equal values see :func:`degenerate`."""
    d = xp.expand_dims(values, axis=-2) - xp.expand_dims(values, axis=-1)
    eye = eye_like(xp, d)
    zero = d == 0
    return degenerate(xp, x * (1 - eye) / xp.where(zero, 1, d), zero & (eye == 0), *upstream)


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
    return (x + adjoint) / 2  # type: ignore[no-any-return]
