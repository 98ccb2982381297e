"""Convolutional layers: a small linear map, the same at every place; see :mod:`gpugrad.ops.convolution`.

What one, two and three dimensions share is written once; the classes below name the number of axes. Parameters begin
uniform in ``±1/sqrt(fan_in)``, with ``fan_in`` the number of products in a sum, as in PyTorch (LeCun et al. 1998, up to
a factor).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..backend import Device
from ..core import Tensor
from ..ops.convolution import borders
from ..ops.creation import empty
from ..ops.padding import pad
from ..ops.windows import AXES, sizes
from . import functional, init
from .module import Module
from .parameter import Parameter

BORDERS = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
"""PyTorch's names of borders, and NumPy's."""


class _Kernels(Module):
    """Sizes and parameters of a convolution or of its transpose, along ``ndim`` axes."""

    ndim: int
    transposed = False

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any,
        groups: int, bias: bool, padding_mode: str, device: Device | str | None, dtype: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        name, ndim = type(self).__name__, self.ndim
        for what, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if groups < 1 or channels < 1 or channels % groups:
                raise ValueError(f"{name}: expected {what} that groups={groups} divides, got {channels}")
        if padding_mode != "zeros" and (self.transposed or padding_mode not in BORDERS):
            known = "" if self.transposed else ", " + ", ".join(map(repr, BORDERS))
            raise ValueError(f"{name}: expected padding_mode 'zeros'{known}, got {padding_mode!r}")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = sizes(name, "kernel_size", kernel_size, ndim, 1)
        self.stride = sizes(name, "stride", stride, ndim, 1)
        self.dilation = sizes(name, "dilation", dilation, ndim, 1)
        self.padding = padding if isinstance(padding, str) else sizes(name, "padding", padding, ndim, 0)
        self.borders = borders(name, self.padding, self.kernel_size, self.stride, self.dilation)
        self.padding_mode = padding_mode
        first, second = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        shape = (first, second // groups, *self.kernel_size)
        self.weight = Parameter(empty(shape, dtype=dtype, device=device))
        self.bias: Parameter | None
        self.register_parameter("bias", Parameter(empty((out_channels,), dtype=dtype, device=device)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(math.prod(self.weight.shape[1:]))
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        """Sizes, and what is not as usual."""
        ones, zeros = (1,) * self.ndim, (0,) * self.ndim
        parts = [f"{self.in_channels}, {self.out_channels}", f"kernel_size={self.kernel_size}", f"stride={self.stride}"]
        parts += [
            f"{name}={value}"
            for name, value, usual in (
                ("padding", self.padding, zeros), ("dilation", self.dilation, ones),
                ("output_padding", getattr(self, "output_padding", zeros), zeros), ("groups", self.groups, 1),
                ("bias", self.bias is not None, True), ("padding_mode", self.padding_mode, "zeros"),
            )
            if value != usual
        ]  # fmt: skip
        return ", ".join(parts)


class _Convolution(_Kernels):
    function: Callable[..., Tensor]

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
        dilation: Any = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros",
        device: Device | str | None = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype
        )

    def forward(self, input: Tensor) -> Tensor:
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            if input.ndim not in (self.ndim + 1, self.ndim + 2):
                name, axes = type(self).__name__, AXES[self.ndim]
                raise ValueError(f"{name}: expected an input of shape (N, C, {axes}) or (C, {axes}), got {input.shape}")
            widths = ((0, 0),) * (input.ndim - self.ndim) + tuple(zip(*self.borders, strict=True))
            input, padding = pad(input, widths, mode=BORDERS[self.padding_mode]), 0
        return type(self).function(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Conv1d(_Convolution):
    """``y[n, o, p] = b[o] + sum_(c, k) w[o, c, k] x[n, c, stride p + dilation k - padding]``.

    Arguments as for :class:`Conv2d`. Shapes: ``(N, C, L)`` or ``(C, L)`` to ``(N, O, L')`` or ``(O, L')``; weight
    ``(O, C/groups, k)``, bias ``(O,)``. Source: ``torch.nn.Conv1d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.Conv1d(4, 8, kernel_size=3, padding="same")(gg.ones((2, 4, 10))).shape
    (2, 8, 10)
    """

    ndim = 1
    function = staticmethod(functional.conv1d)


class Conv2d(_Convolution):
    """``y[n, o, p] = b[o] + sum_(c, k) w[o, c, k] x[n, c, stride p + dilation k - padding]``.

    Args:
        in_channels: C.
        out_channels: O.
        kernel_size: of the window; a number, or one for each axis, as all that follow.
        stride: the step from one position to the next.
        padding: how many elements are put before and behind each axis; or ``"valid"`` for none, or ``"same"`` for as
            many as make the output as large as the input.
        dilation: the distance between elements that are multiplied with neighbours in the kernel.
        groups: the channels are divided into so many groups that do not see each other; C for one filter a channel.
        bias: whether there is a b.
        padding_mode: what is put there: ``"zeros"``; ``"reflect"``, a mirror on the last element; ``"replicate"``, the
            last element; ``"circular"``, the other end.
        device, dtype: of the parameters; None for the defaults.

    Shapes: ``(N, C, H, W)`` or ``(C, H, W)`` to ``(N, O, H', W')`` or ``(O, H', W')`` with
    ``H' = (H + 2 padding - dilation (kH - 1) - 1) // stride + 1``; weight ``(O, C/groups, kH, kW)``, bias ``(O,)``.

    Raises:
        TypeError: sizes are no integers.
        ValueError: sizes do not fit, also when called; the message names the argument.

    Source: LeCun et al. 1989; CS231n, convolutional networks notes; ``torch.nn.Conv2d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> layer = nn.Conv2d(3, 16, kernel_size=3, stride=2, padding=1)
    >>> layer(gg.ones((10, 3, 32, 32))).shape
    (10, 16, 16, 16)
    """

    ndim = 2
    function = staticmethod(functional.conv2d)


class Conv3d(_Convolution):
    """The same as :class:`Conv2d` along three axes.

    Shapes: ``(N, C, D, H, W)`` or ``(C, D, H, W)``; weight ``(O, C/groups, kD, kH, kW)``, bias ``(O,)``. Source: Ji et
    al. 2013; ``torch.nn.Conv3d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.Conv3d(1, 2, kernel_size=(3, 3, 1))(gg.ones((1, 1, 5, 6, 7))).shape
    (1, 2, 3, 4, 7)
    """

    ndim = 3
    function = staticmethod(functional.conv3d)


class _Transposed(_Kernels):
    function: Callable[..., Tensor]
    transposed = True

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
        output_padding: Any = 0, groups: int = 1, bias: bool = True, dilation: Any = 1, padding_mode: str = "zeros",
        device: Device | str | None = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        name = type(self).__name__
        if isinstance(padding, str):
            raise TypeError(f"{name}: expected padding as an integer or one for each axis, got {padding!r}")
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype
        )
        self.output_padding = sizes(name, "output_padding", output_padding, self.ndim, 0)

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        """Apply it.

        Args:
            input: shape ``(N, C, ...)`` or ``(C, ...)``.
            output_size: the sizes of the output, in the place of ``output_padding``, where the stride leaves a choice.

        Raises:
            ValueError: there is no such output.
        """
        extra = self.output_padding if output_size is None else self._extra(input, output_size)
        return type(self).function(
            input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation
        )

    def _extra(self, input: Tensor, output_size: Any) -> tuple[int, ...]:
        wanted = sizes(type(self).__name__, "output_size", tuple(output_size)[-self.ndim :], self.ndim, 1)
        padding: Any = self.padding
        rows = zip(input.shape[-self.ndim :], self.stride, padding, self.dilation, self.kernel_size, strict=True)
        least = tuple((m - 1) * s - 2 * p + d * (k - 1) + 1 for m, s, p, d, k in rows)
        extra = tuple(w - n for w, n in zip(wanted, least, strict=True))
        if not all(0 <= e < s for e, s in zip(extra, self.stride, strict=True)):
            most = tuple(n + s - 1 for n, s in zip(least, self.stride, strict=True))
            raise ValueError(
                f"{type(self).__name__}: expected an output_size from {least} to {most} for an input of shape "
                f"{input.shape}, got {wanted}"
            )
        return extra


class ConvTranspose1d(_Transposed):
    """The transpose of :class:`Conv1d`; see :class:`ConvTranspose2d`.

    Shapes: ``(N, C, L)`` or ``(C, L)``; weight ``(C, O/groups, k)``, bias ``(O,)``. Source:
    ``torch.nn.ConvTranspose1d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.ConvTranspose1d(4, 2, kernel_size=4, stride=2, padding=1)(gg.ones((1, 4, 5))).shape
    (1, 2, 10)
    """

    ndim = 1
    function = staticmethod(functional.conv_transpose1d)


class ConvTranspose2d(_Transposed):
    """``y[n, o, i] = b[o] + sum x[n, c, p] w[c, o, k]`` over all c, p, k with ``i = stride p + dilation k - padding``.

    The transpose of a convolution, its gradient by the input, used forward to make images larger.

    Args:
        in_channels: C.
        out_channels: O.
        kernel_size: of the window; a number, or one for each axis, as all that follow.
        stride: the step from one position to the next, and so the factor of enlargement.
        padding: how many elements are left out at both ends of each axis of the output.
        output_padding: how many more there are at the end.
        groups: the channels are divided into so many groups that do not see each other.
        bias: whether there is a b.
        dilation: the distance between outputs of neighbours in the kernel.
        padding_mode: ``"zeros"``.
        device, dtype: of the parameters; None for the defaults.

    Shapes: ``(N, C, H, W)`` or ``(C, H, W)`` to ``(N, O, H', W')`` or ``(O, H', W')`` with
    ``H' = (H - 1) stride - 2 padding + dilation (kH - 1) + 1 + output_padding``; weight ``(C, O/groups, kH, kW)``, bias
    ``(O,)``.

    Raises:
        TypeError: sizes are no integers.
        ValueError: sizes do not fit, also when called; the message names the argument.

    Source: Zeiler et al. 2010, "Deconvolutional networks"; ``torch.nn.ConvTranspose2d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> layer = nn.ConvTranspose2d(8, 3, kernel_size=3, stride=2, padding=1)
    >>> layer(gg.ones((1, 8, 4, 4)), output_size=(8, 8)).shape
    (1, 3, 8, 8)
    """

    ndim = 2
    function = staticmethod(functional.conv_transpose2d)


class ConvTranspose3d(_Transposed):
    """The same as :class:`ConvTranspose2d` along three axes. Source: ``torch.nn.ConvTranspose3d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.ConvTranspose3d(1, 2, kernel_size=2, stride=2)(gg.ones((1, 1, 2, 3, 4))).shape
    (1, 2, 4, 6, 8)
    """

    ndim = 3
    function = staticmethod(functional.conv_transpose3d)
