"""Clipping, vectors of parameters and parametrizations, against PyTorch where it is installed."""

import copy

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.nn import utils
from gpugrad.nn.utils import parametrizations, parametrize
from gpugrad.testing import cuda_simulator


def leaves(rng, *shapes):
    made = [nn.Parameter(rng.standard_normal(shape)) for shape in shapes]
    gg.stack([(p**3).sum() for p in made]).sum().backward()
    return made


@pytest.mark.parametrize("norm_type", [1, 2, 3.5, float("inf")])
@pytest.mark.parametrize("max_norm", [0.1, 1e6])
def test_gradients_are_scaled_as_in_pytorch(rng, norm_type, max_norm):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    ours = [*leaves(rng, (3, 2), (4,), ()), nn.Parameter([1.0])]
    theirs = [torch.nn.Parameter(torch.tensor(p.numpy())) for p in ours]
    for p, q in zip(ours, theirs, strict=True):
        q.grad = None if p.grad is None else torch.tensor(p.grad.numpy())
    found = utils.clip_grad_norm_(ours, max_norm, norm_type)
    expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm, norm_type)
    numpy.testing.assert_allclose(found.item(), expected.item())
    for p, q in zip(ours[:3], theirs, strict=False):
        numpy.testing.assert_allclose(p.grad.numpy(), q.grad.numpy())
    assert ours[3].grad is None


def test_gradients_are_cut_off(rng):
    (p,) = leaves(rng, (50,))
    before = p.grad.numpy()
    utils.clip_grad_value_([p], 0.5)
    numpy.testing.assert_array_equal(p.grad.numpy(), before.clip(-0.5, 0.5))


def test_a_norm_that_is_not_finite():
    p = nn.Parameter([1.0])
    p.grad = gg.tensor([float("nan")])
    with pytest.raises(RuntimeError, match=r"norm of order 2\.0 is nan"):
        utils.clip_grad_norm_(p, 1.0, error_if_nonfinite=True)
    assert utils.clip_grad_norm_([], 1.0).item() == 0


def test_vectors_of_parameters(rng):
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1, bias=False))
    vector = utils.parameters_to_vector(model.parameters())
    assert vector.shape == (12,)
    (vector * vector).sum().backward()
    assert (model[0].bias.grad == 2 * model[0].bias).all()
    data = model[0].weight.data
    utils.vector_to_parameters(gg.arange(12, dtype=gg.float64), model.parameters())
    assert model[0].weight.data is data
    assert utils.parameters_to_vector(model.parameters()).tolist() == list(range(12))


LAYERS = [
    ("weight_norm", lambda nn: nn.Linear(4, 3), {}, (5, 4)),
    ("weight_norm", lambda nn: nn.Linear(4, 3), {"dim": 1}, (5, 4)),
    ("weight_norm", lambda nn: nn.Linear(4, 3), {"dim": None}, (5, 4)),
    ("weight_norm", lambda nn: nn.Conv2d(2, 3, 3), {}, (2, 2, 5, 5)),
    ("spectral_norm", lambda nn: nn.Linear(4, 3), {}, (5, 4)),
    ("spectral_norm", lambda nn: nn.Conv2d(2, 3, 3), {"n_power_iterations": 3}, (2, 2, 5, 5)),
    ("spectral_norm", lambda nn: nn.ConvTranspose2d(2, 3, 3), {}, (2, 2, 5, 5)),
    ("spectral_norm", lambda nn: nn.Linear(4, 3), {"name": "bias"}, (5, 4)),
]


@pytest.mark.parametrize(("name", "layer", "options", "shape"), LAYERS)
def test_parametrizations_are_those_of_pytorch(name, layer, options, shape, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    ours, theirs = layer(nn), layer(torch.nn)
    ours = getattr(parametrizations, name)(ours, **options)
    theirs = getattr(torch.nn.utils.parametrizations, name)(theirs, **options)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    x = rng.standard_normal(shape).astype("float32")
    for _ in range(3):
        y, z = ours(gg.tensor(x)), theirs(torch.tensor(x))
        numpy.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), rtol=1e-4, atol=1e-5)
    (y * y).sum().backward()
    (z * z).sum().backward()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        numpy.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-3, atol=1e-4)
    for (key, p), q in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        numpy.testing.assert_allclose(p.numpy(), q.numpy(), rtol=1e-4, atol=1e-5, err_msg=key)


def test_a_weight_normalized_layer_computes_what_it_did(rng):
    layer = nn.Linear(4, 3)
    weight = layer.weight.numpy()
    x = gg.tensor(rng.standard_normal((5, 4)), dtype=gg.float32)
    y = layer(x).detach()
    assert parametrizations.weight_norm(layer) is layer
    numpy.testing.assert_allclose(layer.weight.detach().numpy(), weight, rtol=1e-6)
    numpy.testing.assert_allclose(layer(x).detach().numpy(), y.numpy(), rtol=1e-4, atol=1e-6)
    assert isinstance(layer, nn.Linear)
    assert type(layer).__name__ == "ParametrizedLinear"
    other = copy.deepcopy(layer)
    layer.weight = gg.ones((3, 4))
    numpy.testing.assert_allclose(layer.weight.detach().numpy(), 1, rtol=1e-6)
    numpy.testing.assert_allclose(other.weight.detach().numpy(), weight, rtol=1e-6)
    assert parametrize.remove_parametrizations(other, "weight") is other
    assert type(other) is nn.Linear
    assert list(other.state_dict()) == ["bias", "weight"]
    numpy.testing.assert_allclose(other(x).detach().numpy(), y.numpy(), rtol=1e-4, atol=1e-6)
    assert isinstance(other.weight, nn.Parameter)


def test_the_largest_singular_value_is_one(rng):
    layer = parametrizations.spectral_norm(nn.Linear(20, 30), n_power_iterations=50)
    assert numpy.linalg.norm(layer.weight.detach().numpy(), 2) == pytest.approx(1, rel=1e-4)
    layer.eval()
    u = layer.parametrizations["weight"][0]._u.numpy()
    layer(gg.ones((1, 20)))
    assert (layer.parametrizations["weight"][0]._u.numpy() == u).all()


class Twice(nn.Module):
    def forward(self, x):
        return 2 * x


def test_parametrizations_one_after_the_other():
    layer = nn.Linear(2, 2)
    original, weight = layer.weight, layer.weight.numpy()
    parametrize.register_parametrization(layer, "weight", Twice())
    parametrize.register_parametrization(layer, "weight", Twice())
    assert (layer.weight.detach().numpy() == 4 * weight).all()
    assert parametrize.is_parametrized(layer, "weight")
    assert not parametrize.is_parametrized(layer, "bias")
    layer(gg.ones((1, 2))).sum().backward()
    assert (original.grad == 4).all()
    parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
    assert layer.weight is original
    assert (layer.weight.numpy() == weight).all()


class Flat(nn.Module):
    def forward(self, x):
        return x.reshape(-1)


WRONG = [
    (lambda: utils.clip_grad_norm_([3], 1.0), TypeError, "clip_grad_norm_: expected parameters as Tensors, got int"),
    (lambda: utils.clip_grad_norm_([], -1.0), ValueError, "expected max_norm of at least 0, got -1.0"),
    (lambda: utils.clip_grad_value_([], -1.0), ValueError, "expected clip_value of at least 0, got -1.0"),
    (lambda: utils.parameters_to_vector([]), ValueError, "expected at least one parameter, got none"),
    (lambda: utils.vector_to_parameters([1], []), TypeError, "expected vec as a Tensor, got list"),
    (lambda: utils.vector_to_parameters(gg.ones(3), [gg.ones(2)]), ValueError, r"of shape \(2,\), got \(3,\)"),
    (lambda: parametrizations.weight_norm(nn.ReLU()), AttributeError, "ReLU has no parameter 'weight'"),
    (lambda: parametrizations.weight_norm(nn.Linear(1, 1), dim=2), IndexError, "no axis 2 in 'weight', which has 2"),
    (lambda: parametrizations.spectral_norm(nn.Linear(1, 1), dim=2), IndexError, "no axis 2 in 'weight', which has 2"),
    (lambda: parametrizations.spectral_norm(nn.Linear(1, 1), n_power_iterations=0), ValueError, "at least 1, got 0"),
    (lambda: parametrize.register_parametrization(nn.Linear(1, 2), "weight", Flat()), ValueError,
     r"weight: expected a value of float32 \(2, 1\), got float32 \(2,\)"),
    (lambda: parametrize.remove_parametrizations(nn.Linear(1, 1), "weight"), ValueError, "is not parametrized"),
    (lambda: parametrize.remove_parametrizations(parametrizations.weight_norm(nn.Linear(1, 1)), "weight", False),
     ValueError, "'weight' has several originals"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_on_the_second_gpu():
    if cuda_simulator.is_installed():
        pytest.skip("installs its own simulator")
    with cuda_simulator.installed(devices=2):
        model = nn.Sequential(nn.LazyLinear(6), nn.LazyBatchNorm1d(), nn.ReLU(), nn.Linear(6, 2)).to("cuda:1")
        x = gg.ones((4, 3), device="cuda:1")
        model(x)
        for p in model.parameters():
            if p.ndim == 2:
                nn.init.orthogonal_(p)
        parametrizations.spectral_norm(parametrizations.weight_norm(model[0]))
        model[3].register_full_backward_hook(lambda m, before, after: (before[0] * 2,))
        model(x).sum().backward()
        norm = utils.clip_grad_norm_(model.parameters(), 0.1)
        utils.vector_to_parameters(utils.parameters_to_vector(model.parameters()).detach(), model.parameters())
        assert nn.summary(model, x).parameters == sum(p.size for p in model.parameters())
        optimizer = gg.optim.Adam(model.parameters(), lr=0.1)
        found = gg.diagnose(model, x, lambda y: (y * y).mean(), optimizer=optimizer)
        assert found.weights[0].ratio is not None
        assert norm.device == "cuda:1"
        assert all(value.device == "cuda:1" for value in model.state_dict().values())
        assert all(p.grad.device == "cuda:1" for p in model.parameters())
        gg.set_default_device(None)
