"""A picture as lines of text."""

from __future__ import annotations

from .picture import Picture, PictureNode

MOST = 200
"""Of longer ones, the beginning and the end are shown."""


def text(picture: Picture) -> str:
    """One line a node: what it is made of, its value and its gradient."""
    sources: dict[int, list[tuple[int, int]]] = {}
    for edge in picture.edges:
        sources.setdefault(edge.target, []).append((edge.position, edge.source))
    lines = []
    for node in picture.nodes:
        if len(picture.nodes) > MOST and MOST // 2 <= node.id < len(picture.nodes) - MOST // 2:
            if node.id == MOST // 2:
                lines.append(f"... {len(picture.nodes) - MOST} more ...")
            continue
        made = ", ".join(called(picture.nodes[source]) for _, source in sorted(sources.get(node.id, [])))
        head = f"{called(node)} = {node.label}({made})" if node.kind == "operation" else f"{node.kind} {called(node)}"
        notes = [f"shape {node.shape}"] if node.shape else []
        notes += [f"value {node.value.text}"] if node.value else []
        notes += [f"gradient {node.gradient.text}"] if node.gradient else []
        lines.append(f"{head}: {', '.join(notes)}")
    return "\n".join(lines)


def called(node: PictureNode) -> str:
    """The name of a node, or its number."""
    return node.name or f"#{node.id}"
