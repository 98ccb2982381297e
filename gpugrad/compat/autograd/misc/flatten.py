"""Nested containers as one vector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .... import numpy as np
from ....core import Tensor


def flatten(value: Any) -> tuple[Any, Callable[[Any], Any]]:
    """All numbers of nested lists, tuples and dicts as a vector, and a function that makes the nesting of a vector.

    Dicts are taken in the order of their sorted keys.

    >>> flat, unflatten = flatten({"w": [1.0, 2.0], "b": np.zeros((1, 2))})
    >>> flat
    array([0., 0., 1., 2.])
    >>> unflatten(flat)
    {'w': [np.float64(1.0), np.float64(2.0)], 'b': array([[0., 0.]])}
    """
    leaves: list[Any] = []
    rebuild = _taken(value, leaves)
    shapes = [np.shape(leaf) for leaf in leaves]
    sizes = [int(np.prod(shape)) for shape in shapes]
    flat = np.concatenate([np.ravel(leaf) for leaf in leaves]) if leaves else np.array([])

    def unflatten(vector: Any) -> Any:
        if np.shape(vector) != (sum(sizes),):
            raise ValueError(f"expected a vector of {sum(sizes)} numbers, got shape {np.shape(vector)}")
        parts, start = [], 0
        for shape, size in zip(shapes, sizes, strict=True):
            part = np.reshape(vector[start : start + size], shape)
            parts.append(part if shape or isinstance(part, Tensor) else part[()])
            start += size
        return rebuild(iter(parts))

    return flat, unflatten


def _taken(value: Any, leaves: list[Any]) -> Callable[[Any], Any]:
    """Append the leaves of a value; returns what makes its nesting of others."""
    if isinstance(value, dict):
        made = {key: _taken(value[key], leaves) for key in sorted(value)}
        return lambda parts: dict(
            sorted(((k, f(parts)) for k, f in made.items()), key=lambda kv: list(value).index(kv[0]))
        )
    if isinstance(value, list | tuple):
        parts = [_taken(part, leaves) for part in value]
        kind = type(value)
        return lambda given: kind([part(given) for part in parts])
    leaves.append(value)
    return next


def flatten_func(func: Callable[..., Any], example: Any) -> tuple[Callable[..., Any], Callable[[Any], Any], Any]:
    """A function of containers as a function of vectors, with what unflattens them and the example as a vector."""
    flat, unflatten = flatten(example)
    return lambda x, *args: flatten(func(unflatten(x), *args))[0], unflatten, flat
