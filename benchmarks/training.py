"""What checkpoints cost a run: a hundred steps with a save in them, against a hundred without.

The two-layer network of ``examples/train_digits.py`` on MNIST, in batches of 128, with Adam, by ``gg.training.Trainer``
with its log. Within one run, in turn: a hundred steps without a save, with one beside the training (the default), with
one that is waited for. Medians over many turns, of the time and of the processor time of all threads, each against the
hundred without a save of the same turn.

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


class Turns(training.Callback):
    """Saves, or does not, every ``EVERY`` steps; takes the time of each stretch, with the save at its beginning."""

    def __init__(self) -> None:
        self.times: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
        self.way: str | None = None
        self.begun = (0.0, 0.0)

    def on_step(self, trainer: training.Trainer) -> None:
        if trainer.step % EVERY:
            return
        now = (time.perf_counter(), time.process_time())
        if self.way is not None:
            self.times[self.way].append((now[0] - self.begun[0], now[1] - self.begun[1]))
        if trainer.checkpointer is not None:
            trainer.checkpointer.wait()
        self.way = WAYS[trainer.step // EVERY % len(WAYS)]
        self.begun = (time.perf_counter(), time.process_time())
        if self.way != WAYS[0]:
            trainer.save(wait=self.way == WAYS[2])


def measured(hidden: int, turns: int, images: data.ArrayDataset) -> dict[str, list[tuple[float, float]]]:
    """Seconds, and seconds of the processor, of every stretch; the first turn warms up."""
    gg.random.seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, 10))
    clock = Turns()
    steps = (len(WAYS) * (turns + 1) + 1) * EVERY
    with tempfile.TemporaryDirectory() as folder:
        trainer = training.Trainer(
            model, nn.CrossEntropyLoss(), optim.Adam(model.parameters(), lr=0.001), folder=folder, callbacks=[clock],
            progress=False, save_seconds=None,
        )  # fmt: skip
        trainer.fit(data.DataLoader(images, BATCH, shuffle=True), epochs=steps, steps=steps)
    return {way: times[-turns:] for way, times in clock.times.items()}


def rows(args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What each way takes, and how much more than no saves."""
    images, _ = dataset(args.data_dir)
    for hidden in args.hidden:
        times = measured(hidden, args.repeats, images)
        for way in WAYS:
            pairs = list(zip(times[way], times[WAYS[0]], strict=True))
            yield {
                "network": f"784-{hidden}-10",
                "way": way,
                "ms_per_step": statistics.median(mine[0] for mine, _ in pairs) / EVERY * 1e3,
                "percent_more": (statistics.median(mine[0] / base[0] for mine, base in pairs) - 1) * 100,
                "percent_more_processor": (statistics.median(mine[1] / base[1] for mine, base in pairs) - 1) * 100,
            }


def main() -> None:
    """Measure, print, and keep if asked to."""
    parser = argparse.ArgumentParser(description="What checkpoints cost a run.")
    parser.add_argument("--data-dir", type=Path, help="MNIST's files; without, random numbers of the same shape")
    parser.add_argument("--hidden", type=int, nargs="+", default=[256], help="neurons in the hidden layer")
    parser.add_argument("--repeats", type=int, default=25, help="turns of three hundred steps")
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
        about = {"machine": machine(), "repeats": args.repeats, "every": EVERY, "batch": BATCH}
        args.out.write_text(json.dumps({**about, "rows": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
