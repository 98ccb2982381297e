"""NumPy's ufuncs, for lists of Tensors too: ``np.sqrt([t, u])``, ``np.add.reduce([t, u])``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from .nested import LISTS, assembled, holds_tensors


def _joined(value: Any) -> Any:
    """A list of Tensors as one Tensor; anything else as it is."""
    return assembled(value) if type(value) in LISTS and holds_tensors(value) else value


class Ufunc:
    """A ufunc whose operands may be lists of Tensors; equal to NumPy's, and an instance of its class.

    NumPy asks Tensors what a ufunc is of them, but not those in a list, which it makes an array of first.
    """

    __module__ = __package__

    def __init__(self, ufunc: numpy.ufunc) -> None:
        self.ufunc = ufunc
        self.__name__ = self.__qualname__ = ufunc.__name__
        self.__doc__ = ufunc.__doc__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The ufunc of each element."""
        for value in args:
            if type(value) in LISTS and holds_tensors(value):
                return self.ufunc(*map(_joined, args), **kwargs)
        return self.ufunc(*args, **kwargs)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return numpy.ufunc

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ufunc, name)

    def __repr__(self) -> str:
        return repr(self.ufunc)

    def __eq__(self, other: object) -> bool:
        return other is self or other is self.ufunc

    def __hash__(self) -> int:
        return hash(self.ufunc)

    def __reduce__(self) -> str:
        return self.__name__


def _method(name: str) -> Callable[..., Any]:
    def method(self: Ufunc, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.ufunc, name)(*map(_joined, args), **kwargs)

    method.__name__, method.__doc__ = name, getattr(numpy.ufunc, name).__doc__
    return method


for _name in ("reduce", "accumulate", "reduceat", "outer", "at"):
    setattr(Ufunc, _name, _method(_name))
