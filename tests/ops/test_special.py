"""Special functions at their corners; each against SciPy, differences and PyTorch: tests/cases/special.py."""

from __future__ import annotations

import numpy
import pytest

import gpugrad as gg

ONE = ["erf", "erfc", "erfinv", "erfcinv", "ndtr", "log_ndtr", "ndtri", "logit", "log_expit", "entr", "gamma",
       "gammaln", "digamma", "i0", "i1", "expit"]  # fmt: skip


@pytest.mark.parametrize("shape", [(), (3,), (0,)])
@pytest.mark.parametrize("name", ONE)
def test_short_numbers_stay_short(name, shape):
    x = gg.full(shape, 0.25, dtype=gg.float16).requires_grad_()
    y = getattr(gg.special, name)(x)
    assert y.dtype == gg.float16
    y.sum().backward()
    assert x.grad.dtype == gg.float16


@pytest.mark.parametrize("name", ["xlogy", "xlog1py", "rel_entr", "kl_div", "betaln"])
def test_two_short_numbers_stay_short(name):
    x = gg.full((3,), 0.25, dtype=gg.float16)
    assert getattr(gg.special, name)(x, x).dtype == gg.float16
    assert getattr(gg.special, name)(x, x.astype(gg.float32)).dtype == gg.float32


def test_gelu_of_short_numbers():
    x = gg.tensor([0.5, -1.0]).astype(gg.float16).requires_grad_()
    y = gg.nn.functional.gelu(x)
    y.sum().backward()
    assert y.dtype == x.grad.dtype == gg.float16
    numpy.testing.assert_allclose(y.numpy(), [0.3457, -0.1587], atol=1e-3)


def test_nothing_times_its_logarithm_is_nothing():
    y = gg.zeros(1, dtype=gg.float64).requires_grad_()
    z = gg.special.xlogy(gg.zeros(1, dtype=gg.float64), y)
    z.backward(gg.ones_like(z))
    assert z.item() == 0.0
    assert y.grad.item() == 0.0  # and no NaN


def test_the_first_bessel_function_at_zero():
    assert gg.grad(gg.special.i1)(gg.tensor(0.0)).item() == 0.5
    assert gg.grad(gg.grad(gg.special.i1))(gg.tensor(0.0)).item() == 0.0


def test_a_negative_order_is_refused():
    with pytest.raises(ValueError, match="polygamma: expected n of at least 0, got -1"):
        gg.special.polygamma(-1, gg.tensor(1.0))
