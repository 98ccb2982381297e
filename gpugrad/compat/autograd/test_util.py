"""Gradients against finite differences, under the names of ``autograd.test_util``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Any

from .differential_operators import make_jvp, make_vjp
from .vspaces import vspace

TOL, RTOL, EPS = 1e-6, 1e-6, 1e-6


def scalar_close(a: Any, b: Any) -> bool:
    """Whether two numbers agree, absolutely or relative to their size."""
    return bool(abs(a - b) < TOL or abs(a - b) / abs(a + b) < RTOL)


def check_equivalent(x: Any, y: Any) -> None:
    """Raise unless two values are alike and agree along a random direction."""
    space, other = vspace(x), vspace(y)
    if space != other:
        raise AssertionError(f"values differ in kind: {space} and {other}")
    direction = space.randn()
    one, two = space.inner_prod(x, direction), space.inner_prod(y, direction)
    if not scalar_close(one, two):
        raise AssertionError(f"values differ: {one} and {two} along a direction\n{x}\n{y}")


def _difference(f: Callable[[Any], Any], x: Any, direction: Any) -> Any:
    """The central difference of ``f`` along a direction."""
    space = vspace(x)
    after = f(space.add(x, space.scalar_mul(direction, EPS / 2)))
    before = f(space.add(x, space.scalar_mul(direction, -EPS / 2)))
    results = vspace(after)
    return results.scalar_mul(results.add(after, results.scalar_mul(before, -1.0)), 1 / EPS)


def check_vjp(f: Callable[[Any], Any], x: Any) -> None:
    """Raise unless the gradients of ``f`` at ``x`` fit its differences.

    Raises:
        AssertionError: they differ, or a gradient is not like the argument.
    """
    vjp, y = make_vjp(f)(x)
    arguments, results = vspace(x), vspace(y)
    direction, weights = arguments.randn(), results.randn()
    gradient = vjp(results.covector(weights))
    if vspace(gradient) != arguments:
        raise AssertionError(f"the gradient is in {vspace(gradient)}, the argument in {arguments}")
    exact = arguments.inner_prod(direction, arguments.covector(gradient))
    numeric = results.inner_prod(weights, _difference(f, x, direction))
    if not scalar_close(exact, numeric):
        raise AssertionError(f"the gradient gives {exact}, differences give {numeric} (vjp)")


def check_jvp(f: Callable[[Any], Any], x: Any) -> None:
    """Raise unless the derivatives of ``f`` along a direction fit its differences."""
    direction = vspace(x).randn()
    _, derivative = make_jvp(f)(x)(direction)
    check_equivalent(derivative, _difference(f, x, direction))


def check_grads(
    f: Callable[..., Any], argnum: Any = None, modes: Iterable[str] = ("fwd", "rev"), order: int = 2
) -> Callable[..., None]:
    """A function that compares the derivatives of ``f`` at its arguments with differences, up to an order.

    Args:
        f: a function of arrays, numbers and containers.
        argnum: a position, several, or all.
        modes: "fwd" for derivatives along a direction, "rev" for gradients.
        order: how often to differentiate.

    >>> import gpugrad.compat.autograd.numpy as np
    >>> check_grads(np.sin)(np.array([0.5, 1.0]))
    """
    modes = list(modes)
    if not set(modes) <= {"fwd", "rev"}:
        raise ValueError(f"expected modes of 'fwd' and 'rev', got {modes}")

    def check(*args: Any, **kwargs: Any) -> None:
        places = [argnum] if isinstance(argnum, int) else list(range(len(args)) if argnum is None else argnum)

        def of(xs: Sequence[Any]) -> Any:
            given = list(args)
            for place, x in zip(places, xs, strict=True):
                given[place] = x
            return f(*given, **kwargs)

        _check(of, tuple(args[p] for p in places), modes, order)

    return check


def _check(f: Callable[[Any], Any], x: Any, modes: list[str], order: int) -> None:
    if "fwd" in modes:
        check_jvp(f, x)
        if order > 1:
            _check(lambda pair: make_jvp(f)(pair[0])(pair[1])[1], (x, vspace(x).randn()), modes, order - 1)
    if "rev" in modes:
        check_vjp(f, x)
        if order > 1:
            _check(lambda pair: make_vjp(f)(pair[0])[0](pair[1]), (x, vspace(f(x)).randn()), modes, order - 1)


def combo_check(fun: Callable[..., Any], argnum: Any = None, *args: Any, **kwargs: Any) -> Callable[..., None]:
    """:func:`check_grads` for every combination of the given lists of arguments."""
    test = check_grads(fun, argnum, *args, **kwargs)

    def check(*lists: Sequence[Any], **named: Sequence[Any]) -> None:
        for values in product(*lists):
            for options in product(*named.values()):
                test(*values, **dict(zip(named, options, strict=True)))

    return check


def numerical_jvp(f: Callable[[Any], Any], x: Any) -> Callable[[Any], Any]:
    """A function from a direction to the central difference along it."""
    return lambda direction: _difference(f, x, direction)
