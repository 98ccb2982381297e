"""Normalization and dropout layers: against PyTorch, running statistics, and what they refuse."""

from __future__ import annotations

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.nn import functional as F

TOLERANCE = {"float64": 1e-9, "float32": 1e-5}
LAYERS = [
    ("BatchNorm1d", (4,), {}, (5, 4)), ("BatchNorm1d", (4,), {}, (3, 4, 5)), ("BatchNorm2d", (3,), {}, (2, 3, 4, 5)),
    ("BatchNorm2d", (3,), {"affine": False}, (2, 3, 4, 5)), ("BatchNorm2d", (3,), {"momentum": None}, (2, 3, 4, 5)),
    ("BatchNorm2d", (3,), {"track_running_stats": False}, (2, 3, 4, 5)),
    ("BatchNorm3d", (3,), {"eps": 1e-2, "momentum": 0.3}, (2, 3, 2, 4, 2)),
    ("LayerNorm", (6,), {}, (4, 6)), ("LayerNorm", ((3, 4),), {}, (2, 3, 4)),
    ("LayerNorm", (6,), {"bias": False}, (4, 6)), ("BatchNorm1d", (4,), {"bias": False}, (5, 4)),
    ("LayerNorm", (6,), {"elementwise_affine": False, "eps": 1e-2}, (2, 4, 6)),
    ("RMSNorm", (6,), {}, (4, 6)), ("RMSNorm", ((3, 4),), {"eps": 1e-2}, (2, 3, 4)),
    ("RMSNorm", (6,), {"elementwise_affine": False}, (4, 6)),
    ("GroupNorm", (2, 6), {}, (3, 6)), ("GroupNorm", (3, 6), {}, (2, 6, 4, 3)),
    ("GroupNorm", (1, 4), {"affine": False}, (2, 4, 5)), ("GroupNorm", (2, 6), {"bias": False}, (3, 6)),
    ("GroupNorm", (6, 6), {"eps": 1e-2}, (2, 6, 4)),
    ("InstanceNorm1d", (3,), {}, (2, 3, 5)), ("InstanceNorm1d", (3,), {}, (3, 5)),
    ("InstanceNorm2d", (3,), {"affine": True}, (2, 3, 4, 5)),
    ("InstanceNorm2d", (3,), {"affine": True, "track_running_stats": True}, (2, 3, 4, 5)),
    ("InstanceNorm3d", (3,), {"affine": True}, (2, 3, 2, 2, 3)),
    ("LocalResponseNorm", (3,), {"alpha": 0.5, "k": 2.0}, (2, 5, 4)),
    ("LocalResponseNorm", (4,), {"alpha": 0.5}, (2, 5, 2, 2)),
    ("LocalResponseNorm", (2,), {}, (2, 3, 2, 2, 2)),
]  # fmt: skip
BATCH = [layer for layer in LAYERS if layer[0].startswith(("Batch", "Instance"))]


def made(name, arguments, more, dtype, rng):
    """The layer of either library with the same random state."""
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    theirs = getattr(torch.nn, name)(*arguments, **more).to(getattr(torch, dtype))
    ours = getattr(nn, name)(*arguments, **more).to(dtype)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    state = {
        key: value.numpy() if value.ndim == 0 else rng.uniform(0.5, 1.5, value.shape).astype(dtype)
        for key, value in theirs.state_dict().items()
    }
    ours.load_state_dict(state)
    theirs.load_state_dict({key: torch.tensor(value) for key, value in state.items()})
    return torch, ours, theirs


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("name", "arguments", "more", "shape"), LAYERS, ids=str)
def test_against_pytorch(name, arguments, more, shape, dtype, training, rng):
    torch, ours, theirs = made(name, arguments, more, dtype, rng)
    ours.train(training), theirs.train(training)
    tolerance = TOLERANCE[dtype]

    def close(a, b):
        numpy.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=10 * tolerance, atol=tolerance)

    for _ in range(2):
        data = (2 * rng.standard_normal(shape) + 1).astype(dtype)
        x, t = gg.tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
        y, e = ours(x), theirs(t)
        close(y, e)
        g = rng.standard_normal(shape).astype(dtype)
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            p.grad = q.grad = None
        y.backward(gg.tensor(g), create_graph=True)
        first = torch.autograd.grad(e, [t, *theirs.parameters()], torch.tensor(g), create_graph=True)
        for p, d in zip([x, *ours.parameters()], first, strict=True):
            close(p.grad, d)
        for key, value in theirs.state_dict().items():
            close(ours.state_dict()[key], value)
        if dtype == "float64" and first[0].requires_grad:
            h, x.grad = x.grad, None
            if h.requires_grad:
                (h * h).sum().backward()
            (second,) = torch.autograd.grad((first[0] ** 2).sum(), t, allow_unused=True, materialize_grads=True)
            close(gg.zeros_like(x) if x.grad is None else x.grad, second)
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize(("name", "arguments", "more", "shape"), LAYERS, ids=str)
def test_derivatives_against_differences(name, arguments, more, shape, rng):
    layer = getattr(nn, name)(*arguments, **more).to(gg.float64)
    small = tuple(min(n, 6) if i == 1 else min(n, 3) for i, n in enumerate(shape)) if name != "LayerNorm" else shape
    x = gg.tensor(rng.standard_normal(shape if name in ("RMSNorm", "InstanceNorm1d") else small))
    assert gg.gradcheck(layer, x)


@pytest.mark.parametrize(("name", "arguments", "more", "shape"), BATCH, ids=str)
def test_running_statistics_are_no_part_of_the_graph(name, arguments, more, shape, rng):
    layer = getattr(nn, name)(*arguments, **more)
    layer(gg.tensor(rng.standard_normal(shape), dtype=gg.float32, requires_grad=True))
    assert all(not b.requires_grad for b in layer.buffers())
    layer.reset_parameters()
    if layer.running_mean is not None:
        assert layer.running_mean.tolist() == [0.0] * 3 or layer.running_mean.tolist() == [0.0] * 4
        assert set(layer.running_var.tolist()) == {1.0}
        assert layer.num_batches_tracked.item() == 0


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_the_default_eps_of_rms_norm(dtype):
    torch = pytest.importorskip("torch")
    short = pytest.importorskip("ml_dtypes").bfloat16 if dtype == "bfloat16" else dtype
    x = [[1e-3, 2e-3, -1e-3, 3e-3]]
    wanted = torch.nn.functional.rms_norm(torch.tensor(x, dtype=getattr(torch, dtype)), (4,)).double().numpy()
    found = F.rms_norm(gg.tensor(x, dtype=short), (4,)).astype(gg.float64).numpy()
    assert numpy.allclose(found, wanted, rtol={"float16": 1e-3, "bfloat16": 8e-3}.get(dtype, 1e-6))


def test_large_means_lose_no_precision():
    x = gg.tensor([[1e4, 1e4 + 1, 1e4 + 2, 1e4 + 3]])
    y = F.layer_norm(x, (4,), eps=0.0)
    numpy.testing.assert_allclose(y.numpy(), [[-1.3416408, -0.4472136, 0.4472136, 1.3416408]], rtol=1e-6)


def test_empty_batches():
    for layer, shape in ((nn.LayerNorm(4), (0, 4)), (nn.GroupNorm(2, 4), (0, 4, 3)), (nn.RMSNorm(4), (0, 4))):
        x = gg.zeros(shape).requires_grad_()
        y = layer(x)
        y.sum().backward()
        assert y.shape == x.grad.shape == shape
        assert all(p.grad.tolist() == [0.0] * 4 for p in layer.parameters())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.BatchNorm2d(3)(gg.ones((2, 3, 4))), r"BatchNorm2d: expected an input with 4 axes, got"),
        (lambda: nn.BatchNorm1d(3)(gg.ones((2, 4))), r"BatchNorm1d: expected 3 channels, got shape \(2, 4\)"),
        (lambda: nn.BatchNorm1d(3)(gg.ones((1, 3))), r"more than one value a channel in training, got shape \(1, 3\)"),
        (lambda: nn.InstanceNorm1d(3)(gg.ones((2, 3, 1))), r"instance_norm: expected more than one position"),
        (lambda: F.batch_norm(gg.ones((2, 3)), None, None), "running_mean and running_var when not training, got None"),
        (lambda: F.batch_norm(gg.ones(3), None, None), r"an input \(N, C, ...\), got shape \(3,\)"),
        (lambda: F.batch_norm(gg.ones((2, 3)), None, None, gg.ones(2), training=True), r"weight of shape \(3,\), got"),
        (lambda: nn.LayerNorm(3)(gg.ones((2, 4))), r"layer_norm: expected an input \(..., 3\), got \(2, 4\)"),
        (lambda: F.rms_norm(gg.ones((2, 4)), (4,), gg.ones(3)), r"rms_norm: expected parameters of shape \(4,\)"),
        (lambda: nn.GroupNorm(4, 6), "GroupNorm: expected num_groups that divide 6 channels, got 4"),
        (lambda: F.group_norm(gg.ones((2, 5)), 2), r"group_norm: expected channels in 2 groups, got shape \(2, 5\)"),
        (lambda: F.local_response_norm(gg.ones((2, 3)), 2), r"local_response_norm: expected \(N, C, ...\)"),
        (lambda: nn.Dropout2d()(gg.ones((2, 3))), r"dropout2d: expected an input with 3 or 4 axes, got \(2, 3\)"),
        (lambda: nn.AlphaDropout(1.5), r"a probability in \[0, 1\], got 1.5"),
        (lambda: F.feature_alpha_dropout(gg.ones(3)), "feature_alpha_dropout: expected an input"),
    ],
)  # fmt: skip
def test_wrong_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---------------------------------------------------------------- dropout


@pytest.mark.parametrize(
    ("function", "shape"),
    [(F.dropout1d, (50, 40, 3)), (F.dropout2d, (50, 40, 2, 2)), (F.dropout3d, (50, 40, 2, 1, 2)),
     (F.dropout2d, (2000, 2, 2))],
)  # fmt: skip
def test_whole_channels_are_dropped(function, shape):
    x = gg.ones(shape).requires_grad_()
    y = function(x, 0.25, generator=gg.random.Generator(3))
    channels = y.numpy().reshape(*shape[: 2 if shape[0] == 50 else 1], -1)
    assert (channels == channels[..., :1]).all()
    assert set(numpy.unique(channels.round(5))) == {0.0, numpy.float32(1.33333)}
    assert abs((channels[..., 0] == 0).mean() - 0.25) < 0.03
    y.sum().backward()
    numpy.testing.assert_array_equal(x.grad.numpy(), y.numpy())
    assert function(x, 0.25, training=False) is x


@pytest.mark.parametrize("function", [F.alpha_dropout, F.feature_alpha_dropout])
def test_alpha_dropout_keeps_mean_and_variance(function):
    x = gg.random.Generator(1).normal(size=(200, 300))
    y = function(x, 0.3, generator=gg.random.Generator(2)).numpy()
    assert abs(y.mean()) < 0.02
    assert abs(y.std() - 1) < 0.02
    assert len(numpy.unique(y.round(4), return_counts=True)[1]) > 1000
    assert function(x, 0.3, training=False) is x


def test_dropout_modules_follow_the_mode():
    for module, shape in ((nn.Dropout1d(1.0), (2, 3, 4)), (nn.Dropout3d(1.0), (2, 3, 1, 1, 1)),
                          (nn.FeatureAlphaDropout(1.0), (2, 3)), (nn.AlphaDropout(1.0), (4,))):  # fmt: skip
        x = gg.ones(shape)
        assert module(x).sum().item() == 0
        assert module.eval()(x) is x
        assert repr(module) == f"{type(module).__name__}(p=1.0)"


@pytest.mark.parametrize("layer", [nn.BatchNorm1d, lambda n: nn.InstanceNorm1d(n, track_running_stats=True)])
def test_a_state_without_the_number_of_batches(layer):
    model = nn.Sequential(layer(2), nn.Linear(2, 1))
    model[0].num_batches_tracked[...] = 4
    state = {name: value for name, value in model.state_dict().items() if "num_batches" not in name}
    for strict in (True, False):
        assert model.load_state_dict(state, strict=strict) == ([], [])
    assert model[0].num_batches_tracked.item() == 4
    del state["0.running_mean"]
    with pytest.raises(RuntimeError, match=r"missing keys: 0\.running_mean$"):
        model.load_state_dict(state)


def test_states_of_bfloat16_and_of_tensors_that_need_a_gradient():
    torch = pytest.importorskip("torch", reason="its tensors are loaded")
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        theirs = torch.nn.Linear(3, 2).to(dtype)
        mine = nn.Linear(3, 2)
        mine.load_state_dict(dict(theirs.named_parameters()))
        assert mine.weight.dtype == gg.float32
        assert mine.weight.tolist() == theirs.weight.float().tolist()
