"""The graph that is being made: nodes, constants, and numbers that depend on the size of the batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy

from ..tracing.program import Spec, Value

LARGEST = 2**63 - 1


class ExportError(ValueError):
    """A model that cannot be written as ONNX; the message says what has no counterpart."""


@dataclass(frozen=True)
class Dim:
    """The number ``factor * N + rest``, with the size of the batch N."""

    factor: int
    rest: int


class Graph:
    """Nodes in order, with the names of their results.

    Args:
        specs: dtype and shape of each value of the program, for the first size of the batch.
        helper: the module ``onnx.helper``.
        batch: the name of the input whose first axis is the batch; None if no size is left open.
    """

    def __init__(self, specs: Sequence[Spec], helper: Any, batch: str | None) -> None:
        self.specs, self.helper, self.batch = specs, helper, batch
        self.nodes: list[Any] = []
        self.constants: dict[str, numpy.ndarray[Any, Any]] = {}
        self.names: dict[int, str] = {}
        self._known: dict[Any, str] = {}
        self._dims: dict[Dim, str] = {}
        self._count = 0

    # ---------------------------------------------------------------- nodes

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        """A node with one result."""
        return self.several(op, 1, *inputs, **attributes)[0]

    def several(self, op: str, count: int, *inputs: str, **attributes: Any) -> list[str]:
        """A node with several results."""
        self._count += 1
        results = [f"{op}_{self._count}"] if count == 1 else [f"{op}_{self._count}_{i}" for i in range(count)]
        self.nodes.append(self.helper.make_node(op, list(inputs), results, name=f"{op}_{self._count}", **attributes))
        return results

    # ---------------------------------------------------------------- constants

    def constant(self, value: Any, dtype: str) -> str:
        """A constant array."""
        array = numpy.asarray(value, dtype=dtype)
        key = (dtype, array.shape, array.tobytes())
        if key not in self._known:
            self._known[key] = f"constant_{len(self._known)}"
            self.constants[self._known[key]] = array
        return self._known[key]

    def integers(self, numbers: Sequence[int | Dim]) -> str:
        """A vector of int64, some of which may depend on the size of the batch."""
        if not any(isinstance(n, Dim) for n in numbers):
            return self.constant(list(numbers), "int64")
        parts = [self._dim(n) if isinstance(n, Dim) else self.constant([n], "int64") for n in numbers]
        return parts[0] if len(parts) == 1 else self.node("Concat", *parts, axis=0)

    def _dim(self, n: Dim) -> str:
        if n not in self._dims:
            if self.batch is None:
                raise ExportError("a size depends on the batch, and no input has one")
            size = self.node("Shape", self.batch, start=0, end=1)
            if n.factor != 1:
                size = self.node("Mul", size, self.constant([n.factor], "int64"))
            self._dims[n] = self.node("Add", size, self.constant([n.rest], "int64")) if n.rest else size
        return self._dims[n]

    # ---------------------------------------------------------------- values

    def name(self, value: Any, dtype: str | None = None) -> str:
        """The name of a value of the program; a number is a constant of ``dtype``, to which a value is converted."""
        if not isinstance(value, Value):
            if isinstance(value, Dim):
                return self.node("Cast", self.node("Squeeze", self._dim(value)), to=self.kind(dtype or "int64"))
            return self.constant(value, dtype or numpy.asarray(value).dtype.name)
        name, have = self.names[value.number], self.specs[value.number].dtype
        return name if dtype in (None, have) else self.cast(name, dtype or have)

    def spec(self, value: Value) -> Spec:
        """Its dtype and shape."""
        return self.specs[value.number]

    def cast(self, name: str, dtype: str) -> str:
        """A conversion."""
        return self.node("Cast", name, to=self.kind(dtype))

    def kind(self, dtype: str) -> int:
        """ONNX's number of a dtype.

        Raises:
            ExportError: it has none.
        """
        try:
            return int(self.helper.np_dtype_to_tensor_dtype(numpy.dtype(dtype)))
        except (KeyError, TypeError, ValueError) as error:
            raise ExportError(f"the dtype {dtype} has no counterpart in ONNX") from error
