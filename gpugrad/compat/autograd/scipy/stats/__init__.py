"""Distributions of ``scipy.stats``, differentiable.

The densities are formulas on gpugrad's functions; what is not here, such as ``rvs``, is SciPy's own.
"""

from typing import Any as _Any

import scipy.stats as _scipy

from . import beta, chi2, dirichlet, gamma, multivariate_normal, norm, poisson, t

__all__ = ["beta", "chi2", "dirichlet", "gamma", "multivariate_normal", "norm", "poisson", "t"]


def __getattr__(name: str) -> _Any:
    return getattr(_scipy, name)
