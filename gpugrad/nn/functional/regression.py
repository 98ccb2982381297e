"""Losses of numbers that are predicted: distances, and likelihoods of counts and of normal noise.

``input`` and ``target`` have the same shape, or the target is a number; where PyTorch warns that it broadcasts, these
raise. ``reduction`` is ``"mean"``, ``"sum"`` or ``"none"``; another one is a ValueError.
"""

from __future__ import annotations

from math import log as log_of
from math import pi
from typing import Any

from ...core import Tensor
from ...ops.arithmetic import abs, where
from ...ops.creation import asarray
from ...ops.functions import exp, log
from ...ops.losses import huber
from ...ops.reduction import sum
from ...ops.shaping import expand_dims
from ...ops.wide import full_in_autocast
from .positions import by_position, in_floating_point
from .reducing import as_weight, at_least, broadcasting, fitting, known_reduction, possible, reduced, weighted_mean


def _weighted(name: str, loss: Tensor, weight: Any, reduction: str, by_weight: bool = True) -> Tensor:
    """Losses times their weights, reduced; the mean is over the weights, or over the elements."""
    if weight is None:
        return reduced(loss, reduction, loss.size)
    w = as_weight(loss, fitting(name, loss, weight, "weights"))
    if reduction == "mean" and by_weight:
        return weighted_mean(sum(loss * w), sum(w))
    return reduced(loss * w, reduction, loss.size)


@by_position
@in_floating_point
@full_in_autocast
def mse_loss(input: Tensor, target: Any, *, reduction: str = "mean", weight: Any = None) -> Tensor:
    """``(input - target)^2``, element by element.

    Args:
        input: shape ``(...)``.
        target: of the same shape, or a number. Shapes are not broadcast: ``(N,)`` against ``(N, 1)`` would compare
            everything with everything.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        weight: of the same shape; the mean is then the sum of weighted losses divided by that of the weights.

    Raises:
        ValueError: the shapes differ, or the reduction is not known.

    Source: ``torch.nn.functional.mse_loss``, which warns where this raises.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.mse_loss(gg.tensor([1.0, 2.0]), gg.tensor([0.0, 0.0]), reduction="none")
    tensor([1., 4.])
    """
    known_reduction(reduction)
    difference = input - fitting("mse_loss", input, target)
    return _weighted("mse_loss", difference * difference, weight, reduction)


@by_position
@in_floating_point
@full_in_autocast
def l1_loss(input: Tensor, target: Any, *, reduction: str = "mean", weight: Any = None) -> Tensor:
    """``|input - target|``, element by element; the gradient where they are equal is 0.

    Args:
        input: shape ``(...)``.
        target: of the same shape, or a number.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        weight: of the same shape; the mean is then the sum of weighted losses divided by that of the weights.

    Raises:
        ValueError: the shapes differ, or the reduction is not known.

    Source: ``torch.nn.functional.l1_loss``.

    >>> import gpugrad as gg
    >>> gg.nn.functional.l1_loss(gg.tensor([1.0, -3.0]), gg.tensor([0.0, 0.0]))
    tensor(2.)
    """
    known_reduction(reduction)
    return _weighted("l1_loss", abs(input - fitting("l1_loss", input, target)), weight, reduction)


@in_floating_point
@full_in_autocast
def huber_loss(input: Tensor, target: Any, reduction: str = "mean", delta: float = 1.0, weight: Any = None) -> Tensor:
    """With the error ``e = |input - target|``: ``e^2 / 2`` up to delta, ``delta (e - delta / 2)`` above it.

    Args:
        input: shape ``(...)``.
        target: of the same shape, or a number.
        reduction: ``"mean"``, over the elements; ``"sum"`` or ``"none"``.
        delta: where the parabola goes on as a line.
        weight: of the same shape.

    Raises:
        ValueError: the shapes differ, delta is not positive, or the reduction is not known.

    Source: Huber 1964; ``torch.nn.functional.huber_loss``.

    >>> import gpugrad as gg
    >>> gg.nn.functional.huber_loss(gg.tensor([1.0, 3.0]), gg.tensor([0.0, 0.0]), reduction="none")
    tensor([0.5, 2.5])
    """
    known_reduction(reduction)
    if not delta > 0:
        raise ValueError(f"huber_loss: expected a positive delta, got {delta}")
    loss = huber(input - fitting("huber_loss", input, target), delta)
    return _weighted("huber_loss", loss, weight, reduction, by_weight=False)


@by_position
@in_floating_point
@full_in_autocast
def smooth_l1_loss(input: Tensor, target: Any, *, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """With the error ``e = |input - target|``: ``e^2 / (2 beta)`` below beta, ``e - beta / 2`` above it.

    Args:
        input: shape ``(...)``.
        target: of the same shape, or a number.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        beta: 0 for :func:`l1_loss`.

    Raises:
        ValueError: the shapes differ, beta is negative, or the reduction is not known.

    Source: Girshick 2015, "Fast R-CNN"; ``torch.nn.functional.smooth_l1_loss``.

    >>> import gpugrad as gg
    >>> gg.nn.functional.smooth_l1_loss(gg.tensor([0.5, 3.0]), gg.tensor([0.0, 0.0]), reduction="none")
    tensor([0.125, 2.5  ])
    """
    known_reduction(reduction)
    if not beta >= 0:
        raise ValueError(f"smooth_l1_loss: expected a beta of at least 0, got {beta}")
    difference = input - fitting("smooth_l1_loss", input, target)
    loss = huber(difference, beta) if beta else abs(difference)
    if beta not in (0, 1):
        loss = loss * (1 / beta)
    return reduced(loss, reduction, loss.size)


@by_position
@full_in_autocast
def poisson_nll_loss(
    input: Tensor, target: Any, log_input: bool = True, full: bool = False, *, eps: float = 1e-8,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """The negative log-likelihood of counts t: ``e^x - t x`` for the rate ``e^x``, or ``x - t log(x + eps)`` for x.

    Args:
        input: x, the logarithm of the rate, or for ``log_input=False`` the rate; shape ``(...)``.
        target: t, a number, or of a shape that broadcasts to that of the input, or the other way round.
        log_input: what the input is.
        full: add Stirling's approximation of ``log t!`` where t is above 1.
        eps: for rates of 0.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: the shapes do not fit, or the reduction is not known.

    Source: ``torch.nn.functional.poisson_nll_loss``.

    >>> import gpugrad as gg
    >>> gg.nn.functional.poisson_nll_loss(gg.tensor([0.0]), gg.tensor([3.0]))
    tensor(1.)
    """
    known_reduction(reduction)
    t = as_weight(input, broadcasting("poisson_nll_loss", input, target))
    loss = exp(input) - t * input if log_input else input - t * log(input + eps)
    if full:
        many = t > 1
        count = where(many, t, 1)
        loss = loss + where(many, count * log(count) - count + 0.5 * log(2 * pi * count), 0)
    return reduced(loss, reduction, loss.size)


@in_floating_point
@full_in_autocast
def gaussian_nll_loss(
    input: Tensor, target: Any, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """The negative log-likelihood of normal noise with variance v: ``(log v + (input - target)^2 / v) / 2``.

    Args:
        input: the mean, shape ``(...)``.
        target: a number, or of a shape that broadcasts to that of the input, or the other way round.
        var: v, a number, or of the shape of the input, of that without the last axis, or with one axis of size 1.
        full: add the constant ``log(2 pi) / 2``.
        eps: what smaller variances count as; their gradient passes as if they were larger.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes do not fit, the reduction is not known, or a variance is negative; on a GPU the last is
            raised when the host next waits for a value.

    Source: Nix and Weigend 1994; ``torch.nn.functional.gaussian_nll_loss``.

    >>> import gpugrad as gg
    >>> gg.nn.functional.gaussian_nll_loss(gg.tensor([1.0]), gg.tensor([3.0]), gg.tensor([1.0]))
    tensor(2.)
    """
    known_reduction(reduction)
    difference = input - broadcasting("gaussian_nll_loss", input, target)
    possible("gaussian_nll_loss", "variances", var, 0)
    if isinstance(var, int | float):
        v = asarray(var, dtype=input.dtype, device=input.device)
    else:
        v = asarray(var)
        if v.shape != input.shape and v.shape == input.shape[:-1]:
            v = expand_dims(v, axis=-1)
        odd = [n for n, m in zip(v.shape, input.shape, strict=False) if n != m]
        if len(v.shape) != len(input.shape) or odd not in ([], [1]):
            raise ValueError(
                f"gaussian_nll_loss: expected variances of shape {input.shape}, {input.shape[:-1]}, or with one axis "
                f"of size 1, got {v.shape}"
            )
    v = at_least(v, eps)
    loss = 0.5 * (log(v) + difference * difference / v)
    if full:
        loss = loss + 0.5 * log_of(2 * pi)
    return reduced(loss, reduction, loss.size)
