"""``sgd``, ``rmsprop`` and ``adam`` on nested containers, under the names of ``autograd.misc.optimizers``.

Each takes ``grad(x, i)``, a start, ``callback(x, i, g)`` which is called before a step, and gives the last ``x``. For
training networks, :mod:`gpugrad.optim` has faster ones and more of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from .... import numpy as np
from .flatten import flatten

Step = Callable[[Any, int], Any]

DEFAULT_ITERATIONS = {"sgd": 200, "rmsprop": 100, "adam": 100}


def _on_containers(start: Callable[..., Step]) -> Callable[..., Any]:
    """An optimizer of what its state is begun with: ``start(size, **settings)`` gives ``step(g, i)``, to be added."""

    @wraps(start)
    def optimize(
        grad: Any,
        x0: Any,
        callback: Any = None,
        num_iters: int = DEFAULT_ITERATIONS[start.__name__],
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        x, unflatten = flatten(x0)
        step = start(len(x), *args, **kwargs)
        for i in range(num_iters):
            nested = unflatten(x)
            gradient = grad(nested, i)
            if callback is not None:
                callback(nested, i, gradient)
            x = x + step(flatten(gradient)[0], i)
        return unflatten(x)

    return optimize


@_on_containers
def sgd(size: int, step_size: float = 0.1, mass: float = 0.9) -> Step:
    """Gradient descent with momentum: ``v = mass v - (1 - mass) g``, ``x = x + step_size v``."""
    velocity = [np.zeros(size)]

    def step(g: Any, i: int) -> Any:
        velocity[0] = mass * velocity[0] - (1 - mass) * g
        return step_size * velocity[0]

    return step


@_on_containers
def rmsprop(size: int, step_size: float = 0.1, gamma: float = 0.9, eps: float = 1e-8) -> Step:
    """``s = gamma s + (1 - gamma) g^2`` from 1, ``x = x - step_size g / (sqrt(s) + eps)``."""
    square = [np.ones(size)]

    def step(g: Any, i: int) -> Any:
        square[0] = gamma * square[0] + (1 - gamma) * g**2
        return -step_size * g / (np.sqrt(square[0]) + eps)

    return step


@_on_containers
def adam(size: int, step_size: float = 0.001, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> Step:
    """Adam: Kingma and Ba 2015."""
    moments = [np.zeros(size), np.zeros(size)]

    def step(g: Any, i: int) -> Any:
        moments[0] = b1 * moments[0] + (1 - b1) * g
        moments[1] = b2 * moments[1] + (1 - b2) * g**2
        mean, square = moments[0] / (1 - b1 ** (i + 1)), moments[1] / (1 - b2 ** (i + 1))
        return -step_size * mean / (np.sqrt(square) + eps)

    return step
