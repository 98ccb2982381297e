"""Every layer, forward and backward, against PyTorch eager on the CPU.

Each library runs in a process of its own; both do the same layer in turn, one step at a time, and a ratio is the
median of the quotients of neighbours, which a busy machine disturbs little. Layers that are in one library only, or in
no entry of the table, are listed at the end.

    python benchmarks/layers.py --out benchmarks/results/layers.json
    python benchmarks/layers.py --only Conv2d LSTM --repeats 50
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import multiprocessing
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy

ROOT = Path(__file__).parent.parent
FIRST, LATER = 5, 31
"""Steps that warm up, and steps that count."""

IMAGES, SIGNALS, VOLUMES, ROWS, TOKENS = (16, 16, 28, 28), (16, 16, 256), (4, 8, 8, 16, 16), (64, 256), (8, 64, 128)
LABELS = ("labels", (64,), 10)
SCORES = (64, 10)

LAYERS: list[tuple[str, tuple[Any, ...], dict[str, Any], list[Any]]] = [
    ("Linear", (256, 256), {}, [ROWS]),
    ("Bilinear", (64, 64, 32), {}, [(64, 64), (64, 64)]),
    ("Embedding", (1000, 128), {}, [("labels", (32, 64), 1000)]),
    ("EmbeddingBag", (1000, 128), {}, [("labels", (32, 64), 1000)]),
    ("Conv1d", (16, 32, 5), {"padding": 2}, [SIGNALS]),
    ("Conv2d", (16, 32, 3), {"padding": 1}, [IMAGES]),
    ("Conv2d", (16, 32, 1), {}, [IMAGES]),
    ("Conv2d", (16, 16, 3), {"padding": 1, "groups": 16}, [IMAGES]),
    ("Conv2d", (16, 32, 3), {"padding": 1, "stride": 2}, [IMAGES]),
    ("Conv3d", (8, 16, 3), {"padding": 1}, [VOLUMES]),
    ("ConvTranspose1d", (16, 32, 4), {"stride": 2}, [SIGNALS]),
    ("ConvTranspose2d", (16, 32, 4), {"stride": 2}, [IMAGES]),
    ("ConvTranspose3d", (8, 16, 2), {"stride": 2}, [VOLUMES]),
    *[(f"{kind}Pool{d}d", (2,), {}, [x]) for kind in ("Max", "Avg")
      for d, x in ((1, SIGNALS), (2, IMAGES), (3, VOLUMES))],
    ("LPPool1d", (2, 2), {}, [SIGNALS]),
    ("LPPool2d", (2, 2), {}, [IMAGES]),
    ("LPPool3d", (2, 2), {}, [VOLUMES]),
    *[(f"Adaptive{kind}Pool{d}d", (4,), {}, [x]) for kind in ("Max", "Avg")
      for d, x in ((1, SIGNALS), (2, IMAGES), (3, VOLUMES))],
    ("Unfold", (3,), {"padding": 1}, [IMAGES]),
    ("Fold", ((28, 28), 3), {"padding": 1}, [(4, 144, 784)]),
    ("PixelShuffle", (2,), {}, [IMAGES]),
    ("PixelUnshuffle", (2,), {}, [IMAGES]),
    ("ChannelShuffle", (4,), {}, [IMAGES]),
    ("Unflatten", (1, (4, 4)), {}, [IMAGES]),
    ("UpsamplingNearest2d", (), {"scale_factor": 2}, [IMAGES]),
    ("UpsamplingBilinear2d", (), {"scale_factor": 2}, [IMAGES]),
    ("Upsample", (), {"scale_factor": 2}, [IMAGES]),
    ("Upsample", (), {"scale_factor": 2, "mode": "bilinear"}, [IMAGES]),
    ("BatchNorm1d", (256,), {}, [ROWS]),
    ("BatchNorm2d", (16,), {}, [IMAGES]),
    ("BatchNorm3d", (8,), {}, [VOLUMES]),
    ("LayerNorm", (128,), {}, [TOKENS]),
    ("RMSNorm", (128,), {}, [TOKENS]),
    ("GroupNorm", (4, 16), {}, [IMAGES]),
    ("InstanceNorm1d", (16,), {}, [SIGNALS]),
    ("InstanceNorm2d", (16,), {}, [IMAGES]),
    ("InstanceNorm3d", (8,), {}, [VOLUMES]),
    ("LocalResponseNorm", (5,), {}, [IMAGES]),
    *[(name, (), {}, [TOKENS]) for name in (
        "ReLU", "Sigmoid", "Tanh", "LeakyReLU", "ReLU6", "Hardtanh", "Hardsigmoid", "Hardswish", "Hardshrink",
        "Softshrink", "ELU", "SELU", "CELU", "GELU", "SiLU", "Mish", "Softplus", "LogSigmoid", "Tanhshrink", "Softsign",
        "GLU", "PReLU", "RReLU", "Dropout", "AlphaDropout", "Flatten", "Identity")],
    ("Threshold", (0.1, 0.0), {}, [TOKENS]),
    *[(name, (-1,), {}, [TOKENS]) for name in ("Softmax", "LogSoftmax", "Softmin")],
    ("Softmax2d", (), {}, [IMAGES]),
    ("Dropout1d", (), {}, [SIGNALS]),
    ("Dropout2d", (), {}, [IMAGES]),
    ("Dropout3d", (), {}, [VOLUMES]),
    ("FeatureAlphaDropout", (), {}, [IMAGES]),
    *[(f"{kind}Pad{d}d", (1,), {}, [x]) for kind in ("Zero", "Reflection", "Replication", "Circular")
      for d, x in ((1, SIGNALS), (2, IMAGES), (3, VOLUMES))],
    *[(f"ConstantPad{d}d", (1, 0.5), {}, [x]) for d, x in ((1, SIGNALS), (2, IMAGES), (3, VOLUMES))],
    ("CrossEntropyLoss", (), {}, [(64, 1000), ("labels", (64,), 1000)]),
    ("NLLLoss", (), {}, [SCORES, LABELS]),
    ("MultiMarginLoss", (), {}, [SCORES, LABELS]),
    *[(name, (), {}, [ROWS, ("constant", ROWS)]) for name in ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss",
                                                              "PoissonNLLLoss", "KLDivLoss")],
    ("BCEWithLogitsLoss", (), {}, [ROWS, ("unit", ROWS)]),
    ("BCELoss", (), {}, [("probability", ROWS), ("unit", ROWS)]),
    ("GaussianNLLLoss", (), {}, [ROWS, ("constant", ROWS), ("probability", ROWS)]),
    ("TripletMarginWithDistanceLoss", (), {}, [ROWS, ROWS, ROWS]),
    ("SoftMarginLoss", (), {}, [ROWS, ("sign", ROWS)]),
    ("HingeEmbeddingLoss", (), {}, [ROWS, ("sign", ROWS)]),
    ("CosineEmbeddingLoss", (), {}, [ROWS, ROWS, ("sign", (64,))]),
    ("MarginRankingLoss", (), {}, [(64,), (64,), ("sign", (64,))]),
    ("TripletMarginLoss", (), {}, [ROWS, ROWS, ROWS]),
    ("MultiLabelSoftMarginLoss", (), {}, [SCORES, ("unit", SCORES)]),
    ("CosineSimilarity", (), {}, [ROWS, ROWS]),
    ("PairwiseDistance", (), {}, [ROWS, ROWS]),
    ("RNN", (128, 128), {"batch_first": True}, [TOKENS]),
    ("LSTM", (128, 128), {"batch_first": True}, [TOKENS]),
    ("GRU", (128, 128), {"batch_first": True}, [TOKENS]),
    ("RNNCell", (128, 128), {}, [(32, 128)]),
    ("LSTMCell", (128, 128), {}, [(32, 128)]),
    ("GRUCell", (128, 128), {}, [(32, 128)]),
    ("MultiheadAttention", (128, 4), {"batch_first": True}, [TOKENS, TOKENS, TOKENS]),
    ("TransformerEncoderLayer", (128, 4, 256), {"batch_first": True}, [TOKENS]),
    ("TransformerDecoderLayer", (128, 4, 256), {"batch_first": True}, [TOKENS, TOKENS]),
]  # fmt: skip
"""Name, arguments, and inputs: the shape of a variable, or what else it is."""


def drawn(given: Any, rng: numpy.random.Generator) -> tuple[Any, bool]:
    """An input, and whether it is a variable."""
    if isinstance(given[0], int):
        return rng.standard_normal(given).astype("f4"), True
    kind, shape, *more = given
    if kind == "labels":
        return rng.integers(0, more[0], shape), False
    values = {"constant": rng.standard_normal(shape), "unit": rng.random(shape), "sign": rng.choice([-1.0, 1.0], shape),
              "probability": rng.uniform(0.05, 0.95, shape)}[kind]  # fmt: skip
    return values.astype("f4"), kind == "probability"


class Library:
    """One library: makes a layer, and runs a step of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        if name == "gpugrad":
            import gpugrad

            gpugrad.set_default_device("cpu")
            self.module, self.nn = gpugrad, gpugrad.nn
        else:
            import torch

            self.module, self.nn = torch, torch.nn

    def prepare(self, number: int) -> None:
        name, arguments, more, inputs = LAYERS[number]
        rng = numpy.random.default_rng(number)
        layer = getattr(self.nn, name)
        self.layer = layer(*arguments, **more)
        made = [drawn(given, rng) for given in inputs]
        tensor = self.module.tensor
        self.inputs = [tensor(x).requires_grad_() if variable else tensor(x) for x, variable in made]
        self.seed: Any = None

    def step(self) -> float:
        """Seconds of forward and backward; gradients start anew."""
        for x in [*self.inputs, *self.layer.parameters()]:
            if x.requires_grad:
                x.grad = None
        start = time.perf_counter()
        y = self.layer(*self.inputs)
        y = y[0] if isinstance(y, tuple) else y
        if self.seed is None or self.seed.shape != y.shape:
            self.seed = self.module.ones_like(y.detach())
        y.backward(self.seed)
        return time.perf_counter() - start


def work(name: str, pipe: Connection) -> None:
    """The process of one library: takes the number of a layer to prepare, or None for a step of it."""
    sys.path.insert(0, str(ROOT))
    library = Library(name)
    while True:
        asked = pipe.recv()
        if asked == "end":
            return
        try:
            pipe.send(library.step() if asked is None else library.prepare(asked))
        except Exception as error:  # noqa: BLE001  told to the other side
            pipe.send(f"{type(error).__name__}: {error}")


def asked_of(pipe: Connection, question: Any) -> Any:
    pipe.send(question)
    return pipe.recv()


def measured(number: int, pipes: dict[str, Connection], repeats: int) -> dict[str, Any] | str:
    """The times of one layer in both libraries; or what went wrong."""
    for name, pipe in pipes.items():
        said = asked_of(pipe, number)
        if said is not None:
            return f"{name}: {said}"
    times: dict[str, list[float]] = {name: [] for name in pipes}
    for repeat in range(FIRST + repeats):
        for name, pipe in pipes.items():
            seconds = asked_of(pipe, None)
            if isinstance(seconds, str):
                return f"{name}: {seconds}"
            if repeat >= FIRST:
                times[name].append(seconds)
    ours, theirs = times["gpugrad"], times["torch"]
    return {
        "us": round(statistics.median(ours) * 1e6, 1),
        "torch_us": round(statistics.median(theirs) * 1e6, 1),
        "ratio": round(statistics.median(a / b for a, b in zip(ours, theirs, strict=True)), 3),
    }


def label(number: int) -> str:
    name, arguments, more, _ = LAYERS[number]
    return f"{name}({', '.join([*map(str, arguments), *(f'{k}={v}' for k, v in more.items())])})"


def unmeasured() -> list[str]:
    """Layers of gpugrad that no entry has."""
    from gpugrad import nn

    known = {name for name, *_ in LAYERS}
    public = [getattr(nn, name) for name in nn.__all__]
    return sorted(
        c.__name__ for c in public if isinstance(c, type) and issubclass(c, nn.Module) and c.__name__ not in known
    )


def version_of(package: str) -> str | None:
    """The version of what can be imported; None of what cannot."""
    if importlib.util.find_spec(package) is None:
        return None
    return str(importlib.import_module(package).__version__)


def machine(threads: int) -> dict[str, Any]:
    """What it ran on."""
    info = Path("/proc/cpuinfo")
    cpu = platform.processor() or platform.machine()
    if info.exists():
        cpu = next((line.split(":")[1].strip() for line in info.read_text().splitlines() if "model name" in line), cpu)
    commit = ""
    if shutil.which("git"):
        asked = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT)
        commit = asked.stdout.strip()
    return {
        "date": date.today().isoformat(), "cpu": cpu, "cores": os.cpu_count(), "threads": threads,
        "python": platform.python_version(),
        "versions": {name: version_of(name) for name in ("numpy", "torch", "gpugrad")}, "commit": commit,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", help="names of layers")
    parser.add_argument("--repeats", type=int, default=LATER)
    parser.add_argument("--threads", type=int, default=1, help="for BLAS and for PyTorch, the same for both")
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    options = parser.parse_args()
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(options.threads)
    context = multiprocessing.get_context("spawn")
    pipes, processes = {}, []
    for name in ("gpugrad", "torch"):
        pipes[name], other = context.Pipe()
        processes.append(context.Process(target=work, args=(name, other), daemon=True))
        processes[-1].start()
        other.close()  # so that a process which ends by itself is noticed
    results, troubles = {}, {}
    for number, (name, *_) in enumerate(LAYERS):
        if options.only and name not in options.only:
            continue
        found = measured(number, pipes, options.repeats)
        if isinstance(found, str):
            troubles[label(number)] = found
        else:
            results[label(number)] = found
    for pipe in pipes.values():
        pipe.send("end")
    for name, found in sorted(results.items(), key=lambda item: -item[1]["ratio"]):
        print(f"{found['ratio']:7.3f}  {found['us']:10.1f} us  {found['torch_us']:10.1f} us  {name}")
    for name, said in troubles.items():
        print(f"not measured: {name}: {said}")
    ratios = [found["ratio"] for found in results.values()]
    print(
        f"median ratio of {len(ratios)} layers: {statistics.median(ratios):.3f}, above 2: {sum(r > 2 for r in ratios)}"
    )
    print("in no entry:", ", ".join(unmeasured()))
    if options.out:
        whole = {
            "machine": machine(options.threads),
            "median": statistics.median(ratios),
            "layers": results,
        }
        options.out.write_text(json.dumps(whole, indent=2) + "\n")


if __name__ == "__main__":
    main()
