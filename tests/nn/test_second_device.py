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
