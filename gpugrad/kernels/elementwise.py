"""Elementwise kernels: the statement for one element, and a generator that supplies the rest.

Two variants of each are generated, per dtype. *Packed*: contiguous arrays of one shape, aligned to 16 bytes, are read
and written in 16-byte pieces. *Strided*: anything else, broadcast or transposed or unaligned, after axes that lie
together in all arrays are merged. Indices are 32-bit, and 64-bit only where elements are 2^31 or more apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache
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

    def _wide(self, xp: Namespace, arguments: tuple[Any, ...]) -> Any:
        """The references that change arrays in place take care of short floats themselves."""
        return self.reference(xp, *arguments) if self.changes else super()._wide(xp, arguments)

    def launch(self, xp: Namespace, owner: Backend, arguments: tuple[Any, ...]) -> Any:
        """See :meth:`Kernel.launch`. Arrays of different dtypes are left to the reference."""
        count = len(self.arrays)
        inputs = arguments[:count]
        if any(type(a) is not type(inputs[0]) or a.dtype != inputs[0].dtype for a in inputs):
            return NotImplemented
        dtype = inputs[0].dtype
        if dtype.name not in COMPUTE:
            return NotImplemented
        shape = broadcast_shape([a.shape for a in inputs])
        if self.changes and any(inputs[self.arrays.index(name)].shape != shape for name in self.changes):
            raise ValueError(f"{self.name}: arrays updated in place must have the full shape {shape}")
        outputs = tuple(xp.empty(shape, dtype=dtype) for _ in self.outputs)
        arrays = (*inputs, *outputs)
        size = math.prod(shape)
        scalars = tuple(xp.float64(value) for value in arguments[count:])
        if all(a.shape == shape and a.flags.c_contiguous and a.data.ptr % 16 == 0 for a in arrays):
            wide = size > MOST_NARROW
            pieces = -(-size // (16 // SIZES[dtype.name]))
            number = xp.int64(size) if wide else xp.int32(size)
            owner.launch(self.packed(dtype.name, wide), self.name, pieces, (*arrays, *scalars, number))
        else:
            sizes, strides = merged(shape, [a.shape for a in arrays], [a.strides for a in arrays])
            bytes_ = SIZES[dtype.name]
            odd = any(a.data.ptr % bytes_ for a in arrays) or any(s % bytes_ for row in strides for s in row)
            if odd or len(sizes) > MOST_AXES:  # inside a record, or an unusual number of axes
                return NotImplemented
            wide = max([size, *(reach(sizes, row) // bytes_ for row in strides)]) > MOST_NARROW
            integer = xp.int64 if wide else xp.int32
            steps = [integer(s // bytes_) for row in strides for s in row]
            numbers = (*scalars, *map(integer, sizes), *steps, integer(size))
            owner.launch(self.strided(dtype.name, len(sizes), wide), self.name, size, (*arrays, *numbers))
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


def elementwise(body: str, changes: tuple[str, ...] = ()) -> Callable[[Callable[..., Any]], Elementwise]:
    """Make a kernel of the library of a reference ``f(xp, *arrays, /, *scalars)``; see :class:`Elementwise`."""

    def make(reference: Callable[..., Any]) -> Elementwise:
        kernel = Elementwise(reference, body, changes=changes)
        REGISTRY[kernel.name] = kernel
        return kernel

    return make
