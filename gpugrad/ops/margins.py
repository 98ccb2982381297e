"""The hinge loss of scores against class labels."""

from __future__ import annotations

from ..backend import NAMESPACES, Array, Namespace
from ..core import Tensor, primitive
from ..kernels import composed
from ..kernels.labels import class_axis, class_index
from .activation import relu
from .indexing import _set_at as set_at


def _margins_reference(xp: Namespace, x: Array, labels: Array, /, p: int, margin: float) -> Array:
    h = _hinges(xp, x, labels, margin)[0]
    return xp.sum(h if p == 1 else h * h, axis=-1) * (1 / x.shape[-1])


def _hinges(xp: Namespace, x: Array, labels: Array, margin: float) -> tuple[Array, tuple[Array, ...]]:
    """``max(0, margin - x_t + x_i)``, 0 for the label itself; and the index of the labels."""
    raw = labels.data if isinstance(labels, Tensor) else labels
    at = class_index(NAMESPACES[type(raw)], raw, x.shape, class_axis(x.shape))
    own = xp.reshape(x[at], (*x.shape[:-1], 1))
    return set_at.on(xp, relu.on(xp, x - own + margin), 0.0, index=at), at


@primitive(residuals=("hinges",), reference=_margins_reference)
def margins(xp: Namespace, x: Array, labels: Array, /, p: int, margin: float) -> tuple[Array, Array]:
    """``sum_(i != t) max(0, margin - x_t + x_i)^p / C`` for each row of scores x with label t; p is 1 or 2.

    Source: Crammer and Singer 2001.

    >>> import gpugrad as gg
    >>> from gpugrad.ops.margins import margins
    >>> margins(gg.tensor([[0.5, 1.0, 0.0]]), gg.tensor([1]), 1, 1.0)
    tensor([0.16666667])
    """
    h, _ = _hinges(xp, x, labels, margin)
    return xp.sum(h if p == 1 else h * h, axis=-1) * (1 / x.shape[-1]), h


def _margins_back(xp: Namespace, g: Array, x: Array, labels: Array, hinges: Array, p: int, margin: float) -> Array:
    share = xp.reshape(g, (*x.shape[:-1], 1)) * (p / x.shape[-1])
    d = composed.kept(xp, hinges > 0, xp.broadcast_to(share, x.shape)) if p == 1 else hinges * share
    at = class_index(xp, labels, x.shape, class_axis(x.shape))
    return set_at.on(xp, d, -xp.sum(d, axis=-1), index=at)


margins.vjp(x=_margins_back)
