"""What the gradient rules of matrices have in common.

The literature writes gradients as users see them (``dL/da + i dL/db``, with ``dL = Re tr(G^H dX)``); rules carry their
conjugates. So a rule of a function that is not holomorphic takes the conjugate of what it is given, follows the
literature, and gives the conjugate of what it finds. For real matrices nothing is conjugated.
"""

from __future__ import annotations

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
