"""Conversions, devices, the identity."""

from __future__ import annotations

import gpugrad as gg
from gpugrad.core import identity
from gpugrad.ops import corners, creation, norms

from .domains import nonzero, positive
from .row import Row, complex_too

ROWS: list[Row] = [
    Row("ops.creation._astype", lambda x: gg.astype(x, x.dtype), numpy=lambda x: x.astype(x.dtype),
        torch=lambda torch, x: x.to(x.dtype)),
    Row("ops.creation._to_device", lambda x: creation._to_device(x, device=x.device), numpy=lambda x: x),
    Row("ops.corners._marked", lambda x: corners._marked(x * 1, x, x == 0), nonzero, numpy=lambda x: x),
    Row("ops.corners._lost", lambda x: corners._lost(x, x == 9.0), nonzero, numpy=lambda x: 0 * x, flat=True),
    Row("ops.norms.root", norms.root, positive, variants=[{"ord": 2}, {"ord": 3}],
        numpy=lambda x, ord: x ** x.dtype.type(1 / ord)),
    Row("core.operation.identity", identity, numpy=lambda x: x, torch=lambda torch, x: x.clone()),
]  # fmt: skip
ROWS = complex_too(ROWS, "norms.root", "corners")
