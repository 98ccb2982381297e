"""Run by ``test_trainers.py``: a Trainer in one process or in several, that may be killed and started again."""

from __future__ import annotations

import json
import os
import signal
import sys
import time

import numpy

import gpugrad as gg
from gpugrad import nn
from gpugrad.data import ArrayDataset, DataLoader
from gpugrad.optim.lr_scheduler import StepLR
from gpugrad.training import Accuracy, Trainer

folder, settings = sys.argv[1], json.loads(sys.argv[2])
together = settings.get("together", False)
gg.random.seed(0)
rng = numpy.random.default_rng(0)
x, y = rng.normal(size=(53, 6)), rng.integers(0, 3, 53)
model = nn.Sequential(
    nn.Linear(6, 16), nn.Tanh(), nn.Dropout(settings.get("dropout", 0.0)), nn.Linear(16, 3)
).to("float64")  # fmt: skip
if settings.get("sharded"):
    from gpugrad.distributed import ShardedOptimizer

    optimizer = ShardedOptimizer(gg.optim.SGD, model.parameters(), lr=0.1, momentum=0.9)
else:
    optimizer = gg.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
weights = gg.tensor([1.0, 2.0, 0.5], dtype=gg.float64, device="cpu")


def loss(outputs, targets):
    return nn.functional.cross_entropy(outputs, targets, weight=weights, ignore_index=settings.get("ignored", -100))


def loader(shuffle):
    return DataLoader(ArrayDataset(x, y), batch_size=8, shuffle=shuffle, seed=4, device="cpu")


class Slow:
    """A callback that gives whoever kills the time to."""

    def on_start(self, trainer):
        pass

    def on_step(self, trainer):
        time.sleep(settings.get("sleep", 0))
        if settings.get("signal") == [trainer.step, trainer.gang.world.rank if trainer.gang else 0]:
            os.kill(os.getpid(), signal.SIGTERM)

    def on_epoch(self, trainer, results):
        pass

    def on_end(self, trainer):
        pass

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


trainer = Trainer(
    model, loss, optimizer, folder=folder, scheduler=StepLR(optimizer, 9, 0.5), clip_grad_norm=1.0, save_every=5,
    accumulate=settings.get("accumulate", 1), metrics={"accuracy": Accuracy()}, progress=False, callbacks=[Slow()],
    log_every=3, distributed=together,
)  # fmt: skip
results = trainer.fit(loader(True), loader(False), epochs=settings.get("epochs", 4))
if trainer.gang is None or trainer.gang.leads:
    state = {name: value.numpy().tolist() for name, value in model.state_dict().items()}
    with open(f"{folder}.json", "w", encoding="utf-8") as file:
        json.dump({"results": results, "state": state, "step": trainer.step}, file)
