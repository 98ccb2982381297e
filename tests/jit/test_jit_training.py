"""Jitted training steps are the eager ones, for all networks, optimizers and kinds of clipping."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn, optim

sys.path += [str(Path(__file__).parent.parent.parent / "benchmarks"), str(Path(__file__).parent.parent / "tracing")]
from networks import SMALL
from test_steps import CLIPS, OPTIMIZERS

STEPS = [
    # the gradient of a bias of the keys is 0 but for rounding, and Adam makes whole steps of it
    *[(network, "SGD, momentum" if network.kind == "gpt" else "Adam", "norm") for network in SMALL],
    *[(SMALL[0], name, "value") for name in OPTIMIZERS],
    (SMALL[0], "SGD", "no"),
]


class Training:
    """A network with dropout, an optimizer, a schedule, an average of the weights and accumulated gradients."""

    def __init__(self, network, optimizer, clip):
        gg.random.seed(7)
        self.network, self.model = network, network.build(gg, 0.3)
        self.optimizer = OPTIMIZERS[optimizer](self.model.parameters())
        self.schedule = optim.lr_scheduler.CosineAnnealingLR(self.optimizer, 20)
        self.average = optim.swa_utils.ExponentialMovingAverage(self.model, 0.9)
        self.clip = CLIPS[clip]

    def step(self, batches):
        self.optimizer.zero_grad()
        total = 0
        for x, y in batches:
            loss = self.network.loss(gg, self.model, x, y) / len(batches)
            loss.backward()
            total = total + loss.detach()
        self.clip(list(self.model.parameters()))
        self.optimizer.step()
        self.schedule.step()
        self.average.update()
        return total

    def state(self):
        moments = [m for entry in self.optimizer.state.values() for m in entry.values()]
        grads = [p.grad for p in self.model.parameters() if p.grad is not None]
        found = [*self.model.state_dict().values(), *moments, *grads, *self.average.averages]
        arrays = [t.numpy() if isinstance(t, gg.Tensor) else t for t in found]
        return arrays, gg.random.default_generator.state, self.schedule.get_last_lr()


def trained(which, jitted, steps):
    training = Training(*which)
    step = gg.jit(training.step) if jitted else training.step
    losses = []
    for i in range(steps):
        data = [tuple(gg.tensor(a) for a in training.network.data(2 * (i % 5) + j)) for j in range(2)]
        losses.append(step(data).item())
    count = step._programs.count if jitted else 1
    return losses, training.state(), count


@pytest.mark.parametrize("which", STEPS, ids=lambda w: f"{w[0].name}-{w[1]}-{w[2]}")
def test_jitted_steps_are_the_eager_steps(which, device):
    losses, (arrays, *rest), count = trained(which, True, 5)
    expected, (others, *other), _ = trained(which, False, 5)
    numpy.testing.assert_allclose(losses, expected, 1e-6)
    assert rest == other
    assert count == 1
    for a, b in zip(arrays, others, strict=True):
        numpy.testing.assert_allclose(a, b, 1e-5, 1e-6 * max(1, numpy.abs(b).max()))


def test_jitted_steps_have_the_same_bits_in_every_run(device):
    which = (SMALL[0], "Adam", "norm")
    assert str(trained(which, True, 4)) == str(trained(which, True, 4))


@pytest.mark.parametrize("rule", [None, optim.swa_utils.get_ema_multi_avg_fn(0.8)], ids=["mean", "decaying"])
def test_averaged_models_go_on(rule, device):
    states = []
    for jitted in (True, False):
        gg.random.seed(2)
        model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        averaged = optim.swa_utils.AveragedModel(model, multi_avg_fn=rule)

        def step(x, model=model, optimizer=optimizer, averaged=averaged):
            optimizer.zero_grad()
            gg.mean(model(x) ** 2).backward()
            optimizer.step()
            averaged.update_parameters(model)

        step = gg.jit(step) if jitted else step
        for i in range(6):
            step(gg.tensor(numpy.random.default_rng(i).standard_normal((4, 2)).astype("f4")))
        states.append(averaged.state_dict())
        assert not jitted or step._programs.count == 3, "the first value is copied, the second has half of the weight"
    for name, value in states[0].items():
        numpy.testing.assert_allclose(value.numpy(), states[1][name].numpy(), 1e-5, 1e-6)
    assert states[0]["n_averaged"].item() == 6
