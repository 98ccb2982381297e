"""Dropout of elements and of whole channels."""

from __future__ import annotations

from ..core import Tensor
from . import functional
from .module import Module


class _Dropout(Module):
    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        self.p, self.inplace = functional.dropout_probability(p), inplace

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}{', inplace=True' if self.inplace else ''}"


class Dropout(_Dropout):
    """In training mode, each element is 0 with probability p, and the others are divided by ``1 - p``.

    So the expected value is the input, and evaluation mode has nothing to do. The mask comes from
    ``gpugrad.random`` and is a new one at every call.

    Raises:
        ValueError: p is outside [0, 1].

    Source: Srivastava et al. 2014; "inverted" as in CS231n, neural networks part 2; ``torch.nn.Dropout``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.Dropout(0.5).eval()(gg.ones(3))
    tensor([1., 1., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return functional.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_Dropout):
    """Dropout of whole channels of inputs of shape ``(N, C, L)`` or ``(C, L)``.

    Raises (when called):
        ValueError: the input has another number of axes.

    Source: Tompson et al. 2015; ``torch.nn.Dropout1d``.

    >>> import gpugrad as gg
    >>> gg.nn.Dropout1d(1.0)(gg.ones((1, 2, 1))).sum()
    tensor(0.)
    """

    def forward(self, input: Tensor) -> Tensor:
        return functional.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_Dropout):
    """Dropout of whole channels of inputs of shape ``(N, C, H, W)`` or ``(C, H, W)``.

    Raises (when called):
        ValueError: the input has another number of axes.

    Source: Tompson et al. 2015; ``torch.nn.Dropout2d``.

    >>> import gpugrad as gg
    >>> gg.nn.Dropout2d(1.0)(gg.ones((1, 2, 1, 1))).sum()
    tensor(0.)
    """

    def forward(self, input: Tensor) -> Tensor:
        return functional.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_Dropout):
    """Dropout of whole channels of inputs of shape ``(N, C, D, H, W)`` or ``(C, D, H, W)``.

    Raises (when called):
        ValueError: the input has another number of axes.

    Source: Tompson et al. 2015; ``torch.nn.Dropout3d``.

    >>> import gpugrad as gg
    >>> gg.nn.Dropout3d(1.0)(gg.ones((1, 2, 1, 1, 1))).sum()
    tensor(0.)
    """

    def forward(self, input: Tensor) -> Tensor:
        return functional.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_Dropout):
    """Dropout for SELU, which keeps mean and variance. Source: ``torch.nn.AlphaDropout``.

    >>> import gpugrad as gg
    >>> gg.nn.AlphaDropout(0.5).eval()(gg.ones((1, 3)))
    tensor([[1., 1., 1.]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return functional.alpha_dropout(input, self.p, self.training, self.inplace)


class FeatureAlphaDropout(_Dropout):
    """:class:`AlphaDropout` of whole channels of inputs of shape ``(N, C, ...)``.

    Source: ``torch.nn.FeatureAlphaDropout``.

    >>> import gpugrad as gg
    >>> gg.nn.FeatureAlphaDropout(0.5).eval()(gg.ones((1, 3)))
    tensor([[1., 1., 1.]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return functional.feature_alpha_dropout(input, self.p, self.training, self.inplace)
