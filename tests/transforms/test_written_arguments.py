"""A function may write to its argument: it gets a Tensor of its own, and the caller's array stays as it was."""

from __future__ import annotations

import numpy
import pytest
from cases import host

import gpugrad as gg


def centred(x):
    x -= x.mean()
    return (x**3).sum()


def centred_anew(x):
    x = x - x.mean()
    return (x**3).sum()


def scanned(x):
    for i in range(1, 3):
        x[i] = x[i] * x[i - 1]
    return gg.sin(x).sum()


def scanned_anew(x):
    second = x[1] * x[0]
    return gg.sin(gg.stack([x[0], second, x[2] * second])).sum()


def pair(x):
    return gg.stack([x, 2 * x])


TRANSFORMS = {
    "grad": gg.grad,
    "value_and_grad": gg.value_and_grad,
    "vjp": lambda f: lambda x: gg.vjp(f, x)[1](gg.ones((), dtype=gg.float64).data),
    "jvp": lambda f: lambda x: gg.jvp(f, (x,), (x,)),
    "jacobian": gg.jacobian,
    "hessian": gg.hessian,
    "hvp": lambda f: lambda x: gg.hvp(f, (x,), (x,)),
    "vmap": lambda f: lambda x: gg.vmap(f)(pair(gg.asarray(x))),
    "vmap of grad": lambda f: lambda x: gg.vmap(gg.grad(f))(pair(gg.asarray(x))),
    "grad of vmap": lambda f: gg.grad(lambda x: gg.vmap(f)(pair(x)).sum()),
    "checkpoint": lambda f: lambda x: gg.checkpoint(f)(gg.asarray(x)),
    "grad of checkpoint": lambda f: gg.grad(gg.checkpoint(f)),
    "hessian of checkpoint": lambda f: gg.hessian(gg.checkpoint(f)),
}


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("kind", ["array", "tensor", "leaf"])
@pytest.mark.parametrize(("f", "anew"), [(centred, centred_anew), (scanned, scanned_anew)])
def test_writing_is_computing_anew(name, kind, f, anew):
    def given():
        x = gg.tensor([0.7, 1.3, -0.4], dtype=gg.float64, requires_grad=kind == "leaf")
        return x.data if kind == "array" else x

    x = given()
    found, expected = TRANSFORMS[name](f)(x), TRANSFORMS[name](anew)(given())
    for a, b in zip(*((y if isinstance(y, tuple) else (y,)) for y in (found, expected)), strict=True):
        numpy.testing.assert_allclose(host(a), host(b), rtol=1e-12, atol=1e-14)
    assert host(x).tolist() == [0.7, 1.3, -0.4]
    assert kind != "leaf" or x.is_leaf


def test_gradients_of_functions_that_write_are_checked():
    def f(x, shift):
        shift -= 1
        x *= shift
        return gg.sin(x)

    x, shift = gg.tensor([0.7, 1.3], dtype=gg.float64, requires_grad=True), gg.tensor([2.0, 4.0])
    for check in (gg.gradcheck, gg.gradgradcheck):
        for fast_mode in (False, True):
            assert check(f, (x, shift), fast_mode=fast_mode)
    assert (x.tolist(), shift.tolist()) == ([0.7, 1.3], [2.0, 4.0])


def test_what_is_changed_inside_no_grad_would_become_a_constant():
    def f(x):
        with gg.no_grad():
            x -= 1
        return (x * x).sum()

    x = gg.tensor([1.0, 2.0]).data
    for transform in (gg.grad, gg.jacobian, lambda f: gg.grad(lambda x: gg.grad(f)(x).sum())):
        with pytest.raises(gg.GradientError, match=r"would become a constant: .*x\.detach.*test_written_arguments.py"):
            transform(f)(x)
    y = gg.tensor([1.0], requires_grad=True) * 2
    with gg.no_grad(), pytest.raises(gg.GradientError, match="would become a constant"):
        y[0] = 3.0


def test_a_checkpointed_function_may_write_to_its_constants():
    """It runs twice, and must find the same again."""

    def f(x, shift):
        shift += 1
        return (x * shift).sum()

    for make in (gg.tensor, lambda values: gg.tensor(values).data):
        x, shift = gg.tensor([1.0, 2.0], requires_grad=True), make([3.0, 4.0])
        y = gg.checkpoint(f)(x, shift)
        shift *= 0  # the caller may go on with it
        y.backward()
        assert x.grad.tolist() == [4.0, 5.0]


def test_checkpoint_of_plain_arrays():
    x = gg.tensor([1.0, 2.0]).data
    y = gg.checkpoint(lambda x, n: (x**n, n, None))(x, n=3)
    assert type(y[0]) is type(x)
    assert (host(y[0]).tolist(), *y[1:]) == ([1.0, 8.0], 3, None)
    w = gg.tensor(2.0, requires_grad=True)
    product, twice, number = gg.checkpoint(lambda x: (w * x, 2 * x, 5))(x)
    assert (type(twice), number) == (type(x), 5)
    product.sum().backward()
    assert w.grad.item() == 3.0
