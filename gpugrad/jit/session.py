"""Record a call: a session that ends in its result and, if it holds for other calls too, in a program."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy

from .. import backend, random
from ..backend import NAMESPACES
from ..core import Leaf, Node, Tensor, walk
from ..core.engine import as_array
from ..core.modes import no_grad
from ..core.node import age
from ..tracing.program import Value
from ..tracing.recorder import Recorded, Recorder, RecordingError, recording
from ..transforms.checkpoint import reached_from
from .compiling import compiled
from .gradients import Watches
from .signature import taken_apart
from .split import Point, split, whole
from .surroundings import ABSENT, PLAIN, Content, Surroundings
from .variant import DATA, NODE, Given, Product, Variant, is_array


class Session:
    """A call while it is recorded.

    Args:
        given: the call.
    """

    def __init__(self, given: Given) -> None:
        self.given = given
        self.recorder = Recorder(undo=True)
        self.before = Surroundings(given.roots)
        self.tensors = [tensor for tensor, _ in self.before.tensors.values()]
        self.datas, self.nodes = list(map(DATA, self.tensors)), list(map(NODE, self.tensors))
        self.products: list[Product] = []
        self.wrappers: list[Tensor] = []
        self.inputs: list[Recorded] = []

    def run(self, unsettled: bool) -> tuple[Any, Variant | None]:
        """Record the call; its result, and the program if it holds for other calls too.

        Args:
            unsettled: whether a call like this one was recorded before, and its program did not hold.

        Raises:
            RecordingError: it asks for a value, or changes what its program would not change.
        """
        recorder, given = self.recorder, self.given
        state = random.default_generator._state
        leaves = [node for node in self.nodes if isinstance(node, Leaf)]
        leaves += [leaf.node for leaf in given.leaves if isinstance(leaf, Tensor) and isinstance(leaf.node, Leaf)]
        stamps = {node: node.changed for node in leaves}
        self.watches = Watches(leaves)
        with self.watches, recording(recorder):
            start = age()
            try:
                result = given.call(self._wrapped())
                parts, rebuild = taken_apart(result, is_array)
                self._collect(parts)
                self._walk_back(start)
                self._number()
            except BaseException:
                recorder.finish(None)
                raise
            recorder.finish(None)
        stamped = [node for node, changed in stamps.items() if node.changed != changed]
        variant = self._variant(rebuild, stamped)
        inputs, numbers = recorder.captured[: self.point.inputs], recorder.numbers[: variant.scalars]
        mixed = variant.mixes(list(map(_array_of, given.leaves)))
        if mixed:
            made = [self.examples[value.number] for value in variant.outputs]
        else:  # what the program gives, so that this call has the bits of all that follow
            recorder.restore()
            made = variant.forward(inputs, numbers)
        value = variant.deliver(made, inputs, numbers, given.leaves, state)
        if not self._settled(variant, unsettled) or mixed:
            return value, None
        variant.ready()
        return value, variant

    # ---------------------------------------------------------------- while it is recorded

    def _wrapped(self) -> list[Tensor]:
        known: dict[int, Tensor] = {}
        for i, leaf in enumerate(self.given.leaves):
            array, node = (leaf.data, leaf.node) if isinstance(leaf, Tensor) else (leaf, None)
            lifted = self.recorder.input(array, f"argument {i}")
            if id(leaf) not in known:
                known[id(leaf)] = Tensor(lifted, node) if type(leaf) is Tensor or node is None else leaf
            self.inputs.append(lifted)
            self.wrappers.append(known[id(leaf)])
        return self.wrappers

    def _collect(self, parts: list[Any]) -> None:
        """What the call made."""
        products = self.products
        for wrapper, i in {id(w): (w, i) for i, w in reversed(list(enumerate(self.wrappers)))}.values():
            if wrapper.data is not self.inputs[i] and type(wrapper.data) is Recorded:
                products.append(Product("argument", i, wrapper))
        for tensor, old in zip(self.tensors, self.datas, strict=True):
            if tensor.data is not old:
                products.append(Product("tensor", tensor, tensor))
        for place in self.before.places:
            for key, old, new in place.changes():
                if isinstance(new, Tensor) and isinstance(old, Tensor):
                    products.append(Product("slot", (place, key), new))
        for node, seen in self.watches.found.items():
            if seen.given and seen.value is not self.watches.before[node]:
                products.append(Product("grad", node, seen.value))
        products += [Product("result", i, part if isinstance(part, Tensor) else Tensor(part))
                     for i, part in enumerate(parts)]  # fmt: skip
        known = {id(w): i for i, w in reversed(list(enumerate(self.wrappers)))}
        for product in products:
            if product.kind in ("slot", "result"):
                product.same = known.get(id(product.tensor))
                if product.same is None and id(product.tensor) in self.before.tensors:
                    product.same = product.tensor

    def _walk_back(self, start: int) -> None:
        """Record the gradients of what has a graph that leads outside."""
        recorder = self.recorder
        self.graph = [
            p for p in self.products
            if p.tensor is not None and p.same is None and p.kind != "grad" and p.tensor.node is not None
            and not _walked(p.tensor.node, start)
        ]  # fmt: skip
        tensors: list[Any] = [p.tensor for p in self.graph]
        targets = reached_from(tensors, start) if tensors else []
        self.alive = list(recorder.made.values())
        program = recorder.program
        self.point = Point(
            len(program.calls), len(program.inputs), len(recorder.numbers), len(recorder.events), len(recorder.notes)
        )
        self.seeds: list[Value] = []
        self.targets: list[Node] = []
        self.gradients: list[Value] = []
        if not targets:
            self.graph = []
            return
        roots = []
        for k, tensor in enumerate(tensors):
            data = tensor.data
            like = data.example if type(data) is Recorded else data
            with backend.beside(like):
                seed = recorder.input(NAMESPACES[type(like)].ones_like(like), f"gradient {k}")
            self.seeds.append(seed.value)
            roots.append((tensor.node, seed))
        watches = [node.watch for node in targets]
        for node in targets:
            node.watch = None
        try:
            with no_grad():
                found = walk(roots, retain_graph=True, targets=targets)
        finally:
            for node, watch in zip(targets, watches, strict=True):
                node.watch = watch
        self.targets = [node for node in targets if node in found]
        self.gradients = [recorder.lift(as_array(found[node])).value for node in self.targets]
        if not self.targets:
            self.graph = []

    def _number(self) -> None:
        """Where among the outputs of the program each product is."""
        recorder = self.recorder
        self.outputs: list[Value] = []
        self.examples: dict[int, Any] = {one.value.number: one.example for one in self.alive}
        places: dict[int, int] = {}
        for product in self.products:
            if product.tensor is None or product.same is not None:
                continue
            lifted = recorder.lift(product.tensor.data)
            number = lifted.value.number
            self.examples[number] = lifted.example
            if number not in places:
                places[number] = len(self.outputs)
                self.outputs.append(lifted.value)
            product.output = places[number]
        for k, product in enumerate(self.graph):
            product.place = k

    # ---------------------------------------------------------------- afterwards

    def _variant(self, rebuild: Callable[[Iterator[Any]], Any], stamped: list[Leaf]) -> Variant:
        recorder, given, program = self.recorder, self.given, self.recorder.program
        parts = (
            split(program, self.point, self.outputs, self.seeds, self.gradients)
            if self.targets else whole(program, self.outputs)
        )  # fmt: skip
        made = Variant()
        made.stamped = stamped
        made.products, made.rebuild, made.plain, made.call = self.products, rebuild, given.plain, given.call
        made.parts = parts
        made.outputs = parts.forward.outputs
        made.forward = compiled(parts.forward)
        made.backward = None if parts.backward is None else compiled(parts.backward)
        made.kept, made.recorded = parts.kept, [p.output for p in self.graph]
        made.scalars, made.more = self.point.scalars, len(recorder.numbers) - self.point.scalars
        made.events, made.later = recorder.events[: self.point.events], recorder.events[self.point.events :]
        made.notes = recorder.notes[: self.point.notes]
        made.draws = any(name.endswith(" counter") for name in program.scalars)
        changed = {p.kind for p in self.products} - {"result"}
        made.lasting = ", ".join(sorted(changed)) or (
            "numbers of the host" if any(number is None for number, _ in made.events) else ""
        )
        made.conditions = recorder.conditions
        self.moving = {id(vars(actor)) for actor in recorder.actors if hasattr(actor, "__dict__")}
        made.places = [place for place in self.before.places if id(place.holder) not in self.moving]
        made.tensors, made.datas, made.nodes = self.tensors, self.datas, self.nodes
        made.numbers = {id(tensor): i for i, tensor in enumerate(self.tensors)}
        made.holders = self.before.holders()
        self._sources(made)
        self._parents(made)
        for product in self.products:
            product.tensor = None
        made.simple = len(self.products) == 1 and rebuild is next and made.backward is None
        made.simple = made.simple and not made.stamped and self.products[0].output == 0
        made.names = list(self.before.tensors.values())
        return made

    def _sources(self, made: Variant) -> None:
        """Where the inputs come from at each call."""
        recorder = self.recorder
        holders: dict[int, list[int]] = {}
        for i, array in enumerate(self.datas):
            holders.setdefault(id(array), []).append(i)
        grads = {id(seen.data): node for node, seen in self.watches.before.items() if seen is not None}
        asked = [node for node, seen in self.watches.found.items() if seen.asked]
        made.graded = [(node, self.watches.before[node] is not None) for node in asked]
        made.inputs, made.given, made.grads, made.extra = list(recorder.captured), [], [], {}
        made.read, made.fixed, made.own = {}, set(), set()
        arguments = {id(a): i for i, a in reversed(list(enumerate(map(_array_of, self.given.leaves))))}
        for i, (one, array) in enumerate(zip(recorder.program.inputs, recorder.captured, strict=True)):
            if one.name.startswith("argument"):
                made.given.append((i, arguments[id(array)]))
                made.inputs[i] = None
                continue
            if one.name.startswith("gradient"):
                made.inputs[i] = None
                continue
            made.own.add(id(array))
            if i >= self.point.inputs:
                made.extra[i] = array
            if id(array) in grads:
                made.grads.append((i, grads[id(array)]))
                made.inputs[i] = None
                continue
            found = holders.get(id(array), [])
            if len(found) == 1 and self.nodes[found[0]] is None and i < self.point.inputs:
                made.read[found[0]] = i
            else:
                made.fixed.update(found)
        bases = {id(array) for array in recorder.captured}
        for i, array in enumerate(self.datas):
            if self.nodes[i] is not None or (array.base is not None and id(array.base) in bases):
                made.fixed.add(i)
        made.inputs = made.inputs[: self.point.inputs]
        contents = [
            Content(array, name) for array, name in self.before.arrays.values()
            if type(array) is numpy.ndarray and array.dtype.kind != "O"
        ]  # fmt: skip
        made.elements = [content.elements for content in contents]
        made.contents = [elements() for elements in made.elements]
        made.called = [content.name for content in contents]

    def _parents(self, made: Variant) -> None:
        """What the way back leads to."""
        leaves = [leaf.node if isinstance(leaf, Tensor) else None for leaf in self.given.leaves]
        made.parents = [leaves.index(node) if node in leaves else None for node in self.targets]
        made.outside = [None if place is not None else node
                        for node, place in zip(self.targets, made.parents, strict=True)]  # fmt: skip
        kept = {id(self.recorder.captured[i]) for kind, i in made.kept if kind != "gradient" and kind != "output"}
        arrays = {node: array for node, array in zip(self.nodes, self.datas, strict=True) if node is not None}
        arrays |= {
            leaf.node: leaf.data for leaf in self.given.leaves if isinstance(leaf, Tensor) and leaf.node is not None
        }
        made.guards = tuple(
            j for j, node in enumerate(self.targets)
            if (array := arrays.get(node)) is not None and (id(array) in kept or id(array.base) in kept)
        )  # fmt: skip

    def _estimated(self) -> bool:
        """Whether SciPy drew random numbers by itself: for the norms that its matrix functions estimate."""
        return any(call.op.startswith("matrix_functions.") for call in self.recorder.program.calls)

    def _settled(self, made: Variant, unsettled: bool) -> bool:
        """Whether the program can be used again. What is made at the first call, such as a cache, may change once."""
        for one in self.before.sequences:
            if one.moved() and not (one.name == "numpy.random" and self._estimated()):
                raise RecordingError(
                    f"the function takes values from {one.name}, which would be the same ones at each call: give them "
                    "to it as arguments; random numbers of gg.random go on"
                )
        settled = True
        for place in made.places:
            for key, old, new in place.changes():
                if isinstance(old, Tensor) and isinstance(new, Tensor):
                    continue
                lazy = old is ABSENT or old is None or not isinstance(old, PLAIN)
                if lazy and not unsettled and not isinstance(place.holder, list):
                    settled = False
                    continue
                raise RecordingError(
                    f"the function changes {place.label(key)} from {old!r} to {new!r}, which its program would not do "
                    "again: change it outside of the function, or keep it in a tensor"
                )
        return settled


def _walked(node: Node, start: int) -> bool:
    """Whether a graph was walked back already, so that no gradient comes through it."""
    stack, seen = [node], {node}
    while stack:
        one = stack.pop()
        if one.age > start:
            continue
        edges = one.edges
        if edges is None:
            return True
        for parent, _, _ in edges:
            if parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return False


def _array_of(leaf: Any) -> Any:
    return leaf.data if isinstance(leaf, Tensor) else leaf
