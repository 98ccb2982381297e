"""``torch.utils``: ``data`` is :mod:`gpugrad.data`; ``checkpoint.checkpoint(f, x)`` is ``gpugrad.checkpoint(f)(x)``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from ..transforms import checkpoint as _checkpoint

data: Any = None
"""Set by :mod:`gpugrad.torch`."""

__path__: list[str] = []
"""``gpugrad.torch.utils.data`` and ``gpugrad.torch.utils.checkpoint`` are modules below this one."""


def _checkpointed(function: Callable[..., Any], *args: Any, use_reentrant: Any = None, **kwargs: Any) -> Any:
    """The value of ``function(*args)``, computed again in the backward pass instead of kept."""
    return _checkpoint(function)(*args, **kwargs)


checkpoint = ModuleType(f"{__name__}.checkpoint")
checkpoint.checkpoint = _checkpointed  # type: ignore[attr-defined]
sys.modules[checkpoint.__name__] = checkpoint

__all__ = ["checkpoint", "data"]
