"""The picture of a graph as one HTML file that needs nothing else: no network, no other program.

The parts are in ``html/``: a page, a style, and the script, which draws the graph and steps through it. To add a part
of the script, name it in :data:`SCRIPTS`; the parts share one scope, in this order.
"""

from __future__ import annotations

import json
from html import escape
from importlib.resources import files
from typing import Any

from ..expressions.javascript import JAVASCRIPT

SCRIPTS = ("numbers", "model", "layout", "scene", "dom", "draw", "steps", "words", "view", "main")


def page(picture: dict[str, Any]) -> str:
    """A self-contained HTML page that shows a picture and steps through it.

    Args:
        picture: what ``Picture.to_dict`` gives.

    >>> import gpugrad as gg
    >>> picture = {"title": "nothing <yet>", "nodes": [], "edges": [], "groups": [], "output": 0, "formulas": None}
    >>> "<title>nothing &lt;yet&gt;</title>" in page(picture)
    True
    """
    functions = ", ".join(f"{name}: {source}" for name, source in JAVASCRIPT.items())
    parts = {
        "title": escape(str(picture["title"])),
        "style": part("style.css"),
        "picture": data(picture),
        "functions": f"{{{functions}}}",
        "script": "\n".join(part(f"{name}.js") for name in SCRIPTS),
    }
    pieces = part("page.html").split("{")
    whole = [pieces[0]]
    for piece in pieces[1:]:  # what stands in the parts themselves is not looked at
        name, brace, rest = piece.partition("}")
        whole.append(parts[name] + rest if brace and name in parts else "{" + piece)
    return "".join(whole)


def part(name: str) -> str:
    """A file of the page."""
    return (files(__package__) / "html" / name).read_text(encoding="utf-8")


def data(picture: dict[str, Any]) -> str:
    """JSON that can stand in a script element: no text in it ends the element or opens a comment."""
    text = json.dumps(picture, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
