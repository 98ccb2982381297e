"""``gg.raw_kernel``: a whole CUDA source with its own launch."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy

from ..backend import BACKENDS, Array, Namespace
from ..core import Operation, primitive
from ..kernels.cuda_types import COMPUTE
from .check import checking, prove
from .elementwise import names_of, with_signature

Function = Callable[..., Any]


@dataclass(frozen=True)
class Launch:
    """How a raw kernel is launched on given inputs.

    Attributes:
        output: the array that the kernel writes.
        arguments: what the kernel takes, in order: arrays, and numbers as scalars of ``xp`` (``xp.int32(n)``).
        grid: blocks along up to three axes.
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
    check: bool = True,
) -> Operation[Any]:
    """A differentiable operation of a whole CUDA kernel with its own launch.

    Where the inputs live on a device that compiles CUDA, are contiguous, of one dtype, float32 or float64, the kernel
    runs; elsewhere its twin. On first use with each dtype and kind of device the kernel is compared with the twin, and
    the gradients with finite differences of it.

    Args:
        name: of the ``extern "C" __global__`` function in the source.
        inputs: names of the inputs, ``"x w"``.
        source: CUDA C++; ``T`` is defined as the inputs' type.
        launch: ``launch(xp, *inputs) -> Launch``.
        reference: the twin, ``f(xp, *inputs)``.
        gradient: for each differentiable input a rule ``f(xp, g, ...)`` that names what it needs.
        sample: ``sample(rng) -> {input: float64 array}``: inputs for the check, from a ``numpy.random.Generator``.
        check: switch the check off for this kernel; :class:`kernel_checks` does for all.

    Returns:
        A function of Tensors or arrays.

    Raises:
        ValueError: a gradient is for no input.
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
    if not gradient.keys() <= set(takes):
        raise ValueError(f"{name}: expected gradients for {takes}, got {sorted(gradient)}")
    proven: set[tuple[type, Any]] = set()

    def run(xp: Namespace, *arrays: Array) -> Array:
        first = arrays[0]
        owner = BACKENDS.get(type(first))
        fits = all(
            type(a) is type(first) and a.dtype == first.dtype and a.flags.c_contiguous for a in arrays
        ) and first.dtype.name in ("float32", "float64")  # fmt: skip
        if owner is None or not owner.compiles or not fits:
            return reference(xp, *arrays)
        how = launch(xp, *arrays)
        if how.output.size:
            typed = f"typedef {COMPUTE[first.dtype.name]} T;\n{source}"
            owner.run(typed, name, how.grid, how.block, how.arguments, how.shared)
        return how.output

    def forward(xp: Namespace, *arrays: Array) -> Array:
        first = arrays[0]
        key = (type(first), first.dtype)
        if check and checking() and key not in proven and first.dtype.kind == "f":
            proven.add(key)
            try:
                samples = {n: numpy.asarray(v, "f8") for n, v in sample(numpy.random.default_rng(0)).items()}
                prove(
                    name, takes, xp, first,
                    forward=lambda xp, *a: (run(xp, *a),),
                    reference=lambda xp, *a: (reference(xp, *a),),
                    pullback=pullback,
                    samples=samples,
                )  # fmt: skip
            except BaseException:
                proven.discard(key)
                raise
        return run(xp, *arrays)

    def pullback(xp: Namespace, gs: list[Array], arrays: Mapping[str, Array]) -> dict[str, Array]:
        values = {**arrays, "y": run(xp, *arrays.values())}
        found = {}
        for n, rule in gradient.items():
            needs = tuple(inspect.signature(rule).parameters)[2:]
            found[n] = rule(xp, gs[0], *(values[k] for k in needs))
        return found

    forward.__name__ = forward.__qualname__ = name
    forward.__doc__ = f"The raw kernel {name}."
    operation: Any = primitive(with_signature(forward, (("xp", *takes), inspect.Parameter.POSITIONAL_ONLY)))
    operation.vjp(**gradient)
    return operation  # type: ignore[no-any-return]
