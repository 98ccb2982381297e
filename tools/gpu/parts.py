"""The parts of a session, the most telling first; each is a script in a process of its own."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BENCHMARKS = HERE.parent.parent / "benchmarks"

Found = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """One row of the table.

    Args:
        name: in the table and for ``--only``.
        share: of the time; that of the parts together need not be 1.
        script: what runs, with these arguments; ``{results}`` is the file for its JSON.
        summary: a short text from what the script wrote.
        environment: variables of its process.
    """

    name: str
    share: float
    script: Path
    arguments: tuple[str, ...]
    summary: Callable[[Found], str]
    environment: tuple[tuple[str, str], ...] = ()


def environment(found: Found) -> str:
    return ", ".join(str(found[key]) for key in ("gpu", "cupy", "python", "commit") if found.get(key))


def kernels(found: Found) -> str:
    problems = f", {len(found['problems'])} with problems" if found.get("problems") else ""
    return f"{found.get('compiled', 0)} compiled and {found.get('loaded', 0)} loaded of {found['sources']}{problems}"


def checks(found: Found) -> str:
    rows = found.get("checks", [])
    wrong = [f"{row['what']} ({row['detail']})" for row in rows if not row["ok"]]
    return f"{len(rows) - len(wrong)} of {len(rows)} right" + "".join(f"; WRONG: {text}" for text in wrong[:2])


def suite(found: Found) -> str:
    return ", ".join(f"{found.get(key, 0)} {key}" for key in ("passed", "failed", "errors", "skipped"))


def speedups(found: Found) -> str:
    rows = found.get("kernels", [])
    if not rows:
        return "nothing measured"
    slowest = min(rows, key=lambda row: row["speedup"])
    return (
        f"{len(rows)} rows, median {statistics.median(row['speedup'] for row in rows):.2f} times as fast as the "
        f"reference, least {slowest['speedup']} ({slowest['kernel']}, {slowest['dtype']}, {slowest['elements']:,})"
    )


def steps(found: Found) -> str:
    """Milliseconds, or launches on the simulator, and the ratio to each peer."""
    texts = []
    for name, libraries in found.get("steps", {}).items():
        ours = libraries.get("gpugrad", {})
        text = f"{ours['ms']} ms" if "ms" in ours else f"{ours.get('launches')} launches"
        ratios = [f"{row['gpugrad_ratio']} of {peer}" for peer, row in libraries.items()
                  if peer != "gpugrad" and "gpugrad_ratio" in row]  # fmt: skip
        texts.append(f"{name} {', '.join([text, *ratios])}")
    return "; ".join(texts) or "nothing measured"


def parts(options: argparse.Namespace) -> list[Part]:
    """All parts, for these options of the command line."""
    small = ("--small",) if options.small else ()
    results = "{results}"
    races = HERE / "races.py"
    measured = ("--sizes", "1000", "--repeats", "1") if options.small else ("--repeats", "10")
    six = ("--device", options.device, "--json", results, *small)
    few = () if options.device == "simulator" else ("--repeats", "3" if options.small else "11")
    return [
        Part("environment", 2, HERE / "environment.py", (), environment),
        Part("kernels", 14, HERE / "load_kernels.py", small, kernels),
        Part("loader race", 5, races, ("loader", *small), checks),
        Part("checkpoint race", 5, races, ("checkpoint", *small), checks),
        Part("user streams", 3, races, ("streams", *small), checks),
        Part("per-thread streams", 4, races, ("loader", "streams", *small), checks,
             (("CUPY_CUDA_PER_THREAD_DEFAULT_STREAM", "1"),)),
        Part("suite", 36, HERE / "suite.py", ("--workers", str(options.workers), *small), suite),
        Part("steps", 12, BENCHMARKS / "steps.py", (*six, *few), steps),
        Part("kernel speed", 8, BENCHMARKS / "kernels.py", ("--out", results, *measured), speedups),
        Part("memory checker", 4, HERE / "memory_checker.py", (), checks),
        Part("compiled steps", 12, BENCHMARKS / "steps.py", (*six, *few, "--compiled"), steps,
             (("GPU_NEEDS_TORCH", "1"),)),
    ]  # fmt: skip


PARTS = tuple(part.name for part in parts(argparse.Namespace(small=False, device="cuda", workers=1)))
