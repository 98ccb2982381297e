"""Optimizers that PyTorch does not have, against their formulas in NumPy."""

import numpy
import pytest

import gpugrad as gg
from gpugrad import optim

START = [numpy.array([[1.0, -2.0, 0.5], [0.3, 0.1, -0.7]]), numpy.array(0.4), numpy.zeros(3)]


def steps(name, dtype, n=100, **options):
    """Parameters after some steps, and the gradients that they had."""
    params = [gg.tensor(a, dtype=dtype, requires_grad=True) for a in START]
    optimizer = getattr(optim, name)(params, **options)
    seen = [[] for _ in params]
    for t in range(n):
        for i, p in enumerate(params):
            p.grad = gg.cos(p.detach() * (i + 1) + t)
            seen[i].append(p.grad.numpy().astype("float64"))
        optimizer.step()
    return [p.numpy() for p in params], seen


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "options", [{}, {"lr": 0.05, "betas": (0.8, 0.5), "weight_decay": 0.3}, {"lr": 0.01, "maximize": True}]
)
@pytest.mark.parametrize("name", ["Lion", "LAMB"])
def test_the_formulas(name, options, dtype):
    found, gradients = steps(name, dtype, **options)
    given = {
        "Lion": {"lr": 1e-4, "betas": (0.9, 0.99), "weight_decay": 0.0},
        "LAMB": {"lr": 1e-3, "betas": (0.9, 0.999), "weight_decay": 1e-2},
    }[name] | options
    lr, (b1, b2), decay = given["lr"], given["betas"], given["weight_decay"]
    for p, gs, result in zip(START, gradients, found, strict=True):
        p, m, v = p.copy(), 0 * p, 0 * p
        for t, g in enumerate(gs, 1):
            g = -g if options.get("maximize") else g
            if name == "Lion":
                p = p - lr * decay * p - lr * numpy.sign(b1 * m + (1 - b1) * g)
                m = b2 * m + (1 - b2) * g
            else:
                m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
                u = m / (1 - b1**t) / (numpy.sqrt(v / (1 - b2**t)) + 1e-6) + decay * p
                size, length = numpy.linalg.norm(p), numpy.linalg.norm(u)
                p = p - lr * (size / length if size and length else 1.0) * u
        tolerance = 1e-4 if dtype == "float32" else 1e-9
        numpy.testing.assert_allclose(result, p, rtol=tolerance, atol=tolerance)


def test_a_step_of_zero_length_stays():
    w = gg.ones(2).requires_grad_()
    w.grad = gg.zeros(2)
    optim.LAMB([w], lr=0.1, weight_decay=0.0).step()
    assert w.tolist() == [1.0, 1.0]
