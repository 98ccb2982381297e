"""Dropout of elements and of whole channels. Each mask is a new one, from ``generator`` or ``gpugrad.random``."""

from __future__ import annotations

import math

from ... import backend, random
from ...core import Tensor
from ...kernels.dropping import blocks
from ...ops import activation as ops
from ...ops.wide import computed_wide
from ...random import Generator
from .activation import SELU_ALPHA, SELU_SCALE
from .basic import written


def dropout_probability(p: float) -> float:
    """``p``, if it is a probability.

    Raises:
        GradientError: it needs a gradient.
        ValueError: it is outside [0, 1].

    >>> dropout_probability(0.5)
    0.5
    """
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: expected a probability in [0, 1], got {p}")
    return float(p)


def dropout(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """Each element is 0 with probability p, the others are divided by ``1 - p``; the gradient passes where they do.

    Args:
        input: shape ``(...)``.
        p: the probability of 0.
        training: otherwise the result is the input.
        inplace: give the input the result as its value, as ``x += v`` would; it saves no memory.
        generator: where the mask comes from; None for ``gpugrad.random``. The mask is made again on the way back
            and not kept, but for functions that are mapped, recorded or jitted, which keep it as booleans.

    Raises:
        ValueError: p is outside [0, 1].

    Source: Srivastava et al. 2014; "inverted" as in CS231n, neural networks part 2.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.dropout(gg.ones(4), 0.5, generator=gg.random.Generator(0))
    tensor([2., 0., 0., 0.])
    """
    dropout_probability(p)
    if not training or p == 0:
        return input
    source = generator or random.default_generator
    scale = 1 / (1 - p) if p < 1 else 0.0
    dropped: Tensor
    if backend.recorder() is None and backend.BACKENDS[type(input.data)].whole is None:
        seed, counter = source._take(blocks(input.shape))
        dropped = ops.drawn_dropout(input, seed, counter, round((1 - p) * 2**32), scale)
    else:
        dropped = ops.dropout(input, source.bernoulli(1 - p, input.shape, device=input.device), scale)
    return written(input, dropped) if inplace else dropped


def _by_channel(
    function: str, input: Tensor, p: float, training: bool, axes: tuple[int, ...], generator: Generator | None
) -> Tensor:
    """Dropout of channels: inputs with the larger number of axes have a batch axis in front."""
    dropout_probability(p)
    if input.ndim not in axes:
        raise ValueError(f"{function}: expected an input with {' or '.join(map(str, axes))} axes, got {input.shape}")
    if not training or p == 0:
        return input
    channels = input.shape[: 2 if input.ndim == max(axes) else 1]
    source = generator or random.default_generator
    shape = (*channels, *(1,) * (input.ndim - len(channels)))
    kept = source.bernoulli(1 - p, shape, device=input.device)
    return ops.dropout(input, kept, 1 / (1 - p) if p < 1 else 0.0)


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """Dropout of whole channels of inputs of shape ``(N, C, L)`` or ``(C, L)``; arguments as for :func:`dropout`.

    Raises:
        ValueError: p is outside [0, 1], or another number of axes.

    Source: Tompson et al. 2015.

    >>> import gpugrad as gg
    >>> gg.nn.functional.dropout1d(gg.ones((1, 2, 1)), 1.0).sum()
    tensor(0.)
    """
    y = _by_channel("dropout1d", input, p, training, (2, 3), generator)
    return written(input, y) if inplace else y


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """Dropout of whole channels of inputs of shape ``(N, C, H, W)`` or ``(C, H, W)``; arguments as for :func:`dropout`.

    Raises:
        ValueError: p is outside [0, 1], or another number of axes.

    Source: Tompson et al. 2015.

    >>> import gpugrad as gg
    >>> gg.nn.functional.dropout2d(gg.ones((1, 2, 1, 1)), 1.0).sum()
    tensor(0.)
    """
    y = _by_channel("dropout2d", input, p, training, (3, 4), generator)
    return written(input, y) if inplace else y


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """Dropout of whole channels of inputs of shape ``(N, C, D, H, W)`` or ``(C, D, H, W)``.

    Arguments as for :func:`dropout`.

    Raises:
        ValueError: p is outside [0, 1], or another number of axes.

    Source: Tompson et al. 2015.

    >>> import gpugrad as gg
    >>> gg.nn.functional.dropout3d(gg.ones((1, 2, 1, 1, 1)), 1.0).sum()
    tensor(0.)
    """
    y = _by_channel("dropout3d", input, p, training, (4, 5), generator)
    return written(input, y) if inplace else y


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """Dropout for SELU: dropped elements take its lowest value, and all are rescaled so that mean and variance stay.

    With ``a = -scale alpha`` and q = 1 - p: ``s (x or a) + t`` with ``s = (q + a^2 q p)^(-1/2)`` and ``t = -s p a``.

    Raises:
        ValueError: p is outside [0, 1].

    Source: Klambauer et al. 2017.

    >>> import gpugrad as gg
    >>> gg.nn.functional.alpha_dropout(gg.zeros(3), 0.0)
    tensor([0., 0., 0.])
    """
    dropout_probability(p)
    y = _alpha(input, p, training, input.shape, generator)
    return written(input, y) if inplace else y


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """:func:`alpha_dropout` of whole channels of inputs of shape ``(N, C, ...)``.

    Raises:
        ValueError: p is outside [0, 1], or fewer than two axes.

    >>> import gpugrad as gg
    >>> gg.nn.functional.feature_alpha_dropout(gg.zeros((2, 3, 4)), 0.0).shape
    (2, 3, 4)
    """
    dropout_probability(p)
    if input.ndim < 2:
        raise ValueError(f"feature_alpha_dropout: expected an input (N, C, ...), got shape {input.shape}")
    y = _alpha(input, p, training, (*input.shape[:2], *(1,) * (input.ndim - 2)), generator)
    return written(input, y) if inplace else y


@computed_wide
def _alpha(input: Tensor, p: float, training: bool, shape: tuple[int, ...], generator: Generator | None) -> Tensor:
    if not training or p == 0:
        return input
    if p == 1:
        return input * 0
    lowest = -SELU_SCALE * SELU_ALPHA
    scale = 1 / math.sqrt((1 - p) * (1 + p * lowest * lowest))
    kept = (generator or random.default_generator).bernoulli(1 - p, shape, device=input.device)
    shift = ((1 - p) - kept.astype(input.dtype)) * (scale * lowest)
    return ops.dropout(input, kept, scale) + shift
