"""Special functions, with the names of ``scipy.special``.

    >>> import gpugrad as gg
    >>> x = gg.tensor(2.5, requires_grad=True)
    >>> gg.special.gammaln(x).backward()
    >>> x.grad
    tensor(0.7031566)

Defined, and differentiated, in :mod:`gpugrad.ops`: ``special``, ``gammas``, ``incomplete``, ``bessel`` and ``softmax``.
``softmax`` and ``log_softmax`` take all elements where no axis is named, as SciPy's do.
"""

from typing import Any

from .backend import Array
from .ops.bessel import i0, i0e, i1, i1e, iv, ive, j0, j1, jn, jv, k0, k0e, k1, k1e, kn, kv, kve, y0, y1, yn, yv
from .ops.functions import exp2, expm1, log1p
from .ops.gammas import beta, betaln, gammasgn, multigammaln, rgamma
from .ops.incomplete import betainc, gammainc, gammaincc
from .ops.softmax import log_softmax as _log_softmax
from .ops.softmax import logsumexp
from .ops.softmax import softmax as _softmax
from .ops.special import (
    digamma,
    entr,
    erf,
    erfc,
    erfcinv,
    erfcx,
    erfinv,
    expit,
    gamma,
    gammaln,
    kl_div,
    log_expit,
    log_ndtr,
    logit,
    ndtr,
    ndtri,
    polygamma,
    psi,
    rel_entr,
    xlog1py,
    xlogy,
)
from .ops.trigonometry import sinc


def softmax(x: Array, axis: Any = None) -> Array:
    """``exp(x) / sum(exp(x))`` over ``axis``, or all elements; see :func:`gpugrad.nn.functional.softmax`.

    >>> import gpugrad as gg
    >>> gg.special.softmax(gg.tensor([[0.0, 0.0], [0.0, 0.0]]))
    tensor([[0.25, 0.25],
            [0.25, 0.25]])
    """
    return _softmax(x, axis)


def log_softmax(x: Array, axis: Any = None) -> Array:
    """``x - log(sum(exp(x)))`` over ``axis``, or all elements.

    >>> import gpugrad as gg
    >>> gg.special.log_softmax(gg.tensor([0.0, 0.0]))
    tensor([-0.6931472, -0.6931472])
    """
    return _log_softmax(x, axis)


__all__ = [
    "beta", "betainc", "betaln", "digamma", "entr", "erf", "erfc", "erfcinv", "erfcx", "erfinv", "exp2", "expit",
    "expm1", "gamma", "gammainc", "gammaincc", "gammaln", "gammasgn", "i0", "i0e", "i1", "i1e", "iv", "ive", "j0",
    "j1", "jn", "jv", "k0", "k0e", "k1", "k1e", "kl_div", "kn", "kv", "kve", "log1p", "log_expit", "log_ndtr",
    "log_softmax", "logit", "logsumexp", "multigammaln", "ndtr", "ndtri", "polygamma", "psi", "rel_entr", "rgamma",
    "sinc", "softmax", "xlog1py", "xlogy", "y0", "y1", "yn", "yv",
]  # fmt: skip
