"""Normalizations. ``x`` of C channels has shape ``(N, C, ...)``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...backend import dtypes
from ...core import Tensor
from ...core.modes import no_grad
from ...ops import normalization as ops
from ...ops.inspection import finfo
from ...ops.padding import pad
from ...ops.shaping import reshape
from ...ops.wide import computed_wide


def batch_norm(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None = None,
    bias: Tensor | None = None, training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """``w (x - mean) / sqrt(var + eps) + b`` for each channel, over the batch and all positions.

    Args:
        input: shape ``(N, C)`` or ``(N, C, ...)``.
        running_mean: shape ``(C,)``, used instead of the batch's mean when not training; in training it becomes
            ``(1 - momentum) running + momentum mean``.
        running_var: likewise; the variance that goes into it is the unbiased one.
        weight: shape ``(C,)``.
        bias: shape ``(C,)``.
        training: normalize with the batch's own statistics.
        momentum: how fast the running statistics follow.
        eps: added to the variance.

    Raises:
        ValueError: fewer than two axes, parameters of another size, a single value a channel in training, or no
            running statistics when not training. An input without elements is returned as it is.

    Source: Ioffe and Szegedy 2015.

    >>> import gpugrad as gg
    >>> gg.nn.functional.batch_norm(gg.tensor([[1.0], [3.0]]), None, None, training=True, eps=0.0)
    tensor([[-1.],
            [ 1.]])
    """
    if input.ndim < 2:
        if not input.size:
            return input * 1
        raise ValueError(f"batch_norm: expected an input (N, C, ...), got shape {input.shape}")
    channels = input.shape[1]
    _of_channels("batch_norm", input, weight=weight, bias=bias, running_mean=running_mean, running_var=running_var)
    if not training:
        if running_mean is None or running_var is None:
            if not input.size:  # nothing to normalize
                return input * 1
            raise ValueError("batch_norm: expected running_mean and running_var when not training, got None")
        return _by_running(input, running_mean, running_var, weight, bias, eps)
    axes = (0, *range(2, input.ndim))
    count = input.size // channels if channels else 0
    if not count:  # nothing to normalize, and nothing for the running statistics to follow
        w, b = _by_channel(weight, input), _by_channel(bias, input)
        scaled: Tensor = input * (1 if w is None else w)
        return scaled if b is None else scaled + b
    if count == 1:
        raise ValueError(f"batch_norm: expected more than one value a channel in training, got shape {input.shape}")
    mean, var = ops.moments(input, axes)
    if running_mean is not None and running_var is not None:
        running_mean.become(ops.followed(running_mean, mean, momentum, 1.0))
        running_var.become(ops.followed(running_var, var, momentum, count / (count - 1)))
    affine = None if input.ndim == 2 else (1, channels, *(1,) * (input.ndim - 2))
    return ops.normalize(input, weight, bias, mean, var, axes=axes, eps=eps, centred=True, affine=affine)


@computed_wide
def _by_running(
    input: Tensor, running_mean: Tensor, running_var: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    w, b, mean, var = (_by_channel(p, input) for p in (weight, bias, running_mean, running_var))
    scale = (var + eps) ** -0.5
    scale = scale if w is None else scale * w
    y: Tensor = (input - mean) * scale
    return y if b is None else y + b


def _by_channel(parameter: Tensor | None, input: Tensor) -> Any:
    """A parameter ``(C,)`` in a shape that broadcasts to ``(N, C, ...)``."""
    return None if parameter is None else reshape(parameter, (1, -1, *(1,) * (input.ndim - 2)))


def _of_channels(function: str, input: Tensor, **parameters: Tensor | None) -> None:
    """See that the parameters have one element for each channel."""
    for name, parameter in parameters.items():
        if parameter is not None and parameter.shape != (input.shape[1],):
            raise ValueError(f"{function}: expected {name} of shape ({input.shape[1]},), got {parameter.shape}")


def instance_norm(
    input: Tensor, running_mean: Tensor | None = None, running_var: Tensor | None = None,
    weight: Tensor | None = None, bias: Tensor | None = None, use_input_stats: bool = True, momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """:func:`batch_norm` of each sample for itself: over the positions alone.

    Args:
        input: shape ``(N, C, ...)`` with at least one axis of positions.
        running_mean: as there; it follows the mean of the samples' means.
        running_var: likewise.
        weight: shape ``(C,)``.
        bias: shape ``(C,)``.
        use_input_stats: otherwise the running statistics are used.
        momentum: as there.
        eps: added to the variance.

    Raises:
        ValueError: no positions, a single one, or parameters of another size.

    Source: Ulyanov et al. 2016.

    >>> import gpugrad as gg
    >>> gg.nn.functional.instance_norm(gg.tensor([[[1.0, 3.0]]]), eps=0.0)
    tensor([[[-1.,  1.]]])
    """
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise ValueError("instance_norm: expected running_mean and running_var without use_input_stats, got None")
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    if input.ndim < 3:
        raise ValueError(f"instance_norm: expected an input (N, C, ...) with positions, got shape {input.shape}")
    axes = tuple(range(2, input.ndim))
    count = math.prod(input.shape[2:])
    if count == 1:
        raise ValueError(f"instance_norm: expected more than one position, got shape {input.shape}")
    _of_channels("instance_norm", input, weight=weight, bias=bias)
    mean = var = None
    if running_mean is not None and running_var is not None and count and input.shape[0]:
        mean, var = ops.moments(input, axes)
        with no_grad():
            over = (0, *axes)
            unbiased = count / (count - 1)
            new_mean = (1 - momentum) * running_mean + momentum * mean.mean(axis=over, keepdims=False)
            new_var = (1 - momentum) * running_var + momentum * unbiased * var.mean(axis=over, keepdims=False)
        running_mean.become(new_mean.astype(running_mean.dtype))
        running_var.become(new_var.astype(running_var.dtype))
    affine = (1, input.shape[1], *(1,) * len(axes))
    return ops.normalize(input, weight, bias, mean, var, axes=axes, eps=eps, centred=True, affine=affine)


def layer_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """``w (x - mean) / sqrt(var + eps) + b`` over the last axes, for each position before them.

    Args:
        input: shape ``(..., *normalized_shape)``.
        normalized_shape: the sizes of the axes that are normalized together.
        weight: shape ``normalized_shape``.
        bias: likewise.
        eps: added to the variance.

    Raises:
        ValueError: the shapes do not fit.

    Source: Ba et al. 2016.

    >>> import gpugrad as gg
    >>> gg.nn.functional.layer_norm(gg.tensor([[1.0, 3.0]]), (2,), eps=0.0)
    tensor([[-1.,  1.]])
    """
    return ops.normalize(
        input, weight, bias, axes=_last("layer_norm", input, normalized_shape, weight, bias), eps=eps, centred=True
    )


def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """``w x / sqrt(mean(x^2) + eps)`` over the last axes.

    Args:
        input: shape ``(..., *normalized_shape)``.
        normalized_shape: the sizes of the axes that are normalized together.
        weight: shape ``normalized_shape``.
        eps: None for the smallest that makes a difference to 1 in the dtype; for types shorter than float32, in
            float32, in which they are computed.

    Raises:
        ValueError: the shapes do not fit.

    Source: Zhang and Sennrich 2019.

    >>> import gpugrad as gg
    >>> gg.nn.functional.rms_norm(gg.tensor([3.0, 4.0, 0.0, 0.0]), (4,))
    tensor([1.2, 1.6, 0. , 0. ])
    """
    axes = _last("rms_norm", input, normalized_shape, weight)
    small = float(finfo(input.dtype if input.dtype.itemsize > 4 else dtypes.float32).eps) if eps is None else eps
    return ops.normalize(input, weight, axes=axes, eps=small, centred=False)


def _last(function: str, input: Tensor, shape: Sequence[int], *parameters: Tensor | None) -> tuple[int, ...]:
    """The last axes, whose sizes must be these."""
    wanted = tuple(shape)
    if not wanted or input.shape[-len(wanted) :] != wanted:
        raise ValueError(f"{function}: expected an input (..., {', '.join(map(str, wanted))}), got {input.shape}")
    for p in parameters:
        if p is not None and p.shape != wanted:
            raise ValueError(f"{function}: expected parameters of shape {wanted}, got {p.shape}")
    return tuple(range(input.ndim - len(wanted), input.ndim))


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Groups of channels, each normalized over its channels and positions, sample by sample.

    Args:
        input: shape ``(N, C, ...)``.
        num_groups: how many; it divides C.
        weight: shape ``(C,)``.
        bias: likewise.
        eps: added to the variance.

    Raises:
        ValueError: the groups do not divide the channels, or parameters of another size.

    Source: Wu and He 2018.

    >>> import gpugrad as gg
    >>> gg.nn.functional.group_norm(gg.tensor([[1.0, 3.0, 5.0, 9.0]]), 2, eps=0.0)
    tensor([[-1.,  1., -1.,  1.]])
    """
    if input.ndim < 2 or num_groups < 1 or input.shape[1] % num_groups:
        raise ValueError(f"group_norm: expected channels in {num_groups} groups, got shape {input.shape}")
    n, channels, *positions = input.shape
    _of_channels("group_norm", input, weight=weight, bias=bias)
    inside = (num_groups, channels // num_groups)
    view, affine = (n, *inside, *positions), (1, *inside, *(1,) * len(positions))
    axes = tuple(range(2, len(view)))
    return ops.normalize(input, weight, bias, axes=axes, eps=eps, centred=True, view=view, affine=affine)


@computed_wide
def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """``x / (k + alpha mean(x^2))^beta`` with the mean over ``size`` neighbouring channels, those outside being 0.

    Args:
        input: shape ``(N, C, ...)``.
        size: how many channels; of an even number the larger half lies before.
        alpha: as in the formula.
        beta: likewise.
        k: likewise.

    Raises:
        ValueError: fewer than three axes, or a size below 1.

    Source: Krizhevsky et al. 2012.

    >>> import gpugrad as gg
    >>> gg.nn.functional.local_response_norm(gg.ones((1, 3, 1)), 3, alpha=3.0, beta=1.0).reshape(3)
    tensor([0.33333334, 0.25      , 0.33333334])
    """
    if input.ndim < 3 or size < 1:
        raise ValueError(f"local_response_norm: expected (N, C, ...) and a size from 1, got {input.shape}, {size}")
    channels = input.shape[1]
    border = [(0, 0)] * input.ndim
    border[1] = (size // 2, (size - 1) // 2)
    squares = pad(input * input, border)
    total: Tensor = squares[:, :channels]
    for i in range(1, size):
        total = total + squares[:, i : i + channels]
    return input / (k + alpha / size * total) ** beta
