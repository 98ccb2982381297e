"""Elementwise kernels: the reference, traced and printed as a statement for one element, and the loops around it.

Two variants of each are generated, per dtypes. *Packed*: contiguous arrays of one shape, aligned to 16 bytes, are read
and written in 16-byte pieces; arrays that are transposed alike are contiguous for this purpose. *Strided*: anything
else, broadcast or transposed or unaligned, after axes that lie together in all arrays are merged. Indices are 32-bit,
and 64-bit only where elements are 2^31 or more apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from inspect import unwrap
from typing import Any, NamedTuple, overload

from ..backend import Backend, Namespace, as_dtype, llvm
from ..backend.dtypes import name_of
from ..expressions import Formula, NotTracedError, trace
from ..expressions.cuda import TYPES, statements
from .compiled import SMALL, Compiled
from .cuda_types import COMPUTE, PRELUDE, SIZES, STORAGE
from .kernel import BLOCK, REGISTRY, Kernel, nothing, remember
from .shapes import Shape, merged

MOST_AXES = 6
"""Arrays with more axes, after merging, are left to the reference."""

MOST_NARROW = 2**31 - 1
"""The largest size, and distance between elements, for 32-bit indices."""

Types = tuple[str, ...]
"""The dtypes of the arrays, in their order, by NumPy's names."""


class Known(NamedTuple):
    """What a launch needs to know of the dtypes of its arrays.

    Attributes:
        types: their names.
        sizes: of their elements, in bytes.
        results: the dtypes of the outputs.
        source: the packed variant.
        per_piece: the elements that one thread of it takes.
    """

    types: Types
    sizes: tuple[int, ...]
    results: list[Any]
    source: str
    per_piece: int


class Elementwise(Kernel):
    """A kernel of one statement an element, generated from its reference.

    Args:
        reference: ``f(xp, *arrays, /, *scalars)``.
        body: None for the statement that is generated; or C++ statements with the parameters' names, ``T`` for the type
            of the arithmetic, assigning the outputs.
        outputs: the names of the results.
        changes: the arrays that are updated in place; then there are no outputs, and nothing is returned.
        types: the dtypes of arrays that always have the same one, by name. The others have one dtype in common where
            kernels are compiled in advance.
    """

    if llvm.wanted():
        least = SMALL

    def __init__(
        self,
        reference: Callable[..., Any],
        body: str | None = None,
        outputs: tuple[str, ...] = ("out",),
        changes: tuple[str, ...] = (),
        name: str | None = None,
        types: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(reference, name)
        self.body = body
        self.changes = changes
        self.outputs = () if changes else outputs
        self.rounds = len(self.outputs)
        self.types = dict(types or {})
        self._plans: dict[Any, Launch] = {}
        self._compiled = Compiled(self)

    def _wide(self, xp: Namespace, arguments: tuple[Any, ...]) -> Any:
        """The references that change arrays in place take care of short floats themselves."""
        return self.reference(xp, *arguments) if self.changes else super()._wide(xp, arguments)

    @cache  # noqa: B019  kernels live as long as the program
    def traced(self, types: Types) -> Formula:
        """The reference as expressions, for arrays of these dtypes.

        Raises:
            NotTracedError: it does what the operations of the language cannot express.
        """
        function = unwrap(self.reference) if self.changes else self.reference
        named = dict(zip(self.arrays, types, strict=True))
        return trace(function, named, self.scalars, self.changes, self.rounds)

    def compiled(self, arguments: tuple[Any, ...]) -> Any:
        """See :meth:`Kernel.compiled`."""
        return self._compiled(arguments)

    def by_rows(self, *arrays: Any) -> None:
        """See :meth:`Compiled.by_rows`."""
        self._compiled.by_rows(arrays)

    def launch(self, xp: Namespace, owner: Backend, arguments: tuple[Any, ...]) -> Any:
        """See :meth:`Kernel.launch`."""
        inputs = arguments
        scalars: tuple[float, ...] = ()
        if self.scalars:
            count = len(self.arrays)
            inputs, scalars = arguments[:count], tuple(map(float, arguments[count:]))
        first = inputs[0]
        kind, dtype, places = type(first), first.dtype, first.data.ptr
        kinds, laid = dtype, [first.shape, first.strides]
        for a in inputs[1:]:
            if type(a) is not kind:
                return NotImplemented
            if a.dtype != dtype:
                kinds = None
            laid += a.shape, a.strides
            places |= a.data.ptr  # the low bits that are 0 in all of them stay 0
        if kinds is None:
            kinds = tuple([(a.dtype, a.data.ptr & 15) for a in inputs])
        key = (owner, kinds, places & 15, *laid)
        if owner.several_devices:
            key = (owner.current_index, *key)
        plan = self._plans.get(key)
        if plan is None:
            plan = remember(self._plans, key, self._plan(owner, inputs, places & 15))
        start, threads, shape, order, results, numbers = plan
        if start is None:
            return NotImplemented
        if self.rounds == 1:
            out = kind(shape, results[0]) if order == "C" else _new(owner, shape, order, results[0], first)
            start(threads, (*inputs, out, *scalars, numbers), 0, BLOCK)
            return out
        outputs = tuple([_new(owner, shape, order, result, first) for result in results])
        start(threads, (*inputs, *outputs, *scalars, numbers), 0, BLOCK)
        return outputs or None

    def _plan(self, owner: Backend, inputs: tuple[Any, ...], odd: int) -> Launch:
        """How to launch the kernel on such inputs; ``odd`` has the bits by which addresses are no multiples of 16."""
        known = self._learnt(inputs)
        if known is None:
            return LEFT
        types, sizes, results, packed, per_piece = known
        shapes, strides = [a.shape for a in inputs], [a.strides for a in inputs]
        shape, axes, wide, numbers = layout(tuple(shapes), tuple(strides), len(self.outputs), sizes)
        if self.changes and any(shapes[self.arrays.index(changed)] != shape for changed in self.changes):
            raise ValueError(f"{self.name}: arrays updated in place must have the full shape {shape}")
        steps = [tuple([s / n for s in row]) for row, n in zip(strides, sizes, strict=True)]
        if not odd and alike(shapes, steps):
            size = numbers[-1]
            source = self.packed(types, wide=True) if size > MOST_NARROW else packed
            turned = contiguous(shape[::-1])[::-1]
            order = "C" if not size or steps[0] == contiguous(shape) else "F" if steps[0] == turned else "K"
            return self._ready(owner, source, -(-size // per_piece), shape, order, results, size)
        if axes > MOST_AXES or any(a.data.ptr % n for a, n in zip(inputs, sizes, strict=True)):
            return LEFT  # many axes, or inside a record
        source = self.strided(types, axes, wide)
        return self._ready(owner, source, numbers[-1], shape, "C", results, owner.struct(numbers, wide))

    def _ready(self, owner: Backend, source: str, threads: int, *rest: Any) -> Launch:
        start = owner.launcher(source, self.name) if threads else nothing
        return Launch(start, -(-threads // BLOCK) * BLOCK, *rest)

    def _learnt(self, inputs: tuple[Any, ...]) -> Known | None:
        types = tuple(name_of(a.dtype) for a in inputs)
        of = dict(zip(types, [a.dtype for a in inputs], strict=True))
        fixed = all(types[self.arrays.index(name)] == dtype for name, dtype in self.types.items())
        floats = {t for a, t in zip(self.arrays, types, strict=True) if a not in self.types}
        if not fixed or not floats <= STORAGE.keys() or not floats & COMPUTE.keys():
            return None
        if self.body is not None and len(floats) > 1:
            return None
        if self.body is None:
            try:
                results = [y.dtype for y in self.traced(types).outputs]
            except NotTracedError:
                return None
        else:
            results = [next(iter(floats))] * len(self.outputs)
        if not {*results} <= STORAGE.keys():
            return None
        made = [] if self.changes else [of[t] if t in of else as_dtype(t) for t in results]
        sizes = tuple([SIZES[t] for t in types])
        return Known(types, sizes, made, self.packed(types), 16 // max(*sizes, *(d.itemsize for d in made), 1))

    def typed(self, dtype: str) -> Types:
        """The dtypes of the arrays where those that are not fixed have this one."""
        return tuple(self.types.get(a, dtype) for a in self.arrays)

    def sources(self) -> Iterator[tuple[str, str]]:
        """Both variants in every dtype, with few and many axes, and with 64-bit indices."""
        for dtype in COMPUTE:
            yield f"packed {dtype}", self.packed(dtype)
            yield f"strided {dtype} 2 axes", self.strided(dtype, 2)
        yield "packed float32 64-bit", self.packed("float32", wide=True)
        yield "strided float32 0 axes", self.strided("float32", 0)
        yield f"strided float32 {MOST_AXES} axes 64-bit", self.strided("float32", MOST_AXES, wide=True)

    def _stored(self, types: Types) -> dict[str, str]:
        """The dtype of each array and output in memory."""
        if self.body is not None:
            short = next(t for a, t in zip(self.arrays, types, strict=True) if a not in self.types)
            results = [short] * len(self.outputs)
        else:
            results = [] if self.changes else [y.dtype for y in self.traced(types).outputs]
        return dict(zip((*self.arrays, *self.outputs), (*types, *results), strict=True))

    def _statement(self, types: Types) -> str:
        """The statements for one element: written by hand, or generated."""
        if self.body is not None:
            return self.body.strip()
        formula = self.traced(types)
        results = dict(zip(self.changes or self.outputs, formula.outputs, strict=True))
        return "\n    ".join(statements(results, {e: e.value for e in formula.inputs}))

    def _head(self, types: Types, wide: bool, last: str, structs: Sequence[str]) -> list[str]:
        """What both variants begin with. All that is generated is called ``gg_...``, so a body may use any name.

        Args:
            types: the dtypes of the arrays.
            wide: whether indices have 64 bits.
            last: the last parameter.
            structs: further declarations.
        """
        written = (*self.changes, *self.outputs)
        stored = self._stored(types)
        pointers = [
            f"{'' if a in written else 'const '}{STORAGE[t]}* __restrict__ {pointer(a)}" for a, t in stored.items()
        ]
        parameters = [*pointers, *(f"double gg_s_{s}" for s in self.scalars), last]
        arithmetic = "double" if "float64" in types else "float"
        formal = [
            *(
                f"{'' if a in written else 'const '}{TYPES[t]}{'&' if a in written else ''} {a}"
                for a, t in stored.items()
            ),
            *(f"const T {s}" for s in self.scalars),
        ]
        return [
            PRELUDE,
            f"typedef {arithmetic} T;",
            f"typedef {'long long' if wide else 'int'} gg_I;",
            *structs,
            f"__device__ __forceinline__ void gg_element({', '.join(formal)}) {{",
            f"    {self._statement(types)}",
            "}",
            f'extern "C" __global__ void {self.name}({", ".join(parameters)}) {{',
            "    const gg_I gg_i = (gg_I)blockIdx.x * blockDim.x + threadIdx.x;",
        ]

    def _one(self, stored: Mapping[str, str], place: Callable[[str], str]) -> str:
        """The statements for one element, whose arrays are found at ``place(name)``."""
        loads = " ".join(f"{TYPES[stored[a]]} gg_v_{a} = load({place(a)});" for a in self.arrays)
        made = " ".join(f"{TYPES[stored[o]]} gg_v_{o};" for o in self.outputs)
        call = f"gg_element({', '.join([*(f'gg_v_{a}' for a in stored), *(f'(T)gg_s_{s}' for s in self.scalars)])});"
        stores = " ".join(f"store({place(o)}, gg_v_{o});" for o in (*self.changes, *self.outputs))
        return f"{loads} {made} {call} {stores}"

    @cache  # noqa: B019
    def packed(self, dtype: str | Types, wide: bool = False) -> str:
        """The CUDA source for contiguous arrays of one shape, aligned to 16 bytes; one thread a piece.

        A piece has at most 16 bytes of each array. What is left behind the last whole piece is done by the thread
        behind it.

        Args:
            dtype: of all arrays that have no fixed one, or the dtypes of all arrays.
            wide: for 64-bit indices.
        """
        types = self.typed(dtype) if isinstance(dtype, str) else dtype
        stored = self._stored(types)
        width = 16 // max(SIZES[t] for t in stored.values())
        packs = [
            f"struct alignas({width * SIZES[t]}) gg_Pack_{t} {{ {STORAGE[t]} v[{width}]; }};"
            for t in dict.fromkeys(stored.values())
        ]
        reads = [
            f"        gg_Pack_{stored[a]} gg_p_{a} = ((const gg_Pack_{stored[a]}*){pointer(a)})[gg_i];"
            for a in self.arrays
        ]
        reads += [f"        gg_Pack_{stored[o]} gg_p_{o};" for o in self.outputs]
        writes = [
            f"        ((gg_Pack_{t}*){pointer(a)})[gg_i] = gg_p_{a};"
            for a, t in stored.items()
            if a in self.changes + self.outputs
        ]
        whole, rest = (
            self._one(stored, place) for place in (lambda a: f"gg_p_{a}.v[gg_k]", lambda a: f"{pointer(a)}[gg_k]")
        )
        lines = [
            *self._head(types, wide, "gg_I gg_n", packs),
            f"    const gg_I gg_pieces = gg_n / {width};",
            "    if (gg_i < gg_pieces) {",
            *reads,
            "        #pragma unroll",
            f"        for (int gg_k = 0; gg_k < {width}; ++gg_k) {{ {whole} }}",
            *writes,
            "    } else if (gg_i == gg_pieces) {",
            f"        for (gg_I gg_k = gg_pieces * {width}; gg_k < gg_n; ++gg_k)",
            f"        {{ {rest} }}",
            "    }",
            "}",
        ]
        return "\n".join(lines) + "\n"

    @cache  # noqa: B019
    def strided(self, dtype: str | Types, axes: int, wide: bool = False) -> str:
        """The CUDA source for arrays with strides along so many axes; one thread an element.

        The integers of :func:`layout` come as one struct: CuPy takes 0.15 us for each argument of a launch.
        """
        types = self.typed(dtype) if isinstance(dtype, str) else dtype
        stored = self._stored(types)
        members = [f"d{k}" for k in range(axes)] + [f"t{k}_{a}" for a in stored for k in range(axes)]
        kind = f"gg_Layout{len(members)}{'w' if wide else ''}"  # programs on the host take one name for one type
        struct = f"struct {kind} {{ gg_I {', '.join([*members, 'n'])}; }};"
        lines = [
            *self._head(types, wide, f"const {kind} gg_l", (struct,)),
            "    if (gg_i >= gg_l.n) return;",
            "    gg_I gg_rest = gg_i;",
            f"    gg_I {', '.join(f'gg_o_{a} = 0' for a in stored)};",
        ]
        for k in reversed(range(axes)):
            moves = " ".join(f"gg_o_{a} += gg_at * gg_l.t{k}_{a};" for a in stored)
            lines.append(f"    {{ const gg_I gg_at = gg_rest % gg_l.d{k}; gg_rest /= gg_l.d{k}; {moves} }}")
        lines += [f"    {self._one(stored, lambda a: f'{pointer(a)}[gg_o_{a}]')}", "}"]
        return "\n".join(lines) + "\n"


class Launch(NamedTuple):
    """What a launch of a kernel on arrays of certain dtypes, shapes and strides needs."""

    start: Callable[..., None] | None
    """See :meth:`Backend.launcher`; None for what is left to the reference."""
    threads: int
    """In whole blocks."""
    shape: Shape
    """Of the outputs."""
    order: str
    """In which the elements of the outputs lie: C, F, or K for that of the inputs."""
    results: list[Any]
    """The dtypes of the outputs."""
    numbers: Any
    """The last argument: the size, or the struct of sizes and strides."""


LEFT = Launch(None, 0, (), "C", [], 0)
"""What is left to the reference."""


def _new(owner: Backend, shape: Shape, order: str, dtype: Any, like: Any) -> Any:
    """A new array in the order of a plan."""
    if order == "K":
        return owner.empty_beside(like, dtype)
    return type(like)(shape, dtype, None, None, order)


def pointer(name: str) -> str:
    """What an array's pointer is called in the source."""
    return f"gg_a_{name}"


def reach(sizes: Sequence[int], strides: Sequence[int]) -> int:
    """How far the last element lies from the first, at most, whichever way the strides go.

    >>> reach([6, 4], [32, -8])
    184
    """
    return sum((n - 1) * abs(step) for n, step in zip(sizes, strides, strict=True))


def broadcast_shape(shapes: Sequence[Shape]) -> Shape:
    """The shape that shapes broadcast to.

    >>> broadcast_shape([(3, 1), (4,)])
    (3, 4)
    """
    result: list[int] = []
    for axis in range(1, max(map(len, shapes)) + 1):
        found = {s[-axis] for s in shapes if len(s) >= axis} - {1}
        if len(found) > 1:
            raise ValueError(f"shapes {', '.join(map(str, shapes))} do not broadcast")
        result.insert(0, found.pop() if found else 1)
    return tuple(result)


def contiguous(shape: Shape) -> Shape:
    """The strides of a contiguous array, in elements.

    >>> contiguous((2, 3, 4))
    (12, 4, 1)
    """
    return tuple([math.prod(shape[k + 1 :]) for k in range(len(shape))])


def alike(shapes: Sequence[Shape], steps: Sequence[tuple[float, ...]]) -> bool:
    """Whether arrays have one shape and the same strides, which are those of contiguous arrays with axes exchanged.

    Args:
        shapes: of the arrays.
        steps: their strides in elements; broken where a stride is no multiple of the size of an element.

    >>> alike([(2, 3), (2, 3)], [(1, 2), (1, 2)]), alike([(2, 3), (2, 3)], [(1, 2), (3, 1)])
    (True, False)
    """
    if any(shape != shapes[0] for shape in shapes):
        return False
    if 0 in shapes[0]:
        return True
    if any(row != steps[0] for row in steps):
        return False
    step = 1
    for stride, size in sorted(zip(steps[0], shapes[0], strict=True)):
        if size != 1:
            if stride != step:
                return False
            step *= size
    return True


def layout(
    shapes: tuple[Shape, ...], strides: tuple[Shape, ...], outputs: int, sizes: tuple[int, ...]
) -> tuple[Shape, int, bool, tuple[int, ...]]:
    """What the strided variant needs to know of its inputs, and of as many outputs, which are contiguous.

    Args:
        shapes: of the inputs.
        strides: of the inputs, in bytes.
        outputs: how many.
        sizes: of an element of each input, in bytes.

    Returns:
        The broadcast shape, the number of merged axes (more than the kernels take if a stride is no multiple of
        the size), whether indices need 64 bits, and the kernel's integers: sizes, steps, number of elements.

    >>> layout(((2, 3), (3,)), ((12, 4), (8,)), 1, (4, 4))
    ((2, 3), 2, False, (2, 3, 3, 1, 0, 2, 3, 1, 6))
    """
    shape = broadcast_shape(shapes)
    odd = any(
        n > 1 and s % size
        for ns, ss, size in zip(shapes, strides, sizes, strict=True)
        for n, s in zip(ns, ss, strict=True)
    )
    steps = [tuple([s // size for s in row]) for row, size in zip(strides, sizes, strict=True)]
    lengths, rows = merged(shape, [*shapes, *[shape] * outputs], [*steps, *[contiguous(shape)] * outputs])
    size = math.prod(shape)
    wide = max([size, *(reach(lengths, row) for row in rows)]) > MOST_NARROW
    return shape, MOST_AXES + 1 if odd else len(lengths), wide, (*lengths, *(s for row in rows for s in row), size)


@overload
def elementwise(reference: Callable[..., Any], /) -> Elementwise: ...


@overload
def elementwise(
    body: str | None = None, /, *, changes: tuple[str, ...] = (), types: Mapping[str, str] | None = None
) -> Callable[[Callable[..., Any]], Elementwise]: ...


def elementwise(
    given: str | Callable[..., Any] | None = None, /, *, changes: tuple[str, ...] = (),
    types: Mapping[str, str] | None = None,
) -> Any:  # fmt: skip
    """Make a kernel of the library of a reference ``f(xp, *arrays, /, *scalars)``; see :class:`Elementwise`.

    It is used as ``@elementwise``, with arguments as ``@elementwise(changes=("p",))``, or with a statement that is
    written by hand.
    """

    def make(reference: Callable[..., Any]) -> Elementwise:
        kernel = Elementwise(reference, given if isinstance(given, str) else None, changes=changes, types=types)
        REGISTRY[kernel.name] = kernel
        return kernel

    return make(given) if callable(given) else make
