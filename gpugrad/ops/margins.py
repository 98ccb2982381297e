"""The hinge loss of scores against class labels."""

from __future__ import annotations

from ..backend import NAMESPACES, Array, Namespace
from ..core import Tensor, primitive
from ..kernels import labels as kernels
from ..kernels.labels import class_axis, class_index
from .activation import relu
from .indexing import _set_at as set_at


def _margins_reference(xp: Namespace, x: Array, labels: Array, /, p: int, margin: float) -> Array:
    raw = labels.data if isinstance(labels, Tensor) else labels
    at = class_index(NAMESPACES[type(raw)], raw, x.shape, class_axis(x.shape))
    own = xp.reshape(x[at], (*x.shape[:-1], 1))
    h = set_at.on(xp, relu.on(xp, x - own + margin), 0.0, index=at)
    return xp.sum(h if p == 1 else h * h, axis=-1) * (1 / x.shape[-1])


@primitive(batch="classified", residuals=("hinges",), reference=_margins_reference, cast="float32")
def margins(xp: Namespace, x: Array, labels: Array, /, p: int, margin: float) -> tuple[Array, Array]:
    """``sum_(i != t) max(0, margin - x_t + x_i)^p / C`` for each row of scores x with label t; p is 1 or 2.

    Source: Crammer and Singer 2001.

    >>> import gpugrad as gg
    >>> from gpugrad.ops.margins import margins
    >>> margins(gg.tensor([[0.5, 1.0, 0.0]]), gg.tensor([1]), 1, 1.0)
    tensor([0.16666667])
    """
    loss, hinges = kernels.hinged(xp, x, labels, p, margin)
    return loss, hinges


def _margins_back(xp: Namespace, g: Array, x: Array, labels: Array, hinges: Array, p: int, margin: float) -> Array:
    return kernels.hinged_back(xp, g, labels, hinges, p)


margins.vjp(x=_margins_back)
