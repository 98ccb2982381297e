"""Python's containers, and ``isinstance`` and ``type`` that look behind a Tensor.

Containers of Tensors are Python's own here: a list in a function that is differentiated is a list.
"""

import builtins as _builtins
from builtins import dict, list, tuple  # noqa: UP029  the names of the interface
from typing import Any as _Any

from .values import getval as _getval

SequenceBox = DictBox = ()  # nothing is an instance of these


def isinstance(value: _Any, kind: _Any) -> bool:
    """Whether a value, or what is behind a Tensor, is of a kind.

    >>> import gpugrad as gg
    >>> isinstance(gg.tensor(1.0, dtype=gg.float64), float), isinstance([], list)
    (True, True)
    """
    return _builtins.isinstance(value, kind) or _builtins.isinstance(_getval(value), kind)


def type(value: _Any) -> _Any:
    """The type of a value, or of what is behind a Tensor."""
    return _builtins.type(_getval(value))


def make_sequence(kind: _Any, *values: _Any) -> _Any:
    """A container of this kind."""
    return kind(values)


__all__ = ["dict", "isinstance", "list", "make_sequence", "tuple", "type"]
