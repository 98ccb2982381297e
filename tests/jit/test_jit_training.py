"""Jitted training steps are the eager ones, for all networks, optimizers and kinds of clipping."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn, optim

sys.path.append(str(Path(__file__).parent.parent.parent / "benchmarks"))
from networks import SMALL

OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.1, weight_decay=0.01),
    "SGD, momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "Adam": lambda p: optim.Adam(p, lr=0.01),
    "Adam, amsgrad": lambda p: optim.Adam(p, lr=0.01, amsgrad=True),
    "AdamW": lambda p: optim.AdamW(p, lr=0.01),
    "Adagrad": lambda p: optim.Adagrad(p, lr=0.1, lr_decay=0.1),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.01),
    "RMSprop, both": lambda p: optim.RMSprop(p, lr=0.01, centered=True, momentum=0.9),
}
CLIPS = {
    "no": lambda p: None,
    "norm": lambda p: nn.utils.clip_grad_norm_(p, 0.5),
    "value": lambda p: nn.utils.clip_grad_value_(p, 0.01),
}
STEPS = [
    *[(network, "Adam", "norm") for network in SMALL],
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
        grads = [p.grad for p in self.model.parameters()]
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
        numpy.testing.assert_allclose(a, b, 1e-5, 1e-6)


def test_jitted_steps_have_the_same_bits_in_every_run(device):
    which = (SMALL[0], "Adam", "norm")
    assert str(trained(which, True, 4)) == str(trained(which, True, 4))
