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
    try:
        return on_device(call, at)
    except NotImplementedError as error:
        pytest.skip(str(error))


def on_device(call, at):
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


def test_hessians_of_samples_of_which_one_is_at_a_corner():
    x = gg.tensor([[0.0, 0.0], [3.0, 4.0]], dtype=gg.float64)
    for f, second in ((lambda v: gg.linalg.norm(v) ** 2, 2.0), (lambda v: gg.std(v) ** 2, 0.5)):
        found = gg.vmap(gg.hessian(f))(x).numpy()
        assert numpy.isnan(found[0]).all()
        numpy.testing.assert_allclose(numpy.diag(found[1]), second)
    x = gg.tensor([0.0, 0.0, 3.0, 4.0], dtype=gg.float64)
    found = gg.hvp(lambda v: gg.linalg.norm(gg.reshape(v, (2, 2)), axis=1).sum(), (x,), (x * 0 + 1,)).numpy()
    assert numpy.isnan(found).tolist() == [True, True, False, False]


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_third_derivatives_of_determinants_of_low_rank(size, rng):
    def of_minors(m):
        n = m.shape[0]
        return m[0, 0] if n == 1 else sum((-1) ** i * m[0, i] * of_minors(gg.delete(m[1:], i, 1)) for i in range(n))

    one, other = map(gg.tensor, rng.standard_normal((2, size, size)))

    def third(f):
        return gg.grad(lambda x: (gg.grad(lambda z: (gg.grad(f)(z) * one).sum())(x) * other).sum())

    for rank in range(size + 1):
        x = gg.tensor(numpy.diag([1.0] * rank + [0.0] * (size - rank)))
        numpy.testing.assert_allclose(third(gg.linalg.det)(x).numpy(), third(of_minors)(x).numpy(), atol=1e-9)


def test_a_jacobian_product_keeps_the_convention_at_a_corner():
    zero, along = gg.zeros(2, dtype=gg.float64), gg.tensor([1.0, 2.0], dtype=gg.float64)
    for f in (gg.linalg.norm, gg.std, lambda v: gg.hypot(v[0], v[1]), lambda v: gg.atan2(v[0], v[1])):
        assert gg.jvp(f, (zero,), (along,))[1].item() == 0.0
    for m in (gg.zeros((2, 2), dtype=gg.float64), gg.eye(2, dtype=gg.float64)):
        _, values = gg.jvp(lambda x: gg.linalg.svd(x).S.sum(), (m,), (gg.eye(2, dtype=gg.float64),))
        assert values.item() == pytest.approx(2.0)
        _, matrix = gg.jvp(lambda x: (lambda u, s, vh: (u * s) @ vh)(*gg.linalg.svd(x)), (m,), (m + 1,))
        assert numpy.isnan(matrix.numpy()).all()


def test_every_differentiable_operation_has_its_corners():
    placed = {row[0] for row in (*SMOOTH, *CLOSED)} | {name for names in FAMILIES.values() for name in names.split()}
    declared = {
        name.removeprefix("gpugrad.") for name, operation in OPERATIONS.items()
        if name.startswith("gpugrad.") and "<locals>" not in name and not operation.op.constant
        and not name.startswith("gpugrad.torch.")  # an operation of the user's
    }  # fmt: skip
    assert declared - placed == set(), "add it to tests/cases/corners.py"
    assert placed - declared == set(), "an operation that is not there"
