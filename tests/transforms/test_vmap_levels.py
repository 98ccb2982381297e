"""Nested vmaps: each operand, and each array in an index, is of the outer one, of the inner one, of both or of none."""

from __future__ import annotations

import itertools

import numpy
import pytest

import gpugrad as gg
from gpugrad.nn import functional as F

SIZES = [(3, 3), (1, 1), (1, 3), (2, 1)]
"""Samples of the outer and of the inner one; where they are equal, or one is 1, a mix-up raises nothing."""


def written(x, index, value):
    y = x * 1
    y[index] = value
    return y


FUNCTIONS = {
    "getitem": lambda x, i, j: x[i],
    "two arrays": lambda x, i, j: x[i, j],
    "beside a slice": lambda x, i, j: x[1:, j],
    "beside an integer": lambda x, i, j: x[2, i],
    "beside None": lambda x, i, j: x[i, None, j],
    "beside a constant array": lambda x, i, j: x[gg.tensor([2, 0]), j],
    "of vectors": lambda x, i, j: x[gg.stack([i, j])],
    "a mask of the shape": lambda x, i, j: gg.where(gg.arange(3) == i, x, 0.0),
    "write": lambda x, i, j: written(x, (i, j), x[j, i] * 2),
    "write a row": lambda x, i, j: written(x, i, x[j] * 2),
    "write a number": lambda x, i, j: written(x, (slice(None), j), 0.5),
    "write beside a constant array": lambda x, i, j: written(x, (gg.tensor([0, 2]), j), x[i, :2]),
    "write twice": lambda x, i, j: written(x, gg.stack([i, i, j]), x * x),
    "write at a mask": lambda x, i, j: written(x, x > x[j, i], x[j, j]),
    "write rows at a mask": lambda x, i, j: written(x, gg.arange(3) <= i, x[j]),
    "write beside a mask": lambda x, i, j: written(x, (gg.arange(3) <= i, slice(1, None)), 0.5) * x[j],
    "take": lambda x, i, j: gg.take(x, gg.stack([i, j]), axis=1),
    "take of all": lambda x, i, j: gg.take(x, i + j),
    "take_along_axis": lambda x, i, j: gg.take_along_axis(x, gg.reshape(gg.stack([i, j, i]), (3, 1)), axis=1),
    "put_along_axis": lambda x, i, j: gg.put_along_axis(x, gg.reshape(gg.stack([i, j, i]), (3, 1)), x[:, :1], axis=1),
    "sort by": lambda x, i, j: x[gg.argsort(x[i] * (1 + j))],
    "topk": lambda x, i, j: gg.topk(x[i], 2).values * x[j, 0],
    "embedding": lambda x, i, j: F.embedding(gg.stack([i, j, j]), x),
    "embedding_bag": lambda x, i, j: F.embedding_bag(gg.reshape(gg.stack([i, j, j, i]), (2, 2)), x),
    "one_hot": lambda x, i, j: x @ F.one_hot(i, 3).astype(x.dtype) + j,
    "cross_entropy": lambda x, i, j: F.cross_entropy(x, gg.stack([i, j, i])),
    "nll_loss": lambda x, i, j: F.nll_loss(x, gg.stack([j, j, i])),
    "multi_margin_loss": lambda x, i, j: F.multi_margin_loss(x, gg.stack([j, j, i])),
    "choose": lambda x, i, j: gg.choose(gg.stack([i, j, i]), x),
    "quantile": lambda x, i, j: gg.quantile(x, (i + j) / 5, axis=0),
    "nanquantile": lambda x, i, j: gg.nanquantile(x, gg.stack([i, j]) / 3),
    "searchsorted": lambda x, i, j: gg.searchsorted(gg.sort(x[i]), x[j]),
    "interp": lambda x, i, j: gg.interp(x[i], gg.sort(x[0]), x[j]),
    "matmul": lambda x, i, j: x[i] @ x * x[j, j],
    "solve": lambda x, i, j: gg.linalg.solve(x + 5 * gg.eye(3, dtype=x.dtype), x[i]) + j,
    "concat": lambda x, i, j: gg.concat([x[i], gg.stack([x[j, 0], x[0, j]])]),
}  # fmt: skip
LEVELS = [*itertools.product(("outer", "inner", "both", "none"), repeat=2)]
"""Of x, and of i. The other index, j, is of the other one of the two."""


def draw(rng, levels, sizes, make):
    """An array with the axes of the levels that it is of, and their in_axes."""
    outer, inner = levels in ("outer", "both"), levels in ("inner", "both")
    shape = (*sizes[:1] * outer, *sizes[1:] * inner)
    return gg.tensor(make(rng, shape)), (0 if outer else None, 0 if inner else None)


def real(rng, shape):
    return rng.permutation(numpy.arange(9.0 * max(1, numpy.prod(shape, dtype=int)))).reshape(*shape, 3, 3) / 10


def index(rng, shape):
    return (numpy.indices(shape).sum(axis=0) + rng.integers(3)) % 3  # neighbours differ


def nested(g, operands, places):
    """``g`` in two vmaps. What the inner one does not map, it finds outside: as an argument it would be lifted."""

    def mapped(level, given, last):
        own = [k for k, at in enumerate(places) if at[level] == 0]

        def run(*chosen):
            held = list(given)
            for k, value in zip(own, chosen, strict=True):
                held[k] = value
            return last(held)

        return gg.vmap(run)(*(given[k] for k in own))

    return mapped(0, operands, lambda held: mapped(1, held, lambda inside: g(*inside)))


def gradient(f):
    return lambda x, i, j: gg.grad(lambda x: gg.sin(f(x, i, j)).sum())(x)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_sample_of_both(name, rng):
    f = FUNCTIONS[name]
    constant = name == "searchsorted"
    number = [*FUNCTIONS].index(name)
    cases = [(SIZES[0], levels) for levels in LEVELS]
    cases += [(sizes, levels) for sizes in SIZES[1:] for levels in LEVELS[number % 4 :: 4]]
    for sizes, (of_x, of_i) in cases:
        of_j = "inner" if of_i == "outer" else "outer"
        if not {"outer", "both"} & {of_x, of_i, of_j} or not {"inner", "both"} & {of_x, of_i, of_j}:
            continue
        (x, at_x), (i, at_i), (j, at_j) = (
            draw(rng, levels, sizes, make) for levels, make in ((of_x, real), (of_i, index), (of_j, index))
        )
        for g in (f,) if constant else (f, gradient(f)):
            found = nested(g, [x, i, j], [at_x, at_i, at_j])
            for o, n in {(0, sizes[1] - 1), (sizes[0] - 1, 0)}:
                arguments = (_chosen(v, at, o, n) for v, at in ((x, at_x), (i, at_i), (j, at_j)))
                numpy.testing.assert_allclose(found[o, n].numpy(), g(*arguments).numpy(), rtol=1e-9, atol=1e-12)


def _chosen(value, at, outer, inner):
    return value[(outer,) * (at[0] == 0) + (inner,) * (at[1] == 0)]


def test_jacobians_of_what_picks_by_value(rng):
    """The walks back are mapped too, more of them than there are samples, or as many."""
    functions = [
        gg.sort, lambda v: gg.topk(v, 9).values, gg.cumprod, lambda v: gg.partition(v, 3),
        lambda v: gg.quantile(v, v[:9]),
        lambda v: v[gg.argmin(v) + gg.arange(12) // 12] * v, lambda v: written(v, gg.argmax(v), v[0]),
        lambda v: gg.take(v, gg.argsort(v)[:9]) * v[1], lambda v: gg.interp(v, gg.sort(v), v * v),
        lambda v: written(v, slice(1, -1), v[2:] * v[:-2]), lambda v: written(v, 0, v[1] * v[2]),
    ]  # fmt: skip
    for count in (1, 3, 12):
        x = gg.tensor(rng.permuted(numpy.linspace(0.05, 0.95, 12 * count)).reshape(count, 12))
        for f in functions:
            for transform in (gg.jacobian, lambda f: gg.jacobian(gg.grad(lambda v: gg.sin(f(v)).sum()))):
                found = gg.vmap(transform(f))(x)
                for k in range(count):
                    numpy.testing.assert_allclose(found[k].numpy(), transform(f)(x[k]).numpy(), rtol=1e-9, atol=1e-11)
