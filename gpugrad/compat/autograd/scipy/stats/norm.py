"""The normal distribution: ``scipy.stats.norm``."""

import math
from typing import Any

from scipy.stats import norm as _scipy

from ..... import numpy as np
from .. import special


def logpdf(x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """``-z^2 / 2 - log(scale sqrt(2 pi))`` with ``z = (x - loc) / scale``."""
    return -(((x - loc) / scale) ** 2) / 2 - np.log(scale) - math.log(2 * math.pi) / 2


def pdf(x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """The density."""
    return np.exp(logpdf(x, loc, scale))


def cdf(x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """The probability of at most ``x``."""
    return special.ndtr((x - loc) / scale)


def logcdf(x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """Its logarithm, precise far below the mean."""
    return special.log_ndtr((x - loc) / scale)


def sf(x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """The probability of more than ``x``."""
    return special.ndtr((loc - x) / scale)


def logsf(x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """Its logarithm, precise far above the mean."""
    return special.log_ndtr((loc - x) / scale)


def ppf(q: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """The quantile: the inverse of :func:`cdf`."""
    return loc + scale * special.ndtri(q)


def __getattr__(name: str) -> Any:
    return getattr(_scipy, name)
