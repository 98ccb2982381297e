"""Losses, embeddings and images on a GPU that is not the current one: every constant is made beside the input."""

from __future__ import annotations

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.nn import functional as F
from gpugrad.testing import cuda_simulator


def values(device):
    """One number for each function, and gradients."""
    rng = numpy.random.default_rng(0)

    def leaf(*shape):
        return gg.tensor(rng.random(shape), device=device, requires_grad=True)

    def constant(value):
        return gg.tensor(value, device=device)

    x, y, z, image, grid = leaf(4, 3), leaf(4, 3), leaf(4, 3), leaf(2, 3, 4, 5), leaf(2, 2, 2, 2)
    table, theta = leaf(5, 4), leaf(2, 2, 3)
    labels = constant([1, -1, 1, -1])
    bags = constant([0, 1, 4, 2, 2]), constant([0, 2, 2])
    results = [
        F.mse_loss(x, 0.5), F.l1_loss(x, y, weight=z), F.huber_loss(x, 1), F.smooth_l1_loss(x, y, beta=0.1),
        F.poisson_nll_loss(x, 2, full=True), F.gaussian_nll_loss(x, y, z), F.gaussian_nll_loss(x, y, 0.5),
        F.binary_cross_entropy(x, 1, y[0]), F.binary_cross_entropy_with_logits(x, y, pos_weight=z[0]),
        F.kl_div(x, y, reduction="batchmean"), F.soft_margin_loss(x, 1), F.multilabel_soft_margin_loss(x, y),
        F.hinge_embedding_loss(x[:, 0], labels), F.margin_ranking_loss(x, y, 1), F.cosine_embedding_loss(x, y, labels),
        F.triplet_margin_loss(x, y, z, swap=True), F.triplet_margin_with_distance_loss(x, y, z),
        F.multilabel_margin_loss(x, constant([[0, 2, -1]] * 4)), F.cdist(x, y), F.cdist(x, y, 1.0), F.normalize(x),
        F.ctc_loss(x.reshape((4, 1, 3)), [[1, 2]], [4], [2], reduction="sum", zero_infinity=True),
        F.ctc_loss(x.reshape((4, 1, 3)), constant([[1, 1]]), constant([4]), constant([2])),
        F.embedding(bags[0], table, padding_idx=2, scale_grad_by_freq=True),
        *(F.embedding_bag(*bags[:1], table, bags[1], mode=mode, padding_idx=0) for mode in ("sum", "mean", "max")),
        F.bilinear(x, y, leaf(2, 3, 3)), F.interpolate(image, scale_factor=2), F.interpolate(image, 3, mode="bicubic"),
        F.grid_sample(image, grid), F.grid_sample(image, grid, "bicubic", "reflection", True),
        F.affine_grid(theta, (2, 1, 3, 4)), F.pad(image, (1, 2), value=3.0), F.pad(image, (1, 2, 1, 0), "reflect"),
        F.channel_shuffle(image, 3),
    ]  # fmt: skip
    sum(r.sum() for r in results).backward()
    results += [v.grad for v in (x, y, z, image, grid, table, theta)]
    layer = nn.Embedding(4, 2, padding_idx=0, max_norm=0.5).to(device)
    results += [layer.weight[0], (layer(constant([1, 2])) ** 2).sum(axis=1) < 0.3]
    assert all(r.device == device for r in results)
    return [r.numpy() for r in results]


def test_on_the_second_gpu():
    if cuda_simulator.is_installed():
        pytest.skip("installs its own simulator")
    with gg.default_device("cpu"):
        expected = values("cpu")
    with cuda_simulator.installed(devices=2):
        found = values("cuda:1")
        gg.set_default_device(None)
    for a, b in zip(found, expected, strict=True):
        numpy.testing.assert_allclose(a, b, atol=1e-9)
