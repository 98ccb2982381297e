"""Special functions."""

from __future__ import annotations

import scipy.special

import gpugrad as gg

from .domains import above_one, nonzero, positive, real, within
from .row import PAIRS, Row


def inside(rng, shapes):
    """Between 0 and 1, away from both."""
    return [0.5 + 0.5 * a for a in within(rng, shapes)]


def row(name, domain, torch=None, **kwargs):
    kwargs.setdefault("numpy", getattr(scipy.special, name))
    call = (lambda t, *xs: getattr(t.special, torch)(*xs)) if torch else None
    kwargs.setdefault("single", 1e-4)
    kwargs.setdefault("half", False)  # SciPy has no functions of float16
    return Row(f"ops.special.{name}", getattr(gg.special, name), domain, torch=call, **kwargs)


ROWS: list[Row] = [
    row("erf", real, "erf"),
    row("erfc", real, "erfc"),
    row("erfinv", within, "erfinv"),
    row("erfcinv", lambda rng, shapes: [1 + a for a in within(rng, shapes)]),
    row("ndtr", real, "ndtr"),
    row("log_ndtr", real, "log_ndtr"),
    row("ndtri", inside, "ndtri"),
    row("logit", inside, "logit"),
    row("log_expit", real),
    row("entr", positive, "entr"),
    row("gamma", positive),
    row("gammaln", positive, "gammaln"),
    row("digamma", positive, "digamma"),
    row("i0", real, "i0"),
    row("i1", nonzero, "i1"),
    row("xlogy", positive, "xlogy", shapes=PAIRS, large=None),
    row("xlog1py", positive, "xlog1py", shapes=PAIRS, large=None),
    row("rel_entr", positive, shapes=PAIRS, large=None),
    Row("ops.special.rel_entr", gg.special.kl_div, positive, numpy=scipy.special.kl_div, shapes=PAIRS, large=None,
        label="kl_div", single=1e-4, half=False),
    Row("ops.special.gammaln", gg.special.betaln, above_one, numpy=scipy.special.betaln, shapes=PAIRS, large=None,
        label="betaln", single=1e-4, half=False),
    *[
        Row("ops.special._polygamma", lambda x, n=n: gg.special.polygamma(n, x), above_one,
            numpy=lambda x, n=n: scipy.special.polygamma(n, x).astype(x.dtype),
            torch=lambda t, x, n=n: t.special.polygamma(n, x), label=f"{n}", single=1e-4)
        for n in (1, 2)
    ],
]  # fmt: skip
