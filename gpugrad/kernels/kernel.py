"""A fused function: its reference on ``xp``, and a CUDA source that does the same in one launch."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

from ..backend import BACKENDS, Namespace

REGISTRY: dict[str, Kernel] = {}
"""Every kernel by name; the compile checks and the comparison with the references go through it."""

CTYPES = {"float32": "float", "float64": "double", "uint32": "unsigned int"}


class Kernel:
    """A function ``kernel(xp, *arguments)`` that a CUDA backend runs in one launch.

    On any other array library, where the arrays are not contiguous or not of one shape and dtype, and when recorded
    (``xp`` is gpugrad), the reference runs instead. A namespace that wants to see kernels whole has a method
    ``__kernel__(kernel, arguments)``.
    """

    def __init__(self, reference: Callable[..., Any], body: str, changes: tuple[str, ...]) -> None:
        self.name = reference.__name__
        self.reference = reference
        self.body = body
        self.changes = changes
        self.__doc__ = reference.__doc__
        parameters = list(inspect.signature(reference).parameters.values())[1:]
        self.arrays = tuple(p.name for p in parameters if p.kind is p.POSITIONAL_ONLY)
        self.scalars = tuple(p.name for p in parameters if p.kind is not p.POSITIONAL_ONLY)
        REGISTRY[self.name] = self

    def __call__(self, xp: Namespace, *arguments: Any) -> Any:
        whole = getattr(xp, "__kernel__", None)
        if whole is not None:
            return whole(self, arguments)
        owner = BACKENDS.get(type(arguments[0]))
        if owner is None or not owner.compiles or not self.applies(arguments):
            return self.reference(xp, *arguments)
        first, count = arguments[0], len(self.arrays)
        out = () if self.changes else (xp.empty_like(first),)
        scalars = tuple(xp.float64(value) for value in arguments[count:])
        source = self.source(first.dtype.name)
        owner.launch(source, self.name, first.size, (*arguments[:count], *out, *scalars, xp.int64(first.size)))
        return out[0] if out else None

    def applies(self, arguments: tuple[Any, ...]) -> bool:
        """Whether the CUDA source can run on these arrays: contiguous, of one shape, one dtype, float32 or float64."""
        first = arguments[0]
        return first.dtype.name in ("float32", "float64") and all(
            getattr(a, "shape", None) == first.shape and a.dtype == first.dtype and a.flags.c_contiguous
            for a in arguments[: len(self.arrays)]
        )

    @cache  # noqa: B019  kernels live as long as the program
    def source(self, dtype: str) -> str:
        """The CUDA source for arrays of ``dtype``: plain pointers and sizes, one thread an element."""
        pointers = [f"{'' if a in self.changes else 'const '}T* {a}_" for a in self.arrays]
        pointers += [] if self.changes else ["T* out_"]
        loads = [f"{'' if a in self.changes else 'const '}T& {a} = {a}_[i];" for a in self.arrays]
        loads += [] if self.changes else ["T& out = out_[i];"]
        parameters = [*pointers, *(f"double {s}_" for s in self.scalars), "long long n"]
        casts = [f"const T {s} = (T){s}_;" for s in self.scalars]
        lines = [
            f"typedef {CTYPES[dtype]} T;",
            f'extern "C" __global__ void {self.name}({", ".join(parameters)}) {{',
            "    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;",
            "    if (i >= n) return;",
            *(f"    {line}" for line in (*loads, *casts)),
            f"    {self.body.strip()}",
            "}",
        ]
        return "\n".join(lines) + "\n"


def elementwise(body: str, changes: tuple[str, ...] = ()) -> Callable[[Callable[..., Any]], Kernel]:
    """Make a kernel of a reference ``f(xp, *arrays, /, *scalars)`` and the CUDA statement for one element.

    Args:
        body: the statement, with the parameters' names, ``T`` for the dtype, and ``out`` for the result.
        changes: the arrays that are updated in place; then there is no ``out`` and nothing is returned.
    """

    def make(reference: Callable[..., Any]) -> Kernel:
        return Kernel(reference, body, changes)

    return make
