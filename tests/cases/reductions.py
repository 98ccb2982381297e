"""Reductions and scans."""

from __future__ import annotations

import numpy

import gpugrad as gg
from gpugrad.ops import softmax

from .domains import LARGE, apart, boolean, positive, real, whole
from .row import AXES, CUBES, NONEMPTY, Row, complex_too, named


def _torch_dims(torch_name):
    def call(torch, x, axis=None, keepdims=False):
        axes = tuple(range(x.ndim)) if axis is None else axis
        return getattr(torch, torch_name)(x, dim=axes, keepdim=keepdims) if x.ndim else getattr(torch, torch_name)(x)

    return call


def _torch_prod(torch, x, axis=None, keepdims=False):
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    for a in sorted((a % x.ndim for a in axes), reverse=True):
        x = torch.prod(x, dim=a, keepdim=True)
    return x if keepdims else x.reshape([n for i, n in enumerate(x.shape) if i not in {a % x.ndim for a in axes}])


def _torch_spread(torch_name):
    def call(torch, x, axis=None, keepdims=False, correction=0):
        axes = tuple(range(x.ndim)) if axis is None else axis
        return getattr(torch, torch_name)(x, dim=axes, correction=correction, keepdim=keepdims)

    return call


def reduction(name, domain=real, torch=None, variants=AXES, module="reduction", **kwargs):
    return [
        named(module, name, inputs=domain, shapes=CUBES, variants=variants, torch=torch, **kwargs),
        named(module, name, inputs=domain, shapes=NONEMPTY, torch=torch, label="all", **kwargs),
        named(module, name, inputs=domain, shapes=[((),)], label="0d", torch=None, **kwargs),
    ]


ROWS: list[Row] = [
    # -------------------------------------------------------- reductions
    *reduction("sum", torch=_torch_dims("sum"), single=1e-4),
    *reduction("mean", torch=_torch_dims("mean")),
    *reduction("max", apart, torch=_torch_dims("amax")),
    *reduction("min", apart, torch=_torch_dims("amin")),
    *reduction("prod", positive, torch=_torch_prod, large=None),
    *[
        Row(f"ops.reduction.{name}", getattr(gg, name), shapes=CUBES, large=LARGE,
            variants=[*AXES, {"correction": 1}, {"axis": 1, "correction": 1, "keepdims": True}],
            numpy=lambda x, name=name, correction=0, **kw: getattr(numpy, name)(x, ddof=correction, **kw),
            torch=_torch_spread(name))
        for name in ("var", "std")
    ],
    *[
        Row(f"ops.reduction.{name}", getattr(gg, name), apart, shapes=CUBES, constant=True, large=None,
            numpy=getattr(numpy, name), variants=[{}, {"axis": 0}, {"axis": -1, "keepdims": True}],
            torch=lambda torch, x, axis=None, keepdims=False, name=name: getattr(torch, name)(x, axis, keepdims))
        for name in ("argmax", "argmin")
    ],
    *[
        Row(f"ops.reduction.{name}", getattr(gg, name), boolean, shapes=CUBES, constant=True, large=None,
            numpy=getattr(numpy, name), variants=AXES)
        for name in ("all", "any")
    ],
    *reduction("nanmax", apart, module="statistics", torch=_torch_dims("amax")),
    *reduction("nanmin", apart, module="statistics", torch=_torch_dims("amin")),
    Row("ops.statistics.count_nonzero", gg.count_nonzero, whole, shapes=CUBES, constant=True, large=None,
        numpy=numpy.count_nonzero, variants=AXES),
    Row("ops.statistics.nansum", gg.nansum, shapes=CUBES, variants=AXES, numpy=numpy.nansum,
        torch=_torch_dims("nansum")),
    Row("ops.statistics.nansum", gg.nanmean, shapes=CUBES, variants=AXES, numpy=numpy.nanmean,
        torch=_torch_dims("nanmean"), label="nanmean"),
    Row("ops.arithmetic.divide", lambda x, w, **kw: gg.average(x, weights=w, **kw), positive,
        shapes=[((2, 3, 2),) * 2], numpy=lambda x, w, **kw: numpy.average(x, weights=w, **kw), large=None,
        variants=[{}, {"axis": 0}, {"axis": (0, 2), "keepdims": True}], label="average"),
    Row("ops.arithmetic.divide", lambda x, w: gg.average(x, -1, w), positive, shapes=[((2, 3), (3,))],
        numpy=lambda x, w: numpy.average(x, -1, w), large=None, label="average, weights of an axis"),
    # -------------------------------------------------------- scans
    *[
        Row(f"ops.scans.{name}", getattr(gg, name), positive, shapes=CUBES, numpy=getattr(numpy, name), large=None,
            variants=[{"axis": 0}, {"axis": -1, "include_initial": True}, {"axis": -2}])
        for name in ("cumulative_sum", "cumulative_prod")
    ],
    *[
        Row(f"ops.scans.{name}", getattr(gg, name), shapes=[((5,),), ((1,),), ((0,),)], numpy=getattr(numpy, name),
            variants=[{}, {"include_initial": True}], large=None, label="line")
        for name in ("cumulative_sum", "cumulative_prod")
    ],
    *[
        Row(f"ops.scans.{long}", getattr(gg, short), shapes=CUBES, variants=[{"axis": a} for a in (0, 1, -1)],
            numpy=getattr(numpy, short), label=short, large=((300, 7),), single=1e-4,
            torch=lambda torch, x, axis, short=short: getattr(torch, short)(x, axis))
        for long, short in (("cumulative_sum", "cumsum"), ("cumulative_prod", "cumprod"))
    ],
    *[
        Row(f"ops.scans.{long}", getattr(gg, short), shapes=[((2, 3),), ((),)], numpy=getattr(numpy, short),
            label=f"{short} flat", large=None)
        for long, short in (("cumulative_sum", "cumsum"), ("cumulative_prod", "cumprod"))
    ],
    Row("ops.scans._diff", gg.diff, shapes=[((4, 5),)], numpy=numpy.diff, label="diff",
        variants=[{}, {"n": 2}, {"axis": 0}, {"n": 3, "axis": -2}, {"n": 6}, {"n": 4, "axis": 0}],
        torch=lambda torch, x, n=1, axis=-1: torch.diff(x, n, axis)),
    Row("ops.scans._diff", lambda x, a, b: gg.diff(x, prepend=a, append=b), shapes=[((2, 3), (2, 1), (2, 2))],
        numpy=lambda x, a, b: numpy.diff(x, prepend=a, append=b), label="diff between", large=None),
    *[
        Row(f"ops.softmax.{name}", getattr(softmax, name), shapes=[((2, 3),), ((4,),), ((2, 0, 3),)], large=LARGE,
            variants=[{}, {"axis": 0}], torch=lambda torch, x, axis=-1, name=name: getattr(torch, name)(x, axis))
        for name in ("softmax", "log_softmax")
    ],
    Row("ops.softmax.logsumexp", softmax.logsumexp, shapes=[((2, 3, 2),)], variants=AXES, large=LARGE,
        torch=_torch_dims("logsumexp")),
]  # fmt: skip
ROWS = complex_too(ROWS, "reduction.max", "reduction.min", "statistics", "arithmetic.where", "softmax")
