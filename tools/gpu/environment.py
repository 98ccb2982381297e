"""What the session runs on: GPU, driver, CUDA, versions, commit, date."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from record import Record

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("numpy", "scipy", "torch", "pytest", "pytest-xdist", "hypothesis", "ml-dtypes", "nvidia-cuda-nvrtc")

NVIDIA = "name,driver_version,memory.total,memory.used,clocks.sm,power.limit"


def output(*command: str) -> str | None:
    """What a program prints; None without it."""
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    return done.stdout.strip() or None


def version(package: str) -> str | None:
    """Of an installed package."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def main() -> int:
    record = Record()
    record.put(
        date=datetime.now(UTC).isoformat(timespec="seconds"), commit=output("git", "rev-parse", "--short", "HEAD"),
        changed=bool(output("git", "status", "--porcelain", "--untracked-files=no")),
        python=f"Python {platform.python_version()}", system=platform.platform(), cores=os.cpu_count(),
        packages={name: version(name) for name in PACKAGES},
        nvidia_smi=output("nvidia-smi", f"--query-gpu={NVIDIA}", "--format=csv,noheader"),
    )  # fmt: skip
    import gpugrad
    from gpugrad import backend
    from gpugrad.backend import compiler

    cupy = backend.load_cuda().xp
    runtime, properties = cupy.cuda.runtime, cupy.cuda.runtime.getDeviceProperties(0)
    free, total = runtime.memGetInfo()
    record.put(
        gpu=properties["name"].decode(), compute_capability=cupy.cuda.Device().compute_capability,
        memory_bytes=total, free_bytes=free, driver=runtime.driverGetVersion(), runtime=runtime.runtimeGetVersion(),
        cupy=f"CuPy {cupy.__version__}", gpugrad=gpugrad.__version__,
    )  # fmt: skip
    if hasattr(cupy.cuda, "nvrtc"):
        record.put(nvrtc=compiler.compiler_version())
    for key, value in record.found.items():
        print(f"{key:<20}{value}")
    return record.end()


if __name__ == "__main__":
    raise SystemExit(main())
