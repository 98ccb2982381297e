"""Borders, as a function and as layers, against PyTorch, and what is refused."""

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.nn import functional as F

WIDTHS = [(1, 2), (2, 0, 1, 1), (-1, 2), (1, -2, -1, 2), (0, 0), (1, 1, 1, 1, 2, 2), (-1, -1)]
SHAPES = {2: [(3, 4), (2, 3, 4)], 4: [(2, 3, 4), (2, 2, 3, 4)], 6: [(2, 3, 3, 4), (1, 2, 3, 3, 4)]}
CALLS = [
    (mode, shape, widths)
    for widths in WIDTHS
    for shape in SHAPES[len(widths)]
    for mode in ("constant", "reflect", "replicate", "circular")
]
NAMES = [f"{kind}Pad{d}d" for kind in ("Zero", "Constant", "Reflection", "Replication", "Circular") for d in (1, 2, 3)]


def compare(ours, theirs, shape, dtype, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    data = rng.standard_normal(shape).astype(dtype)
    x, t = gg.tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    y, e = ours(x), theirs(t)
    assert y.dtype == dtype
    numpy.testing.assert_array_equal(y.numpy(), e.detach().numpy())
    g = rng.standard_normal(e.shape).astype(dtype)
    y.backward(gg.tensor(g))
    e.backward(torch.tensor(g))
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    numpy.testing.assert_allclose(x.grad.numpy(), t.grad.numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("mode", "shape", "widths"), CALLS, ids=str)
def test_against_pytorch(mode, shape, widths, dtype, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    compare(lambda x: F.pad(x, widths, mode), lambda t: torch.nn.functional.pad(t, widths, mode), shape, dtype, rng)


def test_other_axes_and_values_of_constant_borders(rng):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    for shape in [(3,), (2, 3), (2, 2, 2, 2, 3)]:
        compare(lambda x: F.pad(x, (1, 2), value=9.0), lambda t: torch.nn.functional.pad(t, (1, 2), value=9.0), shape,
                "float64", rng)  # fmt: skip
    assert F.pad(gg.tensor([1, 2]), (1, 0), value=7).tolist() == [7, 1, 2]
    assert F.pad(gg.tensor([1.0, 2.0]), (-1, -1)).shape == (0,)


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_by_differences(mode, rng):
    x = gg.tensor(rng.standard_normal((1, 3, 4)))
    assert gg.gradcheck(lambda x: F.pad(x, (2, 1, -1, 1), mode), x)
    assert gg.gradgradcheck(lambda x: F.pad(x * x, (2, 1, -1, 1), mode), x)


@pytest.mark.parametrize("name", NAMES)
def test_modules_against_pytorch(name, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    d = int(name[-2])
    for padding in (1, (2, 1) * d):
        arguments = (padding, 3.5) if name.startswith("Constant") else (padding,)
        ours, theirs = getattr(nn, name)(*arguments), getattr(torch.nn, name)(*arguments)
        assert repr(ours) == repr(theirs)
        for before in [(2,), (1, 2)]:
            compare(ours, theirs, (*before, 3, 4, 3)[: len(before) + d], "float64", rng)
    with pytest.raises(ValueError, match=rf"{name}: expected a width, or {2 * d} widths, got \(1, 2, 3\)"):
        getattr(nn, name)((1, 2, 3), *arguments[1:])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: F.pad(x, (1, 1), "mirror"), "pad: expected mode 'constant', .* got 'mirror'"),
        (lambda x: F.pad(x, (1, 1, 1)), r"pairs of widths for at most 3 axes, got \(1, 1, 1\)"),
        (lambda x: F.pad(x, (1,) * 8), "pairs of widths for at most 3 axes"),
        (lambda x: F.pad(x, (1, 1), "reflect", 1.0), "a value is for mode 'constant', got 1.0 for 'reflect'"),
        (lambda x: F.pad(x, (1,) * 6, "reflect"), r"expected widths for all inner axes .* for shape \(1, 3, 4\)"),
        (lambda x: F.pad(x, (4, 0), "reflect"), r"widths of at most 3 for mode 'reflect' of axis 2, got \(4, 0\)"),
        (lambda x: F.pad(x, (5, 0), "circular"), "widths of at most 4 for mode 'circular' of axis 2"),
        (lambda x: F.pad(x, (-3, -2)), r"nothing is left of axis 2 of size 4 with widths \(-3, -2\)"),
        (lambda x: F.pad(x, (-2, -2), "replicate"), "nothing is left of axis 2"),
    ],
)
def test_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(gg.ones((1, 3, 4)))
