"""NumPy's namespace, differentiable: :mod:`gpugrad.numpy` under the name of ``autograd.numpy``."""

from typing import Any as _Any

import numpy as _numpy

from .... import numpy as _namespace
from ....core import Tensor as _Tensor
from ....ops.indexing import set_at as _set_at
from ..values import getval as _getval
from . import fft, linalg, random

__all__ = [*_namespace.__all__, "fft", "linalg", "random"]


def __getattr__(name: str) -> _Any:
    original = getattr(_numpy, name, None)
    compared = isinstance(original, type) and issubclass(original, _numpy.inexact)  # x.dtype.type is np.float32
    return original if compared else getattr(_namespace, name)


def __dir__() -> list[str]:
    return dir(_namespace)


def make_diagonal(D: _Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> _Any:  # noqa: N803  autograd's name
    """Matrices with the vectors along the last axis of ``D`` on their diagonals, in axes ``axis1`` and ``axis2``."""
    size = _namespace.shape(D)[-1] + abs(offset)
    made: _Any = _namespace.zeros((*_namespace.shape(D)[:-1], size, size), dtype=_namespace.result_type(D))
    index = _namespace.arange(_namespace.shape(D)[-1])
    rows, columns = index + max(-offset, 0), index + max(offset, 0)
    if isinstance(D, _Tensor):
        made = _set_at(made, (Ellipsis, rows, columns), D)
    else:
        made[..., rows, columns] = D
    return _namespace.moveaxis(made, (-2, -1), (axis1, axis2))


def where(condition: _Any, x: _Any = None, y: _Any = None) -> _Any:
    """``numpy.where``, with its arguments by keyword too."""
    if (x is None) != (y is None):
        raise ValueError("where: expected both x and y, or neither")
    return _namespace.where(condition) if x is None else _namespace.where(condition, x, y)


def real_if_close(a: _Any, tol: float = 100) -> _Any:
    """The real part, where all imaginary parts are within ``tol`` (in units of the last place of 1) of zero."""
    if not isinstance(a, _Tensor):
        return _namespace.real_if_close(a, tol)
    a = _namespace.asarray(a)
    small = _getval(a).imag
    limit = tol * _namespace.finfo(a.dtype).eps if tol > 1 else tol
    return _namespace.real(a) if a.dtype.kind == "c" and bool((abs(small) < limit).all()) else a
