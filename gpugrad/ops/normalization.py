"""Normalization: mean 0 and variance 1 over some axes, then scale and shift.

Batch, layer, group and instance normalization are this with other axes; RMS normalization is it without the mean.
"""

from __future__ import annotations

from typing import Any

from ..backend import Array, Namespace
from ..backend.dtypes import COMMON
from ..core import primitive
from ..kernels import composed as kernels
from ..kernels.shapes import Shape
from ..kernels.wide import common, rounded

Axes = tuple[int, ...]


@primitive(batch=("any_axes", "axes"), outputs=True)
def moments(xp: Namespace, x: Array, /, axes: Axes) -> tuple[Array, ...]:
    """Mean and variance over ``axes``, which stay with size 1; constants.

    >>> import gpugrad as gg
    >>> moments(gg.tensor([1.0, 3.0]), (0,))
    (tensor([2.]), tensor([1.]))
    """
    mean, var = kernels.moments(xp, x, axes)
    return mean, var


moments.nondifferentiable()


@primitive
def followed(xp: Namespace, running: Array, batch: Array, /, rate: float, factor: float) -> Array:
    """``(1 - rate) running + rate factor batch`` in the shape and dtype of ``running``, a constant.

    >>> import gpugrad as gg
    >>> followed(gg.tensor([1.0]), gg.tensor([[3.0]]), 0.5, 1.0)
    tensor([2.])
    """
    return xp.asarray((1 - rate) * running + rate * factor * xp.reshape(batch, running.shape), dtype=running.dtype)


followed.nondifferentiable()


def _looked(xp: Namespace, x: Array | None, shape: Shape | None) -> Array | None:
    return x if x is None or shape is None else xp.reshape(x, shape)


def _reference(
    xp: Namespace, x: Array, weight: Array | None = None, bias: Array | None = None, mean: Array | None = None,
    var: Array | None = None, /, *, axes: Axes, eps: float, centred: bool, view: Shape | None = None,
    affine: Shape | None = None,
) -> Array:  # fmt: skip
    """Composed of operations; ``mean`` and ``var`` are computed again, since they are functions of x."""
    seen: Array = _looked(xp, x, view)
    weight, bias = _looked(xp, weight, affine), _looked(xp, bias, affine)
    c = seen - xp.mean(seen, axis=axes, keepdims=True) if centred else seen
    y = c / xp.sqrt(xp.mean(c * c, axis=axes, keepdims=True) + eps)
    y = y if weight is None else y * weight
    y = y if bias is None else y + bias
    return y if view is None else xp.reshape(y, x.shape)


@primitive(batch="normalized", residuals=("shift", "rstd"), reference=_reference, cast="float32")
def normalize(
    xp: Namespace, x: Array, weight: Array | None = None, bias: Array | None = None, mean: Array | None = None,
    var: Array | None = None, /, *, axes: Axes, eps: float, centred: bool, view: Shape | None = None,
    affine: Shape | None = None,
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
        view: another shape of as many elements, to look at x in; the axes are then those of it.
        affine: likewise for weight and bias.

    Sources: Ioffe and Szegedy 2015 (batch); Ba et al. 2016 (layer); Zhang and Sennrich 2019 (RMS).

    >>> import gpugrad as gg
    >>> normalize(gg.tensor([1.0, 3.0]), axes=(0,), eps=0.0, centred=True)
    tensor([-1.,  1.])
    """
    seen: Any = _looked(xp, x, view)
    weight, bias = _looked(xp, weight, affine), _looked(xp, bias, affine)
    y, shift, rstd = kernels.standardized(xp, seen, weight, bias, mean, var, axes, eps, centred)
    if seen.dtype.num > COMMON:  # known moments are in float32
        y = rounded(xp, y, common((seen, weight, bias)))
    return y if view is None else xp.reshape(y, x.shape), shift, rstd


@normalize.joint_vjp
def _gradients(
    xp: Namespace, g: Array, wanted: tuple[str, ...], x: Array, weight: Array | None, bias: Array | None,
    mean: Array | None, var: Array | None, shift: Array, rstd: Array, axes: Axes, eps: float,
    centred: bool, view: Shape | None, affine: Shape | None,
) -> list[Any]:  # fmt: skip
    d, by_weight, by_bias = kernels.standardized_gradients(
        xp, _looked(xp, g, view), _looked(xp, x, view), shift, rstd, _looked(xp, weight, affine), axes, centred,
        "x" in wanted,
    )  # fmt: skip
    if affine is not None:
        by_weight = by_weight if weight is None else _of_affine(xp, by_weight, affine, weight.shape)
        by_bias = by_bias if bias is None else _of_affine(xp, by_bias, affine, bias.shape)
    found = {"x": d if view is None or d is None else xp.reshape(d, x.shape), "weight": by_weight, "bias": by_bias}
    return [found[name] for name in wanted]


def _of_affine(xp: Namespace, h: Array, affine: Shape, shape: Shape) -> Array:
    """A gradient summed to what was looked at in the shape ``affine``, in its own shape."""
    axes = tuple(i for i, (n, m) in enumerate(zip(h.shape, affine, strict=True)) if n != m)
    return xp.reshape(xp.sum(h, axis=axes) if axes else h, shape)
