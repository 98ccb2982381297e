"""Every transform inside every other, over the table of operations (``tests/cases/``).

The inner transform alone is trusted, because other tests hold it. An outer ``vmap`` is compared with a loop, an outer
derivative with differences, and an outer ``checkpoint`` with the inner transform. The samples of a ``vmap`` are of all
arguments, or of some of them while the others come from outside.

Each pair runs on some of the rows, and all pairs together on each row. With ``GPUGRAD_EVERY_NESTING=1`` each pair runs
on every row, which takes half an hour; ``-rP`` then shows how many are right and how many are refused.
"""

from __future__ import annotations

import itertools
import os

import numpy
import pytest
from cases import ROWS, outputs

import gpugrad as gg
from gpugrad.transforms.tree import flatten

pytestmark = pytest.mark.any_device

EVERY = os.environ.get("GPUGRAD_EVERY_NESTING") == "1"
NAMES = ("grad", "jvp", "vmap", "jacobian", "hessian", "checkpoint")
DERIVATIVES = {"grad", "jvp", "jacobian", "hessian"}
SLOW = "ops.incomplete"
"""Operations whose second derivatives take long."""
REFUSALS = ("result depends on values",)
"""What an error may say. Anything else is a failure."""


@pytest.fixture(autouse=True)
def quiet():
    """On the CPU in any run: rows make arrays of their own on the default device."""
    with numpy.errstate(all="ignore"), gg.default_device("cpu"):
        yield


class Case:
    """A row as a function of arrays with a flat, real result; all its inputs, and other samples of them."""

    def __init__(self, row, shapes, static):
        self.call = lambda *xs: row.call(*xs, **static)
        draws = [row.inputs(numpy.random.default_rng(seed), shapes) for seed in range(5)]
        # elements of different samples meet: a little apart, they are not equal
        self.samples = [[a + 0.0037 * k if a.dtype.kind == "f" else a for a in drawn] for k, drawn in enumerate(draws)]
        self.inputs = [gg.tensor(a, device="cpu") for a in self.samples[0]]
        self.floating = [i for i, x in enumerate(self.inputs) if x.dtype.kind == "f"]
        self.sizes = [self.inputs[i].size for i in self.floating]

    def f(self, *xs):
        """The elements of the results, or some sums of them where there are many."""
        y = flat(outputs(self.call(*xs)))
        return y if y.size <= 12 else gg.tensor(numpy.cos(numpy.arange(5.0 * y.size)).reshape(5, -1), device="cpu") @ y

    def chosen(self, xs):
        return [xs[i] for i in self.floating]

    def by_floating(self, h, xs):
        """``h`` as a function of the floating-point inputs alone."""

        def of_floating(*chosen):
            given = list(xs)
            for i, x in zip(self.floating, chosen, strict=True):
                given[i] = x
            return h(*given)

        return of_floating

    @property
    def tangents(self):
        return [gg.cos(gg.astype(gg.arange(x.size), gg.float64) + k).reshape(x.shape)
                for k, x in enumerate(self.chosen(self.inputs))]  # fmt: skip


def flat(values):
    """All elements of some results in a row, of a complex one both parts."""
    parts = []
    for y in flatten(list(values))[0]:
        parts += [gg.real(y), gg.imag(y)] if y.dtype.kind == "c" else [y]
    return gg.concat([part.astype(gg.float64).reshape(-1) for part in parts])


def weighted(y):
    return (y * gg.tensor(numpy.linspace(0.5, 1.5, y.size), device="cpu")).sum()


def transformed(case, name, h, size, places, first):
    """A transform of ``h``, again with a flat result.

    Args:
        size: the number of samples of a ``vmap``: the given one, and others of the case from ``first`` on.
        places: the inputs that it maps.
    """
    numbers = tuple(range(len(case.floating)))

    def mapped(*xs):
        stacks = [gg.stack([xs[i], *(gg.tensor(case.samples[first + k][i], device="cpu") for k in range(size - 1))])
                  for i in places]  # fmt: skip

        def one(*chosen):
            given = list(xs)
            for i, x in zip(places, chosen, strict=True):
                given[i] = x
            return h(*given)

        return gg.vmap(one)(*stacks).reshape(-1)

    def run(*xs):
        of_floating, chosen = case.by_floating(h, xs), case.chosen(xs)
        scalar = lambda *chosen: weighted(of_floating(*chosen))
        if name == "grad":
            return flat(gg.grad(scalar, numbers)(*chosen))
        if name == "jvp":
            return gg.jvp(of_floating, chosen, case.tangents)[1]
        if name == "jacobian":
            return flat(gg.jacobian(of_floating, numbers)(*chosen))
        return flat(gg.hessian(scalar, numbers)(*chosen))

    return {"vmap": mapped, "checkpoint": gg.checkpoint(h)}.get(name, run)


def looped(case, h, size, places, first):
    results = []
    for k in range(size):
        sample = case.samples[first + k - 1] if k else None
        given = [gg.tensor(sample[i], device="cpu") if k and i in places else x for i, x in enumerate(case.inputs)]
        results.append(h(*given).numpy())
    return numpy.concatenate(results)


def differences(case, h):
    """The Jacobian of ``h`` by all floating-point inputs, column by column."""
    columns = []
    for i in case.floating:
        for place in range(case.inputs[i].size):
            ends = []
            for step in (1e-6, -1e-6):
                moved = case.inputs[i].numpy()
                moved.reshape(-1)[place] += step
                given = [gg.tensor(moved, device="cpu") if k == i else x for k, x in enumerate(case.inputs)]
                ends.append(h(*given).numpy())
            columns.append((ends[0] - ends[1]) / 2e-6)
    return numpy.stack(columns, axis=1)


def expected(case, name, h, *of_vmap):
    if name == "vmap":
        return looped(case, h, *of_vmap)
    if name == "checkpoint":
        return h(*case.inputs).numpy()
    ends = numpy.cumsum([0, *case.sizes])
    blocks = [slice(*pair) for pair in itertools.pairwise(ends)]
    if name == "hessian":
        matrix = differences(case, transformed(case, "grad", h, *of_vmap))
        return numpy.concatenate([matrix[a, b].reshape(-1) for a in blocks for b in blocks])
    matrix = differences(case, h)
    if name == "grad":
        return numpy.linspace(0.5, 1.5, matrix.shape[0]) @ matrix
    if name == "jvp":
        return matrix @ flat(case.tangents).numpy()
    return numpy.concatenate([matrix[:, block].reshape(-1) for block in blocks])


def instances():
    """One for each row: shapes that are not empty, but small, and one of its variants."""
    for number, row in enumerate(ROWS):
        size = lambda shapes: sum(int(numpy.prod(s)) for s in shapes)
        full = [shapes for shapes in row.shapes if all(numpy.prod(s) > 0 for s in shapes)]
        if full:
            small = [shapes for shapes in full if size(shapes) <= 14]
            shapes = max(small, key=size) if small else min(full, key=size)
            yield row, shapes, row.variants[number % len(row.variants)]


ALL = list(instances())


@pytest.mark.parametrize("inner", NAMES)
@pytest.mark.parametrize("outer", NAMES)
def test_right_or_refused(outer, inner, device):
    pair = NAMES.index(outer) * len(NAMES) + NAMES.index(inner)
    sizes = [(3, 3), (1, 1), (3, 1)] if outer == inner == "vmap" else [(3, 3), (1, 1)]
    right, refused, wrong = 0, [], []
    for number, (row, shapes, static) in enumerate(ALL):
        if not EVERY and number % (len(NAMES) ** 2) != (pair * 5 + number // 36) % 36:
            continue
        if row.host_only and not device.is_host:
            continue
        case = Case(row, shapes, static)
        if {outer, inner} & DERIVATIVES and (row.constant or not case.floating):
            continue
        if not EVERY and {outer, inner} <= DERIVATIVES and (sum(case.sizes) > 14 or row.operation.startswith(SLOW)):
            continue
        everything = range(len(shapes))
        some = [everything, *([[0], everything[1:]] if len(shapes) > 1 else [])]
        for k, (of_outer, of_inner) in enumerate(sizes if "vmap" in (outer, inner) else [(1, 1)]):
            at_outer, at_inner = some[(number + k) % len(some)], some[(number + 2 * k + 1) % len(some)]
            h = transformed(case, inner, case.f, of_inner, at_inner, 3)
            where = (str(row), shapes, static, (of_outer, [*at_outer]), (of_inner, [*at_inner]))
            try:
                found = transformed(case, outer, h, of_outer, at_outer, 1)(*case.inputs).numpy()
            except (TypeError, ValueError, gg.GradientError) as error:
                refused.append((str(error), where))
                continue
            want = expected(case, outer, h, of_outer, at_outer, 1)
            scale = max(1.0, abs(want[numpy.isfinite(want)]).max(initial=0))
            if found.shape == want.shape and numpy.allclose(found, want, rtol=1e-4, atol=1e-5 * scale, equal_nan=True):
                right += 1
            else:
                wrong.append((where, found, want))
    print(f"{outer} of {inner}: {right} right, {len(refused)} refused")
    assert not wrong
    assert [error for error in refused if not any(text in error[0] for text in REFUSALS)] == []
    assert right
