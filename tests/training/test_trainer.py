"""The training loop: what a step is, what is measured and written, and what ends a run."""

from __future__ import annotations

import contextlib
import json
import math
import re

import numpy
import pytest

import gpugrad as gg
from gpugrad import data, nn, optim
from gpugrad.training import (
    F1,
    Accuracy,
    Callback,
    Checkpointer,
    CheckpointError,
    EarlyStopping,
    OtherRunError,
    Progress,
    Trainer,
)  # fmt: skip
from gpugrad.training.reporting.log import read_events, read_rows

X = numpy.random.default_rng(0).normal(size=(96, 4)).astype("float32")
Y = (X[:, 0] > 0).astype("int64")


def network():
    gg.random.seed(3)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))


def trainer(model=None, lr=0.1, loss=None, **options):
    model = model or network()
    options = {"progress": False, "metadata": False, **options}
    return Trainer(model, loss or nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=lr), **options)


def batches(size=16, x=X, y=Y):
    return data.DataLoader(data.ArrayDataset(x, y), size)


def weights(model):
    return {name: value.numpy() for name, value in model.state_dict().items()}


# ------------------------------------------------------------------------------------------- a step


def test_a_step_is_what_one_would_write_oneself(device):
    run = trainer(clip_grad_norm=0.5)
    run.fit(batches(), epochs=2)
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        for images, labels in batches():
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
    for name, expected in weights(model).items():
        numpy.testing.assert_array_equal(weights(run.model)[name], expected)
    assert (run.step, run.epoch) == (12, 2)


@pytest.mark.parametrize(("size", "accumulate"), [(16, 2), (8, 4), (6, 5), (32, 1)])
def test_accumulated_batches_are_one(size, accumulate, device):
    """Also where the last one is smaller: all samples count the same."""
    rows = 90
    run = trainer(accumulate=accumulate)
    run.fit(batches(size, X[:rows], Y[:rows]))
    other = trainer()
    other.fit(batches(size * accumulate, X[:rows], Y[:rows]))
    assert run.step == other.step == math.ceil(rows / (size * accumulate))
    for name, expected in weights(other.model).items():
        numpy.testing.assert_allclose(weights(run.model)[name], expected, rtol=1e-5, atol=1e-7)
    assert run.results["loss"] == pytest.approx(other.results["loss"], rel=1e-6)


def test_a_loss_of_ones_own(device):
    class Own(Trainer):
        def compute(self, batch):
            x, _ = batch
            outputs = self.model(x)
            return (outputs**2).mean(), outputs, x

    model = network()
    run = Own(model, None, optim.SGD(model.parameters(), lr=0.5), progress=False, metadata=False)
    assert run.fit(batches(), epochs=20)["loss"] < 0.01


def test_several_inputs():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 2)

        def forward(self, a, b):
            return self.layer(a + b)

    loader = data.DataLoader(data.ArrayDataset(X, X, Y), 16)
    assert trainer(Two(), lr=1.0).fit(loader, epochs=10)["loss"] < 0.3


def test_weights_are_in_training_mode_again_after_an_evaluation():
    modes = []

    class Watching(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 2)

        def forward(self, x):
            modes.append((self.training, gg.is_grad_enabled()))
            return self.layer(x)

    trainer(Watching()).fit(batches(48), batches(48), epochs=2)
    assert modes == [(True, True), (True, True), (False, False), (False, False)] * 2


def test_an_interrupted_evaluation_leaves_each_module_in_its_mode():
    def interrupted():
        yield from batches()
        raise KeyboardInterrupt

    model = nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, 2))
    model[0].eval()
    run, before = trainer(model), [m.training for m in model.modules()]
    for source in (batches(), interrupted()):
        with contextlib.suppress(KeyboardInterrupt):
            run.evaluate(source)
        assert [m.training for m in model.modules()] == before == [True, False, True, True]
    with pytest.raises(KeyboardInterrupt):
        optim.swa_utils.update_bn(interrupted(), model)
    assert [m.training for m in model.modules()] == before


def test_averaged_weights_are_evaluated_and_the_others_trained(device):
    model = network()
    ema = optim.swa_utils.ExponentialMovingAverage(model, 0.9)
    run = trainer(model, lr=1.0, ema=ema, metrics={"accuracy": Accuracy()})
    results = run.fit(batches(), batches(), epochs=2)
    before = weights(model)
    with ema.swapped(), gg.no_grad():
        model.eval()
        scores = model(gg.asarray(X, device=device))
        expected = nn.functional.cross_entropy(scores, gg.asarray(Y, device=device)).item()
    assert results["validation/loss"] == pytest.approx(expected, rel=1e-6)
    assert results["validation/accuracy"] == pytest.approx((scores.numpy().argmax(1) == Y).mean())
    for name, value in weights(model).items():
        numpy.testing.assert_array_equal(value, before[name])
    plain = trainer(lr=1.0)
    plain.fit(batches(), batches(), epochs=2)
    for name, value in weights(plain.model).items():
        numpy.testing.assert_array_equal(value, before[name])


# ------------------------------------------------------------------------------------------- schedules, results


@pytest.mark.parametrize(("schedule", "rate"), [("step", 0.1 * 0.5**12), ("epoch", 0.1 * 0.5**2)])
def test_when_the_schedule_is_stepped(schedule, rate):
    run = trainer(schedule=schedule)
    run.scheduler = optim.lr_scheduler.ExponentialLR(run.optimizer, 0.5)
    run.fit(batches(), epochs=2)
    assert run.optimizer.param_groups[0]["lr"] == pytest.approx(rate)


@pytest.mark.parametrize(("monitor", "given"), [(None, "validation/loss"), ("accuracy", "accuracy")])
def test_a_plateau_is_told_the_metric(monitor, given):
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    told = []

    class Plateau(optim.lr_scheduler.ReduceLROnPlateau):
        def step(self, metrics, epoch=None):
            told.append(metrics)
            super().step(metrics)

    run = Trainer(
        model, nn.CrossEntropyLoss(), optimizer, scheduler=Plateau(optimizer), monitor=monitor, progress=False,
        metrics={"accuracy": Accuracy()}, metadata=False,
    )  # fmt: skip
    run.fit(batches(), batches(), epochs=3)
    assert len(told) == 3
    assert told[-1] == run.results[given]


def test_results_are_means_over_all_samples(device):
    run = trainer(lr=0.0, metrics={"accuracy": Accuracy()}, log_every=2)
    results = run.fit(batches(20), batches(36), epochs=2)
    with gg.no_grad():
        scores = run.model(gg.asarray(X, device=device))
    loss = nn.functional.cross_entropy(scores, gg.asarray(Y, device=device)).item()
    accuracy = (scores.numpy().argmax(1) == Y).mean()
    expected = {"loss": loss, "accuracy": accuracy, "validation/loss": loss, "validation/accuracy": accuracy}
    assert results == pytest.approx(expected, rel=1e-5)
    assert run.evaluate(batches(7)) == pytest.approx({"loss": loss, "accuracy": accuracy}, rel=1e-5)


def test_the_log_has_it_all(tmp_path):
    run = trainer(folder=tmp_path, log_every=4, clip_grad_norm=1.0, metrics={"accuracy": Accuracy()},
                  settings={"hidden": 8, "path": tmp_path})  # fmt: skip
    run.fit(batches(), batches(), epochs=2)
    rows = list(read_rows(tmp_path))
    assert [row["step"] for row in rows] == [4, 6, 6, 8, 12, 12]
    assert [row["epoch"] for row in rows] == [1, 1, 1, 2, 2, 2]
    assert set(rows[0]) == {"step", "epoch", "seconds", "loss", "learning rate", "gradient norm"}
    assert set(rows[2]) == {"step", "epoch", "seconds", "accuracy", "validation/loss", "validation/accuracy"}
    assert [row["seconds"] for row in rows] == sorted(row["seconds"] for row in rows)
    assert [event["event"] for event in read_events(tmp_path)] == ["finished"]
    assert json.loads((tmp_path / "settings.json").read_text())["hidden"] == 8
    assert "</html>" in (tmp_path / "report.html").read_text()


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trainer().fit(batches(), epochs=1)
    assert list(tmp_path.iterdir()) == []


def test_progress_tells_lines(capsys):
    trainer(progress=True, price_per_hour=3.6).fit(batches(), batches(), epochs=2)
    out = capsys.readouterr().out
    assert "step 6/12" in out
    assert "step 12/12" in out
    assert "val loss" in out
    assert "$" in out
    assert isinstance(Progress, type)


def test_a_save_begins_so_early_that_it_can_be_complete_in_time(tmp_path):
    trainer(folder=tmp_path, save_every=10, save_seconds=None, keep_last=9).fit(batches(), epochs=5, steps=25)
    steps = [int(path.name.rpartition("-")[2]) for path in (tmp_path / "checkpoints").glob("*-step-*")]
    assert sorted(steps) == [9, 18, 25]


def test_the_best_is_kept(tmp_path):
    losses = iter([3.0, 1.0, 2.0, 4.0])

    class Given(Trainer):
        def evaluate(self, source):
            return {"loss": next(losses)}

    model = network()
    run = Given(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1), folder=tmp_path, keep_best=True,
                keep_last=1, progress=False, metadata=False)  # fmt: skip
    run.fit(batches(), batches(), epochs=4)
    assert [Checkpointer(tmp_path / "checkpoints").load(n).step for n in run.checkpointer.names()] == [12, 24]
    assert run.checkpointer.load(run.checkpointer.best()).metrics["validation/loss"] == 1.0


@pytest.mark.parametrize("options", [{"keep_best": True}, {"scheduler": True}])
def test_a_monitor_that_is_not_there(options, tmp_path):
    run = trainer(folder=tmp_path, monitor="accuracy", **{**options, "scheduler": None})
    if "scheduler" in options:
        run.scheduler, run._wants_metric = optim.lr_scheduler.ReduceLROnPlateau(run.optimizer), True
    with pytest.raises(KeyError, match="there is no metric 'accuracy', only loss"):
        run.fit(batches())


# ------------------------------------------------------------------------------------------- callbacks and ends


def test_callbacks_in_their_order():
    told = []

    class Telling(Callback):
        def on_start(self, trainer):
            told.append("start")

        def on_step(self, trainer):
            told.append(trainer.step)

        def on_epoch(self, trainer, results):
            told.append(sorted(results))

        def on_end(self, trainer):
            told.append("end")

    trainer(callbacks=[Telling()]).fit(batches(48), epochs=2)
    assert told == ["start", 1, 2, ["loss"], 3, 4, ["loss"], "end"]


def test_a_callback_may_save_and_stop(tmp_path):
    class Own(Callback):
        def on_step(self, trainer):
            if trainer.step == 3:
                trainer.save()
            if trainer.step == 5:
                trainer.stop()

    run = trainer(folder=tmp_path, callbacks=[Own()])
    run.fit(batches(), epochs=9)
    assert (run.step, run.epoch) == (5, 0)
    found = run.checkpointer.load(run.checkpointer.names()[0])
    assert (found.step, found.parts["trainer"]["positions"]["train"]["batch"]) == (3, 3)


def test_a_callback_is_remembered(tmp_path):
    class Counting(Callback):
        count = 0

        def on_step(self, trainer):
            self.count += 1

        def state_dict(self):
            return {"count": self.count}

        def load_state_dict(self, state):
            self.count = state["count"]

    trainer(folder=tmp_path, callbacks=[Counting()]).fit(batches(), epochs=1)
    again = Counting()
    trainer(folder=tmp_path, callbacks=[again]).fit(batches(), epochs=2)
    assert again.count == 12


@pytest.mark.parametrize(
    ("losses", "options", "epochs"),
    [
        ([5, 4, 3, 2, 1], {"patience": 0}, 5),
        ([5, 4, 4, 3, 1], {"patience": 0}, 3),
        ([5, 4, 4, 3, 3, 3, 3], {"patience": 1}, 6),
        ([1, 2, 3, 2, 1], {"patience": 1, "mode": "max"}, 5),
        ([5, 4.9, 4.8, 4.7, 4.0], {"patience": 1, "min_delta": 0.5}, 3),
        ([5, math.nan, math.nan, 1], {"patience": 1}, 3),
    ],
)
def test_early_stopping(losses, options, epochs):
    given = iter(losses)

    class Given(Trainer):
        def evaluate(self, source):
            return {"loss": next(given)}

    model = network()
    run = Given(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1), progress=False, metadata=False,
                callbacks=[EarlyStopping(**options)])  # fmt: skip
    run.fit(batches(), batches(), epochs=len(losses))
    assert run.epoch == epochs


def test_early_stopping_of_nothing():
    with pytest.raises(KeyError, match="EarlyStopping: there is no 'validation/loss', only loss"):
        trainer(callbacks=[EarlyStopping()]).fit(batches())
    for options in ({"patience": -1}, {"min_delta": math.nan}, {"mode": "best"}):
        with pytest.raises(ValueError, match="EarlyStopping: expected patience and min_delta from 0 on"):
            EarlyStopping(**options)


@pytest.mark.parametrize("stop", [12, 13])
def test_an_epoch_that_the_steps_complete_is_evaluated(stop):
    run = trainer()
    run.fit(batches(), batches(), epochs=9, steps=stop)
    assert (run.step, run.epoch) == (stop, 2)
    assert "validation/loss" in run.results


def test_a_loss_that_is_not_finite_is_not_saved(tmp_path):
    run = trainer(lr=1e30, folder=tmp_path, save_every=1, log_every=1000, loss=lambda y, _: (y * 1e30).sum())
    with numpy.errstate(all="ignore"), pytest.raises(FloatingPointError, match=r"the loss is .*(nan|inf) in step \d"):
        run.fit(batches(), epochs=3)
    saved = [run.checkpointer.load(name) for name in run.checkpointer.names()]
    assert all(math.isfinite(float(found.parts["trainer"]["window"]["weighted"])) for found in saved)


@pytest.mark.parametrize("empty", [[], data.DataLoader(data.ArrayDataset(X[:0]), 4)])
def test_no_batches(empty):
    with pytest.raises(ValueError, match=r"Trainer.fit: there are no batches in epoch 1"):
        trainer().fit(empty)


def test_batches_that_can_be_gone_through_once(device):
    once = ((gg.asarray(X, device=device), gg.asarray(Y, device=device)) for _ in range(3))
    with pytest.raises(ValueError, match="there are no batches in epoch 2"):
        trainer().fit(once, epochs=2)


WRONG = {"accumulate": 0, "log_every": 0, "save_every": 0, "schedule": "batch", "save_seconds": 0.0}


@pytest.mark.parametrize("options", [{name: value} for name, value in WRONG.items()], ids=str)
def test_options_out_of_range(options):
    with pytest.raises(ValueError, match="Trainer: expected accumulate, log_every and save_every from 1 on"):
        trainer(**options)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            {"settings": {"a": 1, "b": 8}},
            {"settings": {"a": 1, "b": 9}},
            "b is 9, the run was started with 8. Choose another folder",
        ),
        ({"metrics": {"accuracy": Accuracy()}}, {}, r"metrics is \[\], the run was started with \['accuracy'\]"),
        ({"callbacks": [Callback()]}, {}, "callbacks is 0, the run was started with 1"),
        ({}, {"settings": {"a": 1}}, "a is 1, the run was started without"),
        ({}, {"model": nn.Linear(4, 3)}, "does not fit model"),
    ],
)
def test_a_run_that_is_another(before, after, message, tmp_path):
    trainer(folder=tmp_path, **before).fit(batches())
    with pytest.raises(CheckpointError if "model" in after else OtherRunError, match=message):
        trainer(folder=tmp_path, **after).fit(batches())


class Broken(Callback):
    """A run that ends after an epoch's row was written and before it was saved."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch(self, trainer, results):
        if trainer.epoch == self.epoch:
            raise RuntimeError("the machine is gone")


def test_the_row_of_an_epoch_stands_in_the_log_once(tmp_path):
    def fit(folder, broken=0):
        made = trainer(folder=folder, metrics={"accuracy": Accuracy()}, callbacks=[Broken(broken)], save_every=1,
                       save_seconds=None, log_every=2)  # fmt: skip
        made.fit(batches(), batches(), epochs=3)

    def rows(folder):
        return [{k: v for k, v in row.items() if k != "seconds"} for row in read_rows(folder)]

    fit(tmp_path / "whole")
    for epoch in (1, 2):
        with pytest.raises(RuntimeError, match="the machine is gone"):
            fit(tmp_path / "parts", epoch)
    fit(tmp_path / "parts")
    assert rows(tmp_path / "parts") == rows(tmp_path / "whole")


CHANGES = {
    "lr": (lambda: {"lr": 0.5}, r"optimizer.lr is 0.5, the run was started with 0.01, which is used", False),
    "weight decay": (lambda: {"wd": 0.3}, "optimizer.weight_decay is 0.3", False),
    "optimizer": (lambda: {"kind": optim.AdamW}, "optimizer is AdamW, the run was started with Adam", True),
    "clipping": (lambda: {"clip_grad_norm": 0.1}, "clip_grad_norm is 0.1, the run was started without$", False),
    "accumulation": (lambda: {"accumulate": 2}, "accumulate is 2", False),
    "length": (lambda: {"n": 24}, "data.length is 24, the run was started with 32", True),
    "batch size": (lambda: {"size": 16}, "data.batch_size is 16, the run was started with 8", True),
    "order": (lambda: {"shuffle": False}, "data.shuffle is False", True),
    "seed": (lambda: {"seed": 9}, "data.seed is 9, the run was started with 0, which is used", False),
    "data": (lambda: {"scale": 2.0}, "data.content is ", False),
    "dropout": (lambda: {"p": 0.5}, r"model is .*Dropout\(p=0.5.*the run was started with .*p=0.1", False),
    "loss": (lambda: {"loss": nn.functional.mse_loss}, "loss is mse_loss", False),
    "schedule added": (lambda: {"cosine": 50}, "scheduler is CosineAnnealingLR, the run was started without", True),
    "average removed": (lambda: {"average": False}, "ema is not set, the run was started with Exponential", True),
    "metrics": (lambda: {"metrics": {"f1": F1()}}, r"metrics is \['f1'\]", True),
}  # fmt: skip


def changed(folder, lr=0.01, wd=0.0, kind=None, n=32, size=8, shuffle=True, seed=0, scale=1.0, p=0.1, loss=None,
            cosine=None, average=True, **options):  # fmt: skip
    gg.random.seed(1)
    x = numpy.ones((n, 4), "float32") * scale
    model = nn.Sequential(nn.Linear(4, 2), nn.Dropout(p))
    optimizer = (kind or optim.Adam)(model.parameters(), lr=lr, weight_decay=wd)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, cosine) if cosine else None
    ema = optim.swa_utils.ExponentialMovingAverage(model, 0.9) if average else None
    made = Trainer(model, loss or nn.MSELoss(), optimizer, folder=folder, scheduler=schedule, ema=ema, progress=False,
                   save_every=2, save_seconds=None, **options)  # fmt: skip
    loader = data.DataLoader(data.ArrayDataset(x, x[:, :2]), size, shuffle=shuffle, seed=seed, prefetch=0)
    return made, loader


@pytest.mark.parametrize("name", CHANGES)
def test_a_program_that_changed_is_told_or_refused(name, tmp_path, caplog):
    options, message, refused = CHANGES[name]
    first, loader = changed(tmp_path)
    first.fit(loader, epochs=3, steps=5)
    before = sorted(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    second, loader = changed(tmp_path, **options())
    with caplog.at_level("INFO", logger="gpugrad"):
        if refused:
            with pytest.raises(OtherRunError, match=f"{message}.*resume=False"):
                second.fit(loader, epochs=3)
            assert sorted(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()) == before
            assert second.step == 0
        else:
            second.fit(loader, epochs=3)
            assert any(re.search(message, record.getMessage()) for record in caplog.records)
            caplog.clear()
            changed_back, loader = changed(tmp_path, **options())
            changed_back.fit(loader, epochs=3)
            assert [record.getMessage() for record in caplog.records if "complete" in record.getMessage()] == [
                f"complete: 3 of 3 epochs, {second.step} steps are done; nothing to train"
            ]
            assert "is not the one" not in caplog.text


# ------------------------------------------------------------------------------------------- a bucket


def test_a_bucket_has_everything(tmp_path):
    fsspec = pytest.importorskip("fsspec", reason="URLs are reached through fsspec")
    url = f"memory://{tmp_path.name}/run"
    first = trainer(folder=url, log_every=3, save_every=4)
    first.fit(batches(), batches(), epochs=1)
    assert first._place.local.is_dir()
    second = trainer(folder=url, log_every=3, save_every=4)  # another machine: nothing but the bucket is there
    assert second._place.local != first._place.local
    second.fit(batches(), batches(), epochs=2)
    assert second.step == 12
    assert [row["step"] for row in read_rows(second._place.local)] == [3, 6, 6, 9, 12, 12]
    files = fsspec.filesystem("memory")
    names = {path.rpartition("/")[2] for path in files.ls(f"/{tmp_path.name}/run", detail=False)}
    assert names == {"checkpoints", "log.csv", "log.jsonl", "report.html", "settings.json"}
    assert files.cat_file(f"/{tmp_path.name}/run/log.jsonl") == (second._place.local / "log.jsonl").read_bytes()
