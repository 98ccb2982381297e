"""Complex numbers in operations, by name: corners, branch cuts, mixed operands, what is refused.

The rows of ``tests/cases/`` hold elsewhere: each with a ``complex`` domain is compared with differences and PyTorch.
"""

from __future__ import annotations

import numpy
import pytest

import gpugrad as gg


@pytest.fixture
def z(rng):
    return rng.standard_normal(4) + 1j * rng.standard_normal(4)


def gradient(f, *at):
    """The gradients of ``sum(real(f))``, as users see them."""
    xs = [gg.tensor(a, requires_grad=True) for a in at]
    gg.real(f(*xs)).sum().backward()
    return xs[0].grad.numpy() if len(xs) == 1 else [x.grad.numpy() for x in xs]


# ---------------------------------------------------------------- size and direction


def test_at_zero_nothing_has_a_direction():
    zero = numpy.zeros(2, complex)
    for f in (gg.abs, gg.sign, gg.angle, lambda x: gg.angle(x, deg=True), lambda x: gg.abs(x) ** 2):
        numpy.testing.assert_array_equal(gradient(f, zero), zero)
        _, second = gg.jvp(gg.grad(lambda x, f=f: gg.real(f(x)).sum()), (zero,), (zero + 1,))
        assert numpy.isnan(second).all()  # and 0 is a convention that has no derivative


def test_directions_of_large_and_small_numbers():
    for size in (1e300, 1e-300):
        z = numpy.array([3 + 4j]) * size
        numpy.testing.assert_allclose(gradient(gg.abs, z), [0.6 + 0.8j])
        numpy.testing.assert_allclose(gradient(lambda x, s=size: gg.angle(x) * s, z), [(-4 + 3j) / 25])


def test_angle_of_real_numbers_and_in_degrees():
    x = gg.tensor([-2.0, 0.0, 3.0], requires_grad=True)
    y = gg.angle(x)
    numpy.testing.assert_allclose(y.numpy(), [numpy.pi, 0, 0], rtol=1e-6)
    y.sum().backward()
    assert x.grad.numpy().tolist() == [0, 0, 0]
    assert gg.gradcheck(lambda z: gg.angle(z, deg=True), gg.tensor(numpy.array([1 + 2j, -3 + 1j])))


def test_third_derivative_of_the_absolute_value(z):
    assert gg.gradgradcheck(gg.grad(lambda x: (gg.abs(x) ** 3).sum()), gg.tensor(z))


def test_spread_of_complex_numbers_is_real(z):
    for f in (gg.var, gg.std):
        assert f(gg.tensor(z)).dtype == gg.float64
        assert f(gg.tensor(z, dtype=gg.complex64)).dtype == gg.float32
    same = numpy.full(3, 1 + 2j)
    numpy.testing.assert_array_equal(gradient(gg.std, same), numpy.zeros(3))


# ---------------------------------------------------------------- branch cuts

ON_THE_REAL_AXIS = [("sqrt", -2), ("log", -2), ("log1p", -3), ("log2", -2), ("log10", -2), ("asin", 2), ("asin", -2),
                    ("acos", 2), ("acos", -2), ("acosh", 0.5), ("acosh", -2), ("atanh", 2), ("atanh", -2)]  # fmt: skip
ON_THE_IMAGINARY_AXIS = [("asinh", 2), ("asinh", -2), ("atan", 2), ("atan", -2)]


@pytest.mark.parametrize("side", [0.0, -0.0])
@pytest.mark.parametrize(("name", "at"), ON_THE_REAL_AXIS + ON_THE_IMAGINARY_AXIS)
def test_derivative_on_a_branch_cut_is_that_of_the_side(name, at, side):
    """An imaginary part of -0.0 is below a cut; steps along the cut stay on the side."""
    imaginary = (name, at) in ON_THE_IMAGINARY_AXIS

    def value(along):
        return getattr(numpy, name)(numpy.array([complex(side, along) if imaginary else complex(along, side)]))

    step = 1e-6
    derivative = (value(at + step) - value(at - step)) / (2 * step * (1j if imaginary else 1))
    z = complex(side, at) if imaginary else complex(at, side)
    found = gradient(getattr(gg, name), numpy.array([z])).conj()
    numpy.testing.assert_allclose(found, derivative, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", ["asin", "acos", "asinh", "acosh"])
def test_inverse_functions_of_huge_numbers(name):
    z = numpy.array([1e200 + 1e200j, -1e200 + 3e199j])
    numpy.testing.assert_allclose(abs(gradient(getattr(gg, name), z)) * abs(z), 1, rtol=1e-9)


# ---------------------------------------------------------------- powers and products


def test_powers_with_a_real_base_and_a_complex_exponent(z):
    x = numpy.array([2.0, -0.5, 3.0, -1.5])
    assert gg.gradcheck(lambda x, p: gg.pow(gg.astype(x, gg.complex128), p), [gg.tensor(x), gg.tensor(z)])
    of_x, of_p = gradient(gg.pow, x, z)
    assert (of_x.dtype, of_p.dtype) == (numpy.float64, numpy.complex128)
    wide = x.astype(complex)
    numpy.testing.assert_allclose(of_p, (wide**z * numpy.log(wide)).conj())
    numpy.testing.assert_allclose(of_x, (z * wide ** (z - 1)).real)


@pytest.mark.parametrize("base", [2, -2, 2.5, 1j])
def test_powers_of_a_number(base, z):
    assert gg.gradcheck(lambda p: base**p, gg.tensor(z))
    assert gg.gradgradcheck(lambda p: base**p, gg.tensor(z))


@pytest.mark.parametrize("exponent", [2, -2, 0, 0.5, 1 + 2j])
def test_powers_with_a_number(exponent, z):
    assert gg.gradcheck(lambda x: x**exponent, gg.tensor(z))
    assert gg.gradgradcheck(lambda x: x**exponent, gg.tensor(z))


def test_powers_of_zero():
    zero = numpy.zeros(4, complex)
    numpy.testing.assert_array_equal(gradient(gg.pow, zero, numpy.arange(4.0))[0], [0, 1, 0, 0])
    numpy.testing.assert_array_equal(gradient(lambda p: gg.pow(gg.tensor(zero), p), 1j + numpy.arange(1, 5)), zero)


def test_products_with_zeros(z):
    z[1] = 0
    for f in (gg.prod, gg.cumprod):
        assert gg.gradcheck(f, gg.tensor(z))
        assert gg.gradgradcheck(f, gg.tensor(z))
        z[2] = 0


def test_inner_product_of_vectors_is_conjugated_on_the_left(z):
    x, y = z, z[::-1].copy()
    of_x, of_y = gradient(gg.vecdot, x, y)
    numpy.testing.assert_allclose(of_x, y)
    numpy.testing.assert_allclose(of_y, x)
    of_x, of_y = gradient(gg.dot, x, y)
    numpy.testing.assert_allclose(of_x, y.conj())
    numpy.testing.assert_allclose(of_y, x.conj())


# ---------------------------------------------------------------- real and complex together

MIXED = ["add", "subtract", "multiply", "divide", "matmul", "vecdot", "outer", "kron", "inner", "dot"]


@pytest.mark.parametrize("name", MIXED)
@pytest.mark.parametrize("first", [True, False])
def test_one_operand_real_and_one_complex(name, first, rng):
    real, z = rng.uniform(0.5, 2.0, (3, 3)), rng.standard_normal((3, 3)) + 1j * rng.standard_normal((3, 3))
    operands = [gg.tensor(a) for a in ((real, z) if first else (z, real))]
    assert gg.gradcheck(getattr(gg, name), operands)
    assert gg.gradgradcheck(getattr(gg, name), operands)
    assert [g.dtype for g in gradient(getattr(gg, name), *(x.numpy() for x in operands))] == [x.dtype for x in operands]


@pytest.mark.parametrize(
    "f",
    [
        lambda r, z: gg.where(gg.tensor([True, False, True]), r, z),
        lambda r, z: gg.concat([r, z]),
        lambda r, z: gg.stack([z, r]),
        lambda r, z: gg.set_at(z, slice(1, None), r[:2]),
        lambda r, z: gg.exp(1j * r) * z,
        lambda r, z: gg.average(z, weights=r**2 + 1),
        lambda r, z: gg.einsum("i,j,i->j", r, z, z),
        lambda r, z: gg.sum(r, dtype=gg.complex128) * gg.prod(r, dtype=gg.complex128) * z,
        lambda r, z: gg.cumulative_sum(r, dtype=gg.complex128) * z,
        lambda r, z: gg.real(z) * r + gg.imag(z) ** 2 * gg.imag(r) + gg.real(r),
        lambda r, z: z.real * z.conj() - r.astype(gg.complex128) * z.imag,
    ],
)
def test_real_variables_in_complex_expressions(f, rng):
    r, z = gg.tensor(rng.standard_normal(3)), gg.tensor(rng.standard_normal(3) + 1j * rng.standard_normal(3))
    assert gg.gradcheck(f, [r, z])
    assert gg.gradgradcheck(f, [r, z])


def test_dtypes_stay_single():
    x = gg.tensor([1.0, 2.0], dtype=gg.float32, requires_grad=True)
    for y in (x * 1j, x + 1j, 1j / x, x**1j, gg.astype(x, gg.complex64), gg.imag(x * 1j) * 1j, gg.abs(x * 1j) * 1j):
        assert y.dtype == gg.complex64
        x.grad = None
        gg.imag(y).sum().backward()
        assert x.grad.dtype == gg.float32


# ---------------------------------------------------------------- values that are no numbers


def test_each_part_is_replaced_by_itself():
    nan, inf = numpy.nan, numpy.inf
    z = numpy.array([complex(nan, 1), complex(2, inf), complex(-inf, nan), 3 + 4j])
    y = gg.nan_to_num(gg.tensor(z), nan=5.0, posinf=6.0, neginf=-6.0)
    numpy.testing.assert_array_equal(y.numpy(), numpy.nan_to_num(z, nan=5.0, posinf=6.0, neginf=-6.0))
    both = gradient(lambda x: (1 - 1j) * gg.nan_to_num(x), z)  # (1 - 1j) z has the real part a + b
    numpy.testing.assert_array_equal(both, [1j, 1, 0, 1 + 1j])


def test_reductions_pass_over_nan(z):
    z[1], z[3] = complex(numpy.nan, 1), complex(1, numpy.nan)
    for name, share in (("nansum", 1), ("nanmean", 0.5)):
        f = getattr(gg, name)
        numpy.testing.assert_allclose(f(gg.tensor(z)).numpy(), getattr(numpy, name)(z))
        numpy.testing.assert_array_equal(gradient(f, z), [share, 0, share, 0])
        assert gg.gradgradcheck(lambda x, f=f: f(gg.concat([x, gg.tensor(z)])), gg.tensor(z[:1]))


@pytest.mark.parametrize("name", ["nanvar", "nanstd"])
def test_spread_passes_over_nan(name, z):
    f = getattr(gg, name)

    def with_nan(x):
        return f(gg.concat([x, gg.tensor([complex(numpy.nan, 1)], dtype=gg.complex128)]), correction=1)

    numpy.testing.assert_allclose(with_nan(gg.tensor(z)).numpy(), getattr(numpy, name[3:])(z, ddof=1))
    assert gg.gradcheck(with_nan, gg.tensor(z))
    assert gg.gradgradcheck(with_nan, gg.tensor(z))


def test_rounding_takes_the_parts():
    z = gg.tensor(numpy.array([1.26 - 2.74j]), requires_grad=True)
    y = gg.round(z, 1)
    assert y.numpy().tolist() == [1.3 - 2.7j]
    gg.real(y).sum().backward()
    assert z.grad.numpy().tolist() == [0]


def test_truth_of_complex_numbers():
    z, other = numpy.array([0, 1j, complex(numpy.nan, 0)]), numpy.array([0j, 0, 1])
    for name in ("logical_and", "logical_or", "logical_xor"):
        expected = getattr(numpy, name)(z, other)
        numpy.testing.assert_array_equal(getattr(gg, name)(gg.tensor(z), gg.tensor(other)).numpy(), expected)
    numpy.testing.assert_array_equal(gg.logical_not(gg.tensor(z)).numpy(), numpy.logical_not(z))


def test_order_is_numpys(z):
    z[1] = z[0].real - 1j
    x = gg.tensor(z)
    for name in ("sort", "argsort", "max", "min", "argmax", "argmin"):
        numpy.testing.assert_array_equal(getattr(gg, name)(x).numpy(), getattr(numpy, name)(z))
    numpy.testing.assert_array_equal(gradient(gg.max, z), z == z.max())
    numpy.testing.assert_array_equal(gradient(lambda x: gg.sort(x)[0], z), z == z.min())


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("name", "count"),
    [("floor", 1), ("ceil", 1), ("trunc", 1), ("signbit", 1), ("floor_divide", 2), ("remainder", 2), ("hypot", 2),
     ("atan2", 2), ("copysign", 2), ("nextafter", 2), ("logaddexp", 2)],
)  # fmt: skip
def test_what_numpy_refuses(name, count):
    with pytest.raises(TypeError, match=name):
        getattr(gg, name)(*[gg.tensor(numpy.ones(2, complex))] * count)


@pytest.mark.parametrize("name", ["hypot", "atan2", "copysign", "nextafter"])
def test_what_cupy_would_take_is_refused_before(name):
    with pytest.raises(TypeError, match=f"{name}: expected real numbers, got complex128"):
        getattr(gg, name)(gg.tensor([1.0]), gg.tensor(numpy.ones(1, complex)))
    with pytest.raises(TypeError, match=f"{name}: expected real numbers, got 1j"):
        getattr(gg, name)(1j, gg.tensor([1.0]))


@pytest.mark.parametrize("value", [1j, numpy.complex64(1j), [1j], numpy.array([1j])])
def test_no_part_is_lost_in_writing(value):
    for dtype in (gg.float32, gg.int64):
        x = gg.zeros(1, dtype=dtype)
        with pytest.raises(TypeError, match=r"complex.* (into a tensor of|as) (float32|int64)"):
            x[0:1] = gg.tensor(value) if isinstance(value, numpy.ndarray) else value
    x = gg.zeros(2)
    with pytest.raises(TypeError, match="the result of complex64 does not fit the tensor's float32"):
        x *= 1j


# ---------------------------------------------------------------- parts of a leaf


@pytest.mark.parametrize("part", [gg.real, gg.imag])
def test_parts_share_the_memory_of_a_leaf_and_are_guarded(part, z):
    x = gg.tensor(z, requires_grad=True)
    y = gg.real(part(x) * part(x)).sum()
    with gg.no_grad():
        x *= 2
    with pytest.raises(gg.GradientError, match="changed in place"):
        y.backward()
    numpy.testing.assert_array_equal(part(x).detach().numpy(), getattr(2 * z, part.__name__))
