"""Gradients across the border to JAX, on the CPU.

A function of gpugrad is a callback in JAX's program, with its gradient. JAX's gradients at complex numbers are the
conjugates of those of gpugrad's transforms; they are turned at the border.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from ..core import Tensor
from ..transforms import vjp
from .here import Function, crossing

try:
    import jax
except ImportError as error:
    raise ImportError("gpugrad.interop.jax is the border to JAX, which is not installed: pip install jax") from error


def _array(y: Any) -> Any:
    return numpy.asarray(y.detach().numpy() if isinstance(y, Tensor) else y)


def wrap(f: Function) -> Function:
    """A function of gpugrad as one of JAX, with gradients of any order, under ``jit``, ``vmap`` and ``grad``.

    Args:
        f: takes arrays or Tensors, and gives one or a tuple of them. It is run once more for each shape of arguments,
            on zeros, for the shapes of its results, and again in the backward pass.

    Returns:
        A function of JAX's arrays. It has gradients, not derivatives along a direction (``jax.jvp``).

    >>> import gpugrad as gg, jax
    >>> float(jax.grad(wrap(lambda x: (gg.sin(x) ** 2).sum()))(jax.numpy.zeros(2))[0])
    0.0
    """

    def on_arrays(*arrays: Any) -> Any:
        y = f(*map(numpy.asarray, arrays))
        return tuple(map(_array, y)) if isinstance(y, tuple | list) else _array(y)

    def called(*xs: Any) -> Any:
        y = on_arrays(*[numpy.zeros(x.shape, x.dtype) for x in xs])
        spec: Any = jax.ShapeDtypeStruct
        like = jax.tree.map(lambda part: spec(part.shape, jax.dtypes.canonicalize_dtype(part.dtype)), y)
        return jax.pure_callback(lambda *arrays: _as(on_arrays(*arrays), like), like, *xs, vmap_method="sequential")

    here = jax.custom_vjp(called)

    def backward(xs: Any, g: Any) -> Any:
        several = isinstance(g, tuple)
        count = len(g) if several else 1

        def pulled_back(*values: Any) -> tuple[Any, ...]:
            given = [numpy.conj(part) if part.dtype.kind == "c" else part for part in values[:count]]
            y, pullback = vjp(f, *values[count:])
            found = pullback(type(y)(given) if several else given[0])
            return tuple(numpy.conj(h) if h.dtype.kind == "c" else h for h in found)

        return wrap(pulled_back)(*(g if several else (g,)), *xs)

    here.defvjp(lambda *xs: (here(*xs), xs), backward)
    return here  # type: ignore[no-any-return, unused-ignore]


def _as(y: Any, like: Any) -> Any:
    return jax.tree.map(lambda part, spec: numpy.asarray(part, spec.dtype), y, like)


def from_jax(f: Function) -> Function:
    """A function of JAX as one of gpugrad, with gradients of any order.

    Args:
        f: takes JAX's arrays and gives one.

    Raises (when called):
        TypeError: an array of 64 bits, while JAX has them switched off and would round it.

    >>> import gpugrad as gg, jax
    >>> gg.grad(from_jax(lambda x: jax.numpy.sin(x).sum()))(gg.tensor([0.0, 1.0])).numpy().round(4)
    array([1.    , 0.5403], dtype=float32)
    """

    def run(*arrays: Any) -> Any:
        for a in arrays:
            if hasattr(a, "dtype") and jax.dtypes.canonicalize_dtype(a.dtype) != a.dtype:
                raise TypeError(
                    f"from_jax: JAX would round {a.dtype} to {jax.dtypes.canonicalize_dtype(a.dtype)}: use "
                    "jax.config.update('jax_enable_x64', True), or arrays of 32 bits"
                )
        return numpy.asarray(f(*map(jax.numpy.asarray, arrays)))

    def rule(argnums: Sequence[int], ans: Any, args: Any, kwargs: Any) -> Function:
        def gradient(position: int) -> Function:
            return from_jax(lambda g, *xs: jax.vjp(f, *xs)[1](g)[position])

        return lambda g: [gradient(i)(g, *args) for i in argnums]

    return crossing(run, getattr(f, "__name__", "function"), rule)
