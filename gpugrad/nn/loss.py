"""Losses against labels and probabilities, as modules; see :mod:`gpugrad.nn.functional` for what they compute."""

from __future__ import annotations

from typing import Any

from ..core import Tensor
from . import functional
from .functional.positions import by_position
from .module import Module


class Loss(Module):
    """What the losses share: a reduction, and for some a weight, which is a buffer."""

    def __init_subclass__(cls) -> None:
        if "__init__" in vars(cls):
            cls.__init__ = by_position(cls.__init__)  # type: ignore[method-assign]

    def __init__(self, reduction: str, weight: Tensor | None = None) -> None:
        super().__init__()
        self.reduction = functional.known_reduction(reduction)
        self.weight: Tensor | None
        self.register_buffer("weight", weight)


class CrossEntropyLoss(Loss):
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


class NLLLoss(Loss):
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


class MultiMarginLoss(Loss):
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


class MultiLabelMarginLoss(Loss):
    """The hinge loss of several labels a row: :func:`gpugrad.nn.functional.multilabel_margin_loss`.

    Arguments as there. Source: ``torch.nn.MultiLabelMarginLoss``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.MultiLabelMarginLoss()(gg.tensor([[0.1, 0.2, 0.4, 0.8]]), gg.tensor([[3, 0, -1, 1]]))
    tensor(0.85)
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.multilabel_margin_loss(input, target, reduction=self.reduction)


class BCELoss(Loss):
    """The cross-entropy of probabilities of one class or none: :func:`gpugrad.nn.functional.binary_cross_entropy`.

    Arguments as there; the weight is a buffer. Source: ``torch.nn.BCELoss``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.BCELoss()(gg.tensor([0.5, 1.0]), gg.tensor([1.0, 1.0]))
    tensor(0.3465736)
    """

    def __init__(self, weight: Tensor | None = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction, weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(Loss):
    """The cross-entropy of logits of one class or none: :func:`gpugrad.nn.functional.binary_cross_entropy_with_logits`.

    Arguments as there; the weights are buffers. Source: ``torch.nn.BCEWithLogitsLoss``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.BCEWithLogitsLoss()(gg.tensor([0.0, 1e4]), gg.tensor([1.0, 1.0]))
    tensor(0.3465736)
    """

    def __init__(
        self, weight: Tensor | None = None, *, reduction: str = "mean", pos_weight: Tensor | None = None
    ) -> None:
        super().__init__(reduction, weight)
        self.pos_weight: Tensor | None
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(
            input, target, self.weight, pos_weight=self.pos_weight, reduction=self.reduction
        )


class MultiLabelSoftMarginLoss(Loss):
    """The mean cross-entropy of classes that do not exclude each other.

    Arguments as for :func:`gpugrad.nn.functional.multilabel_soft_margin_loss`; the weight is a buffer. Source:
    ``torch.nn.MultiLabelSoftMarginLoss``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.MultiLabelSoftMarginLoss()(gg.zeros((1, 2)), gg.tensor([[1.0, 0.0]]))
    tensor(0.6931472)
    """

    def __init__(self, weight: Tensor | None = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction, weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.multilabel_soft_margin_loss(input, target, self.weight, reduction=self.reduction)


class SoftMarginLoss(Loss):
    """The logistic loss of labels 1 and -1: :func:`gpugrad.nn.functional.soft_margin_loss`.

    Arguments as there. Source: ``torch.nn.SoftMarginLoss``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.SoftMarginLoss()(gg.tensor([0.0, 0.0]), gg.tensor([1.0, -1.0]))
    tensor(0.6931472)
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.soft_margin_loss(input, target, reduction=self.reduction)


class KLDivLoss(Loss):
    """The Kullback-Leibler divergence: :func:`gpugrad.nn.functional.kl_div`.

    Arguments as there. Source: ``torch.nn.KLDivLoss``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.KLDivLoss(reduction="sum")(gg.tensor([0.0, -1.0]), gg.tensor([1.0, 0.0]))
    tensor(0.)
    """

    def __init__(self, *, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__("mean" if reduction == "batchmean" else reduction)
        self.reduction, self.log_target = reduction, log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.kl_div(input, target, log_target=self.log_target, reduction=self.reduction)


class CTCLoss(Loss):
    """How well frames spell labels whose alignment is not known: :func:`gpugrad.nn.functional.ctc_loss`.

    Arguments as there. Source: ``torch.nn.CTCLoss``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.CTCLoss()(gg.full((2, 1, 2), -0.6931472), gg.tensor([[1]]), gg.tensor([2]), gg.tensor([1]))
    tensor(0.28768212)
    """

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(reduction)
        self.blank, self.zero_infinity = blank, zero_infinity

    def forward(self, log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any) -> Tensor:
        return functional.ctc_loss(
            log_probs, targets, input_lengths, target_lengths, self.blank, self.reduction, self.zero_infinity
        )
