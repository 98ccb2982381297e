"""Arguments taken apart: the arrays among them, and a key that says all else about a call."""

from __future__ import annotations

import enum
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import numpy

from .. import backend
from ..backend import BACKENDS
from ..core import Leaf, Tensor
from ..transforms.tree import Rebuild, container

BY_VALUE = (bool, int, str, bytes, complex, type(None), type(Ellipsis), numpy.dtype, enum.Enum, range)
"""What is a part of the key as it is, beside its type."""


class Taken:
    """What a call was given.

    Attributes:
        leaves: the Tensors and arrays, in order.
        objects: what else is not a plain value: modules, optimizers, functions. They are known by identity.
    """

    __slots__ = ("leaves", "objects")

    def __init__(self) -> None:
        self.leaves: list[Any] = []
        self.objects: list[Any] = []

    def key(self, value: Any) -> Hashable:
        """A key for a value: what a program that was recorded with it depends on."""
        kind = type(value)
        if kind is Tensor or isinstance(value, Tensor):
            self.leaves.append(value)
            return kind, _graph(value.node), _array_key(value.data)
        if kind in BACKENDS:
            self.leaves.append(value)
            return kind, _array_key(value)
        if kind is float:
            return kind, value.hex()
        if isinstance(value, BY_VALUE):
            return kind, value
        if isinstance(value, numpy.generic):
            return kind, value.tobytes()
        if kind is slice:
            return slice, self.key((value.start, value.stop, value.step))
        if backend.is_array(value):
            self.leaves.append(value)
            return type(value), _array_key(value)
        parts = container(value, "")
        if parts is not None:
            return kind, tuple([(name, self.key(part)) for name, part in parts[0]])
        self.objects.append(value)
        return "object", id(value)


def _graph(node: Any) -> str | None:
    return None if node is None else "leaf" if isinstance(node, Leaf) else "node"


def _array_key(array: Any) -> Hashable:
    owner = BACKENDS[type(array)]
    place = None if owner.count <= 1 else owner.device(array)
    shape, strides = array.shape, None
    if len(shape) and not array.flags.c_contiguous:
        strides = array.strides
    return type(array), array.dtype, shape, strides, place


def static_key(value: Any, name: str) -> Hashable:
    """A key for an argument that is static by its name.

    Raises:
        TypeError: it cannot be hashed, and is no array of numbers.
    """
    if isinstance(value, Tensor):
        value = value.numpy()
    if isinstance(value, numpy.ndarray) and value.dtype.kind in "biufc":
        return "array", value.dtype, value.shape, value.tobytes()
    if type(value) is float:
        return value.hex()
    if isinstance(value, list):
        return "list", tuple([static_key(part, name) for part in value])
    if isinstance(value, dict):
        return "dict", tuple([(k, static_key(part, name)) for k, part in value.items()])
    try:
        hash(value)
    except TypeError:
        raise TypeError(
            f"static argument {name!r}: expected a value that can be hashed, got {type(value).__name__}"
        ) from None
    return type(value), value


def taken_apart(value: Any, is_dynamic: Callable[[Any], bool]) -> tuple[list[Any], Rebuild]:
    """The leaves of a nested value for which ``is_dynamic`` holds, and a function that puts others in their places."""
    if is_dynamic(value):
        return [value], next
    parts = None if value is None else container(value, "")
    if parts is None:
        return [], lambda leaves: value
    named, make = parts
    taken = [taken_apart(part, is_dynamic) for _, part in named]
    leaves = [leaf for found, _ in taken for leaf in found]
    if not leaves:
        return [], lambda given: value

    def rebuild(given: Iterator[Any]) -> Any:
        return make([build(given) for _, build in taken])

    return leaves, rebuild
