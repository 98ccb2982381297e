"""From a graph to its picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from .. import backend
from ..core import Node
from ..core.operation import Plan
from .folding import Item, fold, numbered, unfold
from .formulas import Recipe, Ref, formulas
from .gates import gate, label
from .gradients import Gradients, gradients, parents_of, reached
from .names import Names
from .observe import LIVE, Call, Constant, Note, Seen, constant
from .picture import Picture, PictureEdge, PictureGroup, PictureNode
from .preview import Number, Preview, preview
from .recovered import UNKNOWN, arrays_of, known_of
from .titles import of_graph


@dataclass
class Operand:
    """What goes into an operation at one place: a node, or a constant that is one."""

    position: int
    node: Node | None
    constant: Constant | None
    name: str | None = None


SINGLE = 5000
"""Graphs of so many single numbers have formulas."""

FEW = 12
"""The inputs of so many rounds are drawn outside of them."""


class Builder:
    """One picture being made; it is gone, with every array in it, when the picture is there."""

    def __init__(self, root: Node, seed: Any, names: Names, title: str | None) -> None:
        self.nodes = reached(root)
        self.root, self.names = root, names
        self.flows: Gradients = gradients(self.nodes, seed)
        self.seen = _seen(root)
        self.arrays: dict[int, Any] = {}
        self.values = self._values()
        self.title = title
        self.ids: dict[Any, int] = {}
        self.made: list[PictureNode] = []
        self.edges: list[PictureEdge] = []
        self.calls: dict[int, tuple[Call, ...]] = {}
        single = len(self.nodes) <= SINGLE and all(node.shape == () for node in self.nodes)
        self.recipes: dict[int, Recipe] | None = {} if single else None
        self.unwritten: set[str] = set()

    def picture(self, limit: int | None) -> Picture:
        """All of it."""
        for node in self.nodes:
            self._add(node)
        groups = self._boxes(limit)
        formulas = self._formulas()
        output = self.ids[self.root.age]
        ages = [node.age for node in self.nodes]
        title = self.title or of_graph(self.made, output, ages, self.names, self.calls.values())
        return Picture(title, tuple(self.made), tuple(self.edges), tuple(groups), output, formulas)

    # ---------------------------------------------------------------- values and names

    def _values(self) -> dict[int, Preview | None]:
        seen = self.seen.values
        if all(node.age in seen or node.dtype is None for node in self.nodes):
            return dict(seen)
        self.arrays = arrays_of(self.nodes, self.names.held)
        found = {age: preview(x) for age, x in self.arrays.items() if not isinstance(x, tuple)}
        return {**found, **seen}

    def _name(self, node: Node) -> str | None:
        if node.watch is not None and node.watch.name is not None:
            return node.watch.name
        depth, inner = self.seen.names.get(node.age, (0, None))
        path = self.seen.paths.get(node.age)
        return self.names.nodes.get(node.age) or (inner if depth == 0 or path is None else path) or path

    # ---------------------------------------------------------------- nodes and edges

    def _add(self, node: Node) -> None:
        op = None if node.plan is None else node.plan.name
        note = self.seen.notes.get(node.age)
        operands, numbers, static = self._operands(node, note)
        for operand in operands:
            if operand.node is None and operand.constant is not None:
                self._constant(operand.constant, operand.name)
        name = self._name(node)
        row = gate(op or "")
        number = len(self.made)
        self.ids[node.age] = number
        several = node.dtype is None
        shown = {key: v for key, v in map(_as_json, static.items()) if v is not UNKNOWN}
        self.made.append(PictureNode(
            id=number, kind="leaf" if op is None else "operation", name=name, op=op,
            label=(name or "") if op is None else _label(node, op, numbers, operands),
            gate=None if op is None else row.gate,
            says="a leaf: its gradient is the sum of what comes back along its edges" if op is None else row.says,
            parameter=node.age in self.names.parameters or node.age in self.seen.parameters,
            shape=() if several else tuple(node.shape), dtype="" if several else str(node.dtype),
            value=self.values.get(node.age), gradient=self.flows.nodes[node.age],
            line=node.line or (note.line if note else None), constants=numbers, static=shown,
        ))  # fmt: skip
        if note is not None:
            self.calls[number] = note.calls
        elif op is not None:
            self.calls[number] = self._calls_of_parents(node)
        if op is not None:
            self._recipe(node, number, operands, numbers, static)
        flows = dict(zip(_places(node), self.flows.edges.get(node.age, ()), strict=True))
        for operand in operands:
            key = _node_key(operand)
            handed, local = flows.get(operand.position, (None, None)) if operand.node is not None else (None, None)
            self.edges.append(PictureEdge(len(self.edges), self.ids[key], number, operand.position, local, handed))

    def _calls_of_parents(self, node: Node) -> tuple[Call, ...]:
        """A node that no call made (one of several outputs) lies with the operation it belongs to."""
        for parent in parents_of(node):
            if not isinstance(node.plan, Plan) and self.ids.get(parent.age) in self.calls:
                return self.calls[self.ids[parent.age]]
        return ()

    def _operands(self, node: Node, note: Note | None) -> tuple[list[Operand], dict[int, Number], dict[str, Any]]:
        """The operands that are nodes of the picture, those that are numbers, and the static parameters."""
        if node.plan is None:
            return [], {}, {}
        parents = dict(zip(_places(node), parents_of(node), strict=True))
        given: list[Any]
        if note is not None:
            given, static = list(note.operands), note.static
        else:
            known = known_of(node)
            given, static = known.operands, known.static
        operands: list[Operand] = []
        numbers: dict[int, Number] = {}
        for position, value in enumerate(given):
            if position in parents:
                operands.append(Operand(position, parents[position], None))
            elif value is UNKNOWN:
                numbers[position] = "…"
            elif value is not None:
                self._fixed(position, value, operands, numbers)
        return operands, numbers, static

    def _fixed(self, position: int, value: Any, operands: list[Operand], numbers: dict[int, Number]) -> None:
        """A constant operand: a number in the gate, or a node."""
        if isinstance(value, Constant):
            made, name = value, self.seen.constants.get(-1 if value.key is None else value.key, (0, None))[1]
        else:
            made = constant(id(value) if backend.is_array(value) else None, value)
            name = self.names.arrays.get(id(value))
        if name is None and made.number is not None:
            numbers[position] = made.number
        else:
            operands.append(Operand(position, None, made, name))

    def _constant(self, made: Constant, name: str | None) -> None:
        key = _key(made)
        if key in self.ids:
            return
        self.ids[key] = len(self.made)
        self.made.append(PictureNode(
            id=len(self.made), kind="constant", name=name, op=None, label=name or "constant", gate=None,
            says="a constant: it needs no gradient", parameter=made.parameter, shape=made.shape, dtype=made.dtype,
            value=made.value, gradient=None,
        ))  # fmt: skip

    # ---------------------------------------------------------------- formulas

    def _recipe(
        self, node: Node, number: int, operands: list[Operand], numbers: dict[int, Number], static: dict[str, Any]
    ) -> None:
        """Note how a node of single numbers was computed."""
        if self.recipes is None:
            return
        plan = node.plan
        if not isinstance(plan, Plan) or plan.op.params.keys() - static.keys() or not _real(numbers):
            self.unwritten.add("" if plan is None else plan.name)
            return
        count = max(len(operands) + len(numbers), 0 if plan.op.variadic else len(plan.op.inputs))
        given: list[Any] = [None] * count
        for position, value in numbers.items():
            given[position] = float(value)
        for operand in operands:
            given[operand.position] = Ref(self.ids[_node_key(operand)])
        self.recipes[number] = Recipe(plan.op, tuple(given), static)

    def _formulas(self) -> dict[str, Any] | None:
        """How to compute the nodes again, if all are single real numbers."""
        if self.recipes is None or any(node.shape or node.dtype.startswith("c") for node in self.made):
            return None
        values = {n.id: float(n.value.number) for n in self.made if n.value and n.value.number is not None}
        slopes = {
            (e.target, e.position): float(e.local.number) for e in self.edges if e.local and e.local.number is not None
        }
        found = formulas(self.recipes, values, slopes)
        found["missing"] += sorted(self.unwritten - set(found["missing"]))
        return found

    # ---------------------------------------------------------------- boxes

    def _boxes(self, limit: int | None) -> list[PictureGroup]:
        """Put nodes into boxes."""
        items = [
            Item(n.id, (n.op, n.shape, n.line), self.calls.get(n.id, ()))
            for n in self.made if n.kind == "operation"
        ]  # fmt: skip
        whole = fold(items, limit)
        groups, boxes, inside = numbered(whole)
        targets: dict[int, list[int]] = {}
        for edge in self.edges:
            targets.setdefault(edge.source, []).append(edge.target)
        for node in self.made:
            if node.kind != "operation":
                place = _common(groups, [inside.get(target) for target in targets.get(node.id, ())])
                place = place if node.parameter or node.name is None else _outside(groups, place)
                if place is not None:
                    inside[node.id] = place
                (whole if place is None else boxes[place]).extra += 1
        unfold(whole, limit)
        self.made = [replace(node, group=inside.get(node.id)) for node in self.made]
        return [replace(group, open=box.open) for group, box in zip(groups, boxes, strict=True)]


def _seen(root: Node) -> Seen:
    """What was observed of this graph."""
    watch = next((o for o in list(LIVE) if root.age in o.seen.values or root.age in o.seen.notes), None)
    if watch is None:
        return Seen()
    watch.look()
    return watch.seen


def _key(made: Constant | None) -> Any:
    return ("constant", None if made is None else made.key)


def _real(numbers: dict[int, Number]) -> bool:
    """Whether all are known, and none is complex."""
    return all(not isinstance(x, str) or x in ("nan", "inf", "-inf") for x in numbers.values())


def _node_key(operand: Operand) -> Any:
    return operand.node.age if operand.node is not None else _key(operand.constant)


def _places(node: Node) -> Iterable[int]:
    """The positions of those operands that need a gradient, in the order of the parents."""
    plan = node.plan
    return plan.wanted if isinstance(plan, Plan) else range(len(parents_of(node)))


def _label(node: Node, op: str, numbers: dict[int, Number], operands: list[Operand]) -> str:
    if op == "output" and not isinstance(node.plan, Plan):
        return f"[{node.kept[0]}]"
    return label(op, dict(numbers), len(operands) + len(numbers))


def _as_json(item: tuple[str, Any]) -> tuple[str, Any]:
    """A static parameter as JSON can hold it."""
    key, value = item
    if value is None or isinstance(value, bool | int | float | str):
        return key, value
    if isinstance(value, tuple | list) and all(isinstance(v, bool | int | float | str) for v in value):
        return key, list(value)
    return key, UNKNOWN


def _common(groups: list[PictureGroup], places: list[int | None]) -> int | None:
    """The innermost box that holds all of some."""
    paths = [_path(groups, place) for place in places]
    shared = None
    for step in zip(*paths, strict=False):
        if any(box != step[0] for box in step):
            break
        shared = step[0]
    return shared


def _path(groups: list[PictureGroup], place: int | None) -> list[int]:
    path: list[int] = []
    while place is not None:
        path.append(place)
        place = groups[place].parent
    return path[::-1]


def _outside(groups: list[PictureGroup], place: int | None) -> int | None:
    """What users named is drawn outside of modules, and of the rounds of short loops, where they see it."""
    around = 0
    for box in _path(groups, place):
        group = groups[box]
        if group.kind == "module" or (group.kind == "repeat" and group.count == 1 and around <= FEW):
            return group.parent
        around = group.count if group.kind == "repeat" else around
    return place
