"""Normalization, and attention."""

from __future__ import annotations

import numpy

from gpugrad.ops.attention import attention
from gpugrad.ops.normalization import followed, moments, normalize

from .domains import real
from .row import Row


def plain(x, w=None, b=None, *, axes, eps, centred):
    c = x - x.mean(axes, keepdims=True) if centred else x
    y = c / numpy.sqrt((c * c).mean(axes, keepdims=True) + numpy.asarray(eps, x.dtype))
    y = y if w is None else y * w
    return y if b is None else y + b


def of_torch(torch, *xs, axes, eps, centred):
    x, *more = xs
    c = x - x.mean(axes, keepdim=True) if centred else x
    y = c / torch.sqrt((c * c).mean(axes, keepdim=True) + eps)
    y = y * more[0] if more else y
    return y + more[1] if len(more) > 1 else y


def attended(q, k, v, mask=0.0, *, causal, scale):
    s = scale * q @ numpy.swapaxes(k, -1, -2) + mask
    s = numpy.where(numpy.tri(*s.shape[-2:], dtype=bool), s, -numpy.inf) if causal else s
    p = numpy.exp(s - s.max(-1, keepdims=True)) if s.size else s
    return (p / p.sum(-1, keepdims=True)) @ v


HEADS = [
    ((3, 2), (4, 2), (4, 3)),
    ((2, 4, 2), (2, 3, 2), (2, 3, 2)),
    ((2, 1, 3, 2), (1, 2, 3, 2), (2, 2, 3, 3)),
    ((0, 2), (4, 2), (4, 3)),
]
LAYER = {"axes": (1,), "eps": 1e-3, "centred": True}
BATCH = {"axes": (0, 2), "eps": 1e-3, "centred": True}
GROUP = {"axes": (2, 3), "eps": 1e-3, "centred": True}


def row(label, shapes, *variants):
    return Row("ops.normalization.normalize", normalize, real, shapes, variants, plain, of_torch, single=1e-4,
               large=None, label=label)  # fmt: skip


ROWS: list[Row] = [
    Row("ops.attention.attention", attention, real, HEADS,
        [{"causal": False, "scale": 0.7}, {"causal": True, "scale": 1.3}], attended,
        lambda torch, *xs, causal, scale: torch.nn.functional.scaled_dot_product_attention(
            *xs, is_causal=causal, scale=scale), single=1e-4, large=((2, 40, 8), (2, 30, 8), (2, 30, 8))),
    row("rows", [((2, 3),), ((3, 4), (4,)), ((3, 4), (4,), (4,)), ((0, 3), (3,), (3,))],
        LAYER, {**LAYER, "centred": False}),
    row("channels", [((3, 2, 2),), ((3, 2, 2), (1, 2, 1)), ((3, 2, 2), (1, 2, 1), (1, 2, 1))],
        BATCH, {**BATCH, "centred": False}),
    row("groups", [((2, 2, 2, 3), (1, 2, 2, 1), (1, 2, 2, 1))], GROUP),
    Row("ops.normalization.normalize", lambda x, w, b, **kw: normalize(x, w, b, *moments(x.detach(), kw["axes"]), **kw),
        real, [((3, 2, 2), (1, 2, 1), (1, 2, 1))], [BATCH], plain, of_torch, single=1e-4, large=None,
        label="known moments"),
    Row("ops.normalization.normalize", lambda x, w, b: normalize(
            x, w, b, axes=(2, 3), eps=1e-3, centred=True, view=(2, 2, 2, 3), affine=(1, 2, 2, 1)),
        real, [((2, 4, 3), (4,), (4,)), ((2, 3, 4), (4,), (4,))], numpy=lambda x, w, b: plain(
            x.reshape(2, 2, 2, 3), w.reshape(1, 2, 2, 1), b.reshape(1, 2, 2, 1), **GROUP).reshape(x.shape),
        single=1e-4, large=None, label="in another shape"),
    Row("ops.normalization.followed", followed, real, [((3,), (1, 3, 1))], [{"rate": 0.25, "factor": 2.0}],
        constant=True, large=None, numpy=lambda x, y, rate, factor: 0.75 * x + 0.5 * y.reshape(3)),
    Row("ops.normalization.moments", moments, real, [((3, 2, 2),)], [{"axes": (0, 2)}], constant=True, large=None,
        half=False, numpy=lambda x, axes: (x.mean(axes, keepdims=True), x.var(axes, keepdims=True))),
]  # fmt: skip
