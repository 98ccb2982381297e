"""Activation functions."""

from __future__ import annotations

import numpy

import gpugrad as gg
from gpugrad.ops import activation, gating

from .domains import LARGE_PAIR, PAIRS, apart, masked, nonzero, real
from .row import Row


def row(name, domain=real, torch=None, variants=({},), label="", **kwargs):
    def of_torch(torch_, x, **static):
        return torch(torch_.nn.functional, x, **static)

    return Row(f"ops.activation.{name}", getattr(activation, name), domain, variants=variants, label=label,
               torch=of_torch if torch else None, **kwargs)  # fmt: skip


def _gated(x, axis=-1):
    a, b = numpy.split(x, 2, axis)
    return a / (1 + numpy.exp(-b))


def gated(label, shapes, *variants):
    return Row("ops.gating.glu", gating.glu, shapes=shapes, variants=variants, numpy=_gated, large=None, label=label,
               torch=lambda torch, x, axis=-1: torch.nn.functional.glu(x, axis))  # fmt: skip


ROWS: list[Row] = [
    gated("columns", [((2, 6),), ((4,),), ((0, 2),), ((3, 30, 20),)], {}),
    gated("rows", [((4, 3),), ((4, 1, 2),)], {"axis": 0}),
    Row("ops.activation.relu", gg.relu, nonzero, numpy=lambda x: numpy.maximum(x, 0),
        torch=lambda torch, x: torch.relu(x)),
    Row("ops.activation.sigmoid", gg.sigmoid, numpy=lambda x: 1 / (1 + numpy.exp(-x)),
        torch=lambda torch, x: torch.sigmoid(x)),
    Row("ops.activation._sigmoid_back", activation._sigmoid_back, shapes=PAIRS, large=LARGE_PAIR,
        numpy=lambda g, x: g / (2 + numpy.exp(x) + numpy.exp(-x)),
        torch=lambda torch, g, x: g * torch.sigmoid(x) * torch.sigmoid(-x)),
    row("tanhshrink", torch=lambda f, x: f.tanhshrink(x), numpy=lambda x: x - numpy.tanh(x)),
    row("leaky", nonzero, lambda f, x, slope: f.leaky_relu(x, slope), [{"slope": 0.1}, {"slope": 2.0}],
        numpy=lambda x, slope: numpy.where(x > 0, x, slope * x)),
    row("elu", nonzero, lambda f, x, scale, low, rate: f.elu(x, low), [{"scale": 1.0, "low": 0.7, "rate": 1.0}]),
    row("elu", nonzero, lambda f, x, scale, low, rate: f.celu(x, low), [{"scale": 1.0, "low": 0.5, "rate": 2.0}],
        "celu"),
    row("silu", torch=lambda f, x: f.silu(x)),
    row("gelu", torch=lambda f, x: f.gelu(x)),
    row("gelu_tanh", torch=lambda f, x: f.gelu(x, approximate="tanh")),
    row("softplus", apart, lambda f, x, beta, limit: f.softplus(x, beta, limit),
        [{"beta": 1.0, "limit": 20.0}, {"beta": 3.0, "limit": 2.0}]),
    row("mish", torch=lambda f, x: f.mish(x), single=1e-4),
    row("hardtanh", apart, lambda f, x, low, high: f.hardtanh(x, low, high), [{"low": -0.5, "high": 0.6}],
        numpy=lambda x, low, high: numpy.clip(x, low, high)),
    row("hardsigmoid", apart, numpy=lambda x: numpy.clip(x + 3, 0, 6) / 6),  # PyTorch has 1 / 6 in float32
    row("threshold", apart, lambda f, x, limit, value: f.threshold(x, limit, value), [{"limit": 0.3, "value": 2.0}]),
    Row("ops.activation.sloped", activation.sloped, nonzero, PAIRS, large=LARGE_PAIR,
        numpy=lambda x, slope: numpy.where(x > 0, x, slope * x)),
    Row("ops.activation.dropout", lambda kept, x, scale: activation.dropout(x, kept, scale), masked,
        shapes=[((2, 3), (2, 3)), ((2, 1, 1), (2, 3, 2)), ((), ())], variants=[{"scale": 2.0}], large=None,
        numpy=lambda kept, x, scale: numpy.where(kept, x * scale, 0)),
    row("drawn_dropout", variants=[{"seed": 7, "counter": 2**64 - 3, "below": 2**31, "scale": 2.0}]),
    row("hardswish", apart, lambda f, x: f.hardswish(x)),
    row("hardshrink", apart, lambda f, x, width: f.hardshrink(x, width), [{"width": 0.4}]),
    row("softshrink", apart, lambda f, x, width: f.softshrink(x, width), [{"width": 0.4}]),
    row("softsign", nonzero, lambda f, x: f.softsign(x), numpy=lambda x: x / (1 + abs(x))),
]  # fmt: skip
