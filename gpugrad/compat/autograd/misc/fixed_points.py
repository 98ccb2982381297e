"""Fixed points, differentiated through the equation that they satisfy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..differential_operators import make_vjp
from ..rules import defvjp, primitive
from ..vspaces import vspace


@primitive
def fixed_point(f: Callable[..., Any], a: Any, x0: Any, distance: Callable[..., Any], tol: float) -> Any:
    """``x`` with ``f(a)(x) = x``, by iteration from ``x0`` until two in a row are no further apart than ``tol``.

    The gradient by ``a`` is ``(I - df/dx)^-T g``, found by iteration too, carried through ``df/da``.
    """
    step = f(a)
    before, x = x0, step(x0)
    while distance(x, before) > tol:
        before, x = x, step(x)
    return x


def _rule(ans: Any, f: Any, a: Any, x0: Any, distance: Any, tol: float) -> Callable[[Any], Any]:
    by_a = make_vjp(lambda p: f(p)(ans))(a)[0]

    def towards(state: tuple[Any, Any, Any]) -> Callable[[Any], Any]:
        point, x, g = state
        by_x = make_vjp(f(point))(x)[0]
        return lambda w: vspace(x).add(by_x(w), g)

    return lambda g: by_a(fixed_point(towards, (a, ans, g), vspace(x0).zeros(), distance, tol))


defvjp(fixed_point, None, _rule, None, None, None)
