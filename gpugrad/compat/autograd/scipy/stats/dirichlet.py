"""The Dirichlet distribution: ``scipy.stats.dirichlet``."""

from typing import Any

from scipy.stats import dirichlet as _scipy

from ..... import numpy as np
from .. import special


def logpdf(x: Any, alpha: Any) -> Any:
    """``sum (alpha - 1) log x - sum log Gamma(alpha) + log Gamma(sum alpha)``, over the first axis of ``x``."""
    scale = special.gammaln(np.sum(alpha)) - np.sum(special.gammaln(alpha))
    return scale + np.sum(special.xlogy(np.asarray(alpha - 1.0).T, np.asarray(x).T).T, axis=0)


def pdf(x: Any, alpha: Any) -> Any:
    """The density."""
    return np.exp(logpdf(x, alpha))


def __getattr__(name: str) -> Any:
    return getattr(_scipy, name)
