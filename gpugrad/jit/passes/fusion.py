"""Make one kernel of neighbouring elementwise calls.

Calls are scheduled again, in groups: a call goes into the earliest group that everything it needs is there for, if that
is elementwise and of its shape, and else into one of its own. What a group has computed stays in registers for the
calls in it, and only what others read is written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from inspect import Parameter, Signature
from typing import Any

from ...backend import as_dtype, special
from ...expressions import Expression, Formula, NotTracedError, astype, uses, variable, walk
from ...expressions.simplify import replaced
from ...kernels.cuda_types import SIZES
from ...kernels.elementwise import Elementwise
from ...tracing.program import Call, Program, Scalar, Value
from ..places import VIEWING, Places
from .effects import Memory, read
from .formulas import Elements, array_variable, elements

MOST_OPERANDS, MOST_NODES = 32, 1000
"""How large a kernel may become."""

LEAST_SHARED = 4096
"""From this many elements on, calls that share no operand are not put into one kernel."""


class Group:
    """Calls that are one kernel, or a single call.

    Attributes:
        calls: in order.
        shape: of the elements; None for a single call that is not elementwise.
        values: what each value that is made here is, in terms of values from outside.
        operands: the values from outside.
        views: views of values that are there after this group.
    """

    def __init__(self, calls: list[Call], shape: tuple[int, ...] | None = None) -> None:
        self.calls, self.shape = calls, shape
        self.values: dict[Value, Expression] = {}
        self.operands: dict[Value, None] = {}
        self.views: list[Call] = []
        self.nodes = 0

    def add(self, call: Call, what: Elements, program: Program) -> None:
        """Put a call into the group."""
        by = {
            array_variable(value, program.specs[value.number].dtype): self.values[value]
            for value in what.operands if value in self.values
        }  # fmt: skip
        self.operands |= dict.fromkeys(value for value in what.operands if value not in self.values)
        results = replaced(what.results, by)
        self.values.update(zip(call.results, results, strict=True))
        self.calls.append(call)
        self.nodes += sum(1 for _ in walk(*what.results))


class Fusion:
    """The groups of a program, and after which of them each value and each memory is as it should be."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.memory = Memory(program)
        self.places = Places(program)
        self.groups: list[Group] = []
        self.ready: dict[Value, int] = {one.value: -1 for one in program.inputs}
        self.written: dict[int, int] = {}
        self.constants: dict[Value, Expression] = {}
        self.before: list[Call] = []
        self.last_read: dict[int, int] = {}
        for call in program.calls:
            self._schedule(call)

    def _schedule(self, call: Call) -> None:
        values = read(call)
        view = self._is_view(call)
        what = None if view else self._elements(call)
        if self._is_constant(call, what):
            return
        if view:
            at = max([self.ready[value] for value in values])
            self.ready.update(dict.fromkeys(call.results, at))
            (self.before if at < 0 else self.groups[at].views).append(call)
            return
        earliest = max([self.ready[value] for value in values], default=-1)
        for value in values:
            earliest = max(earliest, self.written.get(self.memory.of(value), -1) + 1)
        if what is None or not what.operands:
            self.groups.append(Group([call]))
            at = len(self.groups) - 1
        else:
            shape = self.program.specs[call.results[0].number].shape
            at = self._place_for(what, shape, earliest)
            self.groups[at].add(call, what, self.program)
        self.ready.update(dict.fromkeys(call.results, at))
        for value in values:
            number = self.memory.of(value)
            self.last_read[number] = max(at, self.last_read.get(number, -1))
        for value in call.changes:
            self.written[self.memory.of(value)] = at

    def _is_constant(self, call: Call, what: Elements | None) -> bool:
        """Take note of what has one number everywhere, and is not written to: it is made before all else."""
        if len(call.results) != 1 or call.changes or self.memory.of(call.results[0]) in self.memory.written:
            return False
        value = call.results[0]
        if what is None:
            number = self.constants.get(read(call)[0]) if self._is_view(call) else None
        else:
            number = what.results[0] if not what.operands else None
        if number is None or number.op != "constant":
            return False
        self.constants[value] = number
        if what is not None and read(call):  # not made of what is made later
            shape = self.program.specs[value.number].shape
            call = Call("full", (shape, number.value), {"dtype": as_dtype(number.dtype)}, call.results)
        self.before.append(call)
        self.ready[value] = -1
        return True

    def _elements(self, call: Call) -> Elements | None:
        """What a call computes, with known numbers in it."""
        what = elements(call, self.program)
        if what is None or call.op.endswith("_like"):
            return None if what is None else Elements((), what.results) if what.results[0].op == "constant" else what
        by = {
            array_variable(value, self.program.specs[value.number].dtype): self.constants[value]
            for value in what.operands if value in self.constants
        }  # fmt: skip
        if not by:
            return what
        return Elements(tuple(v for v in what.operands if v not in self.constants), replaced(what.results, by))

    def _is_view(self, call: Call) -> bool:
        if call.op not in VIEWING or len(call.results) != 1 or call.changes:
            return False
        value = call.results[0]
        return self.places.of[value.number].root != value.number and (
            value.number not in self.places.moved or self.memory.of(value) not in self.memory.written
        )

    def _place_for(self, what: Elements, shape: tuple[int, ...], earliest: int) -> int:
        """The group that an elementwise call goes into; a new one, if none fits."""
        size = 1
        for n in shape:
            size *= n
        for at in range(max(earliest, 0), len(self.groups)):
            group = self.groups[at]
            if group.shape != shape or len(group.operands) + len(what.operands) > MOST_OPERANDS:
                continue
            inside = any(value in group.values for value in what.operands)
            late = any(self.ready[value] == at and value not in group.values for value in what.operands)
            shared = inside or any(value in group.operands for value in what.operands) or size < LEAST_SHARED
            if not late and shared and group.nodes < MOST_NODES:
                return at
        self.groups.append(Group([], shape))
        return len(self.groups) - 1

    # ---------------------------------------------------------------- the program again

    def result(self) -> Program:
        """The program, with a kernel in the place of each group of several calls."""
        wanted = dict.fromkeys(self.program.outputs)
        for group in self.groups:
            inner = {*group.values}
            for call in group.calls:
                wanted |= dict.fromkeys(v for v in (*read(call), *call.changes) if v not in inner)
            for call in group.views:
                wanted |= dict.fromkeys(read(call))
        custom = dict(self.program.custom)
        calls: list[Call] = [*self.before]
        for group in self.groups:
            if len(group.calls) > 1 and group.shape is not None:
                calls += self._kernel(group, wanted, custom)
            else:
                calls += group.calls
            calls += group.views
        return replace(self.program, calls=calls, custom=custom)

    def _kernel(self, group: Group, wanted: Mapping[Value, None], custom: dict[str, Any]) -> list[Call]:
        results = [value for value in group.values if value in wanted]
        if not any(e.op == "variable" and e.axes for e in walk(*(group.values[value] for value in results))):
            return group.calls if results else []
        kernel, operands, scalars = fused_kernel(
            [group.values[value] for value in results], [*group.operands], self.program
        )
        custom[kernel.name] = kernel
        return [Call(f"kernel.{kernel.name}", (*operands, *scalars), {}, tuple(results))]


def fused_kernel(
    results: list[Expression], operands: list[Value], program: Program
) -> tuple[Fused, list[Value], list[Scalar]]:
    """A kernel that computes expressions in variables of values and scalars, and what it is to be called with."""
    needed = {e: None for e in walk(*results) if e.op == "variable"}
    arrays = [e for v in operands if (e := array_variable(v, program.specs[v.number].dtype)) in needed]
    numbers = [e for e in needed if e.value[0] == "scalar"]
    arithmetic = {e: "float64" if any(a.dtype == "float64" for a in arrays) else "float32" for e in numbers}
    by = {e: variable(f"x{i}", e.dtype) for i, e in enumerate(arrays)}
    scalars = [variable(f"s{i}", arithmetic[e], "") for i, e in enumerate(numbers)]
    by |= {e: astype(s, e.dtype) for e, s in zip(numbers, scalars, strict=True)}
    inputs = (*(by[e] for e in arrays), *scalars)
    kernel = Fused(Formula(inputs, replaced(results, by)))
    return kernel, [Value(e.value[1]) for e in arrays], [Scalar(e.value[1]) for e in numbers]


class Fused(Elementwise):
    """A kernel of expressions."""

    def __init__(self, formula: Formula) -> None:
        self.formula = formula
        arrays = [e for e in formula.inputs if e.axes]
        text = repr([(e.value, e.dtype, sorted(e.axes)) for e in formula.inputs]) + written(formula.outputs)
        outputs = tuple(f"y{i}" for i in range(len(formula.outputs)))
        fixed = {e.value: e.dtype for e in arrays if not e.dtype.startswith("float")}
        name = f"fused_{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        super().__init__(self._reference(), outputs=outputs, types=fixed, name=name)

    def traced(self, types: tuple[str, ...]) -> Formula:  # type: ignore[override]
        """See :meth:`Elementwise.traced`."""
        if types != tuple(e.dtype for e in self.formula.inputs if e.axes):
            raise NotTracedError(f"arrays of {types}")
        return self.formula

    def _learnt(self, inputs: tuple[Any, ...]) -> Any:
        """See :class:`Elementwise`; dtypes that CUDA sources do not read or write are left to the reference."""
        types = {*(e.dtype for e in self.formula.inputs if e.axes), *(y.dtype for y in self.formula.outputs)}
        return super()._learnt(inputs) if types <= SIZES.keys() else None

    def _reference(self) -> Any:
        inputs, outputs = self.formula

        def reference(xp: Any, *given: Any) -> Any:
            """Expressions that were several calls."""
            known = {e: given[i] if e.axes else xp.asarray(given[i], e.dtype) for i, e in enumerate(inputs)}
            made = tuple(computed(outputs, xp, known))
            return made[0] if len(made) == 1 else made

        kinds = [Parameter.POSITIONAL_ONLY if e.axes else Parameter.POSITIONAL_OR_KEYWORD for e in inputs]
        parameters = [Parameter(e.value, kind) for e, kind in zip(inputs, kinds, strict=True)]
        reference.__signature__ = Signature(  # type: ignore[attr-defined]
            [Parameter("xp", Parameter.POSITIONAL_ONLY), *parameters]
        )
        return reference


def computed(roots: tuple[Expression, ...], xp: Any, known: dict[Expression, Any]) -> list[Any]:
    """Expressions on an array library, each node once; constants have dtypes."""
    for node in walk(*roots):
        if node in known:
            continue
        args = [known[a] for a in node.args]
        if node.op == "constant":
            known[node] = xp.asarray(node.value, node.dtype)
        elif node.op == "astype":
            known[node] = xp.astype(args[0], getattr(xp, node.dtype))
        elif node.op == "view":
            known[node] = args[0].view(getattr(xp, node.dtype))
        else:
            known[node] = getattr(special(xp) if node.op in ("erf", "erfc") else xp, node.op)(*args)
    return [known[root] for root in roots]


def written(roots: tuple[Expression, ...]) -> str:
    """Expressions as text, each node once."""
    number: dict[Expression, int] = {}
    lines = []
    for node in uses(*roots):
        number[node] = len(number)
        lines.append(f"{node.op} {[number[a] for a in node.args]} {node.dtype} {node.value!r}")
    return "\n".join([*lines, repr([number[root] for root in roots])])


def fused(program: Program) -> Program:
    """A program in which neighbouring elementwise calls are one kernel.

    >>> import gpugrad as gg
    >>> def f(x, y):
    ...     return gg.exp(x) * y + 1
    >>> fused(gg.trace(f)(gg.ones(3), gg.ones(3))).names()  # doctest: +ELLIPSIS
    ['kernel.fused_...']
    """
    return Fusion(program).result()
