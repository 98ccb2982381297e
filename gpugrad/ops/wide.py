"""Functions composed of operations that compute with float16 and bfloat16 in float32; see ``kernels/wide.py``."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from ..backend import DType, is_array
from ..backend.dtypes import COMMON, float32
from ..core import Tensor
from ..core.modes import autocasting, careful
from ..kernels.wide import common, short
from .creation import astype

F = TypeVar("F", bound=Callable[..., Any])


def computed_wide(function: F) -> F:
    """Make a function of Tensors compute with short floats in float32, forward and back, and round its results once.

    The results have the short dtype that all floating-point Tensors among the arguments share. With a wider one among
    them they have that. Lists and tuples of Tensors count too.

    >>> import gpugrad as gg
    >>> @computed_wide
    ... def sum_of_squares(x):
    ...     return (x * x).sum()
    >>> sum_of_squares(gg.full(4, 100.0, dtype=gg.float16))
    tensor(4.e+04, dtype=float16)
    """
    return _wide(function, on_host=False)


def full_in_autocast(function: F) -> F:
    """:func:`computed_wide` whose results stay float32 under :class:`gpugrad.autocast`, as those of losses."""
    return _wide(function, on_host=False, cast="float32")


def lower_in_autocast(function: F) -> F:
    """:func:`computed_wide_on_host` for functions that run in float16 or bfloat16 under :class:`gpugrad.autocast`."""
    return _wide(function, on_host=True, cast="lower")


def cast(kind: str, lower: DType, operands: tuple[Any, ...]) -> tuple[Any, ...]:
    """An operation's operands as :class:`gpugrad.autocast` wants them: Tensors and arrays, the others as they are."""
    return tuple([_cast(kind, lower, x) for x in operands])


def _cast(kind: str, lower: DType, x: Any) -> Any:
    if not isinstance(x, Tensor) and not is_array(x):
        return x
    dtype = x.dtype
    if kind == "float32":
        return astype(x, float32) if short(x) else x
    return astype(x, lower) if dtype != lower and (dtype == float32 or short(x)) else x


careful.cast = cast


def computed_wide_on_host(function: F) -> F:
    """:func:`computed_wide` on the CPU only: for products of matrices, which a GPU has units for that sum in float32.

    >>> import gpugrad as gg
    >>> @computed_wide_on_host
    ... def product(x, y):
    ...     return x @ y / 1000
    >>> product(gg.full(4, 200.0, dtype=gg.float16, device="cpu"), gg.full(4, 200.0, dtype=gg.float16, device="cpu"))
    tensor(160., dtype=float16)
    """
    return _wide(function, on_host=True)


def _wide(function: F, on_host: bool, cast: str | None = None) -> F:
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if args and isinstance(args[0], Tensor) and args[0].data.dtype.num <= COMMON:
            return function(*args, **kwargs)
        found = _arrays((args, kwargs))
        if not any(map(short, found)) or (on_host and not all(x.device.is_host for x in found)):
            return function(*args, **kwargs)
        dtype = common(found)
        if careful.on and cast is not None and (lower := autocasting()) is not None:
            if cast == "lower":
                args, kwargs = (_each(given, lambda x: _cast("lower", lower, x)) for given in (args, kwargs))
                if not on_host or not all(x.device.is_host for x in found):
                    return function(*args, **kwargs)
                found, dtype = _arrays((args, kwargs)), lower
            else:
                dtype = None
        wide = {id(x): astype(x, float32) for x in found if short(x)}  # the same object stays one
        args, kwargs = (_each(given, lambda x: wide.get(id(x), x)) for given in (args, kwargs))
        y = function(*args, **kwargs)
        return y if dtype is None else _each(y, lambda x: astype(x, dtype) if x.dtype == float32 else x)

    return call  # type: ignore[return-value]


def _each(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Nested lists, tuples and dictionaries with their Tensors changed."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, dict):
        return {key: _each(part, change) for key, part in value.items()}
    if isinstance(value, list | tuple):
        parts = [_each(part, change) for part in value]
        return parts if isinstance(value, list) else value._make(parts) if hasattr(value, "_make") else tuple(parts)
    return value


def _arrays(value: Any) -> list[Tensor]:
    """The Tensors in nested lists, tuples and dictionaries."""
    found: list[Tensor] = []

    def note(x: Tensor) -> Tensor:
        found.append(x)
        return x

    _each(value, note)
    return found
