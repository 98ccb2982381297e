"""Inputs for the rows: float64 arrays of given shapes in a domain, and the shapes themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy

Arrays = list[numpy.ndarray]
Domain = Callable[[numpy.random.Generator, Sequence[tuple[int, ...]]], Arrays]

# ---------------------------------------------------------------- domains: float64 inputs of given shapes


def real(rng, shapes):
    return [numpy.asarray(rng.standard_normal(s)) for s in shapes]


def complex_(rng, shapes):
    return [numpy.asarray(rng.standard_normal(s) + 1j * rng.standard_normal(s)) for s in shapes]


def turned(domain):
    """A domain with imaginary parts: what was positive is right of 0, away from the branch cuts of most functions."""

    def draw(rng, shapes):
        arrays = domain(rng, shapes)
        turned = [a + 1j * rng.uniform(-1.0, 1.0, a.shape) if a.dtype.kind == "f" else a for a in arrays]
        return [numpy.asarray(a) for a in turned]

    return draw


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
