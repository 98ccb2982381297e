"""Second derivatives at the corners of each operation's domain: at 0, ties, equal values, infinities.

``SMOOTH`` has functions of n numbers with the same function in mpmath, whose Hessian is taken there; ``CLOSED`` has
Hessians that are written down, with NaN where there is none, so that neither NaN nor infinity is a mistake.
``FAMILIES`` has the operations that need no point of their own, and the reason. An operation in none of them fails a
test (``tests/ops/test_hessians.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import mpmath
import numpy

import gpugrad as gg
from gpugrad import inf, nan
from gpugrad.nn import functional as F
from gpugrad.ops import activation, corners, determinants, gating, losses, norms, softmax, trigonometry
from gpugrad.ops import special as own

S, L = gg.special, gg.linalg
Smooth = tuple[str, Callable[..., Any], Callable[..., Any], list[Any]]
Closed = tuple[str, Callable[..., Any], Any, Any]


def _logistic(x):
    return 1 / (1 + mpmath.exp(-x))


def _softplus(x):
    return mpmath.log1p(mpmath.exp(x))


def _normal(x):
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


def _gelu_tanh(x):
    return x / 2 * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (x + mpmath.mpf("0.044715") * x**3)))


def _attended(q, *keys):
    """One query of one number on keys that are the values too."""
    weights = [mpmath.exp(q * k - max(q * k for k in keys)) for k in keys]
    return sum(w * k for w, k in zip(weights, keys, strict=True)) / sum(weights)


def _lse(*x):
    return mpmath.log(sum(map(mpmath.exp, x)))


def _product(*x):
    return mpmath.fprod(x)


def _det3(a, b, c, d, e, f, g, h, i):
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


def _one(f):
    """A function of one number, of the only element of a vector."""
    return lambda v: f(v)[0]


def _two(f):
    return lambda v: f(v[0], v[1])


ZERO = [[0.0], [1e-9], [-1e-9], [0.7], [-0.7]]
NEAR = [*ZERO, [5.0], [-5.0]]
WIDE = [*NEAR, [30.0], [-30.0]]
PAIR = [[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [-1.0, 0.5]]

SMOOTH: list[Smooth] = [
    *[(f"ops.{module}.{name}", _one(getattr(gg, name)), reference, points) for module, name, reference, points in (
        ("activation", "sigmoid", _logistic, NEAR), ("trigonometry", "tanh", mpmath.tanh, [*ZERO, [5.0], [-5.0]]),
        ("functions", "exp", mpmath.exp, WIDE), ("functions", "exp2", lambda x: mpmath.mpf(2) ** x, WIDE),
        ("functions", "expm1", mpmath.expm1, NEAR), ("functions", "log1p", mpmath.log1p, [*ZERO, [-0.99]]),
        ("functions", "log", mpmath.log, [[1e-9], [1.0], [1e9]]), ("functions", "log2", lambda x: mpmath.log(x, 2),
            [[1.0]]),
        ("functions", "log10", mpmath.log10, [[1.0]]), ("functions", "reciprocal", lambda x: 1 / x, [[1e-5], [-1.0]]),
        ("trigonometry", "sin", mpmath.sin, WIDE), ("trigonometry", "cos", mpmath.cos, WIDE),
        ("functions", "sqrt", mpmath.sqrt, [[1e-9], [1.0]]), ("functions", "square", lambda x: x * x, WIDE),
        ("trigonometry", "tan", mpmath.tan, ZERO), ("trigonometry", "sinh", mpmath.sinh, WIDE),
        ("trigonometry", "cosh", mpmath.cosh, WIDE), ("trigonometry", "asin", mpmath.asin, ZERO),
        ("trigonometry", "acos", mpmath.acos, ZERO), ("trigonometry", "atan", mpmath.atan, WIDE),
        ("trigonometry", "asinh", mpmath.asinh, WIDE), ("trigonometry", "acosh", mpmath.acosh, [[1.001], [5.0]]),
        ("trigonometry", "atanh", mpmath.atanh, ZERO), ("trigonometry", "sinc", mpmath.sincpi, [*ZERO, [1.0], [0.2]]),
        ("ufuncs", "cbrt", mpmath.cbrt, [[1e-9], [8.0]]),
    )],
    *[(f"ops.special.{name}", _one(getattr(S, name)), reference, points) for name, reference, points in (
        ("erf", mpmath.erf, [*ZERO, [5.0]]), ("erfc", mpmath.erfc, [*ZERO, [5.0]]), ("erfinv", mpmath.erfinv, ZERO),
        ("ndtr", _normal, [*ZERO, [-5.0]]), ("log_ndtr", lambda x: mpmath.log(_normal(x)), [*ZERO, [5.0], [-5.0]]),
        ("log_expit", lambda x: -_softplus(-x), WIDE), ("gamma", mpmath.gamma, [[1e-3], [1.0], [2.0], [-0.5]]),
        ("gammaln", mpmath.loggamma, [[1e-3], [1.0], [2.0]]), ("digamma", mpmath.digamma, [[1e-3], [1.0], [-0.5]]),
        ("logit", lambda x: mpmath.log(x / (1 - x)), [[1e-9], [0.5]]), ("entr", lambda x: -x * mpmath.log(x),
            [[1e-9], [1.0]]),
    )],
    ("ops.special._polygamma", _one(lambda x: S.polygamma(1, x)), lambda x: mpmath.polygamma(1, x), [[1e-3], [1.0]]),
    ("ops.special.erfcinv", _one(S.erfcinv), lambda x: mpmath.erfinv(1 - x), [[1.0], [0.5]]),
    ("ops.special.ndtri", _one(S.ndtri), lambda x: mpmath.sqrt(2) * mpmath.erfinv(2 * x - 1), [[0.5], [0.25]]),
    *[(f"ops.bessel.{letter}{n}", _one(getattr(S, f"{letter}{n}")), partial(function, n), points)
      for letter, function, points in (
        ("i", mpmath.besseli, [*ZERO, [5.0]]), ("j", mpmath.besselj, [*ZERO, [5.0]]),
        ("y", mpmath.bessely, [[1e-3], [5.0]]), ("k", mpmath.besselk, [[1e-3], [5.0]]),
      ) for n in (0, 1)],
    *[(f"ops.bessel.{name}", _one(partial(getattr(S, name), 2)), partial(function, 2), [[0.01], [5.0]])
      for name, function in (("jv", mpmath.besselj), ("yv", mpmath.bessely), ("iv", mpmath.besseli),
                             ("kv", mpmath.besselk), ("yn", mpmath.bessely))],
    ("ops.gammas.rgamma", _one(S.rgamma), mpmath.rgamma, [[0.0], [-2.0], [0.49], [0.5], [5.0]]),
    ("ops.gammas.beta", _two(S.beta), mpmath.beta, [[1.0, 1.0], [0.01, 3.0]]),
    ("ops.special.erfcx", _one(S.erfcx), lambda x: mpmath.exp(x * x) * mpmath.erfc(x), [*ZERO, [7.99], [8.01], [20.0]]),
    ("ops.incomplete.gammainc", _two(S.gammainc), lambda a, x: mpmath.gammainc(a, 0, x, regularized=True),
     [[1.0, 1e-3], [2.0, 2.5], [0.01, 0.1]]),
    ("ops.activation.silu", _one(F.silu), lambda x: x * _logistic(x), ZERO),
    ("ops.activation.gelu", _one(F.gelu), lambda x: x * _normal(x), [*ZERO, [5.0], [-5.0]]),
    ("ops.activation.gelu_tanh", _one(partial(F.gelu, approximate="tanh")), _gelu_tanh, ZERO),
    ("ops.activation.softplus", _one(F.softplus), _softplus, [*ZERO, [5.0], [-5.0], [-30.0]]),
    ("ops.activation.mish", _one(F.mish), lambda x: x * mpmath.tanh(_softplus(x)), [*ZERO, [5.0], [-5.0]]),
    ("ops.activation.elu", _one(lambda x: activation.elu(x, 1.0, 1.0, 1.0)), mpmath.expm1, [[-1e-9], [-0.7], [-5.0]]),
    ("ops.losses.logistic", _two(losses.logistic), lambda x, t: (1 - t) * x + _softplus(-x), PAIR),
    ("ops.losses.binary_cross_entropy", _two(losses.binary_cross_entropy),
     lambda p, t: -t * mpmath.log(p) - (1 - t) * mpmath.log(1 - p), [[0.5, 0.0], [0.5, 1.0], [1e-3, 0.5]]),
    ("ops.losses._slope", _two(losses._slope), lambda p, t: (p - t) / (p * (1 - p)),
     [[0.5, 0.0], [0.5, 0.5], [0.1, 1.0]]),
    ("ops.activation._sigmoid_back", _two(activation._sigmoid_back),
     lambda g, x: g * _logistic(x) * _logistic(-x), PAIR),
    ("ops.trigonometry._tanh_back", _two(trigonometry._tanh_back), lambda g, x: g * mpmath.sech(x) ** 2, PAIR),
    ("ops.activation.tanhshrink", _one(F.tanhshrink), lambda x: x - mpmath.tanh(x), [[0.0], [0.7], [-5.0]]),
    ("ops.trigonometry._one_less_square", _one(trigonometry._one_less_square), lambda x: 1 - x * x, ZERO),
    ("ops.arithmetic.multiply", _two(gg.multiply), lambda x, y: x * y, PAIR),
    ("ops.arithmetic.divide", _two(gg.divide), lambda x, y: x / y, [[0.0, 1.0], [1.0, 1.0], [0.0, -2.0]]),
    ("ops.arithmetic.pow", _two(gg.pow), lambda x, y: x**y, [[1.0, 0.0], [2.0, 0.0], [1.0, 1.0], [2.0, -1.0]]),
    *[("ops.arithmetic.pow", _one(lambda x, n=n: x**n), lambda x, n=n: x**n, [[0.0], [-2.0], [1.0]]) for n in (1, 2,
        3, 4)],
    *[("ops.arithmetic.pow", lambda v, n=n: gg.pow(v[0], gg.full_like(v[0], n).detach()), lambda x, n=n: x**n,
        [[0.0], [-2.0]])
      for n in (1.0, 2.0, 3.0)],
    ("ops.functions.logaddexp", _two(gg.logaddexp), _lse, [*PAIR, [5.0, 0.0]]),
    ("ops.ufuncs.logaddexp2", _two(gg.logaddexp2), lambda x, y: mpmath.log(mpmath.mpf(2) ** x + mpmath.mpf(2) ** y,
        2), PAIR),
    ("ops.trigonometry.hypot", _two(gg.hypot), mpmath.hypot, [[0.0, 1.0], [1.0, 1.0], [-1.0, 0.0]]),
    ("ops.trigonometry.atan2", _two(gg.atan2), mpmath.atan2, [[0.0, 1.0], [1.0, 1.0], [-1.0, 1e-3]]),
    ("ops.special.xlogy", _two(S.xlogy), lambda x, y: x * mpmath.log(y), [[0.0, 2.0], [0.0, 1e-3], [1.0, 1.0]]),
    ("ops.special.xlog1py", _two(S.xlog1py), lambda x, y: x * mpmath.log1p(y), [[0.0, 2.0], [0.0, 0.0], [1.0, 0.0]]),
    ("ops.special.rel_entr", _two(S.rel_entr), lambda x, y: x * mpmath.log(x / y), [[1.0, 1.0], [1e-3, 2.0]]),
    ("ops.special._ratio", _two(own._ratio), lambda x, y: x / y, [[0.0, 2.0], [1.0, 1.0]]),
    ("ops.special._log_ratio", _two(own._log_ratio), lambda x, y: mpmath.log(x / y), [[1.0, 1.0], [1e-3, 2.0]]),
    ("ops.reduction.prod", gg.prod, _product, [[0.0, 2.0, 3.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]),
    ("ops.scans.cumulative_prod", lambda v: gg.cumulative_prod(v).sum(), lambda x, y, z: x + x * y + x * y * z,
     [[0.0, 2.0, 3.0], [1.0, 0.0, 3.0], [0.0, 0.0, 0.0]]),
    ("ops.reduction.var", gg.var, lambda x, y, z: ((x - y) ** 2 + (y - z) ** 2 + (x - z) ** 2) / 9, [[1.0] * 3,
        [0.0] * 3]),
    ("ops.statistics.nanvar", gg.nanvar, lambda x, y, z: ((x - y) ** 2 + (y - z) ** 2 + (x - z) ** 2) / 9, [[1.0] * 3]),
    ("ops.reduction.std", gg.std, lambda x, y: abs(x - y) / 2, [[1.0, 2.0]]),
    ("ops.statistics.nanstd", gg.nanstd, lambda x, y: abs(x - y) / 2, [[1.0, 2.0]]),
    ("ops.softmax.logsumexp", gg.logsumexp, _lse, [[0.0] * 3, [1.0, 1.0, -5.0]]),
    ("ops.attention.attention", lambda v: F.scaled_dot_product_attention(v[:1, None], v[1:, None], v[1:, None])[0, 0],
     _attended, [[0.0] * 3, [2.0, 1.0, -1.0], [0.0, 30.0, -30.0], [40.0, 1.0, 1.0]]),
    ("ops.softmax.softmax", lambda v: F.softmax(v, 0)[0], lambda *x: mpmath.exp(x[0] - _lse(*x)), [[0.0] * 3, [1.0,
        1.0, -5.0]]),
    ("ops.softmax.log_softmax", lambda v: F.log_softmax(v, 0)[0], lambda *x: x[0] - _lse(*x), [[0.0] * 3, [1.0, 1.0,
        -5.0]]),
    ("ops.softmax.cross_entropy", lambda v: F.cross_entropy(v[None], gg.asarray([1], device=v.device)),
     lambda *x: _lse(*x) - x[1], [[0.0] * 3, [5.0, 1.0, 1.0]]),
    ("ops.softmax.soft_cross_entropy", lambda v: softmax.soft_cross_entropy(v[None, :2], v[None, 2:])[0],
     lambda a, b, s, t: (s + t) * _lse(a, b) - s * a - t * b, [[0.0] * 4, [1.0, 1.0, 0.0, 1.0]]),
    ("ops.gating.glu", lambda v: gating.glu(v, axis=0)[0], lambda x, y: x * _logistic(y), PAIR),
    *[("ops.norms._norm", lambda v, p=p: L.vector_norm(v, ord=p) ** 2, lambda *x,
        p=p: sum(abs(e) ** p for e in x) ** (2 / p),
       [[1.0, 1.0], [-1.0, 1.0]]) for p in (2, 3, 1.5)],
    ("ops.norms._norm", lambda v: L.vector_norm(v) ** 2, lambda x, y: x * x + y * y, [[0.0, 1.0], [-1.0, 0.0]]),
    ("ops.norms._norm", lambda v: F.normalize(v, dim=0)[0], lambda x, y: x / mpmath.hypot(x, y), [[0.0, 1.0]]),
    ("ops.norms.root", lambda v: norms.root(v[0], 2), mpmath.sqrt, [[1e-9], [1.0]]),
    ("ops.determinants.det", lambda v: L.det(v.reshape(3, 3)), _det3,
     [[0.0] * 9, numpy.eye(3).ravel(), numpy.ones(9), numpy.diag([1.0, 2.0, 0.0]).ravel(), numpy.diag([1.0, 0.0,
         0.0]).ravel()]),
    ("ops.determinants._cofactors", lambda v: determinants._cofactors(v.reshape(3, 3))[0, 1],
     lambda a, b, c, d, e, f, g, h, i: f * g - d * i, [[0.0] * 9, numpy.eye(3).ravel(), numpy.ones(9)]),
    ("ops.determinants._slogdet", lambda v: L.slogdet(v.reshape(2, 2)).logabsdet,
     lambda a, b, c, d: mpmath.log(abs(a * d - b * c)), [numpy.eye(2).ravel(), [0.0, 1.0, 1.0, 0.0]]),
    ("ops.solving.inv", lambda v: L.inv(v.reshape(2, 2))[0, 0], lambda a, b, c, d: d / (a * d - b * c),
     [numpy.eye(2).ravel(), [0.0, 1.0, 1.0, 0.0]]),
    ("ops.solving._pinv", lambda v: L.pinv(v.reshape(2, 2))[0, 0], lambda a, b, c, d: d / (a * d - b * c),
        [numpy.eye(2).ravel()]),
    ("ops.solving.solve", lambda v: L.solve(v[:4].reshape(2, 2), v[4:])[0],
     lambda a, b, c, d, x, y: (d * x - b * y) / (a * d - b * c), [[1.0, 0.0, 0.0, 1.0, 0.0, 0.0]]),
    ("ops.solving._lstsq", lambda v: L.lstsq(v[:4].reshape(2, 2), v[4:])[0][0],
     lambda a, b, c, d, x, y: (d * x - b * y) / (a * d - b * c), [[1.0, 0.0, 0.0, 1.0, 0.0, 0.0]]),
    *[(f"ops.matrix_functions.{name}", lambda v, name=name: getattr(L, name)(v.reshape(2, 2))[0, 1],
       lambda a, b, c, d, name=name: getattr(mpmath, name)(mpmath.matrix([[a, b], [c, d]]))[0, 1], points)
      for name, points in (("expm", [[0.0] * 4, [1.0, 0.0, 0.0, 1.0], [1.0, 1.0, 0.0, 1.0]]),
                           ("sqrtm", [[1.0, 0.0, 0.0, 1.0], [2.0, 1.0, 0.0, 2.0]]),
                           ("logm", [[1.0, 0.0, 0.0, 1.0], [2.0, 1.0, 0.0, 2.0]]))],
    ("ops.solving._solve_triangular", lambda v: L.solve_triangular(v[:4].reshape(2, 2), v[4:], lower=True)[1],
     lambda a, b, c, d, x, y: (y - c * x / a) / d, [[1.0, 0.0, 0.0, 1.0, 0.0, 0.0]]),
    ("ops.decompositions._cholesky", lambda v: L.cholesky(v.reshape(2, 2))[1, 1],
     lambda a, b, c, d: mpmath.sqrt(d - ((b + c) / 2) ** 2 / a), [numpy.eye(2).ravel(), [2.0, 0.0, 0.0, 1.0]]),
    ("ops.linear.matmul", lambda v: (v.reshape(2, 2) @ v.reshape(2, 2))[0, 0], lambda a, b, c, d: a * a + b * c,
        [[0.0] * 4]),
    ("ops.products._cross", lambda v: gg.linalg.cross(v[:3], v[3:])[2], lambda a, b, c, d, e, f: a * e - b * d,
        [[0.0] * 6]),
    ("ops.linear._einsum", lambda v: gg.einsum("i,i,i->", v, v, v), lambda x, y: x**3 + y**3, [[0.0, 0.0], [1.0,
        1.0]]),
    ("ops.rounding.angle", lambda v: gg.angle(v[0] + 1j * v[1]), lambda x, y: mpmath.atan2(y, x), [[1.0, 0.0], [0.0,
        1.0]]),
    ("ops.arithmetic.abs", lambda v: gg.abs(v[0] + 1j * v[1]), mpmath.hypot, [[1.0, 0.0], [0.0, -1.0]]),
    ("ops.arithmetic._direction", lambda v: gg.real(gg.sign(v[0] + 1j * v[1])), lambda x, y: x / mpmath.hypot(x, y),
     [[1.0, 0.0], [0.0, -1.0]]),
]  # fmt: skip


def _usv(v):
    u, s, vh = L.svd(v.reshape(2, 2), full_matrices=False)
    return ((u * s) @ vh)[0, 1]


def _vwv(v):
    w, q = L.eigh(v.reshape(2, 2))
    return ((q * w) @ q.T)[0, 1]


def _ewe(v):
    w, q = L.eig(v.reshape(2, 2))
    return gg.real((q * w) @ L.inv(q))[0, 1]


def _qr(v):
    q, r = L.qr(v.reshape(2, 2))
    return (q @ r)[0, 1]


NOWHERE = numpy.full((2, 2), nan)
NONE4 = numpy.full((4, 4), nan)
TIE = [1.0, 1.0]
FLAT, FLAT2 = [[0.0]], numpy.zeros((2, 2))
HALVES = numpy.full((2, 2), 0.5)

CLOSED: list[Closed] = [
    # lengths have no second derivative at 0, and their squares are not known to have one
    *[(name, f, [0.0, 0.0], NOWHERE) for name, f in (
        ("ops.trigonometry.hypot", _two(gg.hypot)), ("ops.trigonometry.hypot", lambda v: gg.hypot(v[0], v[1]) ** 2),
        ("ops.trigonometry.atan2", _two(gg.atan2)), ("ops.norms._norm", L.norm), ("ops.norms._norm",
            lambda v: L.norm(v) ** 2),
        *[("ops.norms._norm", lambda v, p=p: L.vector_norm(v, ord=p) ** 2) for p in (3, 1.5, 0.5)],
        ("ops.norms._norm", lambda v: F.pairwise_distance(v[None], 0 * v[None], eps=0)[0] ** 2),
        ("ops.norms._norm", lambda v: F.cdist(v[None], 0 * v[None])[0, 0] ** 2),
        ("ops.norms._norm", lambda v: L.matrix_norm(v[None]) ** 2),
        ("ops.reduction.std", lambda v: gg.std(v) ** 2), ("ops.statistics.nanstd", lambda v: gg.nanstd(v) ** 2),
        ("ops.rounding.angle", lambda v: gg.angle(v[0] + 1j * v[1])),
        ("ops.arithmetic.abs", lambda v: gg.abs(v[0] + 1j * v[1]) ** 2),
        ("ops.arithmetic._direction", lambda v: gg.real(gg.sign(v[0] + 1j * v[1]))),
    )],
    ("ops.norms._norm", lambda v: L.vector_norm(v, ord=1.5), [0.0, 1.0], [[nan, 0], [0, 0]]),
    ("ops.norms._norm", lambda v: F.normalize(v, dim=0).sum(), [0.0, 0.0], FLAT2),
    ("ops.norms._norm", lambda v: F.cosine_similarity(v, v.detach() + 1, dim=0), [0.0, 0.0], FLAT2),
    ("ops.norms.root", lambda v: norms.root(v[0], 2) ** 2, [0.0], [[nan]]),
    # vectors that their matrix does not determine
    *[(name, f, at, NONE4) for name, f in (
        ("ops.decompositions._svd", _usv), ("ops.eigenvalues._eigh", _vwv), ("ops.eigenvalues._eig", _ewe),
        ("ops.decompositions.svdvals", lambda v: (L.svdvals(v.reshape(2, 2)) ** 2).sum()),
        ("ops.solving._singular_values", lambda v: (L.lstsq(v.reshape(2, 2), v[:2])[3] ** 2).sum()),
        ("ops.eigenvalues._eigvalsh", lambda v: (L.eigvalsh(v.reshape(2, 2)) ** 2).sum()),
        ("ops.eigenvalues.eigvals", lambda v: gg.real(L.eigvals(v.reshape(2, 2)) ** 2).sum()),
    ) for at in ([0.0] * 4, [1.0, 0.0, 0.0, 1.0])],
    *[(name, f, [2.0, 0.0, 0.0, 1.0], numpy.zeros((4, 4))) for name, f in (
        ("ops.decompositions._svd", _usv), ("ops.eigenvalues._eigh", _vwv), ("ops.eigenvalues._eig", _ewe),
        ("ops.decompositions._qr", _qr),
    )],
    ("ops.decompositions._qr", _qr, [0.0] * 4, NONE4),
    # poles and edges of domains
    ("ops.special.rel_entr", _two(S.rel_entr), [0.0, 2.0], [[nan, -0.5], [-0.5, 0.0]]),
    ("ops.special.rel_entr", _two(S.rel_entr), [0.0, 0.0], NOWHERE),
    ("ops.special.xlogy", _two(S.xlogy), [0.0, 0.0], [[0, nan], [nan, nan]]),
    ("ops.special.xlog1py", _two(S.xlog1py), [0.0, -1.0], [[0, nan], [nan, nan]]),
    ("ops.arithmetic.pow", _two(gg.pow), [0.0, 0.0], [[0, nan], [nan, nan]]),
    ("ops.arithmetic.pow", _two(gg.pow), [0.0, 1.0], [[0, nan], [nan, 0]]),
    ("ops.arithmetic.pow", _two(gg.pow), [0.0, 2.0], [[2, 0], [0, 0]]),
    ("ops.arithmetic.pow", _two(gg.pow), [0.0, 3.0], FLAT2),
    *[(name, _one(f), [0.0], [[nan]]) for name, f in (
        ("ops.functions.sqrt", gg.sqrt), ("ops.functions.log", gg.log), ("ops.functions.reciprocal", gg.reciprocal),
        ("ops.ufuncs.cbrt", gg.cbrt), ("ops.special.entr", S.entr), ("ops.special.logit", S.logit),
        ("ops.functions.sqrt", lambda x: gg.sqrt(x) ** 2), ("ops.functions.sqrt", lambda x: gg.sqrt(x**4)),
    )],
    *[(f"ops.trigonometry.{f.__name__}", _one(f), [1.0], [[nan]]) for f in (gg.asin, gg.acos, gg.atanh, gg.acosh)],
    # infinities: the limit
    *[("ops.functions.logaddexp", _two(gg.logaddexp), at, FLAT2) for at in ([-inf, 1.0], [inf, 1.0], [-inf, -inf])],
    *[(name, _one(f), [x], FLAT) for name, f in (
        ("ops.activation.sigmoid", gg.sigmoid), ("ops.trigonometry.tanh", gg.tanh), ("ops.special.erf", S.erf),
        ("ops.special.ndtr", S.ndtr), ("ops.activation.softplus", F.softplus), ("ops.functions.reciprocal",
            gg.reciprocal),
    ) for x in (inf, -inf)],
    ("ops.softmax.softmax", lambda v: F.softmax(v, 0)[0], [0.0, -inf], FLAT2),
    ("ops.softmax.logsumexp", gg.logsumexp, [0.0, -inf], FLAT2),
    # ties and kinks: both sides are flat or share evenly, as the first derivative does
    *[(name, _two(f), TIE, FLAT2) for name, f in (
        ("ops.arithmetic.maximum", gg.maximum), ("ops.arithmetic.minimum", gg.minimum), ("ops.ufuncs.fmax", gg.fmax),
        ("ops.ufuncs.fmin", gg.fmin), ("ops.arithmetic.remainder", gg.remainder), ("ops.ufuncs.fmod", gg.fmod),
        ("ops.rounding.copysign", gg.copysign), ("ops.ufuncs.heaviside", gg.heaviside),
        ("ops.arithmetic._clip", lambda x, y: gg.clip(x, y, 2.0)),
    )],
    ("ops.arithmetic.maximum", lambda v: gg.maximum(v[0], v[1]) ** 2, TIE, HALVES),
    *[(name, f, TIE, FLAT2) for name, f in (
        ("ops.reduction.max", gg.max), ("ops.reduction.min", gg.min), ("ops.statistics.nanmax", gg.nanmax),
        ("ops.statistics.nanmin", gg.nanmin), ("ops.quantiles.nanmedian", gg.nanmedian), ("ops.quantiles._ordered",
            gg.median),
    )],
    *[(name, f, TIE, 2 * numpy.eye(2)) for name, f in (
        ("ops.selection.sort", lambda v: (gg.sort(v) ** 2).sum()),
        ("ops.quantiles.partition", lambda v: (gg.partition(v, 1) ** 2).sum()),
    )],
    ("ops.pooling._max_pool", lambda v: F.max_pool1d(v[None, None], 2).sum(), TIE, FLAT2),
    *[(f"ops.activation.{name}", _one(f), [x], FLAT) for name, f, x in (
        ("relu", gg.relu, 0.0), ("leaky", F.leaky_relu, 0.0), ("hardtanh", F.hardtanh, 1.0), ("threshold",
            lambda x: F.threshold(x, 1.0, 0.0), 1.0),
        ("hardsigmoid", F.hardsigmoid, 3.0), ("hardswish", F.hardswish, 3.0), ("hardshrink", F.hardshrink, 0.5),
        ("softshrink", F.softshrink, 0.5), ("softsign", F.softsign, 0.0),
    )],
    ("ops.activation.sloped", _two(activation.sloped), [0.0, 0.5], [[0, 1], [1, 0]]),
    *[(name, _one(f), [0.0], FLAT) for name, f in (
        ("ops.arithmetic.abs", gg.abs), ("ops.ufuncs.fabs", gg.fabs), ("ops.arithmetic._sign", gg.sign),
        ("ops.rounding.floor", gg.floor), ("ops.rounding.ceil", gg.ceil), ("ops.rounding.round", gg.round),
        ("ops.rounding.trunc", gg.trunc), ("ops.rounding.nan_to_num", gg.nan_to_num),
        ("ops.arithmetic.floor_divide", lambda x: x // 1.0), ("ops.ufuncs.divmod", lambda x: gg.divmod(x, 1.0)[1]),
        ("ops.ufuncs._behind_the_point", lambda x: gg.modf(x)[0]),
    )],
    ("ops.losses.huber", lambda v: F.huber_loss(v[0], v[1]), [0.0, 0.0], [[1, -1], [-1, 1]]),
    ("ops.corners._marked", lambda v: corners._marked(v * v, v, v == 0)[0], [0.0], [[nan]]),
]  # fmt: skip

FAMILIES = {
    "linear: there is no second derivative": (
        "core.operation.identity ops.activation.drawn_dropout ops.activation.dropout ops.arithmetic.add "
        "ops.arithmetic.negative "
        "ops.arithmetic.positive ops.arithmetic.subtract ops.arithmetic.where ops.corners._lost "
        "ops.counting._bincount_of_weights ops.creation._astype ops.creation._to_device ops.diagonals._trace "
        "ops.diagonals.tril ops.diagonals.triu ops.fourier._c2c ops.fourier._c2r ops.fourier._mirrored "
        "ops.fourier._r2c ops.indexing._gather ops.indexing._place ops.indexing._scatter_add ops.indexing._set_at "
        "ops.indexing._slice ops.indexing._unbag ops.indexing.bags ops.interpolation.unwrap ops.linear._diagonal "
        "ops.linear._on_diagonal ops.padding._border ops.padding._pad ops.padding._unborder "
        "ops.pooling._average_back ops.pooling._average_pool ops.pooling._chosen ops.pooling._fold "
        "ops.pooling._returned ops.pooling._unfold ops.reduction.mean ops.reduction.sum ops.resampling.resample "
        "ops.rounding.nextafter ops.rounding.conj ops.rounding.imag ops.rounding.real ops.scans._diff "
        "ops.scans.cumulative_sum ops.shaping._concat ops.shaping._split ops.shaping._stack "
        "ops.shaping._unstack ops.shaping.broadcast_to "
        "ops.shaping.expand_dims ops.shaping.flip ops.shaping.permute_dims ops.shaping.reshape ops.shaping.squeeze "
        "ops.softmax.of_label ops.stacking._repeat ops.axes.roll ops.statistics.nansum"
    ),
    "a product of two: the second derivative is the same everywhere": (
        "ops.convolution._convolve ops.convolution._filters ops.convolution._spread ops.signal._convolve"
    ),
    "pieces that are linear, as those above, or smooth everywhere, with eps below each root": (
        "ops.interpolation._interp ops.margins.margins ops.normalization.normalize"
    ),
    "solutions of linear equations, as those above": (
        "ops.factored._lu ops.factored._unit_lower ops.matrix_functions.solve_sylvester ops.structured._solve_banded"
    ),
    "composed of the activations above": ("ops.ctc.ctc ops.recurrent.gru ops.recurrent.lstm ops.recurrent.rnn"),
    "special functions with tables of their own: see tests/ops/test_special_functions.py": (
        "ops.bessel._over_power ops.bessel.i0e ops.bessel.i1e ops.bessel.ive ops.bessel.k0e ops.bessel.k1e "
        "ops.bessel.kve ops.gammas._multigammaln ops.gammas.betaln ops.gammas.gammasgn ops.incomplete.betainc "
        "ops.incomplete.gammaincc"
    ),
}
