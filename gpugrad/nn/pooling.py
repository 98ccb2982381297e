"""Pooling layers: one number for each place of a window; see :mod:`gpugrad.ops.pooling`.

Arguments, shapes and errors are those of the functions in :mod:`gpugrad.nn.functional`; errors come when the layer is
called. The classes below name the number of axes of what is written once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..core import Tensor
from . import functional
from .module import Module


class _MaxPool(Module):
    function: Callable[..., Any]

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, input: Tensor) -> Any:
        return type(self).function(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )

    def extra_repr(self) -> str:
        """The window."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """``y[n, c, p] = max_k x[n, c, stride p + dilation k - padding]``; see :class:`MaxPool2d`.

    Shapes: ``(N, C, L)`` or ``(C, L)``. Source: ``torch.nn.MaxPool1d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.MaxPool1d(2)(gg.tensor([[1.0, 3.0, 2.0, 5.0]]))
    tensor([[3., 5.]])
    """

    function = staticmethod(functional.max_pool1d)


class MaxPool2d(_MaxPool):
    """``y[n, c, p] = max_k x[n, c, stride p + dilation k - padding]``; the gradient goes to the first of equal maxima.

    Args:
        kernel_size: of the window; a number, or one for each axis, as all that follow.
        stride: the step from one window to the next; None for the size of the window.
        padding: how far windows may begin before the input and end behind it; at most half the window.
        dilation: the distance between elements of the window.
        return_indices: whether to return ``(y, indices)``, with the flat index ``h W + w`` of each maximum.
        ceil_mode: whether a last window may reach beyond the padding, if it begins before that.

    Shapes: ``(N, C, H, W)`` or ``(C, H, W)`` to ``(N, C, H', W')`` or ``(C, H', W')`` with
    ``H' = (H + 2 padding - dilation (kH - 1) - 1) // stride + 1``.

    Raises (when called):
        TypeError: sizes are no integers.
        ValueError: shapes or sizes do not fit; the message names the argument.

    Source: Ranzato et al. 2007; CS231n, convolutional networks notes; ``torch.nn.MaxPool2d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.MaxPool2d(3, stride=2, padding=1)(gg.ones((4, 8, 16, 16))).shape
    (4, 8, 8, 8)
    """

    function = staticmethod(functional.max_pool2d)


class MaxPool3d(_MaxPool):
    """The same as :class:`MaxPool2d` along three axes. Source: ``torch.nn.MaxPool3d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.MaxPool3d(2)(gg.ones((1, 2, 4, 6, 8))).shape
    (1, 2, 2, 3, 4)
    """

    function = staticmethod(functional.max_pool3d)


class _AvgPool(Module):
    function: Callable[..., Tensor]

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
        count_include_pad: bool = True, divisor_override: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, kernel_size if stride is None else stride, padding
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return type(self).function(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad,
            self.divisor_override,
        )  # fmt: skip

    def extra_repr(self) -> str:
        """The window."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_AvgPool):
    """``y[n, c, p] = sum_k x[n, c, stride p + k - padding] / count``; see :class:`AvgPool2d`.

    Shapes: ``(N, C, L)`` or ``(C, L)``. Source: ``torch.nn.AvgPool1d``, without another divisor.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.AvgPool1d(2)(gg.tensor([[1.0, 3.0, 2.0, 5.0]]))
    tensor([[2. , 3.5]])
    """

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:  # fmt: skip
        stride = kernel_size if stride is None else stride
        window, step, border = (n if isinstance(n, tuple | list) else (n,) for n in (kernel_size, stride, padding))
        super().__init__(window, step, border, ceil_mode, count_include_pad)

    def forward(self, input: Tensor) -> Tensor:
        return functional.avg_pool1d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad
        )


class AvgPool2d(_AvgPool):
    """``y[n, c, p] = sum_k x[n, c, stride p + k - padding] / count``, with 0 outside of x.

    Args:
        kernel_size: of the window; a number, or one for each axis, as all that follow.
        stride: the step from one window to the next; None for the size of the window.
        padding: how many zeros are before and behind each axis; at most half the window.
        ceil_mode: whether a last window may reach beyond the padding, if it begins before that.
        count_include_pad: whether the zeros of the padding count as elements.
        divisor_override: the count, if it is to be another number.

    Shapes: ``(N, C, H, W)`` or ``(C, H, W)`` to ``(N, C, H', W')`` or ``(C, H', W')`` with
    ``H' = (H + 2 padding - kH) // stride + 1``.

    Raises (when called):
        TypeError: sizes are no integers, or the input is not floating-point.
        ValueError: shapes or sizes do not fit; the message names the argument.

    Source: LeCun et al. 1989; ``torch.nn.AvgPool2d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.AvgPool2d(2)(gg.tensor([[[1.0, 5.0, 2.0, 0.0], [3.0, 3.0, 2.0, 8.0]]]))
    tensor([[[3., 3.]]])
    """

    function = staticmethod(functional.avg_pool2d)


class AvgPool3d(_AvgPool):
    """The same as :class:`AvgPool2d` along three axes. Source: ``torch.nn.AvgPool3d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.AvgPool3d(2)(gg.ones((1, 2, 4, 6, 8))).shape
    (1, 2, 2, 3, 4)
    """

    function = staticmethod(functional.avg_pool3d)


class _LPPool(Module):
    function: Callable[..., Tensor]

    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> None:
        super().__init__()
        self.norm_type, self.kernel_size, self.stride, self.ceil_mode = norm_type, kernel_size, stride, ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        return type(self).function(input, self.norm_type, self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        """The norm and the window."""
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPool):
    """``y[n, c, p] = (sum_k x[n, c, stride p + k]^norm_type)^(1/norm_type)``; see :class:`LPPool2d`.

    Source: ``torch.nn.LPPool1d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.LPPool1d(2, 2)(gg.tensor([[3.0, 4.0]]))
    tensor([[5.]])
    """

    function = staticmethod(functional.lp_pool1d)


class LPPool2d(_LPPool):
    """``y[n, c, p] = (sum_k x[n, c, stride p + k]^norm_type)^(1/norm_type)``.

    Args:
        norm_type: the exponent: 1 for sums, large ones for maxima.
        kernel_size: of the window; a number, or one for each axis.
        stride: the step from one window to the next; None for the size of the window.
        ceil_mode: whether a last window may reach beyond the input; what it misses counts as average.

    Shapes: ``(N, C, H, W)`` or ``(C, H, W)``. Source: Sermanet et al. 2012; ``torch.nn.LPPool2d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.LPPool2d(2, 2)(gg.tensor([[[3.0, 0.0], [4.0, 0.0]]]))
    tensor([[[5.]]])
    """

    function = staticmethod(functional.lp_pool2d)


class LPPool3d(_LPPool):
    """The same as :class:`LPPool2d` along three axes. Source: ``torch.nn.LPPool3d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.LPPool3d(3, 2)(gg.ones((1, 1, 2, 2, 4)))
    tensor([[[[[2., 2.]]]]])
    """

    function = staticmethod(functional.lp_pool3d)


class _Adaptive(Module):
    function: Callable[..., Any]

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Any:
        return type(self).function(input, self.output_size)

    def extra_repr(self) -> str:
        """The size of the output."""
        return f"output_size={self.output_size}"


class _AdaptiveMax(_Adaptive):
    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        return type(self).function(input, self.output_size, self.return_indices)


class AdaptiveAvgPool1d(_Adaptive):
    """The averages of ``output_size`` windows that cover the input; see :class:`AdaptiveAvgPool2d`.

    Source: ``torch.nn.AdaptiveAvgPool1d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.AdaptiveAvgPool1d(2)(gg.tensor([[1.0, 3.0, 2.0, 4.0, 6.0]]))
    tensor([[2., 4.]])
    """

    function = staticmethod(functional.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_Adaptive):
    """The averages of ``output_size`` windows that cover the input, ``[floor(i n / m), ceil((i + 1) n / m))``.

    Args:
        output_size: ``(H', W')``, or one number for both; None for the size of the input.

    Shapes: ``(N, C, H, W)`` or ``(C, H, W)`` to ``(N, C, H', W')`` or ``(C, H', W')``.

    Raises (when called):
        TypeError: sizes are no integers, or the input is not floating-point.
        ValueError: shapes or sizes do not fit; the message names the argument.

    Source: Lin et al. 2014, "Network in network", for ``output_size=1``; ``torch.nn.AdaptiveAvgPool2d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.AdaptiveAvgPool2d((5, None))(gg.ones((1, 8, 13, 9))).shape
    (1, 8, 5, 9)
    """

    function = staticmethod(functional.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_Adaptive):
    """The same as :class:`AdaptiveAvgPool2d` along three axes. Source: ``torch.nn.AdaptiveAvgPool3d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.AdaptiveAvgPool3d(1)(gg.ones((1, 8, 3, 4, 5))).shape
    (1, 8, 1, 1, 1)
    """

    function = staticmethod(functional.adaptive_avg_pool3d)


class AdaptiveMaxPool1d(_AdaptiveMax):
    """The largest of ``output_size`` windows that cover the input; see :class:`AdaptiveMaxPool2d`.

    Source: ``torch.nn.AdaptiveMaxPool1d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.AdaptiveMaxPool1d(2)(gg.tensor([[1.0, 3.0, 2.0, 5.0, 4.0]]))
    tensor([[3., 5.]])
    """

    function = staticmethod(functional.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMax):
    """The largest of ``output_size`` windows that cover the input, ``[floor(i n / m), ceil((i + 1) n / m))``.

    Args:
        output_size: ``(H', W')``, or one number for both; None for the size of the input.
        return_indices: whether to return ``(y, indices)``, with the flat index ``h W + w`` of each maximum.

    Shapes: ``(N, C, H, W)`` or ``(C, H, W)`` to ``(N, C, H', W')`` or ``(C, H', W')``.

    Raises (when called):
        TypeError: sizes are no integers.
        ValueError: shapes or sizes do not fit; the message names the argument.

    Source: ``torch.nn.AdaptiveMaxPool2d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.AdaptiveMaxPool2d((5, None))(gg.ones((1, 8, 13, 9))).shape
    (1, 8, 5, 9)
    """

    function = staticmethod(functional.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMax):
    """The same as :class:`AdaptiveMaxPool2d` along three axes. Source: ``torch.nn.AdaptiveMaxPool3d``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.AdaptiveMaxPool3d(2)(gg.ones((1, 8, 3, 4, 5))).shape
    (1, 8, 2, 2, 2)
    """

    function = staticmethod(functional.adaptive_max_pool3d)
