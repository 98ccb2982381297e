"""Each fused kernel against its reference, both on the GPU: microseconds and bytes per second. Needs a GPU.

Interleaved repeats, timed with events on the stream, medians. Bytes are those a kernel has to move: each array read or
written once.

    python benchmarks/kernels.py --out benchmarks/results/kernels-NAME.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import gpugrad as gg
from gpugrad import backend
from gpugrad.kernels import REGISTRY, Kernel
from gpugrad.kernels.rows import Rows

SIZES = (1_000, 100_000, 10_000_000)
ROW = 1_000


def arguments(kernel: Kernel, size: int, dtype: Any) -> tuple[Any, ...]:
    """Positive random arrays, and plausible scalars, for a kernel."""
    shape = (size // ROW, ROW) if isinstance(kernel, Rows) else (size,)
    arrays = [gg.random.uniform(0.1, 1.0, shape, dtype=dtype).data for _ in kernel.arrays]
    return (*arrays, *(-1 if name == "axis" else 0.5 for name in kernel.scalars))


def microseconds(cupy: Any, run: Any, times: int) -> float:
    """The time of one call, of many in a row."""
    start, end = cupy.cuda.Event(), cupy.cuda.Event()
    start.record()
    for _ in range(times):
        run()
    end.record()
    end.synchronize()
    return float(cupy.cuda.get_elapsed_time(start, end)) / times * 1000


def measure(cupy: Any, kernel: Kernel, size: int, dtype: Any, repeats: int) -> dict[str, Any]:
    """Kernel and reference in turn."""
    given = arguments(kernel, size, dtype)
    runs = {"kernel": lambda: kernel(cupy, *given), "reference": lambda: kernel.reference(cupy, *given)}
    found: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in range(repeats + 2):
        for name, run in runs.items():
            elapsed = microseconds(cupy, run, 20)
            if repeat >= 2:  # the first ones compile and warm up
                found[name].append(elapsed)
    medians = {name: statistics.median(times) for name, times in found.items()}
    changes = getattr(kernel, "changes", ())
    moved = size * dtype.itemsize * (len(kernel.arrays) + (len(changes) or 1))
    return {
        "kernel": kernel.name, "dtype": dtype.name, "elements": size,
        "kernel_us": round(medians["kernel"], 2), "reference_us": round(medians["reference"], 2),
        "speedup": round(medians["reference"] / medians["kernel"], 2),
        "kernel_gb_per_s": round(moved / medians["kernel"] / 1000, 1),
    }  # fmt: skip


def machine(cupy: Any) -> dict[str, Any]:
    """What it ran on."""
    properties = cupy.cuda.runtime.getDeviceProperties(0)
    root = Path(__file__).parent.parent
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=root)
    return {
        "date": date.today().isoformat(), "gpu": properties["name"].decode(), "cupy": cupy.__version__,
        "driver": cupy.cuda.runtime.driverGetVersion(), "runtime": cupy.cuda.runtime.runtimeGetVersion(),
        "python": sys.version.split()[0], "gpugrad": gg.__version__, "commit": commit.stdout.strip(),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    options = parser.parse_args()
    try:
        cupy = backend.load_cuda().xp
    except RuntimeError as error:
        sys.exit(f"this benchmark needs a GPU: {error}")
    gg.set_default_device("cuda")
    gg.random.seed(0)
    rows = []
    for kernel in REGISTRY.values():
        for dtype in (gg.float32, gg.float16):
            for size in options.sizes:
                rows.append(measure(cupy, kernel, size, dtype, options.repeats))
                print(" ".join(f"{value!s:>12}" for value in rows[-1].values()), flush=True)
    result = {"machine": machine(cupy), "kernels": rows}
    if options.out:
        options.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
