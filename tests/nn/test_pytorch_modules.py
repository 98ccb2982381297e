"""What programs for PyTorch say of modules and losses: moving, calling with other parameters, assigning, positions."""

import copy
import inspect
import pickle

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.nn import functional as F
from gpugrad.nn.utils import functional_call, parametrizations


def network():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def test_moving(device):
    model = network().double().cpu()
    assert model[0].weight.device == "cpu"
    assert model[0].weight.dtype == gg.float64
    kind = device.type
    moved = getattr(model, kind)()
    assert moved is model
    assert model[0].weight.device == device
    assert model.to(device, non_blocking=True).float()[1].running_mean.dtype == gg.float32
    like = gg.zeros(1, dtype=gg.float64)
    assert model.to(like)[0].weight.dtype == gg.float64
    pytest.importorskip("ml_dtypes")
    assert model.bfloat16()[0].weight.dtype.name == "bfloat16"


def test_functional_call():
    model, x = network(), gg.ones((5, 3))
    before = {name: p.tolist() for name, p in model.state_dict().items()}
    given = {name: gg.full_like(p.detach(), 0.5).requires_grad_() for name, p in model.named_parameters()}
    buffers = {name: b.copy() for name, b in model.named_buffers()}
    y = functional_call(model, (given, buffers), (x,))
    other = copy.deepcopy(model)
    other.load_state_dict({**before, **given, **{k: v for k, v in before.items() if k not in given}})
    numpy.testing.assert_allclose(y.detach().numpy(), other(x).detach().numpy(), rtol=1e-5)
    y.sum().backward()
    assert all(p.grad is not None for p in given.values())
    assert all(p.grad is None for p in model.parameters())
    assert {name: p.tolist() for name, p in model.state_dict().items()} == before
    assert buffers["1.num_batches_tracked"].item() == 1
    with pytest.raises(KeyError, match="has no"):
        functional_call(model, {"weight": x}, x)
    with pytest.raises(KeyError, match="strict"):
        functional_call(model, {}, x, strict=True)
    gradients = gg.grad(lambda w: functional_call(model[0], {"weight": w}, x).sum())(gg.ones((4, 3)))
    assert gradients.shape == (4, 3)


def test_functional_call_with_tied_weights():
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    model[1].weight = model[0].weight
    w = 2 * gg.eye(2)
    assert functional_call(model, {"0.weight": w}, gg.ones((1, 2))).tolist() == [[4.0, 4.0]]
    one = functional_call(model, {"0.weight": w}, gg.ones((1, 2)), tie_weights=False)
    numpy.testing.assert_allclose(
        one.detach().numpy(), (model[1].weight @ gg.full(2, 2.0)).detach().numpy()[None], 1e-5
    )


def test_buffers():
    layer = nn.Module()
    layer.kept, layer.other = nn.Buffer(gg.ones(2)), nn.Buffer([1.0], persistent=False)
    assert [*layer.state_dict()] == ["kept"]
    assert [name for name, _ in layer.named_buffers()] == ["kept", "other"]
    layer.kept = layer.kept + 1
    for again in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert [*again.state_dict()] == ["kept"]
        assert again.kept.tolist() == [2.0, 2.0]
        assert again.other.tolist() == [1.0]
    assert not pickle.loads(pickle.dumps(nn.Buffer([1.0], persistent=False))).persistent


def test_a_state_is_assigned():
    model = network()
    model[0].bias.requires_grad = False
    model[2].weight = nn.Parameter(gg.zeros((2, 4)))
    state = {name: gg.full_like(v, 2).astype(gg.float64) for name, v in model.state_dict().items()}
    old = model[0].weight
    found = model.load_state_dict(state, assign=True)
    assert found.missing_keys == found.unexpected_keys == []
    assert model[0].weight is not old
    assert model[0].weight.data is state["0.weight"].data
    assert isinstance(model[0].weight, nn.Parameter)
    assert model[0].weight.dtype == model[1].running_mean.dtype == gg.float64
    assert model[0].weight.requires_grad
    assert not model[0].bias.requires_grad
    tied = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    tied[1].weight = tied[0].weight
    tied.load_state_dict(tied.state_dict(), assign=True)
    assert tied[1].weight is tied[0].weight
    with pytest.raises(RuntimeError, match="expected shape"):
        model.load_state_dict({**state, "0.bias": gg.zeros(3)}, assign=True)
    assert model.state_dict(keep_vars=True)["0.weight"] is model[0].weight


def test_a_state_has_copies():
    """As in nanoGPT's ``from_pretrained``, which writes into the state to change the model."""
    model = network()
    state = model.state_dict()
    with gg.no_grad(), pytest.raises(TypeError, match=r"a state_dict\(\) has copies"):
        state["0.weight"].copy_(gg.ones((4, 3)))
    state["0.weight"] += 1  # which changes the copy, for load_state_dict
    assert type(pickle.loads(pickle.dumps(state["0.bias"]))) is gg.Tensor
    with gg.no_grad():
        model.get_parameter("0.weight").copy_(gg.ones((4, 3)))
    assert model[0].weight.tolist() == [[1.0] * 3] * 4


LOSSES = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cosine_embedding_loss", "cross_entropy",
    "hinge_embedding_loss", "kl_div", "l1_loss", "margin_ranking_loss", "mse_loss", "multi_margin_loss",
    "multilabel_margin_loss", "multilabel_soft_margin_loss", "nll_loss", "poisson_nll_loss", "smooth_l1_loss",
    "soft_margin_loss", "triplet_margin_loss",
]  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
def test_arguments_by_position(name):
    """Every argument in the place that PyTorch has for it, with values that are told apart."""
    torch = pytest.importorskip("torch")
    seen = {}
    ours = getattr(F, name)

    places = list(inspect.signature(getattr(torch.nn.functional, name)).parameters)
    from gpugrad.nn.functional.positions import LEGACY, by_position

    def spy(*args, **kwargs):
        seen.update(inspect.signature(ours.__wrapped__).bind(*args, **kwargs).arguments)

    spy.__signature__, spy.__qualname__ = inspect.signature(ours), name
    known = inspect.signature(ours).parameters
    values = [None if place in LEGACY else f"the {place}" for place in places if place in known or place in LEGACY]
    by_position(spy)(*values)
    assert seen == {place: f"the {place}" for place in places if place in known}


def test_what_pytorch_had_before_reduction():
    x, y = gg.ones((2, 3)), gg.zeros((2, 3))
    for loss in (F.mse_loss, lambda x, y, *args, **kwargs: nn.MSELoss(*args, **kwargs)(x, y)):
        assert loss(x, y, None, None, "sum").item() == loss(x, y, False).item() == 6.0
        assert loss(x, y, size_average=True).item() == loss(x, y, None, True).item() == 1.0
        assert loss(x, y, reduce=False).shape == (2, 3)
        with pytest.raises(TypeError, match=r"write reduction=\.\.\. by name"):
            loss(x, y, "sum")
        with pytest.raises(TypeError):
            loss(x, y, None, None, "sum", None, None, None)


WITH_INTEGERS = {
    "mse_loss": 2, "l1_loss": 2, "smooth_l1_loss": 2, "huber_loss": 2, "poisson_nll_loss": 2, "soft_margin_loss": 2,
    "hinge_embedding_loss": 2, "multilabel_soft_margin_loss": 2, "cosine_similarity": 2, "pairwise_distance": 2,
    "gaussian_nll_loss": 3, "triplet_margin_loss": 3, "margin_ranking_loss": 3,
}  # fmt: skip


@pytest.mark.parametrize("name", WITH_INTEGERS)
def test_integers_and_numbers_beside_float32_stay_float32(name, rng):
    torch = pytest.importorskip("torch")
    x, y = rng.uniform(0.1, 1, (4, 3)).astype("float32"), rng.choice([-1, 1], (4, 3))
    more = [rng.uniform(0.1, 1, (4, 3)).astype("float32")] if WITH_INTEGERS[name] == 3 else []
    given = [x, *more, y] if name == "margin_ranking_loss" else [x, y, *more]
    variable = gg.tensor(x, requires_grad=True)
    found = getattr(F, name)(variable, *map(gg.tensor, given[1:]))
    wanted = getattr(torch.nn.functional, name)(*map(torch.tensor, given))
    assert found.dtype == gg.float32
    numpy.testing.assert_allclose(found.detach().numpy(), wanted.numpy(), rtol=2e-5)
    found.sum().backward()
    assert variable.grad.dtype == gg.float32
    if name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"):
        assert getattr(F, name)(gg.tensor(x), 1).dtype == gg.float32
        assert getattr(F, name)(gg.tensor(x), target=gg.tensor(y > 0)).dtype == gg.float32
    assert (gg.tensor(x) + gg.tensor(y)).dtype == gg.float64, "NumPy's promotion elsewhere"


@pytest.mark.parametrize("kind", ["matrix_exp", "cayley", "householder", None])
@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5)], ids=str)
def test_orthogonal(kind, shape, rng):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.utils.parametrizations.orthogonal(torch.nn.Linear(*shape).double(), orthogonal_map=kind)
    ours = parametrizations.orthogonal(nn.Linear(*shape).double(), orthogonal_map=kind)
    long = ours.weight.detach().numpy()
    long = long if long.shape[0] >= long.shape[1] else long.T
    numpy.testing.assert_allclose(long.T @ long, numpy.eye(long.shape[1]), atol=1e-6)
    state = theirs.state_dict()
    assert [*state] == [*ours.state_dict()]
    state["parametrizations.weight.original"] = torch.tensor(
        rng.normal(size=theirs.weight.shape) - 2 * numpy.eye(*theirs.weight.shape)
    )
    theirs.load_state_dict(state)
    ours.load_state_dict(state)
    x = rng.normal(size=(2, shape[0]))
    y, t = ours(gg.tensor(x)), theirs(torch.tensor(x))
    numpy.testing.assert_allclose(y.detach().numpy(), t.detach().numpy(), rtol=1e-7, atol=1e-9)
    (y * y * y).sum().backward()
    (t * t * t).sum().backward()
    mine, other = ours.parametrizations.weight.original.grad, theirs.parametrizations.weight.original.grad
    numpy.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=1e-6, atol=1e-8)


def test_orthogonal_refuses():
    for options, kind in (({"orthogonal_map": "qr"}, ValueError), ({"use_trivialization": False}, NotImplementedError)):
        with pytest.raises(kind, match="orthogonal: "):
            parametrizations.orthogonal(nn.Linear(2, 2), **options)
    with pytest.raises(ValueError, match="at least two axes"):
        parametrizations.orthogonal(nn.Linear(2, 2), "bias")


@pytest.mark.parametrize("separate", [False, True])
def test_multi_head_attention_forward(separate, rng):
    torch = pytest.importorskip("torch")
    layer = torch.nn.MultiheadAttention(4, 2, kdim=3 if separate else None, add_bias_kv=True)
    q, k = (rng.normal(size=(5, 2, n)).astype("float32") for n in (4, 3 if separate else 4))
    v = rng.normal(size=(5, 2, 4)).astype("float32")

    def run(make, function):
        weights = {name: None if p is None else make(p.detach().numpy()) for name, p in layer._parameters.items()}
        out = {name: make(p.detach().numpy()) for name, p in layer.out_proj.named_parameters()}
        mask = make(numpy.array([[False] * 4 + [True], [False] * 5]))
        return function(
            make(q), make(k), make(v), 4, 2, weights["in_proj_weight"], weights["in_proj_bias"], weights["bias_k"],
            weights["bias_v"], True, 0.0, out["weight"], out["bias"], True, mask, use_separate_proj_weight=separate,
            **{name: weights[name] for name in ("q_proj_weight", "k_proj_weight", "v_proj_weight")},
        )  # fmt: skip

    for mine, theirs in zip(
        run(gg.tensor, F.multi_head_attention_forward),
        run(torch.tensor, torch.nn.functional.multi_head_attention_forward),
        strict=True,
    ):
        numpy.testing.assert_allclose(mine.detach().numpy(), theirs.detach().numpy(), rtol=1e-4, atol=1e-6)
    with pytest.raises(NotImplementedError, match="static_k"):
        F.multi_head_attention_forward(*[None] * 13, static_k=1)
