"""What a recording does to the gradients of variables: which were there before, which are there after."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..core.node import Node, Watch


class Watched(Watch):
    """In the place of a variable's :class:`Watch` while a function is recorded: notes how its gradient is used.

    Attributes:
        asked: whether the gradient that was there before was asked for.
        given: whether it was set.
    """

    __slots__ = ("asked", "given", "value")

    def __init__(self, watch: Watch) -> None:
        self.asked = self.given = False
        super().__init__(watch.keep)
        self.value, self.hooks, self.name = watch.grad, watch.hooks, watch.name
        self.given = False

    @property
    def grad(self) -> Any:
        """The gradient, as far as it has been added up."""
        self.asked = self.asked or not self.given
        return self.value

    @grad.setter
    def grad(self, value: Any) -> None:
        self.given, self.value = True, value


class Watches:
    """Variables whose gradients are watched in a ``with`` block.

    Attributes:
        found: for each node, what was noted.
        before: and the gradient that it had.
    """

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.nodes = [node for node in dict.fromkeys(nodes) if node.watch is not None]
        self.found: dict[Node, Watched] = {}
        self.before: dict[Node, Any] = {}

    def __enter__(self) -> Watches:
        self._own = [node.watch for node in self.nodes]
        for node in self.nodes:
            assert node.watch is not None
            self.before[node] = node.watch.grad
            self.found[node] = node.watch = Watched(node.watch)
        return self

    def __exit__(self, *error: object) -> None:
        for node, own in zip(self.nodes, self._own, strict=True):
            assert own is not None
            seen = self.found[node]
            own.grad, own.keep, own.name = seen.value, seen.keep, seen.name
            node.watch = own
