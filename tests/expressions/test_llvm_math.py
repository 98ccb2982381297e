"""Elementary functions in LLVM IR against mpmath: units in the last place, special values."""

from __future__ import annotations

import math

import mpmath
import numpy
import pytest

from gpugrad.backend import llvm
from gpugrad.expressions import make, variable
from gpugrad.expressions.llvm_math import FUNCTIONS, NEAR
from gpugrad.kernels import loops
from gpugrad.kernels.compiled import PROTOTYPE, address

pytestmark = [
    pytest.mark.any_device,
    pytest.mark.skipif(not llvm.wanted(), reason="llvmlite is not installed, or GPUGRAD_COMPILE is 0"),
]
LIMIT = 2.0
COUNT = 700
INF, NAN = math.inf, math.nan

DOMAINS = {  # in float32 and in float64
    "exp": ((-104, 89), (-746, 710)), "exp2": ((-150, 128), (-1076, 1024)), "expm1": ((-20, 89), (-40, 710)),
    "sinh": ((-89, 89), (-711, 711)), "cosh": ((-89, 89), (-711, 711)), "tanh": ((-10, 10), (-20, 20)),
    "erf": ((-4, 4), (-6, 6)), "erfc": ((-4, 10.2), (-6, 27)),
    "sin": ((-NEAR["float32"], NEAR["float32"]), (-NEAR["float64"], NEAR["float64"])),
    "cos": ((-NEAR["float32"], NEAR["float32"]), (-NEAR["float64"], NEAR["float64"])),
}  # fmt: skip
LOGARITHMS = ("log", "log2", "log10")

EXACT = {
    "exp2": mpmath.exp2 if hasattr(mpmath, "exp2") else lambda x: mpmath.mpf(2) ** x,
    "log2": lambda x: mpmath.log(x) / mpmath.log(2),
}

SPECIAL = {
    "exp": [(-INF, 0.0), (INF, INF), (0.0, 1.0), (1e30, INF), (-1e30, 0.0)],
    "exp2": [(-INF, 0.0), (INF, INF), (0.0, 1.0), (3.0, 8.0), (-1e30, 0.0)],
    "expm1": [(-INF, -1.0), (INF, INF), (0.0, 0.0), (-0.0, -0.0), (1e30, INF)],
    "log": [(-INF, NAN), (-1.0, NAN), (0.0, -INF), (-0.0, -INF), (INF, INF), (1.0, 0.0)],
    "log2": [(-1.0, NAN), (0.0, -INF), (INF, INF), (1.0, 0.0), (8.0, 3.0)],
    "log10": [(-1.0, NAN), (0.0, -INF), (INF, INF), (1.0, 0.0), (1000.0, 3.0)],
    "log1p": [(-2.0, NAN), (-1.0, -INF), (INF, INF), (0.0, 0.0), (-0.0, -0.0)],
    "sinh": [(-INF, -INF), (INF, INF), (0.0, 0.0), (-0.0, -0.0)],
    "cosh": [(-INF, INF), (INF, INF), (0.0, 1.0)],
    "tanh": [(-INF, -1.0), (INF, 1.0), (0.0, 0.0), (-0.0, -0.0), (1e30, 1.0)],
    "erf": [(-INF, -1.0), (INF, 1.0), (0.0, 0.0), (-0.0, -0.0)],
    "erfc": [(-INF, 2.0), (INF, 0.0), (0.0, 1.0), (1e30, 0.0)],
    "sin": [(-INF, NAN), (INF, NAN), (0.0, 0.0), (-0.0, -0.0)],
    "cos": [(-INF, NAN), (INF, NAN), (0.0, 1.0)],
}


def compiled(name, dtype, arity=1):
    variables = [variable("xy"[i], dtype) for i in range(arity)]
    symbol, source = loops.elementwise(variables, [make(name, *variables)], "c" * (arity + 1), 1)
    function = PROTOTYPE(llvm.machine().load(source, symbol))

    def run(*arrays):
        out = numpy.empty_like(arrays[0])
        words = numpy.array([address(a) for a in (*arrays, out)], "uint64").tobytes()
        function(words, 0, out.size)
        return out

    return run


def arguments(rng, name, dtype):
    """Numbers from the whole domain, near 0 and near 1, subnormal ones and powers of 10."""
    wide = dtype == "float64"
    info = numpy.finfo(dtype)
    if name in DOMAINS:
        low, high = DOMAINS[name][wide]
        parts = [rng.uniform(low, high, COUNT), rng.uniform(-3, 3, COUNT)]
        parts.append(rng.standard_normal(COUNT) * 10.0 ** rng.uniform(-12, 0, COUNT))
    else:
        most = math.log10(info.max)
        parts = [10.0 ** rng.uniform(-most, most, COUNT), rng.uniform(0.5, 2, COUNT)]
        parts.append(1 + rng.standard_normal(COUNT) * 10.0 ** rng.uniform(-7, -1, COUNT))
        if name == "log1p":
            parts = [*parts, rng.uniform(-0.5, 0.5, COUNT), -(10.0 ** rng.uniform(-12, -0.3, COUNT)),
                     10.0 ** rng.uniform(-7, -0.3, COUNT) - 1]  # fmt: skip
        else:
            parts = [numpy.abs(p) for p in parts]
    if name not in LOGARITHMS:
        parts.append(rng.uniform(-1, 1, 50) * info.smallest_normal)
    else:
        parts.append(rng.uniform(0.001, 1, 50) * info.smallest_normal)
    return numpy.concatenate(parts).astype(dtype)


def error(got, exact, dtype):
    """The difference in units in the last place of the exact result, which may overflow."""
    info = numpy.finfo(dtype)
    if abs(exact) > info.max:
        return 0.0 if abs(got) in (INF, info.max) else INF
    unit = max(float(numpy.spacing(numpy.dtype(dtype).type(abs(float(exact))))), info.smallest_subnormal)
    return float(abs(mpmath.mpf(float(got)) - exact) / mpmath.mpf(unit))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_units_in_the_last_place(name, dtype, rng):
    run, exact = compiled(name, dtype), EXACT.get(name) or getattr(mpmath, name)
    x = arguments(rng, name, dtype)
    got = run(x)
    with mpmath.workprec(150):
        errors = [error(y, exact(mpmath.mpf(float(v))), dtype) for v, y in zip(x, got, strict=True)]
    worst = int(numpy.argmax(errors))
    assert errors[worst] <= LIMIT, (x[worst], got[worst])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_special_values(name, dtype):
    x, expected = numpy.array([*SPECIAL[name], (NAN, NAN)], dtype).T.copy()
    got = compiled(name, dtype)(x)
    numpy.testing.assert_array_equal(got, expected)
    zeros = got == 0
    numpy.testing.assert_array_equal(numpy.signbit(got)[zeros], numpy.signbit(expected)[zeros])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_angles_that_are_large(dtype, rng):
    x = (rng.standard_normal(100) * 10.0 ** rng.uniform(4, 30, 100)).astype(dtype)
    for name in ("sin", "cos"):
        numpy.testing.assert_allclose(compiled(name, dtype)(x), getattr(numpy, name)(x.astype("float64")), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_powers(dtype, rng):
    awkward = numpy.array([0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 0.5, -0.5, INF, -INF, NAN, 1e30, -1e30], dtype)
    x, y = (a.ravel() for a in numpy.meshgrid(awkward, awkward))
    x, y = (
        numpy.concatenate([a, b]).astype(dtype) for a, b in ((x, rng.uniform(0, 9, 500)), (y, rng.normal(size=500)))
    )
    with numpy.errstate(all="ignore"):
        expected = numpy.power(x.astype("float64"), y.astype("float64")).astype(dtype)
    got = compiled("power", dtype, 2)(x, y)
    numpy.testing.assert_allclose(got, expected, rtol=3 * numpy.finfo(dtype).eps)
    zeros = expected == 0
    numpy.testing.assert_array_equal(numpy.signbit(got)[zeros], numpy.signbit(expected)[zeros])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_log1p_of_what_is_known_to_be_at_most_1(dtype, rng):
    x = variable("x", dtype)
    power = make("exp", make("negative", make("abs", x)))
    symbol, source = loops.elementwise([x], [power, make("log1p", power)], "ccc", 1)
    function = PROTOTYPE(llvm.machine().load(source, symbol))
    given = numpy.concatenate([rng.uniform(-100, 100, COUNT), rng.normal(size=COUNT), [0.0, INF, -INF, NAN]]).astype(
        dtype
    )
    t, got = numpy.empty_like(given), numpy.empty_like(given)
    function(numpy.array([address(a) for a in (given, t, got)], "uint64").tobytes(), 0, given.size)
    with mpmath.workprec(150):
        errors = [error(b, mpmath.log1p(mpmath.mpf(float(a))), dtype) for a, b in zip(t[:-1], got[:-1], strict=True)]
    assert max(errors) <= LIMIT
    assert numpy.isnan(got[-1])
