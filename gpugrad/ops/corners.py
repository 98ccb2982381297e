"""Places where a gradient rule has a value by convention, and no derivative.

A norm is not differentiable at 0; its rule says 0 there, as PyTorch's. Nothing says how that 0 changes with the input,
so a second derivative through it would be a wrong number. A rule marks such places, and the second derivative is NaN.
"""

from __future__ import annotations

from collections.abc import Callable

from ..backend import NAMESPACES, Array, Namespace
from ..core import Tensor, primitive
from ..core.modes import careful


@primitive(batch="marked", view=True)
def _marked(xp: Namespace, h: Array, by: Array, where: Array, /) -> Array:
    return h


@primitive(batch="marked")
def _lost(xp: Namespace, g: Array, where: Array, /) -> Array:
    """NaN where the mask holds and g is not 0, else 0: as a linear function of g would be whose factor is NaN or 0.

    Along axes of which the mask has one element, any g that is not 0 counts.
    """
    asked = g != 0
    more = len(g.shape) - len(where.shape)
    spread = tuple(i + more for i, n in enumerate(where.shape) if n == 1 != g.shape[i + more])
    if spread:
        asked = xp.any(asked, axis=spread, keepdims=True) | (g != g)
    return xp.astype(xp.where(where & asked, float("nan"), 0), g.dtype)


_lost.vjp(g=lambda xp, g, where: _lost.on(xp, g, where))
_marked.vjp(
    h=lambda xp, g, by, where: _marked.on(xp, g, by, where),
    by=lambda xp, g, by, where: _marked.on(xp, _lost.on(xp, g, where), by, where),
)


def marked(xp: Namespace, h: Array, by: Array, where: Callable[[], Array]) -> Array:
    """``h``, whose derivative by ``by`` is NaN where the mask holds; a gradient of 0 for ``h`` stays 0.

    The mask is a function: it is computed in recorded walks alone, which are those that are differentiated again.

    >>> import gpugrad as gg
    >>> x = gg.tensor([0.0, 1.0], requires_grad=True)
    >>> marked(gg, x * 2, x, lambda: x == 0).sum().backward()
    >>> x.grad
    tensor([nan,  2.])
    """
    recorded = xp is NAMESPACES[Tensor] or (careful.on and hasattr(xp, "__operation__"))
    return _marked.on(xp, h, by, where()) if recorded else h


def unless_zero(xp: Namespace, h: Array, x: Array) -> Array:
    """``h``, a gradient which where x is 0 is 0 by convention.

    >>> import gpugrad as gg
    >>> unless_zero(gg, gg.tensor([0.0]), gg.tensor([0.0]))
    tensor([0.])
    """
    return marked(xp, h, x, lambda: x == 0)


def over_length(xp: Namespace, x: Array, g: Array, length: Array, by: Array | None) -> Array:
    """``x g / length``, and 0 where the length of ``by`` is: the gradient of lengths. Without ``by``, 0 is no corner.

    >>> import gpugrad as gg
    >>> x = gg.tensor([3.0, 4.0])
    >>> over_length(gg, x, gg.tensor([1.0]), gg.tensor([5.0]), x)
    tensor([0.6, 0.8])
    """
    nothing = length == 0
    h = x * xp.where(nothing, 0, g / xp.where(nothing, 1, length))
    return h if by is None else marked(xp, h, by, lambda: nothing)
