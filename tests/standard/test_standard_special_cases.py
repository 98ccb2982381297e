"""The special cases of the standard, on the device of the run: see ``special_cases.py`` for the tables."""

from __future__ import annotations

import itertools
import math
import re
from functools import partial

import numpy
import pytest
from cases.checks import together

import gpugrad as gg

from .special_cases import BINARY, COMPLEX, OF_CUPY, OF_THE_LIBRARY, UNARY

HOLOMORPHIC = """
    acos acosh asin asinh atan atanh cos cosh exp expm1 log log1p log2 log10 sin sinh sqrt tan tanh
"""


def number(text):
    return eval(text, {"nan": math.nan, "inf": math.inf, "pi": math.pi}) if text != "-0" else -0.0


def cases(table):
    for name, text in table.items():
        for case in re.findall(r"(?:\[[^]]*\]|[^\s\[])+", text):
            arguments, _, expected = case.partition(":")
            groups = [g.strip("[]").split() for g in arguments.split(";")]
            for values in itertools.product(*groups):
                yield name, values, expected


def of_each_function(*tables):
    """A test of each function, on all its values."""
    found = {}
    for name, values, expected in itertools.chain(*map(cases, tables)):
        found.setdefault(name, []).append((values, expected))
    return pytest.mark.parametrize(("name", "table"), found.items(), ids=list(found))


def on_each(check, name, table, dtypes):
    together(name, {
        f"of {'; '.join(values)} in {dtype}": partial(check, name, values, expected, dtype)
        for values, expected in table for dtype in dtypes
    })  # fmt: skip


def same(got, expected):
    free = expected.startswith("~")
    want = number(expected.lstrip("~"))
    if math.isnan(want):
        assert math.isnan(got)
        return
    got, want = (abs(got), abs(want)) if free else (got, want)
    assert got == pytest.approx(want, rel=1e-6)
    if want == 0:
        assert math.copysign(1, got) == math.copysign(1, want), "a zero of the other sign"


@of_each_function(UNARY, BINARY)
def test_of_real_numbers(name, table):
    on_each(of_real_numbers, name, table, ["float32", "float64"])


def of_real_numbers(name, values, expected, dtype):
    with numpy.errstate(all="ignore"):
        y = getattr(gg, name)(*(gg.full(3, number(v), dtype=getattr(gg, dtype)) for v in values))
        assert y.dtype == (gg.bool if y.dtype == gg.bool else getattr(gg, dtype))
        for got in y.tolist():
            same(float(got), expected)


@of_each_function(COMPLEX)
def test_of_complex_numbers(name, table, device):
    left = OF_THE_LIBRARY if device.is_host else OF_THE_LIBRARY | OF_CUPY
    table = [(values, expected) for values, expected in table if (name, values[0]) not in left]
    on_each(of_complex_numbers, name, table, ["complex64", "complex128"])


def of_complex_numbers(name, values, expected, dtype):
    a, b = map(number, values[0].split(","))
    with numpy.errstate(all="ignore"):
        y = getattr(gg, name)(gg.full(3, complex(a, b), dtype=getattr(gg, dtype)))
    for got in y.tolist():
        parts = (got.real, got.imag) if isinstance(got, complex) else (float(got),)
        for part, want in zip(parts, expected.split(","), strict=True):
            same(part, want)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("name", HOLOMORPHIC.split())
def test_of_the_conjugate_is_the_conjugate(name, dtype):
    z = gg.asarray([1 + 2j, -0.5 + 0.25j, 3 - 1j, complex(0.5, 0.0), complex(-0.5, -0.0)], dtype=getattr(gg, dtype))
    f = getattr(gg, name)
    numpy.testing.assert_allclose(f(gg.conj(z)).numpy(), gg.conj(f(z)).numpy(), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_reductions(dtype):
    nan, empty = gg.asarray([1.0, math.nan], dtype=getattr(gg, dtype)), gg.zeros(0, dtype=getattr(gg, dtype))
    for name in ("sum", "prod", "max", "min", "mean", "std", "var"):
        assert math.isnan(getattr(gg, name)(nan).item())
    assert gg.sum(empty).item() == 0
    assert gg.prod(empty).item() == 1
    assert gg.all(empty).item() is True
    assert gg.any(empty).item() is False
    assert gg.all(nan).item() is True
    for name in ("max", "min"):
        with pytest.raises(ValueError):
            getattr(gg, name)(empty)


@pytest.mark.parametrize(("x", "low", "high"), [(math.nan, 0, 1), (0.5, math.nan, 1), (0.5, 0, math.nan)])
def test_clip_hands_nan_on(x, low, high):
    assert math.isnan(gg.clip(gg.asarray(x), gg.asarray(float(low)), gg.asarray(float(high))).item())


def test_values_that_are_nan_are_all_different():
    x = gg.asarray([math.nan, 1.0, math.nan, -0.0, 0.0])
    values, _, inverse, counts = gg.unique_all(x)
    assert values.shape == (4,)
    assert sorted(counts.tolist()) == [1, 1, 1, 2]
    assert inverse.shape == x.shape
    assert gg.unique_values(x).shape == gg.unique_counts(x).counts.shape == gg.unique_inverse(x).values.shape == (4,)


def test_shifts_and_integers():
    x = gg.asarray([-7, 7], dtype=gg.int8)
    assert gg.bitwise_right_shift(x, 1).tolist() == [-4, 3]
    assert gg.bitwise_left_shift(x, 1).tolist() == [-14, 14]
    assert gg.bitwise_invert(x).tolist() == [6, -8]
    assert (x // 2).tolist() == [-4, 3]
    assert (x % 4).tolist() == [1, 3]
    for name in ("ceil", "floor", "trunc", "round"):
        assert getattr(gg, name)(x).dtype == gg.int8
    assert gg.sign(x).tolist() == [-1, 1]
