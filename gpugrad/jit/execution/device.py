"""Run a program on a library whose calls are launches: one generated function that makes them with what is known.

The passes have made few calls of many. Views of what the function finds by itself are made once; memory is handed back
to the library's pool after its last use.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from types import CodeType, FunctionType
from typing import Any

from ...backend import Array, Backend, as_dtype
from ...tracing.program import Call, Program, Scalar, Value, leaves
from ..passes.effects import Memory, read
from .host import UnplannedError

CACHED = ("captured", "constant")
"""The names of inputs that are the same array at most calls."""


class Device:
    """The text of the function of a program, and its code.

    Attributes:
        program: after the passes.
        calls: what is called at each run, in order; views of inputs that stay are not.
    """

    def __init__(self, program: Program, owner: Backend) -> None:
        self.program, self.owner = program, owner
        self.calls: list[str] = []
        self.names: dict[str, Any] = {"first": first, "several": several, "UnplannedError": UnplannedError}
        self.numbers = {one.value: i for i, one in enumerate(program.inputs)}
        memory = Memory(program)
        self.written = [i for i, one in enumerate(program.inputs) if memory.of(one.value) in memory.written]
        self.given = memory.given
        self.memory = memory
        self._write()

    def _write(self) -> None:
        program = self.program
        staying = {one.value for one in program.inputs if one.name in CACHED}
        made_of: dict[Value, Value] = {value: value for value in staying}
        """The values that are views of one input that stays, and of which."""
        held: dict[Value, list[str]] = {value: [] for value in staying}
        wanted = set(program.outputs)
        last = {value: i for i, call in enumerate(program.calls) for value in (*read(call), *call.results)}
        body: list[str] = []
        for i, call in enumerate(program.calls):
            values = read(call)
            if call.view and len(call.results) == 1 and len(values) == 1 and values[0] in made_of and not call.changes:
                root = made_of[values[0]]
                made_of[call.results[0]] = root
                held[root].append(self._line(call))
                continue
            body.append(self._line(call))
            self.calls.append(call.op)
            gone = [v for v in dict.fromkeys((*values, *call.results))
                    if last[v] == i and v not in made_of and v not in wanted]  # fmt: skip
            if gone:
                body.append(f"{' = '.join(f'v{v.number}' for v in gone)} = None")
        lines = []
        lasting = [f"v{v.number}" for v in made_of if v not in staying]
        lines.append(f"global {', '.join([*(f'p{v.number}' for v in staying), *lasting])}") if staying else None
        if program.inputs:
            lines.append(f"{', '.join(f'v{one.value.number}' for one in program.inputs)}, = arrays")
        for one in program.inputs:
            n = one.value.number
            spec = program.specs[n]
            self.names |= {f"s{n}": spec.shape, f"d{n}": as_dtype(spec.dtype), f"p{n}": None}
            check = f"if v{n}.shape != s{n} or v{n}.dtype != d{n}: raise UnplannedError"
            if one.value in staying:
                lines += [f"if v{n} is not p{n}:", *(f"    {t}" for t in (check, *held[one.value], f"p{n} = v{n}"))]
            else:
                lines.append(check)
        if self.written and len(program.inputs) > 1:
            self.names |= {"places": None, "apart": self.apart}
            inputs = ", ".join(f"v{one.value.number}" for one in program.inputs)
            lines += [f"now = [x.data.ptr for x in ({inputs},)]", "if now != places:", f"    apart(({inputs},))",
                      "    places = now"]  # fmt: skip
            lines.insert(0, "global places")
        seen: set[int] = set()
        results = []
        for value in program.outputs:
            where = self.memory.of(value)
            copied = where in self.given or where in seen
            seen.add(where)
            results.append(f"v{value.number}.copy()" if copied else f"v{value.number}")
        text = "\n    ".join(["def run(arrays, scalars):", *lines, *body, f"return [{', '.join(results)}]"])
        self.text = text
        module = compile(text, "<program>", "exec")
        self.code: CodeType = next(c for c in module.co_consts if isinstance(c, CodeType))

    def _line(self, call: Call) -> str:
        name = f"f{len(self.names)}"
        self.names[name] = self.program._function(call.op, self.owner)
        given = [self._text(a) for a in call.args] + [f"{k}={self._text(v)}" for k, v in call.kwargs.items()]
        text = f"{name}({', '.join(given)})"
        made = [f"v{value.number}" for value in call.results]
        if not made:
            return text
        return f"{made[0]} = first({text})" if len(made) == 1 else f"{', '.join(made)} = several({text}, {len(made)})"

    def _text(self, value: Any) -> str:
        if type(value) is Value:
            return f"v{value.number}"
        if type(value) is Scalar:
            return f"scalars[{value.number}]"
        if isinstance(value, tuple | list) and not hasattr(value, "_fields"):
            inner = ", ".join(map(self._text, value)) + "," * (len(value) == 1)
            return f"({inner})" if isinstance(value, tuple) else f"[{inner}]"
        if isinstance(value, slice):
            return f"slice({', '.join(map(self._text, (value.start, value.stop, value.step)))})"
        if value is None or type(value) in (bool, int, str):
            return repr(value)
        name = f"k{len(self.names)}"
        self.names[name] = value
        return name

    def apart(self, arrays: Sequence[Array]) -> None:
        """See that no input that is written to overlaps another one.

        Raises:
            UnplannedError: one does.
        """
        spans = [(a.data.ptr, a.data.ptr + reach(a)) for a in arrays]
        for i in self.written:
            for k, (low, high) in enumerate(spans):
                if k != i and low < spans[i][1] and spans[i][0] < high:
                    raise UnplannedError("inputs overlap, and are written to")

    def frame(self) -> Callable[[Sequence[Array], Sequence[Any]], list[Array]]:
        """The function, which one thread at a time may call."""
        return FunctionType(self.code, {**self.names, "__builtins__": builtins})  # CuPy's C code imports modules by it


def reach(array: Array) -> int:
    """How many bytes an array extends over, if no step goes back."""
    if not array.size or any(step < 0 for step in array.strides):
        raise UnplannedError("an array that goes back in memory")
    return int(sum((n - 1) * s for n, s in zip(array.shape, array.strides, strict=True)) + array.dtype.itemsize)


def first(result: Any) -> Array:
    """The array that a call gives."""
    return next(leaves(result))


def several(result: Any, count: int) -> list[Array | None]:
    """The arrays that a call gives; None for what is left out."""
    found = [*leaves(result)]
    return [*found, *[None] * (count - len(found))][:count]
