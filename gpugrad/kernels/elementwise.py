"""Elementwise kernels: the reference, traced and printed as a statement for one element, and the loops around it.

Two variants of each are generated, per dtypes. *Packed*: contiguous arrays of one shape, aligned to 16 bytes, are read
and written in 16-byte pieces. *Strided*: anything else, broadcast or transposed or unaligned, after axes that lie
together in all arrays are merged. Indices are 32-bit, and 64-bit only where elements are 2^31 or more apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from inspect import unwrap
from typing import Any, NamedTuple, overload

from ..backend import Backend, Namespace, as_dtype, llvm
from ..backend.dtypes import name_of
from ..expressions import Formula, NotTracedError, trace
from ..expressions.cuda import TYPES, statements
from .compiled import SMALL, Compiled
from .cuda_types import COMPUTE, PRELUDE, SIZES, STORAGE
from .kernel import REGISTRY, Kernel

MOST_AXES = 6
"""Arrays with more axes, after merging, are left to the reference."""

MOST_NARROW = 2**31 - 1
"""The largest size, and distance between elements, for 32-bit indices."""

Shape = tuple[int, ...]
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
        self._known: dict[Any, Known | None] = {}
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

    def launch(self, xp: Namespace, owner: Backend, arguments: tuple[Any, ...]) -> Any:
        """See :meth:`Kernel.launch`."""
        count = len(self.arrays)
        inputs, scalars = arguments[:count], tuple(map(float, arguments[count:])) if self.scalars else ()
        first = inputs[0]
        kind, dtype, shape = type(first), first.dtype, first.shape
        whole = first.flags.c_contiguous and first.data.ptr % 16 == 0  # new arrays are: they need no look
        key = dtype
        for a in inputs[1:]:
            if type(a) is not kind:
                return NotImplemented
            if a.dtype != dtype:
                key = None
            whole = whole and a.shape == shape and a.flags.c_contiguous and a.data.ptr % 16 == 0
        if key is None:
            key = tuple([a.dtype for a in inputs])
        known = self._known.get(key) or self._learn(inputs, key)
        if known is None:
            return NotImplemented
        if not whole:
            return self._launch_strided(owner, known, inputs, scalars)
        size, source = first.size, known.source
        if size > MOST_NARROW:
            source = self.packed(known.types, wide=True)
        if self.rounds == 1:
            out = kind(shape, known.results[0])
            owner.launch(source, self.name, -(-size // known.per_piece), (*inputs, out, *scalars, size))
            return out
        outputs = tuple([kind(shape, result) for result in known.results])
        owner.launch(source, self.name, -(-size // known.per_piece), (*inputs, *outputs, *scalars, size))
        return outputs or None

    def _learn(self, inputs: tuple[Any, ...], key: Any) -> Known | None:
        """What the launch needs to know for these dtypes; None if they are left to the reference."""
        if key not in self._known:
            self._known[key] = self._learnt(inputs)
        return self._known[key]

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

    def _launch_strided(self, owner: Backend, known: Known, inputs: tuple[Any, ...], scalars: tuple[float, ...]) -> Any:
        shape, axes, wide, numbers = layout(
            tuple([a.shape for a in inputs]), tuple([a.strides for a in inputs]), len(self.outputs), known.sizes
        )
        if self.changes and any(inputs[self.arrays.index(changed)].shape != shape for changed in self.changes):
            raise ValueError(f"{self.name}: arrays updated in place must have the full shape {shape}")
        if axes > MOST_AXES or any(a.data.ptr % n for a, n in zip(inputs, known.sizes, strict=True)):
            return NotImplemented  # many axes, or inside a record
        outputs = tuple([type(inputs[0])(shape, result) for result in known.results])
        arguments = (*inputs, *outputs, *scalars, *numbers)
        owner.launch(self.strided(known.types, axes, wide), self.name, numbers[-1], arguments)
        return outputs[0] if len(outputs) == 1 else outputs or None

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

    def _head(self, types: Types, wide: bool, more: Sequence[str] = ()) -> list[str]:
        """What both variants begin with. All that is generated is called ``gg_...``, so a body may use any name."""
        written = (*self.changes, *self.outputs)
        stored = self._stored(types)
        pointers = [
            f"{'' if a in written else 'const '}{STORAGE[t]}* __restrict__ {pointer(a)}" for a, t in stored.items()
        ]
        parameters = [*pointers, *(f"double gg_s_{s}" for s in self.scalars), *(f"gg_I {m}" for m in more), "gg_I gg_n"]
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
        head = self._head(types, wide)
        head[1:1] = packs
        whole, rest = (
            self._one(stored, place) for place in (lambda a: f"gg_p_{a}.v[gg_k]", lambda a: f"{pointer(a)}[gg_k]")
        )
        lines = [
            *head,
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
        """The CUDA source for arrays with strides along so many axes; one thread an element."""
        types = self.typed(dtype) if isinstance(dtype, str) else dtype
        stored = self._stored(types)
        more = [f"gg_d{k}" for k in range(axes)] + [f"gg_t{k}_{a}" for a in stored for k in range(axes)]
        lines = [
            *self._head(types, wide, more),
            "    if (gg_i >= gg_n) return;",
            "    gg_I gg_rest = gg_i;",
            f"    gg_I {', '.join(f'gg_o_{a} = 0' for a in stored)};",
        ]
        for k in reversed(range(axes)):
            moves = " ".join(f"gg_o_{a} += gg_at * gg_t{k}_{a};" for a in stored)
            lines.append(f"    {{ const gg_I gg_at = gg_rest % gg_d{k}; gg_rest /= gg_d{k}; {moves} }}")
        lines += [f"    {self._one(stored, lambda a: f'{pointer(a)}[gg_o_{a}]')}", "}"]
        return "\n".join(lines) + "\n"


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


def merged(shape: Shape, shapes: Sequence[Shape], strides: Sequence[Shape]) -> tuple[list[int], list[list[int]]]:
    """Sizes and strides with axes that lie together in all arrays merged into one; broadcast axes have stride 0.

    >>> merged((2, 3, 4), [(2, 3, 4), (4,)], [(96, 32, 8), (8,)])
    ([6, 4], [[32, 8], [0, 8]])
    """
    ndim = len(shape)
    full = [
        [0] * (ndim - len(s)) + [0 if n == 1 else step for n, step in zip(s, steps, strict=True)]
        for s, steps in zip(shapes, strides, strict=True)
    ]
    sizes: list[int] = []
    kept: list[list[int]] = [[] for _ in full]
    for axis in range(ndim):
        if shape[axis] == 1:
            continue
        if sizes and all(rows[-1] == steps[axis] * shape[axis] for rows, steps in zip(kept, full, strict=True)):
            sizes[-1] *= shape[axis]
            for rows, steps in zip(kept, full, strict=True):
                rows[-1] = steps[axis]
        else:
            sizes.append(shape[axis])
            for rows, steps in zip(kept, full, strict=True):
                rows.append(steps[axis])
    return sizes, kept


@lru_cache(4096)
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
    own = tuple([math.prod(shape[k + 1 :]) for k in range(len(shape))])
    lengths, rows = merged(shape, [*shapes, *[shape] * outputs], [*steps, *[own] * outputs])
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
