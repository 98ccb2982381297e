"""Convolution in one, two and three dimensions, and its transpose.

A convolution is linear in the input x and in the weight w. Its gradients by either are linear as well, and the
gradients of these are convolutions again, so three operations are closed under differentiation to any order:

    convolve(x, w)   y[n, o, p] = sum_(c, k) x[n, c, s p + d k - b] w[o, c, k]
    spread(g, w)     its transpose by x
    filters(x, g)    its transpose by w

with stride s, dilation d and a border of b zeros before the input. As everywhere in deep learning the kernel is not
mirrored: mathematically these are cross-correlations. Source: Dumoulin and Visin 2016, "A guide to convolution
arithmetic for deep learning"; names and shapes as in ``torch.nn.functional``.
"""

from __future__ import annotations

from typing import Any

from ..backend import Array, Namespace
from ..core import Tensor, primitive
from ..kernels import convolution as kernels
from ..kernels.wide import wider
from ..kernels.windows import Window
from .creation import asarray
from .windows import AXES, batched, sizes, sliding


@primitive(batch="filtered", wide="host", cast="lower")
def _convolve(xp: Namespace, x: Array, w: Array, bias: Array | None = None, /, *, window: Window, groups: int) -> Array:
    return kernels.convolve(xp, x, w, bias, window, groups)


@primitive(batch="filtered", wide="host", cast="lower")
def _spread(xp: Namespace, g: Array, w: Array, bias: Array | None = None, /, *, window: Window, groups: int) -> Array:
    return kernels.spread(xp, g, w, bias, window, groups)


@primitive(batch="gradients_of_filters", wide="host")
def _filters(xp: Namespace, x: Array, g: Array, /, *, window: Window, groups: int) -> Array:
    return kernels.filters(xp, x, g, window, groups)


def _channel_sums(xp: Namespace, g: Array) -> Array:
    return xp.sum(wider(xp, g), axis=(0, *range(2, len(g.shape))))


_convolve.vjp(
    x=lambda xp, g, w, window, groups: _spread.on(xp, g, w, window=window, groups=groups),
    w=lambda xp, g, x, window, groups: _filters.on(xp, x, g, window=window, groups=groups),
    bias=_channel_sums,
)
_spread.vjp(
    g=lambda xp, g, w, window, groups: _convolve.on(xp, g, w, window=window, groups=groups),
    w=lambda xp, h, g, window, groups: _filters.on(xp, h, g, window=window, groups=groups),
    bias=_channel_sums,
)
_filters.vjp(
    x=lambda xp, h, g, window, groups: _spread.on(xp, g, h, window=window, groups=groups),
    g=lambda xp, h, x, window, groups: _convolve.on(xp, x, h, window=window, groups=groups),
)


def convolution(
    name: str, input: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int, ndim: int
) -> Tensor:
    """The convolution along ``ndim`` axes; arguments as for :func:`gpugrad.nn.functional.conv2d`.

    Raises:
        TypeError: sizes are no integers.
        ValueError: shapes or sizes do not fit; the message names the argument.
    """
    weight, bias = _operands(name, weight, bias, ndim, "out, in / groups")
    x, whole = batched(name, asarray(input), ndim)
    outputs, channels = weight.shape[:2]
    if groups < 1 or outputs % groups:
        raise ValueError(f"{name}: expected groups that divide the {outputs} output channels, got groups={groups}")
    if x.shape[1] != channels * groups:
        raise ValueError(
            f"{name}: expected an input of {channels * groups} channels for a weight of shape {weight.shape} and "
            f"groups={groups}, got an input of shape {input.shape}"
        )
    _check_bias(name, bias, outputs)
    kernel = weight.shape[2:]
    stride, dilation = sizes(name, "stride", stride, ndim, 1), sizes(name, "dilation", dilation, ndim, 1)
    before, behind = borders(name, padding, kernel, stride, dilation)
    window = sliding(name, x.shape[2:], kernel, stride, dilation, before, behind)
    y: Tensor = _convolve(x, weight, bias, window=window, groups=groups)
    return y if whole else y[0]


def borders(name: str, padding: Any, kernel: Any, stride: Any, dilation: Any) -> tuple[Any, Any]:
    """How many zeros are before and behind the input along each axis, for a padding in numbers or by name.

    Raises:
        ValueError: a name that is not known, or ``"same"`` for a stride other than 1.

    >>> borders("conv1d", "same", (4,), (1,), (1,))
    ((1,), (2,))
    """
    if not isinstance(padding, str):
        before = sizes(name, "padding", padding, len(kernel), 0)
        return before, before
    if padding == "valid":
        return (0,) * len(kernel), (0,) * len(kernel)
    if padding != "same":
        raise ValueError(f"{name}: expected padding as integers, 'valid' or 'same', got {padding!r}")
    if set(stride) - {1}:
        raise ValueError(f"{name}: expected a stride of 1 with padding='same', got {stride}")
    total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return tuple(n // 2 for n in total), tuple(n - n // 2 for n in total)


def transposed_convolution(
    name: str, input: Any, weight: Any, bias: Any, stride: Any, padding: Any, output_padding: Any, groups: int,
    dilation: Any, ndim: int,
) -> Tensor:  # fmt: skip
    """The transpose of a convolution; arguments as for :func:`gpugrad.nn.functional.conv_transpose2d`.

    Raises:
        TypeError: sizes are no integers.
        ValueError: shapes or sizes do not fit; the message names the argument.
    """
    weight, bias = _operands(name, weight, bias, ndim, "in, out / groups")
    x, whole = batched(name, asarray(input), ndim)
    channels, outputs = weight.shape[:2]
    if groups < 1 or channels % groups:
        raise ValueError(f"{name}: expected groups that divide the {channels} input channels, got groups={groups}")
    if x.shape[1] != channels:
        raise ValueError(
            f"{name}: expected an input of {channels} channels for a weight of shape {weight.shape}, "
            f"got an input of shape {input.shape}"
        )
    _check_bias(name, bias, outputs * groups)
    kernel = weight.shape[2:]
    stride, dilation = sizes(name, "stride", stride, ndim, 1), sizes(name, "dilation", dilation, ndim, 1)
    padding, extra = sizes(name, "padding", padding, ndim, 0), sizes(name, "output_padding", output_padding, ndim, 0)
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise ValueError(
            f"{name}: expected output_padding smaller than the stride {stride} or the dilation {dilation}, got {extra}"
        )
    inner = tuple(
        (m - 1) * s - 2 * p + d * (k - 1) + 1 + e
        for m, s, p, d, k, e in zip(x.shape[2:], stride, padding, dilation, kernel, extra, strict=True)
    )
    if min(inner) < 1 or min(x.shape[2:]) < 1:
        raise ValueError(f"{name}: expected an output of at least one element an axis, got {inner} for input {x.shape}")
    window = Window(kernel, stride, dilation, padding, inner, x.shape[2:])
    y: Tensor = _spread(x, weight, bias, window=window, groups=groups)
    return y if whole else y[0]


def _operands(name: str, weight: Any, bias: Any, ndim: int, channels: str) -> tuple[Tensor, Tensor | None]:
    weight = asarray(weight)
    if weight.ndim != ndim + 2 or not all(weight.shape[2:]):
        kernel = ", ".join(f"k{axis}" for axis in AXES[ndim].split(", "))
        raise ValueError(f"{name}: expected a weight of shape ({channels}, {kernel}), got {weight.shape}")
    return weight, None if bias is None else asarray(bias)


def _check_bias(name: str, bias: Tensor | None, outputs: int) -> None:
    if bias is not None and bias.shape != (outputs,):
        raise ValueError(f"{name}: expected a bias of shape ({outputs},), got {bias.shape}")
