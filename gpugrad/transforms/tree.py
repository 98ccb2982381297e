"""Nested arguments: lists, tuples, named tuples, dicts and dataclasses of arrays, taken apart and put together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .. import backend
from ..core import Tensor

Rebuild = Callable[[Iterator[Any]], Any]


def is_leaf(value: Any) -> bool:
    """Whether a value is an array or a number, not a container of them."""
    return isinstance(value, Tensor | float | int | complex) or type(value) in backend.PLAIN or backend.is_array(value)


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
    make: Callable[[list[Any]], Any]
    if isinstance(tree, Mapping):
        keys = list(tree)
        parts = [(f"{path}[{k!r}]", tree[k]) for k in keys]
        make = lambda values: dict(zip(keys, values, strict=True))  # noqa: E731
    elif isinstance(tree, tuple) and hasattr(tree, "_fields"):
        parts = [(f"{path}.{name}", value) for name, value in zip(tree._fields, tree, strict=True)]
        make = lambda values: type(tree)(*values)  # noqa: E731
    elif isinstance(tree, list | tuple):
        parts = [(f"{path}[{i}]", value) for i, value in enumerate(tree)]
        make = type(tree)
    elif dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        names = [field.name for field in dataclasses.fields(tree) if field.init]
        parts = [(f"{path}.{name}", getattr(tree, name)) for name in names]
        make = lambda values: dataclasses.replace(tree, **dict(zip(names, values, strict=True)))  # noqa: E731
    else:
        raise TypeError(
            f"{path}: expected an array, a number, or lists, tuples, dicts and dataclasses of them, "
            f"got {type(tree).__name__}"
        )
    taken = [flatten(value, where) for where, value in parts]
    leaves = [leaf for found, _ in taken for leaf in found]
    return leaves, lambda given: make([rebuild(given) for _, rebuild in taken])


def tree_map(f: Callable[..., Any], tree: Any) -> Any:
    """The same nesting with ``f`` of each leaf.

    >>> tree_map(lambda x: 2 * x, {"a": [1, 2]})
    {'a': [2, 4]}
    """
    leaves, rebuild = flatten(tree)
    return rebuild(iter([f(leaf) for leaf in leaves]))
