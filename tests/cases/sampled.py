"""Sequences and samples: convolution, interpolation, derivatives and integrals, covariance, counting."""

from __future__ import annotations

import numpy

import gpugrad as gg

from .domains import apart, positive, real, whole
from .row import Row

LENGTHS = [((5,), (3,)), ((2,), (4,)), ((3,), (3,)), ((1,), (2,)), ((6,), (2,))]
TABLES = [((4, 3),), ((3, 5),)]


def at_and_points(rng, shapes):
    """Where to look, points in order, values there; no two of them close."""
    x, points, values = apart(rng, shapes)
    return [x, numpy.sort(points), values]


def around(rng, shapes):
    """The same for a period of 1.7, in any order."""
    at, points, values = shapes
    size = int(numpy.prod(at))
    places = (numpy.arange(size + points[0]) + 0.25) * 1.7 / (size + points[0])
    places = rng.permutation(places) + 1.7 * rng.integers(-2, 3, places.shape)
    return [places[:size].reshape(at), places[size:], *real(rng, [values])]


def with_coordinates(rng, shapes):
    """Numbers, and coordinates in order."""
    return [*real(rng, shapes[:1]), *(numpy.cumsum(rng.uniform(0.5, 1.5, s), -1) for s in shapes[1:])]


def weighed(rng, shapes):
    return [*whole(rng, shapes[:1]), *real(rng, shapes[1:])]


def angles(rng, shapes):
    """Steps away from half a turn, where a jump begins."""
    return [numpy.asarray(numpy.cumsum(rng.choice([-4.4, -2.1, 0.7, 2.5, 3.9], s), -1)) for s in shapes]


def _same_dtype(function):
    """NumPy's function, which answers in float64, in the dtype of its first argument."""
    return lambda x, *rest, **kw: function(x, *rest, **kw).astype(x.dtype)


def _torch_convolve(torch, a, v, mode="full"):
    longer, shorter = (a, v) if len(a) >= len(v) else (v, a)
    m = len(shorter)
    full = torch.conv1d(longer[None, None], shorter.flip(0)[None, None], padding=m - 1)[0, 0]
    start = (m - 1) // 2
    return {"full": full, "valid": full[m - 1 : len(longer)], "same": full[start : start + len(longer)]}[mode]


COVARIANCES = [
    ("plain", {}), ("columns", {"rowvar": False}), ("bias", {"bias": True}), ("ddof", {"ddof": 2}),
    ("fweights", {"fweights": [1, 2, 1, 3, 1]}), ("aweights", {"aweights": [0.5, 1.0, 1.5, 0.5, 1.0]}),
    ("both weights", {"fweights": [1, 2, 1, 3, 1], "aweights": [0.5, 1.0, 1.5, 0.5, 1.0], "ddof": 0}),
]  # fmt: skip
BINNED = numpy.array([[-2.0, -1.0, 0.3], [0.5, 0.1, 9.0]])
SPACINGS = [
    (), (0.5,), (2.0, numpy.array([0.0, 0.5, 2.0, 2.5, 4.0])),
    (numpy.array([0.0, 1.0, 3.0, 3.5]), numpy.array([0.0, 0.5, 2.0, 2.5, 4.0])),
]  # fmt: skip

ROWS: list[Row] = [
    # -------------------------------------------------------- convolution
    Row("ops.signal._convolve", gg.convolve, shapes=LENGTHS, variants=[{}, {"mode": "same"}, {"mode": "valid"}],
        numpy=numpy.convolve, torch=_torch_convolve, large=((700,), (300,)), single=1e-4),
    Row("ops.signal._convolve", gg.correlate, shapes=LENGTHS, variants=[{}, {"mode": "same"}, {"mode": "full"}],
        numpy=numpy.correlate, large=((300,), (700,)), label="correlate", single=1e-4),
    # -------------------------------------------------------- functions known at points
    Row("ops.interpolation._interp", gg.interp, at_and_points, large=((3, 40), (200,), (200,)),
        shapes=[((3, 4), (5,), (5,)), ((), (4,), (4,)), ((3,), (2,), (2,)), ((2,), (1,), (1,)), ((0,), (2,), (2,))],
        variants=[{}, {"left": -1.0, "right": 2.0}, {"left": 3.0}], numpy=_same_dtype(numpy.interp)),
    Row("ops.interpolation._interp", gg.interp, around, shapes=[((3, 4), (5,), (5,)), ((3,), (1,), (1,))],
        variants=[{"period": 1.7}], numpy=_same_dtype(numpy.interp), large=None, label="periodic", single=1e-4),
    Row("ops.interpolation.unwrap", gg.unwrap, angles, shapes=TABLES, numpy=numpy.unwrap,
        variants=[{}, {"axis": 0}, {"discont": 5.0}, {"period": 3.0}]),
    *[
        Row("ops.shaping._concat", lambda f, h=spacing, **kw: gg.gradient(f, *h, **kw), shapes=[((4, 5),)],
            variants=[{}, {"edge_order": 2}], numpy=lambda f, h=spacing, **kw: tuple(
                y.astype(f.dtype) for y in numpy.gradient(f, *h, **kw)), large=None, label=f"gradient {number}",
            torch=lambda torch, f, h=spacing, **kw: torch.gradient(f, **kw, **(
                {} if not h else {"spacing": h[0]} if len(h) == 1 else
                {"spacing": tuple(torch.as_tensor(numpy.arange(n) * s if numpy.isscalar(s) else s, dtype=f.dtype)
                                  for n, s in zip(f.shape, h, strict=True))})))
        for number, spacing in enumerate(SPACINGS)
    ],
    Row("ops.shaping._concat", gg.gradient, shapes=[((2,),), ((3, 2),)], variants=[{"axis": -1}], numpy=numpy.gradient,
        label="gradient, along an axis", torch=lambda torch, f, axis: torch.gradient(f, dim=axis)[0]),
    Row("ops.shaping._concat", lambda f, x, **kw: gg.gradient(f, x, axis=-1, **kw), with_coordinates,
        shapes=[((2, 5), (5,)), ((3,), (3,))], variants=[{}, {"edge_order": 2}], label="gradient by coordinates",
        numpy=lambda f, x, **kw: numpy.gradient(f, x, axis=-1, **kw).astype(f.dtype)),
    Row("ops.reduction.sum", gg.trapezoid, shapes=TABLES, variants=[{}, {"axis": 0}, {"dx": 0.5}], label="trapezoid",
        numpy=numpy.trapezoid,
        torch=lambda torch, y, axis=-1, dx=1.0: torch.trapezoid(y, dx=dx, dim=axis)),
    Row("ops.reduction.sum", gg.trapezoid, with_coordinates, shapes=[((2, 5), (5,)), ((3,), (3,)), ((2, 3), (2, 3))],
        numpy=numpy.trapezoid, torch=lambda torch, y, x: torch.trapezoid(y, x), label="trapezoid by coordinates"),
    Row("ops.reduction.sum", gg.trapezoid, with_coordinates, shapes=[((3,), (2, 3))], numpy=numpy.trapezoid, torch=None,
        label="trapezoid by several coordinates"),
    # -------------------------------------------------------- samples
    *[
        Row("ops.linear.matmul", lambda x, kw=static: gg.cov(x, **kw),
            shapes=[((3, 5),)] if name != "columns" else [((5, 3),)],
            numpy=lambda x, kw=static: numpy.cov(x, **kw).astype(x.dtype), large=None, label=f"cov, {name}",
            torch=None if name == "columns" else lambda torch, x, kw=static: torch.cov(
                x, correction=kw.get("ddof", 0 if kw.get("bias") else 1),
                **{k: torch.tensor(v, dtype=None if k == "fweights" else x.dtype)
                   for k, v in kw.items() if k.endswith("weights")}))
        for name, static in COVARIANCES
    ],
    Row("ops.linear.matmul", gg.cov, shapes=[((5,),)], numpy=lambda x: numpy.cov(x, dtype=x.dtype), label="cov of one",
        torch=lambda torch, x: torch.cov(x), large=None),
    Row("ops.linear.matmul", gg.cov, shapes=[((2, 5), (3, 5)), ((5,), (5,))], label="cov of two", large=None,
        numpy=lambda x, y: numpy.cov(x, y, dtype=x.dtype)),
    Row("ops.linear.matmul", lambda x, w: gg.cov(x, aweights=w), positive, shapes=[((2, 5), (5,))], large=None,
        numpy=lambda x, w: numpy.cov(x, aweights=w).astype(x.dtype), label="cov by weights"),
    Row("ops.linear.matmul", gg.corrcoef, shapes=[((3, 5),)], label="corrcoef", large=((20, 300),), single=1e-4,
        numpy=lambda x: numpy.corrcoef(x, dtype=x.dtype), torch=lambda torch, x: torch.corrcoef(x)),
    # -------------------------------------------------------- counting
    Row("ops.counting._bincount", gg.bincount, whole, shapes=[((9,),), ((0,),)], variants=[{"minlength": 8}],
        numpy=numpy.bincount, constant=True, large=None),
    Row("ops.counting._bincount_of_weights", gg.bincount, weighed, shapes=[((9,), (9,)), ((1,), (1,))], large=None,
        variants=[{"minlength": 8}], numpy=lambda x, w, minlength: numpy.bincount(x, w, minlength).astype(w.dtype),
        torch=None),
    Row("ops.counting._digitize", lambda x, **kw: gg.digitize(x, [-1.0, 0.0, 0.5], **kw),
        shapes=[((3, 4),), ((),), ((0,),)], variants=[{}, {"right": True}], constant=True, large=None,
        numpy=lambda x, **kw: numpy.digitize(x, [-1.0, 0.0, 0.5], **kw)),
    Row("ops.counting._histogram", lambda x: gg.histogram(x, 4, (-1.5, 2.0))[0], shapes=[((3, 4),), ((0,),)],
        constant=True, large=None, numpy=lambda x: numpy.histogram(x, 4, (-1.5, 2.0))[0]),
    Row("ops.counting._in_bins", lambda x: gg.histogram(x, [-1.0, 0.0, 0.5])[0], shapes=[((3, 4),), ((0,),)],
        constant=True, large=None, numpy=lambda x: numpy.histogram(x, [-1.0, 0.0, 0.5])[0]),
    Row("ops.counting._bincount_of_weights", lambda w: gg.histogram(gg.tensor(BINNED), [-1.0, 0.0, 0.5], weights=w)[0],
        shapes=[((2, 3),)], large=None, label="histogram",
        numpy=lambda w: numpy.histogram(BINNED, [-1.0, 0.0, 0.5], weights=w)[0]),
]  # fmt: skip
