"""A computation graph as plain values: what everything that shows it is given. It keeps no array and no Tensor."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from .preview import Number, Preview

IMPOSSIBLE = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What no XML file can hold: control characters, surrogates that stand alone."""


def printable(words: str) -> str:
    r"""The words with escapes for characters that no XML file can hold.

    >>> printable("a\0")
    'a\\x00'
    """
    if words.isprintable():
        return words
    return IMPOSSIBLE.sub(lambda found: found[0].encode("unicode_escape").decode(), words)


@dataclass(frozen=True)
class PictureNode:
    """A leaf, a constant or an operation.

    Attributes:
        id: parents have smaller ones.
        kind: ``leaf``, ``constant`` or ``operation``.
        name: the user's: given by :func:`gpugrad.name`, of a variable, or a parameter's path in its model.
        op: of an operation, its name.
        label: what is written in the gate, ``×`` or ``+1``.
        gate: what it does to gradients, in a word; None if there is none for it.
        says: the same as a sentence.
        parameter: whether it is one of a module's.
        shape, dtype: of the value.
        value, gradient: None where they are not known.
        group: the innermost box it lies in.
        line: of the user's code, if the operations were observed.
        constants: operands that are numbers and stand in the label, by their position.
        static: the static parameters that are known, as far as JSON can hold them.
    """

    id: int
    kind: str
    name: str | None
    op: str | None
    label: str
    gate: str | None
    says: str
    parameter: bool
    shape: tuple[int, ...]
    dtype: str
    value: Preview | None
    gradient: Preview | None
    group: int | None = None
    line: str | None = None
    constants: dict[int, Number] = field(default_factory=dict)
    static: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name is not None:
            object.__setattr__(self, "name", printable(self.name))
        object.__setattr__(self, "label", printable(self.label))

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            **self.__dict__, "shape": list(self.shape), "value": shown(self.value), "gradient": shown(self.gradient),
            "constants": {str(k): v for k, v in self.constants.items()},
        }  # fmt: skip


@dataclass(frozen=True)
class PictureEdge:
    """A value on its way to an operation.

    Attributes:
        id: in the order of targets.
        source, target: nodes.
        position: which operand of the target it is.
        local: the derivative of the target by the source: a number for single elements, described for arrays.
        contribution: what flows back; a node's gradient is the sum over its outgoing edges.
    """

    id: int
    source: int
    target: int
    position: int
    local: Preview | None
    contribution: Preview | None

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**self.__dict__, "local": shown(self.local), "contribution": shown(self.contribution)}


@dataclass(frozen=True)
class PictureGroup:
    """A box: the call of a module, what is repeated, or one round of it.

    Attributes:
        id: boxes around it have smaller ones.
        label: what is written on it.
        parent: the box around it.
        kind: ``module``, ``repeat``, or ``part`` where a long graph is cut into pieces.
        count: how often its content is repeated, 1 for everything else.
        open: whether its content is shown at first.
    """

    id: int
    label: str
    parent: int | None
    kind: str
    count: int
    open: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", printable(self.label))

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return dict(self.__dict__)


@dataclass(frozen=True)
class Picture:
    """The whole graph.

    Attributes:
        title: above the picture.
        nodes, edges, groups: each at the place of its ``id``.
        output: the node it was drawn from.
        formulas: for graphs of single numbers, how to compute them again.
    """

    title: str
    nodes: tuple[PictureNode, ...]
    edges: tuple[PictureEdge, ...]
    groups: tuple[PictureGroup, ...]
    output: int
    formulas: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", printable(self.title))

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "title": self.title,
            "nodes": [node.to_dict() for node in self.nodes],
            "edges": [edge.to_dict() for edge in self.edges],
            "groups": [group.to_dict() for group in self.groups],
            "output": self.output,
            "formulas": self.formulas,
        }


def shown(value: Preview | None) -> dict[str, Any] | None:
    """A preview as JSON has it."""
    return None if value is None else value.to_dict()
