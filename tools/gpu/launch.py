"""Run a script on the device of the session: ``launch.py SCRIPT ARGUMENTS...``."""

from __future__ import annotations

import importlib.util
import os
import runpy
import sys
from pathlib import Path

from record import Record


def has_torch() -> bool:
    """Whether PyTorch is here, and has the GPU."""
    if os.environ.get("GPU_DEVICE") == "simulator" or importlib.util.find_spec("torch") is None:
        return False
    import torch

    return bool(torch.cuda.is_available())


def main() -> None:
    if "GPU_NEEDS_TORCH" in os.environ and not has_torch():
        Record().skip("needs PyTorch with CUDA")
    sys.argv = sys.argv[1:]
    script = Path(sys.argv[0])
    sys.path[0] = str(script.parent)
    # The suite and the steps install the simulator in the processes that they start.
    if os.environ.get("GPU_DEVICE") == "simulator" and script.name not in ("suite.py", "steps.py"):
        from gpugrad.testing import cuda_simulator

        cuda_simulator.install(memory=64 * 2**30)
    runpy.run_path(str(script), run_name="__main__")


if __name__ == "__main__":
    main()
