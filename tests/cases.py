"""One row an operation: how to call it, on what inputs, and what the same is called elsewhere.

``tests/ops/test_cases.py`` compares every row with finite differences, NumPy and PyTorch; ``tests/test_seam.py``
replays it on a namespace that only writes calls down. An operation of gpugrad without a row fails a test.

To add one: a ``Row`` with the operation's full name, a call, a generator of float64 inputs (the domains below), the
shapes to try, and the functions of NumPy and of PyTorch that do the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy

import gpugrad as gg
from gpugrad.core import identity
from gpugrad.ops import creation, indexing, linear, softmax

Arrays = list[numpy.ndarray]
Domain = Callable[[numpy.random.Generator, Sequence[tuple[int, ...]]], Arrays]

# ---------------------------------------------------------------- domains: float64 inputs of given shapes


def real(rng, shapes):
    return [numpy.asarray(rng.standard_normal(s)) for s in shapes]


def positive(rng, shapes):
    return [numpy.asarray(rng.uniform(0.5, 2.0, s)) for s in shapes]


def nonzero(rng, shapes):
    return [numpy.asarray(rng.uniform(0.5, 2.0, s) * rng.choice([-1.0, 1.0], s)) for s in shapes]


def apart(rng, shapes):
    """All elements, of all inputs together, at least 0.1 from each other and from 0 and 1: no ties, no kinks."""
    sizes = [int(numpy.prod(s)) for s in shapes]
    values = rng.permutation(numpy.arange(sum(sizes)) - sum(sizes) // 2) * 0.2 + 0.11
    parts = numpy.split(values, numpy.cumsum(sizes)[:-1])
    return [numpy.asarray(p.reshape(s)) for p, s in zip(parts, shapes, strict=True)]


def apart_positive(rng, shapes):
    return [a - a.min(initial=0) + 0.3 for a in apart(rng, shapes)]


def within(rng, shapes):
    """Between -1 and 1, away from both."""
    return [numpy.asarray(rng.uniform(-0.9, 0.9, s)) for s in shapes]


def above_one(rng, shapes):
    return [numpy.asarray(rng.uniform(1.2, 3.0, s)) for s in shapes]


def mod_operands(rng, shapes):
    """Quotients away from the integers, where remainder and floor_divide jump."""
    x2 = [rng.uniform(0.5, 2.0, s) * rng.choice([-1.0, 1.0], s) for s in shapes[1:]]
    outer = numpy.broadcast_shapes(*shapes)
    if tuple(shapes[0]) == outer:
        whole = rng.integers(-3, 4, outer) + rng.uniform(0.2, 0.8, outer)
        return [numpy.asarray(whole * x2[0]), numpy.asarray(x2[0])]
    return [numpy.full(shapes[0], 2.15), numpy.asarray(rng.choice([1.0, 1.5, -1.6], shapes[1]))]


def masked(rng, shapes):
    """A boolean condition, then real numbers."""
    return [numpy.asarray(rng.random(shapes[0]) < 0.5), *real(rng, shapes[1:])]


def whole(rng, shapes):
    return [numpy.asarray(rng.integers(0, 8, s)) for s in shapes]


def boolean(rng, shapes):
    return [numpy.asarray(rng.random(s) < 0.5) for s in shapes]


def special(rng, shapes):
    """Numbers among which are NaN and infinities."""
    return [numpy.asarray(rng.choice([0.0, 1.5, -2.0, numpy.nan, numpy.inf, -numpy.inf], s)) for s in shapes]


# ---------------------------------------------------------------- shapes: tuples, one shape an input

ONE = [((),), ((3,),), ((2, 3),), ((0,),), ((2, 0, 3),), ((2, 1, 3),)]
PAIRS = [
    ((), ()), ((3,), (3,)), ((2, 3), (3,)), ((3,), (2, 3)), ((2, 1), (1, 3)), ((2, 3), ()), ((), (2,)),
    ((0,), (1,)), ((2, 0), (2, 1)), ((1, 3), (2, 1, 3)),
]  # fmt: skip
TRIPLES = [((), (), ()), ((2, 3), (3,), (2, 1)), ((3,), (2, 3), ()), ((0,), (1,), ())]
LARGE = ((70, 300),)
LARGE_PAIR = ((70, 300), (300,))


@dataclass(frozen=True)
class Row:
    """An operation and all that the tests need to know about it."""

    operation: str
    """Module and name, as in ``gpugrad.core.OPERATIONS`` without the leading ``gpugrad.``."""
    call: Callable[..., Any]
    """``call(*tensors, **static)`` with gpugrad."""
    inputs: Domain = real
    shapes: Sequence[tuple[tuple[int, ...], ...]] = field(default_factory=lambda: ONE)
    variants: Sequence[dict[str, Any]] = ({},)
    """Static arguments."""
    numpy: Callable[..., Any] | None = None
    """The same with NumPy, for the value, shape and dtype."""
    torch: Callable[..., Any] | None = None
    """``torch(torch module, *tensors, **static)``, for value and gradient."""
    large: tuple[tuple[int, ...], ...] | None = LARGE
    """Shapes that are large enough for blocks; compared by value only."""
    constant: bool = False
    """The result has no gradient."""
    flat: bool = False
    """The gradient is 0 everywhere, which PyTorch may not define."""
    order: int = 2
    single: float = 1e-5
    """Tolerance in float32, relative and absolute."""
    label: str = ""

    @property
    def name(self) -> str:
        return self.operation.removeprefix("ops.") + (f"-{self.label}" if self.label else "")

    def __str__(self) -> str:
        return self.name


def named(module, name, **kwargs):
    """An operation that is called the same here, in NumPy and, unless said otherwise, in PyTorch."""
    kwargs.setdefault("numpy", getattr(numpy, name, None))
    kwargs.setdefault("torch", lambda torch, *xs, **static: getattr(torch, name)(*xs, **static))
    return Row(f"ops.{module}.{name}", getattr(gg, name), **kwargs)


def unary(module, name, domain=real, **kwargs):
    return named(module, name, inputs=domain, **kwargs)


def binary(module, name, domain=real, **kwargs):
    kwargs.setdefault("large", LARGE_PAIR)
    return named(module, name, inputs=domain, shapes=PAIRS, **kwargs)


def constants(module, name, domain=real, shapes=PAIRS, **kwargs):
    kwargs.setdefault("torch", lambda torch, *xs: getattr(torch, name)(*xs))
    return named(module, name, inputs=domain, shapes=shapes, constant=True, large=None, **kwargs)


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


AXES = [{}, {"axis": 0}, {"axis": -1, "keepdims": True}, {"axis": (0, 2)}, {"axis": (-1, 0), "keepdims": True}]
CUBES = [((2, 3, 2),)]
NONEMPTY = [((3,),), ((1, 4),)]


def reduction(name, domain=real, torch=None, variants=AXES, module="reduction", **kwargs):
    return [
        named(module, name, inputs=domain, shapes=CUBES, variants=variants, torch=torch, **kwargs),
        named(module, name, inputs=domain, shapes=NONEMPTY, torch=torch, label="all", **kwargs),
        named(module, name, inputs=domain, shapes=[((),)], label="0d", torch=None, **kwargs),
    ]


INDEX = numpy.array([0, 2, 0])
MASK = numpy.array([[True, False, True], [False, False, True]])

SLICES = [
    slice(None), slice(1, None), slice(None, None, -1), slice(2, None, -2), 0, -1, None, Ellipsis, (), (1, 2),
    (slice(None), 1), (..., 0), (0, ..., slice(None, None, 2)), (None, slice(None), None, -1), (slice(0, 0),),
]  # fmt: skip
GATHERS = [
    [0, 1, 0], (slice(None), INDEX), (numpy.array([0, 1, 1]), INDEX), MASK,
    (slice(None), numpy.array([True, False, True])),
    (numpy.array(1),), (numpy.array([[0, 1], [1, 1]]), slice(None, None, -1)), (None, INDEX % 2), (..., INDEX),
    (numpy.array([-1, 0]), 1), numpy.zeros(0, int), numpy.array(True),
]  # fmt: skip

BLOCKS = [((3, 2, 4), (4, 3)), ((2, 3), (3, 2)), ((3,), (3, 2)), ((2, 3), (3,)), ((3,), (3,)), ((2, 3), (2, 3, 1))]
BLOCKS += [((2, 1, 2, 3), (3, 3, 2)), ((3,), (2, 3, 2)), ((2, 2, 3), (3,)), ((2, 3), (3, 0)), ((2, 0), (0, 3))]
BLOCKS += [((2, 3, 4), (4, 0)), ((2, 3, 0), (0, 2)), ((0, 3), (3, 2)), ((0, 2, 3), (3, 2)), ((2, 3, 2), (2, 2, 2))]

EINSUMS = [
    ("ij,jk->ik", ((2, 3), (3, 2))), ("ij->ji", ((2, 3),)), ("ii->i", ((3, 3),)), ("ii", ((3, 3),)),
    ("ij->", ((2, 3),)),
    ("ij->j", ((2, 3),)), ("...ij,...jk->...ik", ((2, 1, 2, 3), (3, 3, 2))), ("i,j->ij", ((2,), (3,))),
    ("bij,bj->b", ((2, 3, 2), (2, 2))), ("ij,jk,kl->il", ((2, 3), (3, 2), (2, 2))), ("iji->j", ((2, 3, 2),)),
    ("i,i", ((3,), (3,))), ("ij,k->i", ((2, 3), (2,))), (",i->i", ((), (3,))), ("ij,jk", ((2, 0), (0, 3))),
    ("bhqd,bhkd->bhqk", ((1, 2, 3, 2), (1, 2, 2, 2))),
]  # fmt: skip


PRODUCTS = [
    *[
        ("linear.matmul", "tensordot", shapes, {"axes": axes})
        for axes, shapes in [
            (2, ((2, 3, 2), (3, 2, 2))), (1, ((2, 3), (3, 2))), (0, ((2,), (3,))),
            (((1, 2), (1, 0)), ((2, 3, 2), (2, 3))), (((-1,), (0,)), ((2, 0), (0, 3))), (([0], [1]), ((2,), (3, 2))),
        ]
    ],
    *[
        ("linear.matmul" if len(shapes[0]) == 1 else "linear._einsum", "vecdot", shapes, {"axis": axis})
        for axis, shapes in [(-1, ((3,), (3,))), (-1, ((2, 3), (3,))), (0, ((3, 2), (3, 2))), (-2, ((2, 3, 1), (3, 2)))]
    ],
    *[("arithmetic.multiply", "outer", shapes, {}) for shapes in (((2,), (3,)), ((2, 2), (3, 1)), ((), (2,)))],
    *[("linear.matmul", "inner", shapes, {}) for shapes in (((3,), (3,)), ((2, 3), (3,)), ((2, 3), (2, 1, 3)))],
    *[
        ("linear.matmul", "dot", shapes, {})
        for shapes in (((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 2)), ((2, 2, 3), (3,)),
                       ((3,), (2, 3, 2)), ((2, 3), (2, 3, 2)))
    ],
    *[("arithmetic.multiply", name, shapes, {}) for name in ("inner", "dot") for shapes in (((), (3,)), ((2, 3), ()))],
    *[
        ("arithmetic.multiply", "kron", shapes, {})
        for shapes in (((2,), (3,)), ((2, 3), (2, 1)), ((2,), (3, 2)), ((2, 1, 2), (3,)), ((), (2,)), ((), ()))
    ],
    ("arithmetic.subtract", "cross", ((3,), (3,)), {}), ("arithmetic.subtract", "cross", ((2, 3), (3,)), {}),
    ("arithmetic.subtract", "cross", ((3, 2), (3, 2)), {"axis": 0}),
]  # fmt: skip


def _einsum_row(subscripts, shapes):
    return Row(
        "ops.linear._diagonal" if subscripts in ("ii->i",) else
        "ops.shaping.permute_dims" if subscripts == "ij->ji" else "ops.linear._einsum",
        lambda *xs: gg.einsum(subscripts, *xs), shapes=[shapes], numpy=lambda *xs: numpy.einsum(subscripts, *xs),
        torch=lambda torch, *xs: torch.einsum(subscripts, *xs), large=None, label=f"einsum {subscripts}",
    )  # fmt: skip


def _like_index(index):
    """An index with its arrays as tensors on the device of the run."""
    if isinstance(index, tuple):
        return tuple(map(_like_index, index))
    return gg.tensor(index) if isinstance(index, numpy.ndarray) else index


def _scattered(part, index, shape):
    y = numpy.zeros(shape, part.dtype)
    numpy.add.at(y, index, part)
    return y


def _with_written(x, v, index):
    y = x.copy()
    y[index] = v
    return y


def _index_rows():
    sample = numpy.zeros((2, 3))
    for kind, indices in (("_slice", SLICES), ("_gather", GATHERS)):
        back = "_place" if kind == "_slice" else "_scatter_add"
        for number, index in enumerate(indices):
            part = sample[index].shape
            yield Row(
                f"ops.indexing.{kind}", lambda x, i=index: x[_like_index(i)], shapes=[((2, 3),)],
                numpy=lambda x, i=index: x[i], large=None, label=f"{number}",
            )  # fmt: skip
            yield Row(
                f"ops.indexing.{back}",
                lambda p, i=index, back=back: getattr(indexing, back)(
                    p, index=indexing.plain_index(_like_index(i), p), shape=(2, 3)
                ),
                shapes=[(part,)],
                numpy=lambda p, i=index: _scattered(p, i, (2, 3)), large=None, label=f"{number}",
            )  # fmt: skip
            # on a GPU nothing says which of two values written to one place stays
            if not any(isinstance(e, list | numpy.ndarray) for e in (index if isinstance(index, tuple) else (index,))):
                yield _write_row(index, part, f"{number}")
    for index, part in (((), ()), (Ellipsis, ()), (None, (1,)), (numpy.array(True), (1,))):
        yield Row(
            "ops.indexing._set_at", lambda x, v, i=index: gg.set_at(x, _like_index(i), v), shapes=[((), part)],
            numpy=lambda x, v, i=index: _with_written(x, v, i), large=None, label=f"0d {index}",
        )  # fmt: skip
    yield _write_row(MASK, (3,), "mask")
    yield _write_row((slice(None), numpy.array([2, 0])), (2, 2), "columns")
    yield _write_row((numpy.array([1, 0]), numpy.array([1, 1])), (2,), "points")


def _write_row(index, part, label):
    return Row(
        "ops.indexing._set_at", lambda x, v: gg.set_at(x, _like_index(index), v), shapes=[((2, 3), part), ((2, 3), ())],
        numpy=lambda x, v: _with_written(x, v, index), large=None, label=label,
    )  # fmt: skip


def _on_diagonal(d, axis1, axis2, shape):
    y = numpy.zeros(shape, d.dtype)
    numpy.einsum("iji->ji" if (axis1, axis2) == (0, 2) else "...ii->...i", y)[...] = d
    return y


def _unique(name, x):
    values, index, inverse, counts = numpy.unique(x, return_index=True, return_inverse=True, return_counts=True)
    named = {"values": values, "inverse": inverse.reshape(x.shape), "counts": counts}
    if name == "unique_all":
        return values, index, named["inverse"], counts
    return values if name == "unique_values" else (values, named[name.removeprefix("unique_")])


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
    unary("arithmetic", "sign", nonzero, flat=True),
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
    # -------------------------------------------------------- functions
    unary("functions", "exp"),
    unary("functions", "expm1"),
    unary("functions", "log", positive),
    unary("functions", "log1p", positive),
    unary("functions", "sqrt", positive),
    unary("functions", "square"),
    unary("functions", "sin"),
    unary("functions", "cos"),
    unary("functions", "tanh"),
    unary("functions", "exp2"),
    unary("functions", "log2", positive),
    unary("functions", "log10", positive),
    unary("functions", "reciprocal", nonzero, single=1e-4),
    binary("functions", "logaddexp"),
    *[unary("trigonometry", name) for name in ("sinh", "cosh", "atan", "asinh", "sinc")],
    *[unary("trigonometry", name, within, single=1e-4) for name in ("tan", "asin", "acos", "atanh")],
    unary("trigonometry", "acosh", above_one, single=1e-4),
    binary("trigonometry", "hypot", nonzero),
    binary("trigonometry", "atan2", nonzero),
    *[unary("rounding", name, apart, flat=True) for name in ("floor", "ceil", "trunc")],
    unary("rounding", "round", apart, flat=True, variants=[{}, {"decimals": 1}]),
    unary("rounding", "signbit", nonzero, constant=True, large=None),
    binary("rounding", "copysign", nonzero),
    binary("rounding", "nextafter", constant=True, large=None),
    unary("rounding", "real"),
    unary("rounding", "imag", flat=True),
    unary("rounding", "conj"),
    unary("rounding", "nan_to_num", variants=[{}, {"nan": 2.0, "posinf": 3.0, "neginf": -3.0}]),
    unary("activation", "relu", nonzero, numpy=lambda x: numpy.maximum(x, 0)),
    unary("activation", "sigmoid", numpy=lambda x: 1 / (1 + numpy.exp(-x))),
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
    Row("ops.arithmetic.where", gg.nansum, shapes=CUBES, variants=AXES, numpy=numpy.nansum,
        torch=_torch_dims("nansum"), label="nansum"),
    Row("ops.arithmetic.where", gg.nanmean, shapes=CUBES, variants=AXES, numpy=numpy.nanmean,
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
    Row("ops.arithmetic.subtract", gg.diff, shapes=[((4, 5),)], numpy=numpy.diff, label="diff",
        variants=[{}, {"n": 2}, {"axis": 0}, {"n": 3, "axis": -2}],
        torch=lambda torch, x, n=1, axis=-1: torch.diff(x, n, axis)),
    Row("ops.arithmetic.subtract", lambda x, a, b: gg.diff(x, prepend=a, append=b), shapes=[((2, 3), (2, 1), (2, 2))],
        numpy=lambda x, a, b: numpy.diff(x, prepend=a, append=b), label="diff between", large=None),
    *[
        Row(f"ops.softmax.{name}", getattr(softmax, name), shapes=[((2, 3),), ((4,),), ((2, 0, 3),)], large=LARGE,
            variants=[{}, {"axis": 0}], torch=lambda torch, x, axis=-1, name=name: getattr(torch, name)(x, axis))
        for name in ("softmax", "log_softmax")
    ],
    Row("ops.softmax.logsumexp", softmax.logsumexp, shapes=[((2, 3, 2),)], variants=AXES, large=LARGE,
        torch=_torch_dims("logsumexp")),
    # -------------------------------------------------------- shape
    named("shaping", "reshape", shapes=[((2, 3),)], variants=[{"shape": s} for s in ((3, 2), (-1,), (1, 6, -1))],
          large=None),
    named("shaping", "reshape", shapes=[((2, 3),)], variants=[{"shape": 6}], torch=None, label="flat", large=None),
    named("shaping", "reshape", shapes=[((2, 0),)], variants=[{"shape": (0, 5)}], label="empty", large=None),
    named("shaping", "permute_dims", shapes=CUBES, variants=[{"axes": a} for a in ((2, 0, 1), (0, -1, 1), (0, 1, 2))],
          torch=lambda torch, x, axes: torch.permute(x, axes), large=None),
    named("shaping", "broadcast_to", shapes=[((3,),), ((2, 1),), ((),)], variants=[{"shape": (2, 3)}],
          torch=lambda torch, x, shape: torch.broadcast_to(x, shape), large=None),
    named("shaping", "expand_dims", shapes=[((2, 3),), ((),)], variants=[{"axis": 0}, {"axis": -1}],
          torch=lambda torch, x, axis: torch.unsqueeze(x, axis)),
    named("shaping", "squeeze", shapes=[((2, 1, 3),)], variants=[{}, {"axis": 1}, {"axis": -2}],
          torch=lambda torch, x, axis=None: torch.squeeze(x) if axis is None else torch.squeeze(x, axis), large=None),
    named("shaping", "flip", shapes=CUBES, variants=[{}, {"axis": 1}, {"axis": (0, -1)}],
          torch=lambda torch, x, axis=(0, 1, 2): torch.flip(x, (axis,) if isinstance(axis, int) else axis), large=None),
    *[
        Row("ops.shaping._concat", lambda *xs, axis=0: gg.concat(xs, axis=axis), shapes=shapes,
            variants=[{"axis": axis}], numpy=lambda *xs, axis: numpy.concatenate(xs, axis),
            torch=lambda torch, *xs, axis: torch.cat(xs, axis), large=None, label=f"axis {axis}")
        for axis, shapes in [(0, [((2, 3), (1, 3)), ((0,), (2,)), ((2,),)]), (-1, [((2, 3), (2, 0), (2, 1))])]
    ],
    Row("ops.shaping._concat", lambda *xs: gg.concat(xs, axis=None), shapes=[((2, 3), (2,), ())], large=None,
        numpy=lambda *xs: numpy.concatenate(xs, None), label="flat"),
    Row("ops.shaping._stack", lambda *xs, axis: gg.stack(xs, axis=axis), shapes=[((2, 3),) * 3, ((3, 0),) * 2],
        variants=[{"axis": 0}, {"axis": 1}, {"axis": -1}], numpy=lambda *xs, axis: numpy.stack(xs, axis),
        torch=lambda torch, *xs, axis: torch.stack(xs, axis), large=None),
    Row("ops.shaping._stack", lambda *xs: gg.stack(xs), shapes=[((), ())], large=None, label="0d",
        numpy=lambda *xs: numpy.stack(xs)),
    Row("ops.shaping._split", lambda x, cut, axis=0: tuple(gg.split(x, cut, axis)), shapes=[((4, 2),)], large=None,
        numpy=lambda x, cut, axis=0: tuple(numpy.split(x, cut, axis)),
        variants=[{"cut": 2}, {"cut": [1, 3]}, {"cut": [1], "axis": -1}, {"cut": [0, 4]}, {"cut": [9]}]),
    # -------------------------------------------------------- stacking
    named("stacking", "roll", shapes=[((3, 4),)], large=None,
          variants=[{"shift": 1}, {"shift": -2, "axis": 0}, {"shift": (1, 5), "axis": (0, 1)}],
          torch=lambda torch, x, shift, axis=None: torch.roll(x, shift, axis)),
    *[
        Row(f"ops.{operation}", lambda x, a=arguments, name=name: getattr(gg, name)(x, *a), shapes=[shapes],
            numpy=lambda x, a=arguments, name=name: getattr(numpy, name)(x, *a), large=None,
            label=f"{name} {arguments} of {len(shapes[0])} axes")
        for operation, name, shapes, *arguments in [
            ("shaping.permute_dims", "moveaxis", ((2, 3, 4),), 0, -1),
            ("shaping.permute_dims", "moveaxis", ((2, 3, 4, 1),), (0, -1), (2, 0)),
            ("shaping.reshape", "ravel", ((2, 3),)), ("shaping.reshape", "ravel", ((2, 0),)),
            ("shaping.reshape", "ravel", ((),)),
            *[("shaping.flip", "rot90", ((2, 3, 2),), k) for k in (-1, 0, 1, 2, 3, 4)],
            ("shaping.flip", "rot90", ((2, 3, 2),), 1, (2, 0)), ("shaping.flip", "rot90", ((2, 3, 2),), 3, (1, 2)),
            *[("shaping.reshape", "tile", ((2, 3),), n) for n in (2, (2, 1), (3, 1, 2), (0, 2), ())],
            ("shaping.reshape", "tile", ((),), (2, 2)),
            *[("stacking._repeat", "repeat", ((2, 3),), *n) for n in ((2,), (2, 0), (3, -1), (0, 1))],
            ("indexing._gather", "repeat", ((2, 3),), [1, 0, 2], 1), ("indexing._gather", "repeat", ((2,),), [2, 1]),
            *[("shaping.reshape", f"atleast_{n}d", ((),)) for n in (1, 2)],
            ("shaping.expand_dims", "atleast_3d", ((),)), ("shaping.expand_dims", "atleast_3d", ((2, 3),)),
            ("shaping.reshape", "atleast_2d", ((3,),)), ("shaping.expand_dims", "atleast_3d", ((3,),)),
            ("shaping._split", "array_split", ((5, 2),), 3), ("shaping._split", "array_split", ((5, 2),), [1, 3], 0),
            ("shaping._split", "array_split", ((2, 3),), 5, 1), ("shaping._split", "vsplit", ((4, 3),), 2),
            ("shaping._split", "hsplit", ((4, 3),), [1]), ("shaping._split", "hsplit", ((4,),), 2),
        ]
    ],
    *[
        Row(f"ops.shaping.{operation}", lambda *xs, name=name: getattr(gg, name)(xs), shapes=[shapes], large=None,
            numpy=lambda *xs, name=name: getattr(numpy, name)(xs), label=f"{name} of {shapes}")
        for operation, name, shapes in [
            ("_concat", "vstack", ((3,), (2, 3))), ("_concat", "vstack", ((), ())), ("_concat", "hstack", ((3,), (2,))),
            ("_concat", "hstack", ((2, 3), (2, 1))), ("_concat", "dstack", ((2, 3), (2, 3, 2))),
            ("_concat", "dstack", ((3,), (3,))), ("_stack", "column_stack", ((3,), (3,))),
            ("_concat", "column_stack", ((3,), (3, 2))),
        ]
    ],
    Row("ops.shaping.broadcast_to", gg.broadcast_arrays, shapes=[((2, 1), (3,), ())], numpy=numpy.broadcast_arrays,
        torch=lambda torch, *xs: torch.broadcast_tensors(*xs), large=None, label="broadcast_arrays"),
    Row("ops.shaping.broadcast_to", gg.meshgrid, shapes=[((2,), (3,)), ((2,),), ((2,), (1,), (3,))], large=None,
        numpy=numpy.meshgrid, variants=[{}, {"indexing": "ij"}], label="meshgrid",
        torch=lambda torch, *xs, indexing="xy": torch.meshgrid(*xs, indexing=indexing)),
    # -------------------------------------------------------- selection
    Row("ops.selection.sort", gg.sort, apart, shapes=[((3, 4),), ((5,),), ((0,),), ((2, 0),), ((1, 1),)],
        variants=[{}, {"axis": 0}, {"descending": True}],
        numpy=lambda x, axis=-1, descending=False: numpy.flip(numpy.sort(x, axis), axis) if descending
        else numpy.sort(x, axis),
        torch=lambda torch, x, axis=-1, descending=False: torch.sort(x, axis, descending)[0]),
    Row("ops.selection.argsort", gg.argsort, special, shapes=[((3, 4),), ((9,),), ((0,),)], constant=True, large=None,
        variants=[{}, {"axis": 0}, {"stable": False}] , numpy=lambda x, axis=-1, stable=True: numpy.argsort(
            x, axis, kind="stable" if stable else None)),
    Row("ops.selection.argsort", gg.argsort, whole, shapes=[((3, 4),), ((9,),), ((0,),)], constant=True, large=None,
        variants=[{"descending": True}, {"axis": 0, "descending": True}], label="descending",
        numpy=lambda x, axis=-1, descending=True: numpy.argsort(-x, axis, kind="stable")),
    Row("ops.indexing._gather", lambda x, **kw: gg.topk(x, 2, **kw).values, apart, shapes=[((3, 4),)], label="topk",
        variants=[{}, {"axis": 0}, {"largest": False}],
        torch=lambda torch, x, axis=-1, largest=True: torch.topk(x, 2, axis, largest)[0]),
    *[
        Row("ops.indexing._gather", lambda x, i=index, **kw: gg.take(x, gg.tensor(i), **kw), shapes=[((3, 4),)],
            variants=[{}, {"axis": 0}, {"axis": -1}], numpy=lambda x, i=index, **kw: numpy.take(x, i, **kw),
            large=None, label=f"take {index.shape}")
        for index in (numpy.array([2, 0, 2]), numpy.array([[1], [0]]), numpy.array([], int))
    ],
    *[
        Row("ops.indexing._gather", lambda x, i=index, axis=axis: gg.take_along_axis(x, gg.tensor(i), axis=axis),
            shapes=[((3, 2),)], large=None, label=f"take_along_axis {axis}",
            numpy=lambda x, i=index, axis=axis: numpy.take_along_axis(x, i, axis=axis),
            torch=lambda torch, x, i=index, axis=axis: torch.take_along_dim(x, torch.tensor(i), axis))
        for index, axis in ((numpy.array([[0, 1], [1, 1], [0, 0]]), -1), (numpy.array([[2, 0], [2, 1]]), 0),
                            (numpy.array([[0]]), 1), (numpy.array([[-1], [0], [1]]), 1))
    ],
    Row("ops.indexing._set_at", lambda x, v: gg.put_along_axis(x, gg.tensor([[1, 0]]), v, axis=0), large=None,
        shapes=[((3, 2), (1, 2)), ((3, 2), ())], label="put_along_axis",
        numpy=lambda x, v: _with_written(x, v, (numpy.array([[1, 0]]), numpy.array([[0, 1]])))),
    *[
        Row("ops.selection._searchsorted", lambda x, v, side=side: gg.searchsorted(x, v, side=side), whole,
            shapes=[((1,), (3,)), ((0,), (2, 3)), ((1,), ())], constant=True, large=None, label=side,
            numpy=lambda x, v, side=side: numpy.searchsorted(x, v, side=side))
        for side in ("left", "right")
    ],
    Row("ops.selection.nonzero", lambda x: gg.nonzero(x), whole, shapes=[((3, 4),), ((9,),), ((0,),)], constant=True,
        large=None, numpy=numpy.nonzero),
    Row("ops.selection.isin", gg.isin, whole, shapes=[((3, 4), (2,)), ((), (3,)), ((2,), (0,))], constant=True,
        variants=[{}, {"invert": True}], numpy=numpy.isin, large=None),
    *[
        Row("ops.selection._unique", getattr(gg, name), whole, shapes=[((3, 4),), ((0,),), ((),)], constant=True,
            large=None, label=name, numpy=lambda x, name=name: _unique(name, x))
        for name in ("unique_all", "unique_counts", "unique_inverse", "unique_values")
    ],
    # -------------------------------------------------------- indexing
    *_index_rows(),
    # -------------------------------------------------------- linear
    named("linear", "matmul", shapes=BLOCKS, large=((40, 60), (60, 50)), single=1e-4),
    *[_einsum_row(subscripts, shapes) for subscripts, shapes in EINSUMS],
    Row("ops.linear._diagonal", linear._diagonal, shapes=[((3, 2, 3),)], large=None,
        variants=[{"axis1": 0, "axis2": 2}], numpy=lambda x, axis1, axis2: numpy.diagonal(x, 0, axis1, axis2)),
    Row("ops.linear._on_diagonal", linear._on_diagonal, shapes=[((2, 3),)], numpy=_on_diagonal, large=None,
        variants=[{"axis1": 0, "axis2": 2, "shape": (3, 2, 3)}]),
    # -------------------------------------------------------- diagonals
    *[
        named("diagonals", name, shapes=[((3, 3),), ((2, 4),), ((2, 3, 2),), ((0, 2),)], large=None,
              variants=[{}, {"k": 1}, {"k": -2}, {"k": 5}],
              torch=lambda torch, x, k=0, name=name: getattr(torch, name)(x, k))
        for name in ("tril", "triu")
    ],
    *[
        Row(f"ops.{operation}", getattr(gg, name), shapes=[((3, 3),), ((2, 4),), ((2, 4, 3),)], large=None, label=name,
            variants=[{}, {"offset": 1}, {"offset": -1}, {"offset": 7}, {"offset": 1, "axis1": -1, "axis2": 0}],
            numpy=getattr(numpy, name))
        for operation, name in (("linear._diagonal", "diagonal"), ("reduction.sum", "trace"))
    ],
    Row("ops.linear._diagonal", lambda x, k: gg.diag(x, k), shapes=[((3, 3),), ((2, 3),)], label="diag", large=None,
        variants=[{"k": 0}, {"k": 1}, {"k": -1}], numpy=numpy.diag, torch=lambda torch, x, k: torch.diag(x, k)),
    Row("ops.linear._on_diagonal", lambda x, k: gg.diag(x, k), shapes=[((3,),), ((0,),)], label="diag", large=None,
        variants=[{"k": 0}, {"k": 1}, {"k": -2}], numpy=numpy.diag, torch=lambda torch, x, k: torch.diag(x, k)),
    # -------------------------------------------------------- padding
    Row("ops.padding._pad", gg.pad, shapes=[((2, 3),)], numpy=numpy.pad, large=None,
        variants=[{"pad_width": 1}, {"pad_width": (0, 2)}, {"pad_width": [(1, 0), (2, 1)]},
                  {"pad_width": ((1,), (0,)), "constant_values": ((1.0, 2.0), (3.0, 4.0))},
                  {"pad_width": ((1, 2),), "constant_values": (5.0, 6.0)}]),
    Row("ops.padding._pad", lambda x: gg.pad(x, 2), shapes=[((0,),), ((2, 0),)], numpy=lambda x: numpy.pad(x, 2),
        large=None, label="empty"),
    Row("ops.shaping._concat", gg.pad, shapes=[((3, 4),), ((1, 2),)], numpy=numpy.pad, large=None, label="pad",
        variants=[{"pad_width": width, "mode": mode} for mode in ("edge", "wrap", "reflect", "symmetric")
                  for width in (1, ((0, 2), (5, 1)), ((7, 8), (0, 0)))]),
    # -------------------------------------------------------- products
    *[
        Row(f"ops.{operation}", lambda *xs, name=name, kw=kw: getattr(gg, name)(*xs, **kw), shapes=[shapes],
            numpy=lambda *xs, name=name, kw=kw: getattr(numpy, name)(*xs, **kw), large=None, single=1e-4,
            label=f"{name} {kw or '-'} of {shapes}")
        for operation, name, shapes, kw in PRODUCTS
    ],
    # -------------------------------------------------------- the rest
    Row("ops.creation._astype", lambda x: gg.astype(x, x.dtype), numpy=lambda x: x.astype(x.dtype),
        torch=lambda torch, x: x.to(x.dtype)),
    Row("ops.creation._to_device", lambda x: creation._to_device(x, device=x.device), numpy=lambda x: x),
    Row("core.operation.identity", identity, numpy=lambda x: x, torch=lambda torch, x: x.clone()),
]  # fmt: skip

ROWS += [
    Row("ops.shaping.permute_dims", gg.matrix_transpose, shapes=CUBES, numpy=lambda x: x.mT, large=None, label="mT"),
    Row("ops.shaping.permute_dims", lambda x: gg.swapaxes(x, 0, -1), shapes=CUBES, large=None, label="swapaxes",
        numpy=lambda x: numpy.swapaxes(x, 0, -1)),
    Row("ops.shaping.squeeze", lambda x: gg.unstack(x, axis=-2), shapes=CUBES,
        numpy=lambda x: numpy.unstack(x, axis=-2), large=None, label="unstack"),
]  # fmt: skip


def instances(large: bool = False):
    """Every row with each of its shapes and variants: ``(row, shapes, static)``."""
    for row in ROWS:
        for shapes in (
            ([row.large] if row.large and len(row.large) == len(row.shapes[0]) else []) if large else row.shapes
        ):
            for static in row.variants if not large else row.variants[:1]:
                yield row, shapes, static


def identifier(value):
    if isinstance(value, dict):
        return ",".join(f"{k}={v}" for k, v in value.items()) or "-"
    return str(value).replace(" ", "")


def tensors(arrays, dtype=None, requires_grad=True):
    """Inputs as Tensors on the device of the run; those of floating dtype as variables."""
    made = []
    for a in arrays:
        floating = a.dtype.kind == "f"
        t = gg.tensor(a, dtype=dtype if floating else None)
        made.append(t.requires_grad_() if floating and requires_grad else t)
    return made


def outputs(y):
    return tuple(y) if isinstance(y, tuple | list) else (y,)


def host(value):
    """A Tensor, or an array of any device, as NumPy's."""
    return value.numpy() if isinstance(value, gg.Tensor) else gg.backend.to_host(value)
