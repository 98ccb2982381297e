"""Where maxima were: the way back from max pooling."""

from __future__ import annotations

from typing import Any

from ...core import Tensor
from ...ops import pooling as ops


def max_unpool1d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Tensor:
    """What :func:`max_pool1d` chose, back in its places, with zeros elsewhere; see :func:`max_unpool2d`.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> y, indices = nn.functional.max_pool1d(gg.tensor([[1.0, 3.0, 2.0, 5.0]]), 2, return_indices=True)
    >>> nn.functional.max_unpool1d(y, indices, 2)
    tensor([[0., 3., 0., 5.]])
    """
    return ops.max_unpool("max_unpool1d", input, indices, kernel_size, stride, padding, output_size, 1)


def max_unpool2d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Tensor:
    """What :func:`max_pool2d` chose, back in its places, with zeros elsewhere.

    Args:
        input: shape ``(N, C, H, W)`` or ``(C, H, W)``.
        indices: of the same shape, as ``max_pool2d`` returns them. Where overlapping windows chose an element twice,
            one of the values stays, and it alone has a gradient (in PyTorch all have).
        kernel_size: of the window; a number, or one for each axis, as all that follow.
        stride: the step from one window to the next; None for the size of the window.
        padding: that of the pooling.
        output_size: ``(H', W')``, where the sizes before pooling leave a choice.

    Returns:
        Shape ``(N, C, H', W')`` with ``H' = (H - 1) stride - 2 padding + kH``, or the ``output_size``.

    Raises:
        IndexError: an index is outside of the output.
        TypeError: sizes are no integers.
        ValueError: shapes or sizes do not fit; the message names the argument.

    Source: Zeiler and Fergus 2014; ``torch.nn.functional.max_unpool2d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> x = gg.tensor([[[1.0, 5.0], [3.0, 4.0]]])
    >>> nn.functional.max_unpool2d(*nn.functional.max_pool2d(x, 2, return_indices=True), 2)
    tensor([[[0., 5.],
             [0., 0.]]])
    """
    return ops.max_unpool("max_unpool2d", input, indices, kernel_size, stride, padding, output_size, 2)


def max_unpool3d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Tensor:
    """The same as :func:`max_unpool2d` along three axes.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> y, indices = nn.functional.max_pool3d(gg.ones((1, 2, 2, 2)), 2, return_indices=True)
    >>> nn.functional.max_unpool3d(y, indices, 2).shape
    (1, 2, 2, 2)
    """
    return ops.max_unpool("max_unpool3d", input, indices, kernel_size, stride, padding, output_size, 3)
