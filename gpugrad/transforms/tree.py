"""Nested arguments: lists, tuples, named tuples, dicts and dataclasses of arrays, taken apart and put together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .. import backend
from ..core import Tensor, dispatch

Rebuild = Callable[[Iterator[Any]], Any]


def is_leaf(value: Any) -> bool:
    """Whether a value is an array or a number, not a container of them."""
    return isinstance(value, Tensor | float | int | complex) or type(value) in backend.EAGER or backend.is_array(value)


def flatten(tree: Any, path: str = "argument") -> tuple[list[Any], Rebuild]:
    """The leaves of a nested value, and a function that makes the same nesting of other leaves.

    Args:
        tree: an array, a number, None, or lists, tuples, dicts and dataclasses of these.
        path: what to call it in an error.

    Raises:
        TypeError: something in it is none of these.

    >>> leaves, rebuild = flatten({"w": [1.0, 2.0], "b": (3.0, None)})
    >>> leaves
    [1.0, 2.0, 3.0]
    >>> rebuild(iter("xyz"))
    {'w': ['x', 'y'], 'b': ('z', None)}
    """
    if tree is None:
        return [], lambda leaves: None
    if is_leaf(tree):
        return [tree], next
    opened = container(tree, path)
    if opened is None:
        raise TypeError(
            f"{path}: expected an array, a number, or lists, tuples, dicts and dataclasses of them, "
            f"got {type(tree).__name__}"
        )
    parts, make = opened
    taken = [flatten(value, where) for where, value in parts]
    leaves = [leaf for found, _ in taken for leaf in found]
    return leaves, lambda given: make([rebuild(given) for _, rebuild in taken])


def container(tree: Any, path: str) -> tuple[list[tuple[str, Any]], Callable[[list[Any]], Any]] | None:
    """What a container holds, each with its name, and a function that fills such a container; None for others."""
    if isinstance(tree, Mapping):
        keys = list(tree)
        return [(f"{path}[{k!r}]", tree[k]) for k in keys], lambda values: dict(zip(keys, values, strict=True))
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        named = [(f"{path}.{name}", value) for name, value in zip(tree._fields, tree, strict=True)]
        return named, lambda values: type(tree)(*values)
    if isinstance(tree, list | tuple):
        return [(f"{path}[{i}]", value) for i, value in enumerate(tree)], type(tree)
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        names = [field.name for field in dataclasses.fields(tree) if field.init]
        return [(f"{path}.{name}", getattr(tree, name)) for name in names], lambda values: dataclasses.replace(
            tree, **dict(zip(names, values, strict=True))
        )
    return None


def tree_map(f: Callable[..., Any], tree: Any) -> Any:
    """The same nesting with ``f`` of each leaf.

    >>> tree_map(lambda x: 2 * x, {"a": [1, 2]})
    {'a': [2, 4]}
    """
    leaves, rebuild = flatten(tree)
    return rebuild(iter([f(leaf) for leaf in leaves]))


def map_tensors(f: Callable[[Tensor], Any], value: Any) -> Any:
    """The same nesting with ``f`` of each Tensor; unlike :func:`tree_map`, anything else stays as it is.

    >>> import gpugrad as gg
    >>> map_tensors(Tensor.tolist, {"loss": gg.tensor(1.0), "name": ["run", None]})
    {'loss': 1.0, 'name': ['run', None]}
    """
    if isinstance(value, Tensor):
        return f(value)
    opened = container(value, "")
    if opened is None:
        return value
    parts, make = opened
    return make([map_tensors(f, part) for _, part in parts])


def in_kind(y: Tensor, arrays_given: bool) -> Any:
    """A result in the kind that the caller works with: for plain arrays its array, which the caller may write to.

    It stays a Tensor where an array would lose something: its place in a graph, or the samples of an outer vmap.
    """
    return backend.duplicate(y.data) if arrays_given and y.node is None and not dispatch.mapped(y) else y
