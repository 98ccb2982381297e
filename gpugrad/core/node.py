"""The graph: what is kept of an operation between forward and backward.

A node has one *edge* for each input that needs a gradient: the input's node, the local gradient rule, and the values
which that rule named. It never holds a Tensor, so there are no reference cycles: when the last Tensor that needs a
node goes, so does the node.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any, Protocol

from ..backend import Array, DType

age = count(0, -1).__next__
"""The clock of the graph. It counts down, so the smallest age is the newest event."""

NEVER = 1

NOTHING, ELSEWHERE = -1, -2
"""In a plan: a rule that names no value, and one whose values only the general path of a call knows."""


class WayBack(Protocol):
    """Which operation a node is, and which rules lead back from it."""

    name: str
    names: tuple[Any, ...]
    guards: tuple[int, ...]
    joint: Any
    one: bool

    @property
    def applies(self) -> tuple[Any, ...]:
        """The rules, each taking ``(xp, g, kept)``."""
        ...

    def recorded(self, node: Node) -> tuple[Any, ...]:
        """What the node kept, as Tensors in the graph."""
        ...

    def through_reference(self, node: Node) -> Any:
        """For an operation with residuals: its inputs, and its output composed of operations; None for others."""
        ...


class Node:
    """An operation that was recorded.

    Attributes:
        age: when it was recorded (smaller is newer); the walk back goes from newest to oldest.
        plan: which operation, and which of its inputs need a gradient.
        parents: the nodes of these inputs; None once the walk has freed them.
        kept: for each, what its gradient rule named: the value, a tuple of several, or None. Of a joint rule, what it
            named for all. Where there is but one parent (``plan.one``), ``parents`` and ``kept`` are it and its own,
            with no tuple around them: most nodes are so, and a long graph is mostly the garbage collector's work.
        shape, dtype: of the value, and so of its gradient. For several outputs, ``shape`` lists theirs.
        watch: set where the gradient is to be kept or shown to hooks.
    """

    __slots__ = ("age", "dtype", "kept", "parents", "plan", "shape", "watch")

    changed = NEVER
    """When the memory behind the value was last changed in place: never, but for leaves and views of them."""
    line: str | None = None
    """The user's line that made it, in debug mode."""
    number: Any = None
    """The Python number that was the other operand, where no rule keeps it; for pictures."""

    def __init__(self, plan: WayBack | None, parents: Any, kept: Any, shape: tuple[int, ...], dtype: DType) -> None:
        self.age = age()
        self.plan = plan
        self.parents = parents
        self.kept = kept
        self.shape = shape
        self.dtype = dtype
        self.watch: Watch | None = None

    def __lt__(self, other: Node) -> bool:  # pragma: no cover - ages are unique; a heap never gets here
        return self.age < other.age

    @property
    def edges(self) -> list[tuple[Node, Any, Any]] | None:
        """``(parent, rule, kept)`` for each edge, None where they were freed; of a joint rule, the same for each."""
        if self.plan is None or self.parents is None:
            return None if self.parents is None else []
        if self.plan.one:
            return [(self.parents, self.plan.applies[0], self.kept)]
        if self.plan.joint is not None:
            return [(parent, self.plan.applies[0], self.kept) for parent in self.parents]
        return list(zip(self.parents, self.plan.applies, self.kept, strict=True))

    @property
    def name(self) -> str:
        return self.plan.name if self.plan is not None else "leaf"


class Unfilled(Node):
    """A node whose attributes are set one by one: without a constructor it is made in half the time."""

    __slots__ = ()

    __init__ = object.__init__


class Numbered(Node):
    """A node with a number; where that is all that is given, its other attributes are set one by one."""

    __slots__ = ("line", "number")

    def __init__(self, line: str | None, number: Any, *record: Any) -> None:
        self.line = line
        self.number = number
        if record:
            super().__init__(*record)


class Leaf(Node):
    """A variable: where gradients end. The only node whose memory may change in place, outside recording."""

    __slots__ = ("changed",)

    def __init__(self, shape: tuple[int, ...], dtype: DType) -> None:
        super().__init__(None, (), None, shape, dtype)
        self.changed = NEVER
        self.watch = Watch(keep=True)


class Argument(Node):
    """The variable that stands for an argument inside a transform: a copy of it stays connected.

    It is not a leaf: its memory is the caller's, and a function that writes to it gives its Tensor a new value.
    """

    __slots__ = ()

    def __init__(self, shape: tuple[int, ...], dtype: DType) -> None:
        super().__init__(None, (), None, shape, dtype)
        self.watch = Watch(keep=True)


class View(Node):
    """An operation whose value may share memory with a leaf, so that a change to the leaf changes it too."""

    __slots__ = ("leaf",)

    def __init__(self, leaf: Leaf, plan: Any, parents: Any, kept: Any, shape: Any, dtype: Any) -> None:
        Node.__init__(self, plan, parents, kept, shape, dtype)
        self.leaf = leaf

    @property
    def changed(self) -> int:  # type: ignore[override]
        return self.leaf.changed


class Located(Node):
    """A node that knows the user's line."""

    __slots__ = ("line",)

    def __init__(self, line: str, *record: Any) -> None:
        super().__init__(*record)
        self.line = line


class LocatedView(View):
    """Both."""

    __slots__ = ("line",)

    def __init__(self, line: str, leaf: Leaf, *record: Any) -> None:
        super().__init__(leaf, *record)
        self.line = line


class Watch:
    """What waits at a node for its gradient: hooks, and a place to keep it (the Tensor's ``grad``). And the name that
    the user gave, since few nodes have one.
    """

    __slots__ = ("grad", "hooks", "keep", "name")

    def __init__(self, keep: bool = False) -> None:
        self.keep = keep
        self.name: str | None = None
        self.grad: Any = None
        self.hooks: dict[int, Callable[[Any], Any]] = {}


class Hook:
    """A hook that was registered; ``remove()`` takes it away."""

    def __init__(self, hooks: dict[int, Callable[[Any], Any]], function: Callable[[Any], Any]) -> None:
        self._hooks, self._key = hooks, age()
        hooks[self._key] = function

    def remove(self) -> None:
        """Take the hook away; a second time does nothing."""
        self._hooks.pop(self._key, None)


class OutputPlan:
    """Taking one of an operation's several outputs: its gradient is a part of the operation's gradient."""

    name = "output"
    names: tuple[Any, ...] = ("outputs",)
    guards: tuple[int, ...] = ()
    joint = None
    one = True

    def __init__(self) -> None:
        self.applies: tuple[Any, ...] = (_part,)
        self.apply: Any = _part

    def recorded(self, node: Node) -> tuple[Any, ...]:
        return (node.kept,)

    def through_reference(self, node: Node) -> None:
        return None


def output_node(node: Node, index: int, part: Array) -> Node:
    """The place in the graph of output ``index`` of the operation at ``node``."""
    kept = (index, node.shape)
    if isinstance(node, View):
        return View(node.leaf, _output_plan, node, kept, part.shape, part.dtype)
    return Node(_output_plan, node, kept, part.shape, part.dtype)


def _part(xp: Any, g: Array, kept: tuple[int, tuple[Any, ...]]) -> Parts:
    index, shape = kept
    return Parts(shape, {index: g})


_output_plan = OutputPlan()


class Parts:
    """The gradients of an operation's several outputs, as far as they have arrived; they add up like one."""

    __slots__ = ("dtype", "parts", "shape")

    def __init__(self, shape: tuple[Any, ...], parts: dict[int, Array]) -> None:
        self.shape, self.dtype, self.parts = shape, None, parts

    def __add__(self, other: Parts) -> Parts:
        total = dict(self.parts)
        for position, part in other.parts.items():
            total[position] = total[position] + part if position in total else part
        return Parts(self.shape, total)
