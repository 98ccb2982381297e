"""Activation functions, each one fused kernel forward and one backward.

Formulas and sources are at :mod:`gpugrad.nn.functional`, which gives them their names and arguments.
"""

from __future__ import annotations

from ..backend import Array, Namespace
from ..core import Tensor, primitive
from ..kernels import activation as kernels
from ..kernels import composed, dropping


@primitive(batch="elementwise")
def relu(xp: Namespace, x: Array, /) -> Array:
    """``max(x, 0)``; the gradient passes where ``x > 0`` and is 0 elsewhere, at 0 too.

    Source: Nair and Hinton 2010; ``torch.relu``.

    >>> import gpugrad as gg
    >>> gg.relu(gg.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return kernels.relu_forward(xp, x)


relu.vjp(x=lambda xp, g, y: kernels.relu_backward(xp, g, y))


@primitive(batch="elementwise")
def sigmoid(xp: Namespace, x: Array, /) -> Array:
    """``1 / (1 + exp(-x))``; derivative ``y (1 - y)``, computed from x: where y is 1 to rounding it is not 0.

    Source: CS231n, backpropagation notes; ``torch.sigmoid``, ``scipy.special.expit``.

    >>> import gpugrad as gg
    >>> gg.sigmoid(gg.tensor([0.0, 2.0]))
    tensor([0.5      , 0.8807971])
    """
    return kernels.sigmoid_forward(xp, x)


@primitive(batch="elementwise")
def _sigmoid_back(xp: Namespace, g: Array, x: Array, /) -> Array:
    """``g sigmoid'(x)``; by x, ``-y tanh(x / 2)``."""
    return kernels.sigmoid_backward(xp, g, x)


def _sigmoid_x(xp: Namespace, g: Array, x: Array) -> Array:
    return _sigmoid_back(g, x) if type(g) is Tensor else kernels.sigmoid_backward(xp, g, x)


sigmoid.vjp(x=_sigmoid_x)
_sigmoid_back.vjp(
    g=lambda xp, h, x: _sigmoid_back.on(xp, h, x),
    x=lambda xp, h, x, y: -h * y * xp.tanh(0.5 * x),
)


@primitive(batch="elementwise")
def tanhshrink(xp: Namespace, x: Array, /) -> Array:
    """``x - tanh(x)``, precise near 0; derivative ``tanh(x)^2``.

    >>> import gpugrad as gg
    >>> tanhshrink(gg.tensor([0.0, 2.0]))
    tensor([0.       , 1.0359724])
    """
    return kernels.tanhshrink_forward(xp, x)


tanhshrink.vjp(x=lambda xp, g, x: kernels.tanhshrink_backward(xp, g, x))


@primitive(batch="elementwise")
def leaky(xp: Namespace, x: Array, /, slope: float) -> Array:
    """``x`` where it is positive, else ``slope x``.

    >>> import gpugrad as gg
    >>> leaky(gg.tensor([-1.0, 2.0]), 0.5)
    tensor([-0.5,  2. ])
    """
    return kernels.leaky_forward(xp, x, slope)


leaky.vjp(x=lambda xp, g, x, slope: kernels.leaky_backward(xp, g, x, slope))


@primitive(batch="elementwise")
def elu(xp: Namespace, x: Array, /, scale: float, low: float, rate: float) -> Array:
    """``scale x`` where x is positive, else ``low (e^(rate x) - 1)``: ELU, SELU and CELU.

    >>> import gpugrad as gg
    >>> elu(gg.tensor([-1.0, 2.0]), 1.0, 1.0, 1.0)
    tensor([-0.63212055,  2.        ])
    """
    return kernels.elu_forward(xp, x, scale, low, rate)


elu.vjp(x=lambda xp, g, x, scale, low, rate: kernels.elu_backward(xp, g, x, scale, low, rate))


@primitive(batch="elementwise")
def silu(xp: Namespace, x: Array, /) -> Array:
    """``x sigmoid(x)``.

    >>> import gpugrad as gg
    >>> silu(gg.tensor([0.0, 2.0]))
    tensor([0.       , 1.7615942])
    """
    return kernels.silu_forward(xp, x)


silu.vjp(x=lambda xp, g, x: kernels.silu_backward(xp, g, x))


@primitive(batch="elementwise")
def gelu(xp: Namespace, x: Array, /) -> Array:
    """``x`` times the normal distribution function of x.

    >>> import gpugrad as gg
    >>> gelu(gg.tensor([0.0, 2.0]))
    tensor([0.       , 1.9544997])
    """
    return kernels.gelu_forward(xp, x)


gelu.vjp(x=lambda xp, g, x: kernels.gelu_backward(xp, g, x))


@primitive(batch="elementwise")
def gelu_tanh(xp: Namespace, x: Array, /) -> Array:
    """:func:`gelu`, approximated by a tanh.

    >>> import gpugrad as gg
    >>> gelu_tanh(gg.tensor([0.0, 2.0]))
    tensor([0.       , 1.9545977])
    """
    return kernels.gelu_tanh_forward(xp, x)


gelu_tanh.vjp(x=lambda xp, g, x: kernels.gelu_tanh_backward(xp, g, x))


@primitive(batch="elementwise")
def softplus(xp: Namespace, x: Array, /, beta: float, limit: float) -> Array:
    """``log(1 + e^(beta x)) / beta``, and x itself where ``beta x`` is above the limit.

    >>> import gpugrad as gg
    >>> softplus(gg.tensor([0.0, 30.0]), 1.0, 20.0)
    tensor([ 0.6931472, 30.       ])
    """
    return kernels.softplus_forward(xp, x, beta, limit)


softplus.vjp(x=lambda xp, g, x, beta, limit: kernels.softplus_backward(xp, g, x, beta, limit))


@primitive(batch="elementwise")
def mish(xp: Namespace, x: Array, /) -> Array:
    """``x tanh(log(1 + e^x))``.

    >>> import gpugrad as gg
    >>> mish(gg.tensor([0.0, 2.0]))
    tensor([0.       , 1.9439589])
    """
    return kernels.mish_forward(xp, x)


mish.vjp(x=lambda xp, g, x: kernels.mish_backward(xp, g, x))


@primitive(batch="elementwise")
def hardtanh(xp: Namespace, x: Array, /, low: float, high: float) -> Array:
    """``x`` between the limits, the limits outside; the gradient is 0 there, and at the limits too.

    >>> import gpugrad as gg
    >>> hardtanh(gg.tensor([-3.0, 0.5]), -1.0, 1.0)
    tensor([-1. ,  0.5])
    """
    return kernels.hardtanh_forward(xp, x, low, high)


hardtanh.vjp(x=lambda xp, g, x, low, high: kernels.hardtanh_backward(xp, g, x, low, high))


@primitive(batch="elementwise")
def hardsigmoid(xp: Namespace, x: Array, /) -> Array:
    """``min(max(x + 3, 0), 6) / 6``; the gradient is 0 at both corners too.

    >>> import gpugrad as gg
    >>> hardsigmoid(gg.tensor([-4.0, 1.5]))
    tensor([0.  , 0.75])
    """
    return kernels.hardsigmoid_forward(xp, x)


hardsigmoid.vjp(x=lambda xp, g, x: kernels.hardsigmoid_backward(xp, g, x))


@primitive(batch="elementwise")
def threshold(xp: Namespace, x: Array, /, limit: float, value: float) -> Array:
    """``x`` above the limit, else the value.

    >>> import gpugrad as gg
    >>> threshold(gg.tensor([0.25, 2.0]), 0.5, -1.0)
    tensor([-1.,  2.])
    """
    return kernels.threshold_forward(xp, x, limit, value)


threshold.vjp(x=lambda xp, g, x, limit: kernels.threshold_backward(xp, g, x, limit))


@primitive(batch="elementwise")
def sloped(xp: Namespace, x: Array, slope: Array, /) -> Array:
    """``x`` where it is positive, else ``slope x``, with a slope for each element.

    >>> import gpugrad as gg
    >>> sloped(gg.tensor([-1.0, 2.0]), gg.tensor([0.5, 0.5]))
    tensor([-0.5,  2. ])
    """
    return kernels.sloped_forward(xp, x, slope)


sloped.vjp(
    x=lambda xp, g, x, slope: kernels.sloped_backward(xp, g, x, slope),
    slope=lambda xp, g, x: composed.dropped(xp, xp.greater(x, 0), g * x),
)


@primitive(batch="elementwise")
def dropout(xp: Namespace, x: Array, kept: Array, /, scale: float) -> Array:
    """``x`` times the scale where it is kept, else exactly 0; the gradient likewise.

    >>> import gpugrad as gg
    >>> dropout(gg.tensor([1.0, 2.0]), gg.tensor([True, False]), 2.0)
    tensor([2., 0.])
    """
    return composed.thinned(xp, x, kept, scale)


dropout.vjp(x=lambda xp, g, kept, scale: composed.thinned(xp, g, kept, scale))


@primitive
def drawn_dropout(xp: Namespace, x: Array, /, seed: int, counter: int, below: int, scale: float) -> Array:
    """Dropout by the random bits that seed and counter stand for; the graph keeps these numbers alone.

    An element is kept where its word of 32 bits is less than ``below``.

    >>> import gpugrad as gg
    >>> drawn_dropout(gg.ones(4), 0, 0, 2**31, 2.0)
    tensor([2., 0., 0., 0.])
    """
    return dropping.drawn_dropout(xp, x, seed, counter, below, scale)


drawn_dropout.vjp(
    x=lambda xp, g, seed, counter, below, scale: drawn_dropout.on(
        xp, g, seed=seed, counter=counter, below=below, scale=scale
    )
)


@primitive(batch="elementwise")
def hardswish(xp: Namespace, x: Array, /) -> Array:
    """``x min(max(x + 3, 0), 6) / 6``.

    >>> import gpugrad as gg
    >>> hardswish(gg.tensor([-4.0, 3.0]))
    tensor([-0.,  3.])
    """
    return kernels.hardswish_forward(xp, x)


hardswish.vjp(x=lambda xp, g, x: kernels.hardswish_backward(xp, g, x))


@primitive(batch="elementwise")
def hardshrink(xp: Namespace, x: Array, /, width: float) -> Array:
    """``x``, and 0 between ``-width`` and ``width``.

    >>> import gpugrad as gg
    >>> hardshrink(gg.tensor([0.25, 2.0]), 0.5)
    tensor([0., 2.])
    """
    return kernels.hardshrink_forward(xp, x, width)


@primitive(batch="elementwise")
def softshrink(xp: Namespace, x: Array, /, width: float) -> Array:
    """``x`` moved towards 0 by ``width``, and 0 where that would pass it.

    >>> import gpugrad as gg
    >>> softshrink(gg.tensor([0.25, 2.0]), 0.5)
    tensor([0. , 1.5])
    """
    return kernels.softshrink_forward(xp, x, width)


hardshrink.vjp(x=lambda xp, g, x, width: kernels.shrink_backward(xp, g, x, width))
softshrink.vjp(x=lambda xp, g, x, width: kernels.shrink_backward(xp, g, x, width))


@primitive(batch="elementwise")
def softsign(xp: Namespace, x: Array, /) -> Array:
    """``x / (1 + |x|)``.

    >>> import gpugrad as gg
    >>> softsign(gg.tensor([-1.0, 3.0]))
    tensor([-0.5 ,  0.75])
    """
    return kernels.softsign_forward(xp, x)


softsign.vjp(x=lambda xp, g, x: kernels.softsign_backward(xp, g, x))
