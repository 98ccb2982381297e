"""``scipy.linalg``, differentiable: gpugrad's functions for Tensors, SciPy's own for arrays."""

from typing import Any as _Any

import scipy.linalg as _scipy

from .... import linalg as _ours
from .... import numpy as _np
from .routing import routed as _routed


def __getattr__(name: str) -> _Any:
    value = _routed(_scipy, _ours, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return dir(_scipy)


def solve_triangular(
    a: _Any, b: _Any, trans: _Any = 0, lower: bool = False, unit_diagonal: bool = False, **_: _Any
) -> _Any:
    """``x`` with ``op(A) x = b`` for a triangular ``A``.

    ``trans`` is 0 or "N" for A as it is, 1 or "T" for it transposed, 2 or "C" for it transposed and conjugated.

    Source: ``scipy.linalg.solve_triangular``; its further arguments (checks, memory) change nothing.
    """
    if trans in (1, "T", 2, "C"):
        a, lower = _np.swapaxes(a, -1, -2), not lower
        a = _np.conj(a) if trans in (2, "C") else a
    return _routed(_scipy, _ours, "solve_triangular")(a, b, lower=lower, unit_diagonal=unit_diagonal)


def sqrtm(A: _Any, disp: bool = True, blocksize: int = 64) -> _Any:  # noqa: N803  SciPy's name
    """The square root of a matrix. Source: ``scipy.linalg.sqrtm``; ``disp`` and ``blocksize`` change nothing."""
    return _routed(_scipy, _ours, "sqrtm")(A)
