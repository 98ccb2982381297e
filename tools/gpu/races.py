"""Races between the host, the GPU and threads: ``races.py loader checkpoint streams``.

Each queues so much work that the GPU is behind when the host goes on. On the simulator, streams run as late as CUDA
allows.
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import nullcontext
from typing import Any

import numpy
from record import Record, simulated

import gpugrad as gg
from gpugrad import backend, data, nn, optim, training

SMALL = "--small" in sys.argv


def behind() -> Any:
    """A matrix whose product with itself keeps the GPU busy for about 20 ms."""
    return gg.full((64, 64) if SMALL else (8192, 8192), 1 / 64, device="cuda")


def loader(record: Record) -> None:
    """Pinned memory is not used again before the GPU has read it, also at the end of an epoch."""
    batches, size = 8, 32 if SMALL else 512
    rows = numpy.repeat(numpy.arange(1.0, batches + 1, dtype="float32"), size)[:, None] * numpy.ones((1, 64), "float32")
    busy, wrong, seen = behind(), 0, 0
    for _ in range(1 if SMALL else 3):
        batched = data.DataLoader(data.ArrayDataset(rows), batch_size=size)
        extremes = []
        for _epoch in range(4):
            for (batch,) in batched:
                extremes.append((batch.min(), batch.max()))
                for _ in range(3):
                    busy @ busy
        for i, pair in enumerate(extremes):
            seen += 1
            wrong += any(value.item() != i % batches + 1.0 for value in pair)
    record.check(not wrong, "batches over the ends of epochs", f"{wrong} of {seen} wrong")


def trained(saves: bool, record: Record) -> list[Any]:
    """Weights after some steps; with ``saves``, checkpoints on the way are compared with copies on the device."""
    small, size = (12, 32) if SMALL else (640, 2048)
    model = nn.ParameterList([nn.Parameter(gg.full(100, float(k % 7))) for k in range(small)])
    model.extend([nn.Parameter(gg.full((size, size), 1 / size)) for _ in range(2)])
    optimizer, busy = optim.Adam(model.parameters(), lr=1e-3), behind()
    copies: dict[int, list[Any]] = {}
    cuda = backend.load_cuda().xp
    with (
        tempfile.TemporaryDirectory() as folder,
        training.Checkpointer(folder, {"model": model, "optimizer": optimizer}, keep_last=None) as checkpoints,
    ):
        for step in range(1, 13):
            for _ in range(2):
                busy @ busy
            optimizer.zero_grad()
            gg.stack([(p * p).sum() for p in model.parameters()]).sum().backward()
            optimizer.step()
            if saves and step % 4 == 0:
                used, start = cuda.get_default_memory_pool().used_bytes(), time.perf_counter()
                checkpoints.save(step)
                held = time.perf_counter() - start
                added = (cuda.get_default_memory_pool().used_bytes() - used) / 2**20
                print(f"checkpoint {step}: the loop was held {held * 1e3:.1f} ms, {added:.1f} MiB more on the device")
                record.found.setdefault("held_ms", []).append(round(held * 1e3, 2))
                copies[step] = [p.detach().copy() for p in model.parameters()]
        checkpoints.wait()
        for name in checkpoints.names():
            loaded = checkpoints.load(name)
            values = [backend.to_host(p.data) for p in copies[loaded.step]]
            read = [numpy.asarray(backend.to_host(p.data)) for p in loaded.parts["model"].values()]
            same = all(numpy.array_equal(a, b) for a, b in zip(values, read, strict=True))
            record.check(same, f"checkpoint {loaded.step} has the values of its step")
    return [p.numpy() for p in model.parameters()]


def checkpoint(record: Record) -> None:
    """Training goes on while a checkpoint is written: neither disturbs the other."""
    plain, saving = trained(False, record), trained(True, record)
    record.check(all(numpy.array_equal(a, b) for a, b in zip(plain, saving, strict=True)),
                 "training with checkpoints ends with the weights of training without")  # fmt: skip


def streams(record: Record) -> None:
    """Work on streams of the user's own: bounds checks, batches that a thread placed, gathers and their gradients."""
    cuda = backend.load_cuda().xp.cuda
    x = gg.ones(3)
    with cuda.Stream(non_blocking=True):
        x[gg.tensor(numpy.array([0, 1]))]
    with cuda.Stream(non_blocking=True):
        try:
            x[gg.tensor(numpy.array([0, 9]))].sum().item()
            said = "no error"
        except IndexError as error:
            said = str(error)
        record.check("out of bounds" in said, "index check on a second stream", said[:100])
        rows = numpy.arange(6, dtype="float32")[:, None] * numpy.ones((1, 4096), "float32")
        stacked = data.DataLoader(
            data.ArrayDataset(rows), batch_size=1,
            collate=lambda examples: (gg.tensor(numpy.stack([row for (row,) in examples]), device="cpu"),),
        )  # fmt: skip
        largest = [batch.max() for (batch,) in stacked]
        values = [value.item() for value in largest]
        record.check(values == list(range(6)), "batches on a stream of one's own", str(values))
        table = gg.zeros(7).requires_grad_()
        places = gg.tensor(numpy.arange(1000) % 7)
        table[places].sum().backward()
        record.check(numpy.array_equal(table.grad.numpy(), numpy.bincount(numpy.arange(1000) % 7)),
                     "gradient of a gather on a stream of one's own")  # fmt: skip


RACES = {"loader": loader, "checkpoint": checkpoint, "streams": streams}


def main() -> int:
    record = Record()
    if simulated():
        import os

        if "CUPY_CUDA_PER_THREAD_DEFAULT_STREAM" in os.environ:
            record.skip("the simulator has no per-thread default stream for a whole process")
        from gpugrad.testing import cuda_simulator
    gg.set_default_device("cuda")
    with cuda_simulator.lag(1) if simulated() else nullcontext():
        for name, race in RACES.items():
            if name in sys.argv:
                race(record)
    return record.end()


if __name__ == "__main__":
    raise SystemExit(main())
