"""The beta distribution: ``scipy.stats.beta``."""

from typing import Any

from scipy.stats import beta as _scipy

from ..... import numpy as np
from .. import special


def logpdf(x: Any, a: Any, b: Any) -> Any:
    """``(a - 1) log x + (b - 1) log(1 - x) - log B(a, b)``."""
    return special.xlogy(a - 1.0, x) + special.xlog1py(b - 1.0, -x) - special.betaln(a, b)


def pdf(x: Any, a: Any, b: Any) -> Any:
    """The density."""
    return np.exp(logpdf(x, a, b))


def cdf(x: Any, a: Any, b: Any) -> Any:
    """The probability of at most ``x``."""
    return special.betainc(a, b, x)


def __getattr__(name: str) -> Any:
    return getattr(_scipy, name)
