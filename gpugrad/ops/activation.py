"""ReLU and sigmoid, each one fused kernel forward and one backward."""

from __future__ import annotations

from ..backend import Array, Namespace
from ..core import primitive
from ..kernels import activation as kernels


@primitive
def relu(xp: Namespace, x: Array, /) -> Array:
    """``max(x, 0)``; the gradient passes where ``x > 0`` and is 0 elsewhere, at 0 too.

    Source: Nair and Hinton 2010; ``torch.relu``.

    >>> import gpugrad as gg
    >>> gg.relu(gg.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return kernels.relu_forward(xp, x)


relu.vjp(x=lambda xp, g, y: kernels.relu_backward(xp, g, y))


@primitive
def sigmoid(xp: Namespace, x: Array, /) -> Array:
    """``1 / (1 + exp(-x))``; derivative ``y (1 - y)``.

    Source: CS231n, backpropagation notes; ``torch.sigmoid``, ``scipy.special.expit``.

    >>> import gpugrad as gg
    >>> gg.sigmoid(gg.tensor([0.0, 2.0]))
    tensor([0.5      , 0.8807971])
    """
    return kernels.sigmoid_forward(xp, x)


sigmoid.vjp(x=lambda xp, g, y: kernels.sigmoid_backward(xp, g, y))
