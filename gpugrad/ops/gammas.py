"""Functions composed of gamma functions: beta, reciprocal, multivariate. Source: NIST DLMF, chapter 5."""

from __future__ import annotations

import math

from ..backend import Array, Namespace, special
from ..core import primitive
from .special import as_short, digamma, gamma


@primitive(batch="elementwise")
def beta(xp: Namespace, a: Array, b: Array, /) -> Array:
    """``gamma(a) gamma(b) / gamma(a + b)``; derivative by ``a``: ``y (digamma(a) - digamma(a + b))``.

    >>> import gpugrad as gg
    >>> gg.special.beta(gg.tensor([1.0, 2.0]), gg.tensor([2.0, 3.0]))
    tensor([0.5       , 0.08333333])
    """
    return as_short(xp, special(xp).beta(a, b), a, b)


beta.vjp(
    a=lambda xp, g, a, b, y: g * y * (digamma.on(xp, a) - digamma.on(xp, a + b)),
    b=lambda xp, g, a, b, y: g * y * (digamma.on(xp, b) - digamma.on(xp, a + b)),
)


@primitive(batch="elementwise")
def betaln(xp: Namespace, a: Array, b: Array, /) -> Array:
    """``log(abs(beta(a, b)))``; derivative by ``a``: ``digamma(a) - digamma(a + b)``.

    >>> import gpugrad as gg
    >>> gg.special.betaln(gg.tensor([1.0]), gg.tensor([2.0]))
    tensor([-0.6931472])
    """
    return as_short(xp, special(xp).betaln(a, b), a, b)


betaln.vjp(
    a=lambda xp, g, a, b: g * (digamma.on(xp, a) - digamma.on(xp, a + b)),
    b=lambda xp, g, a, b: g * (digamma.on(xp, b) - digamma.on(xp, a + b)),
)


@primitive(batch="elementwise")
def rgamma(xp: Namespace, x: Array, /) -> Array:
    """``1 / gamma(x)``, which is 0 at 0, -1, -2, ...; derivative ``-y digamma(x)``, ``(-1)^n n!`` at ``-n``.

    >>> import gpugrad as gg
    >>> gg.special.rgamma(gg.tensor([-1.0, 0.5, 5.0]))
    tensor([0.        , 0.5641896 , 0.04166667])
    """
    return as_short(xp, special(xp).rgamma(x), x)


def _rgamma_x(xp: Namespace, g: Array, x: Array) -> Array:
    """Left of 1/2 by the reflection ``1 / gamma(x) = gamma(1 - x) sin(pi x) / pi``, which knows no poles there."""
    left = xp.real(x) < 0.5
    away, mirrored = xp.where(left, 1, x), xp.where(left, 1 - x, 1)
    angle = math.pi * xp.where(left, x - 2 * xp.floor(xp.real(x) / 2), 0)
    turned = xp.cos(angle) - xp.sin(angle) * digamma.on(xp, mirrored) / math.pi
    right = -rgamma.on(xp, away) * digamma.on(xp, away)
    return g * xp.where(left, gamma.on(xp, mirrored) * turned, right)


rgamma.vjp(x=_rgamma_x)


@primitive(batch="elementwise")
def gammasgn(xp: Namespace, x: Array, /) -> Array:
    """The sign of ``gamma(x)``: 1 or -1, as SciPy has it at poles; the gradient is 0.

    >>> import gpugrad as gg
    >>> gg.special.gammasgn(gg.tensor([-0.5, 2.0]))
    tensor([-1.,  1.])
    """
    return as_short(xp, special(xp).gammasgn(x), x)


gammasgn.vjp(x=lambda xp, g: xp.zeros_like(g))


@primitive(batch="elementwise")
def _multigammaln(xp: Namespace, a: Array, /, d: int) -> Array:
    return as_short(xp, special(xp).multigammaln(a, d), a)


def _multigammaln_a(xp: Namespace, g: Array, a: Array, d: int) -> Array:
    total = digamma.on(xp, a)
    for j in range(1, d):
        total = total + digamma.on(xp, a - j / 2)
    return g * total


_multigammaln.vjp(a=_multigammaln_a)


def multigammaln(a: Array, d: int) -> Array:
    """The logarithm of the multivariate gamma function; derivative: the sum of ``digamma(a - j / 2)`` for j < d.

    ``log(pi) d (d - 1) / 4`` plus the sum of ``gammaln(a - j / 2)`` for j = 0 ... d - 1. A GPU is waited for.

    Args:
        a: larger than ``(d - 1) / 2``.
        d: dimension, a positive integer.

    Raises:
        ValueError: an element of ``a`` is too small, or ``d`` is not a positive integer.

    >>> import gpugrad as gg
    >>> gg.special.multigammaln(gg.tensor([3.0]), 2)
    tensor([1.5501949])
    """
    if int(d) != d or d < 1:
        raise ValueError(f"multigammaln: expected a positive integer for the dimension d, got {d!r}")
    return _multigammaln(a, int(d))
