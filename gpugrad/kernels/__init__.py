"""Fused kernels: references, from which the CUDA sources are generated.

To add one, write the reference on ``xp`` in the file of its family, arrays before the slash, with the formula, the
bytes moved and the source in its docstring, and decorate it:

- with :func:`~gpugrad.kernels.elementwise.elementwise`: the reference is traced into expressions
  (:mod:`gpugrad.expressions`) and printed. Give it a CUDA statement only if that is faster, and say why;
- with :func:`~gpugrad.kernels.rows.rows`, if it reduces over the last axes: its reductions become passes over a row;
- with :func:`~gpugrad.kernels.column_sums.columns`, if what is computed from rows is summed over all of them.

An elementwise kernel is compiled for the CPU as well, without further work. Kernels over rows are where they have an
entry in ``compiled_rows.py``. A NumPy routine for what is not compiled goes to the ``..._host.py`` of its family. A
function that has no CUDA source is declared in ``composed.py``.

An operation of :mod:`gpugrad.ops` calls the kernel, and has the rows in ``tests/cases``. When a walk is recorded, the
reference of a backward kernel runs on Tensors and is itself differentiated. So it must have the right derivative
everywhere: an ``abs`` or a ``where`` that makes a smooth function exact adds a kink. Give it the saved output instead.

``tests/kernels`` finds every kernel, compares it with its reference in every variant and dtype, and compiles it for
every architecture. A scalar with a new name needs a value in ``SCALARS`` of
``tests/kernels/test_against_reference.py``.
"""

from collections.abc import Iterator

from . import (
    activation,
    affine,
    bounds,
    cells,
    compiled_rows,
    composed,
    dropping,
    host,
    labels_host,
    launched_attention,
    launched_windows,
    normalize_host,
    optim,
    philox,
    recurrent,
    softmax,
    softmax_host,
)  # fmt: skip
from .cuda_types import COMPUTE
from .elementwise import Elementwise, elementwise
from .kernel import REGISTRY, Kernel
from .rows import rows

__all__ = [
    "REGISTRY", "Kernel", "activation", "affine", "all_sources", "cells", "compiled_rows", "composed", "elementwise",
    "host", "labels", "labels_host", "normalize_host", "optim", "recurrent", "rows", "softmax", "softmax_host",
]  # fmt: skip

COMMON_AXES = (1, 2, 3, 4)
"""The numbers of axes for which strided kernels are compiled in advance; with others, on first use.

One is a slice, or an array that is not aligned; two and three are transposed or broadcast; four are batched images.
"""


def all_sources() -> Iterator[tuple[str, str, str]]:
    """Every CUDA source of the library as ``(kernel, variant, source)``, each once.

    These are compiled in advance (``gpugrad precompile``), and for every architecture in the checks.
    """
    seen: set[str] = set()
    for name, variant, source in _listed():
        if source not in seen:
            seen.add(source)
            yield name, variant, source


def _listed() -> Iterator[tuple[str, str, str]]:
    for kernel in REGISTRY.values():
        for variant, source in kernel.sources():
            yield kernel.name, variant, source
        if isinstance(kernel, Elementwise):  # those that change flat arrays meet no other than one axis
            for axes in COMMON_AXES[:1] if kernel.changes else COMMON_AXES:
                for dtype in COMPUTE:
                    yield kernel.name, f"strided {dtype} {axes} axes", kernel.strided(dtype, axes)
    for name, sampler in philox.SAMPLERS.items():
        yield name, sampler.dtype.name, sampler.source()
    for variant, source in dropping.drawn_dropout.sources():
        yield dropping.drawn_dropout.name, variant, source
    yield from launched_windows.sources()
    yield from launched_attention.sources()
    for variant, source in bounds.sources():
        yield bounds.NAME, variant, source
