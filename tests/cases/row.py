"""A row: an operation and all that the tests need to know about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy

import gpugrad as gg

from .domains import LARGE, LARGE_PAIR, ONE, PAIRS, Domain, real, turned


@dataclass(frozen=True)
class Row:
    """An operation and all that the tests need to know about it."""

    operation: str
    """Module and name, as in ``gpugrad.core.OPERATIONS`` without the leading ``gpugrad.``."""
    call: Callable[..., Any]
    """``call(*tensors, **static)`` with gpugrad."""
    inputs: Domain = real
    shapes: Sequence[tuple[tuple[int, ...], ...]] = field(default_factory=lambda: ONE)
    variants: Sequence[dict[str, Any]] = ({},)
    """Static arguments."""
    numpy: Callable[..., Any] | None = None
    """The same with NumPy, for the value, shape and dtype."""
    torch: Callable[..., Any] | None = None
    """``torch(torch module, *tensors, **static)``, for value and gradient."""
    large: tuple[tuple[int, ...], ...] | None = LARGE
    """Shapes that are large enough for blocks; compared by value only."""
    constant: bool = False
    """The result has no gradient."""
    flat: bool = False
    """The gradient is 0 everywhere, which PyTorch may not define."""
    complex: Domain | None = None
    """Inputs of which some are complex128, where the operation has a complex derivative."""
    half: bool = True
    """Whether NumPy computes with float16."""
    single: float = 1e-5
    """Tolerance in float32, relative and absolute."""
    label: str = ""
    host_only: bool = False
    """Not there on a GPU, where it raises."""

    @property
    def name(self) -> str:
        return self.operation.removeprefix("ops.") + (f"-{self.label}" if self.label else "")

    def __str__(self) -> str:
        return self.name


def named(module, name, **kwargs):
    """An operation that is called the same here, in NumPy and, unless said otherwise, in PyTorch."""
    kwargs.setdefault("numpy", getattr(numpy, name, None))
    kwargs.setdefault("torch", lambda torch, *xs, **static: getattr(torch, name)(*xs, **static))
    return Row(f"ops.{module}.{name}", getattr(gg, name), **kwargs)


def unary(module, name, domain=real, **kwargs):
    return named(module, name, inputs=domain, **kwargs)


def binary(module, name, domain=real, **kwargs):
    kwargs.setdefault("large", LARGE_PAIR)
    return named(module, name, inputs=domain, shapes=PAIRS, **kwargs)


def constants(module, name, domain=real, shapes=PAIRS, **kwargs):
    kwargs.setdefault("torch", lambda torch, *xs: getattr(torch, name)(*xs))
    return named(module, name, inputs=domain, shapes=shapes, constant=True, large=None, **kwargs)


def complex_too(rows, *but):
    """Rows that compute with complex numbers as with real ones, all but those so named."""
    return [
        row if row.constant or row.complex or row.name.startswith(but) else replace(row, complex=turned(row.inputs))
        for row in rows
    ]


AXES = [{}, {"axis": 0}, {"axis": -1, "keepdims": True}, {"axis": (0, 2)}, {"axis": (-1, 0), "keepdims": True}]
CUBES = [((2, 3, 2),)]
NONEMPTY = [((3,),), ((1, 4),)]
