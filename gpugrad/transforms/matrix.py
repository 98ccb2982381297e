"""Whole matrices of derivatives, and their products with vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from ..core import Tensor
from ..ops.creation import asarray, eye, zeros, zeros_like
from ..ops.shaping import reshape, stack
from .arguments import check_differentiable, check_function, positions
from .forward import jvp
from .gradient import grad, vjp
from .tree import flatten
from .vmap import vmap

FEW = 8
"""So many walks back take no longer one by one than as one."""


def jacobian(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """A function that gives the Jacobian of ``f``: each result's shape followed by each argument's.

    Args:
        f: returns a Tensor ``(...)``, or lists, tuples and dicts of them, each of which then gets its Jacobian.
        argnums: which positional arguments to differentiate by: one, or several for a tuple of Jacobians.

    Returns:
        A function with the arguments of ``f``; for an argument ``(N, M)`` it gives ``(..., N, M)``, nested like the
        argument. The walks back from all elements of a result are run as one, by :func:`gpugrad.vmap`. Source:
        ``jax.jacrev``.

    Raises:
        TypeError: an argument to differentiate by is not floating-point, or the value is no real Tensor.

    >>> import gpugrad as gg, numpy
    >>> gg.jacobian(lambda x: x * x)(numpy.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    check_function("jacobian", f)
    places, several = positions("jacobian", argnums)

    @wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        def of_chosen(*chosen: Any) -> Any:
            arguments = list(args)
            for position, argument in zip(places, chosen, strict=True):
                arguments[position] = argument
            return f(*arguments, **kwargs)

        chosen = tuple(args[p] for p in places)
        y, pullback = vjp(of_chosen, *chosen)
        results, nested_as_value = flatten(y)
        given, nested_as_arguments = flatten(chosen)
        leaves = [asarray(x) for x in given]
        blocks = []
        for k, result in enumerate(results):
            if result.dtype.kind == "c":
                raise TypeError(f"jacobian: expected a real value, got {result.dtype}: take gg.real and gg.imag apart")
            check_differentiable([result])
            if result.size:
                rows = _rows(pullback, results, k, nested_as_value)
            else:
                rows = [zeros((0, *x.shape), dtype=x.dtype, device=x.device) for x in leaves]
            shaped = [reshape(row, (*result.shape, *x.shape)) for row, x in zip(rows, leaves, strict=True)]
            block = [_in_kind(y, result) for y in shaped]
            nested = nested_as_arguments(iter(block))
            blocks.append(nested if several else nested[0])
        return nested_as_value(iter(blocks))

    return wrapped


def _rows(pullback: Callable[[Any], Any], results: list[Any], k: int, nested: Callable[..., Any]) -> list[Any]:
    """The gradients of each element of the k-th result: an array for each argument, the elements along axis 0."""
    like = [asarray(result) for result in results]
    zeros = [zeros_like(y) for y in like]

    def row(unit: Any) -> list[Any]:
        gradients = [unit if j == k else zero for j, zero in enumerate(zeros)]
        return flatten(pullback(nested(iter(gradients))))[0]

    y = like[k]
    units = reshape(eye(y.size, dtype=y.dtype, device=y.device), (y.size, *y.shape))
    if y.size <= FEW:
        return [stack(rows) for rows in zip(*(map(asarray, row(unit)) for unit in units), strict=True)]
    return list(vmap(row)(units))


def _in_kind(tensor: Tensor, result: Any) -> Any:
    return tensor if isinstance(result, Tensor) else tensor.data


def hessian(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """A function that gives the matrix of second derivatives of a scalar function.

    Args:
        f: returns a scalar.
        argnums: which positional argument to differentiate by.

    Returns:
        A function with the arguments of ``f``; for an argument of shape s it gives shape ``s + s``. Source:
        ``jax.hessian``.

    >>> import gpugrad as gg, numpy
    >>> gg.hessian(lambda x: (x**3).sum())(numpy.array([1.0, 2.0]))
    array([[ 6.,  0.],
           [ 0., 12.]])
    """
    check_function("hessian", f)
    positions("hessian", argnums)
    return jacobian(grad(f, argnums), argnums)


def hvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """The Hessian of a scalar function times a vector, without the matrix: the derivative of the gradient along it.

    Args:
        f: returns a scalar.
        primals: the arguments of ``f``.
        tangents: directions like them.

    Returns:
        For each argument ``H t``: a tuple, or for one argument the product itself. Source: Pearlmutter 1994, "Fast
        exact multiplication by the Hessian".

    >>> import gpugrad as gg, numpy
    >>> gg.hvp(lambda x: (x**3).sum(), (numpy.array([1.0, 2.0]),), (numpy.array([1.0, 0.0]),))
    array([6., 0.])
    """
    check_function("hvp", f)
    gradient = grad(f, tuple(range(len(primals))))
    _, product = jvp(lambda *xs: gradient(*xs), primals, tangents)
    return product[0] if len(primals) == 1 else product


def elementwise_grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """A function that gives the derivative of an elementwise function at each element: the gradient of its sum.

    Source: HIPS autograd's ``elementwise_grad``.

    >>> import gpugrad as gg, numpy
    >>> gg.elementwise_grad(gg.sin)(numpy.array([0.0, numpy.pi]))
    array([ 1., -1.])
    """
    check_function("elementwise_grad", f)
    positions("elementwise_grad", argnums)

    @wraps(f)
    def total(*args: Any, **kwargs: Any) -> Any:
        return f(*args, **kwargs).sum()

    return grad(total, argnums)
