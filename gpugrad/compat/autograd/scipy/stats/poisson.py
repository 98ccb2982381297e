"""The Poisson distribution: ``scipy.stats.poisson``."""

from typing import Any

from scipy.stats import poisson as _scipy

from ..... import numpy as np
from .. import special


def logpmf(k: Any, mu: Any, loc: Any = 0) -> Any:
    """``n log mu - mu - log n!`` with ``n = k - loc``."""
    n = k - loc
    return special.xlogy(n, mu) - mu - special.gammaln(n + 1.0)


def pmf(k: Any, mu: Any, loc: Any = 0) -> Any:
    """The probability of ``k``."""
    return np.exp(logpmf(k, mu, loc))


def cdf(k: Any, mu: Any, loc: Any = 0) -> Any:
    """The probability of at most ``k``."""
    return special.gammaincc(np.floor(k - loc) + 1.0, mu)


def __getattr__(name: str) -> Any:
    return getattr(_scipy, name)
