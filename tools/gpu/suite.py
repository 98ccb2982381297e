"""The test suite on the GPU in several processes, the most telling files first, so that a cut leaves the most.

With pytest-xdist, a run with as many workers; without it, as many runs of pytest, each with its files.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from record import Record, simulated

from gpugrad import backend

ROOT = Path(__file__).parent.parent.parent
GROUPS = (
    ("kernels", "backend", "core"),
    ("ops", "optim", "nn", "custom"),
    ("data", "training", "transforms", "tracing", "standard", "lectures"),
)
"""Folders of tests, in the order in which a GPU tells the most. Other files follow.

A group is a run of pytest of its own: its workers collect its files alone, and begin sooner.
"""

SMALL = ("tests/backend/test_bounds.py", "tests/kernels/test_philox.py")
NOTHING = 5
"""The exit status of pytest where no test was chosen."""
PROCESS_BYTES = 2**30
"""Memory of the GPU for one process: its context and the arrays of its tests."""


def groups() -> list[list[str]]:
    """All files of tests, the most telling first."""
    tests = ROOT / "tests"
    place = {folder: (i, j) for i, group in enumerate(GROUPS) for j, folder in enumerate(group)}
    found: list[list[tuple[int, str]]] = [[] for _ in (*GROUPS, "others")]
    for path in tests.rglob("test_*.py"):
        i, j = place.get(path.relative_to(tests).parts[0], (len(GROUPS), 0))
        found[i].append((j, str(path.relative_to(ROOT))))
    return [[path for _, path in sorted(group)] for group in found]


def processes(most: int) -> int:
    """As many as the processor, the memory of the GPU and the user allow."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if simulated():
        return max(1, min(most, cores))
    free, _ = backend.load_cuda().xp.cuda.runtime.memGetInfo()
    return max(1, min(most, cores, free // PROCESS_BYTES))


def pytest(paths: list[str], results: Path, *more: str) -> subprocess.Popen[bytes]:
    """Start a run of pytest on these files."""
    device = "simulator" if simulated() else "cuda"
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "--device", device, "-m", "not any_device", "-q", "--tb=short",
         "-p", "no:cacheprovider", "-p", "suite_progress", "-o", "addopts=", *more, *paths],
        cwd=ROOT, env={**os.environ, "GPU_RESULTS": str(results)},
    )  # fmt: skip


def merged(results: list[Path]) -> dict[str, Any]:
    """The sum of what several runs have written until now."""
    total: Counter[str] = Counter(passed=0, failed=0, errors=0, skipped=0)
    folders: dict[str, Counter[str]] = {}
    failures: list[dict[str, str]] = []
    for path in results:
        if not path.exists():
            continue
        found = json.loads(path.read_text())
        failures += found["failures"]
        total.update({name: found[name] for name in total})
        for folder, counts in found["folders"].items():
            folders.setdefault(folder, Counter()).update(counts)
    return {**total, "folders": folders, "failures": failures}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=12)
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    record = Record()
    if importlib.util.find_spec("pytest") is None:
        record.skip("pytest is not installed")
    workers, together = processes(options.workers), importlib.util.find_spec("xdist") is not None
    results: list[Path] = []
    worst = 0
    for paths in [list(SMALL)] if options.small else groups():
        shares = [paths] if together else [paths[i::workers] for i in range(min(workers, len(paths)))]
        more = ("-n", str(workers)) if together and workers > 1 else ()
        runs = []
        for share in shares:
            results.append(Path(f"{record.path or 'suite.json'}.{len(results)}"))
            runs.append(pytest(share, results[-1], *more))
        while any(run.poll() is None for run in runs):
            time.sleep(0.5)
            record.put(processes=workers, **merged(results))
        record.put(processes=workers, **merged(results))
        worst = max([worst, *(run.returncode for run in runs if run.returncode != NOTHING)])
    return worst


if __name__ == "__main__":
    raise SystemExit(main())
