"""A Trainer whose steps are jitted: the results of the eager one, the same bits where it is stopped and goes on."""

from __future__ import annotations

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn, optim
from gpugrad.training import Accuracy, Trainer


def data(count=26):
    rng = numpy.random.default_rng(0)
    x = rng.standard_normal((count, 5)).astype("f4")
    return gg.data.ArrayDataset(x, (x.sum(1) > 0).astype("i8"))


class Run(Trainer):
    """With a batch computed by the user's own code."""

    def compute(self, batch):
        x, y = batch
        outputs = self.model(x) * self.factor
        return self.loss(outputs, y) + 0.01 * sum(gg.sum(p * p) for p in self.model.parameters()), outputs, y

    factor = 1.0


def made(kind, jit, folder=None, **options):
    gg.random.seed(11)
    model = nn.Sequential(nn.Linear(5, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 2))
    optimizer = optim.AdamW(model.parameters(), lr=0.02)
    trainer = kind(
        model, nn.CrossEntropyLoss(), optimizer, folder=folder, progress=False, jit=jit, log_every=2,
        scheduler=optim.lr_scheduler.CosineAnnealingLR(optimizer, 30), clip_grad_norm=1.0,
        ema=optim.swa_utils.ExponentialMovingAverage(model, 0.9), metrics={"accuracy": Accuracy()}, **options,
    )  # fmt: skip
    return trainer, gg.data.DataLoader(data(), batch_size=8, shuffle=True, seed=3)


def state(trainer):
    values = [*trainer.model.state_dict().values(), *trainer.ema.averages]
    return [value.numpy() for value in values], trainer.step


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("kind", [Trainer, Run])
def test_a_jitted_trainer_is_the_eager_one(kind, accumulate, device):
    found = []
    for jit in (True, False):
        trainer, loader = made(kind, jit, accumulate=accumulate)
        results = trainer.fit(loader, loader, epochs=3)
        found.append((results, *state(trainer)))
        assert not jit or trainer._take._programs.count == 2, "the last batch of an epoch is smaller"
    (results, values, steps), (wanted, others, number) = found
    assert steps == number
    assert results.keys() == wanted.keys()
    numpy.testing.assert_allclose(list(results.values()), list(wanted.values()), 1e-5)
    for a, b in zip(values, others, strict=True):
        numpy.testing.assert_allclose(a, b, 1e-4, 1e-5)


def test_a_jitted_run_that_goes_on_has_the_same_bits(tmp_path, device):
    trainer, loader = made(Trainer, True)
    trainer.fit(loader, epochs=3)
    for steps in (3, 5, 100):  # in the middle of an epoch, each by a process of its own
        going, batches = made(Trainer, True, tmp_path, save_every=1)
        going.fit(batches, epochs=3, steps=steps)
    assert str(state(going)) == str(state(trainer))
