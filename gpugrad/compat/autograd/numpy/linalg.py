"""``numpy.linalg``, differentiable: :mod:`gpugrad.numpy.linalg`."""

from typing import Any as _Any

from .... import numpy as _np
from ....numpy import linalg as _namespace

__all__ = [*_namespace.__all__]


def __getattr__(name: str) -> _Any:
    return getattr(_namespace, name)


def __dir__() -> list[str]:
    return dir(_namespace)


def _by_triangle(a: _Any, uplo: str) -> _Any:
    """The symmetric matrix of one triangle, so that the gradient goes to that triangle alone, as in autograd."""
    a = _np.tril(a) if uplo.upper() == "L" else _np.conj(_np.swapaxes(_np.triu(a), -1, -2))
    return a + _np.conj(_np.swapaxes(_np.tril(a, -1), -1, -2))


def eigh(a: _Any, UPLO: str = "L") -> _Any:  # noqa: N803  NumPy's name
    """Eigenvalues and eigenvectors of a symmetric matrix, read from one triangle."""
    return _namespace.eigh(_by_triangle(a, UPLO))


def eigvalsh(a: _Any, UPLO: str = "L") -> _Any:  # noqa: N803
    """Eigenvalues of a symmetric matrix, read from one triangle."""
    return _namespace.eigvalsh(_by_triangle(a, UPLO))
