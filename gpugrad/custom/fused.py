"""Elementwise kernels of the user's, as functions on ``xp``: with numbers among their operands, and differentiable."""

from __future__ import annotations

import inspect
from functools import cached_property
from typing import Any

from ..backend import NAMESPACES, Array, Namespace
from ..core import Operation, Tensor, primitive
from ..kernels.elementwise import Elementwise
from .formulas import Formula
from .names import Function, with_signature

ONLY = inspect.Parameter.POSITIONAL_ONLY
EITHER = inspect.Parameter.POSITIONAL_OR_KEYWORD
NUMBERS = (int, float, bool)


class Fitted:
    """An elementwise kernel that also takes Python's numbers; no arrays are made of them."""

    def __init__(
        self, name: str, takes: tuple[str, ...], gives: tuple[str, ...], body: str | None, twin: Function
    ) -> None:
        self.name, self.takes, self.gives, self.body, self.twin = name, takes, gives, body, twin
        self._variants: dict[tuple[bool, ...], Elementwise] = {}
        self.kernel = self._variant((False,) * len(takes))

    def __call__(self, xp: Namespace, *values: Any) -> Any:
        numbers = tuple(type(v) in NUMBERS for v in values)
        if True not in numbers:
            return self.kernel(xp, *values)
        if all(numbers):
            return self.twin(xp, *values)
        kernel = self._variants.get(numbers)
        if kernel is None:
            kernel = self._variants[numbers] = self._variant(numbers)
        return kernel(xp, *_sorted(values, numbers))

    def _variant(self, numbers: tuple[bool, ...]) -> Elementwise:
        """The kernel whose operands marked in ``numbers`` are numbers."""
        order = _sorted(range(len(self.takes)), numbers)
        back = [order.index(i) for i in range(len(order))]

        def reference(xp: Namespace, *values: Any) -> Any:
            return self.twin(xp, *(values[i] for i in back))

        names = [self.takes[i] for i in order]
        count = numbers.count(False)
        with_signature(reference, (("xp", *names[:count]), ONLY), (tuple(names[count:]), EITHER))
        return Elementwise(reference, self.body, outputs=self.gives, name=self.name)


def _sorted(values: Any, numbers: tuple[bool, ...]) -> list[Any]:
    """Arrays first, then numbers, each in their order."""
    pairs = list(zip(values, numbers, strict=True))
    return [v for v, number in pairs if not number] + [v for v, number in pairs if number]


class Fused:
    """A formula as a function ``f(xp, *values)``.

    On arrays it is one kernel. On gpugrad, in a walk back that is recorded, it is an operation, whose gradients are the
    derivatives of the formula, which are formulas again: derivatives of any order are one kernel each.
    """

    def __init__(self, name: str, formula: Formula, names: tuple[str, ...]) -> None:
        self.name, self.formula, self.names = name, formula, names

        def twin(xp: Namespace, *values: Any) -> Any:
            return formula(xp, **dict(zip(names, values, strict=True)))

        self.kernel = Fitted(name, names, ("gg_out",), None, twin)

    def __call__(self, xp: Namespace, *values: Any) -> Any:
        if xp is NAMESPACES[Tensor]:
            return self.operation(*values)
        return self.kernel(xp, *values)

    @cached_property
    def operation(self) -> Operation[Any]:
        """The formula as an operation on Tensors."""
        places = tuple(f"v{i}" for i in range(len(self.names)))
        kernel = self.kernel

        def forward(xp: Namespace, *values: Array) -> Array:
            return kernel(xp, *values)

        forward.__name__ = self.name
        operation: Any = primitive(batch="elementwise")(with_signature(forward, (("xp", *places), ONLY)))
        operation.vjp(**{place: self._rule(name) for place, name in zip(places, self.names, strict=True)})
        return operation  # type: ignore[no-any-return]

    def _rule(self, by: str) -> Function:
        place = {name: f"v{i}" for i, name in enumerate(self.names)}
        derivative = self.formula.derivative(by)
        if derivative is None:

            def nothing(xp: Namespace, g: Array, value: Array) -> Array:
                return xp.zeros_like(value)

            return with_signature(nothing, (("xp", "g", place[by]), EITHER))
        upstream = "g"
        while upstream in self.names:
            upstream += "_"
        formula = derivative.times(upstream)
        needs = tuple(name for name in self.names if name in formula.names)
        fused = Fused(f"{self.name}_by_{by}", formula, (upstream, *needs))

        def rule(xp: Namespace, g: Array, *values: Any) -> Array:
            return fused(xp, g, *values)

        return with_signature(rule, (("xp", "g", *(place[name] for name in needs)), EITHER))
