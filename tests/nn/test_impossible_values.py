"""Values that cannot be: probabilities outside [0, 1] and negative variances raise; on a GPU, at no wait."""

import numpy
import pytest

import gpugrad as gg
from gpugrad.nn import functional as F
from gpugrad.testing import cuda_simulator

HALF = [0.5, 0.25]

IMPOSSIBLE = {
    "a probability above 1": (lambda v: F.binary_cross_entropy(v, gg.tensor(HALF)), [0.5, 1.5], "input from 0 to 1"),
    "a probability below 0": (lambda v: F.binary_cross_entropy(v, gg.tensor(HALF)), [-1e-6, 0.5], "input from 0 to 1"),
    "a target above 1": (lambda v: F.binary_cross_entropy(gg.tensor(HALF), v), [0.5, 2.0], "target from 0 to 1"),
    "a target below 0": (lambda v: F.binary_cross_entropy(gg.tensor(HALF), v), [-1.0, 0.5], "target from 0 to 1"),
    "a negative variance": (
        lambda v: F.gaussian_nll_loss(gg.tensor(HALF), gg.tensor(HALF), v), [1.0, -1e-3], "variances of at least 0",
    ),
}  # fmt: skip

POSSIBLE = {
    "certain": (lambda v: F.binary_cross_entropy(v, v), [0.0, 1.0]),
    "not a number": (lambda v: F.binary_cross_entropy(v, gg.tensor(HALF)), [0.5, numpy.nan]),
    "no variance": (lambda v: F.gaussian_nll_loss(gg.tensor(HALF), gg.tensor(HALF), v), [0.0, 1.0]),
}


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_raises(case, dtype):
    loss, values, text = IMPOSSIBLE[case]
    with gg.default_dtype(dtype), pytest.raises(ValueError, match=text):
        loss(gg.tensor(values, dtype=dtype)).item()
    with gg.default_dtype(dtype), pytest.raises(ValueError, match=text):
        gg.grad(loss)(gg.tensor(values, dtype=dtype)).tolist()


@pytest.mark.parametrize("case", POSSIBLE)
def test_passes(case):
    loss, values = POSSIBLE[case]
    loss(gg.tensor(values)).item()


def test_one_sample_of_many():
    with pytest.raises(ValueError, match="input from 0 to 1"):
        gg.vmap(lambda p: F.binary_cross_entropy(p, gg.tensor(HALF)))(gg.tensor([HALF, [0.5, 1.5]])).tolist()


def test_numbers():
    with pytest.raises(ValueError, match="variances of at least 0, got -1"):
        F.gaussian_nll_loss(gg.tensor(HALF), gg.tensor(HALF), -1.0)
    with pytest.raises(ValueError, match="target from 0 to 1, got 2"):
        F.binary_cross_entropy(gg.tensor(HALF), 2.0)


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_nobody_waits_for_a_gpu(case, device):
    if not device.is_host:
        pytest.skip("installs its own simulator")
    loss, values, text = IMPOSSIBLE[case]
    with cuda_simulator.installed(), gg.default_device("cuda"):
        given, half = gg.tensor(values), gg.tensor(HALF)
        loss(half)
        with cuda_simulator.count() as seen:
            y = loss(given)
        assert (seen.synchronizations, seen.device_to_host) == (0, 0)
        with pytest.raises(ValueError, match=text):
            y.item()
        assert numpy.isfinite(loss(half).item())  # the report is empty again
