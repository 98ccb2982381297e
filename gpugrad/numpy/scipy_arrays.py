"""SciPy's functions for arrays of any library, switched on inside transforms.

Functions such as ``scipy.special.logsumexp`` compute on Tensors if the environment variable ``SCIPY_ARRAY_API`` is set
before SciPy is imported. Programs that import :mod:`gpugrad.numpy` have SciPy's switch follow the transform instead: it
is on inside one, and as the variable says elsewhere. SciPy has no public function for that; where its switch is not
found, only the variable counts.
"""

from __future__ import annotations

from importlib import import_module

from ..core.modes import inside

PLACES = ("scipy._lib._array_api_override", "scipy._lib._array_api")
"""The modules in which SciPy has had its switch."""


class Switch:
    """On inside a transform; elsewhere as it was."""

    def __init__(self, before: object) -> None:
        self.before = before

    def __bool__(self) -> bool:
        return bool(self.before) or inside() is not None


def install() -> None:
    """Let SciPy's switch follow the transform."""
    for place in PLACES:
        try:
            module = import_module(place)
        except ImportError:
            continue
        before = getattr(module, "SCIPY_ARRAY_API", None)
        if before is not None and not isinstance(before, Switch):
            module.SCIPY_ARRAY_API = Switch(before)  # type: ignore[attr-defined]
