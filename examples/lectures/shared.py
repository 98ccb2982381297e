"""What the lectures' scripts share: their command line, and the plotting of ``examples/reporting.py``, a folder up."""

import argparse
import sys
from pathlib import Path
from typing import Any

import gpugrad as gg

sys.path.append(str(Path(__file__).resolve().parents[1]))

from reporting import BLUE, GREY, LIGHT, RED, figure, save, tidy

__all__ = ["BLUE", "DATA", "GREY", "LIGHT", "RED", "arguments", "figure", "save", "tidy"]

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
"""Where data sets that are not part of the repository are looked for, each in a folder of its own."""


def arguments(description: str, name: str, **options: dict[str, Any]) -> argparse.Namespace:
    """Read the command line: ``--out``, ``--device``, and options of the script's own, by their names.

    The folder for the pictures exists afterwards, and the device is chosen.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="(%(default)s: GPU if any)")
    for option, settings in options.items():
        parser.add_argument(f"--{option.replace('_', '-')}", **settings)
    parser.add_argument(
        "--out", type=Path, default=Path("runs/lectures") / name, help="folder for the pictures (%(default)s)"
    )
    args = parser.parse_args()
    gg.set_default_device(None if args.device == "auto" else args.device)  # the one line that chooses the device
    args.out.mkdir(parents=True, exist_ok=True)
    return args
