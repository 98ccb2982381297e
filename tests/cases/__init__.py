"""One row an operation: how to call it, on what inputs, and what the same is called elsewhere.

``tests/ops/test_cases.py`` compares every row with finite differences, NumPy and PyTorch; ``tests/test_seam.py``
replays it on a namespace that only writes calls down. An operation of gpugrad without a row fails a test.

To add one: a ``Row`` in the file of its family, with the operation's full name, a call, a generator of float64 inputs
(``domains.py``), the shapes to try, and the functions of NumPy and of PyTorch that do the same.
"""

from __future__ import annotations

import gpugrad as gg

from . import (
    activation,
    arithmetic,
    extras,
    factored,
    fourier,
    functions,
    indexing,
    linalg,
    linear,
    losses,
    normalization,
    order,
    others,
    recurrent,
    reductions,
    resampling,
    sampled,
    selection,
    shapes,
    special,
    windows,
)
from .row import Row

FAMILIES = (
    activation, arithmetic, functions, reductions, shapes, selection, indexing, linear, linalg, factored, fourier,
    special, others, windows, extras, order, sampled, normalization, losses,
    recurrent, resampling,
)  # fmt: skip

ROWS: list[Row] = [row for family in FAMILIES for row in family.ROWS]


def instances(large: bool = False):
    """Every row with each of its shapes and variants: ``(row, shapes, static)``."""
    for row in ROWS:
        for given in (
            ([row.large] if row.large and len(row.large) == len(row.shapes[0]) else []) if large else row.shapes
        ):
            for static in row.variants if not large else row.variants[:1]:
                yield row, given, static


def identifier(value):
    if isinstance(value, dict):
        return ",".join(f"{k}={v}" for k, v in value.items()) or "-"
    return str(value).replace(" ", "")


def tensors(arrays, dtype=None, requires_grad=True):
    """Inputs as Tensors on the device of the run; those of floating dtype as variables."""
    made = []
    for a in arrays:
        floating = a.dtype.kind in "fc"
        t = gg.tensor(a, dtype=dtype if floating else None)
        made.append(t.requires_grad_() if floating and requires_grad else t)
    return made


def outputs(y):
    return tuple(y) if isinstance(y, tuple | list) else (y,)


def host(value):
    """A Tensor, or an array of any device, as NumPy's."""
    return value.numpy() if isinstance(value, gg.Tensor) else gg.backend.to_host(value)
