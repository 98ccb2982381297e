"""``cupy.linalg`` where it is not ``numpy.linalg``, as functions of NumPy arrays; the others are NumPy's.

CuPy asks cuSOLVER for results and not for success: a singular matrix gives numbers without meaning, here NaN. ``solve``
broadcasts no batches, and the eigenvalues of a general matrix are always complex.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
from numpy.linalg import LinAlgError

Values = numpy.ndarray[Any, Any]


def __getattr__(name: str) -> Any:
    return getattr(numpy.linalg, name)


def _unasked(function: Callable[..., Values], a: Values, *others: Values) -> Values:
    """The results for all matrices, NaN for those that NumPy refuses."""
    try:
        return function(a, *others)
    except LinAlgError:
        if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
            raise
        if a.ndim == 2:
            y = function(numpy.eye(len(a), dtype=a.dtype), *others)
            return numpy.full_like(y, numpy.nan)
        return numpy.stack([_unasked(function, *parts) for parts in zip(a, *others, strict=True)])


def inv(a: Values) -> Values:
    """The inverse, or NaN."""
    return _unasked(numpy.linalg.inv, a)


def cholesky(a: Values) -> Values:
    """The lower triangle, or NaN; only that of ``a`` is read."""
    return _unasked(numpy.linalg.cholesky, a)


def solve(a: Values, b: Values) -> Values:
    """The solution, or NaN; of several matrices and matrices, one each. Errors say what CuPy would refuse."""
    rows = a.shape[-1] if a.ndim >= 2 else -1
    if rows < 0 or a.shape[-2] != rows:
        raise LinAlgError(f"expected square matrices, got {a.shape}")
    vector = b.ndim == 1
    if (b.shape if vector else b.shape[:-1]) != ((rows,) if vector else a.shape[:-1]):
        raise ValueError(f"expected {rows} rows in b, and as many matrices as in a: got {a.shape} and {b.shape}")
    if vector:
        columns = numpy.broadcast_to(b, a.shape[:-1])[..., None]
        return _unasked(numpy.linalg.solve, a, columns)[..., 0]
    if not b.size and a.size and a.ndim > 2:
        raise ZeroDivisionError("CuPy divides by the size of b")
    return _unasked(numpy.linalg.solve, a, b)


def eig(a: Values) -> tuple[Values, ...]:
    """Eigenvalues and eigenvectors, complex."""
    kind = numpy.result_type(a.dtype, numpy.complex64)
    return tuple(part.astype(kind) for part in numpy.linalg.eig(a))


def eigvals(a: Values) -> Values:
    """Eigenvalues, complex."""
    return numpy.linalg.eigvals(a).astype(numpy.result_type(a.dtype, numpy.complex64))
