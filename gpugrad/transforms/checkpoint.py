"""Memory for time: what is inside a function is computed again when its gradient is needed, instead of being kept."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from .. import backend, random
from ..core import Node, Tensor, walk
from ..core.modes import enable_grad, no_grad, recording
from ..core.node import age, output_node
from ..ops.creation import zeros
from .arguments import check_function
from .gradient import variable
from .tree import flatten


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """``f``, whose intermediate values are not kept for the backward pass but computed again in it.

    Of a call the graph keeps the arguments alone, so that a chain of n checkpointed blocks needs the memory of one
    block and n arguments, at the price of a second forward pass. What ``f`` reaches from outside (the parameters of its
    layers) gets its gradient too. Random numbers are drawn again as they were (dropout masks).

    Args:
        f: takes and returns Tensors, arrays and numbers, or lists, tuples, dicts and dataclasses of them. An array or a
            number is a constant; ``f`` gets a copy of an array.

    Raises:
        GradientError: a leaf that ``f`` read was changed between the forward and the backward pass.

    Source: Chen et al. 2016, "Training deep nets with sublinear memory cost"; ``jax.checkpoint``.

    >>> import gpugrad as gg
    >>> block = gg.checkpoint(lambda x: gg.exp(gg.sin(x)))
    >>> x = gg.tensor(0.0, requires_grad=True)
    >>> block(x).backward()
    >>> x.grad
    tensor(1.)
    """
    check_function("checkpoint", f)

    @wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if not recording():
            return f(*args, **kwargs)
        leaves, rebuild = flatten((list(args), kwargs), "the arguments")
        segment = Segment(f, leaves, rebuild)
        return segment.record()

    return wrapped


class Segment:
    """One call of a checkpointed function: a node whose gradient rule runs the function again.

    It is its own plan (see :class:`gpugrad.core.node.WayBack`): several parents, one joint rule, several outputs.
    """

    name = "checkpoint"
    joint: Any = True
    one = False

    def __init__(self, f: Callable[..., Any], leaves: list[Any], rebuild: Any) -> None:
        self.f, self.rebuild = f, rebuild
        self.state = random.default_generator.state
        self.places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor) and leaf.requires_grad]
        self.leaves = leaves
        self.outside: list[Node] = []
        self.names: tuple[Any, ...] = ()
        self.guards: tuple[int, ...] = ()

    @property
    def applies(self) -> tuple[Any, ...]:  # made when asked for: kept, it would be a reference cycle
        return (self.gradients,)

    def record(self) -> Any:
        """Run the function, and put one node in the place of its graph."""
        start = age()
        kept = [_of_its_own(leaf) for leaf in self.leaves]
        _, results, nested = self.run(self.leaves)
        inside = {self.leaves[i].node for i in self.places}
        self.outside = [node for node in reached_from(results, start) if node not in inside]
        parents = [self.leaves[i].node for i in self.places] + self.outside
        self.names = tuple(range(len(parents)))
        self.guards = self.names
        self.leaves = []
        if not parents or not any(map(_recorded, results)):
            return nested(iter([Tensor(y.data) if isinstance(y, Tensor) else y for y in results]))
        node = Node(self, tuple(parents), kept, tuple(getattr(y, "shape", ()) for y in results), None)  # type: ignore[arg-type]
        made = [
            Tensor(y.data, output_node(node, i, y.data) if _recorded(y) else None) if isinstance(y, Tensor) else y
            for i, y in enumerate(results)
        ]
        return nested(iter(made))

    def run(self, leaves: list[Any]) -> tuple[list[Node], list[Any], Any]:
        """The function on variables of its own, recorded: their nodes, the results, and their nesting."""
        given = [_of_its_own(leaf) for leaf in leaves]
        for i in self.places:
            given[i] = variable(leaves[i])
        nodes = [given[i].node for i in self.places]
        args, kwargs = self.rebuild(iter(given))
        with enable_grad():
            results, nested = flatten(self.f(*args, **kwargs), "the value")
        return nodes, results, nested

    def gradients(self, xp: Any, g: tuple[Any, ...], wanted: tuple[Any, ...], kept: list[Any]) -> list[Any]:
        """The joint rule: run the function again and walk back through what it recorded."""
        generator = random.default_generator
        now, generator.state = generator.state, self.state
        try:
            inputs, results, _ = self.run(kept)
        finally:
            generator.state = now
        targets = inputs + self.outside
        starts = [(y.node, h) for y, h in zip(results, g, strict=True) if _recorded(y)]
        with enable_grad() if isinstance(g[0], Tensor) else no_grad():
            found = walk(starts, retain_graph=isinstance(g[0], Tensor), targets=targets)
        return [found[node] if node in found else _zeros(node, g[0]) for node in targets]

    def recorded(self, node: Node) -> tuple[Any, ...]:
        """The arguments at their places in the graph, for a recorded walk."""
        parents = dict(zip(self.places, node.parents, strict=False))
        return ([Tensor(v.data, parents.get(i)) if isinstance(v, Tensor) else v for i, v in enumerate(node.kept)],)

    def through_reference(self, node: Node) -> None:
        """There are no residuals."""


def _zeros(node: Node, like: Any) -> Any:
    """The gradient of a node that nothing reached, in the kind of the other gradients."""
    array = like.data if isinstance(like, Tensor) else like
    made = zeros(node.shape, dtype=node.dtype, device=backend.device_of(array))
    return made if isinstance(like, Tensor) else made.data


def _of_its_own(leaf: Any) -> Any:
    """An argument as a constant that may be changed: by the function, or by the caller before the backward pass."""
    if isinstance(leaf, Tensor):
        return Tensor(leaf.data)
    return backend.duplicate(leaf) if backend.is_array(leaf) else leaf


def _recorded(y: Any) -> bool:
    return isinstance(y, Tensor) and y.node is not None


def reached_from(results: list[Any], start: int) -> list[Node]:
    """The nodes that a graph reaches and that were there before it was begun: what it took from outside."""
    stack = [y.node for y in results if _recorded(y)]
    seen = set(stack)
    outside = []
    while stack:
        node = stack.pop()
        if node.age > start:  # ages count down
            outside.append(node)
            continue
        for parent, _, _ in node.edges or ():
            if parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return outside
