"""Activation functions. ``input`` is of any shape, unless something else is said."""

from __future__ import annotations

from typing import Any

from ... import random
from ...core import Tensor
from ...ops import activation as ops
from ...ops import special
from ...ops.activation import relu as rectified
from ...ops.creation import zeros_like
from ...ops.functions import log
from ...ops.gating import glu as gate
from ...ops.selection import put_along_axis
from ...ops.shaping import reshape
from ...ops.wide import computed_wide
from ...random import Generator
from .basic import softmax, written

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """``max(x, 0)``; the gradient at 0 is 0.

    Args:
        input: shape ``(...)``.
        inplace: give the input the result as its value, as ``x += v`` would; it saves no memory.

    Source: Nair and Hinton 2010; ``torch.nn.functional.relu``.

    >>> import gpugrad as gg
    >>> gg.nn.functional.relu(gg.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    y: Tensor = rectified(input)
    return written(input, y) if inplace else y


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """``x`` where it is positive, else ``negative_slope x``. Source: Maas et al. 2013.

    >>> import gpugrad as gg
    >>> gg.nn.functional.leaky_relu(gg.tensor([-1.0, 2.0]), 0.5)
    tensor([-0.5,  2. ])
    """
    y: Tensor = ops.leaky(input, negative_slope)
    return written(input, y) if inplace else y


@computed_wide
def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """``x`` where it is positive, else ``w x`` with a learned w.

    Args:
        input: shape ``(N, C, ...)``, or any shape for a single weight.
        weight: shape ``(C,)`` or ``(1,)``.

    Raises:
        ValueError: the weights are not one, nor one a channel.

    Source: He et al. 2015, "Delving deep into rectifiers".

    >>> import gpugrad as gg
    >>> gg.nn.functional.prelu(gg.tensor([-1.0, 2.0]), gg.tensor([0.25]))
    tensor([-0.25,  2.  ])
    """
    channels = input.shape[1] if input.ndim > 1 else 1
    if weight.ndim > 1 or weight.size not in (1, channels):
        raise ValueError(f"prelu: expected one weight or one for each of {channels} channels, got {weight.shape}")
    w = reshape(weight, (weight.size, *(1,) * (input.ndim - 2))) if weight.size > 1 else reshape(weight, ())
    return ops.sloped(input, w)


def rrelu(
    input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, inplace: bool = False, *,
    generator: Generator | None = None,
) -> Tensor:  # fmt: skip
    """``x`` where it is positive, else ``a x``, with a random in [lower, upper) in training, and their mean otherwise.

    Source: Xu et al. 2015.

    >>> import gpugrad as gg
    >>> gg.nn.functional.rrelu(gg.tensor([-1.0, 2.0]), 0.25, 0.75)
    tensor([-0.5,  2. ])
    """
    if not training:
        return leaky_relu(input, (lower + upper) / 2)
    source = generator or random.default_generator
    slope = source.uniform(lower, upper, input.shape, dtype=input.dtype, device=input.device)
    y: Tensor = ops.sloped(input, slope)
    return written(input, y) if inplace else y


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """``x`` where it is positive, else ``alpha (e^x - 1)``. Source: Clevert et al. 2016.

    >>> import gpugrad as gg
    >>> gg.nn.functional.elu(gg.tensor([-1.0, 2.0]))
    tensor([-0.63212055,  2.        ])
    """
    y: Tensor = ops.elu(input, 1.0, alpha, 1.0)
    return written(input, y) if inplace else y


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """``s x`` where x is positive, else ``s a (e^x - 1)``, with s and a such that unit variance stays.

    Source: Klambauer et al. 2017, "Self-normalizing neural networks".

    >>> import gpugrad as gg
    >>> gg.nn.functional.selu(gg.tensor([-1.0, 2.0]))
    tensor([-1.1113307,  2.101402 ])
    """
    y: Tensor = ops.elu(input, SELU_SCALE, SELU_SCALE * SELU_ALPHA, 1.0)
    return written(input, y) if inplace else y


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """``x`` where it is positive, else ``alpha (e^(x / alpha) - 1)``.

    Raises:
        ValueError: alpha is 0.

    Source: Barron 2017.

    >>> import gpugrad as gg
    >>> gg.nn.functional.celu(gg.tensor([-1.0, 2.0]), 2.0)
    tensor([-0.78693867,  2.        ])
    """
    if alpha == 0:
        raise ValueError("celu: expected an alpha that is not 0")
    y: Tensor = ops.elu(input, 1.0, alpha, 1 / alpha)
    return written(input, y) if inplace else y


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """``x`` times the normal distribution function of x, or (``"tanh"``) an approximation of it.

    Raises:
        ValueError: ``approximate`` is neither ``"none"`` nor ``"tanh"``.

    Source: Hendrycks and Gimpel 2016.

    >>> import gpugrad as gg
    >>> gg.nn.functional.gelu(gg.tensor([0.0, 2.0]))
    tensor([0.       , 1.9544997])
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu: expected approximate='none' or 'tanh', got {approximate!r}")
    return ops.gelu(input) if approximate == "none" else ops.gelu_tanh(input)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """``x sigmoid(x)``. Source: Hendrycks and Gimpel 2016; "swish" in Ramachandran et al. 2017.

    >>> import gpugrad as gg
    >>> gg.nn.functional.silu(gg.tensor([0.0, 2.0]))
    tensor([0.       , 1.7615942])
    """
    y: Tensor = ops.silu(input)
    return written(input, y) if inplace else y


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """``x tanh(softplus(x))``. Source: Misra 2020.

    >>> import gpugrad as gg
    >>> gg.nn.functional.mish(gg.tensor([0.0, 2.0]))
    tensor([0.       , 1.9439589])
    """
    y: Tensor = ops.mish(input)
    return written(input, y) if inplace else y


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """``log(1 + e^(beta x)) / beta``, and x itself where ``beta x`` is above the threshold. Source: Dugas et al. 2001.

    >>> import gpugrad as gg
    >>> gg.nn.functional.softplus(gg.tensor([0.0, 30.0]))
    tensor([ 0.6931472, 30.       ])
    """
    return ops.softplus(input, beta, threshold)


def logsigmoid(input: Tensor) -> Tensor:
    """``log(sigmoid(x))`` without overflow.

    >>> import gpugrad as gg
    >>> gg.nn.functional.logsigmoid(gg.tensor([0.0, -200.0]))
    tensor([  -0.6931472, -200.       ])
    """
    return special.log_expit(input)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """``x`` between the limits, the limits outside; the gradient is 0 there, and at the limits too.

    Raises:
        ValueError: the limits are in the wrong order.

    >>> import gpugrad as gg
    >>> gg.nn.functional.hardtanh(gg.tensor([-3.0, 0.5]))
    tensor([-1. ,  0.5])
    """
    if min_val > max_val:
        raise ValueError(f"hardtanh: expected min_val <= max_val, got {min_val} and {max_val}")
    y: Tensor = ops.hardtanh(input, min_val, max_val)
    return written(input, y) if inplace else y


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """``min(max(x, 0), 6)``. Source: Krizhevsky 2010.

    >>> import gpugrad as gg
    >>> gg.nn.functional.relu6(gg.tensor([-3.0, 5.0, 7.0]))
    tensor([0., 5., 6.])
    """
    return written(input, hardtanh(input, 0.0, 6.0)) if inplace else hardtanh(input, 0.0, 6.0)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """``min(max(x + 3, 0), 6) / 6``. Source: Courbariaux et al. 2015.

    >>> import gpugrad as gg
    >>> gg.nn.functional.hardsigmoid(gg.tensor([-4.0, 0.0, 1.5]))
    tensor([0.  , 0.5 , 0.75])
    """
    y: Tensor = ops.hardsigmoid(input)
    return written(input, y) if inplace else y


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """``x hardsigmoid(x)``. Source: Howard et al. 2019, MobileNetV3.

    >>> import gpugrad as gg
    >>> gg.nn.functional.hardswish(gg.tensor([-1.5, 3.0]))
    tensor([-0.375,  3.   ])
    """
    y: Tensor = ops.hardswish(input)
    return written(input, y) if inplace else y


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """``x``, and 0 between ``-lambd`` and ``lambd``.

    >>> import gpugrad as gg
    >>> gg.nn.functional.hardshrink(gg.tensor([0.25, 2.0]))
    tensor([0., 2.])
    """
    return ops.hardshrink(input, lambd)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """``x`` moved towards 0 by ``lambd``, and 0 where that would pass it.

    Raises:
        ValueError: ``lambd`` is negative.

    >>> import gpugrad as gg
    >>> gg.nn.functional.softshrink(gg.tensor([0.25, 2.0]))
    tensor([0. , 1.5])
    """
    if lambd < 0:
        raise ValueError(f"softshrink: expected lambd of at least 0, got {lambd}")
    return ops.softshrink(input, lambd)


def tanhshrink(input: Tensor) -> Tensor:
    """``x - tanh(x)``.

    >>> import gpugrad as gg
    >>> gg.nn.functional.tanhshrink(gg.tensor([0.0, 2.0]))
    tensor([0.       , 1.0359724])
    """
    return ops.tanhshrink(input)


def softsign(input: Tensor) -> Tensor:
    """``x / (1 + |x|)``. Source: Bergstra et al. 2009.

    >>> import gpugrad as gg
    >>> gg.nn.functional.softsign(gg.tensor([-1.0, 3.0]))
    tensor([-0.5 ,  0.75])
    """
    return ops.softsign(input)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """``x`` above the threshold, elsewhere the value.

    >>> import gpugrad as gg
    >>> gg.nn.functional.threshold(gg.tensor([0.25, 2.0]), 0.5, -1.0)
    tensor([-1.,  2.])
    """
    y: Tensor = ops.threshold(input, threshold, value)
    return written(input, y) if inplace else y


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """``a sigmoid(b)``, where a and b are the halves of the input along ``dim``.

    Raises:
        ValueError: the axis cannot be halved.

    Source: Dauphin et al. 2017.

    >>> import gpugrad as gg
    >>> gg.nn.functional.glu(gg.tensor([3.0, 0.0]))
    tensor([1.5])
    """
    if input.shape[dim] % 2:
        raise ValueError(f"glu: expected an axis {dim} of even size, got shape {input.shape}")
    return gate(input, axis=dim)


def softmin(input: Tensor, dim: int | None = -1, dtype: Any = None) -> Tensor:
    """``softmax(-x)``; arguments and errors as for :func:`softmax`.

    >>> import gpugrad as gg
    >>> gg.nn.functional.softmin(gg.tensor([1.0, 1.0]))
    tensor([0.5, 0.5])
    """
    return softmax(-input, dim, dtype)


@computed_wide
def gumbel_softmax(
    logits: Tensor, tau: float = 1.0, hard: bool = False, dim: int = -1, *, generator: Generator | None = None
) -> Tensor:
    """``softmax((x + noise) / tau)`` with Gumbel noise: samples of a class that a gradient passes through.

    Args:
        logits: shape ``(...)``, unnormalised.
        tau: small for samples near the corners, large for smooth ones.
        hard: round to one-hot, and let the gradient pass as if it had not been.
        dim: the axis of the classes.
        generator: where the noise comes from; None for ``gpugrad.random``.

    Raises:
        ValueError: tau is not positive.

    Sources: Jang et al. 2017; Maddison et al. 2017.

    >>> import gpugrad as gg
    >>> gg.nn.functional.gumbel_softmax(gg.tensor([0.0, 200.0]))
    tensor([0., 1.])
    """
    if tau <= 0:
        raise ValueError(f"gumbel_softmax: expected a positive tau, got {tau}")
    if not logits.ndim and dim in (0, -1):
        return reshape(gumbel_softmax(reshape(logits, (1,)), tau, hard, 0, generator=generator), ())
    source = generator or random.default_generator
    u = source.uniform(0.0, 1.0, logits.shape, dtype=logits.dtype, device=logits.device)
    noise = -log(-log(u + 1e-20) + 1e-20)
    y = softmax((logits + noise) / tau, dim)
    if not hard:
        return y
    plain = y.detach()
    corner = put_along_axis(zeros_like(plain), plain.argmax(axis=dim, keepdims=True), 1.0, axis=dim)
    return corner - plain + y
