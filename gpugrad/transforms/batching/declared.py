"""The rules by which operations run on all samples at once; each declares its own, as ``primitive(batch=...)``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...core import Tensor
from . import convolution as images
from . import indexing as at
from . import rules
from .array import Batched, BatchedBackend, innermost, inside_of, raised_index

RULES: dict[str | None, rules.Rule] = {
    None: rules.one_by_one,
    "elementwise": rules.elementwise,
    "matrices": rules.elementwise,  # over leading axes, which broadcast as elements do
    **{
        rule.__name__: rule
        for rule in (
            rules.marked, rules.reduction, rules.line, rules.all_axes, rules.rolled, rules.reshaped, rules.permuted,
            rules.spread, rules.squeezed, rules.joined, rules.padded, rules.on_diagonal, rules.matmul, rules.solved,
            rules.vector_right, rules.einsum, rules.images, rules.classified, rules.normalized, images.filtered,
            images.gradients_of_filters, at.sliced, at.gathered, at.added, at.written,
        )
    },
}  # fmt: skip
"""By name."""

WITH_ARGUMENTS: dict[str, Callable[..., rules.Rule]] = {
    "any_axes": rules.any_axes,
    "one_for_all": rules.one_for_all,
}
"""What makes a rule of the arguments that follow its name, as in ``batch=("any_axes", "axis1", "axis2")``."""

_made: dict[tuple[Any, ...], rules.Rule] = {}


def rule_of(op: Any) -> rules.Rule:
    """The rule by which an operation is run on all samples.

    Raises:
        ValueError: its ``batch`` names none.
    """
    declared = op.batch
    rule = _made.get(declared) if isinstance(declared, tuple) else RULES.get(declared)
    if rule is None:
        name, *arguments = declared if isinstance(declared, tuple) else (declared,)
        if name not in WITH_ARGUMENTS:
            known = ", ".join(repr(k) for k in (*RULES, *WITH_ARGUMENTS) if k is not None)
            raise ValueError(f"{op.name}: batch={declared!r} is no rule of vmap: expected one of {known}, or None")
        rule = _made[declared] = WITH_ARGUMENTS[name](*arguments)
    return rule


def run(op: Any, arrays: list[Any], params: dict[str, Any]) -> Any:
    """An operation on batched arrays: the arrays of its outputs, batched."""
    level = innermost([*arrays, *inside_of(params)])
    assert level is not None
    if "index" in params:  # its arrays may be of an outer vmap, and are then the same for all samples of this one
        params = {**params, "index": raised_index(params["index"], level)}
    each = any(x.each for x in (*arrays, *inside_of(params)) if isinstance(x, Batched))
    if each:
        y = rule_of(op)(op, level.size, arrays, params)
    else:  # one for all samples
        given = (x.data if isinstance(x, Batched) else x for x in arrays)
        y = rules.inner(op, *given, **{k: rules.unwrapped(v) for k, v in params.items()})
    if isinstance(y, Tensor):
        return Batched(y, level, each)
    return tuple(Batched(part, level, each) for part in y)


BatchedBackend.whole = staticmethod(run)
