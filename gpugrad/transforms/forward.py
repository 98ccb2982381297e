"""Derivatives along a direction, from the same gradient rules: there is no second table for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..core import Leaf, Tensor, walk
from ..core.modes import enable_grad
from ..ops.creation import asarray, ones_like, zeros_like
from ..ops.rounding import real
from .arguments import check_differentiable, check_function
from .gradient import Call, as_result, fitted
from .tree import flatten


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """The value of ``f`` at ``primals``, and its derivative along ``tangents``: ``J t``.

    The gradient ``g^T J`` is linear in ``g``, so the derivative of its product with ``t`` by ``g`` is ``J t``: two
    walks back, the second through the first. Of complex products the real part is taken. Source: J. Townsend, "A new
    trick for calculating Jacobian vector products", 2017; the signature is ``jax.jvp``'s.

    Args:
        f: returns a Tensor, or lists, tuples and dicts of them.
        primals: the arguments of ``f``, floating-point arrays or Tensors, nested or not.
        tangents: directions, in the nesting, shapes and dtypes of ``primals``.

    Returns:
        ``(y, dy)``, both in the nesting of the value.

    Raises:
        ValueError: a tangent is not like its primal.

    >>> import gpugrad as gg, numpy
    >>> gg.jvp(lambda x: x * x, (numpy.array(3.0),), (numpy.array(1.0),))
    (array(9.), array(6.))
    """
    check_function("jvp", f)
    call = Call(primals)
    leaves, rebuild = flatten(call.run(f, *call.arguments), "the value")
    results = [as_result(y) for y in leaves]
    check_differentiable(results)
    given = [t for argument in tangents for t in flatten(argument, "tangents")[0]]
    fitting = [fitted(t, v) for t, v in zip(given, call.variables, strict=False)]
    directions = [asarray(t) for t in fitting + given[len(fitting) :]]
    like = [(t.shape, t.dtype) for t in directions]
    wanted = [(v.shape, v.dtype) for v in call.variables]
    if like != wanted:
        raise ValueError(f"expected tangents like the primals, {wanted}, got {like}")
    with enable_grad():
        weights = [ones_like(y).requires_grad_() for y in results]
        starts = [(y.node, g) for y, g in zip(results, weights, strict=True) if y.node is not None]
        found = walk(starts, retain_graph=True, targets=call.nodes)
        total = None
        for variable, t in zip(call.variables, directions, strict=True):
            g = found.get(variable.node)  # type: ignore[arg-type]
            if g is not None:
                part = (g * t).sum()
                part = real(part) if part.dtype.kind == "c" else part
                total = part if total is None else total + part
    nodes = [g.node for g in weights if isinstance(g.node, Leaf)]
    along: dict[Any, Any] = {}
    if total is not None and total.node is not None:
        one = ones_like(total)
        seed = one if call.recorded else one.data
        along = walk([(total.node, seed)], retain_graph=True, targets=nodes)
    derivatives = []
    for y, g in zip(results, weights, strict=True):
        d = along.get(g.node)
        tensor = zeros_like(y) if d is None else d if isinstance(d, Tensor) else asarray(d)
        derivatives.append(call.value(tensor))
    return rebuild(iter([call.value(y) for y in results])), rebuild(iter(derivatives))
