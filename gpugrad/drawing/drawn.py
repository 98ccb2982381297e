"""``gg.draw``, and what it returns."""

from __future__ import annotations

import html
import sys
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

from .. import backend
from ..backend import BACKENDS, NAMESPACES
from ..core import GradientError, Tensor
from ..core.engine import seed
from ..core.modes import enable_grad, observing
from ..nn import Module
from ..ops.creation import asarray
from .build import Builder, names_around
from .names import name as give_name
from .observe import observe
from .picture import Picture

LIMIT = 40
"""So many nodes and closed boxes are shown at first."""


class Drawing:
    """A computation graph, drawn: what :func:`draw` returns. It holds plain values, no array and no Tensor.

    A notebook shows it by itself; ``print`` lists its nodes.

    Attributes:
        picture: what is drawn, as data.
    """

    def __init__(self, picture: Picture) -> None:
        self.picture = picture

    def to_dict(self) -> dict[str, Any]:
        """Everything in it, as JSON has it."""
        return self.picture.to_dict()

    def __str__(self) -> str:
        from .text import text

        return text(self.picture)

    def __repr__(self) -> str:
        return f"<Drawing of {self.picture.title}: {len(self.picture.nodes)} nodes>"


def draw(x: Any, /, *args: Any, gradient: Any = None, title: str | None = None, limit: int | None = LIMIT) -> Drawing:
    """Draw the computation graph behind a Tensor, with the value and the gradient on every edge."""
    caller = sys._getframe(1)
    if isinstance(x, Tensor):
        return _drawn(x, names_around(caller), gradient, title, limit)
    watch = observe()
    watch.begin(caller)
    try:
        with enable_grad():
            y = x(*args)
    finally:
        watch.end()
    return _drawn(y, names_around(caller), gradient, title, limit)


def _drawn(y: Tensor, names: Any, gradient: Any, title: str | None, limit: int | None) -> Drawing:
    if y.node is None:
        raise GradientError("draw: no graph")
    token = observing.set(None)
    try:
        if gradient is None:
            with backend.beside(y.data):
                gradient = NAMESPACES[type(y.data)].ones_like(y.data)
        g = seed(y, gradient, False)
        return Drawing(Builder(y.node, g, names, title).picture(limit))
    finally:
        observing.reset(token)
