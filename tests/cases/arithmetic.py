"""Arithmetic, comparison and logic."""

from __future__ import annotations

import numpy

import gpugrad as gg

from .domains import ONE, TRIPLES, apart, boolean, complex_, masked, mod_operands, nonzero, positive, special, whole
from .row import Row, binary, complex_too, constants, unary

ROWS: list[Row] = [
    # -------------------------------------------------------- arithmetic
    binary("arithmetic", "add"),
    binary("arithmetic", "subtract"),
    binary("arithmetic", "multiply"),
    binary("arithmetic", "divide", nonzero),
    binary("arithmetic", "floor_divide", mod_operands, flat=True, torch=None),
    binary("arithmetic", "remainder", mod_operands, large=((70, 300), (70, 300)), single=1e-4),
    unary("arithmetic", "negative"),
    unary("arithmetic", "positive"),
    binary("arithmetic", "pow", positive),
    *[
        Row(
            "ops.arithmetic.pow", lambda x, n=n: x**n, inputs=nonzero if isinstance(n, int) else positive,
            numpy=lambda x, n=n: x**n, torch=lambda torch, x, n=n: x**n, label=f"x^{n}",
        )
        for n in (-2, -1, 0, 1, 2, 3, 0.5, -1.5)
    ],
    Row("ops.arithmetic.pow", lambda x: 2**x, numpy=lambda x: 2**x, torch=lambda torch, x: 2**x, label="2^x"),
    unary("arithmetic", "abs", nonzero),
    Row("ops.arithmetic._sign", gg.sign, nonzero, flat=True, numpy=numpy.sign),
    Row("ops.arithmetic._direction", lambda x: gg.sign(x + 1j), complex=complex_, numpy=lambda x: numpy.sign(x + 1j),
        torch=lambda torch, x: torch.sgn(x + 1j)),
    binary("arithmetic", "maximum", apart),
    binary("arithmetic", "minimum", apart),
    Row("ops.arithmetic._clip", gg.clip, apart, variants=[{"min": -0.5, "max": 0.6}, {"min": 0}, {"max": 0}, {}],
        numpy=lambda x, min=None, max=None: numpy.clip(x, min, max),
        torch=lambda torch, x, **bounds: torch.clamp(x, **bounds) if bounds else x.clone()),
    Row("ops.arithmetic._clip", gg.clip, apart, shapes=TRIPLES, numpy=numpy.clip, large=None,
        torch=lambda torch, *xs: torch.clamp(*torch.broadcast_tensors(*xs)), label="tensors"),
    Row("ops.arithmetic.where", gg.where, masked, shapes=[((2, 3), (3,), (2, 1)), ((3,), (2, 3), ()), ((), (), ())],
        numpy=numpy.where, torch=lambda torch, c, a, b: torch.where(c, a, b), large=((70, 300), (70, 300), (300,))),
    # -------------------------------------------------------- comparison and logic
    *[
        constants("comparison", name, apart, torch=lambda torch, a, b, t=t: getattr(torch, t)(a, b))
        for name, t in [("equal", "eq"), ("not_equal", "ne"), ("less", "lt"), ("less_equal", "le"), ("greater", "gt"),
                        ("greater_equal", "ge")]
    ],
    *[constants("comparison", name, boolean) for name in ("logical_and", "logical_or", "logical_xor")],
    constants("comparison", "logical_not", boolean, ONE),
    *[constants("comparison", name, special, ONE) for name in ("isnan", "isinf", "isfinite")],
    *[constants("comparison", name, whole) for name in ("bitwise_and", "bitwise_or", "bitwise_xor")],
    *[constants("comparison", name, whole) for name in ("bitwise_left_shift", "bitwise_right_shift")],
    constants("comparison", "bitwise_invert", whole, ONE, torch=lambda torch, x: torch.bitwise_not(x)),
]  # fmt: skip
ORDERED = ("arithmetic.floor_divide", "arithmetic.remainder", "arithmetic.maximum", "arithmetic.minimum")
ROWS = complex_too(ROWS, *ORDERED, "arithmetic._clip", "arithmetic._sign")
