"""``odeint``, differentiated by the start, the times and the arguments of the equation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import scipy.integrate

from .... import numpy as np
from ..differential_operators import make_vjp
from ..misc import flatten
from ..rules import defvjp_argnums, primitive


@primitive
def odeint(func: Callable[..., Any], y0: Any, t: Any, args: Any = (), **kwargs: Any) -> Any:
    """The solution of ``dy/dt = func(y, t, *args)`` with ``y(t[0]) = y0`` at the times ``t``: a row for each time.

    Gradients by ``y0``, ``t`` and ``args`` (positional) come from the adjoint equation, solved backwards from one time
    to the one before: ``da/dt = -a df/dy``, with ``-a df/dargs`` beside it. They are as precise as the solver's
    tolerances.

    Source: ``scipy.integrate.odeint``; Chen et al. 2018, "Neural ordinary differential equations".
    """
    return scipy.integrate.odeint(func, y0, t, tuple(args), **kwargs)


def _rule(argnums: Any, ans: Any, given: Any, kwargs: Any) -> Callable[[Any], list[Any]]:
    func, y0, t = given[:3]
    flat, unflatten = flatten(tuple(given[3]) if len(given) > 3 else ())
    n = len(y0)

    def backwards(state: Any, time: Any, vector: Any) -> Any:
        y, adjoint = state[:n], state[n : 2 * n]
        back, slope = make_vjp(lambda u, w: func(u, time, *unflatten(w)), (0, 1))(y, vector)
        by_y, by_args = back(-adjoint)
        return np.concatenate([slope, by_y, by_args])

    def rule(g: Any) -> list[Any]:
        adjoint, by_args = g[-1], np.zeros(flat.shape)
        by_time: list[Any] = [0.0] * len(t)
        for i in range(len(t) - 1, 0, -1):
            moved = np.dot(g[i], func(ans[i], t[i], *unflatten(flat)))
            by_time[i] = by_time[i] + moved
            state = np.concatenate([ans[i], adjoint, by_args])
            before = odeint(backwards, state, np.stack([t[i], t[i - 1]]), (flat,), **kwargs)[1]
            adjoint, by_args = before[n : 2 * n] + g[i - 1], before[2 * n :]
        # Moving the first time moves where the solution starts; the value there is the start's, whatever the time.
        by_time[0] = -np.dot(adjoint - g[0], func(ans[0], t[0], *unflatten(flat)))
        found = {1: adjoint, 2: np.stack([np.asarray(b) for b in by_time]), 3: unflatten(by_args)}
        return [found.get(i) for i in argnums]

    return rule


defvjp_argnums(odeint, _rule)
