"""Rectifiers and their kin, with corners, as modules; formulas and sources: :mod:`gpugrad.nn.functional`."""

from __future__ import annotations

from typing import Any

from ..core import Tensor
from ..ops.creation import full
from . import functional
from .activation import InPlace
from .module import Module
from .parameter import Parameter


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
