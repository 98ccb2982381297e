"""The chi-squared distribution, a gamma distribution of shape ``df / 2`` and scale 2: ``scipy.stats.chi2``."""

from typing import Any

from scipy.stats import chi2 as _scipy

from . import gamma


def logpdf(x: Any, df: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """The logarithm of the density."""
    return gamma.logpdf(x, df / 2, loc, 2 * scale)


def pdf(x: Any, df: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """The density."""
    return gamma.pdf(x, df / 2, loc, 2 * scale)


def cdf(x: Any, df: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """The probability of at most ``x``."""
    return gamma.cdf(x, df / 2, loc, 2 * scale)


def __getattr__(name: str) -> Any:
    return getattr(_scipy, name)
