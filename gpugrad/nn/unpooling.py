"""Layers that put maxima back where they were."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..core import Tensor
from ..ops.windows import sizes
from . import functional
from .module import Module


class _MaxUnpool(Module):
    ndim: int
    function: Callable[..., Tensor]

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        name = type(self).__name__
        self.kernel_size = sizes(name, "kernel_size", kernel_size, self.ndim, 1)
        self.stride = self.kernel_size if stride is None else sizes(name, "stride", stride, self.ndim, 1)
        self.padding = sizes(name, "padding", padding, self.ndim, 0)

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        return type(self).function(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        """The window."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """What :class:`MaxPool1d` chose, back in its places, with zeros elsewhere; see :class:`MaxUnpool2d`.

    Source: ``torch.nn.MaxUnpool1d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> y, indices = nn.MaxPool1d(2, return_indices=True)(gg.ones((1, 2, 6)))
    >>> nn.MaxUnpool1d(2)(y, indices).shape
    (1, 2, 6)
    """

    ndim = 1
    function = staticmethod(functional.max_unpool1d)


class MaxUnpool2d(_MaxUnpool):
    """What :class:`MaxPool2d` chose, back in its places, with zeros elsewhere.

    Args:
        kernel_size: of the window; a number, or one for each axis, as all that follow.
        stride: the step from one window to the next; None for the size of the window.
        padding: that of the pooling.

    Called with the maxima, their indices and, where the sizes leave a choice, the ``output_size``. Shapes:
    ``(N, C, H, W)`` or ``(C, H, W)``; errors as for :func:`gpugrad.nn.functional.max_unpool2d`.

    Source: Zeiler and Fergus 2014; ``torch.nn.MaxUnpool2d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> y, indices = nn.MaxPool2d(2, return_indices=True)(gg.ones((1, 2, 6, 4)))
    >>> nn.MaxUnpool2d(2)(y, indices).shape
    (1, 2, 6, 4)
    """

    ndim = 2
    function = staticmethod(functional.max_unpool2d)


class MaxUnpool3d(_MaxUnpool):
    """The same as :class:`MaxUnpool2d` along three axes. Source: ``torch.nn.MaxUnpool3d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> y, indices = nn.MaxPool3d(2, return_indices=True)(gg.ones((1, 2, 6, 4, 2)))
    >>> nn.MaxUnpool3d(2)(y, indices).shape
    (1, 2, 6, 4, 2)
    """

    ndim = 3
    function = staticmethod(functional.max_unpool3d)
