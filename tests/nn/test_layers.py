"""Layers and functions against PyTorch, and dropout."""

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.nn import functional as F

TOLERANCE = {"float64": 1e-9, "float32": 1e-5}
LAYERS = [  # what makes the layer in either library, shape of the input
    (lambda nn, dtype: nn.Linear(4, 3, dtype=dtype), (5, 4)),
    (lambda nn, dtype: nn.Linear(4, 3, dtype=dtype), (4,)),
    (lambda nn, dtype: nn.Linear(4, 3, dtype=dtype), (2, 0, 4)),
    (lambda nn, dtype: nn.Linear(4, 3, bias=False, dtype=dtype), (2, 5, 4)),
    (lambda nn, dtype: nn.ReLU(), (3, 4)),
    (lambda nn, dtype: nn.Sigmoid(), (3, 4)),
    (lambda nn, dtype: nn.Tanh(), (3, 4)),
    (lambda nn, dtype: nn.Softmax(dim=1), (3, 4)),
    (lambda nn, dtype: nn.LogSoftmax(dim=0), (3, 4)),
    (lambda nn, dtype: nn.Flatten(), (3, 4)),
    (lambda nn, dtype: nn.Flatten(), (3, 4, 2)),
    (lambda nn, dtype: nn.Flatten(), (0, 4, 2)),
    (lambda nn, dtype: nn.Flatten(0, -2), (3, 4, 2)),
    (lambda nn, dtype: nn.Identity(54, unused=1), (3,)),
]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("make", "shape"), LAYERS)
def test_against_pytorch(make, shape, dtype, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    theirs, ours = make(torch.nn, getattr(torch, dtype)), make(nn, dtype)
    ours.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    data = rng.standard_normal(shape).astype(dtype)
    x, x_ = gg.tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    y, y_ = ours(x), theirs(x_)
    assert y.shape == tuple(y_.shape)
    assert y.dtype == dtype
    g = rng.standard_normal(y.shape).astype(dtype)
    y.backward(gg.tensor(g))
    y_.backward(torch.tensor(g))
    tolerance = TOLERANCE[dtype]
    numpy.testing.assert_allclose(y.numpy(), y_.detach().numpy(), rtol=tolerance, atol=tolerance)
    numpy.testing.assert_allclose(x.grad.numpy(), x_.grad.numpy(), rtol=tolerance, atol=tolerance)
    for p, p_ in zip(ours.parameters(), theirs.parameters(), strict=True):
        numpy.testing.assert_allclose(p.grad.numpy(), p_.grad.numpy(), rtol=tolerance, atol=tolerance)


def test_linear_begins_as_in_pytorch():
    layer = nn.Linear(100, 400)
    assert layer.weight.shape == (400, 100)
    assert layer.bias.shape == (400,)
    assert layer.weight.requires_grad
    for p in (layer.weight, layer.bias):
        values = p.numpy()
        assert abs(values).max() <= 0.1
        assert abs(values).max() > 0.095
        assert abs(values.std() - 0.1 / numpy.sqrt(3)) < 0.005
    assert nn.Linear(2, 3, bias=False).bias is None
    assert nn.Linear(0, 3).bias.tolist() == [0, 0, 0]
    assert nn.Linear(2, 3, dtype=gg.float64).bias.dtype == gg.float64


def test_the_same_seed_makes_the_same_layer():
    state = gg.random.default_generator.state
    try:
        gg.random.seed(3)
        first = nn.Linear(3, 2).state_dict()
        gg.random.seed(3)
        second = nn.Linear(3, 2).state_dict()
    finally:
        gg.random.default_generator.state = state
    assert all((first[key] == second[key]).all() for key in first)


def test_second_derivatives_go_through_a_model(rng):
    model = nn.Sequential(nn.Linear(3, 4, dtype=gg.float64), nn.Tanh(), nn.Linear(4, 3, dtype=gg.float64))
    labels = gg.tensor([0, 2])
    assert gg.gradgradcheck(lambda x: F.cross_entropy(model(x), labels), gg.tensor(rng.standard_normal((2, 3))))


# -------------------------------------------------------------------- dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(p):
    x = gg.full((200, 500), 3.0).requires_grad_()
    y = F.dropout(x, p, generator=gg.random.Generator(1))
    values = y.numpy()
    assert abs((values == 0).mean() - p) < 0.01
    assert abs(values.mean() - 3) < 0.1
    numpy.testing.assert_allclose(values[values != 0], 3 / (1 - p), rtol=1e-6)
    y.sum().backward()
    numpy.testing.assert_allclose(x.grad.numpy(), values / 3, rtol=1e-6)
    assert y.dtype == gg.float32


def test_dropout_has_the_mask_of_its_seed_in_every_dtype():
    masks = [
        F.dropout(gg.ones(1000, dtype=dtype), 0.5, generator=gg.random.Generator(seed)).numpy() == 0
        for seed, dtype in [(1, "float32"), (1, "float64"), (2, "float32")]
    ]
    assert (masks[0] == masks[1]).all()
    assert (masks[0] != masks[2]).any()
    generator = gg.random.Generator(1)
    first, second = (F.dropout(gg.ones(1000), generator=generator).numpy() for _ in range(2))
    assert (first != second).any()


def test_the_dropout_module_draws_from_the_default_generator():
    state = gg.random.default_generator.state
    layer = nn.Dropout(0.5)
    try:
        gg.random.seed(4)
        first = layer(gg.ones(100)).numpy()
        gg.random.seed(4)
        assert (layer(gg.ones(100)).numpy() == first).all()
        assert (layer(gg.ones(100)).numpy() != first).any()
    finally:
        gg.random.default_generator.state = state


def test_dropout_does_nothing_in_evaluation():
    x = gg.ones(10)
    assert nn.Dropout(0.5).eval()(x) is x
    assert nn.Dropout(0.0)(x) is x
    assert F.dropout(x, 0.5, training=False) is x


def test_dropout_of_everything():
    x = gg.tensor([1.0, numpy.nan, numpy.inf], requires_grad=True)
    with numpy.errstate(invalid="ignore"):  # inf * 0, which nobody sees
        y = F.dropout(x, 1.0)
    y.sum().backward()
    assert y.tolist() == x.grad.tolist() == [0, 0, 0]


def test_dropout_of_channels_keeps_only_the_mask():
    x = gg.ones((10, 10, 1)).requires_grad_()
    y = F.dropout1d(x, 0.5)
    (edge,) = y.node.edges
    mask, scale = edge[2]
    assert mask.dtype == bool
    assert scale == 2
