"""Gates: one half of an array decides how much of the other passes."""

from __future__ import annotations

from ..backend import Array, Namespace
from ..core import primitive
from ..kernels import activation as kernels
from .activation import _sigmoid_back, sigmoid


def _halves(x: Array, axis: int) -> tuple[Array, Array]:
    lead, n = (slice(None),) * (axis % len(x.shape)), x.shape[axis] // 2
    return x[(*lead, slice(None, n))], x[(*lead, slice(n, None))]


@primitive(batch=("any_axes", "axis"), wide=True)
def glu(xp: Namespace, x: Array, /, axis: int = -1) -> Array:
    """``a sigmoid(b)``, where a and b are the halves of x along the axis.

    With ``s = sigmoid(b)`` the gradients of the halves are ``g s`` and ``g a s (1 - s)``. Source: Dauphin et al. 2017.

    >>> import gpugrad as gg
    >>> from gpugrad.ops.gating import glu
    >>> glu(gg.tensor([3.0, 0.0]))
    tensor([1.5])
    """
    a, b = _halves(x, axis)
    return a * kernels.sigmoid_forward(xp, b)


def _of_halves(xp: Namespace, g: Array, x: Array, axis: int) -> Array:
    a, b = _halves(x, axis)
    return xp.concat([g * sigmoid.on(xp, b), _sigmoid_back.on(xp, g * a, b)], axis=axis)


glu.vjp(x=_of_halves)
