"""Windows as columns, and resolution as channels: rearrangements of elements."""

from __future__ import annotations

from typing import Any

from ...core import Tensor
from ...ops import pooling as ops
from ...ops.creation import asarray
from ...ops.shaping import permute_dims, reshape


def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """What each place of a sliding window sees, as a column (*im2col*); gradients go to where elements came from.

    Args:
        input: shape ``(N, C, H, W)`` or ``(C, H, W)``.
        kernel_size: of the window; a number, or one for each axis, as all that follow.
        dilation: the distance between elements of the window.
        padding: how many zeros are before and behind each axis.
        stride: the step from one place to the next.

    Returns:
        Shape ``(N, C kH kW, L)`` for L places. A convolution is a product of matrices with it.

    Raises:
        TypeError: sizes are no integers.
        ValueError: shapes or sizes do not fit; the message names the argument.

    Source: ``torch.nn.functional.unfold``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.unfold(gg.tensor([[[1.0, 2.0, 3.0]]]), (1, 2))
    tensor([[1., 2.],
            [2., 3.]])
    """
    return ops.unfold("unfold", input, kernel_size, dilation, padding, stride)


def fold(
    input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """The transpose of :func:`unfold`: columns added up in the places that they come from (*col2im*).

    Args:
        input: shape ``(N, C kH kW, L)`` or ``(C kH kW, L)``.
        output_size: ``(H, W)``.
        kernel_size: as for :func:`unfold`, and all that follow.
        dilation: the distance between elements of the window.
        padding: how many zeros were before and behind each axis.
        stride: the step from one place to the next.

    Returns:
        Shape ``(N, C, H, W)``.

    Raises:
        TypeError: sizes are no integers.
        ValueError: shapes or sizes do not fit; the message names the argument.

    Source: ``torch.nn.functional.fold``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.fold(gg.tensor([[1.0, 2.0], [2.0, 3.0]]), (1, 3), (1, 2))
    tensor([[[1., 4., 3.]]])
    """
    return ops.fold("fold", input, output_size, kernel_size, dilation, padding, stride)


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Channels become resolution: ``y[c, h r + i, w r + j] = x[c r^2 + i r + j, h, w]`` for the factor r.

    Shapes: ``(..., C r^2, H, W)`` to ``(..., C, H r, W r)``.

    Raises:
        ValueError: fewer than three axes, or channels that r^2 does not divide.

    Source: Shi et al. 2016, "Real-time single image and video super-resolution"; ``torch.nn.functional.pixel_shuffle``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.pixel_shuffle(gg.tensor([[[1.0]], [[2.0]], [[3.0]], [[4.0]]]), 2)
    tensor([[[1., 2.],
             [3., 4.]]])
    """
    x, r = asarray(input), upscale_factor
    if x.ndim < 3 or r < 1 or x.shape[-3] % r**2:
        raise ValueError(f"pixel_shuffle: expected shape (..., C {r}^2, H, W) for upscale_factor={r}, got {x.shape}")
    *front, channels, height, width = x.shape
    n = len(front)
    parts = reshape(x, (*front, channels // r**2, r, r, height, width))
    moved = permute_dims(parts, (*range(n), n, n + 3, n + 1, n + 4, n + 2))
    return reshape(moved, (*front, channels // r**2, height * r, width * r))


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Resolution becomes channels: what :func:`pixel_shuffle` does, undone.

    Shapes: ``(..., C, H r, W r)`` to ``(..., C r^2, H, W)``.

    Raises:
        ValueError: fewer than three axes, or sizes that r does not divide.

    Source: ``torch.nn.functional.pixel_unshuffle``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.pixel_unshuffle(gg.tensor([[[1.0, 2.0], [3.0, 4.0]]]), 2).shape
    (4, 1, 1)
    """
    x, r = asarray(input), downscale_factor
    if x.ndim < 3 or r < 1 or x.shape[-2] % r or x.shape[-1] % r:
        raise ValueError(
            f"pixel_unshuffle: expected shape (..., C, H {r}, W {r}) for downscale_factor={r}, got {x.shape}"
        )
    *front, channels, height, width = x.shape
    n = len(front)
    parts = reshape(x, (*front, channels, height // r, r, width // r, r))
    moved = permute_dims(parts, (*range(n), n, n + 2, n + 4, n + 1, n + 3))
    return reshape(moved, (*front, channels * r**2, height // r, width // r))


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Channels taken from each of ``groups`` groups in turn: ``y[c g + i] = x[i C / g + c]`` for g groups.

    Shapes: ``(N, C, ...)``, which stays.

    Raises:
        ValueError: fewer than three axes, or channels that the groups do not divide.

    Source: Zhang et al. 2018, "ShuffleNet"; ``torch.nn.functional.channel_shuffle``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.channel_shuffle(gg.tensor([[[1.0], [2.0], [3.0], [4.0]]]), 2).tolist()
    [[[1.0], [3.0], [2.0], [4.0]]]
    """
    x = asarray(input)
    if x.ndim < 3 or groups < 1 or x.shape[1] % groups:
        raise ValueError(f"channel_shuffle: expected shape (N, C, ...) with C divided by {groups}, got {x.shape}")
    parts = reshape(x, (x.shape[0], groups, x.shape[1] // groups, *x.shape[2:]))
    return reshape(permute_dims(parts, (0, 2, 1, *range(3, parts.ndim))), x.shape)
