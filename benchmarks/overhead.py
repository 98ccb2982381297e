"""What recording costs: microseconds an operation, forward and backward, against PyTorch and others.

Two measurements, each for every library in turn within one repeat, medians over the repeats:

- a chain of 200 elementwise operations (tanh, multiply, add, sin) on 64 float32, forward plus backward;
- a chain of a million nodes against one of 10,000: time and memory a node (gpugrad only; PyTorch beside it for time).

    python benchmarks/overhead.py --out benchmarks/results/overhead.json
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy

Runner = Callable[[int], tuple[float, float]]
"""Runs a chain of so many operations; gives the seconds of forward and backward."""

X = numpy.random.default_rng(0).standard_normal(64).astype("f4")
W = numpy.random.default_rng(1).standard_normal(64).astype("f4")


def chain(x: Any, w: Any, tanh: Any, sin: Any, length: int) -> Any:
    """The same chain for every library."""
    y = x
    for _ in range(length // 4):
        y = tanh(y)
        y = y * w
        y = y + x
        y = sin(y)
    return y


def gpugrad_runner() -> Runner:
    import gpugrad as gg

    gg.set_default_device("cpu")
    w, seed = gg.tensor(W), gg.ones(64)

    def run(length: int) -> tuple[float, float]:
        x = gg.tensor(X, requires_grad=True)
        start = time.perf_counter()
        y = chain(x, w, gg.tanh, gg.sin, length)
        middle = time.perf_counter()
        y.backward(seed)
        return middle - start, time.perf_counter() - middle

    return run


def torch_runner() -> Runner:
    import torch

    torch.set_num_threads(1)
    w, seed = torch.tensor(W), torch.ones(64)

    def run(length: int) -> tuple[float, float]:
        x = torch.tensor(X, requires_grad=True)
        start = time.perf_counter()
        y = chain(x, w, torch.tanh, torch.sin, length)
        middle = time.perf_counter()
        y.backward(seed)
        return middle - start, time.perf_counter() - middle

    return run


def autograd_runner() -> Runner:
    import autograd.numpy as anp
    from autograd import make_vjp

    def run(length: int) -> tuple[float, float]:
        start = time.perf_counter()
        pullback, y = make_vjp(lambda x: chain(x, W, anp.tanh, anp.sin, length))(X)
        middle = time.perf_counter()
        pullback(numpy.ones_like(y))
        return middle - start, time.perf_counter() - middle

    return run


def mygrad_runner() -> Runner:
    import mygrad

    w = mygrad.tensor(W, constant=True)

    def run(length: int) -> tuple[float, float]:
        x = mygrad.tensor(X)
        start = time.perf_counter()
        y = chain(x, w, mygrad.tanh, mygrad.sin, length)
        middle = time.perf_counter()
        y.backward(numpy.ones_like(X))
        return middle - start, time.perf_counter() - middle

    return run


RUNNERS = {"gpugrad": gpugrad_runner, "torch": torch_runner, "autograd": autograd_runner, "mygrad": mygrad_runner}


def overhead(repeats: int, length: int = 200) -> dict[str, Any]:
    """Microseconds an operation of each installed library, interleaved."""
    runners = {}
    for name, make in RUNNERS.items():
        try:
            runners[name] = make()
        except ImportError as error:
            print(f"{name}: not installed ({error})")
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in runners}
    for repeat in range(repeats + 3):
        for name, run in runners.items():
            measured = run(length)
            if repeat >= 3:  # the first ones warm up
                times[name].append(measured)
    result = {}
    for name, measured in times.items():
        forward = statistics.median(f for f, _ in measured) / length * 1e6
        both = statistics.median(f + b for f, b in measured) / length * 1e6
        result[name] = {"forward_us": round(forward, 3), "forward_backward_us": round(both, 3)}
    base = result.get("torch", {}).get("forward_backward_us")
    for entry in result.values():
        entry["ratio_to_torch"] = round(entry["forward_backward_us"] / base, 3) if base else None
    return result


LONG = """
import resource, sys, time
import numpy
import gpugrad as gg
gg.set_default_device("cpu")
n = int(sys.argv[1])
def run(n):
    x = gg.tensor(numpy.ones(1), requires_grad=True)
    start = time.perf_counter()
    y = x
    for _ in range(n):
        y = y * 1.0000001
    peak = resident()
    y.backward(gg.ones(1, dtype=gg.float64))
    return time.perf_counter() - start, peak
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
run(1000)
before = resident()
# as many nodes in all for either length, so that both means are of the same number of operations
seconds = [run(n) for _ in range(max(1, 100_000 // n))]
print(sorted(s for s, _ in seconds)[len(seconds) // 2] / n * 1e6, (seconds[0][1] - before) / n)
"""


def long_chain(repeats: int) -> dict[str, Any]:
    """Time a node for 10,000 and a million nodes, each run in a process of its own, interleaved; memory a node."""
    times: dict[int, list[float]] = {10_000: [], 1_000_000: []}
    memory = 0.0
    for _ in range(repeats):
        for n, found in times.items():
            out = subprocess.run(
                [sys.executable, "-c", LONG, str(n)], capture_output=True, text=True, check=True, cwd=ROOT
            ).stdout.split()
            found.append(float(out[0]))
            if n == 1_000_000:
                memory = float(out[1])
    short, long = (statistics.median(found) for found in times.values())
    return {
        "us_per_node_10000": round(short, 3),
        "us_per_node_1000000": round(long, 3),
        "ratio": round(long / short, 3),
        "bytes_per_node": round(memory),
    }


ROOT = Path(__file__).parent.parent


def machine() -> dict[str, Any]:
    """What it ran on."""
    versions = {}
    for name in ("numpy", "gpugrad", "torch", "autograd", "mygrad"):
        try:
            module = importlib.import_module(name)
            versions[name] = getattr(module, "__version__", "installed")
        except ImportError:
            versions[name] = None
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        cpu = next((line.split(":")[1].strip() for line in info.read_text().splitlines() if "model name" in line), cpu)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT)
    return {
        "date": date.today().isoformat(),
        "cpu": cpu,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": versions,
        "commit": commit.stdout.strip(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--long-repeats", type=int, default=11)
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    options = parser.parse_args()
    gc.collect()
    result = {"machine": machine(), "chain_of_200": overhead(options.repeats), "long": long_chain(options.long_repeats)}
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
