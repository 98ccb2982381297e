"""Activation functions, as functions and as modules, against PyTorch, and what they refuse."""

from __future__ import annotations

import inspect

import numpy
import pytest
from cases import ROWS

import gpugrad as gg
from gpugrad import nn
from gpugrad.nn import functional as F

CALLS = [
    ("LeakyReLU", {}), ("LeakyReLU", {"negative_slope": 0.3}), ("ReLU6", {}), ("Hardtanh", {}),
    ("Hardtanh", {"min_val": -0.5, "max_val": 2.0}), ("Hardsigmoid", {}), ("Hardswish", {}), ("Hardshrink", {}),
    ("Hardshrink", {"lambd": 1.0}), ("Softshrink", {}), ("Softshrink", {"lambd": 0.1}),
    ("Threshold", {"threshold": 0.1, "value": 20.0}), ("ELU", {}), ("ELU", {"alpha": 0.5}), ("SELU", {}), ("CELU", {}),
    ("CELU", {"alpha": 0.4}), ("GELU", {}), ("GELU", {"approximate": "tanh"}), ("SiLU", {}), ("Mish", {}),
    ("Softplus", {}), ("Softplus", {"beta": 3.0, "threshold": 2.0}), ("LogSigmoid", {}), ("Tanhshrink", {}),
    ("Softsign", {}), ("GLU", {}), ("GLU", {"dim": 1}), ("PReLU", {}), ("PReLU", {"num_parameters": 6, "init": 0.1}),
    ("RReLU", {}), ("Softmin", {"dim": 1}), ("Softmax2d", {}), ("ReLU", {}), ("Sigmoid", {}), ("Tanh", {}),
    ("Softmax", {"dim": 1}), ("LogSoftmax", {"dim": 1}),
]  # fmt: skip
TOLERANCE = {"float64": 1e-9, "float32": 1e-5}
IN_SINGLE = {(name, "float64") for name in ("LeakyReLU", "Hardsigmoid", "CELU", "RReLU")}
"""PyTorch's gradients of these have float32 constants in them."""


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("name", "arguments"), CALLS, ids=str)
def test_against_pytorch(name, arguments, dtype, rng):
    """Value, gradient and second derivative, and what it prints."""
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    ours, theirs = getattr(nn, name)(**arguments).eval(), getattr(torch.nn, name)(**arguments).eval()
    ours.to(dtype), theirs.to(getattr(torch, dtype))
    data = (3 * rng.standard_normal((2, 6, 4, 2))).astype(dtype)
    x, t = gg.tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    y, e = ours(x), theirs(t)
    tolerance = 1e-7 if (name, dtype) in IN_SINGLE else TOLERANCE[dtype]

    def close(a, b, scale=1):
        numpy.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=scale * tolerance, atol=scale * tolerance)

    close(y, e)
    g = rng.standard_normal(e.shape).astype(dtype)
    y.backward(gg.tensor(g), create_graph=True)
    variables = [t, *theirs.parameters()]
    first = torch.autograd.grad(e, variables, torch.tensor(g), create_graph=True)
    for p, d in zip([x, *ours.parameters()], first, strict=True):
        close(p.grad, d)
    ours_first, x.grad = x.grad, None
    if first[0].requires_grad and name != "Hardsigmoid":  # of which PyTorch has no second derivative
        (second,) = torch.autograd.grad((first[0] ** 2).sum(), t, allow_unused=True, materialize_grads=True)
        if ours_first.requires_grad:
            (ours_first * ours_first).sum().backward()
        close(gg.zeros_like(x) if x.grad is None else x.grad, second, scale=10)


@pytest.mark.parametrize(("name", "arguments"), CALLS, ids=str)
def test_operations_have_rows(name, arguments, rng):
    """Their derivatives are compared with differences in ``tests/ops/test_cases.py``, so not again for each module."""
    x = gg.tensor(rng.standard_normal((2, 6, 2, 2)), requires_grad=True)
    found, waiting = set(), [getattr(nn, name)(**arguments).eval()(x).node]
    while waiting:
        node = waiting.pop()
        if node.plan is not None:
            found.add(f"{node.plan.op.forward.__module__}.{node.plan.op.forward.__qualname__}")
            waiting += [parent for parent, _, _ in node.edges]
    assert found
    assert found <= {f"gpugrad.{row.operation}" for row in ROWS}


@pytest.mark.parametrize("name", sorted({name for name, _ in CALLS}))
def test_extreme_inputs_do_no_harm(name):
    arguments = next(a for n, a in CALLS if n == name)
    if arguments.get("num_parameters"):
        arguments = {}
    x = gg.tensor([[[-1e4, 1e4], [-100.0, 100.0]]], requires_grad=True)
    y = getattr(nn, name)(**arguments).eval()(x)
    y.sum().backward()
    assert numpy.isfinite(y.numpy()).all()
    assert numpy.isfinite(x.grad.numpy()).all()


@pytest.mark.parametrize("name", ["leaky_relu", "elu", "celu", "gelu", "silu", "mish", "hardtanh", "softplus",
                                  "threshold", "glu", "logsigmoid", "hardshrink", "softshrink", "relu6", "selu",
                                  "hardsigmoid", "hardswish", "softsign", "tanhshrink"])  # fmt: skip
def test_arguments_are_pytorchs(name):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    try:
        theirs = inspect.signature(getattr(torch.nn.functional, name)).parameters
    except ValueError:
        pytest.skip("PyTorch says nothing of its arguments")
    ours = inspect.signature(getattr(F, name)).parameters
    kept = [n for n in theirs if n != "inplace"]
    assert list(ours)[: len(kept)] == kept
    for n in kept:
        assert ours[n].default == theirs[n].default


def test_random_slopes(rng):
    x = gg.full((20000,), -1.0).requires_grad_()
    y = F.rrelu(x, 0.25, 0.75, training=True, generator=gg.random.Generator(1))
    values = -y.numpy()
    assert 0.25 <= values.min() < 0.26
    assert 0.74 < values.max() < 0.75
    y.sum().backward()
    numpy.testing.assert_array_equal(x.grad.numpy(), values)  # the gradient uses the slopes that were drawn


def test_gumbel_softmax_draws_classes():
    p = gg.tensor([0.2, 0.5, 0.3])
    logits = gg.broadcast_to(gg.log(p), (20000, 3))
    drawn = F.gumbel_softmax(logits, hard=True, generator=gg.random.Generator(1))
    numpy.testing.assert_allclose(drawn.mean(axis=0).numpy(), p.numpy(), atol=0.01)
    assert set(numpy.unique(drawn.numpy().round(6))) == {0.0, 1.0}
    x = gg.tensor([0.1, 0.2, 0.3], requires_grad=True)
    w = gg.tensor([1.0, 2.0, 3.0])
    (F.gumbel_softmax(x, 0.7, hard=True, generator=gg.random.Generator(2)) * w).sum().backward()
    hard, x.grad = x.grad.numpy(), None
    (F.gumbel_softmax(x, 0.7, generator=gg.random.Generator(2)) * w).sum().backward()
    numpy.testing.assert_allclose(hard, x.grad.numpy(), rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: F.gelu(x, approximate="fast"), "gelu: expected approximate='none' or 'tanh', got 'fast'"),
        (lambda x: F.celu(x, 0.0), "celu: expected an alpha that is not 0"),
        (lambda x: F.hardtanh(x, 1.0, -1.0), "hardtanh: expected min_val <= max_val, got 1.0 and -1.0"),
        (lambda x: F.softshrink(x, -1.0), "softshrink: expected lambd of at least 0, got -1.0"),
        (lambda x: F.glu(x), r"glu: expected an axis -1 of even size, got shape \(2, 3\)"),
        (lambda x: F.prelu(x, gg.ones(2)), r"prelu: expected one weight or one for each of 3 channels, got \(2,\)"),
        (lambda x: F.gumbel_softmax(x, 0.0), "gumbel_softmax: expected a positive tau, got 0.0"),
        (lambda x: nn.Softmax2d()(x), r"Softmax2d: expected an input with 3 or 4 axes, got shape \(2, 3\)"),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call(gg.zeros((2, 3)))


@pytest.mark.parametrize("function", [F.mish, F.softsign, F.relu, F.sigmoid, F.softmax, F.gelu])
def test_complex_numbers_are_refused(function):
    with pytest.raises(TypeError, match="expected real numbers, got complex64"):
        function(gg.tensor([1 + 2j]))


INPLACE = [
    ("relu", nn.ReLU, ()), ("leaky_relu", nn.LeakyReLU, (0.2,)), ("elu", nn.ELU, (0.5,)), ("selu", nn.SELU, ()),
    ("celu", nn.CELU, (0.5,)), ("silu", nn.SiLU, ()), ("mish", nn.Mish, ()), ("hardtanh", nn.Hardtanh, (-0.5, 0.5)),
    ("relu6", nn.ReLU6, ()), ("hardsigmoid", nn.Hardsigmoid, ()), ("hardswish", nn.Hardswish, ()),
    ("threshold", nn.Threshold, (0.1, 2.0)), ("rrelu", nn.RReLU, (0.1, 0.3)), ("dropout", nn.Dropout, (0.5,)),
    ("dropout1d", nn.Dropout1d, (0.5,)), ("alpha_dropout", nn.AlphaDropout, (0.5,)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind", "arguments"), INPLACE)
def test_inplace_gives_the_input_the_result(name, kind, arguments, rng):
    values = rng.standard_normal((2, 3, 4))
    plain, layer = kind(*arguments), kind(*arguments, True)
    assert repr(layer).count("inplace=True") == 1 + repr(plain).count("inplace=True")
    results = []
    options = {"training": True} if name in ("rrelu", "dropout", "dropout1d", "alpha_dropout") else {}
    for f in (plain, layer, lambda x: getattr(F, name)(x, *arguments, **options, inplace=True)):
        gg.random.seed(4)
        w = gg.tensor(values, requires_grad=True)
        x = w * 1.0
        before = x[0]
        y = f(x)
        (y * y).sum().backward()
        assert (y is x) is (f is not plain)
        numpy.testing.assert_array_equal(before.numpy(), values[0])
        results.append((y.numpy(), w.grad.numpy()))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            numpy.testing.assert_array_equal(a, b)
    with pytest.raises(gg.GradientError, match="a leaf that needs a gradient cannot be changed while recording"):
        layer(gg.tensor(values, requires_grad=True))
