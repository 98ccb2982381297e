"""Losses, layers and optimizers on a GPU that is not the current one."""

from __future__ import annotations

import pytest

import gpugrad as gg
from gpugrad import nn, optim
from gpugrad.nn import functional as F
from gpugrad.testing import cuda_simulator


@pytest.mark.parametrize("loss", [F.cross_entropy, F.nll_loss, F.multi_margin_loss])
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_losses_of_labels_on_the_second_gpu(loss, reduction):
    if cuda_simulator.is_installed():
        pytest.skip("installs its own simulator")
    with cuda_simulator.installed(devices=2):
        x = gg.tensor([[0.5, 1.0, 2.0], [1.0, 0.0, 1.0]], device="cuda:1", requires_grad=True)
        value = loss(x, gg.tensor([2, 0], device="cuda:1"), reduction=reduction)
        value.sum().backward()
        assert value.device == x.grad.device == "cuda:1"
        expected = loss(x.detach().to("cpu"), gg.tensor([2, 0], device="cpu"), reduction=reduction)
        assert value.numpy() == pytest.approx(expected.numpy(), abs=1e-6)
        gg.set_default_device(None)


def train(device):
    gg.random.seed(0)
    model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Dropout(0.2), nn.Linear(5, 2)).to(device)
    with gg.no_grad():
        model[0].bias += 0.5
    nn.init.xavier_uniform_(model[3].weight)
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    x = gg.tensor([[0.5, 1.0, 2.0], [1.0, 0.0, 1.0]], device=device)
    for _ in range(3):
        loss = F.cross_entropy(model(x), gg.tensor([1, 0], device=device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    saved = model.state_dict()
    model.load_state_dict(saved)
    optimizer.load_state_dict(optimizer.state_dict())
    assert all(value.device == device for value in saved.values())
    weight = model[0].weight
    assert weight.detach().device == weight.copy().device == weight.grad.device == device
    return loss.item(), [value.numpy() for value in saved.values()]


def test_training_on_the_second_gpu_is_that_on_the_cpu():
    if cuda_simulator.is_installed():
        pytest.skip("installs its own simulator")
    with gg.default_device("cpu"):
        expected, weights = train("cpu")
    with cuda_simulator.installed(devices=2):
        loss, found = train("cuda:1")
        gg.set_default_device(None)
    assert loss == pytest.approx(expected, abs=1e-6)
    for a, b in zip(found, weights, strict=True):
        assert a == pytest.approx(b, abs=1e-5)


def test_convolutions_and_pooling_on_the_second_gpu():
    if cuda_simulator.is_installed():
        pytest.skip("installs its own simulator")

    def run(device):
        gg.random.seed(0)
        model = nn.Sequential(
            nn.Conv2d(2, 6, 3, padding=1, padding_mode="circular"), nn.MaxPool2d(3, 2, 1), nn.Conv2d(6, 6, 3, groups=3),
            nn.AvgPool2d(2, 1, 1, count_include_pad=False), nn.ConvTranspose2d(6, 2, 3, 2), nn.LPPool2d(1, 2),
            nn.AdaptiveMaxPool2d(3), nn.AdaptiveAvgPool2d(2), nn.Unfold(2),
        )  # fmt: skip
        model.to(device)
        x = gg.arange(162, dtype=gg.float32, device=device).reshape((1, 2, 9, 9)) / 100
        (model(x.requires_grad_()) ** 2).sum().backward()
        y, where = F.max_pool2d(x, 2, return_indices=True)
        values = [x.grad, y, where, *F.adaptive_max_pool2d(x, 4, return_indices=True)]
        values += [p.grad for p in model.parameters()]
        assert all(v.device == device for v in values)
        return [v.detach().numpy() for v in values]

    with gg.default_device("cpu"):
        expected = run("cpu")
    with cuda_simulator.installed(devices=2):
        found = run("cuda:1")
        gg.set_default_device(None)
    for a, b in zip(found, expected, strict=True):
        assert a == pytest.approx(b, rel=1e-4, abs=1e-5)
