"""One program of a jitted function: recorded at a call, replayed at the calls that are like it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter, call, eq, is_
from typing import Any

from .. import backend, random
from ..backend import BACKENDS
from ..core import GradientError, Leaf, Node, Tensor
from ..core.modes import enable_grad
from ..core.node import age
from ..tracing.program import Value
from ..transforms.gradient import variable
from .backward import WayBack
from .guards import reader
from .signature import taken_apart
from .split import Split
from .surroundings import Place, alike

DATA, NODE = attrgetter("data"), attrgetter("node")


def is_array(value: Any) -> bool:
    """Whether a value is a Tensor or an array."""
    return isinstance(value, Tensor) or type(value) in BACKENDS


class Given:
    """What a function is called with.

    Attributes:
        leaves: the Tensors and arrays among the arguments.
        call: calls the function with others in their places.
        roots: the function, and what else it was given that is no plain value: name and object.
        plain: whether results are handed back as arrays.
    """

    __slots__ = ("call", "leaves", "plain", "roots")

    def __init__(
        self, leaves: list[Any], call: Callable[[Iterable[Any]], Any], roots: list[tuple[str, Any]], plain: bool
    ) -> None:
        self.leaves, self.call, self.roots, self.plain = leaves, call, roots, plain


class Product:
    """Something that a call makes: a result, or a value that a Tensor, an attribute or a gradient gets.

    Attributes:
        kind: ``result``, ``argument`` (number ``where``), ``tensor``, ``slot`` (a place and a number in it), ``grad``.
        where: what gets it.
        tensor: what it was while the function was recorded; None for a gradient that is forgotten.
        same: the number of the argument, or the Tensor, that it is itself.
        output: the number of the output of the program.
        place: which of the outputs with a graph it is.
    """

    __slots__ = ("kind", "output", "place", "same", "tensor", "where")

    def __init__(self, kind: str, where: Any, tensor: Tensor | None) -> None:
        self.kind, self.where, self.tensor = kind, where, tensor
        self.same: Any = None
        self.output: int | None = None
        self.place: int | None = None


class Variant:
    """A program, what it holds for, and what has to be done around it."""

    call: Callable[[Iterable[Any]], Any]
    """The function itself, of arrays in the places of those among its arguments."""
    objects: list[Any]
    """Arguments that are known by identity: kept, so that no other object gets their id."""

    # What it holds for.
    places: list[Place]
    """Where values are that were read beside the arguments."""
    tensors: list[Tensor]
    """The Tensors among them, with their arrays and nodes."""
    datas: list[Any]
    nodes: list[Node | None]
    numbers: dict[int, int]
    """Their numbers, by id."""
    holders: dict[int, int]
    """In how many places each is, by id."""
    fixed: set[int]
    """The numbers of those whose array must be the one that was recorded: variables, and what shares memory."""
    graded: list[tuple[Any, bool]]
    """The variables whose gradients were asked for, and whether they had one."""
    elements: list[Callable[[], Any]]
    """Functions that give the elements of arrays that NumPy may have read, what they are to be, and their names."""
    contents: list[Any]
    called: list[str]
    names: list[tuple[Tensor, str]]
    """What Tensors are called."""
    read_places: Callable[[], list[Any]]
    """What is in all places now."""
    expected: list[Any]
    """And what is to be there."""
    conditions: list[tuple[Callable[[], tuple[Any, ...]], tuple[Any, ...]]]
    own: set[int]
    """The ids of the arrays that are found beside the arguments."""

    # The program forward.
    parts: Split
    outputs: list[Value]
    forward: Callable[[Sequence[Any], Sequence[Any]], list[Any]]
    inputs: list[Any]
    """What it is given; None in the places of arguments and gradients."""
    given: list[tuple[int, int]]
    """Which of the inputs are arguments, and their numbers."""
    grads: list[tuple[int, Any]]
    """Which are gradients that were there before."""
    read: dict[int, int]
    """For the Tensors that may get another array, which input that is."""
    events: list[tuple[int | None, Callable[[], Any]]]
    """What the host has to do."""
    notes: list[Any]
    """What the host notes on the way forward, for the way back."""
    scalars: int
    """How many numbers there are."""
    draws: bool
    """Whether random numbers are drawn."""

    # What is done with its outputs.
    products: list[Product]
    rebuild: Callable[[Iterator[Any]], Any]
    plain: bool
    simple: bool
    """Whether the first output is the result, and all that is made."""
    stamped: list[Leaf]
    """The variables whose memory it changes."""
    lasting: str
    """What it changes, to be told."""

    # The program back.
    backward: Callable[[Sequence[Any], Sequence[Any]], list[Any]] | None
    kept: list[tuple[str, int]]
    """Its inputs; see :class:`Split`."""
    extra: dict[int, Any]
    """The arrays that only the way back has found, by the number of the input."""
    recorded: list[Any]
    """The outputs with a graph."""
    parents: list[int | None]
    """For each gradient the number of the argument that it belongs to; None for what was found elsewhere."""
    outside: list[Any]
    """And its node."""
    guards: tuple[int, ...]
    """The gradients that need the value of their variable."""
    later: list[tuple[int | None, Callable[[], Any]]]
    """What the host has to do on the way back."""
    more: int
    """How many numbers it takes beside those of the way forward."""

    # ---------------------------------------------------------------- what it holds for

    def fits(self) -> bool:
        """Whether all that was read beside the arguments is as it was."""
        try:
            now = self.read_places()
        except ValueError:
            return False
        if not (len(now) == len(self.expected) and all(map(is_, now, self.expected))):
            if any(not place.same(self.replaced) for place in self.places):
                return False
            self.expected = self.read_places()
        tensors = self.tensors
        if not all(map(is_, map(NODE, tensors), self.nodes)):
            return False
        if not all(map(is_, map(DATA, tensors), self.datas)):
            for i, tensor in enumerate(tensors):
                if tensor.data is not self.datas[i] and not self._moved(i, tensor.data):
                    return False
        if self.contents and not all(map(eq, map(call, self.elements), self.contents)):
            return False
        for node, there in self.graded:
            if (node.watch.grad is None) is there:
                return False
        for condition, values in self.conditions:
            found = condition()
            if len(found) != len(values) or not all(a is b or alike(a, b) for a, b in zip(found, values, strict=True)):
                return False
        return True

    def why_not(self) -> str:
        """What is not as it was, to be told; empty where all is."""
        for place in self.places:
            if not place.same(self.replaced):
                changes = place.changes()
                return place.label(changes[0][0]) if changes else place.name
        for tensor, name in self.names:
            i = self.numbers.get(id(tensor))
            if i is not None and (tensor.node is not self.nodes[i] or tensor.data is not self.datas[i]):
                return name
        changed = [
            name for name, elements, content in zip(self.called, self.elements, self.contents, strict=True)
            if elements() != content
        ]  # fmt: skip
        return f"the elements of {changed[0]}" if changed else "" if self.fits() else "gradients, or the optimizer"

    def ready(self) -> None:
        """Look at what is to stay as it is."""
        self.read_places = reader(self.places)
        self.expected = self.read_places()

    def _moved(self, i: int, new: Any) -> bool:
        """Whether a Tensor may have another array than when its program was recorded."""
        old = self.datas[i]
        if i in self.fixed or type(new) is not type(old) or (new.shape, new.dtype) != (old.shape, old.dtype):
            return False
        if BACKENDS[type(new)].several_devices and backend.device_of(new) != backend.device_of(old):
            return False
        self.datas[i] = new
        if i in self.read:
            self.inputs[self.read[i]] = new
        return True

    def replaced(self, old: Any, new: Any) -> bool:
        """Whether another Tensor at the place of one that was read does as well."""
        i = self.numbers.get(id(old))
        if i is None or type(new) is not type(old) or new.node is not None or old.node is not None:
            return False
        if id(new) in self.numbers or self.holders.get(id(old)) != 1:
            return False
        if new.data is not self.datas[i] and not self._moved(i, new.data):
            return False
        self.tensors[i] = new
        self.numbers[id(new)] = self.numbers.pop(id(old))
        self.holders[id(new)] = self.holders.pop(id(old))
        return True

    def mixes(self, arrays: Sequence[Any]) -> bool:
        """Whether one of the arguments is an array that the function also finds by itself."""
        return any(id(array) in self.own or (array.base is not None and id(array.base) in self.own) for array in arrays)

    # ---------------------------------------------------------------- a call

    def run(self, leaves: Sequence[Any], arrays: Sequence[Any]) -> Any:
        """Replay it."""
        inputs = self.inputs.copy()
        for i, leaf in self.given:
            inputs[i] = arrays[leaf]
        for i, node in self.grads:
            inputs[i] = node.watch.grad.data
        state = random.default_generator._state if self.draws else (0, 0)
        numbers = _numbers(self.events, self.scalars) if self.events else ()
        made = self.forward(inputs, numbers)
        if self.simple:
            return made[0] if self.plain else Tensor(made[0])
        return self.deliver(made, inputs, numbers, leaves, state)

    def deliver(
        self,
        made: Sequence[Any],
        inputs: list[Any],
        numbers: Sequence[Any],
        leaves: Sequence[Any],
        state: tuple[int, int],
    ) -> Any:
        """Give everything that was made to whom it is for; the result."""
        for node in self.stamped:
            node.changed = age()
        nodes: list[Node] = []
        if self.backward is not None:
            kept = [inputs[i] if kind == "input" else made[i] if kind == "output" else self.extra.get(i)
                    for kind, i in self.kept]  # fmt: skip
            way = WayBack(self._back, self.again, self.parents, self.guards,
                          [leaf.data if isinstance(leaf, Tensor) else leaf for leaf in leaves], state)  # fmt: skip
            parents = [
                outside if place is None else leaves[place].node
                for place, outside in zip(self.parents, self.outside, strict=True)
            ]
            noted = [note.value for note in self.notes]
            nodes = way.record(parents, (kept, numbers, noted), [made[i] for i in self.recorded])
        results: list[Any] = []
        for product in self.products:
            kind = product.kind
            if product.same is not None:
                value = leaves[product.same] if type(product.same) is int else product.same
                if not isinstance(value, Tensor) and kind != "result":
                    value = Tensor(value)
            elif product.output is None:
                value = None
            elif kind == "result" and self.plain and product.place is None:
                results.append(made[product.output])
                continue
            else:
                value = Tensor(made[product.output], None if product.place is None else nodes[product.place])
            if kind == "result":
                results.append(value)
            elif kind == "grad":
                product.where.watch.grad = value
            elif kind == "slot":
                place, key = product.where
                self._put(place, key, value)
            else:
                self._become(product, value, leaves)
        return self.rebuild(iter(results))

    def _become(self, product: Product, value: Tensor, leaves: Sequence[Any]) -> None:
        target = leaves[product.where] if product.kind == "argument" else product.where
        if isinstance(target, Tensor):
            target.data, target.node = value.data, value.node
            i = self.numbers.get(id(target))
            if i is not None:
                self._moved(i, value.data)
        else:
            backend.overwrite(target, value.data)

    def _put(self, place: Place, key: Any, value: Tensor) -> None:
        place.set(key, value)
        i = place.all_keys().index(key)
        if self.replaced(place.values[i], value):
            place.values[i] = value

    def _back(self, kept: Any, gradients: list[Any]) -> list[Any]:
        arrays, numbers, noted = kept
        for note, value in zip(self.notes, noted, strict=True):
            note.value = value
        arrays = [
            gradients[i] if kind == "gradient" else array for array, (kind, i) in zip(arrays, self.kept, strict=True)
        ]
        assert self.backward is not None
        return self.backward(arrays, [*numbers, *_numbers(self.later, self.scalars + self.more)[self.scalars :]])

    def again(self, leaves: list[Tensor], state: tuple[int, int]) -> tuple[list[Tensor], list[Tensor]]:
        """Run the function itself, recorded in the graph."""
        if self.lasting:
            raise GradientError(
                f"a second derivative through a jitted function that changes {self.lasting}, which would happen once "
                "more: take the derivative inside of gg.jit"
            )
        generator = random.default_generator
        now, generator.state = generator._state, state
        try:
            with enable_grad():
                given = [variable(leaf) if leaf.node is not None else leaf for leaf in leaves]
                results, _ = taken_apart(self.call([Tensor(v.data, v.node) for v in given]), is_array)
        finally:
            generator.state = now
        graph = [results[i] for i, product in enumerate(self.products) if product.place is not None]
        return given, graph


def _numbers(events: Sequence[tuple[int | None, Callable[[], Any]]], count: int) -> list[Any]:
    """Do what the host has to do, and compute the numbers that a program takes."""
    numbers: list[Any] = [None] * count
    for number, act in events:
        computed = act()
        if number is not None:
            numbers[number : number + len(computed)] = computed
    return numbers
