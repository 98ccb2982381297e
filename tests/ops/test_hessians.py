"""Second derivatives at the corners of every operation's domain: see ``tests/cases/corners.py``."""

from __future__ import annotations

import mpmath
import numpy
import pytest
from cases.corners import CLOSED, FAMILIES, SMOOTH

import gpugrad as gg
from gpugrad.core import OPERATIONS

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def hessian(call, at):
    return numpy.asarray(gg.backend.to_host(gg.hessian(call)(gg.tensor(at, dtype=gg.float64)).data))


def by_mpmath(reference, at):
    n = len(at)
    with mpmath.workdps(40):
        found = numpy.zeros((n, n))
        for i in range(n):
            for j in range(i + 1):
                order = [0] * n
                order[i] += 1
                order[j] += 1
                value = mpmath.diff(reference, tuple(map(mpmath.mpf, map(float, at))), tuple(order))
                found[i, j] = found[j, i] = float(mpmath.re(value))
    return found


@pytest.mark.parametrize("name", sorted({row[0] for row in SMOOTH}))
def test_hessian_is_mpmaths(name):
    for _, call, reference, points in (row for row in SMOOTH if row[0] == name):
        for at in points:
            expected = by_mpmath(reference, at)
            scale = max(abs(expected).max(), 1e-15)
            numpy.testing.assert_allclose(
                hessian(call, at) / scale, expected / scale, rtol=2e-7, atol=1e-9, err_msg=str(at)
            )


@pytest.mark.parametrize("name", sorted({row[0] for row in CLOSED}))
def test_hessian_where_it_is_known_or_does_not_exist(name):
    with numpy.errstate(all="ignore"):
        for number, (_, call, at, expected) in enumerate(row for row in CLOSED if row[0] == name):
            expected, found = numpy.asarray(expected, float), hessian(call, at)
            none = numpy.isnan(expected)
            assert not numpy.isfinite(found[none]).any(), f"{number}, at {at}: {found}, and there is none"
            known = ~none & ~numpy.isnan(found)  # of a part that does not exist, NaN may spread
            assert none.any() or known.all() or not numpy.isfinite(at).all(), f"{number}, at {at}: {found}"
            numpy.testing.assert_allclose(found[known], expected[known], rtol=1e-12, atol=1e-12)


def test_every_differentiable_operation_has_its_corners():
    placed = {row[0] for row in (*SMOOTH, *CLOSED)} | {name for names in FAMILIES.values() for name in names.split()}
    declared = {
        name.removeprefix("gpugrad.") for name, operation in OPERATIONS.items()
        if name.startswith("gpugrad.") and "<locals>" not in name and not operation.op.constant
    }  # fmt: skip
    assert declared - placed == set(), "add it to tests/cases/corners.py"
    assert placed - declared == set(), "an operation that is not there"
