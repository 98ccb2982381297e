"""Whether the loader keeps up: milliseconds for a batch to arrive, against those of the step that consumes it.

MNIST's 8,000 images in batches of 128, shuffled, and the two-layer network of ``examples/train_digits.py`` with Adam.
For each way to prepare batches, and for PyTorch's loader where it is installed: an epoch of batches alone, an epoch of
steps on batches that are there already, and an epoch of steps on the loader's batches; in turn within one repeat,
medians.

    python benchmarks/loader.py --data-dir ../shared/data/mnist10k --out benchmarks/results/loader.json

Without ``--data-dir``, random numbers of the same shape.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy
from overhead import machine

import gpugrad as gg
from gpugrad import data, nn, optim

BATCH = 128
WAYS = {
    "when asked for": {"prefetch": 0},
    "background thread": {"prefetch": 2},
    "2 worker threads": {"prefetch": 2, "num_workers": 2, "workers": "thread"},
    "2 worker processes": {"prefetch": 2, "num_workers": 2, "persistent_workers": True},
}


def dataset(folder: Path | None) -> tuple[data.ArrayDataset, str]:
    """What is loaded, and what it is called."""
    if folder is not None:
        return data.mnist(folder)[0], "MNIST"
    rng = numpy.random.default_rng(0)
    images, labels = rng.random((8000, 1, 28, 28), dtype="f4"), rng.integers(0, 10, 8000)
    return data.ArrayDataset(images, labels), "random numbers in MNIST's shape"


def trainer() -> Callable[[Any, Any], None]:
    """One step of the two-layer network."""
    gg.random.seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))
    optimizer = optim.Adam(model.parameters(), lr=0.001)

    def step(images: Any, labels: Any) -> None:
        loss = nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def torch_loader(examples: data.ArrayDataset) -> Iterable[Any] | None:
    """PyTorch's loader on the same arrays, or None without PyTorch."""
    try:
        import torch
        from torch.utils.data import DataLoader, TensorDataset
    except ImportError:
        return None
    torch.set_num_threads(1)
    return DataLoader(TensorDataset(*map(torch.from_numpy, examples.arrays)), BATCH, shuffle=True, drop_last=True)


def timed(batches: Iterable[Any], step: Callable[[Any, Any], None] | None) -> float:
    """Milliseconds a batch."""
    count = 0
    start = time.perf_counter()
    for images, labels in batches:
        count += 1
        if step is not None:
            step(images, labels)
    return (time.perf_counter() - start) / count * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--data-dir", type=Path, help="folder with MNIST's files")
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    options = parser.parse_args()
    gg.set_default_device("cpu")
    examples, name = dataset(options.data_dir)
    loaders = {way: data.DataLoader(examples, BATCH, shuffle=True, drop_last=True, **kw) for way, kw in WAYS.items()}
    step = trainer()
    ready = list(loaders["when asked for"])
    theirs = torch_loader(examples)
    alone: dict[str, list[float]] = {way: [] for way in loaders}
    trained: dict[str, list[float]] = {way: [] for way in loaders}
    steps: list[float] = []
    torch_times: list[float] = []
    for repeat in range(options.repeats + 2):
        measured = [(steps, timed(ready, step))]
        for way, loader in loaders.items():
            measured += [(alone[way], timed(loader, None)), (trained[way], timed(loader, step))]
        if theirs is not None:
            measured.append((torch_times, timed(theirs, None)))
        if repeat >= 2:  # the first ones warm up
            for times, value in measured:
                times.append(value)
    of_step = statistics.median(steps)
    result: dict[str, Any] = {
        "machine": machine(),
        "data": f"{name}, {len(examples)} images, batches of {BATCH}",
        "step_ms": round(of_step, 3),
        "ways": {
            way: {
                "batch_ms": round(statistics.median(alone[way]), 3),
                "times_faster_than_the_step": round(of_step / statistics.median(alone[way]), 1),
                "step_with_loading_ms": round(statistics.median(trained[way]), 3),
                "ratio_to_ready_batches": round(
                    statistics.median(t / s for t, s in zip(trained[way], steps, strict=True)), 3
                ),
            }
            for way in loaders
        },
    }
    if torch_times:
        result["torch_batch_ms"] = round(statistics.median(torch_times), 3)
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
