"""Arguments of losses where PyTorch has them by position, and integers beside floating-point numbers."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from ... import backend
from ...core import Tensor
from ...core.errors import user_line
from ...ops.creation import asarray, astype

P = ParamSpec("P")
R = TypeVar("R")

LEGACY = ("size_average", "reduce")
"""What PyTorch had before ``reduction``, and keeps the places of."""

BETWEEN = ("eps", "ignore_index")
"""Parameters that PyTorch has between the two."""


def by_position(function: Callable[P, R]) -> Callable[P, R]:
    """Let a loss take what comes by name only in the places that PyTorch has for it, and ``size_average``, ``reduce``.

    ``mse_loss(x, y, None, None, "sum")`` is ``mse_loss(x, y, reduction="sum")``.
    """
    parameters = inspect.signature(function).parameters.values()
    placed = sum(p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters)
    named = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    order = [LEGACY[0], *(n for n in named if n in BETWEEN), LEGACY[1], *(n for n in named if n not in BETWEEN)]

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if len(args) > placed or not kwargs.keys().isdisjoint(LEGACY):
            if len(args) > placed + len(order):
                return function(*args, **kwargs)
            kwargs.update(zip(order, args[placed:], strict=False))
            kwargs = _without_legacy(function.__qualname__, kwargs)
            args = args[:placed]
        return function(*args, **kwargs)

    return call


def _without_legacy(name: str, kwargs: dict[str, Any]) -> dict[str, Any]:
    """``size_average`` and ``reduce`` as a ``reduction``.

    Raises:
        TypeError: one of them is a text, which PyTorch takes for True.
    """
    given = [kwargs.pop(key, None) for key in LEGACY]
    if any(isinstance(value, str) for value in given):
        raise TypeError(f"{name}: in this place PyTorch has size_average: write reduction=... by name [{user_line()}]")
    if given == [None, None]:
        return kwargs
    average, reduce = (value is None or bool(value) for value in given)
    return {**kwargs, "reduction": ("mean" if average else "sum") if reduce else "none"}


def in_floating_point(function: Callable[P, R]) -> Callable[P, R]:
    """Let integers and booleans beside floating-point numbers take their dtype, as in PyTorch.

    Elsewhere NumPy's promotion holds, where float32 and int64 are float64.
    """

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        given = [x for x in (*args, *kwargs.values()) if hasattr(x, "dtype")]
        counts = [x for x in given if x.dtype.kind in "biu"]
        if counts and len(counts) < len(given):
            dtype = next(x.dtype for x in given if x.dtype.kind not in "biu")
            args = tuple(_as(x, dtype) for x in args)
            kwargs = {name: _as(x, dtype) for name, x in kwargs.items()}
        return function(*args, **kwargs)

    return call


def _as(x: Any, dtype: Any) -> Any:
    if not (isinstance(x, Tensor) or backend.is_array(x)) or x.dtype.kind not in "biu":
        return x
    return astype(asarray(x), dtype)
