"""Convolutions and their transposes; the mathematics is in :mod:`gpugrad.ops.convolution`."""

from __future__ import annotations

from typing import Any

from ...core import Tensor
from ...ops.convolution import convolution, transposed_convolution
from .basic import tell_widened


def conv1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Tensor:  # fmt: skip
    """``y[n, o, p] = b[o] + sum_(c, k) w[o, c, k] x[n, c, stride p + dilation k - padding]``; see :func:`conv2d`.

    Shapes: ``(N, C, L)`` or ``(C, L)``, weight ``(O, C/groups, k)``. Source: ``torch.nn.functional.conv1d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.conv1d(gg.tensor([[1.0, 2.0, 4.0]]), gg.tensor([[[-1.0, 1.0]]]))
    tensor([[1., 2.]])
    """
    if input.data.dtype is not weight.data.dtype:
        tell_widened(input, weight)
    return convolution("conv1d", input, weight, bias, stride, padding, dilation, groups, 1)


def conv2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Tensor:  # fmt: skip
    """``y[n, o, p] = b[o] + sum_(c, k) w[o, c, k] x[n, c, stride p + dilation k - padding]``, with 0 outside of x.

    Args:
        input: x, shape ``(N, C, H, W)`` or ``(C, H, W)``.
        weight: w, shape ``(O, C/groups, kH, kW)``.
        bias: b, shape ``(O,)``.
        stride: s, the step from one position to the next; a number, or one for each axis, as all that follow.
        padding: p, how many zeros are put before and behind each axis; or ``"valid"`` for none, or ``"same"`` for as
            many as make the output as large as the input.
        dilation: d, the distance between elements that are multiplied with neighbours in the kernel.
        groups: the channels are divided into so many groups, each with its own part of the weight.

    Returns:
        Shape ``(N, O, H', W')`` with ``H' = (H + 2 p - d (kH - 1) - 1) // s + 1``.

    Raises:
        TypeError: sizes are no integers.
        ValueError: shapes or sizes do not fit; the message names the argument.

    Source: LeCun et al. 1989; CS231n, convolutional networks notes; ``torch.nn.functional.conv2d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> image = gg.tensor([[[1.0, 2.0, 0.0], [0.0, 1.0, 1.0]]])
    >>> nn.functional.conv2d(image, gg.ones((1, 1, 2, 2)))
    tensor([[[4., 4.]]])
    """
    if input.data.dtype is not weight.data.dtype:
        tell_widened(input, weight)
    return convolution("conv2d", input, weight, bias, stride, padding, dilation, groups, 2)


def conv3d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Tensor:  # fmt: skip
    """The same as :func:`conv2d` along three axes: ``(N, C, D, H, W)`` with a weight ``(O, C/groups, kD, kH, kW)``.

    Source: ``torch.nn.functional.conv3d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.conv3d(gg.ones((1, 1, 4, 5, 6)), gg.ones((2, 1, 3, 3, 3)), padding=1).shape
    (1, 2, 4, 5, 6)
    """
    if input.data.dtype is not weight.data.dtype:
        tell_widened(input, weight)
    return convolution("conv3d", input, weight, bias, stride, padding, dilation, groups, 3)


def conv_transpose1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Tensor:  # fmt: skip
    """What :func:`conv1d` does to gradients of its input; see :func:`conv_transpose2d`.

    Shapes: ``(N, C, L)`` or ``(C, L)``, weight ``(C, O/groups, k)``. Source: ``torch.nn.functional.conv_transpose1d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.conv_transpose1d(gg.tensor([[1.0, 2.0]]), gg.tensor([[[1.0, 10.0]]]))
    tensor([[ 1., 12., 20.]])
    """
    return transposed_convolution(
        "conv_transpose1d", input, weight, bias, stride, padding, output_padding, groups, dilation, 1
    )


def conv_transpose2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Tensor:  # fmt: skip
    """``y[n, o, i] = b[o] + sum x[n, c, p] w[c, o, k]`` over all c, p, k with ``i = stride p + dilation k - padding``.

    It is the transpose of :func:`conv2d` with the same stride, padding, dilation and groups: its gradient by the
    input, used forward to make images larger. It undoes no convolution.

    Args:
        input: x, shape ``(N, C, H, W)`` or ``(C, H, W)``.
        weight: w, shape ``(C, O/groups, kH, kW)``.
        bias: b, shape ``(O,)``.
        stride: s, the step from one position to the next; a number, or one for each axis, as all that follow.
        padding: p, how many elements are left out at both ends of each axis of the output.
        output_padding: e, how many more there are at the end: inputs of s sizes give one size under ``conv2d``.
        groups: the channels are divided into so many groups, each with its own part of the weight.
        dilation: d, the distance between outputs of neighbours in the kernel.

    Returns:
        Shape ``(N, O, H', W')`` with ``H' = (H - 1) s - 2 p + d (kH - 1) + 1 + e``.

    Raises:
        TypeError: sizes are no integers.
        ValueError: shapes or sizes do not fit, or ``output_padding`` is as large as both stride and dilation.

    Source: Zeiler et al. 2010, "Deconvolutional networks"; ``torch.nn.functional.conv_transpose2d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.conv_transpose2d(gg.tensor([[[1.0, 2.0]]]), gg.ones((1, 1, 2, 2)), stride=2)
    tensor([[[1., 1., 2., 2.],
             [1., 1., 2., 2.]]])
    """
    return transposed_convolution(
        "conv_transpose2d", input, weight, bias, stride, padding, output_padding, groups, dilation, 2
    )


def conv_transpose3d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Tensor:  # fmt: skip
    """The same as :func:`conv_transpose2d` along three axes. Source: ``torch.nn.functional.conv_transpose3d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.conv_transpose3d(gg.ones((1, 1, 2, 2, 2)), gg.ones((1, 3, 2, 2, 2)), stride=2).shape
    (1, 3, 4, 4, 4)
    """
    return transposed_convolution(
        "conv_transpose3d", input, weight, bias, stride, padding, output_padding, groups, dilation, 3
    )
