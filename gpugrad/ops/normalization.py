"""Normalization: mean 0 and variance 1 over some axes, then scale and shift.

Batch, layer, group and instance normalization are this with other axes; RMS normalization is it without the mean.
"""

from __future__ import annotations

from typing import Any

from ..backend import Array, Namespace
from ..core import primitive
from ..kernels import composed as kernels

Axes = tuple[int, ...]


@primitive(outputs=True)
def moments(xp: Namespace, x: Array, /, axes: Axes) -> tuple[Array, ...]:
    """Mean and variance over ``axes``, which stay with size 1; constants.

    >>> import gpugrad as gg
    >>> moments(gg.tensor([1.0, 3.0]), (0,))
    (tensor([2.]), tensor([1.]))
    """
    mean, var = kernels.moments(xp, x, axes)
    return mean, var


moments.nondifferentiable()


def _reference(
    xp: Namespace, x: Array, weight: Array | None = None, bias: Array | None = None, mean: Array | None = None,
    var: Array | None = None, /, *, axes: Axes, eps: float, centred: bool,
) -> Array:  # fmt: skip
    """Composed of operations; ``mean`` and ``var`` are computed again, since they are functions of x."""
    c = x - xp.mean(x, axis=axes, keepdims=True) if centred else x
    y = c / xp.sqrt(xp.mean(c * c, axis=axes, keepdims=True) + eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


@primitive(residuals=("shift", "rstd"), reference=_reference)
def normalize(
    xp: Namespace, x: Array, weight: Array | None = None, bias: Array | None = None, mean: Array | None = None,
    var: Array | None = None, /, *, axes: Axes, eps: float, centred: bool,
) -> tuple[Array, ...]:  # fmt: skip
    """``w (x - mean) / sqrt(var + eps) + b``, with mean and variance taken over ``axes``.

    With ``r = 1 / sqrt(var + eps)`` and ``z = (x - mean) r``, and means over the axes, the gradients are
    ``r (h - mean(h) - z mean(h z))`` with ``h = g w`` for x, and the sums of ``g z`` and ``g`` for w and b. The graph
    keeps x, w and, for each mean, two numbers. Without centring, mean and ``mean(h)`` are left out.

    Inputs:
        x: shape ``(...)``.
        weight, bias: shapes that broadcast to it.
        mean, var: those of x, where they are known already (see :func:`moments`).
        axes: numbers of axes.
        eps: added to the variance.
        centred: whether the mean is subtracted.

    Sources: Ioffe and Szegedy 2015 (batch); Ba et al. 2016 (layer); Zhang and Sennrich 2019 (RMS).

    >>> import gpugrad as gg
    >>> normalize(gg.tensor([1.0, 3.0]), axes=(0,), eps=0.0, centred=True)
    tensor([-1.,  1.])
    """
    y, shift, rstd = kernels.standardized(xp, x, weight, bias, mean, var, axes, eps, centred)
    return y, shift, rstd


@normalize.joint_vjp
def _gradients(
    xp: Namespace, g: Array, wanted: tuple[str, ...], x: Array, weight: Array | None, bias: Array | None,
    mean: Array | None, var: Array | None, shift: Array, rstd: Array, axes: Axes, eps: float,
    centred: bool,
) -> list[Any]:  # fmt: skip
    d, by_weight, by_bias = kernels.standardized_back(xp, g, x, shift, rstd, weight, axes, centred, "x" in wanted)
    found = {"x": d, "weight": by_weight, "bias": by_bias}
    return [found[name] for name in wanted]
