"""``numpy.linalg``, for lists that hold Tensors too (see :mod:`gpugrad.numpy`)."""

import sys as _sys
from typing import TYPE_CHECKING
from typing import Any as _Any

import numpy.linalg as _library

if TYPE_CHECKING:
    from numpy.linalg import *  # noqa: F403
    from numpy.linalg import __all__ as __all__
else:
    from .wrapping import named as _named

    __all__ = [*_library.__all__]

    def __getattr__(name: str) -> _Any:
        value = _named(_library, name)
        setattr(_sys.modules[__name__], name, value)
        return value

    def __dir__() -> list[str]:
        return sorted({*dir(_library), *__all__})
