"""Pooling; see :mod:`gpugrad.ops.pooling`."""

from __future__ import annotations

from typing import Any

from ...core import Tensor
from ...ops import pooling as ops
from ...ops.wide import computed_wide


def max_pool1d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:  # fmt: skip
    """``y[n, c, p] = max_k x[n, c, stride p + dilation k - padding]``; see :func:`max_pool2d`.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.max_pool1d(gg.tensor([[1.0, 3.0, 2.0, 5.0]]), 2)
    tensor([[3., 5.]])
    """
    return ops.max_pool("max_pool1d", input, kernel_size, stride, padding, dilation, ceil_mode, return_indices, 1)


def max_pool2d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:  # fmt: skip
    """``y[n, c, p] = max_k x[n, c, stride p + dilation k - padding]``; the gradient goes to the first of equal maxima.

    Args:
        input: x, shape ``(N, C, H, W)`` or ``(C, H, W)``.
        kernel_size: of the window; a number, or one for each axis, as all that follow.
        stride: the step from one window to the next; None for the size of the window.
        padding: how far windows may begin before the input and end behind it; at most half the window.
        dilation: the distance between elements of the window.
        ceil_mode: whether a last window may reach beyond the padding, if it begins before that.
        return_indices: whether to return ``(y, indices)``, with the flat index ``h W + w`` of each maximum.

    Returns:
        Shape ``(N, C, H', W')`` with ``H' = (H + 2 padding - dilation (kH - 1) - 1) // stride + 1``.

    Raises:
        TypeError: sizes are no integers.
        ValueError: shapes or sizes do not fit; the message names the argument.

    Source: ``torch.nn.functional.max_pool2d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> x = gg.tensor([[[1.0, 5.0, 2.0, 0.0], [3.0, 4.0, 2.0, 9.0]]])
    >>> nn.functional.max_pool2d(x, 2, return_indices=True)
    (tensor([[[5., 9.]]]), tensor([[[1, 7]]]))
    """
    return ops.max_pool("max_pool2d", input, kernel_size, stride, padding, dilation, ceil_mode, return_indices, 2)


def max_pool3d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:  # fmt: skip
    """The largest element under each window of ``(N, C, D, H, W)``; see :func:`max_pool2d`.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.max_pool3d(gg.ones((1, 2, 4, 4, 4)), 2).shape
    (1, 2, 2, 2, 2)
    """
    return ops.max_pool("max_pool3d", input, kernel_size, stride, padding, dilation, ceil_mode, return_indices, 3)


def avg_pool1d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:  # fmt: skip
    """``y[n, c, p] = sum_k x[n, c, stride p + k - padding] / count``; see :func:`avg_pool2d`.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.avg_pool1d(gg.tensor([[1.0, 3.0, 2.0, 5.0]]), 2)
    tensor([[2. , 3.5]])
    """
    return ops.average_pool("avg_pool1d", input, kernel_size, stride, padding, ceil_mode, count_include_pad, None, 1)


def avg_pool2d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """``y[n, c, p] = sum_k x[n, c, stride p + k - padding] / count``, with 0 outside of x.

    Args:
        input: x, floating-point, shape ``(N, C, H, W)`` or ``(C, H, W)``.
        kernel_size: of the window; a number, or one for each axis, as all that follow.
        stride: the step from one window to the next; None for the size of the window.
        padding: how many zeros are before and behind each axis; at most half the window.
        ceil_mode: whether a last window may reach beyond the padding, if it begins before that.
        count_include_pad: whether the zeros of the padding count as elements.
        divisor_override: the count, if it is to be another number.

    Returns:
        Shape ``(N, C, H', W')`` with ``H' = (H + 2 padding - kH) // stride + 1``.

    Raises:
        TypeError: sizes are no integers, or the input is not floating-point.
        ValueError: shapes or sizes do not fit, or the divisor is 0; the message names the argument.

    Source: ``torch.nn.functional.avg_pool2d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.avg_pool2d(gg.tensor([[[1.0, 5.0, 2.0, 0.0], [3.0, 3.0, 2.0, 8.0]]]), 2)
    tensor([[[3., 3.]]])
    """
    return ops.average_pool(
        "avg_pool2d", input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, 2
    )


def avg_pool3d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """The average under each window of ``(N, C, D, H, W)``; see :func:`avg_pool2d`.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.avg_pool3d(gg.ones((1, 2, 4, 4, 4)), 2).shape
    (1, 2, 2, 2, 2)
    """
    return ops.average_pool(
        "avg_pool3d", input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, 3
    )


@computed_wide
def lp_pool1d(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """``(sum_k x[n, c, stride p + k]^norm_type)^(1/norm_type)``; see :func:`lp_pool2d`.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.lp_pool1d(gg.tensor([[3.0, 4.0]]), 2, 2)
    tensor([[5.]])
    """
    return ops.norm_pool("lp_pool1d", input, norm_type, kernel_size, stride, ceil_mode, 1)


@computed_wide
def lp_pool2d(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """``y[n, c, p] = (sum_k x[n, c, stride p + k]^norm_type)^(1/norm_type)``; 1 for sums, large ones for maxima.

    Where the sum is 0, so is the gradient. Powers are those of x, not of its absolute value.

    Args:
        input: x, floating-point, shape ``(N, C, H, W)`` or ``(C, H, W)``.
        norm_type: the exponent.
        kernel_size: of the window; a number, or one for each axis.
        stride: the step from one window to the next; None for the size of the window.
        ceil_mode: whether a last window may reach beyond the input; what it misses counts as average.

    Raises:
        TypeError: sizes are no integers, or the input is not floating-point.
        ValueError: shapes or sizes do not fit, or the norm is 0; the message names the argument.

    Source: Sermanet et al. 2012; ``torch.nn.functional.lp_pool2d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.lp_pool2d(gg.tensor([[[3.0, 0.0], [4.0, 0.0]]]), 2, 2)
    tensor([[[5.]]])
    """
    return ops.norm_pool("lp_pool2d", input, norm_type, kernel_size, stride, ceil_mode, 2)


@computed_wide
def lp_pool3d(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """The norm of each window of ``(N, C, D, H, W)``; see :func:`lp_pool2d`.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.lp_pool3d(gg.ones((1, 1, 2, 2, 4)), 3, 2)
    tensor([[[[[2., 2.]]]]])
    """
    return ops.norm_pool("lp_pool3d", input, norm_type, kernel_size, stride, ceil_mode, 3)


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The largest elements of ``output_size`` windows; see :func:`adaptive_max_pool2d`.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.adaptive_max_pool1d(gg.tensor([[1.0, 3.0, 2.0, 5.0, 4.0]]), 2)
    tensor([[3., 5.]])
    """
    return ops.adaptive_max_pool("adaptive_max_pool1d", input, output_size, return_indices, 1)


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The largest elements of ``output_size`` windows that cover the input, ``[floor(i n / m), ceil((i + 1) n / m))``.

    Args:
        input: shape ``(N, C, H, W)`` or ``(C, H, W)``.
        output_size: ``(H', W')``, or one number for both; None for the size of the input.
        return_indices: whether to return ``(y, indices)``, with the flat index ``h W + w`` of each maximum.

    Raises:
        TypeError: sizes are no integers.
        ValueError: shapes or sizes do not fit; the message names the argument.

    Source: ``torch.nn.functional.adaptive_max_pool2d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.adaptive_max_pool2d(gg.ones((1, 8, 13, 9)), (5, None)).shape
    (1, 8, 5, 9)
    """
    return ops.adaptive_max_pool("adaptive_max_pool2d", input, output_size, return_indices, 2)


def adaptive_max_pool3d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The largest of ``output_size`` windows of ``(N, C, D, H, W)``; see :func:`adaptive_max_pool2d`.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.adaptive_max_pool3d(gg.ones((2, 5, 5, 5)), 2).shape
    (2, 2, 2, 2)
    """
    return ops.adaptive_max_pool("adaptive_max_pool3d", input, output_size, return_indices, 3)


@computed_wide
def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """The averages of ``output_size`` windows; see :func:`adaptive_avg_pool2d`.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.adaptive_avg_pool1d(gg.tensor([[1.0, 3.0, 2.0, 4.0, 6.0]]), 2)
    tensor([[2., 4.]])
    """
    return ops.adaptive_average_pool("adaptive_avg_pool1d", input, output_size, 1)


@computed_wide
def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """The averages of ``output_size`` windows that cover the input, ``[floor(i n / m), ceil((i + 1) n / m))``.

    Args:
        input: floating-point, shape ``(N, C, H, W)`` or ``(C, H, W)``.
        output_size: ``(H', W')``, or one number for both; None for the size of the input.

    Raises:
        TypeError: sizes are no integers, or the input is not floating-point.
        ValueError: shapes or sizes do not fit; the message names the argument.

    Source: ``torch.nn.functional.adaptive_avg_pool2d``; for ``output_size=1`` the global average of Lin et al. 2014.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.adaptive_avg_pool2d(gg.tensor([[[1.0, 2.0], [3.0, 4.0]]]), 1)
    tensor([[[2.5]]])
    """
    return ops.adaptive_average_pool("adaptive_avg_pool2d", input, output_size, 2)


@computed_wide
def adaptive_avg_pool3d(input: Tensor, output_size: Any) -> Tensor:
    """The averages of ``output_size`` windows of ``(N, C, D, H, W)``; see :func:`adaptive_avg_pool2d`.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.adaptive_avg_pool3d(gg.ones((2, 5, 5, 5)), 2).shape
    (2, 2, 2, 2)
    """
    return ops.adaptive_average_pool("adaptive_avg_pool3d", input, output_size, 3)
