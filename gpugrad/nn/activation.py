"""Activation functions as modules; see :mod:`gpugrad.nn.functional`."""

from __future__ import annotations

from ..core import Tensor
from . import functional
from .module import Module


class ReLU(Module):
    """``max(x, 0)``, element by element. Source: ``torch.nn.ReLU``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.ReLU()(gg.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    def forward(self, input: Tensor) -> Tensor:
        y: Tensor = functional.relu(input)
        return y


class Sigmoid(Module):
    """``1 / (1 + exp(-x))``, element by element. Source: ``torch.nn.Sigmoid``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.Sigmoid()(gg.tensor([0.0]))
    tensor([0.5])
    """

    def forward(self, input: Tensor) -> Tensor:
        y: Tensor = functional.sigmoid(input)
        return y


class Tanh(Module):
    """``tanh(x)``, element by element. Source: ``torch.nn.Tanh``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.Tanh()(gg.tensor([0.0]))
    tensor([0.])
    """

    def forward(self, input: Tensor) -> Tensor:
        y: Tensor = functional.tanh(input)
        return y


class _AlongAxis(Module):
    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def extra_repr(self) -> str:
        """The axis."""
        return f"dim={self.dim}"


class Softmax(_AlongAxis):
    """Probabilities ``exp(x) / sum(exp(x))`` along the axis ``dim``. Source: ``torch.nn.Softmax``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.Softmax(dim=-1)(gg.tensor([3.0, 3.0]))
    tensor([0.5, 0.5])
    """

    def forward(self, input: Tensor) -> Tensor:
        return functional.softmax(input, self.dim)


class LogSoftmax(_AlongAxis):
    """Log-probabilities ``x - log(sum(exp(x)))`` along the axis ``dim``. Source: ``torch.nn.LogSoftmax``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.LogSoftmax(dim=-1)(gg.tensor([3.0, 3.0]))
    tensor([-0.6931472, -0.6931472])
    """

    def forward(self, input: Tensor) -> Tensor:
        return functional.log_softmax(input, self.dim)
