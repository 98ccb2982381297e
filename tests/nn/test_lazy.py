"""Layers that find their shapes at the first call, against PyTorch where it is installed."""

import copy
import pickle
import warnings

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn

LAYERS = [
    ("LazyLinear", (3,), {}, (2, 5)),
    ("LazyLinear", (3,), {"bias": False}, (2, 4, 5)),
    ("LazyConv1d", (4, 3), {"padding": 1, "groups": 2}, (2, 6, 8)),
    ("LazyConv1d", (4, 3, 1, 1, 1, 2), {}, (2, 6, 8)),
    ("LazyConv2d", (4, 3), {"bias": False}, (2, 3, 8, 8)),
    ("LazyConv2d", (4, 3), {}, (3, 8, 8)),
    ("LazyConv3d", (4, 2), {}, (2, 3, 4, 4, 4)),
    ("LazyConvTranspose1d", (4, 3, 2, 1, 1, 2), {}, (2, 6, 8)),
    ("LazyConvTranspose2d", (4, 3), {"stride": 2}, (2, 3, 4, 4)),
    ("LazyConvTranspose3d", (4, 2), {}, (2, 3, 4, 4, 4)),
    ("LazyBatchNorm1d", (), {}, (4, 3)),
    ("LazyBatchNorm2d", (1e-3,), {"affine": False}, (4, 3, 2, 2)),
    ("LazyBatchNorm3d", (), {"track_running_stats": False}, (4, 3, 2, 2, 2)),
    ("LazyInstanceNorm1d", (), {"affine": True}, (4, 3, 5)),
    ("LazyInstanceNorm2d", (), {"affine": True, "track_running_stats": False}, (2, 3, 5, 5)),
    ("LazyInstanceNorm3d", (), {}, (4, 3, 2, 2, 2)),
]


@pytest.mark.parametrize(("name", "args", "options", "shape"), LAYERS)
def test_lazy_layers_are_those_of_pytorch(name, args, options, shape, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    ours = getattr(nn, name)(*args, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = getattr(torch.nn, name)(*args, **options)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    x = rng.standard_normal(shape).astype("float32")
    assert ours(gg.tensor(x)).shape == tuple(theirs(torch.tensor(x)).shape)
    assert type(ours).__name__ == type(theirs).__name__ == name.removeprefix("Lazy")
    assert repr(ours) == repr(theirs) or "Norm" in name
    assert [(k, v.shape) for k, v in ours.state_dict().items()] == [
        (k, tuple(v.shape)) for k, v in theirs.state_dict().items()
    ]
    again = getattr(nn, name)(*args, **options)
    again.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    again.eval()
    theirs.eval()
    numpy.testing.assert_allclose(
        again(gg.tensor(x)).detach().numpy(), theirs(torch.tensor(x)).detach().numpy(), rtol=1e-4, atol=1e-5
    )


def test_before_the_first_call():
    layer = nn.LazyLinear(2, dtype=gg.float64)
    assert layer.weight.requires_grad
    assert layer.has_uninitialized_params()
    assert repr(layer.weight) == "<UninitializedParameter>"
    for ask in (lambda: layer.weight.shape, lambda: layer.weight + 1, lambda: layer.weight.numpy(),
                lambda: gg.optim.SGD(layer.parameters(), lr=0.1)):  # fmt: skip
        with pytest.raises(ValueError, match="an UninitializedParameter has no shape and no value yet: call"):
            ask()
    with pytest.raises(ValueError, match=r"LazyLinear: expected an input of shape"):
        layer(gg.tensor(1.0))
    with pytest.raises(ValueError, match="expected an input with 3 or 4 axes, got shape"):
        nn.LazyConv2d(1, 1)(gg.ones(3))
    with pytest.raises(ValueError, match="expected in_channels that groups=2 divides, got 3"):
        nn.LazyConv1d(2, 1, groups=2)(gg.ones((1, 3, 2)))
    with pytest.raises(ValueError, match="LazyBatchNorm2d: expected an input with 4 axes"):
        nn.LazyBatchNorm2d()(gg.ones((2, 3)))


def test_moved_copied_and_loaded_before_the_first_call():
    model = nn.Sequential(nn.LazyLinear(2), nn.LazyBatchNorm1d())
    model.double().requires_grad_(False)
    for other in (model, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other[0].has_uninitialized_params()
    full = nn.Sequential(nn.Linear(3, 2, dtype=gg.float64), nn.BatchNorm1d(2, dtype=gg.float64))
    with pytest.raises(RuntimeError, match=r"0\.weight: an UninitializedParameter has no shape"):
        full.load_state_dict(model.state_dict())
    x = gg.ones((4, 3), dtype=gg.float64)
    other = copy.deepcopy(model)
    other.load_state_dict(full.state_dict())
    assert not other[0].has_uninitialized_params()
    assert (other(x) == full(x)).all()
    assert other[0].weight.dtype == gg.float64
    assert not other[0].weight.requires_grad
    fresh = copy.deepcopy(model)
    fresh.load_state_dict(model.state_dict())
    assert fresh[0].has_uninitialized_params()
    assert fresh(x).dtype == gg.float64


def test_a_loaded_layer_keeps_its_size():
    layer = nn.LazyLinear(2)
    layer.load_state_dict(nn.Linear(3, 2).state_dict())
    with pytest.raises(ValueError, match=r"expected an input of shape \(..., 3\), got \(1, 5\)"):
        layer(gg.ones((1, 5)))
    assert layer.in_features == 3


def test_a_lazy_network_learns():
    gg.random.seed(0)
    model = nn.Sequential(nn.LazyConv2d(4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(1))
    x = gg.random.standard_normal((8, 2, 5, 5), dtype=gg.float32)
    model(x)
    optimizer = gg.optim.SGD(model.parameters(), lr=0.05)
    losses = []
    for _ in range(5):
        loss = ((model(x) - 1) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
