"""Functions of gpugrad in PyTorch, and of PyTorch in gpugrad: values, gradients of two orders, memory, errors."""

from __future__ import annotations

import doctest

import numpy
import pytest
import scipy.optimize

import gpugrad as gg

torch = pytest.importorskip("torch")
from gpugrad.interop import torch as border  # noqa: E402

pytestmark = pytest.mark.any_device
rng = numpy.random.default_rng(2)
FUNCTIONS = {
    "real": (
        lambda x, y: gg.sin(x) * gg.exp(y) + (x * y).sum(),
        lambda x, y: torch.sin(x) * torch.exp(y) + (x * y).sum(),
    ),
    "several results": (lambda x, y: (gg.tanh(x) * y, (x**2).sum()), None),
    "a product": (lambda x, y: gg.outer(x, y), lambda x, y: torch.outer(x, y)),
}  # fmt: skip


@pytest.fixture(params=["float64", "float32", "complex128"])
def arrays(request):
    made = rng.normal(size=(2, 3))
    if request.param.startswith("complex"):
        made = made + 1j * rng.normal(size=(2, 3))
    return made.astype(request.param)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_gpugrad_in_pytorch(name, arrays):
    f, same = FUNCTIONS[name]
    x, y = (torch.tensor(a, requires_grad=True) for a in arrays)
    if arrays.dtype.itemsize > 4:
        assert torch.autograd.gradcheck(border.wrap(f), (x, y))
        assert torch.autograd.gradgradcheck(border.wrap(f), (x, y))
    if same is not None:
        z, w = border.wrap(f)(x, y), same(x, y)
        assert z.dtype == w.dtype
        g = torch.ones_like(z)
        for ours, theirs in zip(torch.autograd.grad(z, (x, y), g), torch.autograd.grad(w, (x, y), g), strict=True):
            torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("name", [name for name, (_, same) in FUNCTIONS.items() if same is not None])
def test_functions_of_pytorch_in_gpugrad(name, arrays):
    f, same = FUNCTIONS[name]
    x, y = (gg.tensor(a, requires_grad=True, device="cpu") for a in arrays)
    if arrays.dtype.itemsize > 4:
        assert gg.gradcheck(border.from_torch(same), (x, y))
        assert gg.gradgradcheck(border.from_torch(same), (x, y))
    z, w = border.from_torch(same)(x, y), f(x, y)
    assert z.dtype == w.dtype
    numpy.testing.assert_allclose(z.detach().numpy(), w.detach().numpy(), rtol=1e-5)
    assert type(border.from_torch(same)(*arrays)) is numpy.ndarray


def test_there_and_back_and_there_again():
    layer = torch.nn.Linear(3, 2).double()
    x = gg.tensor(rng.normal(size=3), requires_grad=True, device="cpu")
    inner = border.from_torch(lambda t: border.wrap(lambda u: gg.tanh(u) ** 2)(layer(t)))

    def f(x):
        return (inner(gg.sin(x)) ** 2).sum()

    assert gg.gradcheck(f, (x,))
    assert gg.gradgradcheck(f, (x,))


def test_under_torch_func():
    f, y = border.wrap(FUNCTIONS["real"][0]), torch.randn(3, dtype=torch.float64)
    rows = torch.randn(5, 3, dtype=torch.float64)

    def each(g):
        return torch.stack([g(row) for row in rows])

    torch.testing.assert_close(torch.func.vmap(f, (0, None))(rows, y), each(lambda row: f(row, y)))
    slope = torch.func.grad(lambda x: f(x, y).sum())
    torch.testing.assert_close(torch.func.vmap(slope)(rows), each(slope))
    torch.testing.assert_close(torch.func.vmap(f, (1, None))(rows.T, y), each(lambda row: f(row, y)))
    same = torch.func.jacrev(lambda x: FUNCTIONS["real"][1](x, y))(rows[0])
    torch.testing.assert_close(torch.func.jacrev(lambda x: f(x, y))(rows[0]), same)


def test_memory_is_shared():
    t, seen = torch.ones(4), []
    y = border.wrap(lambda x: seen.append(x.data) or x * 2)(t)
    assert seen[0].__array_interface__["data"][0] == t.data_ptr()
    assert y.tolist() == [2.0] * 4
    x = gg.ones(4, device="cpu")
    border.from_torch(lambda u: seen.append(u) or u * 2)(x)
    assert seen[-1].data_ptr() == x.data.__array_interface__["data"][0]
    for odd in (numpy.arange(6.0)[::-1], numpy.broadcast_to(1.0, (3,)), numpy.zeros((0, 2)), numpy.array(2.0)):
        numpy.testing.assert_array_equal(border.from_torch(lambda u: u * 2)(odd), odd * 2)
    turned = torch.randn(3, dtype=torch.complex64).conj()
    torch.testing.assert_close(border.wrap(lambda z: z * 1)(turned), turned.resolve_conj())


def test_errors_reach_the_caller():
    def wrong(x):
        raise KeyError("of the function")

    with pytest.raises(KeyError, match="of the function"):
        border.wrap(wrong)(torch.ones(2))
    with pytest.raises(KeyError, match="of the function"):
        border.from_torch(wrong)(gg.ones(2))


def test_optimizers_of_three_libraries_find_one_minimum():
    def valley(x):
        return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()

    start = numpy.array([-0.5, 0.8])
    found = scipy.optimize.minimize(gg.value_and_grad(valley), start, jac=True, method="BFGS")
    numpy.testing.assert_allclose(found.x, 1.0, atol=1e-5)
    x = torch.tensor(start, requires_grad=True)
    optimizer = torch.optim.LBFGS([x], line_search_fn="strong_wolfe", max_iter=200)

    def closure():
        optimizer.zero_grad()
        loss = border.wrap(valley)(x)
        loss.backward()
        return loss

    optimizer.step(closure)
    numpy.testing.assert_allclose(x.detach().numpy(), 1.0, atol=1e-5)


def test_examples():
    assert doctest.testmod(border).failed == 0
