"""Losses of probabilities: of one class or none, of several at once, and of whole distributions.

``reduction`` is ``"mean"``, ``"sum"`` or ``"none"``; another one is a ValueError. Targets have the shape of the input;
nothing is broadcast but weights, and the targets of :func:`kl_div` and :func:`soft_margin_loss`.
"""

from __future__ import annotations

from math import nan
from typing import Any

from ...core import Tensor
from ...ops import losses as ops
from ...ops.creation import asarray, astype
from ...ops.functions import exp
from ...ops.inspection import broadcast_shapes
from ...ops.special import log_expit, xlogy
from ...ops.wide import full_in_autocast
from .positions import by_position
from .reducing import as_weight, broadcasting, fitting, known_reduction, possible, reduced


def _factors(name: str, input: Tensor, weight: Any, what: str = "weight") -> Tensor:
    """Weights in the dtype of the input, which broadcast to its shape.

    Raises:
        ValueError: they do not.
    """
    w = as_weight(input, weight)
    try:
        fits = broadcast_shapes(w.shape, input.shape) == input.shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{name}: expected a {what} that broadcasts to {input.shape}, got shape {w.shape}")
    return w


def _log_sigmoid(x: Tensor) -> Tensor:
    y: Tensor = log_expit(x)
    return astype(y, x.dtype, copy=False)  # SciPy makes float64 of float16


@by_position
@full_in_autocast
def binary_cross_entropy(input: Tensor, target: Any, weight: Any = None, *, reduction: str = "mean") -> Tensor:
    """``-t log(p) - (1 - t) log(1 - p)`` for probabilities p, each logarithm at least -100.

    Args:
        input: p in [0, 1], shape ``(...)``.
        target: t in [0, 1], of the same shape, or a number.
        weight: factors that broadcast to the input.
        reduction: ``"mean"``, over the elements; ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes do not fit, the reduction is not known, or a probability is outside [0, 1]; on a GPU the
            last is raised when the host next waits for a value.

    Source: ``torch.nn.functional.binary_cross_entropy``.

    >>> import gpugrad as gg
    >>> gg.nn.functional.binary_cross_entropy(gg.tensor([0.5, 1.0]), gg.tensor([1.0, 1.0]))
    tensor(0.3465736)
    """
    known_reduction(reduction)
    t = as_weight(input, fitting("binary_cross_entropy", input, target))
    possible("binary_cross_entropy", "probabilities as input", input, 0, 1)
    possible("binary_cross_entropy", "probabilities as target", target, 0, 1)
    loss = ops.binary_cross_entropy(input, t)
    if weight is not None:
        loss = loss * _factors("binary_cross_entropy", input, weight)
    return reduced(loss, reduction, loss.size)


@by_position
@full_in_autocast
def binary_cross_entropy_with_logits(
    input: Tensor, target: Any, weight: Any = None, *, reduction: str = "mean", pos_weight: Any = None
) -> Tensor:
    """:func:`binary_cross_entropy` of ``sigmoid(x)``, exact for x of any size: ``(1 - t) x - a log(sigmoid(x))``.

    Args:
        input: x, shape ``(...)``.
        target: t in [0, 1], of the same shape, or a number.
        weight: factors that broadcast to the input.
        reduction: ``"mean"``, over the elements; ``"sum"`` or ``"none"``.
        pos_weight: w, factors of the first part of the loss that broadcast to the input; ``a = 1 + (w - 1) t``.

    Raises:
        ValueError: shapes do not fit, or the reduction is not known.

    Source: ``torch.nn.functional.binary_cross_entropy_with_logits``.

    >>> import gpugrad as gg
    >>> gg.nn.functional.binary_cross_entropy_with_logits(gg.tensor([0.0, 1e4]), gg.tensor([1.0, 1.0]))
    tensor(0.3465736)
    """
    name = "binary_cross_entropy_with_logits"
    known_reduction(reduction)
    t = as_weight(input, fitting(name, input, target))
    if pos_weight is None:
        loss = ops.logistic(input, t)
    else:
        factor = 1 + (_factors(name, input, pos_weight, "pos_weight") - 1) * t
        loss = (1 - t) * input - factor * _log_sigmoid(input)
    if weight is not None:
        loss = loss * _factors(name, input, weight)
    return reduced(loss, reduction, loss.size)


@by_position
@full_in_autocast
def kl_div(input: Tensor, target: Any, *, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """``t (log t - x)``: each element's part of the Kullback-Leibler divergence of ``e^x`` from t.

    Args:
        input: logarithms x of probabilities, shape ``(...)``.
        target: probabilities t, or their logarithms, of a shape that broadcasts to that of the input, or the other way
            round.
        reduction: ``"batchmean"``, the sum divided by the size of the first axis, which is the divergence; ``"mean"``,
            over all elements; ``"sum"`` or ``"none"``.
        log_target: whether the target holds logarithms.

    Raises:
        ValueError: the shapes do not fit, or the reduction is not known.

    Source: Kullback and Leibler 1951; ``torch.nn.functional.kl_div``.

    >>> import gpugrad as gg
    >>> x = gg.nn.functional.log_softmax(gg.zeros((1, 2)))
    >>> gg.nn.functional.kl_div(x, gg.tensor([[1.0, 0.0]]), reduction="batchmean")
    tensor(0.6931472)
    """
    if reduction != "batchmean":
        known_reduction(reduction)
    t = as_weight(input, broadcasting("kl_div", input, target))
    loss = exp(t) * (t - input) if log_target else astype(xlogy(t, t), t.dtype, copy=False) - t * input
    if reduction == "batchmean":
        return reduced(loss, "mean", input.shape[0] if input.shape else 1)
    return reduced(loss, reduction, loss.size)


@by_position
@full_in_autocast
def soft_margin_loss(input: Tensor, target: Any, *, reduction: str = "mean") -> Tensor:
    """``log(1 + exp(-t x))`` for labels t of 1 and -1: logistic regression; exact for x of any size.

    Args:
        input: x, shape ``(...)``.
        target: t, of a shape that broadcasts to that of the input, or the other way round.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: the shapes do not fit, or the reduction is not known.

    Source: ``torch.nn.functional.soft_margin_loss``.

    >>> import gpugrad as gg
    >>> gg.nn.functional.soft_margin_loss(gg.tensor([0.0, 1e4]), gg.tensor([1.0, -1.0]), reduction="none")
    tensor([6.931472e-01, 1.000000e+04])
    """
    known_reduction(reduction)
    t = as_weight(input, broadcasting("soft_margin_loss", input, target))
    loss: Tensor = -_log_sigmoid(t * input)
    return reduced(loss, reduction, loss.size)


@by_position
@full_in_autocast
def multilabel_soft_margin_loss(input: Tensor, target: Any, weight: Any = None, *, reduction: str = "mean") -> Tensor:
    """:func:`binary_cross_entropy_with_logits` of C classes that do not exclude each other, their mean.

    Args:
        input: logits, shape ``(N, C)`` or ``(C,)``.
        target: 1 for classes that are there, 0 for the others; of the same shape.
        weight: shape ``(C,)``, one factor a class.
        reduction: over the rows: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes do not fit, or the reduction is not known.

    Source: ``torch.nn.functional.multilabel_soft_margin_loss``.

    >>> import gpugrad as gg
    >>> gg.nn.functional.multilabel_soft_margin_loss(gg.zeros((1, 2)), gg.tensor([[1.0, 0.0]]))
    tensor(0.6931472)
    """
    name = "multilabel_soft_margin_loss"
    known_reduction(reduction)
    if not input.shape:
        raise ValueError(f"{name}: expected an input of shape (..., C), got {input.shape}")
    t = asarray(fitting(name, input, target))
    loss = binary_cross_entropy_with_logits(input, t, reduction="none")
    if weight is not None:
        loss = loss * _factors(name, input, weight)
    loss = loss.mean(axis=-1) if input.shape[-1] else loss.sum(axis=-1) * nan
    return reduced(loss, reduction, loss.size)
