"""Special functions."""

from __future__ import annotations

from dataclasses import replace

import numpy
import scipy.special

import gpugrad as gg
from gpugrad.ops import bessel as bessel_functions
from gpugrad.ops import special

from .domains import PAIRS, TRIPLES, above_one, nonzero, positive, real, within
from .row import Row

FEW = [((2, 3),), ((),)]
FEW_PAIRS = [PAIRS[0], PAIRS[2], PAIRS[4], PAIRS[-2]]


def inside(rng, shapes):
    """Between 0 and 1, away from both."""
    return [0.5 + 0.5 * a for a in within(rng, shapes)]


def row(name, domain, torch=None, **kwargs):
    kwargs.setdefault("numpy", getattr(scipy.special, name))
    call = (lambda t, *xs: getattr(t.special, torch)(*xs)) if torch else None
    kwargs.setdefault("single", 1e-4)
    kwargs.setdefault("half", False)  # SciPy has no functions of float16
    return Row(f"ops.special.{name}", getattr(gg.special, name), domain, torch=call, **kwargs)


def shaped(rng, shapes):
    """Positive shape parameters, and at last an argument between 0 and 1."""
    return [*positive(rng, shapes[:-1]), *inside(rng, shapes[-1:])]


def of_order(name, order, domain=positive, **kwargs):
    """A Bessel function with its order fixed, which has no gradient."""
    operation = getattr(gg.special, name).__name__ if name != "kn" else "kv"
    kwargs.setdefault("single", 1e-4)
    return Row(
        f"ops.bessel.{operation}", lambda x: getattr(gg.special, name)(order, x), domain,
        numpy=lambda x: getattr(scipy.special, name)(order, x).astype(x.dtype), large=None, half=False,
        shapes=FEW, label=f"{name} {order}", **kwargs,
    )  # fmt: skip


def bessel(name, domain=positive, torch=None):
    return replace(row(name, domain, torch), operation=f"ops.bessel.{name}", shapes=FEW)


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
    row("erfcx", real, "erfcx"),
    row("xlogy", positive, "xlogy", shapes=PAIRS, large=None),
    row("xlog1py", positive, "xlog1py", shapes=PAIRS, large=None),
    row("rel_entr", positive, shapes=PAIRS, large=None),
    Row("ops.special._ratio", special._ratio, nonzero, numpy=lambda x1, x2: x1 / x2, shapes=PAIRS, large=None),
    Row("ops.special._log_ratio", special._log_ratio, positive, numpy=lambda x1, x2: numpy.log(x1 / x2), shapes=PAIRS,
        large=None, single=1e-4),
    Row("ops.special.rel_entr", gg.special.kl_div, positive, numpy=scipy.special.kl_div, shapes=PAIRS, large=None,
        label="kl_div", single=1e-4, half=False),
    *[
        Row("ops.special._polygamma", lambda x, n=n: gg.special.polygamma(n, x), above_one,
            numpy=lambda x, n=n: scipy.special.polygamma(n, x).astype(x.dtype),
            torch=lambda t, x, n=n: t.special.polygamma(n, x), label=f"{n}", single=1e-4)
        for n in (1, 2)
    ],
    # -------------------------------------------------------- of gamma functions
    *[
        replace(row(name, domain, **kwargs), operation=f"ops.{family}.{name}", large=None)
        for family, name, domain, kwargs in (
            ("gammas", "beta", above_one, {"shapes": FEW_PAIRS}),
            ("gammas", "betaln", above_one, {"shapes": FEW_PAIRS}),
            ("gammas", "rgamma", nonzero, {}), ("gammas", "gammasgn", nonzero, {"flat": True}),
            ("incomplete", "gammainc", positive, {"shapes": FEW_PAIRS}),
            ("incomplete", "gammaincc", positive, {"shapes": FEW_PAIRS}),
            ("incomplete", "betainc", shaped, {"shapes": TRIPLES[::2]}),
        )
    ],
    *[
        Row("ops.gammas._multigammaln", lambda a, d=d: gg.special.multigammaln(a, d), above_one, large=None, half=False,
            numpy=lambda a, d=d: scipy.special.multigammaln(a, d).astype(a.dtype), label=f"{d}", single=1e-4,
            torch=lambda t, a, d=d: t.special.multigammaln(a, d))
        for d in (1, 3)
    ],
    # -------------------------------------------------------- Bessel functions
    *[bessel(name, real, name) for name in ("i0", "i1", "i0e", "i1e")],
    *[bessel(name, real) for name in ("j0", "j1")],
    *[bessel(name) for name in ("y0", "y1", "k0", "k1", "k0e", "k1e")],
    *[of_order(name, n) for name in ("jv", "yv", "iv", "ive", "kv", "kve") for n in (3, -2, 0)],
    *[of_order(name, n) for name, n in (("yn", 2), ("yn", 0), ("kn", 2))],
    *[
        Row("ops.bessel._over_power", lambda x, n=n, kind=kind: bessel_functions._over_power(x, n, kind), real,
            numpy=lambda x, n=n, name=name: (getattr(scipy.special, name)(n, x) / x**n).astype(x.dtype), large=None,
            shapes=FEW, half=False, single=1e-3, label=f"{kind} {n}")
        for kind, name in (("j", "jv"), ("i", "iv"), ("ie", "ive")) for n in (1, 3)
    ],
]  # fmt: skip
