"""A process that trains, for tests that kill it: imported once, then forked for each run, which takes milliseconds.

It reads a run as one line of JSON, forks, answers with the child's process id, and when that has ended with its status.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import signal
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy

import gpugrad as gg
from gpugrad import data, nn, optim, training
from gpugrad.training.checkpoints.state_json import Gathered
from gpugrad.training.reporting.log import TABLE, Log, read_rows

sys.modules["tensorboardX"] = None  # it may import PyTorch, in every child anew
warnings.simplefilter("error")

ROWS = 160
X = numpy.random.default_rng(0).normal(size=(ROWS, 6)).astype("float32")
Y = (X.sum(axis=1) > 0).astype("int64")


class Shared:
    """What the parent wants to know after a kill: the step, and whether a save was under way."""

    def __init__(self, path):
        self.file = os.open(path, os.O_RDWR | os.O_CREAT)

    def write(self, place, value):
        os.pwrite(self.file, value.to_bytes(8, "little"), 8 * place)


class Tell(training.Callback):
    def __init__(self, shared, spec):
        self.shared, self.spec = shared, spec

    def on_step(self, trainer):
        self.shared.write(0, trainer.step)


class Slow:
    """Something that takes long in one place of the run, and says so in the file ``marker``."""

    def __init__(self, spec):
        self.where, self.at = spec.get("slow"), spec.get("at", 0)
        self.seconds, self.marker = spec.get("seconds", 30.0), spec.get("marker")
        self.seen = 0

    def here(self, where):
        if where != self.where:
            return
        self.seen += 1
        if self.seen == self.at:
            Path(self.marker).touch()
            end = time.monotonic() + self.seconds
            while (left := end - time.monotonic()) > 0:
                time.sleep(left)


class SecondLog(training.Callback):
    """A log of a user, with a row for each step, that goes back to the checkpoint's rows."""

    def __init__(self, folder):
        self.log = Log(folder, tensorboard=False)
        self.state = None

    def on_start(self, trainer):
        if self.state is None:
            self.log.drop_after(-1)
        else:
            self.log.resume(trainer.step, self.state["rows"])

    def on_step(self, trainer):
        self.log.write(trainer.step, {"rate": trainer.optimizer.param_groups[0]["lr"], "draw": gg.random.random()})

    def state_dict(self):
        return {"rows": self.log.rows}

    def load_state_dict(self, state):
        self.state = state


class Stream(data.IterableDataset):
    """The rows in an order that it draws itself, divided among the workers by itself."""

    def __iter__(self):
        generator = data.generator()
        order = generator.permutation(ROWS, device="cpu").tolist()
        worker = data.get_worker_info()
        for i in order if worker is None else order[worker.id :: worker.num_workers]:
            yield X[i] + numpy.float32(0.01) * generator.standard_normal(6, device="cpu").numpy().astype("f4"), Y[i]


class Network(nn.Module):
    def __init__(self, slow):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 2))
        self.slow = slow

    def forward(self, x):
        self.slow.here("forward" if self.training else "evaluation")
        return self.body(x)


class Rows(data.ArrayDataset):
    def __init__(self, slow, where):
        super().__init__(X, Y)
        self.slow, self.where = slow, where

    def gather(self, indices):
        self.slow.here(self.where)
        return super().gather(indices)


def build(spec, shared):
    gg.random.seed(5)
    slow = Slow(spec)
    model = Network(slow)
    optimizer = optim.AdamW(model.parameters(), lr=0.01)
    schedule = optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 7)
    ema = optim.swa_utils.ExponentialMovingAverage(model, 0.9)
    callbacks = [Tell(shared, spec)]
    if spec.get("second_log"):
        callbacks.append(SecondLog(Path(spec["folder"]) / "second"))
    trainer = training.Trainer(
        model, nn.CrossEntropyLoss(), optimizer, folder=spec["folder"], scheduler=schedule, ema=ema, accumulate=2,
        clip_grad_norm=1.0, metrics={"accuracy": training.Accuracy()}, callbacks=callbacks, log_every=3,
        save_every=spec.get("save_every", 4), save_seconds=None, keep_best=spec.get("keep_best", False),
        progress=False, grace=spec.get("grace", 20.0),
    )  # fmt: skip
    checkpointer = trainer.checkpointer
    checkpointer.asynchronous = spec.get("asynchronous", True)
    put, begin, commit = checkpointer.store.put, checkpointer.store.begin, checkpointer.store.commit

    def slow_put(name, file, pieces):
        slow.here("save")
        put(name, file, pieces)

    def noted_begin(name):
        shared.write(1, 1)
        begin(name)

    def noted_commit(name):
        commit(name)
        shared.write(1, 0)

    checkpointer.store.put, checkpointer.store.begin, checkpointer.store.commit = slow_put, noted_begin, noted_commit
    prefetch = spec.get("prefetch", 2)
    more = {"num_workers": spec.get("num_workers", 0), "workers": spec.get("workers", "thread")}
    if spec.get("stream"):
        train = data.DataLoader(Stream(), 16, seed=2, prefetch=prefetch, **more)
    else:
        train = data.DataLoader(Rows(slow, "wait"), 16, shuffle=True, seed=2, prefetch=prefetch, **more)
    validation = data.DataLoader(Rows(slow, "validation wait"), 50, prefetch=prefetch)
    return trainer, train, validation


def ending(trainer):
    """Everything that a run ends with, as lines of text with checksums."""
    state = {name: part.state_dict() for name, part in trainer.checkpointer.parts.items()}
    del state["trainer"]["seconds"]
    found = Gathered(state)
    lines = [f"random {gg.random.default_generator.state}"]
    for name, tree in found.tree.items():
        lines.append(f"{name} {json.dumps(tree, sort_keys=True)}")
    for key, array in sorted(found.arrays.items()):
        lines.append(f"{key} {array.dtype} {hashlib.sha256(numpy.ascontiguousarray(array).tobytes()).hexdigest()}")
    folder = Path(trainer._place.local)
    for log in (folder, folder / "second"):
        rows = [{k: v for k, v in row.items() if k != "seconds"} for row in read_rows(log)]
        lines += [json.dumps(row, sort_keys=True) for row in rows]
        if (log / TABLE).exists():
            with (log / TABLE).open(newline="") as file:
                table = [{k: v for k, v in row.items() if k != "seconds" and v} for row in csv.DictReader(file)]
            assert table == [{k: str(v) for k, v in row.items()} for row in rows], "the table has the same rows"
    return "\n".join(lines)


def run(spec):
    """One run, or what is left of it."""
    shared = Shared(spec["shared"])
    shared.write(0, 0)
    shared.write(1, 0)
    trainer, train, validation = build(spec, shared)
    if spec.get("thread"):
        thread = threading.Thread(target=fit, args=(trainer, train, validation, spec))
        thread.start()
        thread.join()
    else:
        fit(trainer, train, validation, spec)
    Path(spec["result"]).write_text(ending(trainer))


def fit(trainer, train, validation, spec):
    try:
        trainer.fit(train, validation, epochs=spec.get("epochs", 6), steps=spec.get("steps"))
    finally:
        if spec.get("restored"):
            handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
            ok = handlers == [signal.SIG_DFL, signal.default_int_handler]
            Path(spec["restored"]).write_text(str(ok))


def child(spec):
    out = os.open(spec["out"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    sys.stdin.close()
    os.environ.update(spec.get("environment", {}))
    status = 0
    try:
        run(spec)
    except SystemExit as ended:
        status = ended.code
    except BaseException:  # told in the output
        sys.excepthook(*sys.exc_info())
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    os._exit(status)


def main():
    print("ready", flush=True)
    for line in iter(sys.stdin.readline, ""):
        spec = json.loads(line)
        process = os.fork()
        if process == 0:
            child(spec)
        print(process, flush=True)
        _, status = os.waitpid(process, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
