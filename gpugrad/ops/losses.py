"""Losses whose gradient at a corner is not that of their parts."""

from __future__ import annotations

from ..backend import Array, Namespace
from ..core import primitive
from ..kernels import activation as kernels
from ..kernels import composed
from .activation import hardtanh, sigmoid

LOWEST = -100.0
"""What logarithms of probabilities are raised to, so that a loss stays finite. Source: ``torch.nn.BCELoss``."""


LEAST = 1e-12
"""What ``p (1 - p)`` is raised to as a divisor. Source: likewise."""


def _log(xp: Namespace, p: Array) -> Array:
    """``max(log(p), LOWEST)``, with no warning for 0."""
    nothing = p == 0
    return xp.where(nothing, LOWEST, xp.maximum(xp.log(xp.where(nothing, 1, p)), LOWEST))


def _log_other(xp: Namespace, p: Array) -> Array:
    """``max(log(1 - p), LOWEST)``, exact where p is small, with no warning for 1."""
    nothing = p == 1
    return xp.where(nothing, LOWEST, xp.maximum(xp.log1p(-xp.where(nothing, 0, p)), LOWEST))


@primitive(batch="elementwise", wide=True, cast="float32")
def binary_cross_entropy(xp: Namespace, p: Array, t: Array, /) -> Array:
    """``-t log(p) - (1 - t) log(1 - p)``, each logarithm at least -100.

    The gradient is ``(p - t) / max(p (1 - p), 1e-12)``: finite where p is 0 or 1, so that a saturated sigmoid does not
    give NaN. Where the bound holds, each of ``(1 - t) / (1 - p)`` and ``t / p`` has one of its own, so that p near 0
    keeps its gradient for t = 0. Source: ``torch.nn.functional.binary_cross_entropy``.

    >>> import gpugrad as gg
    >>> from gpugrad.ops.losses import binary_cross_entropy
    >>> binary_cross_entropy(gg.tensor([0.5, 0.0]), gg.tensor([1.0, 1.0]))
    tensor([  0.6931472, 100.       ])
    """
    p = p + (t - t)  # an array, where p is a number
    return (t - 1) * _log_other(xp, p) - t * _log(xp, p)


def _target(xp: Namespace, g: Array, p: Array, t: Array) -> Array:
    p = p + (t - t)
    return g * (_log_other(xp, p) - _log(xp, p))


@primitive(batch="elementwise", wide=True)
def _slope(xp: Namespace, p: Array, t: Array, /) -> Array:
    """The derivative by p: exact where p is near t, and its own derivative ``(1 - t) / (1 - p)^2 + t / p^2`` near 0."""
    inside = p * (1 - p)
    small = inside < LEAST
    apart = (1 - t) / xp.maximum(1 - p, LEAST) - t / xp.maximum(p, LEAST)
    return xp.where(small, xp.where(p == t, 0, apart), (p - t) / xp.where(small, 1, inside))


def _slope_p(xp: Namespace, g: Array, p: Array, t: Array) -> Array:
    rest, p = xp.maximum(1 - p, LEAST), xp.maximum(p, LEAST)
    return g * ((1 - t) / rest / rest + t / p / p)


_slope.vjp(p=_slope_p, t=lambda xp, g, p: -g / xp.maximum(p * (1 - p), LEAST))


binary_cross_entropy.vjp(
    p=lambda xp, g, p, t: g * _slope.on(xp, p + (t - t), t),
    t=_target,
)


@primitive(batch="elementwise", wide=True, cast="float32")
def logistic(xp: Namespace, x: Array, t: Array, /) -> Array:
    """``-t log(p) - (1 - t) log(1 - p)`` with ``p = sigmoid(x)``, without overflow: ``(1 - t) x - log(p)``.

    The gradients are ``(1 - t) p - t (1 - p)``, which is ``p - t`` and does not cancel for p near t = 1, and ``-x``.

    >>> import gpugrad as gg
    >>> from gpugrad.ops.losses import logistic
    >>> logistic(gg.tensor([0.0, 1e4]), gg.tensor([1.0, 1.0]))
    tensor([0.6931472, 0.       ])
    """
    loss = (1 - t) * x
    return loss - xp.asarray(composed.log_sigmoid(xp, x), dtype=loss.dtype)  # SciPy makes float64 of float16


logistic.vjp(
    x=lambda xp, g, x, t: g * ((1 - t) * sigmoid.on(xp, x) - t * sigmoid.on(xp, -x)),
    t=lambda xp, g, x: -g * x,
)


@primitive(batch="elementwise", wide=True, cast="float32")
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
