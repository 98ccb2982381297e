"""Layers that rearrange elements: windows as columns and back, resolution as channels and back."""

from __future__ import annotations

from typing import Any

from ..core import Tensor
from . import functional
from .module import Module


class Unfold(Module):
    """What each place of a sliding window sees, as a column: ``(N, C, H, W)`` to ``(N, C kH kW, L)``.

    Arguments and errors as for :func:`gpugrad.nn.functional.unfold`. Source: ``torch.nn.Unfold``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.Unfold(kernel_size=(2, 3))(gg.ones((2, 5, 3, 4))).shape
    (2, 30, 4)
    """

    def __init__(self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> None:
        super().__init__()
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def forward(self, input: Tensor) -> Tensor:
        return functional.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        """The window."""
        return f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, stride={self.stride}"


class Fold(Module):
    """Columns added up in the places that they come from: ``(N, C kH kW, L)`` to ``(N, C, H, W)``.

    The transpose of :class:`Unfold`. Arguments and errors as for :func:`gpugrad.nn.functional.fold`. Source:
    ``torch.nn.Fold``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.Fold(output_size=(3, 4), kernel_size=(2, 3))(gg.ones((2, 30, 4))).shape
    (2, 5, 3, 4)
    """

    def __init__(
        self, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
    ) -> None:
        super().__init__()
        self.output_size, self.kernel_size = output_size, kernel_size
        self.dilation, self.padding, self.stride = dilation, padding, stride

    def forward(self, input: Tensor) -> Tensor:
        return functional.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        """The size of the output, and the window."""
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, dilation={self.dilation}, "
            f"padding={self.padding}, stride={self.stride}"
        )


class PixelShuffle(Module):
    """Channels become resolution: ``(..., C r^2, H, W)`` to ``(..., C, H r, W r)`` for ``upscale_factor`` r.

    Errors as for :func:`gpugrad.nn.functional.pixel_shuffle`. Source: Shi et al. 2016; ``torch.nn.PixelShuffle``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.PixelShuffle(3)(gg.ones((1, 9, 4, 4))).shape
    (1, 1, 12, 12)
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return functional.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        """The factor."""
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """Resolution becomes channels: ``(..., C, H r, W r)`` to ``(..., C r^2, H, W)`` for ``downscale_factor`` r.

    Errors as for :func:`gpugrad.nn.functional.pixel_unshuffle`. Source: ``torch.nn.PixelUnshuffle``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.PixelUnshuffle(3)(gg.ones((1, 1, 12, 12))).shape
    (1, 9, 4, 4)
    """

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return functional.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        """The factor."""
        return f"downscale_factor={self.downscale_factor}"
