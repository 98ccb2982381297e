"""Modules made of modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import index as integer
from typing import Any, Self, overload

from ..core import Tensor
from .module import MODULE, Module


class _Listed(Module):
    """What :class:`Sequential` and :class:`ModuleList` share: a list whose elements are the attributes 0, 1, ..."""

    @property
    def _items(self) -> list[tuple[str, Module]]:
        return list(self._own(MODULE))

    def _name(self, position: Any) -> str:
        items, i = self._items, integer(position)
        if not -len(items) <= i < len(items):
            raise IndexError(f"index {i} is out of range for a {type(self).__name__} of {len(items)} modules")
        return items[i][0]

    def _become(self, modules: Iterable[Module]) -> None:
        """Hold these modules, numbered from 0."""
        modules = list(modules)
        for name, _ in self._items:
            delattr(self, name)
        self.extend(modules)

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Module]:
        return (module for _, module in self._items)

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._part(self._items[index])
        return self.__dict__[self._name(index)]

    def _part(self, items: list[tuple[str, Module]]) -> Self:
        raise NotImplementedError

    def __setitem__(self, index: int, module: Module) -> None:
        self.register_module(self._name(index), module)

    def __delitem__(self, index: int | slice) -> None:
        if not isinstance(index, slice):
            self._name(index)  # says what is out of range
        modules = list(self)
        del modules[index]
        self._become(modules)

    def append(self, module: Module) -> Self:
        """Add a module at the end.

        Raises:
            TypeError: it is no Module.
        """
        self.register_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end."""
        for module in modules:
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Add a module before the one at ``index``."""
        modules = list(self)
        modules.insert(index, module)
        self._become(modules)
        return self

    def pop(self, index: int) -> Module:
        """Take the module at ``index`` out and return it.

        Raises:
            IndexError: there is none.
        """
        module = self[index]
        del self[index]
        return module

    def __iadd__(self, modules: Iterable[Module]) -> Self:
        return self.extend(modules)


class Sequential(_Listed):
    """Modules called one after the other, each on the result of the one before.

    Args:
        modules: the modules, or one dictionary of them by name.

    Raises:
        TypeError: one is no Module.

    Indexing gives a module, slicing a Sequential of the same modules. Source: ``torch.nn.Sequential``.

    >>> from gpugrad import nn
    >>> nn.Sequential(nn.Linear(4, 8), nn.ReLU())
    Sequential(
      (0): Linear(in_features=4, out_features=8, bias=True)
      (1): ReLU()
    )
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        super().__init__()
        named: Any = enumerate(modules)
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            named = modules[0].items()
        for name, module in named:
            self.register_module(str(name), module)

    def _part(self, items: list[tuple[str, Module]]) -> Self:
        return type(self)(dict(items))

    def __add__(self, other: Sequential) -> Sequential:
        return Sequential(*self, *other)

    def __mul__(self, other: int) -> Sequential:
        if not isinstance(other, int) or other < 1:
            raise ValueError(f"Sequential: expected a positive number of repetitions, got {other!r}")
        return Sequential(*(list(self) * other))

    def __imul__(self, other: int) -> Self:
        return self.extend((self * other)[len(self) :])

    __rmul__ = __mul__

    def forward(self, input: Tensor) -> Tensor:
        for module in self:
            input = module(input)
        return input


class ModuleList(_Listed):
    """A list of modules whose parameters are found; it computes nothing itself.

    Args:
        modules: to begin with.

    Raises:
        TypeError: one is no Module.

    Source: ``torch.nn.ModuleList``.

    >>> from gpugrad import nn
    >>> nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
    ModuleList(
      (0-2): 3 x Linear(in_features=2, out_features=2, bias=True)
    )
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    def _part(self, items: list[tuple[str, Module]]) -> Self:
        return type(self)(module for _, module in items)

    def __add__(self, modules: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *modules])

    def _child_reprs(self) -> list[tuple[str, str]]:
        lines = []
        for text, group in groupby(super()._child_reprs(), key=lambda child: child[1]):
            names = [name for name, _ in group]
            several = len(names) > 1
            lines.append((f"{names[0]}-{names[-1]}", f"{len(names)} x {text}") if several else (names[0], text))
        return lines


class NamedMembers(Module):
    """What :class:`ModuleDict` and ``ParameterDict`` share: a dictionary whose values are attributes of one kind."""

    kind = MODULE

    def __len__(self) -> int:
        return len(self.keys())

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __contains__(self, name: object) -> bool:
        return name in self.keys()

    def __getitem__(self, name: str) -> Any:
        members = dict(self.items())
        if name not in members:
            raise KeyError(f"{name!r} is not one of {', '.join(map(repr, members)) or f'no {self.kind}s'}")
        return members[name]

    def __setitem__(self, name: str, value: Any) -> None:
        raise NotImplementedError

    def __delitem__(self, name: str) -> None:
        self[name]
        delattr(self, name)

    def keys(self) -> list[str]:
        """The names."""
        return [name for name, _ in self.items()]

    def values(self) -> list[Any]:
        """What is in it."""
        return [value for _, value in self.items()]

    def items(self) -> list[tuple[str, Any]]:
        """The pairs of name and value."""
        return list(self._own(self.kind))

    def update(self, members: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        """Add members, in place of those of the same name."""
        for name, value in members.items() if isinstance(members, Mapping | NamedMembers) else members:
            self[name] = value

    def pop(self, name: str) -> Any:
        """Take one out and return it.

        Raises:
            KeyError: there is none of this name.
        """
        value = self[name]
        del self[name]
        return value

    def clear(self) -> None:
        """Take all out."""
        for name in self.keys():
            del self[name]


class ModuleDict(NamedMembers):
    """Modules by name, in the order in which they came; it computes nothing itself.

    Args:
        modules: a dictionary, or pairs, to begin with.

    Raises:
        TypeError: one is no Module.
        ValueError: a name has a dot in it, or is that of an attribute such as ``"forward"``.

    Source: ``torch.nn.ModuleDict``.

    >>> from gpugrad import nn
    >>> nn.ModuleDict({"head": nn.Linear(2, 1)})
    ModuleDict(
      (head): Linear(in_features=2, out_features=1, bias=True)
    )
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] = ()) -> None:
        super().__init__()
        self.update(modules)

    def __setitem__(self, name: str, module: Module) -> None:
        self.register_module(name, module)
