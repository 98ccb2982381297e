"""The walk back for a picture: the library's own rules, and nothing freed, kept at Tensors or shown to hooks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from .. import backend
from ..backend import NAMESPACES
from ..core import GradientError, Node
from ..core.engine import changed_leaf, converted, failed, mirrored, prepare, total, unbroadcast
from ..core.node import Parts
from ..core.operation import Plan
from ..core.placed import Placed
from ..nn.hooks import Border
from .gates import GATES
from .preview import Preview, preview

LOCAL = 1 << 16
"""Local derivatives of values with more elements are told in words only."""

MOST = 200_000
"""A picture of more nodes is refused: it would take gigabytes, and nobody would see anything on it."""

Flow = tuple[Preview | None, Preview | None]
"""What flows back along an edge, and its local derivative."""


class Gradients(NamedTuple):
    """Of every node by its age, and of its edges in the order of :attr:`gpugrad.core.Node.edges`."""

    nodes: dict[int, Preview | None]
    edges: dict[int, list[Flow]]


def reached(root: Node) -> list[Node]:
    """The nodes behind one, from the oldest to the newest, which is itself.

    Raises:
        GradientError: a walk back has freed what one of them kept.
        ValueError: there are too many.
    """
    found, stack = {root}, [root]
    while stack:
        node = stack.pop()
        if len(found) > MOST:
            raise ValueError(
                f"draw: expected a graph of at most {MOST:,} nodes, got more: draw an earlier result, or a smaller "
                "problem of the same kind"
            )
        if node.parents is None:
            raise GradientError(
                f"draw: the graph behind this {node.name} was walked back, and what it had saved is gone: draw before "
                "backward(), or pass retain_graph=True to it"
            )
        for parent in parents_of(node):
            if parent not in found:
                found.add(parent)
                stack.append(parent)
    return sorted(found, key=lambda node: -node.age)


def parents_of(node: Node) -> Sequence[Node]:
    """The nodes of those inputs that need a gradient."""
    if node.plan is None:
        return ()
    return (node.parents,) if node.plan.one else node.parents


def gradients(nodes: list[Node], g: Any) -> Gradients:
    """Carry the gradient of the newest node back through all of them.

    Raises:
        GradientError: a leaf was changed in place since, or a rule failed.
    """
    waiting: dict[Node, Any] = {nodes[-1]: g}
    found = Gradients({}, {})
    for node in reversed(nodes):
        g = waiting.pop(node)
        several = isinstance(g, Parts)
        found.nodes[node.age] = None if several else preview(mirrored(g))
        if node.plan is None:
            continue
        parents = parents_of(node)
        for position in node.plan.guards:
            if parents[position].changed < node.age:
                raise changed_leaf(node, position)
        handed = _handed(node, parents, g)
        locals_ = _locals(node, parents, g)
        found.edges[node.age] = [(_shown(h), local) for h, local in zip(handed, locals_, strict=True)]
        for parent, h in zip(parents, handed, strict=True):
            waiting[parent] = total(waiting[parent], h) if parent in waiting else h
    return found


def _handed(node: Node, parents: Sequence[Node], g: Any) -> list[Any]:
    """The gradient that each edge hands on."""
    if isinstance(node.plan, Border):  # its rule calls hooks, which are not to know of a picture
        parts = g.parts if isinstance(g, Parts) else {}
        return [parts[i] if i in parts else _zeros(parent, parts) for i, parent in enumerate(parents)]
    g, xp, edges = prepare(node, g)
    handed = []
    for parent, rule, kept in edges:
        try:
            h = rule(xp, g, kept)
            h = h.whole() if isinstance(h, Placed) else h
            if h.shape != parent.shape:
                h = unbroadcast(xp, h, parent.shape, node)
            if h.dtype != parent.dtype:
                h = converted(xp, h, parent.dtype)
        except Exception as error:
            raise failed(node, error) from error
        handed.append(h)
    return handed


def _zeros(parent: Node, parts: dict[int, Any]) -> Any:
    some = next(iter(parts.values()))
    with backend.beside(some):
        return NAMESPACES[type(some)].zeros(parent.shape, dtype=parent.dtype)


def _shown(h: Any) -> Preview | None:
    if isinstance(h, Parts):
        return preview(mirrored(next(iter(h.parts.values())))) if len(h.parts) == 1 else None
    return preview(mirrored(h))


def _locals(node: Node, parents: Sequence[Node], g: Any) -> list[Preview | None]:
    """The local derivative of each edge: numbers where the value is a single one, else words for the Jacobian."""
    plan = node.plan
    if not isinstance(plan, Plan) or isinstance(g, Parts):
        return [None] * len(parents)
    words = GATES[plan.name].local if plan.name in GATES else ()
    if not words and plan.op.batch in ("elementwise", "marked"):
        words = ("diagonal",)
    places = [i if isinstance(i, int) else plan.op.inputs.index(i) for i in plan.names]
    said = [words[min(place, len(words) - 1)] if words else "" for place in places]
    size = math.prod(node.shape)
    diagonal = [text.startswith(("diagonal", "identity", "minus the identity")) for text in said]
    with_ones: list[Any] = [None] * len(parents)
    if size == 1 or (size <= LOCAL and any(diagonal)):
        with backend.beside(g):
            with_ones = _handed(node, parents, NAMESPACES[type(g)].ones_like(g))
    made: list[Preview | None] = []
    for parent, text, is_diagonal, h in zip(parents, said, diagonal, with_ones, strict=True):
        jacobian = (*node.shape, *parent.shape)
        if h is not None and size == 1:
            shown = preview(h)
            made.append(shown if shown.number is not None else _described(shown, text, jacobian))
        elif h is not None and is_diagonal and parent.shape == node.shape:
            made.append(_described(preview(h), f"{text}, {size} entries", jacobian))
        else:
            broadcast = is_diagonal and parent.shape != node.shape
            note = f"{text}, summed over the axes of the broadcast" if broadcast else text
            plain = f"{size} × {math.prod(parent.shape)} Jacobian, never stored"
            made.append(Preview(note or plain, None, jacobian, (), None, None))
    return made


def _described(shown: Preview, text: str, jacobian: tuple[int, ...]) -> Preview:
    return Preview(text or shown.text, None, jacobian, shown.numbers, shown.low, shown.high)
