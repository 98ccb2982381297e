"""Dropout."""

from __future__ import annotations

from ..core import Tensor
from . import functional
from .module import Module


class Dropout(Module):
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

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = functional.dropout_probability(p)

    def forward(self, input: Tensor) -> Tensor:
        return functional.dropout(input, self.p, self.training)

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}"
