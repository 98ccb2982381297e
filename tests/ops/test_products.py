"""What products, diagonals and padding refuse, and their corners."""

from __future__ import annotations

from math import nan

import numpy
import pytest

import gpugrad as gg


def test_products_name_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"tensordot: axes of different size: \(2, 3\) and \(2, 3\) over 1"):
        gg.tensordot(gg.zeros((2, 3)), gg.zeros((2, 3)), axes=1)
    with pytest.raises(ValueError, match="vecdot: axes of different size"):
        gg.vecdot(gg.zeros((2, 3)), gg.zeros(1))
    with pytest.raises(ValueError, match="cross: expected size 3 along axis -1"):
        gg.cross(gg.zeros(2), gg.zeros(2))


@pytest.mark.parametrize("product", [gg.vecdot, gg.cross])
def test_an_axis_that_is_not_there(product):
    with pytest.raises(gg.core.errors.AxisError, match=rf"{product.__name__}: axis 2 is out of bounds for 1 axes"):
        product(gg.zeros((3, 3)), gg.zeros(3), axis=2)


def test_vecdot_conjugates_the_first():
    z = gg.tensor([1j, 2.0])
    assert complex(gg.vecdot(z, z).numpy()) == 5.0


def test_triangles_hide_nan_and_pass_exactly_0():
    x = gg.tensor([[1.0, nan], [2.0, 3.0]], requires_grad=True)
    y = gg.tril(x)
    y.backward(gg.tensor([[1.0, nan], [1.0, 1.0]]))
    assert y.numpy().tolist() == [[1.0, 0.0], [2.0, 3.0]]
    assert x.grad.numpy().tolist() == [[1.0, 0.0], [1.0, 1.0]]


def test_diagonal_and_diag_say_what_is_wrong():
    with pytest.raises(ValueError, match="expected two axes, got -1 twice"):
        gg.diagonal(gg.zeros((2, 2)), axis1=-1, axis2=-1)
    with pytest.raises(ValueError, match="a vector or a matrix, got shape"):
        gg.diag(gg.zeros((1, 1, 1)))
    assert float(gg.eye(3).trace()) == 3.0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((-1,), "at least 0"),
        ((1, "mirror"), "expected mode 'constant', 'edge'"),
        (((1, 2, 3),), "a pair for each of 2 axes"),
        ((((1, 2), (3, 4), (5, 6)),), "a pair for each of 2 axes"),
        ((1, "edge"), "axis 1 has no elements"),
    ],
)
def test_pad_says_what_is_wrong(arguments, text):
    with pytest.raises(ValueError, match=text):
        gg.pad(gg.zeros((2, 0)), *arguments)


def test_gradients_of_what_a_border_repeats_add_up():
    x = gg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    for mode, gradient in (("edge", [3, 1, 2]), ("reflect", [1, 3, 2]), ("wrap", [2, 2, 2]), ("symmetric", [2, 2, 2])):
        x.grad = None
        gg.pad(x, (2, 1), mode).sum().backward()
        numpy.testing.assert_array_equal(x.grad.numpy(), gradient)


def test_a_number_has_no_border():
    for mode in ("constant", "edge"):
        assert gg.pad(gg.tensor(2.0), 3, mode).shape == ()


class Listed:
    """NumPy's functions; the shapes of all products are listed."""

    def __init__(self):
        self.products = []

    def __getattr__(self, name):
        return getattr(numpy, name)

    def matmul(self, x1, x2):
        self.products.append((x1.shape, x2.shape))
        return numpy.matmul(x1, x2)


@pytest.mark.parametrize(
    ("left", "right", "products"),
    [
        ((2, 3, 4), (4, 5), [((6, 4), (4, 5))]),
        ((2, 1, 3, 4), (4, 5), [((6, 4), (4, 5))]),
        ((2, 3, 4), (4,), [((6, 4), (4,))]),
        ((0, 3, 4), (4, 5), [((0, 4), (4, 5))]),
        ((2, 3, 0), (0, 5), [((6, 0), (0, 5))]),
        ((3, 4), (4, 5), [((3, 4), (4, 5))]),
        ((2, 3, 4), (1, 4, 5), [((2, 3, 4), (1, 4, 5))]),
        ((3, 4), (2, 4, 5), [((3, 4), (2, 4, 5))]),
    ],
)
def test_many_matrices_times_one_are_one_product_of_rows(left, right, products, rng):
    a, b, xp = rng.normal(size=left), rng.normal(size=right), Listed()
    y = gg.matmul.op.forward(xp, a, b)
    assert xp.products == products
    numpy.testing.assert_allclose(y, a @ b, rtol=1e-12)
    with pytest.raises(ValueError, match="matmul"):
        gg.matmul(gg.ones((*left[:-1], left[-1] + 1)), gg.ones(right))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize(
    ("left", "right"),
    [((2, 3, 4), (4, 5)), ((2, 3, 4), (4,)), ((2, 3, 4), (2, 4, 5)), ((2, 1, 3, 4), (2, 4, 5)), ((4,), (2, 4, 5)),
     ((3, 4), (2, 4, 5))],
)  # fmt: skip
def test_products_of_short_floats_with_batch_axes(left, right, dtype, device, rng):
    """CuPy multiplies no batches of bfloat16."""
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    a, b = (gg.tensor(rng.integers(-2, 3, shape), dtype=dtype, device=device) for shape in (left, right))
    wide = [x.astype("float64") for x in (a, b)]

    def product(x, y):
        return ((x @ y) * (x @ y)).sum()

    y = a @ b
    assert (str(y.dtype), y.astype("float64").tolist()) == (dtype, (wide[0] @ wide[1]).tolist())
    for got, want in zip(gg.grad(product, (0, 1))(a, b), gg.grad(product, (0, 1))(*wide), strict=True):
        assert got.dtype == dtype
        numpy.testing.assert_allclose(got.astype("float64").numpy(), want.numpy(), rtol=0.01)


@pytest.mark.parametrize("shape", [(7, 4), (4,), (2, 7, 4), (0, 4)])
def test_gradients_lie_in_memory_as_their_parameters_do(shape, rng):
    """An optimizer copies them side by side; one that is turned would be copied element by element."""
    x = gg.tensor(rng.standard_normal(shape))
    for turned in (False, True):
        w = gg.tensor(rng.standard_normal((3, 4) if turned else (4, 3)), requires_grad=True)
        y = x @ (w.T if turned else w)
        g = rng.standard_normal(y.shape)
        (y * gg.tensor(g)).sum().backward()
        d = x.numpy().reshape((-1, 4)).T @ g.reshape((-1, 3))
        numpy.testing.assert_allclose(w.grad.numpy(), d.T if turned else d, atol=1e-12)
        if len(shape) > 1:
            assert w.grad.data.flags.c_contiguous
