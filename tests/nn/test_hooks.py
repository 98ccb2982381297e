"""Hooks of modules, against PyTorch where it is installed."""

import copy
import gc
import weakref

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn


def test_forward_hooks_see_and_replace():
    layer = nn.Identity()
    seen = []
    first = layer.register_forward_pre_hook(lambda m, args: (args[0] + 1,))
    second = layer.register_forward_pre_hook(lambda m, args: seen.append(args[0].item()))
    third = layer.register_forward_hook(lambda m, args, y: y * 10)
    assert layer(gg.tensor(1.0)).item() == 20
    assert seen == [2.0]
    layer.register_forward_pre_hook(lambda m, args: args[0] * 3, prepend=True)
    assert layer(gg.tensor(1.0)).item() == 40
    first.remove()
    first.remove()
    third.remove()
    assert layer(gg.tensor(1.0)).item() == 3
    second.remove()
    assert seen == [2.0, 4.0, 3.0]


def test_hooks_with_keywords():
    class Scaled(nn.Module):
        def forward(self, x, scale=1.0):
            return x * scale

    layer = Scaled()
    layer.register_forward_pre_hook(lambda m, args, kwargs: (args, {"scale": kwargs["scale"] + 1}), with_kwargs=True)
    layer.register_forward_hook(lambda m, args, kwargs, y: y + kwargs["scale"], with_kwargs=True)
    assert layer(gg.tensor(2.0), scale=2.0).item() == 9
    layer.register_forward_pre_hook(lambda m, args, kwargs: 3, with_kwargs=True)
    with pytest.raises(TypeError, match=r"expected None or \(args, kwargs\), got int"):
        layer(gg.tensor(1.0), scale=1.0)


def test_hooks_that_are_always_called():
    seen = []
    layer = nn.Linear(2, 2)
    layer.register_forward_hook(lambda m, args, y: seen.append("usual"))
    layer.register_forward_hook(lambda m, args, y: seen.append(y), always_call=True)
    with pytest.raises(ValueError, match="expected an input of shape"):
        layer(gg.ones(3))
    assert seen == [None]


@pytest.mark.parametrize("name", ["forward_pre_hook", "forward_hook", "full_backward_pre_hook", "full_backward_hook"])
def test_a_hook_must_be_callable(name):
    with pytest.raises(TypeError, match="expected a hook that can be called, got int"):
        getattr(nn.ReLU(), f"register_{name}")(3)


def backward_log(nn, ones, weight, array):
    """What the backward hooks of a small network see, in either library."""

    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(weight)

        def forward(self, a, b, c):
            return a * b * self.weight, a + c

    log = []
    model = Two()

    def note(name):
        def hook(module, *gradients):
            log.append((name, *[[None if g is None else array(g).tolist() for g in gs] for gs in gradients]))

        return hook

    model.register_full_backward_pre_hook(note("before"))
    model.register_full_backward_pre_hook(lambda m, gs: (gs[0] * 2, gs[1]))
    model.register_full_backward_hook(note("full"))
    model.register_full_backward_hook(lambda m, gs, outs: (gs[0] * 3, gs[1], gs[2]))
    model.register_full_backward_hook(note("first"), prepend=True)
    a, b, c = ones(3) * 2, ones(3) * 5, ones(3)
    for x in (a, b, c):  # PyTorch shows zeros, not None, where only some need a gradient
        x.requires_grad_()
    p, q = model(a, b, c)
    (p.sum() + (q * q).sum()).backward()
    log.append([array(x.grad).tolist() for x in (a, b, c, model.weight)])
    return log


def test_backward_hooks_are_those_of_pytorch(device):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    ours = backward_log(nn, gg.ones, gg.tensor([1.0, 2.0, 3.0]), lambda x: x.numpy())
    theirs = backward_log(torch.nn, torch.ones, torch.tensor([1.0, 2.0, 3.0]), lambda x: x.detach().numpy())
    assert ours == theirs


def test_backward_hooks_where_no_input_needs_a_gradient():
    seen = []
    layer = nn.Linear(2, 1)
    layer.register_full_backward_hook(lambda m, before, after: seen.append((before, after[0].shape)))
    layer(gg.ones((3, 2))).sum().backward()
    assert seen == [((None,), (3, 1))]
    with gg.no_grad():
        layer(gg.ones((3, 2)))
    assert len(seen) == 1


def test_backward_hooks_in_a_recorded_walk():
    layer = nn.Tanh()
    layer.register_full_backward_hook(lambda m, before, after: before[0] * 2)
    x = gg.tensor([0.5, 1.0], dtype=gg.float64, requires_grad=True)
    y = gg.tanh(x)
    (g,) = [gg.grad(lambda x: gg.grad(lambda x: layer(x).sum())(x).sum())(x.detach())]
    numpy.testing.assert_allclose(g.numpy(), 2 * 2 * (-2 * y * (1 - y**2)).detach().numpy())


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda g: (g, g), "full backward hook: expected 1 gradients, got 2"),
        (lambda g: (None,), "expected gradient 0 of float32 .*, got NoneType"),
        (lambda g: gg.ones(3), r"expected gradient 0 of float32 \(2,\), got float32 \(3,\)"),
    ],
)
def test_wrong_gradients_are_refused(answer, message):
    layer = nn.ReLU()
    layer.register_full_backward_hook(lambda m, before, after: answer(before[0]))
    with pytest.raises(gg.GradientError, match=message):
        layer(gg.ones(2).requires_grad_()).sum().backward()


def test_a_leaf_that_went_through_is_still_guarded():
    layer = nn.Identity()
    layer.register_full_backward_hook(lambda m, before, after: None)
    x = gg.ones(2).requires_grad_()
    y = layer(x)
    z = (y * y).sum()
    with gg.no_grad():
        x += 1
    with pytest.raises(gg.GradientError, match="changed in place"):
        z.backward()


def test_backward_hooks_leave_no_cycle():
    layer = nn.ReLU()
    layer.register_full_backward_hook(lambda m, before, after: None)
    gc.disable()
    try:
        x = gg.ones(2).requires_grad_()
        y = layer(x * 1)
        y.sum().backward()
        ghost = weakref.ref(y)
        del y
        assert ghost() is None
    finally:
        gc.enable()


def test_a_copy_has_hooks_of_its_own():
    layer = nn.Identity()
    layer.register_forward_hook(lambda m, args, y: y + 1)
    other = copy.deepcopy(layer)
    other.register_forward_hook(lambda m, args, y: y + 1)
    assert (layer(gg.tensor(0.0)).item(), other(gg.tensor(0.0)).item()) == (1, 2)


def test_hooks_of_the_state():
    model = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))
    seen = []
    inner = model[1]
    handles = [
        inner.register_state_dict_pre_hook(lambda m, prefix, keep: seen.append(prefix)),
        inner.register_state_dict_post_hook(lambda m, state, prefix, meta: state.update({prefix + "extra": 3})),
        inner.register_load_state_dict_pre_hook(lambda m, state, prefix, *rest: state.pop(prefix + "extra")),
        inner.register_load_state_dict_post_hook(lambda m, found: seen.append(found)),
    ]
    state = model.state_dict()
    assert list(state) == ["0.weight", "0.bias", "1.weight", "1.bias", "1.extra"]
    model.load_state_dict(state)
    assert seen == ["1.", ([], [])]
    assert "1.extra" in state
    for handle in handles:
        handle.remove()
    assert "1.extra" not in model.state_dict()


def test_one_by_its_name():
    model = nn.Sequential(nn.Sequential(nn.BatchNorm1d(2)))
    assert model.get_submodule("") is model
    assert model.get_parameter("0.0.weight") is model[0][0].weight
    assert model.get_buffer("0.0.running_mean") is model[0][0].running_mean
    for call, message in (
        (lambda: model.get_submodule("0.1"), "Sequential has no module '1'"),
        (lambda: model.get_parameter("0.0.running_mean"), "BatchNorm1d has no parameter 'running_mean'"),
        (lambda: model.get_buffer("0.0.weight"), "BatchNorm1d has no buffer 'weight'"),
    ):
        with pytest.raises(AttributeError, match=message):
            call()


def test_dtypes_by_name():
    model = nn.BatchNorm1d(2)
    for change, dtype in ((model.double, gg.float64), (model.half, gg.float16), (model.float, gg.float32)):
        assert change() is model
        assert model.weight.dtype == model.running_mean.dtype == dtype
        assert model.num_batches_tracked.dtype == gg.int64
    assert model.type("float64").bias.dtype == gg.float64
    assert [n for n, _ in nn.ModuleList([model, model]).named_buffers(remove_duplicate=False)] == [
        "0.running_mean", "0.running_var", "0.num_batches_tracked"
    ]  # fmt: skip


def test_tied_weights_stay_tied():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
            self.b.weight = self.a.weight

        def forward(self, x):
            return self.b(self.a(x))

    model = Tied().double()
    assert model.a.weight is model.b.weight
    assert len(list(model.parameters())) == 1
    assert list(model.state_dict()) == ["a.weight", "b.weight"]
    optimizer = gg.optim.SGD(model.parameters(), lr=0.1)
    before = model.a.weight.numpy()
    model(gg.ones((1, 3), dtype=gg.float64)).sum().backward()
    optimizer.step()
    assert (model.a.weight.numpy() != before).any()
    assert (model.a.weight == model.b.weight).all()
    model.load_state_dict(model.state_dict())
    assert model.a.weight is model.b.weight
