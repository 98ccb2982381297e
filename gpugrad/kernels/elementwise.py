"""Elementwise kernels: the statement for one element, and a generator that supplies the rest.

Two variants of each are generated, per dtype. *Packed*: contiguous arrays of one shape, aligned to 16 bytes, are read
and written in 16-byte pieces. *Strided*: anything else, broadcast or transposed or unaligned, after axes that lie
together in all arrays are merged. Indices are 32-bit, and 64-bit only where elements are 2^31 or more apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from typing import Any

from ..backend import Backend, Namespace
from .cuda_types import COMPUTE, PRELUDE, SIZES, STORAGE
from .kernel import REGISTRY, Kernel

MOST_AXES = 6
"""Arrays with more axes, after merging, are left to the reference."""

MOST_NARROW = 2**31 - 1
"""The largest size, and distance between elements, for 32-bit indices."""

Shape = tuple[int, ...]


class Elementwise(Kernel):
    """A kernel of one statement an element.

    Args:
        reference: ``f(xp, *arrays, /, *scalars)``.
        body: C++ statements with the parameters' names, ``T`` for the type of the arithmetic, assigning the outputs.
        outputs: the names of the results.
        changes: the arrays that are updated in place; then there are no outputs, and nothing is returned.
    """

    def __init__(
        self,
        reference: Callable[..., Any],
        body: str,
        outputs: tuple[str, ...] = ("out",),
        changes: tuple[str, ...] = (),
        name: str | None = None,
    ) -> None:
        super().__init__(reference, name)
        self.body = body
        self.changes = changes
        self.outputs = () if changes else outputs
        self.rounds = len(self.outputs)
        self._known: dict[Any, tuple[str, str, int]] = {}

    def _wide(self, xp: Namespace, arguments: tuple[Any, ...]) -> Any:
        """The references that change arrays in place take care of short floats themselves."""
        return self.reference(xp, *arguments) if self.changes else super()._wide(xp, arguments)

    def launch(self, xp: Namespace, owner: Backend, arguments: tuple[Any, ...]) -> Any:
        """See :meth:`Kernel.launch`. Arrays of different dtypes are left to the reference."""
        count = len(self.arrays)
        inputs, scalars = arguments[:count], tuple(map(float, arguments[count:])) if self.scalars else ()
        first = inputs[0]
        kind, dtype, shape = type(first), first.dtype, first.shape
        known = self._known.get(dtype) or self._learn(dtype)
        if known is None:
            return NotImplemented
        whole = first.flags.c_contiguous and first.data.ptr % 16 == 0  # new arrays are: they need no look
        for a in inputs[1:]:
            if type(a) is not kind or a.dtype != dtype:
                return NotImplemented
            whole = whole and a.shape == shape and a.flags.c_contiguous and a.data.ptr % 16 == 0
        name, source, per_piece = known
        if not whole:
            return self._launch_strided(owner, name, inputs, scalars)
        size = first.size
        if size > MOST_NARROW:
            source = self.packed(name, wide=True)
        if self.rounds == 1:
            out = kind(shape, dtype)
            owner.launch(source, self.name, -(-size // per_piece), (*inputs, out, *scalars, size))
            return out
        outputs = tuple([kind(shape, dtype) for _ in self.outputs])
        owner.launch(source, self.name, -(-size // per_piece), (*inputs, *outputs, *scalars, size))
        return outputs or None

    def _learn(self, dtype: Any) -> tuple[str, str, int] | None:
        """The name of a dtype, the packed source for it and the elements in a piece; None if it is left to others."""
        if dtype.name not in COMPUTE:
            return None
        name = dtype.name
        self._known[dtype] = name, self.packed(name), 16 // SIZES[name]
        return self._known[dtype]

    def _launch_strided(self, owner: Backend, name: str, inputs: tuple[Any, ...], scalars: tuple[float, ...]) -> Any:
        bytes_ = SIZES[name]
        shape, axes, wide, numbers = layout(
            tuple([a.shape for a in inputs]), tuple([a.strides for a in inputs]), len(self.outputs), bytes_
        )
        if self.changes and any(inputs[self.arrays.index(changed)].shape != shape for changed in self.changes):
            raise ValueError(f"{self.name}: arrays updated in place must have the full shape {shape}")
        if axes > MOST_AXES or any(a.data.ptr % bytes_ for a in inputs):  # many axes, or inside a record
            return NotImplemented
        outputs = tuple([type(inputs[0])(shape, inputs[0].dtype) for _ in self.outputs])
        arguments = (*inputs, *outputs, *scalars, *numbers)
        owner.launch(self.strided(name, axes, wide), self.name, numbers[-1], arguments)
        return outputs[0] if len(outputs) == 1 else outputs or None

    def sources(self) -> Iterator[tuple[str, str]]:
        """Both variants in every dtype, with few and many axes, and with 64-bit indices."""
        for dtype in COMPUTE:
            yield f"packed {dtype}", self.packed(dtype)
            yield f"strided {dtype} 2 axes", self.strided(dtype, 2)
        yield "packed float32 64-bit", self.packed("float32", wide=True)
        yield "strided float32 0 axes", self.strided("float32", 0)
        yield f"strided float32 {MOST_AXES} axes 64-bit", self.strided("float32", MOST_AXES, wide=True)

    def _head(self, dtype: str, wide: bool, more: Sequence[str] = ()) -> list[str]:
        """What both variants begin with. All that is generated is called ``gg_...``, so a body may use any name."""
        written = (*self.changes, *self.outputs)
        pointers = [
            f"{'' if a in written else 'const '}gg_S* __restrict__ {pointer(a)}" for a in (*self.arrays, *self.outputs)
        ]
        parameters = [*pointers, *(f"double gg_s_{s}" for s in self.scalars), *(f"gg_I {m}" for m in more), "gg_I gg_n"]
        return [
            PRELUDE,
            f"typedef {STORAGE[dtype]} gg_S;",
            f"typedef {COMPUTE[dtype]} T;",
            f"typedef {'long long' if wide else 'int'} gg_I;",
            f"__device__ __forceinline__ void gg_element({', '.join(self._formal())}) {{",
            f"    {self.body.strip()}",
            "}",
            f'extern "C" __global__ void {self.name}({", ".join(parameters)}) {{',
            "    const gg_I gg_i = (gg_I)blockIdx.x * blockDim.x + threadIdx.x;",
        ]

    def _formal(self) -> list[str]:
        written = [f"T& {a}" if a in self.changes else f"const T {a}" for a in self.arrays]
        return [*written, *(f"T& {o}" for o in self.outputs), *(f"const T {s}" for s in self.scalars)]

    def _one(self, place: Callable[[str], str]) -> str:
        """The statements for one element, whose arrays are found at ``place(name)``."""
        names = (*self.arrays, *self.outputs)
        loads = " ".join(f"T gg_v_{a} = load({place(a)});" for a in self.arrays)
        made = " ".join(f"T gg_v_{o};" for o in self.outputs)
        call = f"gg_element({', '.join([*(f'gg_v_{a}' for a in names), *(f'(T)gg_s_{s}' for s in self.scalars)])});"
        stores = " ".join(f"store({place(o)}, gg_v_{o});" for o in (*self.changes, *self.outputs))
        return f"{loads} {made} {call} {stores}"

    @cache  # noqa: B019  kernels live as long as the program
    def packed(self, dtype: str, wide: bool = False) -> str:
        """The CUDA source for contiguous arrays of one shape, aligned to 16 bytes; one thread a 16-byte piece.

        What is left behind the last whole piece is done by the thread behind it.
        """
        names = (*self.arrays, *self.outputs)
        width = 16 // SIZES[dtype]
        reads = [f"        gg_Pack gg_p_{a} = ((const gg_Pack*){pointer(a)})[gg_i];" for a in self.arrays]
        reads += [f"        gg_Pack gg_p_{o};" for o in self.outputs]
        writes = [
            f"        ((gg_Pack*){pointer(a)})[gg_i] = gg_p_{a};" for a in names if a in self.changes + self.outputs
        ]
        head = self._head(dtype, wide)
        head.insert(2, f"struct alignas(16) gg_Pack {{ gg_S v[{width}]; }};")
        lines = [
            *head,
            f"    const gg_I gg_pieces = gg_n / {width};",
            "    if (gg_i < gg_pieces) {",
            *reads,
            "        #pragma unroll",
            f"        for (int gg_k = 0; gg_k < {width}; ++gg_k) {{ {self._one(lambda a: f'gg_p_{a}.v[gg_k]')} }}",
            *writes,
            "    } else if (gg_i == gg_pieces) {",
            f"        for (gg_I gg_k = gg_pieces * {width}; gg_k < gg_n; ++gg_k)",
            f"        {{ {self._one(lambda a: f'{pointer(a)}[gg_k]')} }}",
            "    }",
            "}",
        ]
        return "\n".join(lines) + "\n"

    @cache  # noqa: B019
    def strided(self, dtype: str, axes: int, wide: bool = False) -> str:
        """The CUDA source for arrays with strides along so many axes; one thread an element."""
        names = (*self.arrays, *self.outputs)
        more = [f"gg_d{k}" for k in range(axes)] + [f"gg_t{k}_{a}" for a in names for k in range(axes)]
        lines = [
            *self._head(dtype, wide, more),
            "    if (gg_i >= gg_n) return;",
            "    gg_I gg_rest = gg_i;",
            f"    gg_I {', '.join(f'gg_o_{a} = 0' for a in names)};",
        ]
        for k in reversed(range(axes)):
            moves = " ".join(f"gg_o_{a} += gg_at * gg_t{k}_{a};" for a in names)
            lines.append(f"    {{ const gg_I gg_at = gg_rest % gg_d{k}; gg_rest /= gg_d{k}; {moves} }}")
        lines += [f"    {self._one(lambda a: f'{pointer(a)}[gg_o_{a}]')}", "}"]
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
    shapes: tuple[Shape, ...], strides: tuple[Shape, ...], outputs: int, bytes_: int
) -> tuple[Shape, int, bool, tuple[int, ...]]:
    """What the strided variant needs to know of its inputs, and of as many outputs, which are contiguous.

    Args:
        shapes: of the inputs.
        strides: of the inputs, in bytes.
        outputs: how many.
        bytes_: size of an element.

    Returns:
        The broadcast shape, the number of merged axes (more than the kernels take if a stride is no multiple of
        ``bytes_``), whether indices need 64 bits, and the kernel's integers: sizes, steps, number of elements.

    >>> layout(((2, 3), (3,)), ((12, 4), (8,)), 1, 4)
    ((2, 3), 2, False, (2, 3, 3, 1, 0, 2, 3, 1, 6))
    """
    shape = broadcast_shape(shapes)
    own = tuple([bytes_ * math.prod(shape[k + 1 :]) for k in range(len(shape))])
    sizes, rows = merged(shape, [*shapes, *[shape] * outputs], [*strides, *[own] * outputs])
    size = math.prod(shape)
    wide = max([size, *(reach(sizes, row) // bytes_ for row in rows)]) > MOST_NARROW
    odd = any(s % bytes_ for row in rows for s in row)
    steps = [s // bytes_ for row in rows for s in row]
    return shape, MOST_AXES + 1 if odd else len(sizes), wide, (*sizes, *steps, size)


def elementwise(body: str, changes: tuple[str, ...] = ()) -> Callable[[Callable[..., Any]], Elementwise]:
    """Make a kernel of the library of a reference ``f(xp, *arrays, /, *scalars)``; see :class:`Elementwise`."""

    def make(reference: Callable[..., Any]) -> Elementwise:
        kernel = Elementwise(reference, body, changes=changes)
        REGISTRY[kernel.name] = kernel
        return kernel

    return make
