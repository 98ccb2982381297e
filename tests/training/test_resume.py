"""Going on is exact: in the middle of an epoch, with other prefetching and workers, on another kind of device."""

from __future__ import annotations

import shutil

import numpy
import pytest

import gpugrad as gg
from gpugrad import data, nn, optim
from gpugrad.testing import cuda_simulator
from gpugrad.training import Accuracy, Callback, EarlyStopping, Trainer
from gpugrad.training.checkpoints.state_json import Gathered
from gpugrad.training.reporting.log import read_rows

X = numpy.random.default_rng(0).normal(size=(200, 5)).astype("float32")
Y = (X[:, 0] > 0).astype("int64")


OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "adagrad": lambda p: optim.Adagrad(p, lr=0.05),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.01, centered=True, momentum=0.5),
    "adam": lambda p: optim.Adam(p, lr=0.01, amsgrad=True),
    "adamw": lambda p: optim.AdamW(p, lr=0.01),
}

schedules = optim.lr_scheduler
SCHEDULES = {
    "none": (None, "step"),
    "step": (lambda o: schedules.StepLR(o, 7, 0.5), "step"),
    "one cycle": (lambda o: schedules.OneCycleLR(o, max_lr=0.1, total_steps=200), "step"),
    "warm restarts": (lambda o: schedules.CosineAnnealingWarmRestarts(o, 9, 2), "step"),
    "by epoch": (lambda o: schedules.ExponentialLR(o, 0.8), "epoch"),
    "plateau": (lambda o: schedules.ReduceLROnPlateau(o, patience=0), "epoch"),
}


def trainer(folder, optimizer="adam", schedule="none", accumulate=1, ema=False, dropout=0.3, log_every=7, **options):
    gg.random.seed(11)
    model = nn.Sequential(nn.Linear(5, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, 2))
    made = OPTIMIZERS[optimizer](model.parameters())
    make, when = SCHEDULES[schedule]
    return Trainer(
        model, nn.CrossEntropyLoss(), made, folder=folder, scheduler=make and make(made), schedule=when,
        ema=optim.swa_utils.ExponentialMovingAverage(model, 0.95) if ema else None, accumulate=accumulate,
        metrics={"accuracy": Accuracy()}, save_seconds=None, log_every=log_every, progress=False, metadata=False,
        **options,
    )  # fmt: skip


def loaders(prefetch=2, **options):
    return (
        data.DataLoader(data.ArrayDataset(X, Y), 10, shuffle=True, seed=4, prefetch=prefetch, **options),
        data.DataLoader(data.ArrayDataset(X[:50], Y[:50]), 20, prefetch=prefetch),
    )


def everything(trained):
    """All that a run is, as comparable values."""
    parts = {name: part.state_dict() for name, part in trained.checkpointer.parts.items()}
    del parts["trainer"]["seconds"]
    state = Gathered(parts)
    arrays = {key: gg.backend.to_host(array) for key, array in state.arrays.items()}
    rows = {}
    for row in read_rows(trained._place.local):
        for name, value in row.items():
            if name != "seconds":
                rows[row["step"], name] = value
    return state.tree, arrays, gg.random.default_generator.state, rows


def assert_same(a, b):
    for left, right in zip(a, b, strict=True):
        if isinstance(left, dict) and left and isinstance(next(iter(left.values())), numpy.ndarray):
            assert {k: (v.dtype, v.tobytes()) for k, v in left.items()} == {
                k: (v.dtype, v.tobytes()) for k, v in right.items()
            }
        else:
            assert left == right


CASES = [
    {"optimizer": name} for name in OPTIMIZERS
] + [
    {"schedule": name} for name in SCHEDULES if name != "none"
] + [
    {"accumulate": 3}, {"ema": True}, {"clip_grad_norm": 0.1},
    {"accumulate": 2, "ema": True, "schedule": "warm restarts"},
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_hundred_steps_are_fifty_and_fifty(case, tmp_path, device):
    if not device.is_host and case != CASES[-1]:
        pytest.skip("one of these is enough on a GPU: the differences are in states, not in arrays")
    total, half = (100, 50) if case.get("accumulate", 1) == 1 else (34, 17)  # in the middle of the third epoch
    once = trainer(tmp_path / "once", **case)
    once.fit(*loaders(), epochs=9, steps=total)
    expected = everything(once)
    first = trainer(tmp_path / "twice", **case)
    first.fit(*loaders(), epochs=9, steps=half)
    gg.random.seed(999)
    second = trainer(tmp_path / "twice", **case)
    second.fit(*loaders(), epochs=9, steps=total)
    assert second.step == total
    assert_same(everything(second), expected)


@pytest.mark.parametrize("half", [1, 7, 19, 20, 21, 39, 40, 41])
def test_wherever_it_is_stopped(half, tmp_path, device):
    if not device.is_host and half != 21:
        pytest.skip("one of these is enough on a GPU")
    once = trainer(tmp_path / "once")
    results = once.fit(*loaders(), epochs=3)
    trainer(tmp_path / "twice").fit(*loaders(), epochs=3, steps=half)
    second = trainer(tmp_path / "twice")
    assert second.fit(*loaders(), epochs=3) == results
    assert_same(everything(second), everything(once))


class Own(Callback):
    """Saves in the midst of what is done at the end of an epoch."""

    def on_epoch(self, trainer, results):
        trainer.save(wait=True)


def test_every_checkpoint_of_a_run_leads_to_the_same_end(tmp_path):
    """A save behind every step and every epoch, with a last step of fewer batches; each is gone on with."""
    options = {
        "accumulate": 3,
        "ema": True,
        "clip_grad_norm": 0.5,
        "schedule": "plateau",
        "save_every": 1,
        "log_every": 4,
    }

    def batches():
        train, _ = loaders()
        return train, data.DataLoader(data.ArrayDataset(X, Y), 40, shuffle=True)

    once = trainer(tmp_path / "once", keep_last=100, callbacks=[Own()], **options)
    logs = []
    once.checkpointer.beside = lambda: logs.append((tmp_path / "once" / "log.jsonl").read_bytes())
    once.fit(*batches(), epochs=2)
    names = once.checkpointer.names()
    assert len(names) == len(logs) == 14 + 2
    for name, log in zip(names[:-1], logs, strict=False):
        folder = tmp_path / name
        shutil.copytree(tmp_path / "once" / "checkpoints" / name, folder / "checkpoints" / name)
        (folder / "log.jsonl").write_bytes(log)
        again = trainer(folder, callbacks=[Own()], **options)
        again.fit(*batches(), epochs=2)
        assert_same(everything(again), everything(once))


WAYS = [
    ({"prefetch": 2}, {"prefetch": 0}),
    ({"prefetch": 0}, {"prefetch": 7}),
    ({"prefetch": 1}, {"num_workers": 2, "workers": "thread"}),
    ({"num_workers": 3, "workers": "thread"}, {"num_workers": 1, "workers": "thread"}),
    ({"num_workers": 2, "workers": "process"}, {"prefetch": 2}),
]


@pytest.mark.parametrize(("before", "after"), WAYS, ids=str)
def test_with_other_prefetching_and_workers(before, after, tmp_path, device):
    if "process" in (before.get("workers"), after.get("workers")) and not device.is_host:
        pytest.skip("processes are tried on the CPU")
    once = trainer(tmp_path / "once")
    once.fit(*loaders(), epochs=9, steps=50)
    trainer(tmp_path / "twice").fit(*loaders(**before), epochs=9, steps=23)
    second = trainer(tmp_path / "twice")
    second.fit(*loaders(**after), epochs=9, steps=50)
    assert_same(everything(second), everything(once))


@pytest.mark.parametrize("way", [("cpu", "cuda"), ("cuda", "cpu")])
def test_on_another_kind_of_device(way, tmp_path, request):
    if request.config.getoption("--device") == "cuda":
        pytest.skip("on the simulated GPU here")
    numbers = {}
    with cuda_simulator.installed() if not cuda_simulator.is_installed() else gg.default_device("cpu"):
        for devices in (("cpu", "cpu"), way):
            for device, steps in zip(devices, (23, 50), strict=True):
                with gg.default_device(device):
                    # No Adam: it makes whole steps of the rounding that is the gradient of a bias before BatchNorm.
                    run = trainer(tmp_path / "-".join(devices), "sgd", dropout=0.3)
                    run.fit(*loaders(), epochs=9, steps=steps)
                    numbers[devices] = {name: value.numpy() for name, value in run.model.state_dict().items()}
                    assert {p.device.type for p in run.model.parameters()} == {device}
    for name, expected in numbers["cpu", "cpu"].items():
        numpy.testing.assert_allclose(numbers[way][name], expected, rtol=1e-3, atol=1e-5, err_msg=name)


def test_batches_that_know_no_position(tmp_path, device):
    """A plain list of batches: those that were used are passed over."""
    batches = [tuple(gg.asarray(rows[i : i + 10], device=device) for rows in (X, Y)) for i in range(0, 200, 10)]
    once = trainer(tmp_path / "once")
    once.fit(batches, batches[:3], epochs=3)
    trainer(tmp_path / "twice").fit(batches, batches[:3], epochs=3, steps=33)
    second = trainer(tmp_path / "twice")
    second.fit(batches, batches[:3], epochs=3)
    assert_same(everything(second), everything(once))


def test_random_numbers_in_an_evaluation_are_the_same_again(tmp_path, monkeypatch):
    """An evaluation that draws numbers, broken off in its midst and done again."""
    from gpugrad.training import Interrupted

    class Drawing(Trainer):
        broken = False

        def compute(self, batch):
            if not self.model.training:
                gg.random.random(3)
                if self.broken and self.epoch == 1:
                    raise Interrupted("SIGTERM")
            return super().compute(batch)

    def run(name, broken=False):
        with monkeypatch.context() as patch:
            patch.setitem(globals(), "Trainer", Drawing)
            made = trainer(tmp_path / name)
        made.broken = broken
        return made

    once = run("once")
    once.fit(*loaders(), epochs=3)
    with pytest.raises(Interrupted):
        run("twice", broken=True).fit(*loaders(), epochs=3)
    second = run("twice")
    second.fit(*loaders(), epochs=3)
    assert_same(everything(second), everything(once))


def test_a_finished_run_stays_finished(tmp_path):
    first = trainer(tmp_path, callbacks=[EarlyStopping("loss", patience=0, min_delta=100.0)])
    results = first.fit(*loaders(), epochs=50)
    assert first.epoch == 2
    second = trainer(tmp_path, callbacks=[EarlyStopping("loss", patience=0, min_delta=100.0)])
    assert second.fit(*loaders(), epochs=50) == results
    assert second.step == first.step


def test_more_epochs_go_on(tmp_path):
    trainer(tmp_path / "twice").fit(*loaders(), epochs=1)
    second = trainer(tmp_path / "twice")
    second.fit(*loaders(), epochs=3)
    once = trainer(tmp_path / "once")
    once.fit(*loaders(), epochs=3)
    assert_same(everything(second), everything(once))


def test_one_process_can_go_on_too(tmp_path):
    run = trainer(tmp_path / "twice")
    train, validation = loaders()
    run.fit(train, validation, epochs=1)
    run.fit(train, validation, epochs=3)
    once = trainer(tmp_path / "once")
    once.fit(*loaders(), epochs=3)
    assert_same(everything(run), everything(once))


def test_beginning_anew(tmp_path):
    trainer(tmp_path / "run").fit(*loaders(), epochs=2)
    again = trainer(tmp_path / "run", resume=False)
    again.fit(*loaders(), epochs=1)
    once = trainer(tmp_path / "once")
    once.fit(*loaders(), epochs=1)
    assert_same(everything(again), everything(once))
    assert trainer(tmp_path / "run").fit(*loaders(), epochs=1) == again.results
