"""Losses of pairs and triples, and what they compare, as modules; see :mod:`gpugrad.nn.functional`."""

from __future__ import annotations

from collections.abc import Callable

from ..core import Tensor
from . import functional
from .loss import Loss
from .module import Module


class HingeEmbeddingLoss(Loss):
    """Distances that are to be small, or at least a margin: :func:`gpugrad.nn.functional.hinge_embedding_loss`.

    Arguments as there. Source: ``torch.nn.HingeEmbeddingLoss``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.HingeEmbeddingLoss()(gg.tensor([0.5, 0.25]), gg.tensor([1, -1]))
    tensor(0.625)
    """

    def __init__(self, margin: float = 1.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.hinge_embedding_loss(input, target, margin=self.margin, reduction=self.reduction)


class MarginRankingLoss(Loss):
    """Which of two scores is to be larger: :func:`gpugrad.nn.functional.margin_ranking_loss`.

    Arguments as there. Source: ``torch.nn.MarginRankingLoss``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.MarginRankingLoss()(gg.tensor([2.0]), gg.tensor([1.5]), gg.tensor([-1]))
    tensor(0.5)
    """

    def __init__(self, margin: float = 0.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return functional.margin_ranking_loss(input1, input2, target, margin=self.margin, reduction=self.reduction)


class CosineEmbeddingLoss(Loss):
    """Vectors that are to point the same way, or not: :func:`gpugrad.nn.functional.cosine_embedding_loss`.

    Arguments as there. Source: ``torch.nn.CosineEmbeddingLoss``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.CosineEmbeddingLoss()(gg.tensor([[1.0, 0.0]]), gg.tensor([[0.0, 1.0]]), gg.tensor([1]))
    tensor(1.)
    """

    def __init__(self, margin: float = 0.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return functional.cosine_embedding_loss(input1, input2, target, margin=self.margin, reduction=self.reduction)


class TripletMarginLoss(Loss):
    """An anchor that is to be nearer to one example than to another: :func:`gpugrad.nn.functional.triplet_margin_loss`.

    Arguments as there. Source: ``torch.nn.TripletMarginLoss``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> a = gg.tensor([[0.0, 0.0]])
    >>> nn.TripletMarginLoss()(a, a, gg.tensor([[3.0, 4.0]]))
    tensor(0.)
    """

    def __init__(
        self, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False, *, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        self.margin, self.p, self.eps, self.swap = margin, p, eps, swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return functional.triplet_margin_loss(
            anchor,
            positive,
            negative,
            margin=self.margin,
            p=self.p,
            eps=self.eps,
            swap=self.swap,
            reduction=self.reduction,
        )


class TripletMarginWithDistanceLoss(Loss):
    """:class:`TripletMarginLoss` with any distance: :func:`gpugrad.nn.functional.triplet_margin_with_distance_loss`.

    Arguments as there. Source: ``torch.nn.TripletMarginWithDistanceLoss``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> loss = nn.TripletMarginWithDistanceLoss(distance_function=lambda x, y: abs(x - y).sum(axis=-1))
    >>> loss(gg.tensor([[0.0]]), gg.tensor([[1.0]]), gg.tensor([[1.5]]))
    tensor(0.5)
    """

    def __init__(
        self, *, distance_function: Callable[[Tensor, Tensor], Tensor] | None = None, margin: float = 1.0,
        swap: bool = False, reduction: str = "mean",
    ) -> None:  # fmt: skip
        super().__init__(reduction)
        if not margin > 0:
            raise ValueError(f"TripletMarginWithDistanceLoss: expected a positive margin, got {margin}")
        self.distance_function = functional.pairwise_distance if distance_function is None else distance_function
        self.margin, self.swap = margin, swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return functional.triplet_margin_with_distance_loss(
            anchor, positive, negative, distance_function=self.distance_function, margin=self.margin, swap=self.swap,
            reduction=self.reduction,
        )  # fmt: skip


class CosineSimilarity(Module):
    """The cosine of the angle between vectors along an axis: :func:`gpugrad.nn.functional.cosine_similarity`.

    Arguments as there. Source: ``torch.nn.CosineSimilarity``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.CosineSimilarity()(gg.tensor([[1.0, 1.0]]), gg.tensor([[0.0, 2.0]]))
    tensor([0.70710677])
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim, self.eps = dim, eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return functional.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """The norm of the differences along the last axis: :func:`gpugrad.nn.functional.pairwise_distance`.

    Arguments as there, with p as ``norm``. Source: ``torch.nn.PairwiseDistance``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.PairwiseDistance(eps=0.0)(gg.tensor([[3.0, 0.0]]), gg.tensor([[0.0, 4.0]]))
    tensor([5.])
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return functional.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)
