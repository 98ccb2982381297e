"""``unary_to_nary`` of ``autograd.wrap_util``: an operator on functions of one argument, for functions of several."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from .util import subvals


def unary_to_nary(unary_operator: Callable[..., Any]) -> Callable[..., Any]:
    """``operator(f, x)`` for functions of one argument, as ``operator(f, argnum=0)(*args)`` for several."""

    @wraps(unary_operator)
    def operator(fun: Callable[..., Any], argnum: Any = 0, *more: Any, **named: Any) -> Callable[..., Any]:
        @wraps(fun)
        def at(*args: Any, **kwargs: Any) -> Any:
            several = not isinstance(argnum, int)

            def unary(x: Any) -> Any:
                changes = zip(argnum, x, strict=True) if several else [(argnum, x)]
                return fun(*subvals(args, changes), **kwargs)

            x = tuple(args[i] for i in argnum) if several else args[argnum]
            return unary_operator(unary, x, *more, **named)

        return at

    return operator
