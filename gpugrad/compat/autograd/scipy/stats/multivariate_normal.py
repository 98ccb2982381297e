"""The normal distribution in several dimensions: ``scipy.stats.multivariate_normal``."""

import math
from typing import Any

from scipy.stats import multivariate_normal as _scipy

from ..... import numpy as np


def _scaled(mean: Any, cov: Any) -> tuple[Any, Any]:
    """Mean and covariance as arrays: one number stands for all axes of the other."""
    mean, cov = np.atleast_1d(mean), np.asarray(cov)
    return mean, cov * np.eye(mean.shape[-1]) if cov.ndim == 0 else np.diag(cov) if cov.ndim == 1 else cov


def logpdf(x: Any, mean: Any, cov: Any, allow_singular: bool = False) -> Any:
    """``-(log det(2 pi C) + (x - m)^T C^-1 (x - m)) / 2``.

    Args:
        x: points; the last axis is theirs.
        mean: shape ``(n,)``, or a number.
        cov: shape ``(n, n)``, symmetric and positive definite; or variances, or one for all.
        allow_singular: take the pseudo-inverse and -determinant, of directions with variance.

    Raises:
        numpy.linalg.LinAlgError: the covariance is not positive definite.
    """
    mean, cov = _scaled(mean, cov)
    apart = np.atleast_1d(x) - mean
    if allow_singular:
        variances, axes = np.linalg.eigh(cov)
        rank = variances > 1e-10 * np.max(np.abs(variances))
        safe = np.where(rank, variances, 1.0)
        along = np.dot(apart, axes)
        square, log_det = np.sum(np.where(rank, along**2 / safe, 0.0), -1), np.sum(np.log(safe))
        return -(np.sum(rank) * math.log(2 * math.pi) + log_det + square) / 2
    factor = np.linalg.cholesky(cov)
    white = np.linalg.solve(factor, np.reshape(apart, (-1, mean.shape[-1])).T)
    square = np.reshape(np.sum(white**2, 0), apart.shape[:-1])
    return -(mean.shape[-1] * math.log(2 * math.pi) + square) / 2 - np.sum(np.log(np.diagonal(factor)))


def pdf(x: Any, mean: Any, cov: Any, allow_singular: bool = False) -> Any:
    """The density."""
    return np.exp(logpdf(x, mean, cov, allow_singular))


def entropy(mean: Any, cov: Any) -> Any:
    """``log det(2 pi e C) / 2``; it does not depend on the mean."""
    mean, cov = _scaled(mean, cov)
    return mean.shape[-1] * (1 + math.log(2 * math.pi)) / 2 + np.linalg.slogdet(cov)[1] / 2


def __getattr__(name: str) -> Any:
    return getattr(_scipy, name)
