"""The picture as SVG, laid out by Graphviz, as lectures draw it: gates are circles, left to right; above each wire the
value in green, below it the gradient in red.

A wire is two edges with a small table between them, whose rule is a piece of the wire: so the numbers stand over and
under the line and not on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from typing import Any

from .picture import Picture, PictureEdge, PictureNode

INK, VALUE, GRADIENT, QUIET, GATE, BOX = "#1a1a1a", "#15803d", "#c81e1e", "#6b7280", "#f3f4f6", "#9ca3af"
DARK = {INK: "#e5e7eb", VALUE: "#4ade80", GRADIENT: "#f87171", QUIET: "#9ca3af", GATE: "#1f2937", BOX: "#6b7280"}
"""The colours, and what each is on a dark page."""
FONT = "Helvetica, Arial, sans-serif"


def svg(picture: Picture) -> str:
    """Lay it out.

    Raises:
        ImportError: the package ``graphviz`` or its program ``dot`` is not installed.
    """
    hint = "an interactive page needs neither: .html() or .save('graph.html')"
    try:
        import graphviz
    except ImportError as error:
        raise ImportError(
            "svg lays out with the package graphviz (pip install 'gpugrad[draw]') and Graphviz's program dot "
            f"(apt install graphviz); {hint}"
        ) from error
    try:
        made = graphviz.Source(source(picture)).pipe(format="svg", encoding="utf-8")
    except graphviz.ExecutableNotFound as error:
        raise ImportError(
            "svg: the package graphviz is here, Graphviz's program dot is not (apt install graphviz, brew install "
            f"graphviz, or conda install graphviz); {hint}"
        ) from error
    return adapted(made, picture)


def adapted(made: str, picture: Picture) -> str:
    """Without Graphviz's preamble; with a title for screen readers, and colours for dark pages."""
    made = made[made.index("<svg") :]
    rules = [f'[fill="{light}"]{{fill:{dark}}}[stroke="{light}"]{{stroke:{dark}}}' for light, dark in DARK.items()]
    style = f"<style>@media (prefers-color-scheme:dark){{{''.join(rules)}}}</style>"
    title = f"<title>{escape(picture.title)}: {escape(summary(picture))}</title>"
    head = re.match(r"<svg[^>]*>", made)
    assert head is not None
    return f'{head.group()[:-1]} role="img">{title}{style}{made[head.end() :]}'


def summary(picture: Picture) -> str:
    """What is in it, in words."""
    operations = sum(node.kind == "operation" for node in picture.nodes)
    return f"a computation graph of {operations} operations, with values above the edges and gradients below"


def source(picture: Picture) -> str:
    """The graph in Graphviz's language."""
    return "\n".join(_Source(picture).lines())


@dataclass
class _Wire:
    """Edges between the same two things that are seen: one, several of closed boxes, none where the result leaves."""

    name: str
    source: str
    target: str
    node: PictureNode
    edges: list[PictureEdge] = field(default_factory=list)


class _Source:
    """Writes it."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self.closed = self._closed()
        self.inside: dict[int | None, list[PictureNode]] = {}
        self.sizes: dict[int, int] = {}
        for node in picture.nodes:
            self.inside.setdefault(node.group, []).append(node)
            if node.kind == "operation":
                place = node.group
                while place is not None:
                    self.sizes[place] = self.sizes.get(place, 0) + 1
                    place = picture.groups[place].parent
        self.children: dict[int | None, list[int]] = {}
        self.between: dict[int | None, list[_Wire]] = {}
        for group in picture.groups:
            self.children.setdefault(group.parent, []).append(group.id)

    def _closed(self) -> dict[int, int]:
        """For each box that is not seen into, the outermost closed one around it: itself, or further out."""
        found: dict[int, int] = {}
        for group in self.picture.groups:  # those around come first
            if group.parent in found:
                found[group.id] = found[group.parent]
            elif not group.open:
                found[group.id] = group.id
        return found

    def lines(self) -> Iterator[str]:
        """All of it."""
        yield "digraph {"
        yield 'graph [rankdir=LR bgcolor="transparent" nodesep=0.12 ranksep=0.1 compound=true pad=0.1]'
        yield f'node [fontname="{FONT}" fontsize=12 color="{INK}" fontcolor="{INK}"]'
        yield f'edge [fontname="{FONT}" fontsize=10 color="{INK}" arrowsize=0.6]'
        wires = self._wires()
        yield from self._content(None)
        for wire in wires:
            yield from self._pieces(wire)
        yield from self._result()
        yield "}"

    # ---------------------------------------------------------------- nodes and boxes

    def _content(self, top: int | None) -> Iterator[str]:
        """What lies in a box, and the boxes in it; with a stack of its own, since boxes may be deep."""
        stack: list[Any] = [top]
        while stack:
            place = stack.pop()
            if isinstance(place, str):
                yield place
                continue
            if place is not None:
                group = self.picture.groups[place]
                if place in self.closed:
                    yield self._closed_box(place)
                    continue
                yield f"subgraph cluster_{place} {{"
                yield f'label={_quoted(group.label)} labeljust=l fontname="{FONT}" fontsize=11 fontcolor="{QUIET}"'
                yield f'color="{BOX}" style="rounded,dashed" margin=10'
            yield from (self._node(node) for node in self.inside.get(place, []))
            yield from (self._numbers(wire) for wire in self.between.get(place, []))
            stack += ["}"] if place is not None else []
            stack += reversed(self.children.get(place, []))

    def _closed_box(self, place: int) -> str:
        group = self.picture.groups[place]
        count = self.sizes.get(place, 0)
        label = f'{_text(group.label)}<BR/><FONT POINT-SIZE="9" COLOR="{QUIET}">{count} operations</FONT>'
        return (
            f'g{place} [shape=box style="rounded,filled" fillcolor="{GATE}" peripheries=2 margin="0.12,0.06" '
            f"label=<{label}>]"
        )

    def _node(self, node: PictureNode) -> str:
        if node.kind == "operation":
            label = _text(node.label)
            wide = len(node.label) > 5
            size = "shape=box style=\"rounded,filled\" margin=\"0.1,0.05\"" if wide else (
                "shape=circle style=filled fixedsize=true width=0.46"
            )  # fmt: skip
            small = 11 if len(node.label) > 3 else 15
            return f'n{node.id} [{size} fillcolor="{GATE}" fontsize={small} label=<{label}>]'
        label = f"<B>{_text(node.name)}</B>" if node.name else f'<FONT COLOR="{QUIET}">constant</FONT>'
        if node.shape:
            label += f'<BR/><FONT POINT-SIZE="9" COLOR="{QUIET}">{_shape(node.shape)}</FONT>'
        if len(self.outgoing(node.id)) > 1 and node.gradient is not None:
            label += f'<BR/><FONT POINT-SIZE="9" COLOR="{GRADIENT}">Σ {_text(node.gradient.text)}</FONT>'
        shape = 'box style="rounded" margin="0.08,0.04"' if node.parameter else "plain margin=0.04"
        return f"n{node.id} [shape={shape} height=0.2 width=0.2 label=<{label}>]"

    # ---------------------------------------------------------------- wires

    def outgoing(self, node: int) -> list[PictureEdge]:
        """The edges that leave a node."""
        if not hasattr(self, "_outgoing"):
            self._outgoing: dict[int, list[PictureEdge]] = {}
            for edge in self.picture.edges:
                self._outgoing.setdefault(edge.source, []).append(edge)
        return self._outgoing.get(node, [])

    def _seen(self, node: int) -> str:
        """What stands for a node: itself, or the closed box that it lies in."""
        place = self.picture.nodes[node].group
        return f"g{self.closed[place]}" if place in self.closed else f"n{node}"

    def _wires(self) -> list[_Wire]:
        """Those between what is seen, each noted at the box that its numbers lie in."""
        found: dict[Any, _Wire] = {}
        for edge in self.picture.edges:
            start, end = self._seen(edge.source), self._seen(edge.target)
            if start == end:
                continue
            alone = start.startswith("n") and end.startswith("n")
            key = edge.id if alone else (edge.source, end)
            if key not in found:
                node = self.picture.nodes[edge.source]
                found[key] = _Wire(f"w{len(found)}", start, end, node)
                place = self._shared(node.group, self.picture.nodes[edge.target].group)
                self.between.setdefault(place, []).append(found[key])
            found[key].edges.append(edge)
        return list(found.values())

    def _shared(self, one: int | None, other: int | None) -> int | None:
        """The innermost open box around both."""
        around = set()
        while one is not None:
            around.add(one)
            one = self.picture.groups[one].parent
        while other is not None and other not in around:
            other = self.picture.groups[other].parent
        return other

    def _numbers(self, wire: _Wire) -> str:
        """The value above and the gradient below a piece of wire."""
        node, edges = wire.node, wire.edges
        handed = node.gradient if not edges else edges[0].contribution if len(edges) == 1 else None
        above = [node.name] if node.name and node.kind == "operation" and edges else []
        if node.shape and node.kind == "operation":
            above.append(_shape(node.shape))
        upper = f'<FONT COLOR="{VALUE}">{_text(node.value.text) if node.value else " "}</FONT>'
        if above:
            upper = f'<FONT POINT-SIZE="9" COLOR="{QUIET}">{_text(" ".join(above))}</FONT><BR/>{upper}'
        below = _text(handed.text) if handed else f"{len(edges)} edges" if len(edges) > 1 else " "
        lower = f'<FONT COLOR="{GRADIENT if handed else QUIET}">{below}</FONT>'
        table = (
            '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1">'
            f"<TR><TD>{upper}</TD></TR><HR/><TR><TD>{lower}</TD></TR></TABLE>"
        )
        return f"{wire.name} [shape=plain fontsize=10 label=<{table}>]"

    def _pieces(self, wire: _Wire) -> Iterator[str]:
        """The wire before its numbers, and behind them."""
        yield f"{wire.source} -> {wire.name} [dir=none headport=w]"
        yield f"{wire.name} -> {wire.target} [tailport=e]"

    def _result(self) -> Iterator[str]:
        """The wire that leaves the graph, and the name at its end."""
        node = self.picture.nodes[self.picture.output]
        wire = _Wire("result", self._seen(node.id), "name", node)
        name = f"<B>{_text(node.name)}</B>" if node.name else " "
        yield f"name [shape=plain margin=0.04 height=0.2 width=0.1 label=<{name}>]"
        yield self._numbers(wire)
        yield from self._pieces(wire)


def _text(words: str | None) -> str:
    """In Graphviz's kind of HTML."""
    return escape(words or "")


def _quoted(words: str) -> str:
    return '"' + words.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) if len(shape) > 1 else f"({shape[0]},)"
