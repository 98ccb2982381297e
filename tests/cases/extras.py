"""NumPy's functions beyond the standard: elements, borders, conditions, insertions, what passes over NaN."""

from __future__ import annotations

import numpy

import gpugrad as gg

from .domains import PAIRS, apart, mod_operands, nonzero, positive, real
from .order import with_holes
from .row import AXES, CUBES, Row, binary, unary

MASK = numpy.array([[True, False, True], [False, False, True]])
OTHER = numpy.array([[True, True, False], [False, False, True]])
PADS = [
    {"mode": "empty"}, {"mode": "maximum"}, {"mode": "mean"}, {"mode": "median"}, {"mode": "minimum"},
    {"mode": "linear_ramp"}, {"mode": "linear_ramp", "end_values": ((1, 2), (3, 4))},
    {"mode": "mean", "stat_length": 1}, {"mode": "maximum", "stat_length": ((2, 1), (1, 9))},
    {"mode": "reflect", "reflect_type": "odd"}, {"mode": "symmetric", "reflect_type": "odd"},
]  # fmt: skip


def _numpy_pad(x, width, mode, **kw):
    return numpy.pad(x, width, *(("constant",) if mode == "empty" else (mode,)), **kw)


def _torch_spread(name):
    def call(torch, x, axis=None, keepdims=False, correction=0):
        there = ~x.isnan()
        axes = tuple(range(x.ndim)) if axis is None else axis
        count = there.sum(axes, keepdim=True)
        mean = torch.nansum(x, axes, keepdim=True) / count
        squares = torch.where(there, x - mean, torch.zeros_like(x)).square()
        y = squares.sum(axes, keepdim=keepdims) / (count if keepdims else there.sum(axes)).sub(correction)
        return y.sqrt() if name == "nanstd" else y

    return call


def row(operation, name, call=None, **kwargs):
    """A function that is called the same in NumPy, composed of others, of which one is named."""
    kwargs.setdefault("numpy", getattr(numpy, name, None))  # some are newer than the oldest NumPy
    return Row(f"ops.{operation}", call or getattr(gg, name), label=name, **kwargs)


ROWS: list[Row] = [
    # -------------------------------------------------------- elements
    binary("ufuncs", "fmax", apart),
    binary("ufuncs", "fmin", apart),
    binary("ufuncs", "fmod", mod_operands),
    binary("ufuncs", "logaddexp2", single=1e-4),
    binary("ufuncs", "heaviside", nonzero, torch=None, flat=True),
    unary("ufuncs", "fabs", nonzero, torch=lambda torch, x: torch.abs(x)),
    unary("ufuncs", "cbrt", nonzero, torch=lambda torch, x: torch.sign(x) * torch.abs(x) ** (1 / 3)),
    Row("ops.ufuncs._behind_the_point", gg.modf, apart, numpy=numpy.modf, label="modf",
        torch=lambda torch, x: (torch.frac(x), torch.trunc(x))),
    row("arithmetic.multiply", "deg2rad", torch=lambda torch, x: torch.deg2rad(x)),
    row("arithmetic.multiply", "rad2deg", torch=lambda torch, x: torch.rad2deg(x)),
    row("arithmetic.pow", "float_power", inputs=positive, shapes=[((2, 3), (3,))], large=None,
        torch=lambda torch, x, y: torch.float_power(x, y).to(torch.float64)),
    Row("ops.ufuncs.divmod", lambda x1, x2: gg.divmod(x1, x2), mod_operands, shapes=PAIRS, numpy=numpy.divmod,
        large=None),
    row("arithmetic.multiply", "ldexp", lambda x: gg.ldexp(x, [2, -1, 0]), shapes=[((2, 3),)],
        numpy=lambda x: numpy.ldexp(x, numpy.array([2, -1, 0])), large=None),
    # -------------------------------------------------------- what passes over NaN
    row("reduction.prod", "nanprod", inputs=with_holes, shapes=CUBES, variants=AXES, large=None),
    *[
        Row(f"ops.statistics.{name}", getattr(gg, name), with_holes, shapes=[((3, 4, 3),)], large=None,
            variants=[*AXES, {"correction": 1}], torch=_torch_spread(name),
            numpy=lambda x, name=name, correction=0, **kw: getattr(numpy, name)(x, ddof=correction, **kw))
        for name in ("nanvar", "nanstd")
    ],
    row("scans.cumulative_sum", "nancumsum", inputs=with_holes, shapes=CUBES, variants=[{}, {"axis": 1}]),
    row("scans.cumulative_prod", "nancumprod", inputs=with_holes, shapes=CUBES, variants=[{}, {"axis": 1}], large=None),
    *[
        Row(f"ops.statistics.{name}", getattr(gg, name), with_holes, shapes=[((4, 3, 2),)], constant=True, large=None,
            numpy=getattr(numpy, name), variants=[{}, {"axis": 0}, {"axis": 1, "keepdims": True}])
        for name in ("nanargmax", "nanargmin")
    ],
    # -------------------------------------------------------- borders
    *[
        Row("ops.padding._pad" if static["mode"] == "empty" else "ops.shaping._concat",
            lambda x, width=width, kw=static: gg.pad(x, width, **kw), apart, shapes=[((3, 4),)], large=None,
            numpy=lambda x, width=width, kw=static: _numpy_pad(x, width, **kw),
            label=f"pad {width} {','.join(map(str, static.values()))}")
        for static in PADS for width in (2, ((0, 1), (7, 0)))
    ],
    # -------------------------------------------------------- conditions
    Row("ops.arithmetic.where", lambda x, y: gg.select([gg.tensor(MASK), gg.tensor(OTHER)], [x, y * x], y),
        shapes=[((2, 3), (3,))], numpy=lambda x, y: numpy.select([MASK, OTHER], [x, y * x], y), label="select",
        large=None),
    Row("ops.indexing._set_at", lambda x: gg.piecewise(x, [MASK, OTHER], [gg.exp, lambda t: t * t, 3.0]),
        shapes=[((2, 3),)], numpy=lambda x: numpy.piecewise(x, [MASK, OTHER], [numpy.exp, lambda t: t * t, 3.0]),
        label="piecewise", large=None),
    Row("ops.indexing._gather", lambda x, y: gg.choose(gg.tensor([0, 1, 0]), [x, y]), shapes=[((2, 3), (3,))],
        numpy=lambda x, y: numpy.choose([0, 1, 0], [x, y]), label="choose", large=None),
    Row("ops.indexing._gather", lambda x: gg.compress([True, False, True], x, axis=1), shapes=[((2, 3),)],
        numpy=lambda x: numpy.compress([True, False, True], x, axis=1), label="compress", large=None),
    Row("ops.indexing._gather", lambda x: gg.extract(MASK, x), shapes=[((2, 3),)], large=None, label="extract",
        numpy=lambda x: numpy.extract(MASK, x)),
    Row("ops.conditions.isclose", gg.isclose, real, shapes=[((2, 3), (3,)), ((), ())], constant=True, large=None,
        variants=[{}, {"atol": 1.0}, {"rtol": 0.5, "equal_nan": True}], numpy=numpy.isclose),
    # -------------------------------------------------------- put together of others
    row("shaping._concat", "append", shapes=[((2, 3), (1, 3))], variants=[{}, {"axis": 0}], large=None),
    Row("ops.shaping._concat", lambda a, b, c, d: gg.block([[a, b], [c, d]]), label="block", large=None,
        shapes=[((2, 3), (2, 1), (1, 3), (1, 1)), ((2,), (1,), (2,), (1,))],
        numpy=lambda a, b, c, d: numpy.block([[a, b], [c, d]])),
    *[
        Row("ops.shaping._concat", lambda x, v, i=index, axis=axis: gg.insert(x, i, v, axis=axis), large=None,
            shapes=shapes, numpy=lambda x, v, i=index, axis=axis: numpy.insert(x, i, v, axis=axis),
            label=f"insert at {index} along {axis}")
        for index, axis, shapes in (
            (1, 0, [((2, 3), ()), ((2, 3), (3,)), ((3,), (2,))]), (-1, 1, [((2, 3), (2,)), ((2, 3), (1, 2))]),
            ([0, 2], 1, [((2, 3), ()), ((2, 3), (2, 2))]), ([3, 0, 3], None, [((2, 3), (3,))]),
            (slice(0, 2), 0, [((3, 2), (2, 2))]),
        )
    ],
    *[
        Row("ops.shaping._concat", lambda x, i=index, axis=axis: gg.delete(x, i, axis=axis), large=None,
            shapes=[((3, 4),)], numpy=lambda x, i=index, axis=axis: numpy.delete(x, i, axis=axis),
            label=f"delete {index} along {axis}")
        for index, axis in ((1, 0), (-1, 1), ([0, 2, 0], 1), ([], 0), (slice(1, None, 2), 1), (5, None),
                            ([True, False, True], 0))
    ],
    row("shaping.reshape", "resize", shapes=[((2, 3),)], variants=[{"shape": s} for s in ((2, 2), (4, 3), 6, (0, 2))],
        call=lambda x, shape: gg.resize(x, shape), numpy=lambda x, shape: numpy.resize(x, shape), large=None),
    *[
        Row("ops.shaping._stack", lambda x, axis, f=function: gg.apply_along_axis(lambda v: f(gg, v), axis, x),
            shapes=[((2, 3, 4),)], variants=[{"axis": 1}, {"axis": -1}], large=None, label=f"apply_along_axis {name}",
            numpy=lambda x, axis, f=function: numpy.apply_along_axis(lambda v: f(numpy, v), axis, x))
        for name, function in (("to numbers", lambda xp, v: xp.sum(v * v)), ("to vectors", lambda xp, v: v[1:] * v[0]),
                               ("to matrices", lambda xp, v: xp.outer(v, v[:2])))
    ],
    Row("ops.reduction.sum", lambda x, axes: gg.apply_over_axes(lambda v, axis: gg.sum(v * v, axis=axis), x, axes),
        shapes=[((2, 3, 4),)], variants=[{"axes": [0, -1]}, {"axes": 1}], large=None, label="apply_over_axes",
        numpy=lambda x, axes: numpy.apply_over_axes(lambda v, axis: numpy.sum(v * v, axis=axis), x, axes)),
    row("indexing._slice", "fliplr", shapes=[((2, 3),)], torch=lambda torch, x: torch.fliplr(x)),
    row("indexing._slice", "flipud", shapes=[((2, 3),)], torch=lambda torch, x: torch.flipud(x)),
    row("shaping.permute_dims", "rollaxis", shapes=[((2, 3, 4),)], large=None,
        variants=[{"axis": 2}, {"axis": 0, "start": 3}, {"axis": -2, "start": -1}]),
    row("shaping.permute_dims", "transpose", shapes=[((2, 3, 4),)], variants=[{}, {"axes": (1, 0, 2)}], large=None),
    # -------------------------------------------------------- short to compose
    row("linear._on_diagonal", "diagflat", shapes=[((2, 2),), ((3,),)], variants=[{}, {"k": -1}], large=None),
    row("scans.cumulative_prod", "vander", lambda x, n=None, **kw: gg.vander(x, n, **kw), shapes=[((3,),), ((0,),)],
        variants=[{}, {"n": 4, "increasing": True}, {"n": 1}], large=None,
        numpy=lambda x, n=None, **kw: numpy.vander(x, n, **kw).astype(x.dtype)),
    row("linear.matmul", "vdot", shapes=[((2, 3), (6,))], large=None),
    row("linear.matmul", "matvec", shapes=[((2, 3), (3,)), ((4, 2, 3), (4, 3)), ((2, 3), (4, 3))], large=None),
    row("linear.matmul", "vecmat", shapes=[((2,), (2, 3)), ((4, 2), (4, 2, 3)), ((4, 2), (2, 3))], large=None),
    row("arithmetic.multiply", "polyval", shapes=[((3,), (2, 3)), ((4,), ())], large=None),
    row("arithmetic.add", "polyadd", shapes=[((3,), (2,))], large=None),
    row("arithmetic.subtract", "polysub", shapes=[((1,), (3,))], large=None),
    row("arithmetic.multiply", "polyder", shapes=[((4,),)], variants=[{}, {"m": 2}], large=None, half=False,
        numpy=lambda p, **kw: numpy.polyder(p, **kw).astype(p.dtype)),
    row("arithmetic.divide", "polyint", shapes=[((3,),)], variants=[{}, {"m": 2, "k": [1.0, 2.0]}], large=None,
        half=False, numpy=lambda p, **kw: numpy.polyint(p, **kw).astype(p.dtype)),
    row("solving._lstsq", "polyfit", lambda x, y: gg.polyfit(x, y, 2), shapes=[((6,), (6,)), ((5,), (5, 2))],
        inputs=apart, numpy=lambda x, y: numpy.polyfit(x, y, 2).astype(y.dtype), large=None, half=False, single=1e-3),
    row("indexing._gather", "sliding_window_view", shapes=[((5,),)], variants=[{"window_shape": 3}], large=None,
        numpy=numpy.lib.stride_tricks.sliding_window_view, torch=lambda torch, x, window_shape: x.unfold(0, 3, 1)),
    row("reduction.max", "ptp", inputs=apart, shapes=CUBES, variants=AXES),
    row("scans._diff", "ediff1d", shapes=[((2, 3),)], large=None,
        variants=[{}, {"to_begin": 1.0, "to_end": numpy.array([2.0, 3.0])}]),
]  # fmt: skip
