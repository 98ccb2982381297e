"""Losses of pairs and triples: what belongs together is to be nearer, or to score higher, by a margin.

Labels are 1 and -1. ``reduction`` is ``"mean"``, ``"sum"`` or ``"none"``; another one is a ValueError.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...core import Tensor
from ...ops.arithmetic import clip, minimum, where
from ...ops.creation import asarray
from ...ops.functions import sqrt
from ...ops.inspection import broadcast_shapes
from ...ops.reduction import sum
from ...ops.wide import full_in_autocast
from .distance import pairwise_distance
from .positions import by_position, in_floating_point
from .reducing import as_weight, known_reduction, reduced

COSINE_EPS = 1e-12
"""Added to squared lengths. Source: ``torch.nn.functional.cosine_embedding_loss``."""


def _common(name: str, **tensors: Tensor) -> tuple[int, ...]:
    """The shape to which the shapes broadcast.

    Raises:
        ValueError: they do not.
    """
    try:
        shape: tuple[int, ...] = broadcast_shapes(*(t.shape for t in tensors.values()))
    except ValueError:
        given = ", ".join(f"{what} {t.shape}" for what, t in tensors.items())
        raise ValueError(f"{name}: expected shapes that broadcast with each other, got {given}") from None
    return shape


@by_position
@full_in_autocast
def hinge_embedding_loss(input: Tensor, target: Any, margin: float = 1.0, *, reduction: str = "mean") -> Tensor:
    """``x`` where the label is 1, ``max(0, margin - x)`` where it is -1, for distances x.

    Args:
        input: x, shape ``(...)``.
        target: labels of 1 and -1 of a shape that broadcasts with it.
        margin: how far apart what does not belong together is to be.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes do not fit, or the reduction is not known.

    Source: Hadsell et al. 2006; ``torch.nn.functional.hinge_embedding_loss``.

    >>> import gpugrad as gg
    >>> F = gg.nn.functional
    >>> F.hinge_embedding_loss(gg.tensor([0.5, 0.25]), gg.tensor([1, -1]), reduction="none")
    tensor([0.5 , 0.75])
    """
    known_reduction(reduction)
    t: Tensor = asarray(target)
    _common("hinge_embedding_loss", input=input, target=t)
    loss = where(t != -1, input, 0) + where(t != 1, clip(margin - input, 0, None), 0)
    return reduced(loss, reduction, loss.size)


@by_position
@full_in_autocast
def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Any, margin: float = 0, *, reduction: str = "mean"
) -> Tensor:
    """``max(0, margin - t (x1 - x2))``: with the label 1, x1 is to be larger than x2, with -1 smaller.

    Args:
        input1: x1, shape ``(...)``.
        input2: x2, of a shape that broadcasts with it.
        target: labels of 1 and -1, likewise.
        margin: by how much.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes do not fit, or the reduction is not known.

    Source: ``torch.nn.functional.margin_ranking_loss``.

    >>> import gpugrad as gg
    >>> F = gg.nn.functional
    >>> F.margin_ranking_loss(gg.tensor([2.0]), gg.tensor([1.5]), gg.tensor([-1]))
    tensor(0.5)
    """
    known_reduction(reduction)
    t = as_weight(input1, target)
    _common("margin_ranking_loss", input1=input1, input2=input2, target=t)
    loss = clip(margin - t * (input1 - input2), 0, None)
    return reduced(loss, reduction, loss.size)


@by_position
@full_in_autocast
def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Any, margin: float = 0, *, reduction: str = "mean"
) -> Tensor:
    """``1 - cos(x1, x2)`` where the label is 1, ``max(0, cos(x1, x2) - margin)`` where it is -1.

    Args:
        input1: x1, shape ``(N, D)`` or ``(D,)``.
        input2: x2, likewise.
        target: labels of 1 and -1, shape ``(N,)`` or ``()``.
        margin: from -1 to 1.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes do not fit, or the reduction is not known.

    Source: ``torch.nn.functional.cosine_embedding_loss``.

    >>> import gpugrad as gg
    >>> x = gg.tensor([[1.0, 0.0]])
    >>> gg.nn.functional.cosine_embedding_loss(x, x, gg.tensor([-1]), margin=0.5)
    tensor(0.5)
    """
    name = "cosine_embedding_loss"
    known_reduction(reduction)
    t: Tensor = asarray(target)
    shape = _common(name, input1=input1, input2=input2)
    if len(shape) not in (1, 2) or t.ndim != len(shape) - 1 or (t.ndim and t.shape[0] not in (1, shape[0])):
        raise ValueError(
            f"{name}: expected inputs of shape (N, D) with labels (N,), or (D,) with (); got {input1.shape}, "
            f"{input2.shape} and {t.shape}"
        )
    squares = (sum(input1 * input1, axis=-1) + COSINE_EPS) * (sum(input2 * input2, axis=-1) + COSINE_EPS)
    cosine = sum(input1 * input2, axis=-1) / sqrt(squares)
    loss = where(t == 1, 1 - cosine, 0) + where(t == -1, clip(cosine - margin, 0, None), 0)
    return reduced(loss, reduction, loss.size)


@by_position
@in_floating_point
@full_in_autocast
def triplet_margin_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2, eps: float = 1e-6,
    swap: bool = False, *, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """``max(0, margin + d(a, p) - d(a, n))``: the anchor is to be nearer to the positive than to the negative example.

    Args:
        anchor: a, shape ``(N, D)`` or ``(D,)``.
        positive: p, likewise.
        negative: n, likewise.
        margin: by how much.
        p: which norm; the distance is :func:`pairwise_distance`.
        eps: added to each difference.
        swap: take ``d(p, n)`` for ``d(a, n)`` where it is smaller.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes do not fit, or the reduction is not known.

    Source: Balntas et al. 2016; ``torch.nn.functional.triplet_margin_loss``.

    >>> import gpugrad as gg
    >>> a = gg.tensor([[0.0, 0.0]])
    >>> gg.nn.functional.triplet_margin_loss(a, a, gg.tensor([[0.5, 0.0]]), p=1, eps=0.0)
    tensor(0.5)
    """

    def distance(x1: Tensor, x2: Tensor) -> Tensor:
        return pairwise_distance(x1, x2, p, eps)

    return _triplets("triplet_margin_loss", anchor, positive, negative, distance, margin, swap, reduction)


@full_in_autocast
def triplet_margin_with_distance_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None, margin: float = 1.0, swap: bool = False,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """:func:`triplet_margin_loss` with any distance.

    Args:
        anchor: shape ``(...)``.
        positive: likewise.
        negative: likewise.
        distance_function: of two Tensors; None for :func:`pairwise_distance`.
        margin: positive.
        swap: as there.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes do not fit, the margin is not positive, or the reduction is not known.

    Source: ``torch.nn.functional.triplet_margin_with_distance_loss``.

    >>> import gpugrad as gg
    >>> F = gg.nn.functional
    >>> a, n = gg.tensor([[1.0, 0.0]]), gg.tensor([[0.0, 1.0]])
    >>> F.triplet_margin_with_distance_loss(a, a, n, distance_function=lambda x, y: 1 - F.cosine_similarity(x, y))
    tensor(0.)
    """
    name = "triplet_margin_with_distance_loss"
    if not margin > 0:
        raise ValueError(f"{name}: expected a positive margin, got {margin}")
    distance = pairwise_distance if distance_function is None else distance_function
    return _triplets(name, anchor, positive, negative, distance, margin, swap, reduction)


def _triplets(
    name: str, anchor: Tensor, positive: Tensor, negative: Tensor, distance: Callable[[Tensor, Tensor], Tensor],
    margin: float, swap: bool, reduction: str,
) -> Tensor:  # fmt: skip
    known_reduction(reduction)
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise ValueError(
            f"{name}: expected as many axes of each, got anchor {anchor.shape}, positive {positive.shape}, "
            f"negative {negative.shape}"
        )
    _common(name, anchor=anchor, positive=positive, negative=negative)
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    loss = clip(margin + near - far, 0, None)
    return reduced(loss, reduction, loss.size)
