"""Activation functions as modules; see :mod:`gpugrad.nn.functional`."""

from __future__ import annotations

from ..core import Tensor
from . import functional
from .module import Module


class InPlace(Module):
    """A function of one input that takes ``inplace``, as PyTorch's do; see :func:`gpugrad.nn.functional.relu`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        """Its parameters."""
        return "inplace=True" if self.inplace else ""


class ReLU(InPlace):
    """``max(x, 0)``, element by element. Source: ``torch.nn.ReLU``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.ReLU()(gg.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return functional.relu(input, self.inplace)


class Sigmoid(Module):
    """``1 / (1 + exp(-x))``, element by element. Source: ``torch.nn.Sigmoid``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.Sigmoid()(gg.tensor([0.0]))
    tensor([0.5])
    """

    def forward(self, input: Tensor) -> Tensor:
        return functional.sigmoid(input)


class Tanh(Module):
    """``tanh(x)``, element by element. Source: ``torch.nn.Tanh``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.Tanh()(gg.tensor([0.0]))
    tensor([0.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return functional.tanh(input)


class GELU(Module):
    """``x`` times the normal distribution function of x. Source: ``torch.nn.GELU``.

    >>> import gpugrad as gg
    >>> gg.nn.GELU()(gg.tensor([0.0, 2.0]))
    tensor([0.       , 1.9544997])
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        return functional.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        """Its parameters."""
        return f"approximate={self.approximate!r}"


class SiLU(InPlace):
    """``x sigmoid(x)``. Source: ``torch.nn.SiLU``.

    >>> import gpugrad as gg
    >>> gg.nn.SiLU()(gg.tensor([0.0, 2.0]))
    tensor([0.       , 1.7615942])
    """

    def forward(self, input: Tensor) -> Tensor:
        return functional.silu(input, self.inplace)


class Mish(InPlace):
    """``x tanh(softplus(x))``. Source: ``torch.nn.Mish``.

    >>> import gpugrad as gg
    >>> gg.nn.Mish()(gg.tensor([0.0, 2.0]))
    tensor([0.       , 1.9439589])
    """

    def forward(self, input: Tensor) -> Tensor:
        return functional.mish(input, self.inplace)


class Softplus(Module):
    """``log(1 + e^(beta x)) / beta``. Source: ``torch.nn.Softplus``.

    >>> import gpugrad as gg
    >>> gg.nn.Softplus()(gg.tensor([0.0, 30.0]))
    tensor([ 0.6931472, 30.       ])
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def forward(self, input: Tensor) -> Tensor:
        return functional.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        """Its parameters."""
        return f"beta={self.beta}, threshold={self.threshold}"


class LogSigmoid(Module):
    """``log(sigmoid(x))``. Source: ``torch.nn.LogSigmoid``.

    >>> import gpugrad as gg
    >>> gg.nn.LogSigmoid()(gg.tensor([0.0, -200.0]))
    tensor([  -0.6931472, -200.       ])
    """

    def forward(self, input: Tensor) -> Tensor:
        return functional.logsigmoid(input)


class Tanhshrink(Module):
    """``x - tanh(x)``. Source: ``torch.nn.Tanhshrink``.

    >>> import gpugrad as gg
    >>> gg.nn.Tanhshrink()(gg.tensor([0.0, 2.0]))
    tensor([0.       , 1.0359724])
    """

    def forward(self, input: Tensor) -> Tensor:
        return functional.tanhshrink(input)


class Softsign(Module):
    """``x / (1 + |x|)``. Source: ``torch.nn.Softsign``.

    >>> import gpugrad as gg
    >>> gg.nn.Softsign()(gg.tensor([-1.0, 3.0]))
    tensor([-0.5 ,  0.75])
    """

    def forward(self, input: Tensor) -> Tensor:
        return functional.softsign(input)


class GLU(Module):
    """``a sigmoid(b)`` of the halves a and b along ``dim``. Source: ``torch.nn.GLU``.

    >>> import gpugrad as gg
    >>> gg.nn.GLU()(gg.tensor([3.0, 0.0]))
    tensor([1.5])
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return functional.glu(input, self.dim)

    def extra_repr(self) -> str:
        """Its parameters."""
        return f"dim={self.dim}"


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


class Softmin(_AlongAxis):
    """``softmax(-x)`` along the axis ``dim``. Source: ``torch.nn.Softmin``.

    >>> import gpugrad as gg
    >>> gg.nn.Softmin(dim=-1)(gg.tensor([3.0, 3.0]))
    tensor([0.5, 0.5])
    """

    def forward(self, input: Tensor) -> Tensor:
        return functional.softmin(input, self.dim)


class Softmax2d(Module):
    """Probabilities over the channels of images ``(N, C, H, W)`` or ``(C, H, W)``. Source: ``torch.nn.Softmax2d``.

    Raises (when called):
        ValueError: the input has another number of axes.

    >>> import gpugrad as gg
    >>> gg.nn.Softmax2d()(gg.zeros((4, 1, 1))).shape
    (4, 1, 1)
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (3, 4):
            raise ValueError(f"Softmax2d: expected an input with 3 or 4 axes, got shape {input.shape}")
        return functional.softmax(input, -3)
