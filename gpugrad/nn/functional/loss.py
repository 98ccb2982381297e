"""Losses against class labels: how wrong a prediction is, and what the number is averaged over.

``reduction`` is ``"none"`` for one number an example, ``"sum"`` for their sum, and ``"mean"`` for their mean; where
examples have weights, for the sum divided by the sum of the weights. A mean of nothing is NaN.

Class scores have shape ``(N, C)``, ``(N, C, d1, ...)`` or ``(C,)``; class labels are integers of that shape without
``C``.
"""

from __future__ import annotations

from typing import Any

from ... import backend
from ...backend import NAMESPACES, beside
from ...core import Tensor
from ...kernels import labels as kernels
from ...ops import softmax as ops
from ...ops.activation import relu
from ...ops.arithmetic import where
from ...ops.creation import arange, asarray, astype
from ...ops.margins import margins
from ...ops.reduction import sum as sum_of
from ...ops.scans import cumprod
from ...ops.selection import take_along_axis
from ...ops.shaping import expand_dims, reshape
from ...ops.wide import full_in_autocast
from .positions import by_position
from .reducing import known_reduction, noted, reduced, weighted_mean


def _weighted_mean(loss: Tensor, labels: Any, ignore_index: int, weight: Tensor | None) -> Tensor:
    """The sum of losses divided by the sum of the weights of their labels."""
    xp = NAMESPACES[type(labels)]
    if weight is None:  # a number of rows, so there is nothing to record
        with beside(labels):
            total = Tensor(kernels.counted(xp, labels, ignore_index, loss.dtype))
        return noted(loss.sum() / total, total)
    label, valid = kernels.without_ignored(xp, labels, ignore_index)
    return weighted_mean(loss.sum(), sum_of(where(valid, weight[label], 0)))


def _target(name: str, input: Tensor, target: Any, or_probabilities: bool = False) -> Tensor:
    """The target as a Tensor of class labels, checked as far as shape and dtype go.

    Raises:
        TypeError: the labels are no integers.
        ValueError: the shape does not fit that of the input.
    """
    given: Tensor = asarray(target)
    if not input.shape:
        raise ValueError(f"{name}: expected an input of shape (N, C), (N, C, d1, ...) or (C,), got {input.shape}")
    axis = kernels.class_axis(input.shape)
    rows = input.shape[:axis] + input.shape[axis + 1 :]
    integers = given.dtype.kind in "iu"
    if or_probabilities and not integers and given.shape == input.shape and backend.is_floating(given.dtype):
        return given
    if given.shape == rows and not integers:
        raise TypeError(f"{name}: expected integer class labels, got {given.dtype}")
    if given.shape != rows:
        other = f", or probabilities of shape {input.shape}" if or_probabilities else ""
        raise ValueError(
            f"{name}: for an input of shape {input.shape} expected class labels of shape {rows}{other}; "
            f"got {given.dtype} of shape {given.shape}"
        )
    return given


def _labels(name: str, input: Tensor, target: Any, ignore_index: int | None = None) -> Any:
    """The array of class labels, checked.

    Raises:
        IndexError: a label is out of range.
    """
    labels = _target(name, input, target).data
    xp = NAMESPACES[type(labels)]
    try:
        ops.checked_labels(xp, labels, input.shape[kernels.class_axis(input.shape)], ignore_index, name)
    except IndexError as error:
        raise IndexError(f"{name}: {error}") from None
    return labels


def _weight(name: str, input: Tensor, weight: Tensor | None) -> Tensor | None:
    """The weights of the classes in the dtype of the input.

    Raises:
        ValueError: there is not one for each class.
    """
    if weight is None:
        return None
    weight = asarray(weight)
    classes = input.shape[kernels.class_axis(input.shape)]
    if weight.shape != (classes,):
        raise ValueError(f"{name}: expected one weight for each of {classes} classes, got shape {weight.shape}")
    return weight if weight.dtype == input.dtype else astype(weight, input.dtype)


@by_position
@full_in_autocast
def cross_entropy(
    input: Tensor, target: Any, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:  # fmt: skip
    """``-log softmax(input)[target]``: how surprised the model is by the label.

    One operation, exact for logits of any size, that keeps no probabilities: :func:`gpugrad.ops.softmax.cross_entropy`.

    Args:
        input: logits, shape ``(N, C)``, ``(N, C, d1, ...)`` or ``(C,)``.
        target: integer labels in [0, C), of the shape of the input without C; or probabilities of the shape of the
            input, which may need a gradient.
        weight: shape ``(C,)``, one factor a class.
        ignore_index: rows with this label count for nothing, not even in the mean.
        reduction: ``"mean"``, over the weights of the labels (over the rows for probabilities); ``"sum"``; ``"none"``.
        label_smoothing: e; the target becomes ``(1 - e) target + e / C``.

    Raises:
        IndexError: a label is out of range; the message names it.
        TypeError: the labels are no integers.
        ValueError: shapes do not fit, e is outside [0, 1], the reduction is not known, or ``ignore_index`` is given
            with probabilities.

    Source: ``torch.nn.functional.cross_entropy``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> logits = gg.tensor([[2.0, 2.0], [0.0, 0.0]], requires_grad=True)
    >>> nn.functional.cross_entropy(logits, gg.tensor([0, 1])).backward()
    >>> logits.grad
    tensor([[-0.25,  0.25],
            [ 0.25, -0.25]])
    """
    known_reduction(reduction)
    target = _target("cross_entropy", input, target, or_probabilities=True)
    weight = _weight("cross_entropy", input, weight)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: expected label_smoothing in [0, 1], got {label_smoothing}")
    label_smoothing = float(label_smoothing)  # refuses one that needs a gradient, which 0 would lose
    if target.dtype.kind not in "iu":
        if ignore_index >= 0:
            raise ValueError("cross_entropy: ignore_index is for class labels, the target has probabilities")
        return _with_probabilities(input, target, weight, reduction, label_smoothing)
    loss: Tensor = ops.cross_entropy(input, target, weight, ignore_index, label_smoothing)
    if reduction != "mean":
        return reduced(loss, reduction, loss.size)
    return _weighted_mean(loss, target.data, ignore_index, weight)


def _with_probabilities(
    input: Tensor, target: Tensor, weight: Tensor | None, reduction: str, label_smoothing: float
) -> Tensor:
    axis = kernels.class_axis(input.shape)
    if target.dtype != input.dtype:
        target = astype(target, input.dtype)
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / input.shape[axis]
    if weight is not None:
        target = target * weight.reshape(tuple(-1 if i == axis else 1 for i in range(input.ndim)))
    if not input.shape[axis]:  # no classes: sums of nothing, and no mean
        return reduced((input * target).sum(axis=axis), reduction, 0)
    loss: Tensor = ops.soft_cross_entropy(input, target)
    return reduced(loss, reduction, loss.size)


@by_position
@full_in_autocast
def nll_loss(
    input: Tensor, target: Any, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """``-input[target]``: the negative log-likelihood, where the input are log-probabilities.

    Arguments and errors as for :func:`cross_entropy`, with class labels only. Source: ``torch.nn.functional.nll_loss``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.nll_loss(gg.tensor([[-0.5, -1.5], [-2.0, -1.0]]), gg.tensor([1, 0]))
    tensor(1.75)
    """
    known_reduction(reduction)
    labels = _labels("nll_loss", input, target, ignore_index)
    weight = _weight("nll_loss", input, weight)
    loss = ops.of_label(input, labels, ignore_index)
    if weight is not None:
        label, valid = kernels.without_ignored(NAMESPACES[type(labels)], labels, ignore_index)
        loss = where(valid, loss * weight[label], 0)
    return (
        _weighted_mean(loss, labels, ignore_index, weight)
        if reduction == "mean"
        else reduced(loss, reduction, loss.size)
    )


@by_position
@full_in_autocast
def multi_margin_loss(
    input: Tensor, target: Any, p: int = 1, margin: float = 1.0, weight: Tensor | None = None, *,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """``sum_(i != t) max(0, margin - x_t + x_i)^p / C``: the multiclass hinge loss (support vector machine).

    Args:
        input: scores x, shape ``(N, C)`` or ``(C,)``; a number is one class.
        target: integer labels t in [0, C), shape ``(N,)``; for one row ``()`` or ``(1,)``.
        p: 1, or 2 for the squared hinge.
        margin: by how much the score of the label is to be larger than the others.
        weight: shape ``(C,)``; the loss of a row is multiplied by the weight of its label.
        reduction: ``"mean"`` (over the rows), ``"sum"`` or ``"none"``.

    Raises:
        IndexError: a label is out of range.
        TypeError: the labels are no integers.
        ValueError: shapes do not fit, p is neither 1 nor 2, or the reduction is not known.

    Source: Crammer and Singer 2001 and CS231n, linear classification notes (there without ``1 / C``);
    ``torch.nn.functional.multi_margin_loss``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.multi_margin_loss(gg.tensor([[0.5, 1.0, 0.0]]), gg.tensor([1]))
    tensor(0.16666667)
    """
    known_reduction(reduction)
    if p not in (1, 2):
        raise ValueError(f"multi_margin_loss: expected p = 1 or 2, got {p}")
    if input.ndim > 2:
        raise ValueError(f"multi_margin_loss: expected an input of shape (N, C) or (C,), got {input.shape}")
    if not input.ndim:
        input = reshape(input, (1,))
    labels: Tensor = asarray(target)
    single = input.ndim == 1 and labels.shape == (1,)  # (C,) with (1,), as in PyTorch
    label = _labels("multi_margin_loss", input[None] if single else input, labels)
    weight = _weight("multi_margin_loss", input, weight)
    loss = margins(input[None] if single else input, label, p, margin)
    if weight is not None:
        loss = loss * weight[label]
    return reduced(loss, reduction, loss.size)


@by_position
@full_in_autocast
def multilabel_margin_loss(input: Tensor, target: Any, *, reduction: str = "mean") -> Tensor:
    """``sum_(j, i) max(0, 1 - x_(t_j) + x_i) / C`` over labels t_j and the classes i that are none: a hinge loss.

    Args:
        input: scores x, shape ``(N, C)`` or ``(C,)``.
        target: integers of the same shape: the labels of a row, then -1; what is behind that does not count.
        reduction: ``"mean"`` (over the rows), ``"sum"`` or ``"none"``.

    Raises:
        IndexError: a label is out of range.
        TypeError: the labels are no integers.
        ValueError: shapes do not fit, or the reduction is not known.

    Every label is compared with every class: ``N C^2`` numbers. Source: ``torch.nn.functional.multilabel_margin_loss``.

    >>> import gpugrad as gg
    >>> gg.nn.functional.multilabel_margin_loss(gg.tensor([[0.1, 0.2, 0.4, 0.8]]), gg.tensor([[3, 0, -1, 1]]))
    tensor(0.85)
    """
    name = "multilabel_margin_loss"
    known_reduction(reduction)
    labels: Tensor = asarray(target)
    if not input.ndim and not labels.ndim:
        input, labels = reshape(input, (1,)), reshape(labels, (1,))
    if input.ndim not in (1, 2):
        raise ValueError(f"{name}: expected an input of shape (N, C) or (C,), got {input.shape}")
    if labels.shape != input.shape:
        raise ValueError(f"{name}: expected labels of the shape of the input, {input.shape}, got {labels.shape}")
    if labels.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected integer class labels, got {labels.dtype}")
    classes = input.shape[-1]
    raw = labels.data
    xp = NAMESPACES[type(raw)]
    try:
        ops.checked_labels(xp, raw, classes, -1, name)
    except IndexError as error:
        raise IndexError(f"{name}: {error}") from None
    counts = cumprod(astype(labels >= 0, "int64"), axis=-1) > 0
    label = where(counts, labels, 0)
    hits = _one_hots(label, classes) & expand_dims(counts, axis=-1)
    other = ~hits.any(axis=-2, keepdims=True) & expand_dims(counts, axis=-1)  # (..., labels, classes)
    own = expand_dims(take_along_axis(input, label, axis=-1), axis=-1)
    hinge = where(other, relu(1 - own + expand_dims(input, axis=-2)), 0)
    loss = hinge.sum(axis=(-2, -1)) * (1 / classes)
    return reduced(loss, reduction, loss.size)


def _one_hots(label: Tensor, classes: int) -> Tensor:
    """For each label, which class it is."""
    return expand_dims(label, axis=-1) == arange(classes, device=label.device)
