"""Places where a gradient rule has a value by convention, and no derivative.

A norm is not differentiable at 0; its rule says 0 there, as PyTorch's. Nothing says how that 0 changes with the input,
so a second derivative through it would be a wrong number. A rule marks such places, and the second derivative is NaN.
"""

from __future__ import annotations

from collections.abc import Callable

from ..backend import NAMESPACES, Array, Namespace
from ..core import Tensor, primitive
from ..core.modes import careful


@primitive(view=True)
def _marked(xp: Namespace, h: Array, by: Array, where: Array, /) -> Array:
    return h


def _marked_by(xp: Namespace, g: Array, by: Array, where: Array) -> Array:
    lost = xp.where(where & (g != 0), float("nan"), 0)
    return _marked.on(xp, xp.astype(lost, g.dtype), by, where)


_marked.vjp(h=lambda xp, g: g, by=_marked_by)


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


def unless_zero(xp: Namespace, h: Array, g: Array, x: Array) -> Array:
    """``h``, the gradient of an operation with upstream gradient g, which where x is 0 is 0 by convention.

    >>> import gpugrad as gg
    >>> unless_zero(gg, gg.tensor([0.0]), gg.tensor([1.0]), gg.tensor([0.0]))
    tensor([0.])
    """
    return marked(xp, marked(xp, h, x, lambda: (x == 0) & (g != 0)), g, lambda: x == 0)


def over_length(xp: Namespace, x: Array, g: Array, length: Array) -> Array:
    """``x g / length``, and 0 where the length is: the gradient of lengths. NaN in g stays NaN.

    >>> import gpugrad as gg
    >>> over_length(gg, gg.tensor([3.0, 4.0]), gg.tensor([1.0]), gg.tensor([5.0]))
    tensor([0.6, 0.8])
    """
    nothing = length == 0
    ratio = xp.where(nothing, xp.where(g == g, 0, g), g / xp.where(nothing, 1, length))
    return unless_zero(xp, x * ratio, g, length)
