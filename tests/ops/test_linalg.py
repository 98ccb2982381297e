"""Linear algebra at its corners: equal eigenvalues, singular matrices, norms of nothing, wrong shapes."""

from __future__ import annotations

from math import inf, nan

import numpy
import pytest

import gpugrad as gg
from gpugrad.ops import powers

L = gg.linalg
ORDERS = [2, 1, 3, 1.5, 0.5, inf, -inf]
MATRIX_ORDERS = ["fro", "nuc", 1, -1, 2, -2, inf, -inf]


def variable(values, dtype=gg.float64):
    return gg.tensor(numpy.asarray(values), dtype=dtype, requires_grad=True)


def constant(values, dtype=gg.float64):
    return gg.tensor(numpy.asarray(values), dtype=dtype)


def near(t, expected, tolerance=1e-12):
    numpy.testing.assert_allclose(t.numpy(), expected, rtol=tolerance, atol=tolerance)


def turned(values, seed=0):
    """A symmetric matrix with these eigenvalues."""
    q, _ = numpy.linalg.qr(numpy.random.default_rng(seed).standard_normal((len(values), len(values))))
    return q @ numpy.diag(values) @ q.T


def hermitian(x):
    return (x + (gg.conj(x.mT) if x.dtype.kind == "c" else x.mT)) / 2


# -------------------------------------------------------------------- equal eigenvalues and singular values


@pytest.mark.parametrize("matrix", [numpy.eye(3), numpy.diag([2.0, 2.0, 5.0]), turned([1.0, 1.0, 4.0])])
@pytest.mark.parametrize("values", [L.eigvalsh, lambda x: L.eigh(x).eigenvalues], ids=["eigvalsh", "eigh"])
def test_functions_that_treat_equal_eigenvalues_alike_have_their_gradient(matrix, values):
    x = variable(matrix)
    (values(x) ** 3).sum().backward()
    near(x.grad, 3 * matrix @ matrix)


@pytest.mark.parametrize("values", [L.svdvals, lambda x: L.svd(x).S], ids=["svdvals", "svd"])
def test_functions_that_treat_equal_singular_values_alike_have_their_gradient(values):
    for matrix in (numpy.eye(3), numpy.eye(4)[:, :2], turned([1.0, -1.0]), numpy.zeros((2, 3))):
        x = variable(matrix)
        (values(x) ** 2).sum().backward()
        near(x.grad, 2 * matrix)


def test_vectors_of_equal_values_have_no_gradient_and_say_so():
    batch = constant(numpy.stack([numpy.eye(2), numpy.diag([1.0, 2.0])])).requires_grad_()
    (L.eigh(batch).eigenvectors ** 2)[:, 0, 0].sum().backward()
    assert numpy.isnan(batch.grad.numpy()[0]).all()
    assert numpy.isfinite(batch.grad.numpy()[1]).all(), "each matrix for itself"
    for f in (lambda x: L.svd(x).U, lambda x: L.svd(x).Vh, lambda x: L.eig(x).eigenvectors):
        x = variable(numpy.eye(2))
        gg.abs(f(x))[0, 0].backward()
        assert numpy.isnan(x.grad.numpy()).any()
    x = variable(numpy.diag([3.0, 0.0])[:, :1] * 0)
    (L.svd(x, full_matrices=False).U ** 2)[0, 0].backward()
    assert numpy.isnan(x.grad.numpy()).any(), "the vector of a singular value of 0 in a tall matrix"


def test_rules_are_linear_in_the_gradient_where_it_is_0():
    """At a minimum the gradient of the vectors is 0, and the second derivative is not."""
    x = turned([1.0, 2.0, 4.0])
    at = L.eigh(constant(x)).eigenvectors.numpy() ** 2

    def distance(x):
        return ((L.eigh(hermitian(x)).eigenvectors ** 2 - constant(at)) ** 2).sum()

    near(gg.grad(distance)(constant(x)), 0)
    assert gg.gradgradcheck(distance, constant(x))
    assert abs(gg.hvp(distance, (constant(x),), (constant(turned([1.0, 0.0, 0.0], 1)),)).numpy()).max() > 1e-3


def test_a_function_of_a_symmetric_matrix_by_its_eigenvalues():
    def root(x):
        w, v = L.eigh(hermitian(x))
        return (v * gg.sqrt(w)) @ v.mT

    x = constant(turned([1.0, 2.0, 4.0]))
    near(root(x) @ root(x), x.numpy())
    assert gg.gradcheck(root, x)
    assert gg.gradgradcheck(root, x)


# -------------------------------------------------------------------- singular matrices


@pytest.mark.parametrize("kind", ["float64", "complex128"])
@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_the_determinant_has_all_its_derivatives_whatever_the_rank(rank, kind, rng):
    a, b = (rng.standard_normal((4, rank)) + (1j * rng.standard_normal((4, rank)) if kind[0] == "c" else 0)
            for _ in range(2))  # fmt: skip
    x = gg.tensor(numpy.asarray(a @ b.T, kind))
    assert gg.gradcheck(L.det, x)
    assert gg.gradgradcheck(L.det, x)
    assert gg.gradgradcheck(L.det, gg.tensor(numpy.eye(4, dtype=kind))), "equal singular values"


def test_the_gradient_of_a_singular_determinant_is_its_cofactors():
    x = variable([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])
    L.det(x).backward()
    near(x.grad, [[-3, 6, -3], [6, -12, 6], [-3, 6, -3]])


@pytest.mark.parametrize("call", [L.inv, lambda a: L.solve(a, gg.ones_like(a)), lambda a: L.matrix_power(a, -2),
                                  lambda a: L.solve_triangular(a, gg.ones_like(a)),
                                  lambda a: L.tensorinv(a, ind=1)])  # fmt: skip
def test_a_singular_matrix_raises_on_the_cpu_and_is_not_looked_at_on_a_gpu(call, device):
    a = constant(numpy.zeros((2, 2)))
    if device.is_host:
        with pytest.raises(
            ValueError, match=r"(inv|solve|solve_triangular): [Ss]ingular matrix.* \[operands: float64 \(2, 2\) on cpu"
        ):
            call(a)
    else:
        assert not numpy.isfinite(call(a).numpy()).any()


def test_a_matrix_that_is_not_positive_definite(device):
    if device.is_host:
        with pytest.raises(ValueError, match="cholesky: Matrix is not positive definite"):
            L.cholesky(constant([[1.0, 2.0], [2.0, 1.0]]))


def test_the_logarithm_of_0(device):
    x = variable([[1.0, 2.0], [2.0, 4.0]])
    sign, logarithm = L.slogdet(x)
    assert (sign.item(), logarithm.item()) == (0, -inf)
    if device.is_host:
        with pytest.raises(gg.GradientError, match=r"rule of slogdet failed: .*Singular matrix"):
            logarithm.backward()


def test_pinv_and_lstsq_of_a_matrix_that_has_not_full_rank(rng):
    a = rng.standard_normal((4, 2)) @ rng.standard_normal((2, 3))
    b = rng.standard_normal((4, 2))
    found, expected = L.lstsq(constant(a), constant(b)), numpy.linalg.lstsq(a, b)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.shape == numpy.shape(theirs)
        near(ours, theirs, 1e-9)
    near(L.pinv(constant(a)) @ constant(b), expected[0], 1e-9)
    x, y = variable(a), variable(b)
    (L.lstsq(x, y).x * constant(b[:3])).sum().backward()
    u, v = variable(a), variable(b)
    ((L.pinv(u) @ v) * constant(b[:3])).sum().backward()
    near(x.grad, u.grad.numpy(), 1e-9)
    near(y.grad, v.grad.numpy(), 1e-9)


def test_lstsq_gives_the_rank_as_a_constant():
    result = L.lstsq(variable([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]]), variable([1.0, 1.0, 1.0]))
    assert result.x.requires_grad
    assert not result.rank.requires_grad
    assert result.s.requires_grad
    assert (result.residuals.shape, int(result.rank)) == ((1,), 2)


# -------------------------------------------------------------------- norms


@pytest.mark.parametrize("order", ORDERS)
def test_the_gradient_of_a_vector_norm_at_0_is_0(order):
    x = variable(numpy.zeros((2, 3)))
    L.vector_norm(x, ord=order, axis=1).sum().backward()
    near(x.grad, 0)
    y = variable([[0.0, 3.0, 4.0]])
    L.vector_norm(y, ord=order).backward()
    assert numpy.isfinite(y.grad.numpy()).all()


@pytest.mark.parametrize("order", MATRIX_ORDERS)
def test_the_gradient_of_a_matrix_norm_at_0_is_0(order):
    x = variable(numpy.zeros((2, 3)))
    L.matrix_norm(x, ord=order).backward()
    near(x.grad, 0)


def test_the_largest_share_the_gradient():
    x = variable([3.0, -3.0, 1.0])
    L.vector_norm(x, ord=inf).backward()
    near(x.grad, [0.5, -0.5, 0])


def test_gradients_of_norms_do_not_overflow():
    for order in (3, 40, 1.5):
        x = variable([1e100, 2e100])
        y = L.vector_norm(x / 1e100, ord=order)
        y.backward()
        near(x.grad * 1e100, L.vector_norm(constant([1.0, 2.0]), ord=order).numpy() ** (1 - order)
             * numpy.array([1.0, 2.0]) ** (order - 1))  # fmt: skip
    x = variable([1e-200, 2e-200])
    x.grad = None
    L.vector_norm(x * 1e200).backward()
    assert numpy.isfinite(x.grad.numpy()).all()


@pytest.mark.parametrize("order", [2, 1, 3, inf, 0])
def test_norms_of_nothing_and_of_numbers(order):
    assert float(L.vector_norm(gg.zeros(0), ord=order)) == 0
    assert L.vector_norm(gg.zeros((2, 0)), axis=1, ord=order).numpy().tolist() == [0, 0]
    assert float(L.vector_norm(gg.tensor(-3.0), ord=order)) == (1 if order == 0 else 3)


def test_norms_of_integers_are_float64():
    assert L.vector_norm(gg.tensor([3, 4])).dtype == gg.float64
    assert L.matrix_norm(gg.tensor([[3, 4]]), ord=1).dtype == gg.float64


@pytest.mark.parametrize("order", ["fro", "nuc", 2, 1, inf])
def test_matrix_norms_of_nothing(order):
    near(L.matrix_norm(gg.zeros((2, 0, 3)), ord=order), [0, 0])
    near(L.matrix_norm(gg.zeros((2, 3, 0)), ord=order, keepdims=True), [[[0]], [[0]]])


def test_the_smallest_of_nothing():
    with pytest.raises(ValueError, match="min"):
        L.vector_norm(gg.zeros(0), ord=-inf)


def test_cond_of_singular_matrices_is_infinite():
    for p in (None, 2):
        x = variable([[1.0, 0.0], [0.0, 0.0]])
        L.cond(x, p).backward()
        assert L.cond(x, p).item() == inf
        near(x.grad, 0)
    assert float(L.cond(gg.zeros((2, 2)), -2)) == inf


def test_ranks_and_pseudoinverses_by_a_tolerance_for_each_matrix():
    x = numpy.stack([numpy.diag([1.0, 0.1])] * 2)
    part = constant([0.5, 0.01])
    assert L.matrix_rank(constant(x), rtol=part).numpy().tolist() == [1, 2]
    near(L.pinv(constant(x), rtol=part), [[[1, 0], [0, 0]], [[1, 0], [0, 10]]])
    near(L.pinv(constant(x[0]), 0.5), [[1, 0], [0, 0]])


# -------------------------------------------------------------------- triangles


def test_cholesky_reads_one_triangle_and_its_gradient_is_hermitian():
    for upper in (False, True):
        full = numpy.array([[4.0, 2.0], [2.0, 10.0]])
        x = variable(numpy.where(numpy.tri(2, dtype=bool) != upper, full, numpy.where(numpy.eye(2), full, nan)))
        y = L.cholesky(x, upper=upper)
        near(y, [[2, 1], [0, 3]] if upper else [[2, 0], [1, 3]])
        y.backward(constant([[1.0, 2.0], [3.0, 4.0]]))
        near(x.grad, x.grad.numpy().T)


def test_eigh_reads_one_triangle():
    x = constant([[1.0, 9.0], [2.0, 1.0]])
    near(L.eigvalsh(x), [-1, 3])
    near(L.eigvalsh(x, UPLO="U"), [-8, 10])
    near(L.eigh(x, "U").eigenvalues, [-8, 10])


def test_solve_triangular_does_not_look_at_the_other_triangle():
    x = variable([[2.0, nan], [1.0, 4.0]])
    y = L.solve_triangular(x, constant([2.0, 9.0]), lower=True)
    near(y, [1, 2])
    y.sum().backward()
    assert x.grad.numpy()[0, 1] == 0


def test_substitution_is_exact_where_pivots_would_mislead():
    """Solved by LU with pivots, the lower triangle would be permuted; substitution is exact in whole numbers."""
    n = 12
    a = numpy.tril(numpy.full((n, n), 1e6)) - (1e6 - 1) * numpy.eye(n)
    x = numpy.arange(1.0, n + 1) % 3
    near(L.solve_triangular(constant(a), constant(a @ x), lower=True), x, 0)


# -------------------------------------------------------------------- shapes, names, dtypes


def test_a_vector_is_one_for_all_matrices():
    a = numpy.stack([2 * numpy.eye(3), 4 * numpy.eye(3)])
    assert L.solve(constant(a), constant([1.0, 2.0, 4.0])).numpy().tolist() == [[0.5, 1, 2], [0.25, 0.5, 1]]
    with pytest.raises(ValueError, match="solve: "):
        L.solve(constant(a), constant([1.0, 2.0]))
    with pytest.raises(ValueError, match="solve: "):
        L.solve(constant(a), constant(numpy.ones((2, 2))))


def test_results_have_the_names_of_the_standard():
    x = constant([[2.0, 1.0], [1.0, 3.0]])
    assert L.eigh(x)._fields == L.eig(x)._fields == ("eigenvalues", "eigenvectors")
    assert L.qr(x)._fields == ("Q", "R")
    assert L.slogdet(x)._fields == ("sign", "logabsdet")
    assert L.svd(x)._fields == ("U", "S", "Vh")
    near(L.qr(x, mode="r"), L.qr(x).R.numpy())


def test_every_name_of_the_standard_is_there():
    names = """cholesky cross det diagonal eig eigh eigvals eigvalsh inv matmul matrix_norm matrix_power matrix_rank
    matrix_transpose outer pinv qr slogdet solve svd svdvals tensordot trace vecdot vector_norm"""
    assert set(names.split()) <= set(L.__all__)
    assert gg.backend.NAMESPACES[gg.Tensor].linalg is L


def test_numpy_and_gpugrad_take_the_same_calls():
    def energy(xp, a, b):
        return xp.sum(b * xp.linalg.solve(a, b)) + xp.linalg.slogdet(a)[1]

    a, b = turned([1.0, 2.0, 4.0]), numpy.array([1.0, 2.0, 3.0])
    near(energy(gg, constant(a), constant(b)), energy(numpy, a, b))


def test_eigenvalues_of_real_matrices_are_complex_even_if_all_are_real():
    for dtype, kind in ((gg.float64, gg.complex128), (gg.float32, gg.complex64)):
        x = constant([[2.0, 1.0], [0.0, 1.0]], dtype)
        assert L.eigvals(x).dtype == L.eig(x).eigenvalues.dtype == L.eig(x).eigenvectors.dtype == kind


@pytest.mark.parametrize("call", [L.inv, L.det, L.svdvals, L.pinv, L.eigvals, lambda x: L.solve(x, x)])
def test_integers_are_float64_and_float16_is_refused(call):
    assert call(gg.tensor([[2, 1], [1, 3]])).dtype in (gg.float64, gg.complex128)
    with pytest.raises(TypeError, match="float16"):
        call(gg.tensor([[2.0, 1.0], [1.0, 3.0]], dtype=gg.float16))


def test_powers():
    x = variable([[1.0, 2.0], [3.0, 4.0]])
    y = L.matrix_power(x, 0)
    near(y, numpy.eye(2))
    assert not y.requires_grad
    near(L.matrix_power(x, numpy.int64(5)), numpy.linalg.matrix_power(x.numpy(), 5))


def test_multi_dot_multiplies_in_the_best_order(monkeypatch):
    shapes = []

    def matmul(a, b):
        shapes.append((a.shape, b.shape))
        return gg.matmul(a, b)

    monkeypatch.setattr(powers, "matmul", matmul)
    L.multi_dot([gg.ones(shape) for shape in ((50, 1), (1, 50), (50, 1), (1, 2))])
    assert shapes == [((1, 50), (50, 1)), ((1, 1), (1, 2)), ((50, 1), (1, 2))]


def test_samples_of_a_vmap_are_solved_as_batches_are(rng):
    a = constant(rng.standard_normal((4, 3, 3)) + 4 * numpy.eye(3))
    b = constant(rng.standard_normal((4, 3)))
    near(gg.vmap(L.solve)(a, b), numpy.linalg.solve(a.numpy(), b.numpy()[..., None])[..., 0])
    near(gg.vmap(L.solve, (None, 0))(a, b), numpy.stack([numpy.linalg.solve(a.numpy(), v) for v in b.numpy()]))
    near(gg.vmap(L.solve, (0, None))(a, b[0]), numpy.linalg.solve(a.numpy(), b.numpy()[0]))
    near(gg.vmap(gg.grad(lambda x: L.slogdet(x).logabsdet))(a), numpy.linalg.inv(a.numpy()).swapaxes(1, 2))
    near(gg.vmap(L.norm)(a), numpy.sqrt((a.numpy() ** 2).sum((1, 2))))
    near(gg.vmap(lambda x, y: L.lstsq(x, y).x)(a[..., :2], b), [
        numpy.linalg.lstsq(x[:, :2], y)[0] for x, y in zip(a.numpy(), b.numpy(), strict=True)
    ])  # fmt: skip


def test_jvp_runs_forward_through_decompositions():
    x, t = constant(turned([1.0, 2.0, 4.0])), constant(turned([1.0, 0.0, 0.0], 1))
    _, dw = gg.jvp(L.eigvalsh, (x,), (t,))
    v = numpy.linalg.eigh(x.numpy())[1]
    near(dw, numpy.diagonal(v.T @ t.numpy() @ v), 1e-9)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda x: L.inv(x[0]), "inv: "),
        (lambda x: L.inv(x), "square"),
        (lambda x: L.det(x), "square"),
        (lambda x: L.solve(x, x), "square"),
        (lambda x: L.cholesky(x), "square"),
        (lambda x: L.cholesky(x[0], upper=True), "at least two axes"),
        (lambda x: L.eigh(x), "square"),
        (lambda x: L.eigvals(x), "square"),
        (lambda x: L.eigh(x, "X"), "eigh: expected UPLO 'L' or 'U', got 'X'"),
        (lambda x: L.qr(x, mode="raw"), "qr: expected mode 'reduced', 'complete' or 'r', got 'raw'"),
        (lambda x: L.qr(x[0]), r"qr: expected matrices, of at least two axes, got shape \(3,\)"),
        (lambda x: L.svd(x[0]), "svd: expected matrices"),
        (lambda x: L.svdvals(x[0]), "svdvals: "),
        (lambda x: L.pinv(x[0]), "pinv: expected matrices"),
        (lambda x: L.lstsq(x, gg.ones(3)), "lstsq: "),
        (lambda x: L.matrix_norm(x[0]), "matrix_norm: expected matrices"),
        (lambda x: L.matrix_norm(x, ord=3), "matrix_norm: expected ord 'fro', 'nuc', 1, 2, inf, .* got 3"),
        (lambda x: L.norm(x, ord=2, axis=(0, 0)), r"norm: expected different axes of 2, got \(0, 0\)"),
        (lambda x: L.norm(x, ord=2, axis=(0, 2)), r"norm: expected different axes of 2, got \(0, 2\)"),
        (lambda x: L.vector_norm(x, axis=(0, -3)), r"vector_norm: expected different axes of 2, got \(0, -3\)"),
        (lambda x: L.vector_norm(x, axis=2), "axis 2 is out of bounds"),
        (lambda x: L.norm(x[0][None, None], ord=2), "norm: expected one axis or two"),
        (lambda x: L.cond(x[:0]), "cond: expected matrices with elements"),
        (lambda x: L.matrix_rank(x[0]), "matrix_rank: expected matrices"),
        (lambda x: L.matrix_power(x, 2), "matrix_power: expected square matrices"),
        (lambda x: L.multi_dot([x]), "multi_dot: expected at least two matrices"),
        (lambda x: L.multi_dot([x, x[0], x]), "multi_dot: expected at least two matrices"),
        (lambda x: L.multi_dot([x, x]), "matmul: "),
        (lambda x: L.tensorsolve(x, x[0]), "tensorsolve: expected a square matrix over 3 elements"),
        (lambda x: L.tensorinv(x), "tensorinv: expected a square matrix over the first 2 axes"),
        (lambda x: L.tensorinv(x, ind=0), "tensorinv: expected a square matrix over the first 0 axes"),
    ],
)
def test_errors_say_what_was_expected(call, text):
    with pytest.raises(ValueError, match=text):
        call(gg.ones((2, 3)))


def test_an_order_that_is_no_number():
    with pytest.raises(TypeError, match="vector_norm: expected a number for ord, got 'fro'"):
        L.vector_norm(gg.ones(3), ord="fro")
    with pytest.raises(TypeError):
        L.matrix_power(gg.eye(2), 1.5)
