"""Normalization as modules; formulas and sources: :mod:`gpugrad.nn.functional`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..backend.dtypes import int64
from ..core import Tensor
from ..core.modes import no_grad
from ..ops.creation import ones, zeros
from . import functional
from .module import Module
from .parameter import Parameter


class _Running(Module):
    """What batch and instance normalization share: scale and shift, and statistics that follow those of the batches."""

    axes: tuple[int, ...] = ()
    """How many axes an input may have."""

    _may_be_absent = ("num_batches_tracked",)

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
        track_running_stats: bool = True, device: Any = None, dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        where = {"device": device, "dtype": dtype}
        self.weight: Parameter | None
        self.bias: Parameter | None
        self.register_parameter("weight", Parameter(ones(num_features, **where)) if affine else None)
        self.register_parameter("bias", Parameter(zeros(num_features, **where)) if affine and bias else None)
        tracked = track_running_stats
        self.running_mean: Tensor | None
        self.running_var: Tensor | None
        self.num_batches_tracked: Tensor | None
        self.register_buffer("running_mean", zeros(num_features, **where) if tracked else None)
        self.register_buffer("running_var", ones(num_features, **where) if tracked else None)
        self.register_buffer("num_batches_tracked", zeros((), dtype=int64, device=device) if tracked else None)

    def reset_running_stats(self) -> None:
        """Forget what was seen: mean 0, variance 1, no batches."""
        for name, value in (("running_mean", 0), ("running_var", 1), ("num_batches_tracked", 0)):
            buffer = getattr(self, name)
            if buffer is not None:
                buffer[...] = value

    def reset_parameters(self) -> None:
        """Weight 1, bias 0, and no statistics."""
        self.reset_running_stats()
        with no_grad():
            for name, value in (("weight", 1.0), ("bias", 0.0)):
                if getattr(self, name) is not None:
                    getattr(self, name)[...] = value

    def _checked(self, input: Tensor) -> None:
        name = type(self).__name__
        if input.ndim not in self.axes:
            many = " or ".join(map(str, self.axes))
            raise ValueError(f"{name}: expected an input with {many} axes, got shape {input.shape}")
        if input.shape[self._channel(input)] != self.num_features:
            raise ValueError(f"{name}: expected {self.num_features} channels, got shape {input.shape}")

    def _channel(self, input: Tensor) -> int:
        """The number of the axis of channels."""
        return 1

    def _rate(self) -> float:
        """How fast the statistics follow; without a momentum they are the average over all batches."""
        if not (self.training and self.track_running_stats) or self.num_batches_tracked is None:
            return 0.0
        seen = self.num_batches_tracked
        seen.become(seen + 1)  # assigned to the attribute, the module would look at it again
        return 1 / int(seen) if self.momentum is None else self.momentum

    def extra_repr(self) -> str:
        """Its arguments."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_Running):
    def forward(self, input: Tensor) -> Tensor:
        self._checked(input)
        rate = self._rate()
        own = self.training or self.running_mean is None
        kept = not self.training or self.track_running_stats
        mean, var = (self.running_mean, self.running_var) if kept else (None, None)
        return functional.batch_norm(input, mean, var, self.weight, self.bias, own, rate, self.eps)


class _InstanceNorm(_Running):
    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = False,
        track_running_stats: bool = False, device: Any = None, dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def _channel(self, input: Tensor) -> int:
        return 1 if input.ndim == max(self.axes) else 0

    def forward(self, input: Tensor) -> Tensor:
        self._checked(input)
        alone = input.ndim < max(self.axes)
        x = input[None] if alone else input
        own = self.training or not self.track_running_stats
        rate = self.momentum or 0.0
        y = functional.instance_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, own, rate, self.eps
        )
        return y[0] if alone else y


class BatchNorm1d(_BatchNorm):
    """:func:`~gpugrad.nn.functional.batch_norm` of inputs of shape ``(N, C)`` or ``(N, C, L)``.

    Args:
        num_features: C.
        eps: added to the variance.
        momentum: how fast the running statistics follow; None for the average over all batches.
        affine: whether there are weight and bias.
        track_running_stats: whether statistics are kept, for evaluation mode.
        device: of parameters and buffers.
        dtype: of parameters and buffers.
        bias: False leaves the bias out.

    Raises (when called):
        ValueError: the input has another number of axes or channels, or a single value a channel in training.

    Source: ``torch.nn.BatchNorm1d``.

    >>> import gpugrad as gg
    >>> gg.nn.BatchNorm1d(2)(gg.tensor([[1.0, 0.0], [3.0, 4.0]])).shape
    (2, 2)
    """

    axes = (2, 3)


class BatchNorm2d(_BatchNorm):
    """:func:`~gpugrad.nn.functional.batch_norm` of inputs of shape ``(N, C, H, W)``.

    Args:
        num_features: C.
        eps: added to the variance.
        momentum: how fast the running statistics follow; None for the average over all batches.
        affine: whether there are weight and bias.
        track_running_stats: whether statistics are kept, for evaluation mode.
        device: of parameters and buffers.
        dtype: of parameters and buffers.
        bias: False leaves the bias out.

    Raises (when called):
        ValueError: the input has another number of axes or channels, or a single value a channel in training.

    Source: ``torch.nn.BatchNorm2d``.

    >>> import gpugrad as gg
    >>> gg.nn.BatchNorm2d(3)(gg.ones((2, 3, 4, 4))).shape
    (2, 3, 4, 4)
    """

    axes = (4,)


class BatchNorm3d(_BatchNorm):
    """:func:`~gpugrad.nn.functional.batch_norm` of inputs of shape ``(N, C, D, H, W)``.

    Args:
        num_features: C.
        eps: added to the variance.
        momentum: how fast the running statistics follow; None for the average over all batches.
        affine: whether there are weight and bias.
        track_running_stats: whether statistics are kept, for evaluation mode.
        device: of parameters and buffers.
        dtype: of parameters and buffers.
        bias: False leaves the bias out.

    Raises (when called):
        ValueError: the input has another number of axes or channels, or a single value a channel in training.

    Source: ``torch.nn.BatchNorm3d``.

    >>> import gpugrad as gg
    >>> gg.nn.BatchNorm3d(3)(gg.ones((2, 3, 1, 4, 4))).shape
    (2, 3, 1, 4, 4)
    """

    axes = (5,)


class InstanceNorm1d(_InstanceNorm):
    """:func:`~gpugrad.nn.functional.instance_norm` of inputs of shape ``(N, C, L)`` or ``(C, L)``.

    Arguments are those of :class:`BatchNorm1d`; without weight, bias and statistics unless asked for.

    Raises (when called):
        ValueError: the input has another number of axes or channels, or a single position.

    Source: ``torch.nn.InstanceNorm1d``.

    >>> import gpugrad as gg
    >>> gg.nn.InstanceNorm1d(3)(gg.ones((2, 3, 4))).shape
    (2, 3, 4)
    """

    axes = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """:func:`~gpugrad.nn.functional.instance_norm` of inputs of shape ``(N, C, H, W)`` or ``(C, H, W)``.

    Arguments are those of :class:`BatchNorm2d`; without weight, bias and statistics unless asked for.

    Raises (when called):
        ValueError: the input has another number of axes or channels, or a single position.

    Source: ``torch.nn.InstanceNorm2d``.

    >>> import gpugrad as gg
    >>> gg.nn.InstanceNorm2d(3)(gg.ones((2, 3, 4, 4))).shape
    (2, 3, 4, 4)
    """

    axes = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """:func:`~gpugrad.nn.functional.instance_norm` of inputs of shape ``(N, C, D, H, W)`` or ``(C, D, H, W)``.

    Arguments are those of :class:`BatchNorm3d`; without weight, bias and statistics unless asked for.

    Raises (when called):
        ValueError: the input has another number of axes or channels, or a single position.

    Source: ``torch.nn.InstanceNorm3d``.

    >>> import gpugrad as gg
    >>> gg.nn.InstanceNorm3d(3)(gg.ones((2, 3, 1, 4, 4))).shape
    (2, 3, 1, 4, 4)
    """

    axes = (4, 5)


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
