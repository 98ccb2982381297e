"""``scipy.special``, differentiable: gpugrad's functions for Tensors, SciPy's own for arrays."""

from typing import Any as _Any

import scipy.special as _scipy

from .... import numpy as _np
from .... import special as _ours
from .routing import routed as _routed


def __getattr__(name: str) -> _Any:
    value = _routed(_scipy, _ours, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return dir(_scipy)


def logsumexp(x: _Any, axis: _Any = None, b: _Any = None, keepdims: bool = False, **kwargs: _Any) -> _Any:
    """``log(sum(b exp(x)))``, without overflow. Source: ``scipy.special.logsumexp``."""
    if b is None:
        return _routed(_scipy, _ours, "logsumexp")(x, axis=axis, keepdims=keepdims, **kwargs)
    x = _np.where(_np.equal(b, 0), -_np.inf, x)  # a term without weight, however large
    largest = _np.max(x, axis=axis, keepdims=True)
    largest = _np.where(_np.isfinite(largest), largest, 0.0)
    y = _np.log(_np.sum(b * _np.exp(x - largest), axis=axis, keepdims=keepdims))
    return y + (largest if keepdims else _np.squeeze(largest, axis=axis))
