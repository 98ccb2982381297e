"""Polynomials whose coefficients the host looks at: which of them are 0 decides the shapes of the results."""

import numpy
import pytest

import gpugrad as gg

P, Q = numpy.array([2.0, -1.0, 3.0, 0.5]), numpy.array([4.0, 1.5])
PADDED = numpy.array([0.0, 0.0, 1.0, -3.0, 2.0, 0.0])


def same(found, expected):
    found, expected = (v if isinstance(v, tuple) else (v,) for v in (found, expected))
    for f, e in zip(found, expected, strict=True):
        numpy.testing.assert_allclose(f.numpy(), e, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "call",
    [
        lambda np, p, q, z: np.polymul(p, q), lambda np, p, q, z: np.polymul(z, q),
        lambda np, p, q, z: np.polydiv(p, q), lambda np, p, q, z: np.polydiv(q, p),
        lambda np, p, q, z: np.poly(p), lambda np, p, q, z: np.polyadd(p, 2.0),
        lambda np, p, q, z: np.polysub([1, 2.5, 1, 1, 1], p), lambda np, p, q, z: np.polyder(p, 5),
        lambda np, p, q, z: np.polyint(p, 2, k=1.5), lambda np, p, q, z: np.polyfit(p, p**2, 2, w=[1, 2, 0.1, 1]),
        lambda np, p, q, z: np.polyfit(z, z * 2, 1, full=True)[:1], lambda np, p, q, z: np.poly(np.outer(q, q)),
        lambda np, p, q, z: np.polyfit(p, p**2 + [0.1, 0.2, 0, 0], 1, cov=True)[1],
        lambda np, p, q, z: np.polyfit(p, np.stack([p, p**2], axis=1), 1, cov="unscaled")[1],
    ],
)  # fmt: skip
def test_values_are_numpys(call):
    tensors = [gg.tensor(v) for v in (P, Q, PADDED)]
    for namespace in (numpy, gg):
        same(call(namespace, *tensors), call(numpy, P, Q, PADDED))


def test_roots_are_numpys_in_some_order():
    for p in (P, PADDED, Q, numpy.zeros(3), numpy.array([5.0])):
        found, expected = numpy.roots(gg.tensor(p)), numpy.roots(p)
        numpy.testing.assert_allclose(numpy.sort_complex(found.numpy()), numpy.sort_complex(expected), atol=1e-12)


def test_gradients():
    p, q = (gg.tensor(v, requires_grad=True) for v in (P, Q))
    assert gg.gradcheck(lambda p, q: numpy.polymul(p, q), (p, q))
    assert gg.gradcheck(lambda p, q: gg.concat([*numpy.polydiv(p, q)]), (p, q))
    assert gg.gradcheck(lambda p: numpy.poly(p), (p,))
    assert gg.gradcheck(lambda p: gg.real(gg.sum(numpy.roots(p) ** 3)), (p,))
    assert gg.gradcheck(lambda p: numpy.polyfit(p, p * p + [0.1, 0.2, 0, 0], 1, cov=True)[1], (p,))


def test_what_is_refused():
    for call, error, text in (
        (lambda: gg.polydiv(gg.tensor(P), [0.0]), ZeroDivisionError, "the divisor is 0"),
        (lambda: gg.polyder(gg.tensor(P), -1), ValueError, "expected m >= 0, got -1"),
        (lambda: gg.polyint(gg.tensor(P), -1), ValueError, "expected m >= 0, got -1"),
        (lambda: gg.polyint(gg.tensor(P), 3, [1.0, 2.0]), ValueError, "expected one constant or 3, got 2"),
        (lambda: gg.polyadd(gg.zeros((2, 2)), 1.0), ValueError, r"expected coefficients of shape \(n,\)"),
        (lambda: gg.polyfit(gg.tensor(P), gg.zeros(3), 1), ValueError, "expected a degree >= 0 and shapes"),
        (lambda: gg.polyfit(gg.tensor(P), gg.tensor(P), 1, w=[1.0]), ValueError, r"expected weights of shape \(4,\)"),
        (lambda: gg.polyfit(gg.tensor(Q), gg.tensor(Q), 1, cov=True), ValueError, "2 points are too few"),
    ):
        with pytest.raises(error, match=text):
            call()
