"""Conversions, devices, the identity."""

from __future__ import annotations

import gpugrad as gg
from gpugrad.core import identity
from gpugrad.ops import creation

from .row import Row, complex_too

ROWS: list[Row] = [
    Row("ops.creation._astype", lambda x: gg.astype(x, x.dtype), numpy=lambda x: x.astype(x.dtype),
        torch=lambda torch, x: x.to(x.dtype)),
    Row("ops.creation._to_device", lambda x: creation._to_device(x, device=x.device), numpy=lambda x: x),
    Row("core.operation.identity", identity, numpy=lambda x: x, torch=lambda torch, x: x.clone()),
]  # fmt: skip
ROWS = complex_too(ROWS)
