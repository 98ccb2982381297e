"""Functions that are recorded once and replayed without Python: :func:`jit`.

``signature.py`` takes arguments apart, ``surroundings.py`` finds what a function reads beside them, ``session.py``
records a call, ``variant.py`` replays it, ``split.py`` and ``backward.py`` make the way back a program of its own.
"""

import sys as _sys
from types import ModuleType as _ModuleType
from typing import Any as _Any

from .function import Jitted, jit

__all__ = ["Jitted", "jit"]


class _Callable(_ModuleType):
    """``gpugrad.jit`` is this package where it was imported before the function of its name was used: both are one."""

    def __call__(self, *args: _Any, **kwargs: _Any) -> _Any:
        return jit(*args, **kwargs)


_sys.modules[__name__].__class__ = _Callable
