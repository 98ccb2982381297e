"""Check gpugrad on a GPU in a few minutes: kernels, races, the suite, speed. Installs nothing, needs no network.

    make gpu BUDGET=480 OUT=build/gpu
    python tools/gpu --budget 480 --out build/gpu

The parts run one after the other, the most telling first. Each gets its share of the time that is left. The folder gets
``results.json``, ``table.txt`` and ``log.txt``, all written while the parts run: whatever ends the command, what was
found until then is there.

Without a GPU, ``--device simulator --small --budget 60`` rehearses it. The exit status is 1 if a part failed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from parts import PARTS, parts
from runner import Runner


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", type=float, default=480, metavar="SECONDS", help="for everything (default: 480)")
    parser.add_argument("--out", type=Path, default=Path("build/gpu"), metavar="FOLDER", help="default: build/gpu")
    parser.add_argument("--device", choices=("cuda", "simulator"), default="cuda")
    parser.add_argument("--small", action="store_true", help="small sizes: does it run?")
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--workers", type=int, default=12, help="most processes for the suite (default: 12)")
    options = parser.parse_args()
    if options.budget <= 0:
        parser.error(f"--budget takes a number of seconds above 0, got {options.budget:g}")
    chosen = [p for p in parts(options) if not options.only or p.name in options.only]
    return Runner(chosen, options.budget, options.out, options.device).run()


if __name__ == "__main__":
    raise SystemExit(main())
