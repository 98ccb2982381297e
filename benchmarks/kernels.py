"""Each fused kernel against its reference, both on the GPU: microseconds and bytes per second. Needs a GPU.

Interleaved repeats, timed with events on the stream, medians. Bytes are those a kernel has to move: each array read or
written once. The file is written after each row, the largest sizes first.

    python benchmarks/kernels.py --out benchmarks/results/kernels-NAME.json
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

import gpugrad as gg
from gpugrad import backend
from gpugrad.kernels import REGISTRY, Kernel
from gpugrad.kernels.column_sums import Columns
from gpugrad.kernels.rows import Rows

SIZES = (1_000, 100_000, 10_000_000)
ROW = 1_000


def arguments(kernel: Kernel, size: int, dtype: Any) -> tuple[Any, ...]:
    """Positive random arrays, and plausible scalars, for a kernel: of one over rows, its first variant."""
    if isinstance(kernel, Columns):
        variant = {"axes": (-1,), **kernel.variants[0]}
        arrays = [row_array(kernel, name, size // ROW, dtype) for name in kernel.arrays]
        return (*arrays, *(variant[name] for name in kernel.scalars))
    if not isinstance(kernel, Rows):
        arrays = [gg.random.uniform(0.1, 1.0, (size,), dtype=dtype).data for _ in kernel.arrays]
        return (*arrays, *(0.5 for _ in kernel.scalars))
    variant, known = kernel.variants[0], {"axis": -1, "axes": (-1,)}
    arrays = [
        None if variant.get(name, name) is None else row_array(kernel, name, size // ROW, getattr(gg, own))
        for name, own in zip(kernel.arrays, kernel.typed(dtype.name), strict=True)
    ]
    return (*arrays, *(variant.get(name, known.get(name, 0.5)) for name in kernel.parameters))


def row_array(kernel: Rows | Columns, name: str, rows: int, dtype: Any) -> Any:
    """An array of a kernel over rows: labels are integers, and sums that an earlier kernel keeps are columns."""
    kept = kernel.types.get(name) == "wide"
    shape = {"rc": (rows, ROW), "c": (ROW,), "r": (rows, 1) if kept else (rows,)}[kernel.axes[name]]
    if dtype.kind == "i":
        return gg.random.integers(0, ROW, shape, dtype=dtype).data
    return gg.random.uniform(0.1, 1.0, shape, dtype=dtype).data


def moved(kernel: Kernel, given: tuple[Any, ...], result: Any) -> int:
    """The bytes of what a kernel reads and writes."""
    arrays = [a for a in given[: len(kernel.arrays)] if a is not None]
    changes = len(getattr(kernel, "changes", ()))
    made = [y for y in (result if isinstance(result, tuple) else (result,)) if y is not None]
    written = arrays[:changes] if changes else made
    return sum(int(a.nbytes) for a in (*arrays, *written))


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
    size_moved = moved(kernel, given, kernel(cupy, *given))
    return {
        "kernel": kernel.name, "dtype": dtype.name, "elements": size,
        "kernel_us": round(medians["kernel"], 2), "reference_us": round(medians["reference"], 2),
        "speedup": round(medians["reference"] / medians["kernel"], 2),
        "kernel_gb_per_s": round(size_moved / medians["kernel"] / 1000, 1),
    }  # fmt: skip


def machine(cupy: Any) -> dict[str, Any]:
    """What it ran on."""
    properties = cupy.cuda.runtime.getDeviceProperties(0)
    root = Path(__file__).parent.parent
    commit = ""
    if shutil.which("git"):
        asked = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=root)
        commit = asked.stdout.strip()
    return {
        "date": date.today().isoformat(), "gpu": properties["name"].decode(), "cupy": cupy.__version__,
        "driver": cupy.cuda.runtime.driverGetVersion(), "runtime": cupy.cuda.runtime.runtimeGetVersion(),
        "python": sys.version.split()[0], "gpugrad": gg.__version__, "commit": commit,
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
    about, rows = machine(cupy), []
    for dtype, size, kernel in product(
        (gg.float32, gg.float16), sorted(options.sizes, reverse=True), REGISTRY.values()
    ):
        rows.append(measure(cupy, kernel, size, dtype, options.repeats))
        print(" ".join(f"{value!s:>12}" for value in rows[-1].values()), flush=True)
        if options.out:  # after each one: whatever ends it, what was measured is there
            options.out.write_text(json.dumps({"machine": about, "kernels": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
