"""The affine layer, and layers that only change shapes."""

from __future__ import annotations

import math
from typing import Any

from ..backend import Device
from ..core import Tensor
from ..ops.creation import empty
from . import functional, init
from .module import Module
from .parameter import Parameter


class Linear(Module):
    """``y = x W^T + b``.

    Args:
        in_features: size of the last axis of the input.
        out_features: size of the last axis of the output.
        bias: whether there is a b.
        device, dtype: of the parameters; None for the defaults.

    Shapes: ``(..., in_features)`` to ``(..., out_features)``; weight ``(out_features, in_features)``, bias
    ``(out_features,)``. Both begin uniform in ``±1/sqrt(in_features)``, as in ``torch.nn.Linear``
    (LeCun et al. 1998, up to a factor).

    Raises (when called):
        ValueError: the last axis of the input has another size.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> layer = nn.Linear(4, 2)
    >>> layer(gg.ones((3, 4))).shape
    (3, 2)
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Device | str | None = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(empty((out_features, in_features), dtype=dtype, device=device))
        self.bias: Parameter | None
        self.register_parameter("bias", Parameter(empty((out_features,), dtype=dtype, device=device)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features else 0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        return functional.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Sizes, and whether there is a bias."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Bilinear(Module):
    """``y_k = x1^T A_k x2 + b_k``.

    Args:
        in1_features: I, size of the last axis of the first input.
        in2_features: J, that of the second.
        out_features: K, that of the output.
        bias: whether there is a b.
        device, dtype: of the parameters; None for the defaults.

    Shapes: ``(..., I)`` and ``(..., J)`` to ``(..., K)``; weight ``(K, I, J)``, bias ``(K,)``. Both begin uniform in
    ``±1/sqrt(I)``. Source: ``torch.nn.Bilinear``.

    Raises (when called):
        ValueError: the shapes do not fit.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.Bilinear(4, 5, 2)(gg.ones((3, 4)), gg.ones((3, 5))).shape
    (3, 2)
    """

    def __init__(
        self, in1_features: int, in2_features: int, out_features: int, bias: bool = True,
        device: Device | str | None = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        if in1_features < 1:
            raise ValueError(f"Bilinear: expected in1_features of at least 1, got {in1_features}")
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        self.weight = Parameter(empty((out_features, in1_features, in2_features), dtype=dtype, device=device))
        self.bias: Parameter | None
        self.register_parameter("bias", Parameter(empty((out_features,), dtype=dtype, device=device)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        bound = 1 / math.sqrt(self.in1_features)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        return functional.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Sizes, and whether there is a bias."""
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class Flatten(Module):
    """The axes from ``start_dim`` to ``end_dim`` made one: ``(N, C, H, W)`` to ``(N, C H W)``.

    Raises (when called):
        IndexError: the input has no such axis.
        ValueError: ``start_dim`` comes after ``end_dim``.

    Source: ``torch.nn.Flatten``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.Flatten()(gg.zeros((2, 3, 4))).shape
    (2, 12)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        shape, ends = input.shape, []
        for dim in (self.start_dim, self.end_dim):
            if not -len(shape) <= dim < len(shape):
                raise IndexError(f"flatten: there is no axis {dim} in an input of shape {shape}")
            ends.append(dim % len(shape))
        start, end = ends
        if start > end:
            raise ValueError(f"flatten: start_dim {start} comes after end_dim {end}")
        return input.reshape((*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))

    def extra_repr(self) -> str:
        """The range of axes."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Identity(Module):
    """The input as it is; any arguments to the constructor are ignored, so that it can stand in for a layer.

    Source: ``torch.nn.Identity``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.Identity()(gg.ones(2))
    tensor([1., 1.])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return input
