"""Losses on a GPU that is not the current one."""

from __future__ import annotations

import pytest

import gpugrad as gg
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
