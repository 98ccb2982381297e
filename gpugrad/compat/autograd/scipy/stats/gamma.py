"""The gamma distribution: ``scipy.stats.gamma``."""

from typing import Any

from scipy.stats import gamma as _scipy

from ..... import numpy as np
from .. import special


def logpdf(x: Any, a: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """``(a - 1) log z - z - log Gamma(a) - log scale`` with ``z = (x - loc) / scale``."""
    z = (x - loc) / scale
    return special.xlogy(a - 1.0, z) - z - special.gammaln(a) - np.log(scale)


def pdf(x: Any, a: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """The density."""
    return np.exp(logpdf(x, a, loc, scale))


def cdf(x: Any, a: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """The probability of at most ``x``."""
    return special.gammainc(a, (x - loc) / scale)


def sf(x: Any, a: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """The probability of more than ``x``."""
    return special.gammaincc(a, (x - loc) / scale)


def __getattr__(name: str) -> Any:
    return getattr(_scipy, name)
