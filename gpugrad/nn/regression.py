"""Losses of predicted numbers, as modules; see :mod:`gpugrad.nn.functional` for what they compute."""

from __future__ import annotations

from typing import Any

from ..core import Tensor
from . import functional
from .loss import Loss


class MSELoss(Loss):
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


class L1Loss(Loss):
    """The absolute error: :func:`gpugrad.nn.functional.l1_loss`.

    Arguments as there. Source: ``torch.nn.L1Loss``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.L1Loss()(gg.tensor([1.0, -3.0]), gg.tensor([0.0, 0.0]))
    tensor(2.)
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.l1_loss(input, target, reduction=self.reduction)


class HuberLoss(Loss):
    """A parabola for small errors, a line for large ones: :func:`gpugrad.nn.functional.huber_loss`.

    Arguments as there. Source: ``torch.nn.HuberLoss``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.HuberLoss()(gg.tensor([1.0, 3.0]), gg.tensor([0.0, 0.0]))
    tensor(1.5)
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.huber_loss(input, target, delta=self.delta, reduction=self.reduction)


class SmoothL1Loss(Loss):
    """A parabola for small errors, the absolute error for large ones: :func:`gpugrad.nn.functional.smooth_l1_loss`.

    Arguments as there. Source: ``torch.nn.SmoothL1Loss``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.SmoothL1Loss()(gg.tensor([0.5, 3.0]), gg.tensor([0.0, 0.0]))
    tensor(1.3125)
    """

    def __init__(self, *, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.smooth_l1_loss(input, target, beta=self.beta, reduction=self.reduction)


class PoissonNLLLoss(Loss):
    """The negative log-likelihood of counts: :func:`gpugrad.nn.functional.poisson_nll_loss`.

    Arguments as there. Source: ``torch.nn.PoissonNLLLoss``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.PoissonNLLLoss()(gg.tensor([0.0]), gg.tensor([3.0]))
    tensor(1.)
    """

    def __init__(
        self, log_input: bool = True, full: bool = False, *, eps: float = 1e-8, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        self.log_input, self.full, self.eps = log_input, full, eps

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.poisson_nll_loss(
            input, target, log_input=self.log_input, full=self.full, eps=self.eps, reduction=self.reduction
        )


class GaussianNLLLoss(Loss):
    """The negative log-likelihood of normal noise: :func:`gpugrad.nn.functional.gaussian_nll_loss`.

    Arguments as there. Source: ``torch.nn.GaussianNLLLoss``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.GaussianNLLLoss()(gg.tensor([1.0]), gg.tensor([3.0]), gg.tensor([1.0]))
    tensor(2.)
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.full, self.eps = full, eps

    def forward(self, input: Tensor, target: Tensor, var: Any) -> Tensor:
        return functional.gaussian_nll_loss(input, target, var, full=self.full, eps=self.eps, reduction=self.reduction)
