"""Compile every CUDA source of the library, load it, and look whether the GPU has room for its blocks."""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, zip_longest
from typing import Any

from record import Record

from gpugrad import backend, kernels
from gpugrad.backend import compiler
from gpugrad.kernels.rows import LONG_BLOCK

ELEMENTS = 256
"""Threads of a block of kernels over elements."""

MAX_THREADS, LOCAL_BYTES, REGISTERS = 0, 3, 4
"""``CU_FUNC_ATTRIBUTE_...`` of the driver API: MAX_THREADS_PER_BLOCK, LOCAL_SIZE_BYTES, NUM_REGS."""

Source = tuple[str, str, str]


def spread() -> list[Source]:
    """All sources, a variant of each kernel first, then another of each: a cut leaves every kernel seen."""
    by_kernel: dict[str, list[Source]] = {}
    for row in kernels.all_sources():
        by_kernel.setdefault(row[0], []).append(row)
    return [row for row in chain.from_iterable(zip_longest(*by_kernel.values())) if row is not None]


def attributes(cupy: Any, function: Any) -> dict[str, int]:
    """What the driver says of a loaded kernel; nothing on the simulator."""
    ask = getattr(getattr(cupy.cuda, "driver", None), "funcGetAttribute", None)
    if ask is None:
        return {}
    return {"threads": ask(MAX_THREADS, function.ptr), "local": ask(LOCAL_BYTES, function.ptr),
            "registers": ask(REGISTERS, function.ptr)}  # fmt: skip


def main() -> int:
    cuda = backend.load_cuda()
    cupy = cuda.xp
    sources = spread()
    record = Record(sources=len(sources), compiled=0, loaded=0, problems=[], registers=0, local_bytes=0)
    if "--small" in sys.argv:
        sources = sources[::200]
    compiles = hasattr(cupy.cuda, "nvrtc")
    architecture = compiler.target(f"sm_{cupy.cuda.Device().compute_capability}") if compiles else ""

    def compiled(row: Source) -> str | None:
        """Fill the cache, from which the kernel is loaded; what is wrong."""
        name, _, source = row
        try:
            if compiles:
                compiler.keep(source, name, architecture)
        except compiler.CompileError as error:
            return str(error)
        return None

    start, found = time.monotonic(), record.found
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for (name, variant, source), wrong in zip(sources, pool.map(compiled, sources), strict=True):
            if wrong is None:
                found["compiled"] += 1
                wrong = loaded(cuda, cupy, name, variant, source, found)
            if wrong is not None:
                found["problems"].append(f"{name}, {variant}: {wrong}")
                print(found["problems"][-1], flush=True)
            record.put(seconds=round(time.monotonic() - start, 1))
    return record.end()


def loaded(cuda: Any, cupy: Any, name: str, variant: str, source: str, found: dict[str, Any]) -> str | None:
    """Load a kernel and count it; what is wrong."""
    try:
        function = cuda._load(source, name)
    except Exception as error:  # noqa: BLE001  CuPy's class for it differs between versions
        return f"does not load: {error}"
    found["loaded"] += 1
    told, needed = attributes(cupy, function), LONG_BLOCK if variant.startswith("block") else ELEMENTS
    found["registers"] = max(found["registers"], told.get("registers", 0))
    found["local_bytes"] = max(found["local_bytes"], told.get("local", 0))
    if told.get("threads", needed) < needed:
        return f"a block may have {told['threads']} threads, it needs {needed}"
    return None


if __name__ == "__main__":
    raise SystemExit(main())
