"""The way back through a call of a recorded function: one node, whose rule runs the program of its gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..core import GradientError, Node, Tensor, walk
from ..core.engine import as_array
from ..core.modes import enable_grad
from ..core.node import output_node

Again = Callable[[list[Tensor], tuple[int, int]], tuple[list[Tensor], list[Tensor]]]
"""Runs a function again, not from its program: of the arrays given as variables, these and its results."""


class WayBack:
    """One call: its own plan (see :class:`gpugrad.core.node.WayBack`), several parents, one joint rule.

    Args:
        run: the program of the gradients: from what was kept and the gradients of the outputs.
        again: for a gradient that is itself differentiated.
        places: for each parent, the number of the argument that it is; None where the function found it elsewhere.
        guards: the parents that must not have changed in place.
        leaves: the arrays among the arguments.
        state: of the random numbers, when the call began.
    """

    name = "jit"
    joint: Any = True
    one = False

    def __init__(
        self, run: Callable[[Any, list[Any]], list[Any]], again: Again, places: Sequence[int | None],
        guards: tuple[int, ...], leaves: list[Any], state: tuple[int, int],
    ) -> None:  # fmt: skip
        self.run, self.again, self.places, self.guards = run, again, places, guards
        self.names: tuple[Any, ...] = tuple(range(len(places)))
        self.leaves, self.state = leaves, state

    @property
    def applies(self) -> tuple[Any, ...]:  # made when asked for: kept, it would be a reference cycle
        return (self._gradients,)

    def record(self, parents: Sequence[Node], kept: Any, arrays: Sequence[Any]) -> list[Node]:
        """The places in the graph of the outputs."""
        node = Node(self, tuple(parents), kept, tuple(a.shape for a in arrays), None)  # type: ignore[arg-type]
        return [output_node(node, i, a) for i, a in enumerate(arrays)]

    def _gradients(self, xp: Any, g: tuple[Any, ...], names: Any, kept: Any) -> list[Any]:
        """The joint rule."""
        if not isinstance(g[0], Tensor):
            return self.run(kept, [as_array(part) for part in g])
        arguments, parents = kept
        variables, results = self.again(arguments, self.state)
        targets = [
            outside if place is None else variables[place].node
            for place, outside in zip(self.places, parents, strict=True)
        ]
        starts = [(y.node, h) for y, h in zip(results, g, strict=True) if y.node is not None]
        if len(starts) < len(results):
            raise GradientError("a jitted function gave another result when it ran again for a second derivative")
        with enable_grad():
            found = walk(starts, retain_graph=True, targets=targets)  # type: ignore[arg-type]
        return [found[node] for node in targets]  # type: ignore[index]

    def recorded(self, node: Node) -> tuple[Any, ...]:
        """The arguments at their places in the graph, for a recorded walk."""
        given = {place: parent for place, parent in zip(self.places, node.parents, strict=True) if place is not None}
        return (([Tensor(leaf, given.get(i)) for i, leaf in enumerate(self.leaves)], node.parents),)

    def through_reference(self, node: Node) -> None:
        """There are no residuals."""
