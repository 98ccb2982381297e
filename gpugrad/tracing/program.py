"""A program: what a function did to arrays, as a flat list of calls, to be shown, compared, stored and run again."""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from importlib import import_module
from types import EllipsisType
from typing import Any

import numpy

from .. import backend
from ..backend import NAMESPACES, Array, Namespace
from ..kernels import REGISTRY
from ..kernels.kernel import WHOLE
from ..kernels.philox import SAMPLERS

PACKAGE = __name__.partition(".")[0]

VERSION = 1
"""Of the JSON."""


@dataclass(frozen=True)
class Value:
    """An array of a program, by its number."""

    number: int

    def __repr__(self) -> str:
        return f"%{self.number}"


@dataclass(frozen=True)
class Scalar:
    """A number that is an input of a program, by its number."""

    number: int

    def __repr__(self) -> str:
        return f"s{self.number}"


@dataclass(frozen=True)
class Spec:
    """What is known of a value: its dtype and its shape."""

    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype} {self.shape}"


@dataclass
class Call:
    """One call.

    Attributes:
        op: a function of ``xp`` by its path (``add``, ``linalg.inv``), of :mod:`operator` (``operator.mul``), of the
            libraries beside ``xp`` (``special.erf``, ``matrix_functions.expm``), ``kernel.`` and ``random.`` with a
            name, or one of ``getitem``, ``copy``, ``cast_view``, ``part``, ``check_labels`` and ``check_values``.
        args: its arguments; arrays as :class:`Value`, numbers that are inputs as :class:`Scalar`.
        kwargs: by keyword.
        results: the arrays that it makes, in order.
        changes: the values that it writes to, in place.
        view: whether its result shares memory with an argument.
    """

    op: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    results: tuple[Value, ...]
    changes: tuple[Value, ...] = ()
    view: bool = False

    def __str__(self) -> str:
        given = [*map(_text, self.args), *(f"{k}={_text(v)}" for k, v in self.kwargs.items())]
        made = ", ".join(map(repr, self.results))
        more = (f"  changes {', '.join(map(repr, self.changes))}" if self.changes else "") + "  view" * self.view
        return f"{made}{' = ' * bool(made)}{self.op}({', '.join(given)}){more}"


@dataclass
class Input:
    """An array that a program is given.

    Attributes:
        value: its number.
        name: what it was: ``argument 0``, or ``captured`` where the function found it elsewhere.
    """

    value: Value
    name: str


@dataclass
class Program:
    """What a recorded function did: its inputs, its calls, what it gave back.

    Attributes:
        inputs: the arrays that it read and did not make: arguments, then what it found elsewhere (parameters, moments).
        scalars: the names of the numbers that are inputs: learning rates, steps, counters of random numbers.
        calls: in order.
        outputs: the values of the arrays that the function returned.
        specs: dtype and shape of each value.
        custom: kernels of the user's by name; all others are found by name.

    Two programs are equal if they have the same calls on values of the same shapes and dtypes.
    """

    inputs: list[Input] = field(default_factory=list)
    scalars: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    specs: list[Spec] = field(default_factory=list)
    custom: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    # ---------------------------------------------------------------- to be read

    def __str__(self) -> str:
        lines = [f"program of {len(self.calls)} calls"]
        lines += [f"  {one.value!r}: {self.specs[one.value.number]}  {one.name}" for one in self.inputs]
        lines += [f"  s{i}: {name}" for i, name in enumerate(self.scalars)]
        for call in self.calls:
            specs = ", ".join(str(self.specs[value.number]) for value in call.results)
            lines.append(f"  {call}{'  : ' + specs if specs else ''}")
        return "\n".join([*lines, f"  return {', '.join(map(repr, self.outputs))}"])

    __repr__ = __str__

    def names(self) -> list[str]:
        """What was called, in order."""
        return [call.op for call in self.calls]

    # ---------------------------------------------------------------- to be stored

    def to_json(self) -> str:
        """The program as JSON; the arrays that it is given are not in it.

        Raises:
            TypeError: a static argument is of a kind that JSON has no place for.
        """
        return json.dumps({
            "version": VERSION,
            "specs": [[spec.dtype, list(spec.shape)] for spec in self.specs],
            "inputs": [[one.value.number, one.name] for one in self.inputs],
            "scalars": self.scalars,
            "calls": [
                {
                    "op": call.op, "args": [_encoded(a) for a in call.args],
                    "kwargs": {k: _encoded(v) for k, v in call.kwargs.items()},
                    "results": [value.number for value in call.results],
                    "changes": [value.number for value in call.changes], "view": call.view,
                }
                for call in self.calls
            ],
            "outputs": [value.number for value in self.outputs],
        })  # fmt: skip

    @classmethod
    def from_json(cls, text: str) -> Program:
        """The program that :meth:`to_json` wrote.

        Raises:
            ValueError: it is of another version.
        """
        stored = json.loads(text)
        if stored["version"] != VERSION:
            raise ValueError(f"expected a program of version {VERSION}, got {stored['version']}")

        def values(numbers: Sequence[int]) -> tuple[Value, ...]:
            return tuple(Value(n) for n in numbers)

        return cls(
            [Input(Value(n), name) for n, name in stored["inputs"]],
            stored["scalars"],
            [
                Call(
                    c["op"], tuple(_decoded(a) for a in c["args"]), {k: _decoded(v) for k, v in c["kwargs"].items()},
                    values(c["results"]), values(c["changes"]), c["view"],
                )
                for c in stored["calls"]
            ],
            list(values(stored["outputs"])),
            [Spec(dtype, tuple(shape)) for dtype, shape in stored["specs"]],
        )  # fmt: skip

    # ---------------------------------------------------------------- to be run

    def replay(self, arrays: Sequence[Array], scalars: Sequence[Any] = ()) -> list[Array]:
        """Run the calls, on whatever library the arrays are of.

        Args:
            arrays: in the place of ``inputs``; those that the program changes are changed.
            scalars: in the place of ``scalars``.

        Returns:
            The outputs.

        Raises:
            ValueError: the number, the shapes or the dtypes of the inputs are not those of the program.
        """
        known = self.run(arrays, scalars, keep=[value.number for value in self.outputs])
        return [known[value.number] for value in self.outputs]

    def run(self, arrays: Sequence[Array], scalars: Sequence[Any], keep: Sequence[int]) -> dict[int, Array]:
        """As :meth:`replay`; the values whose numbers are to be kept."""
        if (len(arrays), len(scalars)) != (len(self.inputs), len(self.scalars)):
            wanted = f"{len(self.inputs)} arrays and {len(self.scalars)} numbers"
            raise ValueError(f"expected {wanted}, got {len(arrays)} and {len(scalars)}")
        self.check(arrays)
        known = {one.value.number: array for one, array in zip(self.inputs, arrays, strict=True)}
        owner = backend.backend_of(arrays[0]) if arrays else backend.backend_for(backend.default_device())
        ends = self._ends(keep)
        for i, call in enumerate(self.calls):
            given = [_filled(a, known, scalars) for a in call.args]
            named = {k: _filled(v, known, scalars) for k, v in call.kwargs.items()}
            results = list(leaves(self._function(call.op, owner)(*given, **named)))
            for value, result in zip(call.results, results, strict=False):
                known[value.number] = result
            for number in ends.get(i, ()):
                known.pop(number, None)
        return known

    def check(self, arrays: Sequence[Array]) -> None:
        """See that arrays are as the inputs.

        Raises:
            ValueError: a shape or a dtype is another one.
        """
        for one, array in zip(self.inputs, arrays, strict=True):
            spec = self.specs[one.value.number]
            if (array.dtype.name, tuple(array.shape)) != (spec.dtype, spec.shape):
                raise ValueError(f"expected {spec} for {one.name}, got {array.dtype} {array.shape}")

    def _ends(self, keep: Sequence[int]) -> dict[int, list[int]]:
        """For each call, the values that nobody reads after it."""
        last: dict[int, int] = {}
        for i, call in enumerate(self.calls):
            for value in (*values_in((call.args, call.kwargs)), *call.results):
                last[value.number] = i
        ends: dict[int, list[int]] = {}
        for number, i in last.items():
            if number not in keep:
                ends.setdefault(i, []).append(number)
        return ends

    def _function(self, op: str, owner: backend.Backend) -> Callable[..., Any]:
        kind, _, name = op.partition(".")
        if kind == "kernel":
            kernel = self.custom.get(name) or REGISTRY.get(name) or WHOLE.get(name)
            if kernel is None:
                raise ValueError(f"the program calls kernel {name}, which is not one of gpugrad's: give it in `custom`")
            return lambda *args: kernel(owner.xp, *args)
        if kind == "random":
            return lambda shape, *numbers: SAMPLERS[name].fill(owner, shape, *numbers)
        if op in ("check_labels", "check_values"):
            return getattr(owner, op)  # type: ignore[no-any-return]
        return resolved(op, owner.xp)


def resolved(op: str, xp: Namespace) -> Callable[..., Any]:
    """The function of a call that is no kernel."""
    if op in OWN:
        return OWN[op]
    kind, _, name = op.partition(".")
    if kind == "operator":
        return getattr(operator, name)  # type: ignore[no-any-return]
    if kind == "special":
        return getattr(backend.special(xp), name)  # type: ignore[no-any-return]
    if kind == "matrix_functions":
        return getattr(backend.matrix_functions(xp), name)  # type: ignore[no-any-return]
    for part in op.split("."):
        xp = getattr(xp, part)
    return xp  # type: ignore[no-any-return]


def _part(array: Array, offset: int, shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    """The elements of ``array`` from ``offset`` on, of that shape, with its axes in another order: a view."""
    return array.reshape(-1)[offset : offset + math.prod(shape)].reshape(shape).transpose(axes)


def _cast_view(array: Array, dtype: Any) -> Array:
    return array.view(dtype)


OWN: dict[str, Callable[..., Any]] = {
    "getitem": operator.getitem, "copy": lambda array: array.copy(), "cast_view": _cast_view, "part": _part,
}  # fmt: skip
"""What is called on arrays and is no function of ``xp``."""


def leaves(result: Any) -> Iterator[Array | None]:
    """The arrays in a result, in order; None where a kernel leaves one out, which depends on the device."""
    if isinstance(result, tuple | list):
        for part in result:
            if part is None:
                yield None
            else:
                yield from leaves(part)
    elif type(result) in NAMESPACES:
        yield result if backend.is_array(result) else NAMESPACES[type(result)].asarray(result)


def mapped(value: Any, convert: Callable[[Any], Any]) -> Any:
    """A structure with ``convert`` applied to all that is in it."""
    if isinstance(value, tuple | list):
        made = [mapped(part, convert) for part in value]
        return type(value)(*made) if hasattr(value, "_fields") else type(value)(made)
    if isinstance(value, dict):
        return {k: mapped(v, convert) for k, v in value.items()}
    if isinstance(value, slice):
        return slice(*(mapped(part, convert) for part in (value.start, value.stop, value.step)))
    return convert(value)


def _filled(value: Any, known: Mapping[int, Array], scalars: Sequence[Any]) -> Any:
    return mapped(
        value,
        lambda v: known[v.number] if type(v) is Value else scalars[v.number] if type(v) is Scalar else v,
    )


def values_in(structure: Any) -> list[Value]:
    """The values in arguments."""
    found: list[Value] = []
    mapped(structure, lambda v: found.append(v) if type(v) is Value else None)
    return found


def _text(value: Any) -> str:
    if isinstance(value, numpy.dtype):
        return value.name
    if isinstance(value, type):
        return value.__name__
    if isinstance(value, tuple | list):
        inner = ", ".join(map(_text, value)) + "," * (isinstance(value, tuple) and len(value) == 1)
        return f"({inner})" if isinstance(value, tuple) else f"[{inner}]"
    if isinstance(value, slice):
        ends = ["" if part is None else _text(part) for part in (value.start, value.stop, value.step)]
        return ":".join(ends[: 3 if ends[2] else 2])
    return "..." if value is Ellipsis else repr(value)


def _encoded(value: Any) -> Any:
    """A static argument in terms of JSON: what JSON knows as it is, all else as ``{kind: content}``."""
    if value is None or type(value) in (bool, int, str) or (type(value) is float and math.isfinite(value)):
        return value
    if type(value) is list:
        return [_encoded(part) for part in value]
    for kind, (types, encode, _) in KINDS.items():
        if isinstance(value, types):
            return {kind: encode(value)}
    if is_dataclass(value) and type(value).__module__.startswith(f"{PACKAGE}."):
        content = [_encoded(getattr(value, one.name)) for one in fields(value)]
        return {"record": [type(value).__module__, type(value).__qualname__, content]}
    raise TypeError(f"a program with {type(value).__name__} {value!r} as a static argument cannot be stored as JSON")


def _decoded(stored: Any) -> Any:
    if isinstance(stored, list):
        return [_decoded(part) for part in stored]
    if isinstance(stored, dict):
        ((kind, content),) = stored.items()
        if kind == "record":
            return _record(*content)
        return KINDS[kind][2](content)
    return stored


def _record(module: str, name: str, content: list[Any]) -> Any:
    """A record of one of this library's classes, and of no other's."""
    if not module.startswith(f"{PACKAGE}."):
        raise ValueError(f"a stored program names {module}.{name}, which is none of gpugrad's records")
    kind = getattr(import_module(module), name, None)
    if not isinstance(kind, type) or not is_dataclass(kind):
        raise ValueError(f"a stored program names {module}.{name}, which is none of gpugrad's records")
    return kind(*map(_decoded, content))


KINDS: dict[str, tuple[Any, Callable[[Any], Any], Callable[[Any], Any]]] = {
    "value": (Value, lambda v: v.number, Value),
    "scalar": (Scalar, lambda v: v.number, Scalar),
    "tuple": (tuple, lambda v: [_encoded(part) for part in v], lambda c: tuple(_decoded(part) for part in c)),
    "slice": (slice, lambda v: [_encoded(part) for part in (v.start, v.stop, v.step)],
              lambda c: slice(*(_decoded(part) for part in c))),
    "ellipsis": (EllipsisType, lambda v: 0, lambda c: ...),
    "dtype": (numpy.dtype, lambda v: v.name, backend.as_dtype),
    "type": (type, lambda v: v.__name__, lambda c: {"bool": bool, "int": int, "float": float, "complex": complex}.get(c)
             or backend.as_dtype(c).type),
    "number": (numpy.generic, lambda v: [v.dtype.name, _encoded(v.item())],
               lambda c: backend.as_dtype(c[0]).type(_decoded(c[1]))),
    "float": (float, repr, float),
    "complex": (complex, repr, complex),
}  # fmt: skip
"""How each kind of static argument is stored: its types, there and back."""
