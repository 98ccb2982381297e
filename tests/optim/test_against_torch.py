"""Every optimizer takes the same 50 steps as PyTorch's."""

import numpy
import pytest

import gpugrad as gg
from gpugrad import optim

torch = pytest.importorskip("torch")

ROWS = [
    ("SGD", {}),
    ("SGD", {"lr": 0.05, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.05, "momentum": 0.9}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.001, "momentum": 0.8, "maximize": True}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5}),
    ("Adagrad", {"maximize": True}),
    ("RMSprop", {}),
    ("RMSprop", {"alpha": 0.9, "momentum": 0.8, "weight_decay": 0.1}),
    ("RMSprop", {"centered": True, "eps": 1e-3}),
    ("RMSprop", {"centered": True, "momentum": 0.5, "maximize": True, "eps": 1e-3}),
    ("Adam", {}),
    ("Adam", {"lr": 0.1, "betas": (0.8, 0.95), "weight_decay": 0.1}),
    ("Adam", {"lr": 0.1, "amsgrad": True}),
    ("Adam", {"betas": (0.4, 0.9), "maximize": True}),
    ("Adam", {"betas": (0.0, 0.0), "eps": 0.1}),
    ("Adam", {"lr": 0.1, "decoupled_weight_decay": True, "weight_decay": 0.2}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.3, "amsgrad": True}),
]
rows = pytest.mark.parametrize(("name", "options"), ROWS)

START = [numpy.array([[1.0, -2.0, 0.5], [0.3, 0.1, -0.7]]), numpy.array(0.4), numpy.array([0.2, -0.9]), numpy.zeros(0)]
TARGET = numpy.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.5], [2.0, 2.0]])
INPUT = numpy.linspace(-1, 1, 12).reshape(4, 3)


def loss_of(params, x, target, use):
    """A least-squares fit; which parameters take part is the caller's choice."""
    w, scale, b, _ = params
    y = x @ w.T
    if "scale" in use:
        y = y * scale
    if "b" in use:
        y = y + b
    return ((y - target) ** 2).mean()


def used(step):
    """The scale has no gradient on every third step, the bias none on the first four."""
    return {name for name, there in (("scale", step % 3), ("b", step >= 4)) if there}


def groups(params, many):
    w, scale, b, empty = params
    return [{"params": [w, empty]}, {"params": [b, scale], "lr": 0.02}] if many else list(params)


def train(name, options, dtype, many=False, steps=50, use=used):
    """The parameters and the optimizer's state after some steps, here and with PyTorch."""
    ours = [gg.tensor(a, dtype=dtype, requires_grad=True) for a in START]
    theirs = [torch.tensor(a, dtype=getattr(torch, dtype), requires_grad=True) for a in START]
    optimizers = (
        getattr(optim, name)(groups(ours, many), **options),
        getattr(torch.optim, name)(groups(theirs, many), foreach=False, **options),
    )
    real = getattr(torch, dtype)
    data = (
        [gg.tensor(INPUT, dtype=dtype), gg.tensor(TARGET, dtype=dtype)],
        [torch.tensor(INPUT, dtype=real), torch.tensor(TARGET, dtype=real)],
    )
    for step in range(steps):
        for params, optimizer, (x, target) in zip((ours, theirs), optimizers, data, strict=True):
            if step == 30:
                optimizer.param_groups[-1]["lr"] *= 0.5
            optimizer.zero_grad()
            loss_of(params, x, target, use(step)).backward()
            optimizer.step()
    return ours, theirs, *optimizers


def assert_close(a, b, dtype, what=None):
    a = a.numpy() if isinstance(a, gg.Tensor) else a
    b = b.detach().numpy() if isinstance(b, torch.Tensor) else b
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    numpy.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=what)


@rows
@pytest.mark.parametrize("many", [False, True], ids=["one group", "two groups"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fifty_steps(name, options, dtype, many):
    ours, theirs, mine, other = train(name, options, dtype, many)
    for p, q in zip(ours, theirs, strict=True):
        assert_close(p, q, dtype)
    states = mine.state_dict()["state"], other.state_dict()["state"]
    assert states[0].keys() == states[1].keys()
    for i, entry in states[0].items():
        expected = {k: v for k, v in states[1][i].items() if v is not None}
        assert entry.keys() == expected.keys()
        for key, value in entry.items():
            assert_close(value, expected[key], dtype, key)


@rows
def test_defaults_are_pytorchs(name, options):
    p, q = gg.zeros(1).requires_grad_(), torch.zeros(1, requires_grad=True)
    mine, other = getattr(optim, name)([p]).param_groups[0], getattr(torch.optim, name)([q]).param_groups[0]
    extra = {"foreach", "fused", "capturable", "differentiable"}
    assert {k: v for k, v in mine.items() if k != "params"} == {
        k: v for k, v in other.items() if k not in extra | {"params"}
    }


@rows
def test_state_of_pytorch_as_arrays_can_be_loaded(name, options):
    _, theirs, _, other = train(name, options, "float64", many=True, steps=20)
    saved = other.state_dict()
    saved["state"] = {
        i: {k: v.numpy() if isinstance(v, torch.Tensor) else v for k, v in entry.items()}
        for i, entry in saved["state"].items()
    }
    ours = [gg.tensor(q.detach().numpy(), requires_grad=True) for q in theirs]
    mine = getattr(optim, name)(groups(ours, True))
    mine.load_state_dict(saved)
    for _ in range(10):
        for p, q in zip(ours, theirs, strict=True):
            q.grad = torch.cos(q.detach())
            p.grad = gg.cos(p.detach())
        mine.step()
        other.step()
    for p, q in zip(ours, theirs, strict=True):
        assert_close(p, q, "float64")


@rows
def test_pytorch_can_load_the_state(name, options):
    ours, _, mine, _ = train(name, options, "float64", steps=5)
    saved = mine.state_dict()
    saved["state"] = {
        i: {k: torch.tensor(v.numpy()) if isinstance(v, gg.Tensor) else v for k, v in entry.items()}
        for i, entry in saved["state"].items()
    }
    theirs = [torch.tensor(p.numpy(), requires_grad=True) for p in ours]
    other = getattr(torch.optim, name)(theirs, foreach=False)
    other.load_state_dict(saved)
    for p, q in zip(ours, theirs, strict=True):
        q.grad = torch.cos(q.detach())
        p.grad = gg.cos(p.detach())
    mine.step()
    other.step()
    for p, q in zip(ours, theirs, strict=True):
        assert_close(p, q, "float64")


@rows
def test_complex_parameters(name, options):
    start = numpy.array([1 + 2j, -0.5j, 3 - 1j])
    p, q = gg.tensor(start, requires_grad=True), torch.tensor(start, requires_grad=True)
    mine = getattr(optim, name)([p], **options)
    other = getattr(torch.optim, name)([q], foreach=False, **options)
    for step in range(10):
        g = start * numpy.exp(1j * step) + 0.1
        p.grad, q.grad = gg.tensor(g), torch.tensor(g)
        mine.step()
        other.step()
    assert_close(p, q, "float64")
