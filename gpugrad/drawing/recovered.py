"""What can be told of a graph that was not observed: what rules kept, what variables hold, what follows from it."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from .. import backend
from ..backend import NAMESPACES
from ..core import Leaf, Node, Tensor
from ..core.operation import Plan, Primitive
from ..nn.hooks import Border
from .gradients import parents_of

UNKNOWN = object()
"""An operand that needs no gradient and that no rule kept."""

RESHAPING = {"reshape", "expand_dims", "squeeze"}
"""Operations whose value is their input's, in the shape that the node knows."""

SHAPING = {"dtype", "keepdims"}
"""Static parameters without which a value is known all the same: its shape and dtype are."""


class Known(NamedTuple):
    """What the graph itself knows of an operation.

    Attributes:
        operands: for each a Node, a constant's value, None (left out), or ``UNKNOWN``.
        static: the static parameters that are known.
        y: the value, or None.
    """

    operands: list[Any]
    static: dict[str, Any]
    y: Any


def known_of(node: Node) -> Known:
    """The operands of an operation, as far as its graph knows them."""
    plan = node.plan
    parents = parents_of(node)
    if not isinstance(plan, Plan):
        return Known(list(parents), {}, None)
    op, named = plan.op, _named(plan, node)
    static = {key: named[key] for key in op.params if key in named}
    y = named.get("y")
    if op.variadic:
        values = named.get(op.inputs[0])
        operands = list(values) if values is not None else [UNKNOWN] * (max(plan.wanted) + 1)
    else:
        last = len(op.inputs) - op.optional
        operands = [named.get(name, UNKNOWN if i < last else None) for i, name in enumerate(op.inputs)]
        if node.number is not None:
            operands[1 - plan.wanted[0]] = node.number
    for place, parent in zip(plan.wanted, parents, strict=True):
        operands[place] = parent
    return Known(operands, static, y)


def _named(plan: Plan, node: Node) -> dict[str, Any]:
    """The values that rules named, by these names."""
    values = (node.kept,) if plan.one or plan.joint is not None else node.kept
    found: dict[str, Any] = {}
    for rule, kept in zip(plan.rules, values, strict=True):
        found.update(zip(rule.names, rule.unpack(kept), strict=True))
    return found


def input_values(node: Node) -> list[tuple[Node, Any]]:
    """The values of parents that the rules of a node kept."""
    plan = node.plan
    if not isinstance(plan, Plan):
        return []
    named, parents = _named(plan, node), parents_of(node)
    if plan.op.variadic:
        values = named.get(plan.op.inputs[0])
        return [] if values is None else [(p, values[i]) for i, p in zip(plan.wanted, parents, strict=True)]
    names = [plan.op.inputs[i] for i in plan.wanted]
    return [(p, named[name]) for name, p in zip(names, parents, strict=True) if name in named]


def arrays_of(nodes: list[Node], held: list[Tensor]) -> dict[int, Any]:
    """The values of nodes, by their ages, as far as they can be had; none that might be another by now.

    Args:
        nodes: from the oldest to the newest.
        held: Tensors that the caller's variables hold.
    """
    stale = changed_since(nodes)
    found: dict[int, Any] = {}
    wanted = {node.age: node for node in nodes}
    for x in held:
        if x.node is not None and x.node.age in wanted and x.node.age not in stale:
            found[x.node.age] = x.data
    for node in nodes:
        for parent, value in input_values(node):
            if value is not None and parent.age not in stale:
                found.setdefault(parent.age, value)
    for node in nodes:
        if node.plan is not None and node.age not in stale:
            y = _value(node, found)
            if y is not None:
                found.setdefault(node.age, y)
    return found


def changed_since(nodes: list[Node]) -> set[int]:
    """Leaves, and views of them, whose memory was changed after an operation had read it."""
    stale = {node.age for node in nodes if not isinstance(node, Leaf) and node.changed < node.age}
    for node in nodes:
        stale.update(parent.age for parent in parents_of(node) if parent.changed < node.age)
    return stale


def _value(node: Node, found: dict[int, Any]) -> Any:
    """The value of a node: kept, a part of another's, or computed again from those of its operands."""
    plan = node.plan
    if isinstance(plan, Border):
        return None
    if plan is not None and plan.name == "output" and not isinstance(plan, Plan):
        return _part(node, found)
    if not isinstance(plan, Plan):
        return None
    known = known_of(node)
    if known.y is not None:
        return known.y
    operands = [found.get(x.age, UNKNOWN) if isinstance(x, Node) else x for x in known.operands]
    if plan.name in RESHAPING and ours(plan.op) and operands[0] is not UNKNOWN:
        with backend.beside(operands[0]):
            return NAMESPACES[type(operands[0])].reshape(operands[0], node.shape)
    static = _static(plan.op, known.static)
    if static is None or any(x is UNKNOWN for x in operands) or not ours(plan.op):
        return None
    return _again(plan.op, operands, static, node)


def _part(node: Node, found: dict[int, Any]) -> Any:
    index, _ = node.kept
    source: Any = node.parents
    if isinstance(source.plan, Border):
        return found.get(source.parents[index].age)
    whole = found.get(source.age)
    return whole[index] if isinstance(whole, tuple) else None


def _static(op: Primitive, known: dict[str, Any]) -> dict[str, Any] | None:
    """All static parameters, None if one that matters is not known."""
    missing = op.params.keys() - known.keys()
    if not missing <= SHAPING or not missing <= op.defaults.keys():
        return None
    return {**known, **{key: op.defaults[key] for key in missing}}


def ours(op: Primitive) -> bool:
    """Whether an operation is the library's own: others may draw random numbers, and give another value next time."""
    module: str = op.forward.__module__
    package = __name__.partition(".")[0]
    return module.startswith(f"{package}.") and not module.startswith(f"{package}.custom")


def _again(op: Primitive, operands: list[Any], static: dict[str, Any], node: Node) -> Any:
    array = next((x for x in operands if backend.is_array(x)), None)
    if array is None:
        return None
    with backend.beside(array):
        xp = NAMESPACES[type(array)]
        y = op.forward(xp, *operands, **static)
        y = y[0] if op.residuals else y
        if op.outputs:
            return y
        y = xp.asarray(y)
        if y.size != math.prod(node.shape):
            return None  # there were more operands behind those that need a gradient
        y = y if y.dtype == node.dtype else xp.astype(y, node.dtype)
        return y if y.shape == node.shape else xp.reshape(y, node.shape)
