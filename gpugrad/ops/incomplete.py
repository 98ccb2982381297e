"""Incomplete gamma and beta functions: the distribution functions of gamma, Poisson, beta, binomial, F and t variables.

The derivatives with respect to the shape parameters have no closed form. They are integrals over the density, from
the argument towards its nearer tail: so the results are precise in the tails too. The quadrature is double
exponential (Takahasi, Mori, 1974), with a fixed number of nodes, and composed of operations, so that derivatives of
any order exist. It costs about a hundred evaluations of the density. Source: NIST Digital Library of Mathematical
Functions, chapter 8.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..backend import BACKENDS, EAGER, Array, Namespace, special
from ..core import primitive
from .special import as_short, digamma, gammaln, xlog1py, xlogy

STEP = 0.0625
NODES = [math.exp(math.pi / 2 * math.sinh(STEP * k)) for k in range(-62, 34)]
WEIGHTS = [STEP * math.pi / 2 * math.cosh(STEP * k) * s for k, s in zip(range(-62, 34), NODES, strict=True)]
"""Of the integral from 0 to infinity, for an integrand that decays as ``e^-s`` or faster."""


def _arrays(xp: Namespace, *operands: Any) -> tuple[Array, ...]:
    """Operands as arrays of float64: for large parameters, a density is a small difference of large logarithms."""
    numbers = [not hasattr(x, "dtype") or (type(x) in EAGER and type(x) not in BACKENDS) for x in operands]
    like = next((x for x, number in zip(operands, numbers, strict=True) if not number), None)
    if like is None:
        return tuple(xp.asarray(x, dtype=xp.float64) for x in operands)
    return tuple(
        xp.full_like(like, x, dtype=xp.float64) if number else xp.astype(x, xp.float64)
        for x, number in zip(operands, numbers, strict=True)
    )


def _integral(integrand: Callable[[Array], Array], scale: Array) -> Array:
    """The integral of ``integrand`` from 0 to infinity, which decays within a few times ``scale``."""
    total: Any = 0.0
    for s, w in zip(NODES, WEIGHTS, strict=True):
        total = total + w * integrand(scale * s)
    return total * scale


# ---------------------------------------------------------------- gamma


@primitive(batch="elementwise")
def gammainc(xp: Namespace, a: Array, x: Array, /) -> Array:
    """The regularized lower incomplete gamma function: the integral of ``t^(a-1) e^-t / gamma(a)`` from 0 to x.

    The derivative with respect to ``x`` is that integrand; with respect to ``a``, an integral (see
    :mod:`gpugrad.ops.incomplete`).

    ``a`` is positive, ``x`` is not negative; both broadcast.

    >>> import gpugrad as gg
    >>> gg.special.gammainc(gg.tensor([1.0, 2.0]), gg.tensor([1.0, 1.0]))
    tensor([0.63212055, 0.26424113])
    """
    return as_short(xp, special(xp).gammainc(a, x), a, x)


@primitive(batch="elementwise")
def gammaincc(xp: Namespace, a: Array, x: Array, /) -> Array:
    """The regularized upper incomplete gamma function, ``1 - gammainc(a, x)``, precise where that is small.

    ``a`` is positive, ``x`` is not negative; both broadcast.

    >>> import gpugrad as gg
    >>> gg.special.gammaincc(gg.tensor([1.0, 2.0]), gg.tensor([1.0, 30.0]))
    tensor([3.6787945e-01, 2.9008625e-12])
    """
    return as_short(xp, special(xp).gammaincc(a, x), a, x)


def _gamma_density(xp: Namespace, a: Array, x: Array) -> Array:
    """``x^(a-1) e^-x / gamma(a)``."""
    a, x = _arrays(xp, a, x)
    return xp.exp(xlogy.on(xp, a - 1, x) - x - gammaln.on(xp, a))


def _gamma_by_shape(xp: Namespace, a: Array, x: Array) -> Array:
    """The derivative of ``gammainc`` by ``a``: the integral of ``(log(t) - digamma(a))`` times the density.

    Over all t it is 0, so it can be taken on either side of x. On the left the variable is ``log(t)``, on the right t:
    so both decay exponentially.
    """
    a, x = _arrays(xp, a, x)
    edge = (x == 0) | xp.isinf(x)
    x = xp.where(edge, 1, x)
    start, center, constant = xp.log(x), digamma.on(xp, a), gammaln.on(xp, a)
    left = x < 1 + a
    width = xp.abs(a - x) + xp.sqrt(x)
    power = xp.where(left, a, a - 1)

    def integrand(distance: Array) -> Array:
        t = xp.where(left, xp.exp(start - xp.where(left, distance, 0)), x + distance)
        u = xp.where(left, start - distance, xp.log(x + distance))
        return (u - center) * xp.exp(power * u - t - constant)

    total = _integral(integrand, xp.where(left, 1 / xp.minimum(a, width), x / width))
    return xp.where(edge, 0, xp.where(left, total, -total))


gammainc.vjp(
    a=lambda xp, g, a, x: g * _gamma_by_shape(xp, a, x),
    x=lambda xp, g, a, x: g * _gamma_density(xp, a, x),
)
gammaincc.vjp(
    a=lambda xp, g, a, x: -g * _gamma_by_shape(xp, a, x),
    x=lambda xp, g, a, x: -g * _gamma_density(xp, a, x),
)


# ---------------------------------------------------------------- beta


@primitive(batch="elementwise")
def betainc(xp: Namespace, a: Array, b: Array, x: Array, /) -> Array:
    """The regularized incomplete beta function: the integral of ``t^(a-1) (1-t)^(b-1) / beta(a, b)`` from 0 to x.

    The derivative with respect to ``x`` is that integrand; with respect to ``a`` and ``b``, integrals (see
    :mod:`gpugrad.ops.incomplete`).

    ``a`` and ``b`` are positive, ``x`` is in [0, 1]; all three broadcast.

    >>> import gpugrad as gg
    >>> gg.special.betainc(gg.tensor([1.0, 2.0]), gg.tensor([3.0, 2.0]), gg.tensor([0.5, 0.5]))
    tensor([0.875, 0.5  ])
    """
    return as_short(xp, special(xp).betainc(a, b, x), a, b, x)


def _log_beta(xp: Namespace, a: Array, b: Array) -> Array:
    return gammaln.on(xp, a) + gammaln.on(xp, b) - gammaln.on(xp, a + b)


def _beta_density(xp: Namespace, a: Array, b: Array, x: Array) -> Array:
    a, b, x = _arrays(xp, a, b, x)
    return xp.exp(xlogy.on(xp, a - 1, x) + xlog1py.on(xp, b - 1, -x) - _log_beta(xp, a, b))


def _beta_by_shape(xp: Namespace, a: Array, b: Array, x: Array, second: bool) -> Array:
    """The derivative of ``betainc`` by ``a``: the integral of ``(log(t) - digamma(a) + digamma(a + b))`` times the
    density. By ``b`` it is that of ``1 - betainc(b, a, 1 - x)`` by its first parameter.

    Over all t it is 0, so it can be taken on either side of x. On the left the variable is ``log(t)``, on the right
    ``log(1 - t)``: so both decay exponentially.
    """
    a, b, x = _arrays(xp, a, b, x)
    edge = (x <= 0) | (x >= 1)
    x = xp.where(edge, 0.5, x)
    low, high, rest = xp.log(x), xp.log1p(-x), 1 - x
    if second:
        a, b, x, rest, low, high = b, a, rest, x, high, low
    center, constant = digamma.on(xp, a) - digamma.on(xp, a + b), _log_beta(xp, a, b)
    left = x * (1 + b) < rest * (1 + a)
    near, far = xp.where(left, a, b), xp.where(left, b, a)
    start, odds = xp.where(left, low, high), xp.where(left, x / rest, rest / x)

    def integrand(distance: Array) -> Array:
        v = start - distance
        w = xp.log(-xp.expm1(v))
        return (xp.where(left, v, w) - center) * xp.exp(near * v + (far - 1) * w - constant)

    width = xp.abs(near - far * odds) + xp.sqrt(far * odds * (1 + odds))
    total = _integral(integrand, 1 / xp.minimum(near, width))
    return xp.where(edge, 0, xp.where(left != second, total, -total))


betainc.vjp(
    a=lambda xp, g, a, b, x: g * _beta_by_shape(xp, a, b, x, second=False),
    b=lambda xp, g, a, b, x: g * _beta_by_shape(xp, a, b, x, second=True),
    x=lambda xp, g, a, b, x: g * _beta_density(xp, a, b, x),
)
