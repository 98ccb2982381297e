"""Values, first and second derivatives against mpmath where formulas lose their digits: far out, and near 0 and 1.

Each row is a function of one number, the same in mpmath, and the open interval it is tried in. A result may be wrong
by a few units in the last place, and 0 or infinite only where the dtype has no number for it.
"""

import numpy
import pytest

import gpugrad as gg
from gpugrad.nn import functional as F

mp = pytest.importorskip("mpmath", reason="the exact values come from mpmath")

UNITS = 32
FAR = 1e31


def sigmoid(x):
    return 1 / (1 + mp.exp(-x))


def softplus(x):
    return mp.log1p(mp.exp(-abs(x))) + max(x, 0)


def normal(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2


def logarithm_of_normal(x):
    return mp.log(normal(x)) if x < 0 else mp.log1p(-normal(-x))


def same(value):
    """A target of one value, of the shape of the input."""
    return lambda x: gg.full_like(x, value)


ROWS = {
    "exp": (gg.exp, mp.exp),
    "expm1": (gg.expm1, mp.expm1),
    "log": (gg.log, mp.log, 0),
    "log1p": (gg.log1p, mp.log1p, -1),
    "sqrt": (gg.sqrt, mp.sqrt, 0),
    "tanh": (gg.tanh, mp.tanh),
    "sinh": (gg.sinh, mp.sinh),
    "cosh": (gg.cosh, mp.cosh),
    "asin": (gg.asin, mp.asin, -1, 1),
    "acos": (gg.acos, mp.acos, -1, 0.9),
    "atanh": (gg.atanh, mp.atanh, -1, 1),
    "asinh": (gg.asinh, mp.asinh),
    "sigmoid": (gg.sigmoid, sigmoid),
    "logaddexp": (lambda x: gg.logaddexp(x, gg.zeros_like(x)), softplus),
    "erfc": (gg.special.erfc, mp.erfc, -12, 5),
    "log_ndtr": (gg.special.log_ndtr, logarithm_of_normal, -20, 5),
    "log_expit": (gg.special.log_expit, lambda x: -softplus(-x)),
    "elu": (F.elu, lambda x: x if x > 0 else mp.expm1(x)),
    "celu": (lambda x: F.celu(x, 0.5), lambda x: x if x > 0 else mp.expm1(2 * x) / 2),
    "silu": (F.silu, lambda x: x * sigmoid(x)),
    "gelu": (F.gelu, lambda x: x * normal(x), -9, 10),
    "tanh-GELU": (
        lambda x: F.gelu(x, "tanh"),
        lambda x: x * sigmoid(2 * mp.sqrt(2 / mp.pi) * (x + mp.mpf(0.044715) * x**3)), -5, 10,
    ),
    "softplus": (lambda x: F.softplus(x, threshold=1e40), softplus),
    "tanhshrink": (F.tanhshrink, lambda x: x - mp.tanh(x)),
    "softsign": (F.softsign, lambda x: x / (1 + abs(x))),
    "glu": (lambda x: F.glu(gg.stack([x, x]), 0)[0], lambda x: x * sigmoid(x)),
    "cross-entropy of probabilities, 0": (
        lambda x: F.binary_cross_entropy(x, same(0.0)(x), reduction="none"), lambda x: -mp.log1p(-x), 0, 0.999,
    ),
    "cross-entropy of probabilities, 1": (
        lambda x: F.binary_cross_entropy(x, same(1.0)(x), reduction="none"), lambda x: -mp.log(x), 1e-9, 0.999,
    ),
    "cross-entropy of logits": (
        lambda x: F.binary_cross_entropy_with_logits(x, same(1.0)(x), reduction="none"), lambda x: softplus(-x),
    ),
    "soft margin": (lambda x: F.soft_margin_loss(x, same(1.0)(x), reduction="none"), lambda x: softplus(-x)),
}  # fmt: skip

MAGNITUDES = (1e-8, 1e-3, 0.4, 0.95, 3.0, 18.0, 60.0, 700.0, 1e10)


def exact(function, x, order):
    """The derivative of a function in mpmath at a number of the dtype."""
    size = abs(float(x))
    digits = 70 + int(min(size, 700) + min(size * size / 4, 60))
    with mp.workdps(digits):
        at = mp.mpf(float(x))
        step = min(abs(at), abs(1 - abs(at)) or 1) * mp.mpf(10) ** -25
        return mp.diff(function, at, order, h=step) if order else function(at)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ROWS)
def test_digits(name, dtype):
    function, reference, *interval = ROWS[name]
    low, high = [*interval, *[-FAR, FAR][len(interval) :]]
    kind, limits = numpy.dtype(dtype).type, numpy.finfo(dtype)
    xs = numpy.array(
        sorted(
            {kind(s * m) for s in (-1, 1) for m in MAGNITUDES if low < s * m < high and abs(kind(s * m)) < limits.max}
        ),
        dtype,
    )
    first = gg.grad(lambda x: function(x).sum())
    second = gg.grad(lambda x: first(x).sum())
    problems = []
    with numpy.errstate(all="ignore"):
        results = [function(gg.tensor(xs)).numpy(), *(numpy.asarray(f(xs)) for f in (first, second))]
    for order, result in enumerate(results):
        for x, got in zip(xs, result, strict=True):
            want = exact(reference, x, order)
            size = abs(want)
            if size > float(limits.max) * 0.9:
                right = numpy.isinf(got)
            elif size < float(limits.tiny) * 10:
                right = abs(got) < float(limits.tiny) * 50
            else:
                right = numpy.isfinite(got) and abs(mp.mpf(float(got)) - want) <= UNITS * float(limits.eps) * size
            if not right:
                problems.append(f"order {order} at {x}: {got} for {mp.nstr(want, 8)}")
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_log_ndtr_far_on_the_right(dtype):
    x = numpy.array([8.0, 14.0, 37.6, 60.0, 1e3], dtype)
    first = gg.grad(lambda v: gg.special.log_ndtr(v).sum())
    second = gg.grad(lambda v: first(v).sum())
    third = gg.grad(lambda v: second(v).sum())
    density = numpy.exp(-x * x / 2) / numpy.sqrt(2 * numpy.pi).astype(dtype)
    tiny = 1e3 * float(numpy.finfo(dtype).tiny)
    for found, wanted in ((first, density), (second, -x * density), (third, (x * x - 1) * density)):
        assert numpy.allclose(found(x), wanted, rtol=2e-5, atol=tiny)
