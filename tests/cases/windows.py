"""Convolution, pooling and unfolding: the linear maps of a sliding window, and the choice of its largest element."""

from __future__ import annotations

from functools import partial
from itertools import product

import numpy

from gpugrad.kernels.windows import Window
from gpugrad.ops import convolution, pooling

from .domains import apart, real
from .row import Row


def window(inner, kernel, stride=1, dilation=1, before=0):
    """One along each axis of ``inner``, with the same border behind."""
    ndim = len(inner)
    outer = tuple((n + 2 * before - dilation * (k - 1) - 1) // stride + 1 for n, k in zip(inner, kernel, strict=True))
    return Window(kernel, (stride,) * ndim, (dilation,) * ndim, (before,) * ndim, inner, outer)


def seen(x, window, outside=0):
    """By definition: what each position sees, shape ``(..., *inner)`` to ``(..., K, *outer)``."""
    ndim = len(window.inner)
    y = numpy.full((*x.shape[: x.ndim - ndim], window.size, *window.outer), outside, x.dtype)
    for number, offset in enumerate(product(*map(range, window.kernel))):
        for place in product(*map(range, window.outer)):
            rows = zip(place, window.stride, offset, window.dilation, window.before, strict=True)
            at = tuple(p * s + k * d - b for p, s, k, d, b in rows)
            if all(0 <= i < n for i, n in zip(at, window.inner, strict=True)):
                y[(..., number, *place)] = x[(..., *at)]
    return y


def linear(columns, shape):
    """The transpose of a linear map, given as a function of arrays of ``shape``, on ``columns``."""
    size = int(numpy.prod(shape))
    units = numpy.eye(size, dtype=columns.dtype).reshape(size, *shape)
    return lambda f: numpy.array([(f(unit) * columns).sum() for unit in units], columns.dtype).reshape(shape)


def convolved(x, w, bias=None, *, window, groups):
    columns = seen(x, window)
    parts = columns.reshape(x.shape[0], groups, w.shape[1], *columns.shape[2:])
    filters = w.reshape(groups, w.shape[0] // groups, w.shape[1], window.size)
    y = numpy.einsum("ngck...,gock->ngo...", parts, filters).reshape(x.shape[0], w.shape[0], *window.outer)
    return y if bias is None else y + bias.reshape(-1, *(1 for _ in window.outer))


def spread(g, w, bias=None, *, window, groups):
    shape = (g.shape[0], w.shape[1] * groups, *window.inner)
    x = linear(g, shape)(lambda unit: convolved(unit, w, window=window, groups=groups))
    return x if bias is None else x + bias.reshape(-1, *(1 for _ in window.inner))


def filters(x, g, *, window, groups):
    shape = (g.shape[1], x.shape[1] // groups, *window.kernel)
    return linear(g, shape)(lambda unit: convolved(x, unit, window=window, groups=groups))


def torch_convolution(torch, x, w, bias=None, *, window, groups):
    function = getattr(torch.nn.functional, f"conv{len(window.inner)}d")
    return function(x, w, bias, window.stride, window.before, window.dilation, groups)


def complex_parts(rng, shapes):
    return [a + 1j * b for a, b in zip(real(rng, shapes), real(rng, shapes), strict=True)]


GEOMETRIES = [  # window, groups, shapes of x, w, bias
    (window((5,), (3,), 2, 1, 1), 1, ((2, 2, 5), (3, 2, 3), (3,))),
    (window((4, 3), (2, 2), 1, 2, 1), 2, ((1, 4, 4, 3), (2, 2, 2, 2), (2,))),
    (window((3, 3), (1, 1)), 1, ((2, 2, 3, 3), (3, 2, 1, 1), (3,))),
    (window((2, 3, 2), (2, 1, 2), 1, 1, 1), 1, ((1, 1, 2, 3, 2), (1, 1, 2, 1, 2), (1,))),
    (window((3,), (2,)), 1, ((0, 2, 3), (1, 2, 2), (1,))),
]
PLANES = [  # windows over planes, and the shape of these
    (window((6,), (3,), 2, 1, 1), (2, 6)),
    (window((4, 4), (2, 2), 2), (1, 2, 4, 4)),
    (window((4, 3), (2, 2), 1, 2, 1), (2, 1, 4, 3)),
    (window((3,), (2,)), (0, 3)),
]


def _convolutions():
    for n, (place, groups, (x, w, b)) in enumerate(GEOMETRIES):
        static = {"window": place, "groups": groups}
        y, back = (x[0], w[0], *place.outer), (w[1] * groups,)
        for name, reference, theirs, shapes in (
            ("_convolve", convolved, torch_convolution, [(x, w, b), (x, w)]),
            ("_spread", spread, None, [(y, w, back), (y, w)]),
            ("_filters", filters, None, [(x, y)]),
        ):
            yield Row(
                f"ops.convolution.{name}", partial(getattr(convolution, name), **static), shapes=shapes,
                numpy=partial(reference, **static), torch=theirs and partial(theirs, **static), large=None,
                complex=complex_parts, single=1e-4, label=f"{n}",
            )  # fmt: skip


def offsets(place):
    """Numbers, and for each window one of its offsets."""
    return lambda rng, shapes: [*real(rng, shapes[:1]), numpy.asarray(rng.integers(0, place.size, shapes[1]), "uint8")]


def _taken(x, which, window):
    axis = -1 - len(window.inner)
    return numpy.take_along_axis(seen(x, window), numpy.expand_dims(which, axis), axis=axis).squeeze(axis)


def _place(which):
    """For a window of 2 x 2 that goes in steps of 2 over 4 x 3 with a border of 1."""
    return (numpy.arange(3)[:, None] * 2 - 1 + which // 2) * 3 + numpy.arange(2) * 2 - 1 + which % 2


def _poolings():
    for n, (place, plane) in enumerate(PLANES):
        ndim = len(place.inner)
        axis, lead = -1 - ndim, plane[: len(plane) - ndim]
        small = (*lead, *place.outer)
        common = {"large": None, "label": str(n)}

        def maximum(x, place=place, axis=axis):
            return seen(x, place, -numpy.inf).max(axis=axis)

        def winner(x, place=place, axis=axis):
            return seen(x, place, -numpy.inf).argmax(axis=axis).astype("uint8")

        yield Row("ops.pooling._max_pool", lambda x, p=place: pooling._max_pool(x, p), apart, shapes=[(plane,)],
                  numpy=maximum, **common)  # fmt: skip
        yield Row("ops.pooling._winners", lambda x, p=place: pooling._winners(x, pooling._max_pool(x, p), p), apart,
                  shapes=[(plane,)], numpy=winner, constant=True, **common)  # fmt: skip
        yield Row("ops.pooling._chosen", lambda x, w, p=place: pooling._chosen(x, w, p), offsets(place),
                  shapes=[(plane, small)], numpy=lambda x, w, p=place: _taken(x, w, p), **common)  # fmt: skip
        yield Row("ops.pooling._returned", lambda g, w, p=place: pooling._returned(g, w, p), offsets(place),
                  shapes=[(small, small)], **common,
                  numpy=lambda g, w, p=place, s=plane: linear(g, s)(lambda unit: _taken(unit, w, p)))  # fmt: skip
        counts = ((2,), (3,))[:ndim]
        total = int(numpy.prod(counts))
        yield Row("ops.pooling._average_pool", lambda x, p=place, c=counts: pooling._average_pool(x, p, c),
                  shapes=[(plane,)], **common,
                  numpy=lambda x, p=place, a=axis, c=total: seen(x, p).sum(axis=a) / x.dtype.type(c))  # fmt: skip
        yield Row("ops.pooling._average_back", lambda g, p=place, c=counts: pooling._average_back(g, p, c),
                  shapes=[(small,)], **common,
                  numpy=lambda g, p=place, a=axis, c=total, s=plane: linear(g / g.dtype.type(c), s)(
                      lambda unit: seen(unit, p).sum(axis=a)))  # fmt: skip
    grid = window((4, 3), (2, 2), 2, 1, 1)
    yield Row("ops.pooling._places", lambda w: pooling._places(w, grid), shapes=[((2, *grid.outer),)],
              inputs=lambda rng, shapes: [numpy.asarray(rng.integers(0, 4, shapes[0]))], constant=True, large=None,
              numpy=_place)  # fmt: skip
    for n, place in enumerate([window((4, 3), (2, 2), 2, 1, 1), window((4, 4), (3, 2), 1, 1)]):
        x, columns = (2, 3, *place.inner), (2, 3 * place.size, place.positions)
        common = {"large": None, "label": str(n)}

        def unfolded(x, place=place):
            return seen(x, place).reshape(x.shape[0], x.shape[1] * place.size, place.positions)

        yield Row("ops.pooling._unfold", lambda x, p=place: pooling._unfold(x, p), shapes=[(x,)], numpy=unfolded,
                  torch=lambda torch, x, p=place: torch.nn.functional.unfold(x, p.kernel, 1, p.before, p.stride),
                  **common)  # fmt: skip
        yield Row("ops.pooling._fold", lambda c, p=place: pooling._fold(c, p), shapes=[(columns,)],
                  torch=lambda torch, c, p=place: torch.nn.functional.fold(c, p.inner, p.kernel, 1, p.before, p.stride),
                  numpy=lambda c, s=x, f=unfolded: linear(c, s)(f), **common)  # fmt: skip


ROWS: list[Row] = [*_convolutions(), *_poolings()]
