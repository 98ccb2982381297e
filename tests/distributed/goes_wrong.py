"""Run by ``test_processes.py``: one rank does something else than the others."""

from __future__ import annotations

import sys
import time

import gpugrad as gg
from gpugrad import distributed, nn

how = sys.argv[1]
world = distributed.init(timeout=6)
odd = world.rank == 1
model = distributed.DataParallel(nn.Linear(3 + (odd and how == "model"), 2))
distributed.barrier()
if odd and how == "raises":
    raise ValueError("of rank 1")
if odd and how == "raises in backward":
    h = model(gg.ones((2, 3)))
    h.register_hook(lambda g: 1 / 0)
    h.sum().backward()
if odd and how == "ends":
    sys.exit(0)
if odd and how == "hangs":
    time.sleep(600)
if how == "another call":
    (distributed.broadcast if odd else distributed.all_reduce)(gg.ones(3))
if how == "another shape":
    distributed.all_reduce(gg.ones(4 if odd else 3))
if how == "another dtype":
    distributed.all_reduce(gg.ones(3, dtype=gg.float64 if odd else gg.float32))
if not (odd and how == "skips backward"):
    model(gg.ones((2, 3))).sum().backward()
distributed.barrier()
print("all is well")
