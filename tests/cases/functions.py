"""Functions of one or two numbers."""

from __future__ import annotations

import numpy

from gpugrad.ops.trigonometry import _one_less_square, _tanh_back

from .domains import LARGE_PAIR, PAIRS, above_one, apart, nonzero, positive, within
from .row import Row, binary, complex_too, unary

ROWS: list[Row] = [
    unary("functions", "exp"),
    unary("functions", "expm1"),
    unary("functions", "log", positive),
    unary("functions", "log1p", positive),
    unary("functions", "sqrt", positive),
    unary("functions", "square"),
    unary("trigonometry", "sin"),
    unary("trigonometry", "cos"),
    unary("trigonometry", "tanh"),
    Row("ops.trigonometry._tanh_back", _tanh_back, shapes=PAIRS, large=LARGE_PAIR,
        numpy=lambda g, x: g / numpy.cosh(x) ** 2, torch=lambda torch, g, x: g / torch.cosh(x) ** 2),
    unary("functions", "exp2"),
    unary("functions", "log2", positive),
    unary("functions", "log10", positive),
    unary("functions", "reciprocal", nonzero, single=1e-4),
    binary("functions", "logaddexp"),
    *[unary("trigonometry", name) for name in ("sinh", "cosh", "atan", "asinh", "sinc")],
    *[unary("trigonometry", name, within, single=1e-4) for name in ("tan", "asin", "acos", "atanh")],
    Row("ops.trigonometry._one_less_square", _one_less_square, numpy=lambda x: 1 - x * x,
        torch=lambda torch, x: 1 - x * x),
    unary("trigonometry", "acosh", above_one, single=1e-4),
    binary("trigonometry", "hypot", nonzero),
    binary("trigonometry", "atan2", nonzero),
    *[unary("rounding", name, apart, flat=True) for name in ("floor", "ceil", "trunc")],
    unary("rounding", "round", apart, flat=True, variants=[{}, {"decimals": 1}]),
    unary("rounding", "signbit", nonzero, constant=True, large=None),
    binary("rounding", "copysign", nonzero),
    binary("rounding", "nextafter", apart, large=None),
    unary("rounding", "real"),
    unary("rounding", "imag", flat=True),
    unary("rounding", "conj"),
    unary("rounding", "angle", nonzero, flat=True),
    unary("rounding", "nan_to_num", variants=[{}, {"nan": 2.0, "posinf": 3.0, "neginf": -3.0}]),
]  # fmt: skip

REAL = """functions.logaddexp trigonometry._tanh_back trigonometry.hypot trigonometry.atan2
rounding.floor rounding.ceil rounding.trunc
rounding.round rounding.copysign rounding.nextafter rounding.nan_to_num activation.relu"""
ROWS = complex_too(ROWS, *REAL.split())
