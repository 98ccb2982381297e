"""What checkpoints cost a run: the time of its steps with a save in every 100 of them, against the same run without.

The two-layer network of ``examples/train_digits.py`` on MNIST, in batches of 128, with Adam, by ``gg.training.Trainer``
with its log. In turn within one repeat: no saves, saves beside the training (the default), saves that are waited for.
Medians of the time from the first step to the last, and of the processor time of all threads; the last save and the
report, which all of them have, are not in it.

    python benchmarks/training.py --data-dir ../shared/data/mnist10k --out benchmarks/results/training.json

Without ``--data-dir``, random numbers of the same shape.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from loader import BATCH, dataset
from overhead import machine

import gpugrad as gg
from gpugrad import data, nn, optim, training

EVERY = 100
WAYS = ("no saves", "saves beside the training", "saves that are waited for")


class Clock(training.Callback):
    """The time from the first step to the last."""

    def __init__(self) -> None:
        self.begun = self.ended = (0.0, 0.0)

    def on_step(self, trainer: training.Trainer) -> None:
        self.ended = (time.perf_counter(), time.process_time())
        if trainer.step == 1:
            self.begun = self.ended


def run(way: str, hidden: int, steps: int, images: data.ArrayDataset) -> tuple[float, float]:
    """Seconds, and seconds of the processor, of one run; the saves are ``EVERY`` steps apart."""
    gg.random.seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, 10))
    optimizer = optim.Adam(model.parameters(), lr=0.001)
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        trainer = training.Trainer(
            model, nn.CrossEntropyLoss(), optimizer, folder=folder, callbacks=[clock], progress=False,
            save_every=None if way == WAYS[0] else EVERY, save_seconds=None,
        )  # fmt: skip
        assert trainer.checkpointer is not None
        trainer.checkpointer.asynchronous = way != WAYS[2]
        trainer.fit(data.DataLoader(images, BATCH, shuffle=True), epochs=steps, steps=steps)
    return clock.ended[0] - clock.begun[0], clock.ended[1] - clock.begun[1]


def rows(args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What each way takes, and how much more than no saves."""
    images, _ = dataset(args.data_dir)
    for hidden in args.hidden:
        times: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
        for repeat in range(args.repeats):
            for way in WAYS[repeat % len(WAYS) :] + WAYS[: repeat % len(WAYS)]:
                times[way].append(run(way, hidden, args.steps, images))
        for way in WAYS:
            more = [
                [(mine - base) / base * 100 for mine, base in zip(*pair, strict=True)]
                for pair in zip(times[way], times[WAYS[0]], strict=True)
            ]
            yield {
                "network": f"784-{hidden}-10",
                "way": way,
                "ms_per_step": statistics.median(t[0] for t in times[way]) / (args.steps - 1) * 1e3,
                "percent_more": statistics.median(m[0] for m in more),
                "percent_more_processor": statistics.median(m[1] for m in more),
            }


def main() -> None:
    """Measure, print, and keep if asked to."""
    parser = argparse.ArgumentParser(description="What checkpoints cost a run.")
    parser.add_argument("--data-dir", type=Path, help="MNIST's files; without, random numbers of the same shape")
    parser.add_argument("--hidden", type=int, nargs="+", default=[256, 1024], help="neurons in the hidden layer")
    parser.add_argument("--steps", type=int, default=600, help="of one run")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    args = parser.parse_args()
    found = []
    for row in rows(args):
        found.append(row)
        print(
            f"{row['network']:<14}{row['way']:<28}{row['ms_per_step']:7.3f} ms a step {row['percent_more']:+6.1f} % "
            f"{row['percent_more_processor']:+6.1f} % of the processor's time",
            flush=True,
        )
    if args.out:
        about = {"machine": machine(), "steps": args.steps, "repeats": args.repeats, "every": EVERY, "batch": BATCH}
        args.out.write_text(json.dumps({**about, "rows": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
