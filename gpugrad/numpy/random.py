"""``numpy.random``, whose functions give Tensors inside a transform (see :mod:`gpugrad.numpy`)."""

import sys as _sys
from typing import TYPE_CHECKING
from typing import Any as _Any

import numpy.random as _library

if TYPE_CHECKING:
    from numpy.random import *  # noqa: F403
    from numpy.random import __all__ as __all__
else:
    from .wrapping import named as _named

    __all__ = [*_library.__all__]

    def __getattr__(name: str) -> _Any:
        value = _named(_library, name)
        setattr(_sys.modules[__name__], name, value)
        return value

    def __dir__() -> list[str]:
        return sorted({*dir(_library), *__all__})
