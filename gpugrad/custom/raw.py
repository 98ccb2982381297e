"""``gg.raw_kernel``: a whole CUDA source with its own launch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy

from ..backend import BACKENDS, Array, Namespace
from ..backend.dtypes import name_of
from ..core import Operation
from ..kernels.cuda_types import COMPUTE, PRELUDE, STORAGE
from .check import Proof
from .elementwise import operation_of
from .names import Function, check_names, names_of, needs_of


@dataclass(frozen=True)
class Launch:
    """How a raw kernel is launched on given inputs.

    Attributes:
        output: the array that the kernel writes.
        arguments: what the kernel takes, in order: arrays, and numbers as scalars of ``xp`` (``xp.int32(n)``).
        grid: blocks along up to three axes; with a 0 among them, nothing is launched.
        block: threads of a block along up to three axes.
        shared: bytes of dynamic shared memory.
    """

    output: Array
    arguments: tuple[Any, ...]
    grid: tuple[int, ...]
    block: tuple[int, ...]
    shared: int = 0


def raw_kernel(
    name: str,
    inputs: str | tuple[str, ...],
    source: str,
    launch: Callable[..., Launch],
    reference: Function,
    gradient: Mapping[str, Function],
    *,
    sample: Callable[[Any], Mapping[str, Any]],
    dtypes: tuple[str, ...] = ("float32", "float64"),
    check: bool = True,
) -> Operation[Any]:
    """A differentiable operation of a whole CUDA kernel with its own launch.

    Where the inputs live on a device that compiles CUDA and are of one of ``dtypes``, all of the same, the kernel runs
    (on contiguous copies of inputs that are not contiguous); elsewhere its twin. On first use with each dtype and kind
    of device the kernel is compared with the twin, and the gradients with finite differences of it.

    Args:
        name: of the ``extern "C" __global__`` function in the source.
        inputs: names of the inputs, ``"x w"``.
        source: CUDA C++; ``T`` is defined as the type to compute with, float or double.
        launch: ``launch(xp, *inputs) -> Launch``.
        reference: the twin, ``f(xp, *inputs)``.
        gradient: for each differentiable input a rule ``f(xp, g, ...)`` that names what it needs: inputs, the output
            ``y``. Composed of functions of ``xp``, it can be differentiated again.
        sample: ``sample(rng) -> {input: float64 array}``: inputs for the check, from a ``numpy.random.Generator``.
        dtypes: of the inputs that the source takes. With ``float16`` or ``bfloat16`` among them it must declare its
            arrays with the type ``S`` of stored elements, read them with ``load(x[i])`` and write ``store(y[i], v)``.
        check: switch the check off for this kernel; :class:`kernel_checks` does for all.

    Returns:
        A function of Tensors or arrays.

    Raises:
        ValueError: a name cannot be used, a gradient is for no input, the source has no kernel of that name.
        KernelMismatchError: on first use, if the parts disagree.

    >>> import gpugrad as gg
    >>> twice = gg.raw_kernel(
    ...     "twice", "x",
    ...     'extern "C" __global__ void twice(const T* x, T* y, int n)'
    ...     '{ int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < n) y[i] = 2 * x[i]; }',
    ...     launch=lambda xp, x: gg.Launch(
    ...         y := xp.empty_like(x), (x, y, xp.int32(x.size)), grid=(-(-x.size // 128),), block=(128,)),
    ...     reference=lambda xp, x: 2 * x,
    ...     gradient={"x": lambda xp, g: 2 * g},
    ...     sample=lambda rng: {"x": rng.standard_normal(5)},
    ... )
    >>> twice(gg.tensor([1.0, 2.0]))
    tensor([2., 4.])
    """
    takes = names_of(inputs)
    if not takes:
        raise ValueError(f"{name}: expected inputs, got {inputs!r}")
    check_names(name, (name,))
    check_names(name, takes, taken=frozenset({"xp", "g", "y"}))
    if not gradient.keys() <= set(takes):
        raise ValueError(f"{name}: expected gradients for {takes}, got {sorted(gradient)}")
    if name not in source:
        raise ValueError(f'{name}: the source has no kernel of that name (extern "C" __global__ void {name}(...))')
    if not set(dtypes) <= COMPUTE.keys():
        raise ValueError(f"{name}: expected dtypes among {tuple(COMPUTE)}, got {dtypes}")

    @cache
    def typed(dtype: str) -> str:
        """The source for one dtype; errors of the compiler count the lines as the user does."""
        return f'{PRELUDE}typedef {STORAGE[dtype]} S;\ntypedef {COMPUTE[dtype]} T;\n#line 1 "{name}.cu"\n{source}'

    def run(xp: Namespace, *arrays: Array) -> Array:
        first = arrays[0]
        owner = BACKENDS.get(type(first))
        if owner is None or not owner.compiles or name_of(first.dtype) not in dtypes:
            return reference(xp, *arrays)
        if any(type(a) is not type(first) or a.dtype != first.dtype for a in arrays):
            return reference(xp, *arrays)
        how = launch(xp, *map(xp.ascontiguousarray, arrays))
        if how.output.size and 0 not in how.grid:
            owner.run(typed(name_of(first.dtype)), name, how.grid, how.block, how.arguments, how.shared)
        return how.output

    def samples() -> Mapping[str, Any]:
        return sample(numpy.random.default_rng(0))

    rules = {n: (rule, needs_of(rule)) for n, rule in gradient.items()}
    proof = Proof(name, takes, run, reference, rules, samples, outputs=("y",))

    def forward(xp: Namespace, *arrays: Array) -> Array:
        if check:
            proof.demand(xp, arrays)
        return run(xp, *arrays)

    forward.__name__ = forward.__qualname__ = name
    forward.__module__ = sys._getframe(1).f_globals.get("__name__", "__main__")
    forward.__doc__ = f"The raw kernel {name}."
    return operation_of(forward, takes, ("y",), rules)
