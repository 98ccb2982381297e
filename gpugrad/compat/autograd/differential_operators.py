"""Derivatives of functions of arrays and nested containers, under autograd's names."""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from ... import numpy as np
from ... import transforms
from .running import Argnum, Function, Run
from .values import floating, outside
from .vspaces import vspace


def operator(one: Callable[..., Any]) -> Callable[..., Function]:
    """An ``operator(fun, argnum=0)``, which gives a function with the arguments of ``fun``, from what one call does."""

    def of(fun: Function, argnum: Argnum = 0) -> Function:
        def at(*args: Any, **kwargs: Any) -> Any:
            return one(fun, argnum, args, kwargs)

        at.__name__ = f"{one.__name__}_of_{getattr(fun, '__name__', 'function')}_wrt_argnum_{argnum}"
        at.__doc__ = f"{one.__doc__} Of ``{getattr(fun, '__name__', 'function')}``."
        return at

    of.__name__ = of.__qualname__ = one.__name__
    of.__doc__ = f"{one.__doc__} By the arguments at ``argnum``, an integer or a list of them."
    of.__module__ = __name__
    return of


@operator
def make_vjp(fun: Function, argnum: Argnum, args: Any, kwargs: Any) -> Any:
    """``(vjp, value)``: a function from a gradient of the value to that of the argument, and the value."""
    run = Run(fun, argnum, args, kwargs)
    return run.back, run.value


@operator
def make_jvp(fun: Function, argnum: Argnum, args: Any, kwargs: Any) -> Any:
    """A function from a tangent to ``(value, its derivative along it)``."""
    several = not isinstance(argnum, int)
    places = list(argnum) if isinstance(argnum, Sequence) else [argnum]
    points = [floating(args[p], f"argument {p}") for p in places]

    def chosen(*xs: Any) -> Any:
        given = list(args)
        for place, x in zip(places, xs, strict=True):
            given[place] = x
        return fun(*given, **kwargs)

    def jvp(tangent: Any) -> Any:
        tangents = [floating(t, "the tangent") for t in (tangent if several else [tangent])]
        y, dy = _along(chosen, points, tangents)
        return outside(y), outside(dy)

    return jvp


def _along(f: Function, points: list[Any], tangents: list[Any]) -> tuple[Any, Any]:
    """Value and derivative along a direction, of complex functions too."""
    run = Run(f, range(len(points)), points, {})
    run.call.recorded = True  # its way back is what is differentiated
    weights = [np.zeros(y.shape, dtype=y.dtype) for y in run.results]
    back = Run(lambda *gs: run.back(run.nested(iter(gs))), range(len(weights)), weights, {})
    # back is linear; its own way back carries tangents forward.
    return run.value, run.nested(iter(back.back(tuple(tangents))))


@operator
def grad(fun: Function, argnum: Argnum, args: Any, kwargs: Any) -> Any:
    """The gradient of a function that returns one real number, in the nesting of the argument."""
    return Run(fun, argnum, args, kwargs).of_a_number("grad")


@operator
def value_and_grad(fun: Function, argnum: Argnum, args: Any, kwargs: Any) -> Any:
    """Value and gradient of a function that returns one real number."""
    run = Run(fun, argnum, args, kwargs)
    return run.value, run.of_a_number("value_and_grad")


@operator
def grad_and_aux(fun: Function, argnum: Argnum, args: Any, kwargs: Any) -> Any:
    """The gradient of the first of two results, and the second result."""
    run = Run(fun, argnum, args, kwargs)
    value, aux = run.value
    return run.back((vspace(value).ones(), vspace(aux).zeros())), aux


@operator
def elementwise_grad(fun: Function, argnum: Argnum, args: Any, kwargs: Any) -> Any:
    """The gradient of the sum of a real function: of one that works element by element, its derivative."""
    run = Run(fun, argnum, args, kwargs)
    space = vspace(run.value)
    if space.iscomplex:
        raise TypeError("elementwise_grad: expected the function to return real numbers, got complex ones")
    return run.back(space.ones(), keep=False)


@operator
def deriv(fun: Function, argnum: Argnum, args: Any, kwargs: Any) -> Any:
    """The derivative along a tangent of ones."""
    x = args[argnum] if isinstance(argnum, int) else tuple(args[i] for i in argnum)
    return make_jvp(fun, argnum)(*args, **kwargs)(vspace(x).ones())[1]


@operator
def holomorphic_grad(fun: Function, argnum: Argnum, args: Any, kwargs: Any) -> Any:
    """The complex derivative of a holomorphic function."""
    return grad(lambda *a, **k: np.real(fun(*a, **k)), argnum)(*args, **kwargs)


@operator
def jacobian(fun: Function, argnum: Argnum, args: Any, kwargs: Any) -> Any:
    """All derivatives of all results: shape of the value, then shape of the argument."""
    run = Run(fun, argnum, args, kwargs)
    y = vspace(run.value)
    rows = [run.back(unit) for unit in y.standard_basis()]

    def stacked(parts: Sequence[Any]) -> Any:
        return np.reshape(np.stack(parts), y.shape + np.shape(parts[0]))

    if not rows:
        return outside(run.call.nested([np.zeros(y.shape + v.shape) for v in run.call.variables]))[0]
    return tuple(map(stacked, zip(*rows, strict=True))) if run.several else stacked(rows)


@operator
def hessian(fun: Function, argnum: Argnum, args: Any, kwargs: Any) -> Any:
    """The second derivatives."""
    return jacobian(jacobian(fun, argnum), argnum)(*args, **kwargs)


@operator
def make_hvp(fun: Function, argnum: Argnum, args: Any, kwargs: Any) -> Any:
    """``(hvp, gradient)``: a function that multiplies by the Hessian, and the gradient."""
    return make_vjp(grad(fun, argnum), argnum)(*args, **kwargs)


@operator
def make_jvp_reversemode(fun: Function, argnum: Argnum, args: Any, kwargs: Any) -> Any:
    """A function from a tangent to the derivative along it."""
    jvp = make_jvp(fun, argnum)(*args, **kwargs)
    return lambda tangent: jvp(tangent)[1]


def grad_named(fun: Function, argname: str) -> Function:
    """The gradient by the argument of this name, where it is positional."""
    return grad(fun, list(inspect.signature(fun).parameters).index(argname))


def hessian_tensor_product(fun: Function, argnum: int = 0) -> Function:
    """A function of the arguments and a tensor like the argument: the Hessian times the tensor."""
    gradient = grad(fun, argnum)

    def along(*args: Any, **kwargs: Any) -> Any:
        *point, tensor = args
        return np.tensordot(gradient(*point, **kwargs), tensor, np.ndim(tensor))

    return grad(along, argnum)


def tensor_jacobian_product(fun: Function, argnum: int = 0) -> Function:
    """A function of the arguments and a tensor like the value: the tensor times the Jacobian."""

    def along(*args: Any, **kwargs: Any) -> Any:
        *point, tensor = args
        return np.tensordot(tensor, fun(*point, **kwargs), np.ndim(tensor))

    return jacobian(along, argnum)


hessian_vector_product, vector_jacobian_product = hessian_tensor_product, tensor_jacobian_product


def _half_square(x: Any) -> Any:
    return 0.5 * np.sum(x**2, axis=-1)


def make_ggnvp(f: Function, g: Function = _half_square, f_argnum: int = 0) -> Function:
    """A function that gives the product with the generalized Gauss-Newton matrix ``J^T H J``.

    ``J`` is the Jacobian of ``f``, ``H`` the Hessian of ``g`` at the value of ``f``.
    """

    def at(*args: Any, **kwargs: Any) -> Function:
        back, y = make_vjp(f, f_argnum)(*args, **kwargs)
        forward = make_jvp_reversemode(f, f_argnum)(*args, **kwargs)
        hvp, _ = make_hvp(g)(y)
        return lambda v: back(hvp(forward(v)))

    return at


def multigrad_dict(fun: Function) -> Function:
    """A function that gives a dict of the gradients by all arguments, by name."""
    signature = inspect.signature(fun)

    def gradients(*args: Any, **kwargs: Any) -> dict[str, Any]:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()

        def named(values: dict[str, Any]) -> Any:
            given = inspect.BoundArguments(signature, OrderedDict({**bound.arguments, **values}))
            return fun(*given.args, **given.kwargs)

        by_name: dict[str, Any] = grad(named)(dict(bound.arguments))
        return by_name

    return gradients


def checkpoint(fun: Function) -> Function:
    """``fun``, computed again on the way back instead of keeping what is inside it."""
    return transforms.checkpoint(fun)
