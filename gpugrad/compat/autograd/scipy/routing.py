"""A module of SciPy whose functions go to gpugrad where they are given a Tensor."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any

from ....core import Tensor
from ....core.errors import GradientError


def routed(scipy: ModuleType, ours: ModuleType, name: str) -> Any:
    """What stands under a name of SciPy's.

    Raises:
        AttributeError: SciPy has no such name.
    """
    value = getattr(scipy, name)
    if isinstance(value, type | ModuleType) or not callable(value):
        return value
    other = getattr(ours, name, None)

    @wraps(value, updated=())
    def function(*args: Any, **kwargs: Any) -> Any:
        if not any(map(_holds_tensor, (*args, *kwargs.values()))):
            return value(*args, **kwargs)
        if other is None:
            return refused(value, scipy.__name__, name, args, kwargs)
        return other(*args, **kwargs)

    return function


def refused(value: Callable[..., Any], module: str, name: str, args: Any, kwargs: Any) -> Any:
    """A function that gpugrad has not: an error where a gradient would be lost, else SciPy's."""
    if any(_needs_gradient(x) for x in (*args, *kwargs.values())):
        raise GradientError(
            f"gpugrad has no {module}.{name}: declare its gradient with primitive and defvjp of "
            "gpugrad.compat.autograd.extend"
        )
    plain = [x.numpy() if isinstance(x, Tensor) else x for x in args]
    return value(*plain, **{k: x.numpy() if isinstance(x, Tensor) else x for k, x in kwargs.items()})


def _holds_tensor(value: Any) -> bool:
    return isinstance(value, Tensor) or (type(value) in (list, tuple) and any(map(_holds_tensor, value)))


def _needs_gradient(value: Any) -> bool:
    if type(value) in (list, tuple):
        return any(map(_needs_gradient, value))
    return isinstance(value, Tensor) and value.requires_grad
