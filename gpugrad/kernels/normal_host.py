"""The normal distribution function as a NumPy routine, and GELU by it."""

from __future__ import annotations

from typing import Any

import numpy

from . import activation as kernels
from .host import Array, routine

ERFC = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
"""Of ``erfc(z) e^(z^2) / t`` in ``t = 1 / (1 + 0.3275911 z)``; erfc is right to 1.5e-7, as its float32 sum with 1 is.
Source: Abramowitz and Stegun 1964, 7.1.26."""


def _normal(x: Array) -> tuple[Array, Array]:
    """The normal distribution function in float32, and ``e^(-x^2 / 2)``."""
    e = numpy.square(x)
    e *= numpy.float32(-0.5)
    numpy.exp(e, out=e)
    t = numpy.abs(x)
    t *= numpy.float32(0.3275911 / kernels.ROOT_2)
    t += 1
    numpy.divide(1, t, out=t)
    p = t * numpy.float32(ERFC[0] / 2)
    for c in ERFC[1:]:
        p += numpy.float32(c / 2)
        p *= t
    p *= e  # the tail beyond |x|
    p -= x > 0
    return numpy.abs(p, out=p), e


@routine(kernels.gelu_forward)
def _gelu(x: Array) -> Any:
    if x.dtype != numpy.float32:
        return NotImplemented
    y, _ = _normal(x)
    y *= x
    return y


@routine(kernels.gelu_backward)
def _gelu_back(g: Array, x: Array) -> Any:
    if x.dtype != numpy.float32:
        return NotImplemented
    cdf, e = _normal(x)
    e *= numpy.float32(1 / kernels.ROOT_TAU)
    e *= x
    e += cdf
    e *= g
    return e
