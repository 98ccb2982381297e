"""Special functions, element by element, with SciPy's names and argument order.

They are those of ``scipy.special`` on the CPU and of ``cupyx.scipy.special`` on a GPU. Sources of the derivatives: NIST
Digital Library of Mathematical Functions, chapters 5 (gamma) and 7 (error functions). Bessel functions are in
:mod:`gpugrad.ops.bessel`.
"""

from __future__ import annotations

import math

from ..backend import Array, Namespace, special
from ..core import primitive
from ..kernels import composed
from .activation import sigmoid

HALF_ROOT_PI = math.sqrt(math.pi) / 2
ROOT_TAU = math.sqrt(2 * math.pi)
ROOT_2 = math.sqrt(2)

expit = sigmoid
"""SciPy's name of :func:`gpugrad.sigmoid`."""


def as_short(xp: Namespace, y: Array, *given: Array) -> Array:
    """The result in the dtype of the inputs, where SciPy, which has no functions of float16, answers in float64."""
    dtypes = [x.dtype for x in given if hasattr(x, "dtype")]
    widest = max(dtypes, key=lambda dtype: (dtype.itemsize, dtype.kind == "c"), default=y.dtype)
    parts = 2 if widest.kind == "c" else 1
    fits = all(d.kind == widest.kind or (d.kind == "f" and parts * d.itemsize <= widest.itemsize) for d in dtypes)
    longer = widest.kind in "fc" and y.dtype.itemsize > widest.itemsize and fits
    return xp.asarray(y, dtype=widest) if longer else y


# ---------------------------------------------------------------- error functions


@primitive(batch="elementwise")
def erf(xp: Namespace, x: Array, /) -> Array:
    """``2 / sqrt(pi)`` times the integral of ``e^(-t^2)`` from 0 to x; derivative ``2 / sqrt(pi) e^(-x^2)``.

    >>> import gpugrad as gg
    >>> gg.special.erf(gg.tensor([0.0, 1.0]))
    tensor([0.       , 0.8427008])
    """
    return as_short(xp, special(xp).erf(x), x)


erf.vjp(x=lambda xp, g, x: g * xp.exp(-x * x) / HALF_ROOT_PI)


@primitive(batch="elementwise")
def erfc(xp: Namespace, x: Array, /) -> Array:
    """``1 - erf(x)``, precise where that is small.

    >>> import gpugrad as gg
    >>> gg.special.erfc(gg.tensor([0.0, 5.0]))
    tensor([1.0000000e+00, 1.5374597e-12])
    """
    return as_short(xp, special(xp).erfc(x), x)


erfc.vjp(x=lambda xp, g, x: -g * xp.exp(-x * x) / HALF_ROOT_PI)


@primitive(batch="elementwise")
def erfcx(xp: Namespace, x: Array, /) -> Array:
    """``e^(x^2) erfc(x)``, precise where ``erfc(x)`` is 0 to rounding; derivative ``2 x y - 2 / sqrt(pi)``.

    >>> import gpugrad as gg
    >>> gg.special.erfcx(gg.tensor([0.0, 100.0]))
    tensor([1.        , 0.00564161])
    """
    return as_short(xp, special(xp).erfcx(x), x)


def _erfcx_x(xp: Namespace, g: Array, x: Array, y: Array) -> Array:
    """From x = 8 on the difference cancels, and its asymptotic series, ``-1 / (x^2 sqrt(pi)) + ...``, is exact."""
    far = xp.real(x) >= 8
    q = 1 / (2 * xp.where(far, x, 8) ** 2)
    series = 1.0
    for k in range(15, 1, -1):
        series = 1 - (2 * k - 1) * q * series
    near = xp.where(far, 0, x)
    return g * xp.where(far, -q * series, near * y * HALF_ROOT_PI * 2 - 1) / HALF_ROOT_PI


erfcx.vjp(x=_erfcx_x)


@primitive(batch="elementwise")
def erfinv(xp: Namespace, x: Array, /) -> Array:
    """The y with ``erf(y) = x``, for x in (-1, 1); derivative ``sqrt(pi) / 2 e^(y^2)``.

    >>> import gpugrad as gg
    >>> gg.special.erfinv(gg.tensor([0.0, 0.5]))
    tensor([0.       , 0.4769363])
    """
    return as_short(xp, special(xp).erfinv(x), x)


erfinv.vjp(x=lambda xp, g, y: g * HALF_ROOT_PI * xp.exp(y * y))


@primitive(batch="elementwise")
def erfcinv(xp: Namespace, x: Array, /) -> Array:
    """The y with ``erfc(y) = x``, for x in (0, 2); derivative ``-sqrt(pi) / 2 e^(y^2)``.

    >>> import gpugrad as gg
    >>> gg.special.erfcinv(gg.tensor([0.5, 1.5]))
    tensor([ 0.4769363, -0.4769363])
    """
    return as_short(xp, special(xp).erfcinv(x), x)


erfcinv.vjp(x=lambda xp, g, y: -g * HALF_ROOT_PI * xp.exp(y * y))


@primitive(batch="elementwise")
def ndtr(xp: Namespace, x: Array, /) -> Array:
    """The standard normal distribution function; its derivative is the density ``e^(-x^2 / 2) / sqrt(2 pi)``.

    >>> import gpugrad as gg
    >>> gg.special.ndtr(gg.tensor([0.0, 1.96]))
    tensor([0.5      , 0.9750021])
    """
    return as_short(xp, special(xp).ndtr(x), x)


ndtr.vjp(x=lambda xp, g, x: g * xp.exp(-x * x / 2) / ROOT_TAU)


@primitive(batch="elementwise")
def log_ndtr(xp: Namespace, x: Array, /) -> Array:
    """``log(ndtr(x))``, precise far out on the left; derivative ``sqrt(2 / pi) / erfcx(-x / sqrt(2))``.

    >>> import gpugrad as gg
    >>> gg.special.log_ndtr(gg.tensor([0.0, -20.0]))
    tensor([  -0.6931472, -203.91716  ])
    """
    return as_short(xp, special(xp).log_ndtr(x), x)


def _log_ndtr_x(xp: Namespace, g: Array, x: Array) -> Array:
    """On the right the density over ``ndtr``, since ``erfcx`` overflows there, and its derivative with it."""
    if x.dtype.kind == "c":
        return g * (2 / ROOT_TAU) / erfcx.on(xp, -x / ROOT_2)
    left = x < 0
    right = xp.exp(-x * x / 2) / (ROOT_TAU * ndtr.on(xp, xp.where(left, 0, x)))
    return g * xp.where(left, (2 / ROOT_TAU) / erfcx.on(xp, xp.where(left, -x, 0) / ROOT_2), right)


log_ndtr.vjp(x=_log_ndtr_x)


@primitive(batch="elementwise")
def ndtri(xp: Namespace, x: Array, /) -> Array:
    """The y with ``ndtr(y) = x``, for x in (0, 1); derivative ``sqrt(2 pi) e^(y^2 / 2)``.

    >>> import gpugrad as gg
    >>> gg.special.ndtri(gg.tensor([0.25, 0.975]))
    tensor([-0.6744898,  1.9599639])
    """
    return as_short(xp, special(xp).ndtri(x), x)


ndtri.vjp(x=lambda xp, g, y: g * ROOT_TAU * xp.exp(y * y / 2))


# ---------------------------------------------------------------- logistic functions and entropies


@primitive(batch="elementwise")
def logit(xp: Namespace, x: Array, /) -> Array:
    """``log(x / (1 - x))``, the inverse of :func:`expit`; derivative ``1 / (x (1 - x))``.

    >>> import gpugrad as gg
    >>> gg.special.logit(gg.tensor([0.5, 0.75]))
    tensor([0.       , 1.0986123])
    """
    return as_short(xp, special(xp).logit(x), x)


logit.vjp(x=lambda xp, g, x: g / (x * (1 - x)))


@primitive(batch="elementwise")
def log_expit(xp: Namespace, x: Array, /) -> Array:
    """``log(1 / (1 + e^-x))`` without overflow; derivative ``expit(-x)``.

    >>> import gpugrad as gg
    >>> gg.special.log_expit(gg.tensor([0.0, -200.0]))
    tensor([  -0.6931472, -200.       ])
    """
    return as_short(xp, composed.log_sigmoid(xp, x), x)


log_expit.vjp(x=lambda xp, g, x: composed.log_sigmoid_back(xp, g, x))


@primitive(batch="elementwise")
def xlogy(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """``x1 log(x2)``, and 0 where x1 is 0; the gradients are ``g log(x2)`` and ``g x1 / x2``, the second 0 where x1 is.

    >>> import gpugrad as gg
    >>> gg.special.xlogy(gg.tensor([0.0, 2.0]), gg.tensor([0.0, 3.0]))
    tensor([0.       , 2.1972246])
    """
    return as_short(xp, special(xp).xlogy(x1, x2), x1, x2)


@primitive(batch="elementwise")
def _ratio(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """``x1 / x2``, and 0 where x1 is, even if x2 is 0 too."""
    none = xp.equal(x1, xp.zeros_like(x1 + x2))  # an array, even where one is a number
    return xp.where(none, 0, x1 / xp.where(none, 1, x2))


_ratio.vjp(
    x1=lambda xp, g, x2: _ratio.on(xp, g, x2),
    x2=lambda xp, g, x1, x2: xp.where(
        (x1 == 0) & (x2 == 0) & (g != 0), math.nan, -g * _ratio.on(xp, _ratio.on(xp, x1, x2), x2)
    ),
)


@primitive(batch="elementwise")
def _log_ratio(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    return xp.log(x1 / x2)


_log_ratio.vjp(x1=lambda xp, g, x1: _ratio.on(xp, g, x1), x2=lambda xp, g, x2: -_ratio.on(xp, g, x2))

xlogy.vjp(
    x1=lambda xp, g, x2: g * xp.log(x2),
    x2=lambda xp, g, x1, x2: g * _ratio.on(xp, x1, x2),
)


@primitive(batch="elementwise")
def xlog1py(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """``x1 log(1 + x2)``, and 0 where x1 is 0; gradients as for :func:`xlogy`.

    >>> import gpugrad as gg
    >>> gg.special.xlog1py(gg.tensor([0.0, 2.0]), gg.tensor([-1.0, 2.0]))
    tensor([0.       , 2.1972246])
    """
    return as_short(xp, special(xp).xlog1py(x1, x2), x1, x2)


xlog1py.vjp(
    x1=lambda xp, g, x2: g * xp.log1p(x2),
    x2=lambda xp, g, x1, x2: g * _ratio.on(xp, x1, 1 + x2),
)


@primitive(batch="elementwise")
def entr(xp: Namespace, x: Array, /) -> Array:
    """``-x log(x)``, 0 at 0 and ``-inf`` below; derivative ``-log(x) - 1``.

    >>> import gpugrad as gg
    >>> gg.special.entr(gg.tensor([0.0, 0.5]))
    tensor([0.       , 0.3465736])
    """
    return as_short(xp, special(xp).entr(x), x)


entr.vjp(x=lambda xp, g, x: -g * (xp.log(x) + 1))


@primitive(batch="elementwise")
def rel_entr(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """``x1 log(x1 / x2)``, 0 where x1 is 0; the gradients are ``g (log(x1 / x2) + 1)`` and ``-g x1 / x2``.

    >>> import gpugrad as gg
    >>> gg.special.rel_entr(gg.tensor([0.0, 0.5]), gg.tensor([0.5, 0.25]))
    tensor([0.       , 0.3465736])
    """
    return as_short(xp, special(xp).rel_entr(x1, x2), x1, x2)


rel_entr.vjp(
    x1=lambda xp, g, x1, x2: g * (_log_ratio.on(xp, x1, x2) + 1),
    x2=lambda xp, g, x1, x2: -g * _ratio.on(xp, x1, x2),
)


def kl_div(x1: Array, x2: Array, /) -> Array:
    """``x1 log(x1 / x2) - x1 + x2``, which is 0 where they are equal and positive elsewhere.

    >>> import gpugrad as gg
    >>> gg.special.kl_div(gg.tensor([0.5]), gg.tensor([0.25]))
    tensor([0.0965736])
    """
    return rel_entr(x1, x2) - x1 + x2


# ---------------------------------------------------------------- gamma functions


@primitive(batch="elementwise")
def gamma(xp: Namespace, x: Array, /) -> Array:
    """The gamma function, ``(n - 1)!`` at whole n; derivative ``gamma(x) digamma(x)``.

    >>> import gpugrad as gg
    >>> gg.special.gamma(gg.tensor([5.0, 0.5]))
    tensor([24.       ,  1.7724538])
    """
    return as_short(xp, special(xp).gamma(x), x)


@primitive(batch="elementwise")
def gammaln(xp: Namespace, x: Array, /) -> Array:
    """``log(abs(gamma(x)))``; derivative ``digamma(x)``.

    >>> import gpugrad as gg
    >>> gg.special.gammaln(gg.tensor([1.0, 100.0]))
    tensor([  0.     , 359.13422])
    """
    return as_short(xp, special(xp).gammaln(x), x)


@primitive(batch="elementwise")
def digamma(xp: Namespace, x: Array, /) -> Array:
    """The logarithmic derivative of the gamma function; its own derivative is ``polygamma(1, x)``.

    >>> import gpugrad as gg
    >>> gg.special.digamma(gg.tensor([1.0, 2.0]))
    tensor([-0.5772157,  0.4227843])
    """
    return as_short(xp, special(xp).digamma(x), x)


psi = digamma
"""SciPy's other name of :func:`digamma`."""


@primitive(batch="elementwise")
def _polygamma(xp: Namespace, x: Array, /, n: int) -> Array:
    return xp.astype(special(xp).polygamma(n, x), x.dtype)


_polygamma.vjp(x=lambda xp, g, x, n: g * _polygamma.on(xp, x, n=n + 1))
digamma.vjp(x=lambda xp, g, x: g * _polygamma.on(xp, x, n=1))
gamma.vjp(x=lambda xp, g, x, y: g * y * digamma.on(xp, x))
gammaln.vjp(x=lambda xp, g, x: g * digamma.on(xp, x))


def polygamma(n: int, x: Array) -> Array:
    """The n-th derivative of :func:`digamma`; its own derivative is ``polygamma(n + 1, x)``.

    Args:
        n: 0 or more; a constant.
        x: shape ``(...)``.

    Raises:
        ValueError: n is negative.

    >>> import gpugrad as gg
    >>> gg.special.polygamma(1, gg.tensor([1.0, 2.0]))
    tensor([1.6449341 , 0.64493406])
    """
    if n < 0:
        raise ValueError(f"polygamma: expected n of at least 0, got {n}")
    return digamma(x) if n == 0 else _polygamma(x, n)
