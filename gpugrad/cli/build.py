"""A training made of a configuration.

epochs = 30                  # and: seed, device, out

[data]
use = "digits"               # gives (training data, validation data): gpugrad.data's, or a function of yours
[loader]
batch_size = 32
[model]
use = "models.py:Classifier"
[loss]
use = "cross_entropy"
[optimizer]
use = "Adam"
lr = 0.004
[scheduler]
use = "CosineAnnealingLR"
T_max = 30
[ema]
use = "ExponentialMovingAverage"
[metrics.accuracy]
use = "Accuracy"
[callbacks.early]
use = "EarlyStopping"
[trainer]                    # the arguments of gpugrad.training.Trainer
schedule = "epoch"
clip_grad_norm = 1.0
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy

from .. import data, nn, optim, random, training
from ..core import Tensor, modes
from ..optim import lr_scheduler, swa_utils
from .config import Config, Values

SETTINGS = ("out", "device", "seed", "epochs", "data", "loader", "model", "loss", "optimizer", "scheduler", "ema",
            "metrics", "callbacks", "trainer")  # fmt: skip


class Training(NamedTuple):
    """What a configuration makes: a trainer, and what it is to be given."""

    trainer: training.Trainer
    batches: Any
    validation: Any
    epochs: int

    def run(self) -> None:
        """Train.

        Raises:
            Interrupted: the run was stopped and has saved (see :mod:`gpugrad.training`).
        """
        self.trainer.fit(self.batches, self.validation, epochs=self.epochs)


def prepared(config: Config, **options: Any) -> Training:
    """Make what the configuration says; nothing is written.

    Args:
        config: the configuration.
        options: further arguments of the Trainer.

    Raises:
        ConfigError: a setting is wrong.
    """
    config.only(SETTINGS)
    device = config.value("device", str, "auto")
    try:
        modes.set_default_device(None if device == "auto" else device)  # the one line that chooses the device
    except (RuntimeError, ValueError) as error:
        raise config.error(str(error), "device") from error
    seed = config.value("seed", int, 0)
    try:
        random.seed(seed)
    except (OverflowError, ValueError) as error:
        raise config.error(str(error), "seed") from error
    epochs = config.value("epochs", int, 1)
    if epochs < 0:
        raise config.error(f"expected epochs from 0 on, got {epochs}", "epochs")
    batches, validation = loaders(config, seed)
    model = config.make("model", among=[nn])
    if not isinstance(model, nn.Module):
        raise config.error(f"expected a gpugrad.nn.Module, got {type(model).__name__}", "model", "use")
    if options.get("distributed"):
        from ..distributed import SyncBatchNorm, init

        model = SyncBatchNorm.convert_sync_batchnorm(model)
        if device == "auto":
            modes.set_default_device(init().device)
            model.to(init().device)
    optimizer = config.make("optimizer", among=[optim], first=(model.parameters(),))
    given = {
        "folder": config.value("out", str, "runs/" + config.file.stem),
        "metrics": {name: config.make("metrics", name, among=[training]) for name in config.table("metrics")},
        "settings": identity(config.values),
        "callbacks": [callback(config, name) for name in config.table("callbacks")],
        **options,
    }
    if "scheduler" in config.values:
        given["scheduler"] = config.make("scheduler", among=[lr_scheduler], first=(optimizer,))
    if "ema" in config.values:
        given["ema"] = config.make("ema", among=[swa_utils], first=(model,))
        if not isinstance(given["ema"], swa_utils.ExponentialMovingAverage):
            got = type(given["ema"]).__name__
            raise config.error(f"expected an ExponentialMovingAverage, got {got}", "ema", "use")
    trainer = config.call(training.Trainer, "trainer", given=given, first=(model, loss(config), optimizer))
    return Training(trainer, batches, validation, epochs)


ELSEWHERE = {"out", "device", "epochs", "loader.num_workers", "loader.workers", "loader.prefetch", "loader.device"}
SAME = {"trainer.accumulate", "trainer.clip_grad_norm", "trainer.schedule"}


def identity(values: Values) -> Values:
    """What makes the run this run, by dotted names: all but where it computes and saves, and how long it trains.

    >>> identity({"out": "runs/a", "optimizer": {"use": "SGD", "lr": 0.1}, "trainer": {"grace": 10}})
    {'optimizer.use': 'SGD', 'optimizer.lr': 0.1}
    """
    found: Values = {}
    for name, value in values.items():
        entries = {f"{name}.{k}": v for k, v in identity(value).items()} if isinstance(value, dict) else {name: value}
        found.update(entries)
    return {name: v for name, v in found.items() if name not in ELSEWHERE and (name in SAME or "trainer." not in name)}


def loaders(config: Config, seed: int) -> tuple[Any, Any]:
    """The batches to train on, and those to validate on, or None."""
    made = config.make("data", among=[data])
    pair = data_sets(made)
    if len(pair) == 1:
        pair = (*pair, None)
    if len(pair) != 2:
        raise config.error(f"expected (training data, validation data), got a tuple of {len(pair)}", "data", "use")
    if isinstance(pair[0], data.DataLoader):
        if "loader" in config.values:
            raise config.error("the data comes in batches already: there is nothing for [loader] to say", "loader")
        return pair
    train = config.call(data.DataLoader, "loader", first=(pair[0],), defaults={"shuffle": True, "seed": seed})
    if pair[1] is None:
        return train, None
    return train, unshuffled(config, pair[1])


EXAMPLES = (tuple, list, dict, str, bytes, numpy.ndarray, numpy.generic, Tensor)
"""What a list holds that is a data set itself."""


def data_sets(made: Any) -> tuple[Any, ...]:
    """The data sets in what a function returns: a tuple or list of them, as ``random_split`` gives, or a single one."""
    if isinstance(made, tuple):
        return made
    if isinstance(made, list) and made and all(hasattr(e, "__getitem__") and not isinstance(e, EXAMPLES) for e in made):
        return tuple(made)
    return (made,)


def unshuffled(config: Config, dataset: Any) -> data.DataLoader:
    """All examples of a data set in their order, in batches as the configuration has them."""
    same = {name: value for name, value in config.table("loader").items() if name not in ("shuffle", "drop_last")}
    return data.DataLoader(dataset, **same)


def callback(config: Config, name: str) -> training.Callback:
    """One of the callbacks."""
    made = config.make("callbacks", name, among=[training])
    if not isinstance(made, training.Callback):
        raise config.error(f"expected a gpugrad.training.Callback, got {type(made).__name__}", "callbacks", name, "use")
    return made


def loss(config: Config) -> Callable[..., Any]:
    """The loss: a module, or a function with its arguments."""
    function, arguments = config.called("loss", among=[nn.functional, nn])
    if isinstance(function, type):
        return config.make("loss", among=[nn.functional, nn])  # type: ignore[no-any-return]
    config.check(function, arguments, "loss", first=2)
    needed = list(inspect.signature(function).parameters)[:2]
    for name in needed:
        if name in arguments:
            raise config.error(f"{function.__name__} is given its {name!r} by the training", "loss", name)
    return partial(function, **arguments) if arguments else function
