"""What a transform is asked for: a function, and the positions of the arguments to differentiate by."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any

from ..backend import is_floating
from ..core.errors import describe, user_line


def check_function(name: str, f: Any) -> None:
    """Refuse what is not a function, such as the value of one.

    Raises:
        TypeError: ``f`` cannot be called.

    >>> check_function("grad", 3.0)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    TypeError: grad: expected a function, got 3.0 [...]: use gg.grad(f)(x), not gg.grad(f(x))
    """
    if not callable(f):
        if name in ("vjp", "jvp", "hvp"):
            use = f"use gg.{name}(f, ...), not gg.{name}(f(x), ...)"
        else:
            use = f"use gg.{name}(f)(x), not gg.{name}(f(x))"
        raise TypeError(f"{name}: expected a function, got {describe(f)} [{user_line()}]: {use}")


def check_differentiable(results: Sequence[Any]) -> None:
    """Refuse a function of which no result has a derivative.

    Raises:
        TypeError: all results are integers or booleans.
    """
    if results and not any(is_floating(y.dtype) for y in results):
        raise TypeError(
            f"expected the function to return floating-point numbers, got {results[0].dtype} "
            f"{results[0].shape}, which is constant [{user_line()}]"
        )


def positions(name: str, argnums: Any) -> tuple[list[int], bool]:
    """The positions in ``argnums``, and whether several were asked for.

    Raises:
        TypeError: ``argnums`` is neither an integer nor a sequence of integers; an array is the argument itself.

    >>> positions("grad", 1), positions("grad", (0, 2))
    (([1], False), ([0, 2], True))
    """
    several = isinstance(argnums, Sequence) and not isinstance(argnums, str)
    try:
        return [index(p) for p in (argnums if several else (argnums,))], several
    except TypeError:
        raise TypeError(
            f"{name}: expected argnums as an integer or a sequence of integers, got {describe(argnums)} "
            f"[{user_line()}]: use gg.{name}(f)(x), not gg.{name}(f, x)"
        ) from None
