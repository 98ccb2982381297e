"""What values are called: the names that users gave them, their variables', and parameters' paths in a module."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, TypeVar
from weakref import ref

from .. import backend
from ..core import Tensor
from ..core.node import Watch
from ..nn import Module, Parameter
from .picture import IMPOSSIBLE


@dataclass
class Names:
    """What values are called.

    Attributes:
        nodes: by the ages of nodes.
        arrays: of constants, by the ids of their arrays.
        parameters: ages of nodes that are Parameters.
        models: of Parameters of the modules among the variables, the class of the outermost module.
        held: the Tensors among the variables.
        kept: the arrays in ``arrays``: were one gone, another could have its id.
    """

    nodes: dict[int, str] = field(default_factory=dict)
    arrays: dict[int, str] = field(default_factory=dict)
    parameters: set[int] = field(default_factory=set)
    models: dict[int, str] = field(default_factory=dict)
    held: list[Tensor] = field(default_factory=list)
    kept: list[Any] = field(default_factory=list)


T = TypeVar("T", bound=Tensor)

_beside: dict[int, tuple[ref[Tensor], str]] = {}
"""Names of constants, which have no node to hold one: by the Tensor's id, until it is gone."""


def name(x: T, name: str) -> T:
    """Give a value a name, for :func:`draw`: a leaf, a result, or a constant. It lives as long as the value does.

    Args:
        x: a Tensor, of which nothing else changes.
        name: what pictures call it.

    Returns:
        ``x`` itself, so that a name can be given inside an expression.

    Raises:
        TypeError: ``x`` is no Tensor, or the name no text.
        ValueError: the name has characters that cannot be shown: control characters, surrogates that stand alone.

    >>> import gpugrad as gg
    >>> x = gg.name(gg.tensor(3.0, requires_grad=True), "x")
    >>> y = gg.name(x * x, "square") + 1
    >>> [node.name for node in gg.draw(y).picture.nodes]
    ['x', 'square', 'y']
    """
    if not isinstance(x, Tensor):
        raise TypeError(f"name: expected a Tensor, got {type(x).__name__}")
    if not isinstance(name, str):
        raise TypeError(f"name: expected the name as a string, got {type(name).__name__}")
    if IMPOSSIBLE.search(name):
        raise ValueError(f"name: expected a name without control characters and lone surrogates, got {name!a}")
    if x.node is None:
        key = id(x)
        _beside[key] = (ref(x, lambda _: _beside.pop(key, None)), name)
        return x
    if x.node.watch is None:
        x.node.watch = Watch()
    x.node.watch.name = name
    return x


def given(x: Tensor) -> str | None:
    """The name that a Tensor was given; a constant's also by another Tensor of the same array, as layers make them."""
    if x.node is not None and x.node.watch is not None and x.node.watch.name is not None:
        return x.node.watch.name
    own = _beside.get(id(x))
    if own is not None or x.node is not None:
        return None if own is None else own[1]
    named = ((held(), key) for held, key in list(_beside.values()))
    return next((key for other, key in named if other is not None and other.data is x.data), None)


def around(frame: FrameType) -> Names:
    """The names of what the variables of a frame hold."""
    names, local = Names(), variables(frame)
    found = {**local, **{key: value for key, value in frame.f_globals.items() if key not in local}}
    for key, x in values_in(found):
        called(names, key, x)
    for key, x in paths_in(found):
        called(names, key, x)
    for _, module in outermost(found):
        ages = (x.node.age for x in module.parameters() if x.node is not None)
        names.models.update(dict.fromkeys(ages, type(module).__name__))
    for held, key in list(_beside.values()):
        x = held()
        if x is not None and x.node is not None:
            names.nodes[x.node.age] = key
        elif x is not None:
            names.arrays[id(x.data)] = key
            names.kept.append(x.data)
    return names


def called(names: Names, key: str, x: Any) -> None:
    """Note what a Tensor or an array is called, if it has no name yet."""
    node = x.node if isinstance(x, Tensor) else None
    if node is not None:
        names.nodes.setdefault(node.age, key)
        names.held.append(x)
        if isinstance(x, Parameter):
            names.parameters.add(node.age)
    elif isinstance(x, Tensor) or backend.is_array(x):
        array = x.data if isinstance(x, Tensor) else x
        names.arrays.setdefault(id(array), key)
        names.kept.append(array)


def variables(frame: FrameType) -> dict[str, Any]:
    """The variables of a running function or module, by name.

    Before Python 3.13 a frame keeps the dictionary that it shows, and with it everything in it: it is emptied again, if
    nobody else has it.
    """
    shown = frame.f_locals
    if shown is frame.f_globals:
        return dict(shown)
    found = dict(shown)
    mine = 3  # the frame's, this function's, and that of the call that counts
    if type(shown) is dict and frame.f_code.co_flags & inspect.CO_OPTIMIZED and sys.getrefcount(shown) <= mine:
        shown.clear()
    return found


def values_in(found: dict[str, Any], deep: bool = True) -> Iterator[tuple[str, Any]]:
    """Tensors and arrays among variables, with their names; deep: also in lists, tuples and dictionaries among them."""
    names = [key for key in found if key.isidentifier() and not key.startswith("_") and key not in ("In", "Out")]
    for key in names:
        if isinstance(found[key], Tensor) or backend.is_array(found[key]):
            yield key, found[key]
    for key in names if deep else ():
        value = found[key]
        if isinstance(value, list | tuple):
            yield from ((f"{key}[{i}]", x) for i, x in enumerate(value) if isinstance(x, Tensor))
        elif isinstance(value, dict):
            entries = [(k, x) for k, x in value.items() if isinstance(x, Tensor) and type(k) in (str, int)]
            yield from ((f"{key}[{k!r}]", x) for k, x in entries)


def paths_in(found: dict[str, Any]) -> Iterator[tuple[str, Tensor]]:
    """Parameters and buffers of the modules among variables; of several modules with the variable's name before."""
    outer = outermost(found)
    for key, module in outer:
        prefix = f"{key}." if len(outer) > 1 else ""
        yield from ((prefix + path, x) for path, x in paths(module))


def outermost(found: dict[str, Any]) -> list[tuple[str, Module]]:
    """The modules among variables that are no parts of others, with their names."""
    modules = {id(v): (key, v) for key, v in found.items() if isinstance(v, Module) and not key.startswith("_")}
    return [(key, module) for key, module in modules.values() if not _inside(module, modules)]


def paths(module: Module) -> Iterator[tuple[str, Tensor]]:
    """The parameters and buffers of a module, with their paths."""
    yield from module.named_parameters()
    yield from module.named_buffers()


def _inside(module: Module, others: dict[int, tuple[str, Any]]) -> bool:
    return any(other is not module and any(part is module for part in other.modules()) for _, other in others.values())
