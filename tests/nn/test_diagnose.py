"""Planted faults are named; a healthy network is left alone, and exactly as it was."""

import sys
from itertools import pairwise

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn


def data(n=64, features=20):
    generator = gg.random.Generator(0)
    return generator.standard_normal((n, features), dtype=gg.float32), generator.integers(3, size=n)


def network(activation, depth=3, width=32, scale=1.0):
    gg.random.seed(1)
    sizes = [20] + [width] * depth
    layers = []
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), activation()]
        nn.init.kaiming_normal_(layers[-2].weight, nonlinearity="relu")
        with gg.no_grad():
            layers[-2].weight *= scale
            layers[-2].bias[...] = 0.0
    return nn.Sequential(*layers, nn.Linear(sizes[-1], 3, bias=False))


def kinds(found):
    return {finding.kind for finding in found.findings}


def places(found, kind):
    return [finding.where for finding in found.findings if finding.kind == kind]


def run(model, **options):
    return gg.diagnose(model, data(), nn.CrossEntropyLoss(), **options)


def test_a_healthy_network():
    model = network(nn.ReLU)
    found = run(model, lr=1e-2)
    assert found.findings == []
    assert "Nothing looks wrong." in str(found)
    assert [row.kind for row in found.layers] == ["Linear", "ReLU"] * 3 + ["Linear"]
    x, labels = data()
    y = model[0](x).detach().numpy()
    assert found.layers[0].scale == pytest.approx(numpy.sqrt((y.astype(float) ** 2).mean()), rel=1e-5)
    assert found.layers[0].mean == pytest.approx(y.mean(), abs=1e-5)
    loss = nn.CrossEntropyLoss()(model(x), labels)
    assert found.loss == pytest.approx(loss.item())
    loss.backward()
    g, w = model[0].weight.grad.numpy(), model[0].weight.numpy()
    weight = next(w for w in found.weights if w.name == "0.weight")
    assert weight.gradient == pytest.approx(numpy.linalg.norm(g), rel=1e-4)
    assert weight.ratio == pytest.approx(1e-2 * numpy.linalg.norm(g) / numpy.linalg.norm(w), rel=1e-4)


def test_zeros_to_begin_with():
    model = network(nn.ReLU)
    for layer in (model[0], model[2]):
        nn.init.zeros_(layer.weight)
    assert places(run(model), "constant weights") == ["0.weight", "2.weight"]


def test_weights_that_are_too_large():
    found = run(network(nn.ReLU, scale=100.0))
    assert places(found, "large weights") == ["0", "2", "4"]
    assert {"exploding values", "exploding gradients"} <= kinds(found)


def test_weights_that_are_too_small():
    found = run(network(nn.ReLU, depth=5, scale=0.01))
    assert {"small weights", "vanishing values", "vanishing gradients"} <= kinds(found)


def test_dead_rectifiers():
    model = network(nn.ReLU)
    with gg.no_grad():
        model[2].bias -= 100
    found = run(model)
    assert places(found, "dead ReLUs")[0] == "3"
    assert found.layers[3].dead == 1
    assert found.layers[1].dead < 0.1
    assert "0.weight" in places(found, "no gradient")


def test_dead_channels():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(36, 3))
    with gg.no_grad():
        model[0].bias[:3] = -100.0
    x = gg.random.Generator(0).standard_normal((16, 1, 5, 5), dtype=gg.float32)
    found = gg.diagnose(model, x, lambda y: (y * y).mean())
    assert places(found, "dead ReLUs") == ["1"]
    assert found.layers[1].dead == 0.75


def test_saturated_tanhs():
    found = run(network(nn.Tanh, scale=9.0))
    assert "1" in places(found, "saturated units")
    assert found.layers[1].saturated > 0.5


def test_a_chain_of_sigmoids():
    found = run(network(nn.Sigmoid, depth=8, scale=0.5))
    assert places(found, "vanishing gradients") == ["0"]
    assert found.layers[0].gradient < 1e-3 * found.layers[-1].gradient
    assert "use ReLU" in str(found)


@pytest.mark.parametrize(("lr", "kind"), [(30.0, "large updates"), (1e-7, "small updates")])
def test_steps_of_the_wrong_size(lr, kind):
    assert kind in kinds(run(network(nn.ReLU), lr=lr))
    model = network(nn.ReLU)
    assert kind in kinds(run(model, optimizer=gg.optim.SGD(model.parameters(), lr=lr)))


def test_large_inputs_unused_weights_and_nan():
    model = network(nn.ReLU)
    x, labels = data()
    found = gg.diagnose(model, (x * 1000, labels), nn.CrossEntropyLoss())
    assert "large inputs" in kinds(found)

    class Unused(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.idle = nn.Linear(20, 3), nn.Linear(2, 2)

        def forward(self, x):
            return self.used(x)

    assert places(run(Unused()), "no gradient") == ["idle.weight", "idle.bias"]
    found = gg.diagnose(Unused(), (x * float("nan"), labels), nn.CrossEntropyLoss())
    assert "not finite" in kinds(found)
    assert "not finite" in str(found)


@pytest.mark.parametrize("kind", [gg.optim.SGD, gg.optim.Adam])
def test_it_leaves_no_trace(kind):
    gg.random.seed(0)
    model = nn.Sequential(nn.Linear(20, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.ReLU(), nn.Linear(8, 3))
    optimizer = kind(model.parameters(), lr=0.01)
    batch, loss = data(), nn.CrossEntropyLoss()

    def step():
        optimizer.zero_grad()
        value = loss(model(batch[0]), batch[1])
        value.backward()
        optimizer.step()
        return value.item()

    def everything():
        state = {**model.state_dict(), **{f"grad {n}": p.grad for n, p in model.named_parameters()}}
        return {key: value.numpy() for key, value in state.items()}

    step()
    before, random = everything(), gg.random.default_generator.state
    grad, places = model[0].weight.grad, [p.data for p in model.parameters()]
    found = gg.diagnose(model, batch, loss, optimizer=optimizer)
    after = everything()
    assert list(before) == list(after)
    for key, value in before.items():
        numpy.testing.assert_array_equal(after[key], value, err_msg=key)
    assert model[0].weight.grad is grad
    assert all(p.data is place for p, place in zip(model.parameters(), places, strict=True))
    assert gg.random.default_generator.state == random
    assert all(m.training for m in model.modules())
    old = model[0].weight.numpy()
    step()  # the next step is the one that was measured: same dropout, same moments
    change = numpy.linalg.norm(model[0].weight.numpy() - old) / numpy.linalg.norm(old)
    assert found.weights[0].ratio == pytest.approx(change, rel=1e-3)


def test_the_picture(tmp_path):
    pytest.importorskip("matplotlib", reason="the picture is drawn with it")
    found = run(network(nn.ReLU), lr=1e-2)
    figure = found.plot(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 5000
    assert [axes.get_title() for axes in figure.axes] == [
        "scale of values", "norm of the gradient", "dead or saturated", "step / weight",
    ]  # fmt: skip


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match="plot draws with matplotlib: pip install 'gpugrad"):
        run(network(nn.ReLU)).plot()


def layer():
    return nn.Linear(20, 3)


WRONG = [
    (lambda: gg.diagnose(3, data(), len), TypeError, "diagnose: expected model as a Module, got int"),
    (lambda: gg.diagnose(layer(), data(), 3), TypeError, "expected loss as a function, got int"),
    (lambda: gg.diagnose(layer(), (*data(), 1), len), ValueError, "expected batch as .inputs, targets., got 3 values"),
    (lambda: run(layer(), optimizer=1, lr=0.1), ValueError, "an optimizer or a learning rate, got both"),
    (lambda: gg.diagnose(layer(), data(), lambda y, t: 3), TypeError, "expected the loss as a Tensor, got int"),
    (lambda: gg.diagnose(layer(), data(), lambda y, t: y), ValueError, "a loss of one element .* got one of shape"),
    (lambda: gg.diagnose(layer(), data(), lambda y, t: gg.ones(())), ValueError, "that does not"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
