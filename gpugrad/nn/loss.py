"""Losses as modules; see :mod:`gpugrad.nn.functional` for what they compute."""

from __future__ import annotations

from ..core import Tensor
from . import functional
from .module import Module


class _Loss(Module):
    def __init__(self, reduction: str, weight: Tensor | None = None) -> None:
        super().__init__()
        self.reduction = functional.known_reduction(reduction)
        self.weight: Tensor | None
        self.register_buffer("weight", weight)


class CrossEntropyLoss(_Loss):
    """The cross-entropy between logits and class labels or probabilities: :func:`gpugrad.nn.functional.cross_entropy`.

    Args:
        weight: shape ``(C,)``, one factor a class; a buffer.
        ignore_index: a label that counts for nothing.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        label_smoothing: in [0, 1].

    Source: ``torch.nn.CrossEntropyLoss``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.CrossEntropyLoss()(gg.zeros((2, 4)), gg.tensor([0, 3]))
    tensor(1.3862944)
    """

    def __init__(
        self, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(reduction, weight)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.cross_entropy(
            input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )  # fmt: skip


class NLLLoss(_Loss):
    """The negative log-likelihood of class labels, given log-probabilities: :func:`gpugrad.nn.functional.nll_loss`.

    Arguments as for :class:`CrossEntropyLoss`. Source: ``torch.nn.NLLLoss``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.NLLLoss()(gg.tensor([[-0.5, -1.5]]), gg.tensor([1]))
    tensor(1.5)
    """

    def __init__(self, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(reduction, weight)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.nll_loss(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class MSELoss(_Loss):
    """The squared error: :func:`gpugrad.nn.functional.mse_loss`. Source: ``torch.nn.MSELoss``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.MSELoss()(gg.tensor([1.0, 2.0]), gg.tensor([0.0, 0.0]))
    tensor(2.5)
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.mse_loss(input, target, reduction=self.reduction)


class MultiMarginLoss(_Loss):
    """The multiclass hinge loss: :func:`gpugrad.nn.functional.multi_margin_loss`.

    Args:
        p: 1, or 2 for the squared hinge.
        margin: by how much the score of the label is to be larger than the others.
        weight: shape ``(C,)``, one factor a class; a buffer.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Source: ``torch.nn.MultiMarginLoss``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.MultiMarginLoss()(gg.tensor([[0.5, 1.0]]), gg.tensor([1]))
    tensor(0.25)
    """

    def __init__(
        self, p: int = 1, margin: float = 1.0, weight: Tensor | None = None, *, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction, weight)
        self.p, self.margin = p, margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.multi_margin_loss(input, target, self.p, self.margin, self.weight, reduction=self.reduction)
