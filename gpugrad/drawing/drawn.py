"""``gg.draw``, and what it returns."""

from __future__ import annotations

import html
import sys
from collections.abc import Callable
from inspect import Parameter, signature
from pathlib import Path
from types import FrameType
from typing import Any

import numpy

from .. import backend
from ..backend import BACKENDS, NAMESPACES
from ..core import GradientError, Tensor
from ..core.engine import seed
from ..core.modes import enable_grad, observing
from ..nn import Module
from ..ops.creation import tensor
from .build import Builder
from .names import Names, around, called
from .observe import observe
from .picture import Picture
from .text import text
from .titles import of_function

LIMIT = 32
"""So many nodes and closed boxes are shown at first."""


class Drawing:
    """A computation graph, drawn: what :func:`draw` returns. It holds plain values, no array and no Tensor.

    A notebook shows it by itself, ``print`` lists its nodes.

    Attributes:
        picture: what is drawn, as data.

    >>> import gpugrad as gg
    >>> x = gg.tensor(3.0, requires_grad=True)
    >>> y = x * x
    >>> drawing = gg.draw(y)
    >>> print(drawing)
    leaf x: value 3.00, gradient 6.00
    y = ×(x, x): value 9.00, gradient 1.00
    >>> drawing.to_dict()["nodes"][0]["gradient"]["number"]
    6.0
    """

    def __init__(self, picture: Picture) -> None:
        self.picture = picture

    def to_dict(self) -> dict[str, Any]:
        """Everything in it, as JSON has it."""
        return self.picture.to_dict()

    def svg(self) -> str:
        """The picture as SVG, made by Graphviz; readable on light and on dark pages.

        Raises:
            ImportError: the package ``graphviz`` or its program ``dot`` is not installed.
        """
        from .svg import svg

        return svg(self.picture)

    def html(self) -> str:
        """An interactive page, complete in itself: it needs no Graphviz and no network."""
        from .page import page

        return page(self.to_dict())

    def save(self, path: str | Path) -> Path:
        """Write it to ``path``, as the end of the name says: ``.svg`` or ``.html``.

        Returns:
            The path.

        Raises:
            ValueError: the name ends otherwise.
            ImportError: as :meth:`svg`.
        """
        target = Path(path)
        made = {".svg": self.svg, ".html": self.html}.get(target.suffix.lower())
        if made is None:
            raise ValueError(f"save: expected a name that ends in .svg or .html, got {target.name!r}")
        target.write_text(made(), encoding="utf-8")
        return target

    def _repr_html_(self) -> str:
        style = "width: 100%; height: 32rem; border: 0"
        return f'<iframe style="{style}" srcdoc="{html.escape(self.html())}"></iframe>'

    def _repr_svg_(self) -> str | None:
        try:
            return self.svg()
        except ImportError:
            return None

    def __str__(self) -> str:
        return text(self.picture)

    def __repr__(self) -> str:
        nodes = len(self.picture.nodes)
        return f"<Drawing of {self.picture.title}: {nodes} node{'' if nodes == 1 else 's'}>"


def draw(
    x: Tensor | Callable[..., Any], /, *args: Any, gradient: Any = None, title: str | None = None,
    limit: int | None = LIMIT,
) -> Drawing:  # fmt: skip
    """Draw the computation graph behind a Tensor: the value and the gradient on every edge, as lectures draw it.

    The gradients are those that ``backward()`` would give, by the same rules, but hooks are not called, nothing is
    added to any ``grad``, nothing is freed, and nothing is kept alive.

    A graph keeps what its gradients need and no more. So of a Tensor those values are shown that it keeps, that
    variables hold, or that can be computed from these; what cannot be known is left out. Everything is shown of a
    function or a module that is run here, and of what was computed inside :class:`observe`.

    Values are called by the names that :func:`name` gave them, by those of the caller's variables that hold them, or by
    their path in a module.

    Args:
        x: a Tensor that needs a gradient; or a function or module that returns one, which is called now.
        args: for the function; Python's floats become variables. Arrays and Tensors stay what they are.
        gradient: to start from, of the shape of the Tensor; None for ones, so that the gradients of several elements
            are those of their sum; a complex one needs it.
        title: above the picture; None for the name of the function, of the model's class, or of the result.
        limit: so many things are shown at first: modules and repeated parts of larger graphs are closed boxes. None
            opens all.

    Returns:
        A :class:`Drawing`, to look at, save, or read.

    Raises:
        GradientError: the Tensor has no graph, or one that was walked back.
        TypeError: it is neither a Tensor nor can it be called, or it returned something else.
        ValueError: it stands for many samples (inside ``vmap``), ``gradient`` does not fit, or the graph has more than
            200,000 nodes.

    Source: CS231n, lecture 4 and its notes on backpropagation.

    >>> import gpugrad as gg
    >>> print(gg.draw(lambda x, y, z: (x + y) * z, -2.0, 5.0, -4.0))
    leaf x: value -2.00, gradient -4.00
    leaf y: value 5.00, gradient -4.00
    leaf z: value -4.00, gradient 3.00
    #3 = +(x, y): value 3.00, gradient -4.00
    #4 = ×(#3, z): value -12.00, gradient 1.00
    """
    caller = sys._getframe(1)
    if isinstance(x, Tensor):
        if args:
            raise TypeError(f"draw: expected a Tensor alone, got {len(args)} more arguments: they are for functions")
        return _drawn(x, around(caller), gradient, title, limit)
    if not callable(x):
        raise TypeError(f"draw: expected a Tensor, a function or a module, got {type(x).__name__}")
    names = around(caller)
    y, watch = _observed(x, _variables(x, args, names), caller, names)
    if not isinstance(y, Tensor):
        raise TypeError(f"draw: expected the function to return a Tensor, got {type(y).__name__}")
    drawing = _drawn(y, names, gradient, title or of_function(x), limit)
    del watch  # what it has seen was needed until here
    return drawing


def _observed(f: Callable[..., Any], args: list[Any], caller: FrameType, names: Names) -> tuple[Any, observe]:
    """What the function returns, and what was seen."""
    watch = observe()
    watch.begin(caller)
    try:
        with enable_grad():
            return f(*args), watch
    finally:
        watch.end(names.arrays)


def _variables(f: Callable[..., Any], args: tuple[Any, ...], names: Names) -> list[Any]:
    """The arguments, floats as variables; all of them called as the function calls them, if nobody else does."""
    given = [tensor(x, requires_grad=True) if type(x) is float else x for x in args]
    for key, x in zip(_parameters(f, len(args)), given, strict=True):
        if key is not None:
            called(names, key, x)
    return given


def _parameters(f: Callable[..., Any], count: int) -> list[str | None]:
    """What a function calls its positional arguments."""
    try:
        found = list(signature(f.forward if isinstance(f, Module) else f).parameters.values())
    except (TypeError, ValueError):  # of a builtin
        return [None] * count
    named: list[str | None] = []
    for parameter in found:
        if parameter.kind is Parameter.VAR_POSITIONAL:
            named += [f"{parameter.name}[{i}]" for i in range(count - len(named))]
        elif parameter.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD):
            named.append(parameter.name)
    return (named + [None] * count)[:count]


def _drawn(y: Tensor, names: Names, gradient: Any, title: str | None, limit: int | None) -> Drawing:
    if BACKENDS[type(y.data)].whole is not None:
        raise ValueError("draw: this tensor stands for many samples: draw outside of vmap, or one sample")
    if y.node is None:
        raise GradientError(
            "draw: this tensor has no graph: it is connected to none that needs a gradient (requires_grad=True, and "
            "not inside no_grad or behind detach)"
        )
    names.held.append(y)
    token = observing.set(None)
    try:
        with numpy.errstate(all="ignore"):  # what there is to warn of, the forward pass warned of
            if gradient is None and y.dtype.kind != "c":
                with backend.beside(y.data):
                    gradient = NAMESPACES[type(y.data)].ones_like(y.data)
            return Drawing(Builder(y.node, seed(y, gradient, False), names, title).picture(limit))
    finally:
        observing.reset(token)
