"""A branch that depends on a value, for functions that are recorded or mapped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import backend
from ..core import Tensor, dispatch
from ..ops.arithmetic import where
from ..ops.creation import asarray
from .arguments import check_function
from .tree import flatten, map_tensors


def cond(condition: Any, true: Callable[..., Any], false: Callable[..., Any], *operands: Any) -> Any:
    """``true(*operands)`` if ``condition`` holds, else ``false(*operands)``: a branch that :func:`jit` can record.

    Otherwise this is Python's ``if``: one of the functions is called. Inside of a jitted or a mapped function, where
    the condition has no value yet, both are, and their results are chosen between. No gradient goes to an operand
    through the branch that was not chosen, so it may be undefined there; what a function reaches in another way than as
    an operand has no such shelter.

    Args:
        condition: a tensor with one element, or what Python takes for a condition.
        true: of the operands, and without a side effect that matters.
        false: the same; its results have the nesting, shapes and dtypes of those of ``true``.
        operands: Tensors, and structures of them.

    Raises:
        TypeError: ``true`` or ``false`` is no function.
        ValueError: there is more than one element; or, where both are called, their results differ in kind.

    Source: ``jax.lax.cond``.

    >>> import gpugrad as gg
    >>> f = gg.jit(lambda x: gg.cond(x > 0, gg.log, lambda x: x * 3, x))
    >>> f(gg.tensor(1.0)), f(gg.tensor(-1.0))
    (tensor(0.), tensor(-3.))
    >>> gg.grad(f)(gg.tensor(-1.0)), gg.grad(f)(gg.tensor(4.0))
    (tensor(3.), tensor(0.25))
    """
    check_function("cond", true)
    check_function("cond", false)
    if not isinstance(condition, Tensor) or not (backend.recorder() is not None or dispatch.mapped(condition)):
        return true(*operands) if condition else false(*operands)
    if condition.size != 1:
        raise ValueError(f"cond: expected a condition with one element, got shape {condition.shape}: use gg.where")
    chosen = condition.reshape(()) if condition.dtype.kind == "b" else condition.reshape(()) != 0
    taken, nested = flatten(true(*(map_tensors(lambda x: _sheltered(x, chosen, 1), x) for x in operands)), "the value")
    left, other = flatten(false(*(map_tensors(lambda x: _sheltered(x, chosen, 0), x) for x in operands)), "the value")
    if len(taken) != len(left) or _nesting(nested, len(taken)) != _nesting(other, len(left)):
        raise ValueError("cond: expected results of the same nesting from both functions")
    return nested(iter([_one(chosen, asarray(a), asarray(b)) for a, b in zip(taken, left, strict=True)]))


def _sheltered(x: Tensor, chosen: Tensor, branch: int) -> Tensor:
    """``x``, to which gradients come back only if this branch was chosen."""
    if x.node is None and not dispatch.mapped(x):
        return x
    value = x.detach() if dispatch.mapped(x) else Tensor(x.data)
    return where(chosen, x, value) if branch else where(chosen, value, x)


def _one(chosen: Tensor, a: Tensor, b: Tensor) -> Tensor:
    if a.shape != b.shape or a.dtype != b.dtype:
        raise ValueError(
            f"cond: expected results of the same shape and dtype from both functions, got {a.dtype} {a.shape} and "
            f"{b.dtype} {b.shape}"
        )
    return where(chosen, a, b)


def _nesting(nested: Any, count: int) -> str:
    return repr(nested(iter(range(count))))
