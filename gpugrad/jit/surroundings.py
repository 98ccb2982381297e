"""What a function reads that is not an argument: variables around it, globals, attributes of the objects it uses.

Arrays among them are inputs of the program. All else was read by Python while the function was recorded, and is frozen
in the program; so it is looked at before each call, and a program is used only where all is as it was. The walk is
careful to look at nothing that the function does not name: the names are those in its code, and in the code of what it
calls.
"""

from __future__ import annotations

import functools
import operator
import random
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import repeat
from operator import is_
from typing import Any

import numpy

from .. import backend
from ..backend import BACKENDS
from ..core import Tensor
from ..core.errors import LIBRARIES, is_own_file
from ..nn.module import Module
from ..optim import Optimizer
from ..optim.lr_scheduler import LRScheduler
from ..random import Generator

ABSENT: Any = type("absent", (), {"__repr__": lambda self: "nothing"})()

STATE = "_gpugrad_jitted"
"""Where an object keeps the programs of its methods."""

DYNAMIC = frozenset({"getattr", "vars", "__dict__", "setattr", "hasattr"})
"""Names of what reaches attributes that are not named in the code."""

PLAIN = (bool, int, float, complex, str, bytes, type(None), numpy.generic, numpy.dtype, range)
"""What is compared by value where it is another object."""

PACKAGE = __name__.partition(".")[0]

SELF_MOVING = (Optimizer, LRScheduler, Generator)
"""Objects whose numbers are inputs of a program, which does again what they do on the host."""


class Wrapper:
    """What stands for a function and keeps programs of it: only the function is looked at."""

    __wrapped__: Any


class Place:
    """Some values in one holder, as they were when a function was recorded.

    Attributes:
        holder: a dict, a list, or a cell.
        keys: which of a dict; None for all of it.
        values: what was there.
        name: of the holder, to be told.
    """

    __slots__ = ("holder", "keys", "name", "old_keys", "owner", "values")

    def __init__(self, holder: Any, keys: tuple[Any, ...] | None, name: str, owner: Any = None) -> None:
        self.holder, self.keys, self.name, self.owner = holder, keys, name, owner
        self.values = list(self.now())
        self.old_keys = self.all_keys()

    def now(self) -> Iterable[Any]:
        """What is there now."""
        holder = self.holder
        if self.keys is not None:
            return map(holder.get, self.keys, repeat(ABSENT))
        if isinstance(holder, Mapping):
            return holder.values()
        if isinstance(holder, types.CellType):
            return (_content(holder),)
        return holder  # type: ignore[no-any-return]

    def all_keys(self) -> list[Any]:
        """The keys, indices or names of what is there."""
        if self.keys is not None:
            return list(self.keys)
        if isinstance(self.holder, Mapping):
            return list(self.holder)
        return [0] if isinstance(self.holder, types.CellType) else list(range(len(self.holder)))

    def same(self, replaced: Callable[[Any, Any], bool]) -> bool:
        """Whether all is as it was; plain values may be other objects of the same value.

        Args:
            replaced: whether another Tensor does as well as the one that was there; of the old and the new one.
        """
        values = self.values
        if self.keys is None and type(self.holder) is not types.CellType and len(self.holder) != len(values):
            return False
        if all(map(is_, self.now(), values)):
            return True
        for i, (new, old) in enumerate(zip(list(self.now()), values, strict=True)):
            if new is not old:
                if not alike(new, old) and not (isinstance(old, Tensor) and replaced(old, new)):
                    return False
                values[i] = new
        return True

    def changes(self) -> list[tuple[Any, Any, Any]]:
        """The keys of what is not as it was, the old and the new value; nothing is ABSENT."""
        found = dict(zip(self.all_keys(), self.now(), strict=True))
        old = dict(zip(self.old_keys, self.values, strict=True))
        return [
            (key, old.get(key, ABSENT), found.get(key, ABSENT)) for key in {**old, **found}
            if found.get(key, ABSENT) is not old.get(key, ABSENT)
            and not alike(found.get(key, ABSENT), old.get(key, ABSENT))
        ]  # fmt: skip

    def set(self, key: Any, value: Any) -> None:
        """Put a value there."""
        if isinstance(self.holder, types.CellType):
            self.holder.cell_contents = value
        elif isinstance(self.holder, types.MappingProxyType):
            setattr(self.owner, key, value)
        else:
            self.holder[key] = value

    def label(self, key: Any) -> str:
        """What to call one of the values in a message."""
        if isinstance(self.holder, types.CellType):
            return self.name
        if isinstance(self.holder, list | set | dict | deque) and self.owner is None:
            return f"{self.name}[{key!r}]"
        return f"{self.name}.{key}" if self.name else str(key)


CHUNK = 1 << 20
"""Bytes that are compared at a time."""


class Content:
    """An array of NumPy that a function may read beside the recording: its elements, compared at each call.

    NumPy does not tell who reads an array, so ``table[0]`` may stand as a number in the program.
    """

    __slots__ = ("_kept", "array", "elements", "name")

    def __init__(self, array: numpy.ndarray[Any, Any], name: str) -> None:
        self.array, self.name = array, name
        if array.nbytes <= CHUNK:
            self.elements: Callable[[], Any] = array.tobytes
        else:
            self._kept = list(self._parts())
            self.elements = self._same

    def _parts(self) -> Iterator[bytes]:
        flat = self.array.reshape(-1)
        step = CHUNK // self.array.itemsize
        return (flat[i : i + step].tobytes() for i in range(0, flat.size, step))

    def _same(self) -> bool:
        return all(map(operator.eq, self._parts(), self._kept))


def alike(new: Any, old: Any) -> bool:
    """Whether two values are one to a program: plain ones of the same type, value and sign."""
    if type(new) is not type(old) or not isinstance(new, PLAIN):
        return False
    if isinstance(new, float | complex):
        return repr(new) == repr(old)
    return bool(new == old)


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # empty
        return ABSENT


class Sequence:
    """Something that gives another value each time: an iterator, or random numbers of another library's."""

    __slots__ = ("before", "name", "state")

    def __init__(self, name: str, state: Callable[[], Any]) -> None:
        self.name, self.state = name, state
        self.before = repr(state())

    def moved(self) -> bool:
        """Whether it has given a value since."""
        return repr(self.state()) != self.before


def _state_of(value: Any) -> Callable[[], Any] | None:
    """A function that tells how far a sequence is; None for what is no sequence."""
    if isinstance(value, types.GeneratorType):
        return lambda: None if value.gi_frame is None else value.gi_frame.f_lasti + len(repr(value.gi_frame.f_locals))
    if isinstance(value, numpy.random.Generator):
        return lambda: value.bit_generator.state
    if isinstance(value, numpy.random.RandomState):
        return value.get_state
    if isinstance(value, random.Random):
        return value.getstate
    if hasattr(type(value), "__next__") and _is_library(type(value).__module__):
        return lambda: _reduced(value)
    return None


def _reduced(iterator: Any) -> Any:
    try:
        return [part for part in iterator.__reduce__()[2:] if isinstance(part, int | tuple)]
    except TypeError:
        return operator.length_hint(iterator, 0)


class Surroundings:
    """All that is reached from a function.

    Attributes:
        places: where values are that are to stay as they are.
        tensors: the Tensors, by id, and what they are called.
        arrays: the arrays.
        sequences: what gives another value each time.
    """

    def __init__(self, roots: Iterable[tuple[str, Any]]) -> None:
        self.places: list[Place] = []
        self.tensors: dict[int, tuple[Tensor, str]] = {}
        self.arrays: dict[int, tuple[Any, str]] = {}
        self.sequences: list[Sequence] = []
        self._names: set[str] = set()
        roots = list(roots)
        while True:
            known = len(self._names)
            self._walk(roots)
            if len(self._names) == known:
                break

    def holders(self) -> dict[int, int]:
        """For each Tensor, by id, in how many places it is."""
        found: dict[int, int] = {}
        for place in self.places:
            for value in place.values:
                if isinstance(value, Tensor):
                    found[id(value)] = found.get(id(value), 0) + 1
        return found

    def _walk(self, roots: list[tuple[str, Any]]) -> None:
        self.places, self.tensors, self.arrays = [], {}, {}
        self.sequences = []
        if "random" in self._names:
            self.sequences += [Sequence("numpy.random", numpy.random.get_state), Sequence("random", random.getstate)]
        self._seen: dict[int, Any] = {}
        self._waiting: deque[tuple[str, Any]] = deque(roots)
        while self._waiting:
            name, value = self._waiting.popleft()
            if isinstance(value, PLAIN) or id(value) in self._seen:
                continue
            self._seen[id(value)] = value
            self._visit(name, value)
        self._seen = {}

    # ---------------------------------------------------------------- one value

    def _visit(self, name: str, value: Any) -> None:
        if isinstance(value, Tensor):
            self._tensor(name, value)
        elif type(value) in BACKENDS or backend.is_array(value):
            self.arrays[id(value)] = value, name
        elif isinstance(value, types.FunctionType):
            self._function(name, value)
        elif isinstance(value, types.MethodType):
            self._waiting += [(name.rpartition(".")[0] or name, value.__self__), (name, value.__func__)]
        elif isinstance(value, types.BuiltinMethodType):
            self._waiting.append((name, value.__self__))
        elif isinstance(value, Wrapper):
            self._waiting.append((name, value.__wrapped__))
        elif isinstance(value, functools.partial):
            self._waiting += [(name, value.func), (f"{name}.args", value.args), (f"{name}.keywords", value.keywords)]
        elif isinstance(value, property | staticmethod | classmethod | functools.cached_property):
            self._waiting += [(name, f) for f in map(value.__getattribute__, _functions_of(value)) if f is not None]
        elif isinstance(value, tuple | frozenset):
            self._waiting += [(f"{name}[{i}]", part) for i, part in enumerate(value)]
        elif isinstance(value, list | dict | deque):
            self._place(value, None, name)
            if type(value) not in (list, dict, deque):
                self._object(name, value)
        elif isinstance(value, set):
            self._waiting += [(f"{name}[...]", part) for part in value]
        elif isinstance(value, types.ModuleType):
            if not _is_library(value.__name__):
                self._place(vars(value), self._named(vars(value)), name, value)
        elif isinstance(value, type):
            if not _is_library(value.__module__):
                self._class(name, value)
        elif (state := _state_of(value)) is not None:
            self.sequences.append(Sequence(name, state))
        else:
            self._object(name, value)

    def _tensor(self, name: str, tensor: Tensor) -> None:
        self.tensors[id(tensor)] = tensor, name
        watch = None if tensor.node is None else tensor.node.watch
        if watch is not None and watch.hooks:
            self._place(watch.hooks, None, f"a hook of {name}")

    def _function(self, name: str, function: types.FunctionType) -> None:
        if is_own_file(function.__code__.co_filename) or _is_library(function.__module__ or ""):
            for i, cell in enumerate(function.__closure__ or ()):  # of a decorator, such as grad
                self._place(cell, None, function.__code__.co_freevars[i])
            return
        names = list(_names(function.__code__))
        self._names.update(names)
        for i, cell in enumerate(function.__closure__ or ()):
            self._place(cell, None, function.__code__.co_freevars[i])
        around = function.__globals__
        found = tuple([n for n in dict.fromkeys(names) if n in around])
        if found:
            self._place(around, found, "", function)
        self._waiting.append((name, function.__defaults__))
        if function.__kwdefaults__:
            self._place(function.__kwdefaults__, None, name)
        wrapped = getattr(function, "__wrapped__", None)
        if wrapped is not None:
            self._waiting.append((name, wrapped))

    def _class(self, name: str, kind: type) -> None:
        for one in kind.__mro__:
            if not _is_library(one.__module__):
                named = self._named(vars(one), special=True)
                if named:
                    self._place(vars(one), named, one.__name__, one)

    def _object(self, name: str, value: Any) -> None:
        kind = type(value)
        if isinstance(value, SELF_MOVING):
            self._self_moving(name, value)
            return
        library = _is_library(kind.__module__)
        if library and not kind.__module__.startswith(PACKAGE):
            return
        found = getattr(value, "__dict__", None)
        if isinstance(found, dict):
            everything = library or not self._names.isdisjoint(DYNAMIC)
            self._place(found, None if everything else self._attributes(found, value), name, value)
        for one in kind.__mro__:
            slots = vars(one).get("__slots__", ())
            for slot in (slots,) if isinstance(slots, str) else slots:
                if slot not in UNSEEN and (library or slot in self._names) and hasattr(value, slot):
                    self._waiting.append((f"{name}.{slot}", getattr(value, slot)))
        self._class(kind.__name__, kind)

    def _self_moving(self, name: str, value: Any) -> None:
        if isinstance(value, Optimizer):
            for hooks in (value._hooks or {}).values():
                self._waiting += [(f"a hook of {name}", hook) for hook in hooks.values()]
            for i, group in enumerate(value.param_groups):
                if "param_groups" in self._names:
                    self._place(group, None, f"{name}.param_groups[{i}]")
                else:
                    self._waiting.append((f"{name}.param_groups[{i}]['params']", group["params"]))
        elif isinstance(value, LRScheduler):
            self._waiting.append((f"{name}.optimizer", value.optimizer))
            if not self._names.isdisjoint({"get_last_lr", "_last_lr", "last_epoch", "get_lr", "base_lrs"}):
                self._place(vars(value), ("_last_lr", "last_epoch", "base_lrs"), name, value)

    # ---------------------------------------------------------------- what a holder holds

    def _attributes(self, attributes: Mapping[str, Any], value: Any) -> tuple[str, ...]:
        """The attributes of an object that code names, where it has them or its class does; all parts of a Module."""
        names = [name for name in self._names if name in attributes or hasattr(type(value), name)]
        if isinstance(value, Module):
            names += [
                "_kinds",
                "_hooks",
                "training",
                *(k for k in attributes if isinstance(attributes[k], Tensor | Module)),
            ]
        return tuple(sorted(set(names)))

    def _named(self, attributes: Mapping[str, Any], special: bool = False) -> tuple[str, ...]:
        """The attributes of a class or module that code names, and those that Python or gpugrad call by themselves."""
        return tuple(
            k for k in attributes
            if k in self._names or (special and (k == "forward" or (k.startswith("__") and k not in UNSEEN)))
        )  # fmt: skip

    def _place(self, holder: Any, keys: tuple[Any, ...] | None, name: str, owner: Any = None) -> None:
        made = Place(holder, keys, name, owner)
        self.places.append(made)
        for key, value in zip(made.all_keys(), made.values, strict=True):
            if not isinstance(value, PLAIN) and value is not ABSENT and not (owner is not None and key in UNSEEN):
                self._waiting.append((made.label(key), value))


UNSEEN = frozenset({
    STATE, "__dict__", "__weakref__", "__doc__", "__module__", "__annotations__", "__slots__",
    "__abstractmethods__",
    "__dataclass_fields__", "__dataclass_params__", "__match_args__", "__static_attributes__", "__firstlineno__",
    "__qualname__", "__classcell__", "__parameters__", "__orig_bases__", "_abc_impl", "__annotations_cache__",
    "__annotate_func__", "__init__", "__new__", "__repr__", "__del__", "__reduce__", "__getstate__", "__setstate__",
    "__class_getitem__", "__init_subclass__", "__subclasshook__",
})  # fmt: skip
"""Attributes that no value of a program depends on."""


def _functions_of(value: Any) -> tuple[str, ...]:
    if isinstance(value, property):
        return "fget", "fset"
    return ("func",) if isinstance(value, functools.cached_property) else ("__func__",)


def _is_library(module: str) -> bool:
    top = module.partition(".")[0]
    return top in LIBRARIES or top == PACKAGE


def _names(code: types.CodeType) -> Iterator[str]:
    """The names of globals and attributes in code, and in the code inside of it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)
