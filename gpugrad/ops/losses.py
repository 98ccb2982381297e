"""Losses whose gradient at a corner is not that of their parts."""

from __future__ import annotations

from ..backend import Array, Namespace
from ..core import primitive
from ..kernels import activation as kernels
from ..kernels import composed
from .activation import hardtanh, sigmoid

LOWEST = -100.0
"""What logarithms of probabilities are raised to, so that a loss stays finite. Source: ``torch.nn.BCELoss``."""


def _log(xp: Namespace, p: Array) -> Array:
    """``max(log(p), LOWEST)``, with no warning for 0."""
    nothing = p == 0
    return xp.where(nothing, LOWEST, xp.maximum(xp.log(xp.where(nothing, 1, p)), LOWEST))


@primitive
def binary_cross_entropy(xp: Namespace, p: Array, t: Array, /) -> Array:
    """``-t log(p) - (1 - t) log(1 - p)``, each logarithm at least -100.

    The gradient is ``(p - t) / max(p (1 - p), 1e-12)``: finite where p is 0 or 1, so that a saturated sigmoid does not
    give NaN. Source: ``torch.nn.functional.binary_cross_entropy``.

    >>> import gpugrad as gg
    >>> from gpugrad.ops.losses import binary_cross_entropy
    >>> binary_cross_entropy(gg.tensor([0.5, 0.0]), gg.tensor([1.0, 1.0]))
    tensor([  0.6931472, 100.       ])
    """
    p = p + (t - t)  # an array, where p is a number
    return (t - 1) * _log(xp, 1 - p) - t * _log(xp, p)


def _target(xp: Namespace, g: Array, p: Array, t: Array) -> Array:
    p = p + (t - t)
    return g * (_log(xp, 1 - p) - _log(xp, p))


binary_cross_entropy.vjp(
    p=lambda xp, g, p, t: g * (p - t) / xp.maximum(p * (1 - p), 1e-12),
    t=_target,
)


@primitive
def logistic(xp: Namespace, x: Array, t: Array, /) -> Array:
    """``-t log(p) - (1 - t) log(1 - p)`` with ``p = sigmoid(x)``, without overflow: ``(1 - t) x - log(p)``.

    The gradients are ``p - t`` and ``-x``.

    >>> import gpugrad as gg
    >>> from gpugrad.ops.losses import logistic
    >>> logistic(gg.tensor([0.0, 1e4]), gg.tensor([1.0, 1.0]))
    tensor([0.6931472, 0.       ])
    """
    loss = (1 - t) * x
    return loss - xp.asarray(composed.log_sigmoid(xp, x), dtype=loss.dtype)  # SciPy makes float64 of float16


logistic.vjp(x=lambda xp, g, x, t: g * (sigmoid.on(xp, x) - t), t=lambda xp, g, x: -g * x)


@primitive
def huber(xp: Namespace, x: Array, /, delta: float) -> Array:
    """``x^2 / 2`` up to delta from 0, ``delta (|x| - delta / 2)`` beyond: ``c (x - c / 2)`` with c, x within delta.

    The gradient is c. Source: Huber 1964.

    >>> import gpugrad as gg
    >>> from gpugrad.ops.losses import huber
    >>> huber(gg.tensor([1.0, -3.0]), 1.0)
    tensor([0.5, 2.5])
    """
    c = kernels.hardtanh_forward(xp, x, -delta, delta)
    return c * (x - 0.5 * c)


huber.vjp(x=lambda xp, g, x, delta: g * hardtanh.on(xp, x, low=-delta, high=delta))
