"""Normalization within a sample; formulas and sources: :mod:`gpugrad.nn.functional`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core import Tensor
from ..ops.creation import ones, zeros
from . import functional
from .module import Module
from .parameter import Parameter


class LayerNorm(Module):
    """:func:`~gpugrad.nn.functional.layer_norm` over the last axes.

    Args:
        normalized_shape: their sizes; a number for the last one alone.
        eps: added to the variance.
        elementwise_affine: whether there are weight and bias, of that shape.
        bias: False leaves the bias out.
        device: of the parameters.
        dtype: of the parameters.

    Raises (when called):
        ValueError: the input has other sizes.

    Source: ``torch.nn.LayerNorm``.

    >>> import gpugrad as gg
    >>> gg.nn.LayerNorm(2, eps=0.0)(gg.tensor([[1.0, 3.0]])).detach()
    tensor([[-1.,  1.]])
    """

    def __init__(
        self, normalized_shape: int | Sequence[int], eps: float = 1e-5, elementwise_affine: bool = True,
        bias: bool = True, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.normalized_shape = _sizes(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        where = {"device": device, "dtype": dtype}
        weighted = elementwise_affine
        self.weight: Parameter | None
        self.bias: Parameter | None
        self.register_parameter("weight", Parameter(ones(self.normalized_shape, **where)) if weighted else None)
        self.register_parameter("bias", Parameter(zeros(self.normalized_shape, **where)) if weighted and bias else None)

    def forward(self, input: Tensor) -> Tensor:
        return functional.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Its arguments."""
        affine, bias = self.elementwise_affine, self.bias is not None
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={affine}, bias={bias}"


class RMSNorm(Module):
    """:func:`~gpugrad.nn.functional.rms_norm` over the last axes.

    Args:
        normalized_shape: their sizes; a number for the last one alone.
        eps: added to the mean of squares; None for the smallest that makes a difference to 1 in the dtype,
            and in float32 for shorter ones.
        elementwise_affine: whether there is a weight of that shape.
        device: of the weight.
        dtype: of the weight.

    Raises (when called):
        ValueError: the input has other sizes.

    Source: ``torch.nn.RMSNorm``.

    >>> import gpugrad as gg
    >>> gg.nn.RMSNorm(4)(gg.tensor([3.0, 4.0, 0.0, 0.0])).detach()
    tensor([1.2, 1.6, 0. , 0. ])
    """

    def __init__(
        self, normalized_shape: int | Sequence[int], eps: float | None = None, elementwise_affine: bool = True,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.normalized_shape = _sizes(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        weight = Parameter(ones(self.normalized_shape, device=device, dtype=dtype)) if elementwise_affine else None
        self.weight: Parameter | None
        self.register_parameter("weight", weight)

    def forward(self, input: Tensor) -> Tensor:
        return functional.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """Its arguments."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


def _sizes(shape: int | Sequence[int]) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(shape)


class GroupNorm(Module):
    """:func:`~gpugrad.nn.functional.group_norm` of the channels in groups.

    Args:
        num_groups: how many; it divides the channels.
        num_channels: C.
        eps: added to the variance.
        affine: whether there are weight and bias of shape ``(C,)``.
        device: of the parameters.
        dtype: of the parameters.
        bias: False leaves the bias out.

    Raises:
        ValueError: the groups do not divide the channels.

    Source: ``torch.nn.GroupNorm``.

    >>> import gpugrad as gg
    >>> gg.nn.GroupNorm(2, 4, eps=0.0)(gg.tensor([[1.0, 3.0, 5.0, 9.0]])).detach()
    tensor([[-1.,  1., -1.,  1.]])
    """

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True, device: Any = None,
        dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise ValueError(f"GroupNorm: expected num_groups that divide {num_channels} channels, got {num_groups}")
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        where = {"device": device, "dtype": dtype}
        self.weight: Parameter | None
        self.bias: Parameter | None
        self.register_parameter("weight", Parameter(ones(num_channels, **where)) if affine else None)
        self.register_parameter("bias", Parameter(zeros(num_channels, **where)) if affine and bias else None)

    def forward(self, input: Tensor) -> Tensor:
        return functional.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Its arguments."""
        with_bias = self.bias is not None
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, bias={with_bias}"


class LocalResponseNorm(Module):
    """:func:`~gpugrad.nn.functional.local_response_norm` over neighbouring channels.

    Args:
        size: how many.
        alpha: see there.
        beta: see there.
        k: see there.

    Source: ``torch.nn.LocalResponseNorm``.

    >>> import gpugrad as gg
    >>> gg.nn.LocalResponseNorm(3)(gg.ones((1, 4, 2))).shape
    (1, 4, 2)
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Tensor) -> Tensor:
        return functional.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        """Its arguments."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
