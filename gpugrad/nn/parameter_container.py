"""Lists and dictionaries of parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from operator import index as integer
from typing import Any, Self

from ..core import Tensor
from .container import NamedMembers
from .module import PARAMETER, Module
from .parameter import Parameter


def _parameter(value: Any) -> Parameter:
    """A Parameter as it is, of a Tensor one that shares its memory."""
    if isinstance(value, Parameter):
        return value
    if not isinstance(value, Tensor):
        raise TypeError(f"expected a Parameter or a Tensor, got {type(value).__name__}")
    return Parameter(value)


class _Parameters(Module):
    def _child_reprs(self) -> list[tuple[str, str]]:
        return [(n, f"Parameter containing: [{p.dtype} of size {p.shape}]") for n, p in self._own(PARAMETER)]


class ParameterList(_Parameters):
    """A list of parameters that a module finds; their names are 0, 1, ...

    Args:
        values: Parameters, or Tensors to make them of, to begin with.

    Raises:
        TypeError: one is neither.

    Source: ``torch.nn.ParameterList``, for parameters alone.

    >>> import gpugrad as gg
    >>> weights = gg.nn.ParameterList([gg.ones(2), gg.zeros(3)])
    >>> len(weights), list(weights.state_dict())
    (2, ['0', '1'])
    """

    def __init__(self, values: Iterable[Tensor] | None = None) -> None:
        super().__init__()
        self.extend(() if values is None else values)

    def __len__(self) -> int:
        return len(list(self._own(PARAMETER)))

    def __iter__(self) -> Iterator[Parameter]:
        return (parameter for _, parameter in self._own(PARAMETER))

    def _name(self, position: Any) -> str:
        n, i = len(self), integer(position)
        if not -n <= i < n:
            raise IndexError(f"index {i} is out of range for a ParameterList of {n} parameters")
        return str(i % n)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return self.__dict__[self._name(index)]

    def __setitem__(self, index: int, value: Tensor) -> None:
        self.register_parameter(self._name(index), _parameter(value))

    def __delitem__(self, index: int | slice) -> None:
        kept = list(self)
        if not isinstance(index, slice):
            self._name(index)  # says what is out of range
        del kept[index]
        for i in range(len(self)):
            delattr(self, str(i))
        self.extend(kept)

    def append(self, value: Tensor) -> Self:
        """Add one at the end.

        Raises:
            TypeError: it is neither a Parameter nor a Tensor.
        """
        self.register_parameter(str(len(self)), _parameter(value))
        return self

    def extend(self, values: Iterable[Tensor]) -> Self:
        """Add several at the end.

        Raises:
            TypeError: a single Tensor is given, or one is neither a Parameter nor a Tensor.
        """
        if isinstance(values, Tensor) or not isinstance(values, Iterable):
            raise TypeError(f"ParameterList: expected several parameters, got {type(values).__name__}")
        for value in values:
            self.append(value)
        return self

    def pop(self, index: int = -1) -> Parameter:
        """Take one out and return it.

        Raises:
            IndexError: there is none.
        """
        value: Parameter = self[index]
        del self[index]
        return value

    def __iadd__(self, values: Iterable[Tensor]) -> Self:
        return self.extend(values)


class ParameterDict(_Parameters, NamedMembers):
    """Parameters by name, in the order in which they came.

    Args:
        parameters: a dictionary, or pairs, of Parameters or of Tensors to make them of.

    Raises:
        TypeError: a value is neither.
        ValueError: a name has a dot in it, or is that of an attribute such as ``"forward"``.

    Source: ``torch.nn.ParameterDict``, for parameters alone.

    >>> import gpugrad as gg
    >>> weights = gg.nn.ParameterDict({"left": gg.ones(2)})
    >>> weights["right"] = gg.zeros(3)
    >>> list(weights.state_dict())
    ['left', 'right']
    """

    kind = PARAMETER

    def __init__(self, parameters: Mapping[str, Tensor] | Iterable[tuple[str, Tensor]] | None = None) -> None:
        super().__init__()
        self.update(() if parameters is None else parameters)

    def __setitem__(self, name: str, value: Tensor) -> None:
        self.register_parameter(name, _parameter(value))

    def get(self, name: str, default: Any = None) -> Any:
        """The parameter of this name, or ``default``."""
        return dict(self.items()).get(name, default)
