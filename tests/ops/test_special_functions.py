"""Special functions where they are hard: derivatives at and near 0, in tails, by shape parameters; refusals.

Numbers without another source are mpmath's, with 40 digits.
"""

from __future__ import annotations

import numpy
import pytest
import scipy.special

import gpugrad as gg
from gpugrad.core.errors import GradientError

S = gg.special


def at(x):
    return gg.tensor(numpy.float64(x))


DERIVATIVES = [
    ("j0", S.j0, 0.0, [1, 0, -1 / 2, 0, 3 / 8, 0]),
    ("j1", S.j1, 0.0, [0, 1 / 2, 0, -3 / 8, 0, 5 / 16]),
    ("i0", S.i0, 0.0, [1, 0, 1 / 2, 0, 3 / 8, 0]),
    ("i1", S.i1, 0.0, [0, 1 / 2, 0, 3 / 8, 0, 5 / 16]),
    ("jv", lambda x: S.jv(2, x), 0.0, [0, 0, 1 / 4, 0, -1 / 4]),
    ("iv", lambda x: S.iv(2, x), 0.0, [0, 0, 1 / 4, 0, 1 / 4]),
    ("rgamma", S.rgamma, -3.0, [0, -6, 15.073412021181606]),
    ("rgamma", S.rgamma, 0.0, [0, 1, 1.1544313298030657]),
    ("j1", S.j1, 1e-3, [4.9999993750000261e-4, 0.49999981250001302, -3.7499994791666895e-4, -0.37499984375001139]),
    ("i1", S.i1, 1e-5, [5.0000000000625004e-6, 0.50000000001875, 3.7500000000520836e-6, 0.375000000015625]),
    ("erfcx", S.erfcx, 1e6, [5.6418958354747419e-7, -5.6418958354691e-13, 1.1283791670921274e-18]),
    ("erfcx", S.erfcx, -3.0, [16205.988853999587, -97237.061503164615]),
    ("i0e", S.i0e, 1e3, [0.012617240455891257, -6.3101989626271155e-6]),
]


@pytest.mark.parametrize(("name", "f", "x", "expected"), DERIVATIVES)
def test_derivatives_at_hard_points(name, f, x, expected):
    for k, e in enumerate(expected):
        numpy.testing.assert_allclose(f(at(x)).numpy(), e, rtol=1e-9, atol=1e-30, err_msg=f"{name}, order {k}")
        f = gg.grad(f)


BY_SHAPE = [
    (S.gammainc, (0.01, 1e-8), 0, -14.939901911588275),
    (S.gammainc, (0.01, 0.5), 0, -0.56554591171525777),
    (S.gammainc, (2.5, 0.01), 0, -1.7056647497778207e-5),
    (S.gammainc, (20.0, 60.0), 0, -7.2867872622103387e-10),
    (S.gammaincc, (300.0, 330.0), 0, 0.0053774997524592473),
    (S.gammainc, (1e4, 9.9e3), 0, -0.0024237533683262445),
    (S.gammainc, (2.0, 0.0), 0, 0.0),
    (S.gammainc, (1.0, 0.0), 1, 1.0),
    (S.betainc, (0.05, 80.0, 1e-6), 0, -5.7291300492085983),
    (S.betainc, (0.05, 0.05, 0.3), 1, 4.8290198841754523),
    (S.betainc, (50.0, 0.05, 0.999999), 1, 5.8912805255072814),
    (S.betainc, (50.0, 80.0, 0.9), 0, -6.0163300166860514e-47),
    (S.betainc, (3.0, 4.0, 0.4), 1, 0.13290060352830405),
    (S.betainc, (1.0, 1.0, 1.0), 2, 1.0),
]


@pytest.mark.parametrize(("f", "arguments", "which", "expected"), BY_SHAPE)
def test_incomplete_functions_by_each_parameter(f, arguments, which, expected):
    for dtype, tolerance in ((gg.float64, 1e-9), (gg.float32, 1e-3)):
        if dtype == gg.float32 and 0 < abs(expected) < 1e-30:
            continue
        xs = [gg.tensor(x, dtype=dtype) for x in arguments]
        g = gg.grad(f, argnums=which)(*xs)
        assert g.dtype == dtype
        numpy.testing.assert_allclose(g.numpy(), expected, rtol=tolerance)


def test_numbers_stand_beside_variables_in_every_place():
    for f, numbers in ((S.gammainc, [2.0, 0.7]), (S.betainc, [2.0, 3, 0.3]), (S.beta, [2, 0.7]), (S.gammaincc, [2, 1])):
        for k in range(len(numbers)):
            g = gg.grad(lambda t, f=f, k=k, n=numbers: f(*n[:k], t, *n[k + 1 :]))(at(numbers[k]))
            h = 1e-6
            up, down = (f(*numbers[:k], at(numbers[k] + d), *numbers[k + 1 :]).numpy() for d in (h, -h))
            numpy.testing.assert_allclose(g.numpy(), (up - down) / (2 * h), rtol=1e-6)


@pytest.mark.parametrize("name", ["jv", "yv", "iv", "ive", "kv", "kve", "yn"])
def test_the_order_of_a_bessel_function_has_no_gradient(name, device):
    if not device.is_host and name != "yn":
        pytest.skip("on a GPU the order is a Python integer")
    f, order = getattr(S, name), gg.tensor(2.0, requires_grad=True)
    with pytest.raises(GradientError, match=rf"{name} has no gradient with respect to '[vn]': .* pass [vn].detach"):
        f(order, at(1.0))
    numpy.testing.assert_allclose(
        f(order.detach(), at(1.0)).numpy(), getattr(scipy.special, name)(2.0, 1.0), rtol=1e-14
    )


def test_complex_arguments_are_those_of_scipy():
    z = gg.tensor(numpy.array([1.5 + 0.7j, -0.3 + 2j, 0.4 - 1j]))
    for name in ("jv", "yv", "iv", "ive", "kv", "kve"):
        if z.device.is_host:
            assert gg.gradcheck(lambda z, name=name: getattr(S, name)(0.5, z), [z])
        else:
            with pytest.raises(NotImplementedError, match="real"):
                getattr(S, name)(1, z)


def test_orders_on_a_gpu(device):
    """Integers are composed of what CuPy has, and agree with SciPy; others are refused."""
    if device.is_host:
        pytest.skip("SciPy has all orders")
    x = numpy.array([0.01, 0.3, 2.0, 6.0, 20.0, 90.0])
    for name in ("jv", "yv", "iv", "ive", "kv", "kve"):
        for n in (0, 1, 2, 5, 8, -3):
            numpy.testing.assert_allclose(
                getattr(S, name)(n, gg.tensor(x)).numpy(), getattr(scipy.special, name)(n, x), rtol=1e-10, atol=1e-14
            )
        with pytest.raises(NotImplementedError, match=rf"{name}: CuPy has no such function.*compute on the CPU"):
            getattr(S, name)(0.5, gg.tensor(x))


def test_multigammaln_refuses_what_scipy_refuses():
    with pytest.raises(ValueError, match="d-1"):
        S.multigammaln(gg.tensor([0.5, 2.0]), 2)
    for d in (0, 1.5):
        with pytest.raises(ValueError, match="positive integer"):
            S.multigammaln(gg.tensor([2.0]), d)
