"""SciPy's linear algebra: degenerate matrices, accuracy of derivatives, shapes and refusals."""

from __future__ import annotations

import numpy
import pytest
import scipy.linalg

import gpugrad as gg
from gpugrad.core.errors import GradientError

L = gg.linalg


def of(x, dtype="float64"):
    return gg.tensor(numpy.asarray(x, dtype))


def host_only(device):
    if not device.is_host:
        pytest.skip("the GPU has no such function, or does not look")


def test_expm_of_large_small_and_nilpotent_matrices(rng):
    turn = numpy.array([[0.0, -1.0], [1.0, 0.0]])
    for scale in (1e-9, 1.0, 30.0, 1e4):
        y = L.expm(of(scale * turn)).numpy()
        expected = [[numpy.cos(scale), -numpy.sin(scale)], [numpy.sin(scale), numpy.cos(scale)]]
        numpy.testing.assert_allclose(y, expected, rtol=0, atol=2e-14 * max(scale, 1))
    both = of(numpy.stack([300 * turn, 1e-3 * turn]))
    numpy.testing.assert_allclose(L.expm(both).numpy()[1], scipy.linalg.expm(1e-3 * turn), rtol=1e-14, atol=1e-16)
    x = of(rng.standard_normal((4, 4)))
    for size in (1e-8, 1.0, 1e8):  # the derivative is linear in the upstream gradient, whatever its size
        g = of(size * rng.standard_normal((4, 4)))
        (h,) = gg.vjp(L.expm, x)[1](g)
        expected = scipy.linalg.expm_frechet(x.numpy().T, g.numpy(), compute_expm=False)
        numpy.testing.assert_allclose(h.numpy(), expected, rtol=1e-9, atol=1e-9 * abs(expected).max())


def test_functions_of_matrices_on_a_gpu_say_what_to_do(device):
    if device.is_host:
        pytest.skip("SciPy has them")
    for f in (L.sqrtm, L.logm):
        with pytest.raises(NotImplementedError, match=r"CuPy has no (sqrtm|logm); compute it on the CPU, with x.to"):
            f(of(numpy.eye(2)))


def test_roots_and_logarithms_that_are_complex(device):
    host_only(device)
    x = of([[1.0, 2.0], [3.0, -4.0]])
    for f, name in ((L.sqrtm, "sqrtm"), (L.logm, "logm")):
        y = f(x)
        assert y.dtype == gg.complex128
        numpy.testing.assert_allclose(y.numpy(), getattr(scipy.linalg, name)(x.numpy()), atol=1e-12)
        assert gg.gradcheck(lambda x, f=f: gg.real(f(x)), [x])
        assert gg.gradcheck(lambda x, f=f: gg.imag(f(x)), [x])
        assert f(of([[4.0]], "float32")).dtype == gg.float32
        assert f(of([[-4.0]], "float32")).dtype == gg.complex64


@pytest.mark.filterwarnings("ignore:Matrix is singular")
def test_the_root_of_a_singular_matrix_has_no_gradient(device):
    host_only(device)
    for x in ([[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]):
        assert gg.isnan(gg.grad(lambda x: L.sqrtm(x).sum())(of(x))).any()
    g = gg.grad(lambda x: L.sqrtm(x).sum())(of(numpy.stack([numpy.eye(2), numpy.zeros((2, 2))]))).numpy()
    numpy.testing.assert_allclose(g[0], 0.5)
    assert numpy.isnan(g[1]).any()


@pytest.mark.filterwarnings("ignore:Diagonal number")
def test_the_factors_of_singular_matrices_are_scipys(device):
    x = numpy.array([[1.0, 2.0], [2.0, 4.0]])
    for ours, theirs in zip(L.lu(of(x)), scipy.linalg.lu(x), strict=True):
        numpy.testing.assert_array_equal(ours.numpy(), theirs)
    t = gg.tensor(x, requires_grad=True)
    y = L.lu_factor(t).lu.sum()
    if device.is_host:
        with pytest.raises(GradientError, match="singular"):
            y.backward()
        for solved in (lambda: L.solve_triangular(of(x), of([1.0, 1.0]), lower=True).numpy(),):
            assert numpy.isfinite(solved()).all()
        with pytest.raises(ValueError, match="singular"):
            L.solve_triangular(of([[1.0, 1.0], [0.0, 0.0]]), of([1.0, 1.0]))


@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (5, 3), (2, 3, 3)])
def test_every_form_of_lu(shape, rng):
    x = rng.standard_normal(shape)
    p, lower, upper = L.lu(of(x))
    numpy.testing.assert_allclose((p @ lower @ upper).numpy(), x, atol=1e-12)
    assert (p.numpy().sum(-1) == 1).all()
    left, same = L.lu(of(x), permute_l=True)
    numpy.testing.assert_allclose((left @ same).numpy(), x, atol=1e-12)
    places, lower, upper = L.lu(of(x), p_indices=True)
    moved = numpy.take_along_axis(lower.numpy(), places.numpy()[..., None], axis=-2)
    numpy.testing.assert_allclose(moved @ upper.numpy(), x, atol=1e-12)
    pivots = L.lu_factor(of(x)).piv
    for k in numpy.ndindex(shape[:-2]):
        numpy.testing.assert_array_equal(pivots.numpy()[k], scipy.linalg.lu_factor(x[k])[1])


def test_unused_triangles_and_corners_have_no_gradient(rng):
    a, b = of(rng.standard_normal((3, 3)) + 3 * numpy.eye(3)), of(rng.standard_normal(3))
    for lower in (False, True):
        for unit in (False, True):
            g = gg.grad(lambda a, lower=lower, unit=unit: L.solve_triangular(
                a, b, lower=lower, unit_diagonal=unit).sum())(a).numpy()  # fmt: skip
            shift = int(unit)
            assert (g == (numpy.tril(g, -shift) if lower else numpy.triu(g, shift))).all()
    ab = of(rng.standard_normal((3, 4)) + numpy.array([[0.0], [4.0], [0.0]]))
    g = gg.grad(lambda ab: L.solve_banded((1, 1), ab, gg.ones(4, dtype=gg.float64)).sum())(ab).numpy()
    assert g[0, 0] == g[2, 3] == 0
    assert (numpy.count_nonzero(g, axis=1) == [3, 4, 3]).all()


def test_a_long_band_takes_no_square_of_memory(device):
    host_only(device)
    n = 100_000
    ab = gg.stack([gg.full(n, -1.0), gg.full(n, 4.0), gg.full(n, -1.0)])
    g = gg.grad(lambda ab: L.solve_banded((1, 1), ab, gg.ones(n)).sum())(ab)
    numpy.testing.assert_allclose(g.numpy()[:, n // 2], -0.25, rtol=1e-5)


def test_vmap_runs_them_on_all_samples(rng):
    a, b = of(rng.standard_normal((5, 3, 3)) + 4 * numpy.eye(3)), of(rng.standard_normal((5, 3)))
    ab = of(rng.standard_normal((5, 3, 3)) + numpy.array([[0.0], [4.0], [0.0]]))
    cases = [
        (L.expm, (a,)),
        (lambda a, b: L.solve_triangular(a, b, lower=True, unit_diagonal=True), (a, b)),
        (lambda a, b: L.lu_solve(L.lu_factor(a), b, trans=1), (a, b)),
        (lambda a, b: L.cho_solve(L.cho_factor(a @ a.mT), b), (a, b)),
        (lambda ab, b: L.solve_banded((1, 1), ab, b), (ab, b)),
        (lambda a, q: L.solve_sylvester(a, a, q), (a, ab)),
        (lambda a, b: L.block_diag(a, b), (a, b)),
    ]
    for f, operands in cases:
        ys = gg.vmap(f)(*operands)
        gs = gg.vmap(gg.grad(lambda *xs, f=f: (f(*xs) ** 2).sum()))(*operands)
        for k in range(5):
            single = [x[k] for x in operands]
            numpy.testing.assert_allclose(ys[k].numpy(), f(*single).numpy(), rtol=1e-9, atol=1e-11)
            g = gg.grad(lambda *xs, f=f: (f(*xs) ** 2).sum())(*single)
            numpy.testing.assert_allclose(gs[k].numpy(), g.numpy(), rtol=1e-9, atol=1e-11)


def test_block_diag_of_little():
    assert L.block_diag().shape == (1, 0)
    ours = L.block_diag(of([1.0, 2.0]), 3.0, [[4.0], [5.0]])
    numpy.testing.assert_array_equal(ours.numpy(), scipy.linalg.block_diag([1.0, 2.0], 3.0, [[4.0], [5.0]]))
    assert L.block_diag(gg.zeros((2, 1, 2)), gg.zeros((2, 2))).shape == (2, 3, 4)


REFUSED = [
    (lambda: L.expm(gg.ones((2, 3))), r"expm: expected square matrices, of shape \(..., M, M\), got shape \(2, 3\)"),
    (lambda: L.lu(gg.ones(3)), "lu_factor: expected matrices"),
    (lambda: L.lu_solve(L.lu_factor(gg.eye(3)), gg.ones(2)), "lu_solve: expected factors of square matrices"),
    (lambda: L.lu_solve(L.lu_factor(gg.eye(3)), gg.ones(3), trans=3), "lu_solve: expected trans 0, 1 or 2, got 3"),
    (lambda: L.solve_triangular(gg.eye(3), gg.ones(3), trans="H"), "solve_triangular: expected trans 0, 1, 2"),
    (lambda: L.solve_triangular(gg.eye(3), gg.ones(2)), "solve_triangular: expected square matrices and b of as many"),
    (lambda: L.solve_banded((1, 1), gg.ones((2, 3)), gg.ones(3)), "solve_banded: expected ab of shape"),
    (lambda: L.solve_sylvester(gg.eye(2), gg.eye(3), gg.eye(2)), "solve_sylvester: expected q of shape"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
