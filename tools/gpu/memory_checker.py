"""Run every kernel once under compute-sanitizer, which finds accesses outside of an array.

Arrays come from ``cudaMalloc`` itself, each with its own bounds. In a block of a pool, an access beside an array
would not show.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from record import Record, simulated

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"
SIZE = 3 * 1000 + 1
FOUND = 9
"""The exit status of compute-sanitizer when it found something."""


def kernels(record: Record) -> int:
    """Run every kernel, and compare it with its reference."""
    import gpugrad as gg
    from gpugrad import backend
    from gpugrad.kernels import REGISTRY

    sys.path.append(str(BENCHMARKS))
    from kernels import arguments

    cuda = backend.load_cuda()
    if not simulated():
        cuda.xp.cuda.set_allocator(None)
    gg.set_default_device("cuda")
    gg.random.seed(0)
    for name, kernel in REGISTRY.items():
        given = arguments(kernel, SIZE, gg.float32)
        kernel(cuda.xp, *given)
        record.put(kernel=name)
        cuda.xp.cuda.Stream.null.synchronize()
    record.check(True, f"{len(REGISTRY)} kernels ran")
    return record.end()


def main() -> int:
    record = Record()
    if "--kernels" in sys.argv:
        return kernels(record)
    checker = shutil.which("compute-sanitizer")
    if simulated():
        return kernels(record)  # the simulator looks for accesses outside of arrays itself
    if checker is None:
        record.skip("compute-sanitizer is not installed")
    done = subprocess.run([str(checker), "--tool", "memcheck", "--error-exitcode", str(FOUND), sys.executable, __file__,
                           "--kernels"], check=False)  # fmt: skip
    if done.returncode == FOUND:
        record.check(False, "memory checker", "see log.txt")
    return done.returncode


if __name__ == "__main__":
    raise SystemExit(main())
