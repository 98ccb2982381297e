"""Layers that change the size of images and signals, and the order of channels."""

from __future__ import annotations

from typing import Any

from ..core import Tensor
from . import functional
from .module import Module


class Upsample(Module):
    """Another size of the inner axes: :func:`gpugrad.nn.functional.interpolate`.

    Arguments and errors as there. Source: ``torch.nn.Upsample``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.Upsample(scale_factor=2)(gg.tensor([[[1.0, 3.0]]]))
    tensor([[[1., 1., 3., 3.]]])
    """

    def __init__(
        self, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.size, self.mode, self.align_corners = size, mode, align_corners
        if isinstance(scale_factor, tuple | list):
            scale_factor = tuple(float(factor) for factor in scale_factor)
        self.scale_factor = float(scale_factor) if isinstance(scale_factor, int) else scale_factor
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        return functional.interpolate(
            input, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor
        )

    def extra_repr(self) -> str:
        """The size or the factor, and the mode."""
        what = f"scale_factor={self.scale_factor!r}" if self.scale_factor is not None else f"size={self.size!r}"
        return f"{what}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Another size of an image, with the nearest elements. Source: ``torch.nn.UpsamplingNearest2d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.UpsamplingNearest2d(scale_factor=2)(gg.tensor([[[[1.0, 3.0]]]])).shape
    (1, 1, 2, 4)
    """

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """Another size of an image, linear along both axes, whose corners stay. Source: ``torch.nn.UpsamplingBilinear2d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.UpsamplingBilinear2d(size=(1, 3))(gg.tensor([[[[1.0, 3.0]]]]))
    tensor([[[[1., 2., 3.]]]])
    """

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)


class ChannelShuffle(Module):
    """Channels taken from each group in turn: :func:`gpugrad.nn.functional.channel_shuffle`.

    Arguments and errors as there. Source: Zhang et al. 2018; ``torch.nn.ChannelShuffle``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.ChannelShuffle(2)(gg.tensor([[[1.0], [2.0], [3.0], [4.0]]])).tolist()
    [[[1.0], [3.0], [2.0], [4.0]]]
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        return functional.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        """How many groups."""
        return f"groups={self.groups}"
