"""Every row of ``tests/cases/`` jitted: values and gradients are the eager ones, for other inputs than the recorded.

Many rows are one program, which is recorded once: it takes less time, and more is fused.
"""

from __future__ import annotations

from functools import partial

import numpy
import pytest
from cases import ROWS, outputs, tensors
from cases.checks import together

import gpugrad as gg
from gpugrad.backend import llvm
from gpugrad.core import walk
from gpugrad.tracing import RecordingError

REFUSED = {
    *(f"indexing.{kind}-{i}" for kind in ("_gather", "_scatter_add") for i in (3, 4, 11)),
    *(f"indexing._gather-{n}" for n in ("compress", "extract", "intersect1d", "setdiff1d", "setxor1d", "union1d")),
    *(f"indexing._gather-unique{name} of floats" for name in ("", "_all", "_counts", "_inverse", "_values")),
    *(f"sets._unique-unique{name}" for name in ("", "_all", "_counts", "_inverse", "_values")),
    "indexing._set_at-0d True", "indexing._set_at-mask", "selection.nonzero", "sets._unique_rows",
}  # fmt: skip
"""Rows whose shapes, or those of their gradients, depend on values."""
REFUSED_ON_GPUS = {"indexing._set_at-piecewise"}
"""Rows with a constant mask of the host, which moves to a GPU as an array of the recording: refused as other masks."""
GROUPS = 12


def apart(row):
    return row.call, row.variants[0]


class Many:
    """Several rows as one function."""

    def __init__(self, rows):
        self.rows, self.parts = rows, [apart(row) for row in rows]

    def inputs(self, seed):
        return [tensors(row.inputs(numpy.random.default_rng(seed), row.shapes[0])) for row in self.rows]

    def __call__(self, given):
        return [outputs(call(*xs, **static)) for (call, static), xs in zip(self.parts, given, strict=True)]


def gradients(ys, xs):
    """Those of all inputs, by one walk from all outputs."""
    rng = numpy.random.default_rng(3)
    found = [y for row in ys for y in row]
    gs = [gg.tensor(numpy.asarray(rng.standard_normal(y.shape)), dtype=y.dtype) for y in found]
    walk([(y.node, g.data) for y, g in zip(found, gs, strict=True) if y.node is not None], retain_graph=False)
    return [[x.grad for x in row] for row in xs]


def same(ys, zs, found, wanted):
    for y, z in zip(ys, zs, strict=True):
        assert (y.dtype, y.requires_grad) == (z.dtype, z.requires_grad)
        numpy.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), 1e-10, 1e-12)
    for a, b in zip(found, wanted, strict=True):
        if a is not None or b is not None:
            zero = numpy.zeros((b if a is None else a).shape)
            numpy.testing.assert_allclose(*(zero if g is None else g.numpy() for g in (a, b)), 1e-9, 1e-11)


@pytest.mark.parametrize(
    ("group", "compiled"), [*((i, True) for i in range(GROUPS)), (0, False), (5, False), (10, False)]
)
def test_jitted_operations_are_the_eager_ones(group, compiled, device, monkeypatch):
    if not compiled:
        if not device.is_host or not llvm.wanted():
            pytest.skip("nothing is compiled here in any case")
        monkeypatch.setattr(llvm, "machine", lambda: None)
    rows = [
        r for r in ROWS if r.name not in REFUSED and (device.is_host or not (r.host_only or r.name in REFUSED_ON_GPUS))
    ]
    rows = rows[group::GROUPS]
    many = Many(rows)
    jitted = gg.jit(many)
    with numpy.errstate(all="ignore"):
        jitted(many.inputs(1))
        taken = []
        for call in (jitted, many):
            gg.random.seed(3)
            xs = many.inputs(2)
            ys = call(xs)
            taken.append((ys, gradients(ys, xs)))
    assert jitted._programs.count == 1
    together("jitted", {str(row): partial(same, *parts) for row, *parts in
                        zip(rows, taken[0][0], taken[1][0], taken[0][1], taken[1][1], strict=True)})  # fmt: skip


def test_what_depends_on_values_is_refused_with_the_way_out(device):
    rows = [row for row in ROWS if row.name in REFUSED and (device.is_host or not row.host_only)]
    assert {row.name for row in rows} == REFUSED
    if not device.is_host:
        rows += [row for row in ROWS if row.name in REFUSED_ON_GPUS]
    for row in rows:
        jitted = gg.jit(lambda *xs, row=row: outputs(row.call(*xs, **row.variants[0])))
        with pytest.raises((RecordingError, gg.GradientError), match=r"while recording \[.*:\d+: (.|\n)*gg\.where"):
            jitted(*tensors(row.inputs(numpy.random.default_rng(1), row.shapes[0])))
