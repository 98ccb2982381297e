"""What stands above a picture: the name of the function or model that was drawn, or of what made a Tensor."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..nn import Module
from .names import Names
from .observe import Call
from .picture import PictureNode

Calls = Iterable[tuple[Call, ...]]

FEW = 4
"""So many names of leaves stand in a title; of more, the first ones."""


def of_function(f: Callable[..., Any]) -> str | None:
    """The name of a function, of a module's class or of a callable object's; None of a lambda.

    >>> import operator
    >>> of_function(functools.partial(operator.mul, 2.0)), of_function(lambda x: x)
    ('mul', None)
    """
    while isinstance(f, functools.partial):
        f = f.func
    if isinstance(f, Module):
        return type(f).__name__
    found = getattr(f, "__name__", None)
    if found is None and not hasattr(f, "__code__"):
        found = type(f).__name__
    return found if isinstance(found, str) and found.isidentifier() else None


def of_graph(nodes: Sequence[PictureNode], output: int, ages: Iterable[int], names: Names, calls: Calls) -> str:
    """The result's name and the model whose parameters are in the graph; else a function of the named leaves.

    Args:
        nodes: of the picture.
        output: the number of the result.
        ages: of the nodes of the graph.
        names: what the variables held.
        calls: of modules around each operation, as far as they were observed.
    """
    called = nodes[output].name
    held = {names.models[age] for age in ages if age in names.models}
    seen = {each[0].kind for each in calls if each}
    models = sorted(held or seen)
    if models:
        model = " and ".join(models) if len(models) <= FEW else f"{len(models)} modules"
        return f"{called} of {model}" if called else model
    leaves = [node.name for node in nodes if node.kind == "leaf" and node.name is not None]
    more = ", …" if len(leaves) > FEW else ""
    return called or (f"f({', '.join(leaves[:FEW])}{more})" if leaves else "a graph")
