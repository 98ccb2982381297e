"""Initializers: distribution, fans, in place, and what is refused."""

import math

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn

SHAPE, FAN_IN, FAN_OUT = (60, 40, 3, 3), 360, 540
GLOROT = math.sqrt(2 / (FAN_IN + FAN_OUT))
CASES = [  # call, standard deviation, bound (None: normal)
    (lambda x, g: nn.init.uniform_(x, -2, 2, generator=g), 2 / math.sqrt(3), 2),
    (lambda x, g: nn.init.normal_(x, 0, 3, generator=g), 3, None),
    (lambda x, g: nn.init.xavier_uniform_(x, generator=g), GLOROT, GLOROT * math.sqrt(3)),
    (lambda x, g: nn.init.xavier_normal_(x, gain=2, generator=g), 2 * GLOROT, None),
    (lambda x, g: nn.init.kaiming_uniform_(x, generator=g), math.sqrt(2 / FAN_IN), math.sqrt(6 / FAN_IN)),
    (lambda x, g: nn.init.kaiming_normal_(x, nonlinearity="relu", generator=g), math.sqrt(2 / FAN_IN), None),
    (lambda x, g: nn.init.kaiming_normal_(x, a=1.0, mode="fan_out", generator=g), math.sqrt(1 / FAN_OUT), None),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("call", "std", "bound"), CASES)
def test_distribution(call, std, bound, dtype):
    x = nn.Parameter(gg.zeros(SHAPE, dtype=dtype))
    data, node = x.data, x.node
    assert call(x, gg.random.Generator(3)) is x
    assert x.data is data
    assert x.node is node
    assert x.grad is None
    values = x.numpy()
    assert abs(values.mean()) < 0.02 * std
    assert abs(values.std() - std) < 0.02 * std
    if bound is None:
        assert abs(values).max() > 3 * std
    else:
        assert 0.99 * bound < abs(values).max() <= bound * (1 + 1e-6)
    again = nn.Parameter(gg.zeros(SHAPE, dtype=dtype))
    assert (call(again, gg.random.Generator(3)) == x).all()


def test_constants():
    x = nn.Parameter(gg.zeros((2, 2)))
    assert nn.init.ones_(x).tolist() == [[1, 1], [1, 1]]
    assert nn.init.zeros_(x).tolist() == [[0, 0], [0, 0]]
    assert nn.init.constant_(x, 2.5).tolist() == [[2.5, 2.5], [2.5, 2.5]]


def test_a_backward_pass_that_needs_the_old_value_notices():
    x = nn.Parameter(gg.ones(2))
    y = (x * x).sum()
    nn.init.zeros_(x)
    with pytest.raises(gg.GradientError, match="changed in place"):
        y.backward()


@pytest.mark.parametrize(
    "name", ["linear", "conv1d", "conv2d", "conv3d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]
)
def test_gains_are_those_of_pytorch(name):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    assert nn.init.calculate_gain(name) == pytest.approx(torch.nn.init.calculate_gain(name))
    expected = torch.nn.init.calculate_gain("leaky_relu", 0.3)
    assert nn.init.calculate_gain("leaky_relu", 0.3) == pytest.approx(expected)


def test_nothing_to_draw():
    assert nn.init.xavier_uniform_(gg.zeros((0, 0))).shape == (0, 0)
    assert nn.init.kaiming_normal_(gg.zeros((3, 0))).shape == (3, 0)


def test_a_normal_distribution_that_is_cut():
    stats = pytest.importorskip("scipy.stats", reason="SciPy is the oracle of this test")
    x = nn.init.trunc_normal_(gg.zeros(20000, dtype=gg.float64), 1.0, 2.0, -1.0, 4.0, gg.random.Generator(1)).numpy()
    assert x.min() >= -1
    assert x.max() <= 4
    assert stats.kstest(x, stats.truncnorm(-1, 1.5, 1, 2).cdf).pvalue > 0.01
    far = nn.init.trunc_normal_(gg.zeros(1000), 0.0, 1.0, 20.0, 21.0).numpy()  # no chance: everything at a bound
    assert ((far >= 20) & (far <= 21)).all()


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3), (4, 3, 2, 2), (2, 1)])
def test_orthogonal(shape):
    w = nn.init.orthogonal_(nn.Parameter(gg.zeros(shape, dtype=gg.float64)), gain=2.0).numpy()
    w = w.reshape(shape[0], -1) / 2
    product = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    numpy.testing.assert_allclose(product, numpy.eye(len(product)), atol=1e-12)


def test_orthogonal_matrices_are_equally_likely():
    generator = gg.random.Generator(5)
    drawn = [nn.init.orthogonal_(gg.zeros((2, 2)), generator=generator).numpy() for _ in range(400)]
    assert abs(numpy.mean(drawn, axis=0)).max() < 0.15
    assert 150 < sum(numpy.linalg.det(w) > 0 for w in drawn) < 250
    angles = [numpy.arctan2(w[1, 0], w[0, 0]) for w in drawn]
    assert numpy.histogram(angles, bins=4, range=(-numpy.pi, numpy.pi))[0].min() > 60


def test_sparse():
    w = nn.init.sparse_(gg.zeros((200, 30)), 0.251, std=3.0, generator=gg.random.Generator(0)).numpy()
    assert ((w == 0).sum(axis=0) == 51).all()
    assert abs(w[w != 0].std() - 3) < 0.1
    assert (w == 0)[:, 0].tolist() != (w == 0)[:, 1].tolist()


@pytest.mark.parametrize(
    ("name", "shape", "options"),
    [("eye_", (3, 5), {}), ("dirac_", (4, 3, 3), {}), ("dirac_", (4, 2, 4, 3), {}), ("dirac_", (2, 5, 1, 2, 3), {}),
     ("dirac_", (6, 2, 3, 3), {"groups": 3})],
)  # fmt: skip
def test_patterns_are_those_of_pytorch(name, shape, options):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    ours = getattr(nn.init, name)(nn.Parameter(gg.ones(shape)), **options)
    theirs = getattr(torch.nn.init, name)(torch.ones(shape), **options)
    assert (ours.numpy() == theirs.numpy()).all()


WRONG = [
    (lambda: nn.init.trunc_normal_(gg.zeros(3), a=2.0, b=1.0), ValueError, "expected a < b, got a=2.0 and b=1.0"),
    (lambda: nn.init.trunc_normal_(gg.zeros(3), std=0.0), ValueError, "expected a positive std, got 0.0"),
    (lambda: nn.init.eye_(gg.zeros(3)), ValueError, r"eye_: expected a matrix, got shape \(3,\)"),
    (lambda: nn.init.dirac_(gg.zeros((3, 3))), ValueError, r"expected 3, 4 or 5 axes, got shape \(3, 3\)"),
    (lambda: nn.init.dirac_(gg.zeros((3, 3, 1)), 2), ValueError, "groups to divide the 3 outputs, got 2"),
    (lambda: nn.init.orthogonal_(gg.zeros(3)), ValueError, "expected at least two axes"),
    (lambda: nn.init.sparse_(gg.zeros(3), 0.1), ValueError, "sparse_: expected a matrix"),
    (lambda: nn.init.sparse_(gg.zeros((3, 3)), 1.1), ValueError, r"sparsity in \[0, 1\], got 1.1"),
    (lambda: nn.init.xavier_normal_(gg.zeros(3)), ValueError, r"weight of shape \(out, in, ...\).*got \(3,\)"),
    (lambda: nn.init.kaiming_normal_(gg.zeros((3, 3)), mode="fan"), ValueError, "'fan_in' or 'fan_out', got 'fan'"),
    (lambda: nn.init.calculate_gain("gelu"), ValueError, "expected one of conv1d, .* got 'gelu'"),
    (lambda: nn.init.zeros_(nn.Parameter([1.0]) * 2), gg.GradientError, "zeros_: only a leaf .* result of multiply"),
    (lambda: nn.init.uniform_(gg.zeros(3, dtype=gg.int64)), TypeError, "real floating-point dtype, got int64"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_every_initializer_is_tested():
    drawn = {name for name in vars(nn.init) if name.endswith("_") and not name.startswith("_")}
    assert drawn == {
        "trunc_normal_", "eye_", "dirac_", "orthogonal_", "sparse_",
        "uniform_", "normal_", "constant_", "zeros_", "ones_", "xavier_uniform_", "xavier_normal_", "kaiming_uniform_",
        "kaiming_normal_",
    }  # fmt: skip
    assert numpy.isfinite(nn.Linear(3, 3).weight.numpy()).all()
