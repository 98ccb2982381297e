"""Student's t distribution: ``scipy.stats.t``."""

import math
from typing import Any

from scipy.stats import t as _scipy

from ..... import numpy as np
from .. import special


def logpdf(x: Any, df: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """``log Gamma((df+1)/2) - log Gamma(df/2) - log(df pi)/2 - log scale - (df+1)/2 log(1 + z^2/df)``."""
    z = (x - loc) / scale
    front = special.gammaln((df + 1.0) / 2) - special.gammaln(df / 2) - np.log(df * math.pi) / 2 - np.log(scale)
    return front - (df + 1.0) / 2 * np.log1p(z**2 / df)


def pdf(x: Any, df: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """The density."""
    return np.exp(logpdf(x, df, loc, scale))


def cdf(x: Any, df: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """The probability of at most ``x``: half an incomplete beta function of ``df / (df + z^2)`` for ``z < 0``."""
    z = (x - loc) / scale
    tail = special.betainc(df / 2, 0.5, df / (df + z**2)) / 2
    return np.where(z > 0, 1 - tail, tail)


def logcdf(x: Any, df: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """Its logarithm."""
    return np.log(cdf(x, df, loc, scale))


def __getattr__(name: str) -> Any:
    return getattr(_scipy, name)
