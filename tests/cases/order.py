"""Medians, quantiles and partitions."""

from __future__ import annotations

import numpy

import gpugrad as gg

from .domains import apart
from .row import AXES, CUBES, Row

METHODS = ("linear", "lower", "higher", "midpoint", "nearest")
BESIDE = [((4, 3), ()), ((3, 5), (2,))]


def with_fractions(rng, shapes):
    """Numbers, and fractions between the places that they can name."""
    x, q = shapes
    return [*apart(rng, [x]), numpy.asarray(rng.choice([0.13, 0.31, 0.62, 0.94], q))]


def with_holes(rng, shapes):
    """Numbers, every fifth one NaN, so that neighbours along no axis are."""
    x = apart(rng, shapes)[0]
    return [numpy.where(numpy.arange(x.size).reshape(x.shape) % 5 == 1, numpy.nan, x)]


def _torch_quantile(torch, x, q, axis=None, keepdims=False, method="linear", name="quantile"):
    q, quantile = torch.as_tensor(q, dtype=x.dtype), getattr(torch, name)
    if not isinstance(axis, tuple):
        return quantile(x, q, axis, keepdims, interpolation=method)
    whole = tuple(a % x.ndim for a in axis)
    others = [i for i in range(x.ndim) if i not in whole]
    y = quantile(x.permute(*others, *whole).flatten(len(others)), q, -1, interpolation=method)
    outside = [1 if i in whole else n for i, n in enumerate(x.shape) if keepdims or i not in whole]
    return y.reshape([*q.shape, *outside])


def _torch_median(torch, x, axis=None, keepdims=False):
    return _torch_quantile(torch, x, 0.5, axis, keepdims)


ROWS: list[Row] = [
    Row("ops.quantiles._ordered", gg.median, apart, shapes=CUBES, variants=AXES, numpy=numpy.median,
        torch=_torch_median, label="median"),
    Row("ops.quantiles._ordered", gg.median, apart, shapes=[((),), ((1,),), ((3,),)], label="median, short",
        numpy=numpy.median),
    *[
        Row("ops.quantiles._ordered", lambda x, m=method, **kw: gg.quantile(x, 0.3, method=m, **kw), apart,
            shapes=CUBES, variants=AXES, label=f"quantile {method}",
            numpy=lambda x, m=method, **kw: numpy.quantile(x, 0.3, method=m, **kw),
            torch=lambda torch, x, m=method, **kw: _torch_quantile(torch, x, 0.3, method=m, **kw))
        for method in METHODS
    ],
    Row("ops.quantiles._ordered", lambda x, **kw: gg.quantile(x, [0.0, 0.21, 1.0], **kw), apart, shapes=CUBES,
        variants=AXES, large=None, label="quantiles",
        numpy=lambda x, **kw: numpy.quantile(x, numpy.array([0.0, 0.21, 1.0], x.dtype), **kw),
        torch=lambda torch, x, **kw: _torch_quantile(torch, x, [0.0, 0.21, 1.0], **kw)),
    Row("ops.quantiles._ordered", lambda x, **kw: gg.percentile(x, [25, 80], **kw), apart, shapes=CUBES, large=None,
        variants=[{}, {"axis": 0}, {"axis": 1, "method": "higher"}], label="percentile",
        numpy=lambda x, **kw: numpy.percentile(x, numpy.array([25, 80], x.dtype), **kw)),
    Row("ops.indexing._gather", lambda x, q: gg.quantile(x, q, axis=0), with_fractions, shapes=BESIDE, large=None,
        label="quantile, both variables", numpy=lambda x, q: numpy.quantile(x, q, axis=0),
        torch=lambda torch, x, q: torch.quantile(x, q, 0)),
    *[
        Row("ops.indexing._gather", lambda x, m=method: gg.quantile(x, gg.tensor([0.13, 0.9], dtype=x.dtype), method=m),
            apart, shapes=CUBES, large=None, label=f"quantile at a tensor, {method}",
            numpy=lambda x, m=method: numpy.quantile(x, numpy.array([0.13, 0.9], x.dtype), method=m),
            torch=lambda torch, x, m=method: _torch_quantile(torch, x, [0.13, 0.9], method=m))
        for method in METHODS[1:]
    ],
    Row("ops.quantiles.nanmedian", gg.nanmedian, with_holes, shapes=CUBES, variants=AXES, numpy=numpy.nanmedian,
        torch=lambda torch, x, **kw: _torch_quantile(
            torch, x, 0.5, name="nanquantile", **kw)),
    *[
        Row("ops.indexing._gather", lambda x, m=method, **kw: gg.nanquantile(x, [0.3, 0.9], method=m, **kw),
            with_holes, shapes=CUBES, variants=AXES, large=None, label=f"nanquantile {method}",
            numpy=lambda x, m=method, **kw: numpy.nanquantile(x, numpy.array([0.3, 0.9], x.dtype), method=m, **kw))
        for method in METHODS
    ],
    Row("ops.indexing._gather", lambda x: gg.nanpercentile(x, 30), with_holes, shapes=CUBES, large=None,
        label="nanpercentile", numpy=lambda x: numpy.nanpercentile(x, 30)),
    Row("ops.quantiles.partition", lambda x, **kw: gg.sort(gg.partition(x, 2, **kw)[..., :2], **kw), apart,
        shapes=[((3, 4),), ((5,),)], label="the smallest", torch=lambda torch, x: torch.sort(x, -1)[0][..., :2]),
    Row("ops.quantiles.partition", lambda x, **kw: gg.partition(x, 1, **kw), apart, shapes=[((3, 4),), ((5,),)],
        variants=[{}, {"axis": 0}], numpy=lambda x, **kw: numpy.partition(x, 1, **kw), large=None),
    Row("ops.quantiles.argpartition", gg.argpartition, apart, shapes=[((3, 4),), ((5,),)], constant=True, large=None,
        variants=[{"kth": 1}, {"kth": (0, 2), "axis": 0}], numpy=numpy.argpartition),
]  # fmt: skip
