"""Activation functions as modules, rectifiers among them; see :mod:`gpugrad.nn.functional`."""

from __future__ import annotations

from typing import Any

from ..core import Tensor
from ..ops.creation import full
from . import functional
from .module import Module
from .parameter import Parameter


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


class LeakyReLU(InPlace):
    """``x`` where it is positive, else ``negative_slope x``. Source: ``torch.nn.LeakyReLU``.

    >>> import gpugrad as gg
    >>> gg.nn.LeakyReLU(0.5)(gg.tensor([-1.0, 2.0]))
    tensor([-0.5,  2. ])
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.negative_slope = negative_slope

    def forward(self, input: Tensor) -> Tensor:
        return functional.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self) -> str:
        """Its parameters."""
        return f"negative_slope={self.negative_slope}{', inplace=True' if self.inplace else ''}"


class ReLU6(InPlace):
    """``min(max(x, 0), 6)``. Source: ``torch.nn.ReLU6``.

    >>> import gpugrad as gg
    >>> gg.nn.ReLU6()(gg.tensor([-3.0, 7.0]))
    tensor([0., 6.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return functional.relu6(input, self.inplace)


class Hardtanh(InPlace):
    """``x`` between the limits, the limits outside. Source: ``torch.nn.Hardtanh``.

    >>> import gpugrad as gg
    >>> gg.nn.Hardtanh()(gg.tensor([-3.0, 0.5]))
    tensor([-1. ,  0.5])
    """

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.min_val, self.max_val = min_val, max_val

    def forward(self, input: Tensor) -> Tensor:
        return functional.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self) -> str:
        """Its parameters."""
        return f"min_val={self.min_val}, max_val={self.max_val}{', inplace=True' if self.inplace else ''}"


class Hardsigmoid(InPlace):
    """``min(max(x + 3, 0), 6) / 6``. Source: ``torch.nn.Hardsigmoid``.

    >>> import gpugrad as gg
    >>> gg.nn.Hardsigmoid()(gg.tensor([0.0, 1.5]))
    tensor([0.5 , 0.75])
    """

    def forward(self, input: Tensor) -> Tensor:
        return functional.hardsigmoid(input, self.inplace)


class Hardswish(InPlace):
    """``x min(max(x + 3, 0), 6) / 6``. Source: ``torch.nn.Hardswish``.

    >>> import gpugrad as gg
    >>> gg.nn.Hardswish()(gg.tensor([-1.5, 3.0]))
    tensor([-0.375,  3.   ])
    """

    def forward(self, input: Tensor) -> Tensor:
        return functional.hardswish(input, self.inplace)


class Hardshrink(Module):
    """``x``, and 0 between ``-lambd`` and ``lambd``. Source: ``torch.nn.Hardshrink``.

    >>> import gpugrad as gg
    >>> gg.nn.Hardshrink()(gg.tensor([0.25, 2.0]))
    tensor([0., 2.])
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        return functional.hardshrink(input, self.lambd)

    def extra_repr(self) -> str:
        """Its parameters."""
        return f"lambd={self.lambd}"


class Softshrink(Module):
    """``x`` moved towards 0 by ``lambd``. Source: ``torch.nn.Softshrink``.

    >>> import gpugrad as gg
    >>> gg.nn.Softshrink()(gg.tensor([0.25, 2.0]))
    tensor([0. , 1.5])
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        return functional.softshrink(input, self.lambd)

    def extra_repr(self) -> str:
        """Its parameters."""
        return f"lambd={self.lambd}"


class Threshold(InPlace):
    """``x`` above the threshold, elsewhere the value. Source: ``torch.nn.Threshold``.

    >>> import gpugrad as gg
    >>> gg.nn.Threshold(0.5, -1.0)(gg.tensor([0.25, 2.0]))
    tensor([-1.,  2.])
    """

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.threshold, self.value = threshold, value

    def forward(self, input: Tensor) -> Tensor:
        return functional.threshold(input, self.threshold, self.value, self.inplace)

    def extra_repr(self) -> str:
        """Its parameters."""
        return f"threshold={self.threshold}, value={self.value}{', inplace=True' if self.inplace else ''}"


class ELU(InPlace):
    """``x`` where it is positive, else ``alpha (e^x - 1)``. Source: ``torch.nn.ELU``.

    >>> import gpugrad as gg
    >>> gg.nn.ELU()(gg.tensor([-1.0, 2.0]))
    tensor([-0.63212055,  2.        ])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.alpha = alpha

    def forward(self, input: Tensor) -> Tensor:
        return functional.elu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        """Its parameters."""
        return f"alpha={self.alpha}{', inplace=True' if self.inplace else ''}"


class SELU(InPlace):
    """An ELU scaled so that unit variance stays. Source: ``torch.nn.SELU``.

    >>> import gpugrad as gg
    >>> gg.nn.SELU()(gg.tensor([-1.0, 2.0]))
    tensor([-1.1113307,  2.101402 ])
    """

    def forward(self, input: Tensor) -> Tensor:
        return functional.selu(input, self.inplace)


class CELU(InPlace):
    """``x`` where it is positive, else ``alpha (e^(x / alpha) - 1)``. Source: ``torch.nn.CELU``.

    >>> import gpugrad as gg
    >>> gg.nn.CELU(2.0)(gg.tensor([-1.0, 2.0]))
    tensor([-0.78693867,  2.        ])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.alpha = alpha

    def forward(self, input: Tensor) -> Tensor:
        return functional.celu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        """Its parameters."""
        return f"alpha={self.alpha}{', inplace=True' if self.inplace else ''}"


class PReLU(Module):
    """``x`` where it is positive, else ``w x`` with a learned w for all, or one for each channel.

    Source: ``torch.nn.PReLU``.

    Attributes:
        weight: shape ``(num_parameters,)``.

    >>> import gpugrad as gg
    >>> gg.nn.PReLU()(gg.tensor([-1.0, 2.0])).detach()
    tensor([-0.25,  2.  ])
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.weight = Parameter(full((num_parameters,), init, device=device, dtype=dtype))

    def forward(self, input: Tensor) -> Tensor:
        return functional.prelu(input, self.weight)

    def extra_repr(self) -> str:
        """How many weights there are."""
        return f"num_parameters={self.num_parameters}"


class RReLU(InPlace):
    """``x`` where it is positive, else ``a x``, with a random between the limits in training, and their mean otherwise.

    Source: ``torch.nn.RReLU``.

    >>> import gpugrad as gg
    >>> gg.nn.RReLU(0.25, 0.75).eval()(gg.tensor([-1.0, 2.0]))
    tensor([-0.5,  2. ])
    """

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.lower, self.upper = lower, upper

    def forward(self, input: Tensor) -> Tensor:
        return functional.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self) -> str:
        """The limits."""
        return f"lower={self.lower}, upper={self.upper}{', inplace=True' if self.inplace else ''}"
