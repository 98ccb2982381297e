"""Covariance and correlation of variables.

Source: NumPy.
"""

from __future__ import annotations

import math
from typing import Any

from .. import backend
from ..backend import Array
from ..backend.dtypes import float64
from ..core import Tensor
from .arithmetic import clip, divide, multiply
from .beside import beside
from .creation import asarray, astype
from .diagonals import diag
from .functions import sqrt
from .linear import matmul
from .reduction import mean, sum
from .rounding import conj, real
from .shaping import concat, expand_dims, matrix_transpose, squeeze
from .stacking import atleast_2d


def _variables(name: str, x: Array, rowvar: bool) -> Array:
    t = asarray(x)
    if t.ndim > 2:
        raise ValueError(f"{name}: expected variables of shape (N,) or two axes, got shape {t.shape}")
    t = t if backend.is_floating(t.dtype) else astype(t, float64)
    return atleast_2d(t) if rowvar or t.ndim < 2 else matrix_transpose(t)


def _weights(name: str, given: Any, x: Tensor) -> Tensor:
    w = beside(given, x, None if isinstance(given, Tensor) else x.dtype)
    if w.shape != x.shape[1:]:
        raise ValueError(f"{name}: expected a weight for each of {x.shape[1]} observations, got shape {w.shape}")
    return w if backend.is_floating(w.dtype) else astype(w, x.dtype)


def cov(
    x: Array, y: Array | None = None, rowvar: bool = True, bias: bool = False, ddof: float | None = None,
    fweights: Array | None = None, aweights: Array | None = None,
) -> Array:  # fmt: skip
    """The covariance of each variable with each: ``sum(w (x_i - mean_i) conj(x_j - mean_j)) / norm``.

    Args:
        x: shape ``(M, N)``: N observations of M variables; or ``(N,)``, one variable.
        y: more variables, as ``x``.
        rowvar: whether a row is a variable; if not, a column is.
        bias: whether to divide by the number of observations N rather than N - 1.
        ddof: divide by N - ddof, whatever ``bias`` says.
        fweights: how often each observation occurred, shape ``(N,)``.
        aweights: how much each observation counts, shape ``(N,)``. With weights, N is their sum, and ddof is weighted
            with ``sum(w aweights) / sum(w)``.

    Returns:
        Shape ``(M, M)``, for a single variable ``()``.

    Raises:
        ValueError: more than two axes, or not one weight for each observation.

    >>> import gpugrad as gg
    >>> gg.cov(gg.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    t = _variables("cov", x, rowvar)
    if y is not None:
        t = concat([t, _variables("cov", beside(y, t), rowvar)], axis=0)
    correction = (0 if bias else 1) if ddof is None else ddof
    frequency = None if fweights is None else _weights("cov", fweights, t)
    importance = None if aweights is None else _weights("cov", aweights, t)
    if frequency is None and importance is None:
        centred = t - mean(t, axis=1, keepdims=True)
        free = t.shape[1] - correction
        return _product(centred, centred, 1 / free if free > 0 else math.nan)
    w = multiply(frequency, importance) if frequency is not None and importance is not None else frequency
    w = importance if w is None else w
    total = sum(w)
    centred = t - divide(sum(t * w, axis=1, keepdims=True), total)
    lost = correction if importance is None else correction * sum(w * importance) / total
    return _product(centred * w, centred, 1 / (total - lost))


def _product(left: Array, right: Array, scale: Any) -> Array:
    right = conj(right) if right.dtype.kind == "c" else right
    c = matmul(left, matrix_transpose(right)) * scale
    return squeeze(c) if c.shape == (1, 1) else c


def corrcoef(x: Array, y: Array | None = None, rowvar: bool = True) -> Array:
    """The correlation of each variable with each: ``cov_ij / sqrt(cov_ii cov_jj)``, from -1 to 1.

    Args:
        x: as for :func:`cov`.
        y: more variables.
        rowvar: whether a row is a variable; if not, a column is.

    Returns:
        Shape ``(M, M)``, for a single variable ``()``; NaN for one that is constant.

    >>> import gpugrad as gg
    >>> gg.corrcoef(gg.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    c = cov(x, y, rowvar)
    if not c.shape:
        return c / c
    deviation = sqrt(real(diag(c)) if c.dtype.kind == "c" else diag(c))
    scaled = c / expand_dims(deviation, 1) / deviation
    return scaled if c.dtype.kind == "c" else clip(scaled, -1, 1)
