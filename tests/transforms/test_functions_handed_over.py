"""NumPy's own functions, handed to a transform as they are."""

from __future__ import annotations

import functools

import numpy
import pytest
from cases import host

import gpugrad as gg
from gpugrad.transforms.tree import flatten, tree_map

A = numpy.array([[2.0, 1.0], [0.5, 3.0]])
V = numpy.array([0.3, 1.2, 2.0])

FUNCTIONS = {
    "det": (numpy.linalg.det, A), "norm": (numpy.linalg.norm, V), "inv": (numpy.linalg.inv, A), "sum": (numpy.sum, A),
    "prod": (numpy.prod, V), "sort": (numpy.sort, V), "cumsum": (numpy.cumsum, V), "mean": (numpy.mean, V),
    "irfft": (numpy.fft.irfft, V), "trace": (numpy.trace, A), "median": (numpy.median, V), "max": (numpy.max, V),
    "diff": (numpy.diff, V), "sin": (numpy.sin, V), "reduce": (numpy.multiply.reduce, V),
    "partial": (functools.partial(numpy.sum, axis=0), A), "flip": (numpy.flip, V), "slogdet": (numpy.linalg.slogdet, A),
    "partial of partial": (functools.partial(functools.partial(numpy.var, axis=0), keepdims=True), A),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_handed_over_is_as_called(name):
    """Each transform of ``f`` against the same of ``lambda x: f(x)``."""
    f, x = FUNCTIONS[name]
    several = numpy.stack([x, x[::-1], 2 * x])
    cubes = gg.tensor(numpy.moveaxis(numpy.stack([several, several + 1]), 1, -1)).data
    x, several = gg.tensor(x).data, gg.tensor(several).data
    called = lambda x: f(x)

    def all_of(f):
        y, pullback = gg.vjp(f, x)
        yield y
        yield pullback(y)
        yield gg.jvp(f, (x,), (x,))
        yield gg.jacobian(f)(x)
        yield gg.vmap(f)(several)
        yield gg.vmap(gg.vmap(f, in_axes=-1))(cubes)
        yield gg.checkpoint(f)(gg.tensor(x))
        yield gg.vmap(gg.jacobian(gg.checkpoint(f)))(several)
        if getattr(y, "shape", None) == ():
            yield gg.value_and_grad(f)(x)
            yield gg.hessian(f)(x)
            yield gg.hvp(f, (x,), (x,))
        if hasattr(y, "shape"):
            yield gg.elementwise_grad(f)(x)

    for found, expected in zip(all_of(f), all_of(called), strict=True):
        for a, b in zip(flatten(found)[0], flatten(expected)[0], strict=True):
            numpy.testing.assert_array_equal(host(a), host(b))


def test_functions_of_vectors_and_axes():
    t = gg.tensor(A, requires_grad=True)
    y = numpy.apply_along_axis(numpy.linalg.norm, 0, t)
    numpy.testing.assert_allclose(y.detach().numpy(), numpy.linalg.norm(A, axis=0))
    y.sum().backward()
    numpy.testing.assert_allclose(t.grad.numpy(), A / numpy.linalg.norm(A, axis=0))
    nested = functools.partial(numpy.apply_along_axis, numpy.cumsum, 0)
    twice = numpy.apply_along_axis(nested, 1, gg.tensor(A))
    numpy.testing.assert_allclose(twice.numpy(), numpy.cumsum(A, axis=1))
    for f in (numpy.sum, numpy.max, lambda x, axis: x[0] if axis == 0 else x.mean(axis=axis, keepdims=True)):
        for axes in (0, -1, (1, 0), [0, 2], ()):
            x = numpy.arange(12.0).reshape(2, 3, 2)
            found = numpy.apply_over_axes(f, gg.tensor(x), axes)
            numpy.testing.assert_array_equal(found.numpy(), numpy.apply_over_axes(f, x, axes))
    pieces = numpy.piecewise(gg.tensor(A), [gg.tensor(A) < 2], [numpy.sum, numpy.linalg.norm])
    numpy.testing.assert_allclose(pieces.numpy(), numpy.piecewise(A, [A < 2], [numpy.sum, numpy.linalg.norm]))
    assert functools.reduce(numpy.matmul, [gg.tensor(A)] * 3).tolist() == (A @ A @ A).tolist()
    assert [y.item() for y in tree_map(numpy.sum, [gg.tensor(A), gg.tensor(V)])] == [A.sum(), V.sum()]
    assert gg.gradcheck(numpy.linalg.det, gg.tensor(A))
    special = pytest.importorskip("scipy.special")
    numpy.testing.assert_allclose(
        host(gg.elementwise_grad(special.gammaln)(gg.tensor(V).data)), special.digamma(V), rtol=1e-12
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: gg.apply_over_axes(gg.sum, t, 2), "axis 2 is out of bounds for 2 axes"),
        (lambda t: gg.apply_over_axes(lambda x, axis: x.sum(), t, 0), r"a result with 2 axes, or 1, got shape \(\)"),
    ],
)
def test_apply_over_axes_says_what_it_expects(call, message):
    with pytest.raises(ValueError, match=f"apply_over_axes: .*{message}"):
        call(gg.tensor(A))
