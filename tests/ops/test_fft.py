"""Fourier transforms by name: what the rows of ``tests/cases/fourier.py`` do not say."""

from __future__ import annotations

import inspect

import numpy
import pytest

import gpugrad as gg

ONE_AXIS = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
SEVERAL = ("fftn", "ifftn", "rfftn", "irfftn", "fft2", "ifft2", "rfft2", "irfft2")


@pytest.mark.parametrize("name", gg.fft.__all__)
def test_parameters_are_named_as_in_the_standard_and_in_numpy(name):
    ours, numpys = inspect.signature(getattr(gg.fft, name)), inspect.signature(getattr(numpy.fft, name))
    named = list(ours.parameters)[1:]
    assert next(iter(ours.parameters.values())).kind is inspect.Parameter.POSITIONAL_ONLY
    assert named == [p for p in list(numpys.parameters)[1:] if p != "out"] or named == ["d", "dtype", "device"]
    if "norm" in named:
        assert ours.parameters["norm"].default == "backward"


@pytest.mark.parametrize("name", [*ONE_AXIS, *SEVERAL])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128", "int32", "bool"])
def test_dtype_is_numpys(name, dtype):
    x = numpy.ones((3, 4), dtype)
    if x.dtype.kind == "c" and name in ("rfft", "ihfft", "rfftn", "rfft2"):
        pytest.skip("transforms of real numbers take no complex ones")
    assert getattr(gg.fft, name)(gg.tensor(x)).dtype == getattr(numpy.fft, name)(x).dtype


@pytest.mark.parametrize("name", ["rfft", "ihfft", "rfftn", "rfft2"])
def test_transforms_of_real_numbers_refuse_complex_ones(name):
    with pytest.raises(TypeError, match=r"rfftn?: expected real numbers, got complex64|ihfft: expected real numbers"):
        getattr(gg.fft, name)(gg.zeros((2, 2), dtype=gg.complex64))


@pytest.mark.parametrize("name", ONE_AXIS)
def test_errors_of_transforms_along_one_axis(name):
    f, x = getattr(gg.fft, name), gg.zeros((3, 4))
    with pytest.raises(ValueError, match=f"{name}: expected norm 'backward', 'ortho' or 'forward', got 'orthogonal'"):
        f(x, norm="orthogonal")
    with pytest.raises(ValueError, match=rf"{name}: expected different axes of a tensor of shape \(3, 4\), got \(2,\)"):
        f(x, axis=2)
    with pytest.raises(ValueError, match=f"{name}: expected different axes of a tensor of shape"):
        f(gg.tensor(1.0))
    with pytest.raises(ValueError, match=rf"{name}: expected at least one element to transform .*, got \(0,\)"):
        f(x, n=0)
    with pytest.raises(ValueError, match=f"{name}: expected at least one element to transform"):
        f(gg.zeros((1, 0)))
    with pytest.raises(TypeError, match="float"):
        f(x, n=2.5)


@pytest.mark.parametrize("name", SEVERAL)
def test_errors_of_transforms_along_several_axes(name):
    f, x = getattr(gg.fft, name), gg.zeros((3, 4))
    with pytest.raises(ValueError, match=r"expected different axes of a tensor of shape \(3, 4\), got \(0, -2\)"):
        f(x, axes=(0, -2))
    with pytest.raises(ValueError, match=r"expected different axes of a tensor of shape \(3, 4\), got \(\)"):
        f(x, axes=())
    with pytest.raises(ValueError, match=r"expected a size for each of the axes \(-2, -1\), got \(3,\)"):
        f(x, s=(3,), axes=(0, 1))


def test_sizes_without_axes_are_of_the_last_ones(rng):
    x = rng.standard_normal((2, 3, 4))
    y = gg.fft.fftn(gg.tensor(x), s=(2, 5))
    numpy.testing.assert_allclose(y.numpy(), numpy.fft.fftn(x, s=(2, 5), axes=(1, 2)), atol=1e-12)


@pytest.mark.parametrize("norm", ["backward", "ortho", "forward"])
@pytest.mark.parametrize("n", [1, 2, 7, 8])
def test_inverses_undo(norm, n, rng):
    x = gg.tensor(rng.standard_normal((3, n)))
    z = x + 1j * gg.tensor(rng.standard_normal((3, n)))
    both = {"norm": norm}
    for there, back, value in [("fft", "ifft", z), ("fftn", "ifftn", z), ("fft2", "ifft2", z)]:
        numpy.testing.assert_allclose(
            getattr(gg.fft, back)(getattr(gg.fft, there)(value, **both), **both).numpy(), value.numpy(), atol=1e-12
        )
    for there, back, size in [("rfft", "irfft", n), ("ihfft", "hfft", n), ("rfftn", "irfftn", (3, n))]:
        y = getattr(gg.fft, back)(getattr(gg.fft, there)(x, **both), size, **both)
        numpy.testing.assert_allclose(y.numpy(), x.numpy(), atol=1e-12)


@pytest.mark.parametrize("name", [*ONE_AXIS, "fftn", "irfftn"])
def test_nothing_filled_up_is_zeros(name):
    """NumPy's irfft reads an element of an empty axis, which is not there."""
    x = gg.zeros((2, 0)).requires_grad_()
    y = getattr(gg.fft, name)(x, *(((2, 3),) if name.endswith("n") else (3,)))
    assert not y.numpy().any()
    gg.real(y).sum().backward()
    assert x.grad.shape == (2, 0)


@pytest.mark.parametrize("name", ["fft", "rfft", "fftn"])
def test_energy_is_kept_and_so_is_its_gradient(name, rng):
    """Parseval: ``sum |fft(x)|^2 = sum |x|^2`` with norm "ortho", of a real x and of all of its spectrum."""
    x = gg.tensor(rng.standard_normal(6), requires_grad=True)
    spectrum = getattr(gg.fft, name)(x, norm="ortho")
    energy = gg.real(spectrum * gg.conj(spectrum))
    weight = gg.tensor([1.0, 2.0, 2.0, 1.0]) if name == "rfft" else 1.0
    (energy * weight).sum().backward()
    numpy.testing.assert_allclose(x.grad.numpy(), 2 * x.numpy(), rtol=1e-12)


@pytest.mark.parametrize("n", [4, 5])
def test_what_does_not_count_gets_no_gradient(n, rng):
    """The imaginary part at 0, and of an even spectrum in the middle; an odd one has no middle."""
    z = gg.tensor(rng.standard_normal(3) + 1j * rng.standard_normal(3), requires_grad=True)
    weights = gg.tensor(rng.standard_normal(n))
    (gg.fft.irfft(z, n) * weights).sum().backward()
    imaginary = z.grad.numpy().imag
    assert imaginary[0] == 0
    assert (imaginary[2] == 0) == (n == 4)
    expected = numpy.fft.rfft(weights.numpy()) * numpy.array([1, 2, 1 + n % 2]) / n
    numpy.testing.assert_allclose(z.grad.numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("name", ["rfft", "irfft", "ihfft", "irfftn"])
def test_third_derivatives(name, rng):
    transform = getattr(gg.fft, name)
    x = gg.tensor(rng.standard_normal((2, 3)))

    def loss(x):
        y = transform(x)
        return gg.real(y * y * gg.conj(y) * (1 + 2j)).sum()

    assert gg.gradgradcheck(gg.grad(loss), x)


def test_gpugrad_is_a_namespace_with_transforms(rng):
    def low_pass(xp, x):
        spectrum = xp.fft.rfft(x)
        return xp.fft.irfft(xp.where(xp.fft.rfftfreq(x.shape[-1]) < 0.3, spectrum, 0), n=x.shape[-1])

    x = rng.standard_normal(8)
    numpy.testing.assert_allclose(low_pass(gg, gg.tensor(x)).numpy(), low_pass(numpy, x), atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 5, 8])
@pytest.mark.parametrize("name", ["fftfreq", "rfftfreq"])
def test_frequencies_are_numpys(name, n, device):
    f, expected = getattr(gg.fft, name), getattr(numpy.fft, name)
    y = f(n, 0.1, device=device)
    assert (y.dtype, y.device) == (gg.get_default_dtype(), device)
    numpy.testing.assert_allclose(y.numpy(), expected(n, 0.1), rtol=1e-6)
    assert f(n, d=0.1, dtype=gg.float64).dtype == gg.float64
    numpy.testing.assert_allclose(f(n, d=0.1, dtype="float64").numpy(), expected(n, 0.1), rtol=1e-15)


@pytest.mark.parametrize("name", ["fftfreq", "rfftfreq"])
def test_errors_of_frequencies(name):
    with pytest.raises(ValueError, match=f"{name}: expected at least one element, got 0"):
        getattr(gg.fft, name)(0)
    with pytest.raises(TypeError, match="float"):
        getattr(gg.fft, name)(2.0)
    with pytest.raises(TypeError, match=f"{name}: expected a floating-point dtype, got int64"):
        getattr(gg.fft, name)(2, dtype=gg.int64)


@pytest.mark.parametrize("shape", [(4,), (5,), (2, 3), ()])
def test_shifts_undo_each_other(shape, rng):
    x = rng.standard_normal(shape)
    there = gg.fft.fftshift(gg.tensor(x))
    numpy.testing.assert_array_equal(there.numpy(), numpy.fft.fftshift(x) if shape else x)
    numpy.testing.assert_array_equal(gg.fft.ifftshift(there).numpy(), x)
