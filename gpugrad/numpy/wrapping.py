"""Which object :mod:`gpugrad.numpy` has under each name of NumPy, found by what NumPy has there."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial, update_wrapper
from importlib import import_module
from types import FunctionType, ModuleType
from typing import Any

import numpy

from .. import backend
from ..core import Tensor, modes
from ..ops.protocols import MissingError
from . import arrays, classes, sampling
from .arrays import inside, made
from .nested import LISTS, assembled, holds_tensors
from .ufuncs import Ufunc

CREATORS = {
    "bartlett", "blackman", "diag_indices", "empty", "eye", "fftfreq", "frombuffer", "fromfile", "fromfunction",
    "fromstring", "genfromtxt", "hamming", "hanning", "identity", "indices", "kaiser", "loadtxt", "mask_indices",
    "ones", "rfftfreq", "tri", "tril_indices", "triu_indices", "zeros",
}  # fmt: skip
"""Functions that make arrays of numbers, and look at no other array."""

BUILDERS = {
    "append", "block", "column_stack", "concat", "concatenate", "copy", "delete", "diag", "diagflat",
    "diag_indices_from", "dstack", "empty_like", "geomspace", "hstack", "insert", "ix_", "kron", "linspace", "logspace",
    "meshgrid", "ones_like", "outer", "pad", "repeat", "row_stack", "stack", "tile", "tril", "tril_indices_from",
    "triu", "triu_indices_from", "vander", "vstack", "zeros_like",
}  # fmt: skip
"""Functions that make new arrays of others."""

SEQUENCES = {
    "broadcast_arrays", "choose", "column_stack", "concat", "concatenate", "dstack", "hstack", "meshgrid",
    "multi_dot", "piecewise", "row_stack", "select", "stack", "vstack",
}  # fmt: skip
"""Functions for which a list is several arrays, not one."""

NESTED = {"block"}
"""Functions that look through nested lists themselves."""

APPLIED = {"apply_along_axis": 2, "apply_over_axes": 1, "piecewise": 0}
"""Functions that call a function of the user's, which may return Tensors: the place of their array."""

AVERAGES = {"average", "mean", "nanmean", "std", "var"}
"""Functions that give floating-point numbers for integers and booleans: float64, where gpugrad's have its default."""

OWN: dict[str, Any] = {**arrays.OWN, **classes.OWN}


def named(library: ModuleType, name: str) -> Any:
    """What stands under a name of NumPy, or of one of its modules.

    >>> named(numpy, "sin") == numpy.sin, named(numpy, "pi")
    (True, 3.141592653589793)
    """
    root = library is numpy
    if root and name in ("linalg", "fft", "random"):
        return import_module(f"{__package__}.{name}")
    try:
        value = getattr(library, name)
    except AttributeError as error:
        raise AttributeError(f"module {library.__name__!r} has no attribute {name!r}") from error
    if root and name in OWN:
        return _placed(OWN[name], library, value) if isinstance(OWN[name], FunctionType) else OWN[name]
    if isinstance(value, type):
        return classes.STANDING.get(value, value)
    if name.startswith("_") or isinstance(value, ModuleType) or not callable(value):
        return value
    if isinstance(value, numpy.ufunc):
        return _ufunc(value)
    return _function(library, value)


_ufunc = cache(Ufunc)


@cache
def _function(library: ModuleType, value: Any) -> Any:
    """What stands for a function; one for all its names, such as ``concat`` and ``concatenate``."""
    name = getattr(value, "__name__", "")
    if library is numpy.random:
        if name == "shuffle":
            return _placed(sampling.shuffle, library, value)
        return _placed(sampling.sampler(name, value), library, value) if name in sampling.SAMPLERS else value
    if name in CREATORS:
        return _placed(creator(value), library, value)
    return _placed(wrapped(name, value), library, value) if hasattr(value, "_implementation") else value


def _placed(function: Callable[..., Any], library: ModuleType, original: Any) -> Callable[..., Any]:
    """With the name and documentation of NumPy's function, and the address of ours, so that it can be pickled."""
    update_wrapper(function, original)
    function.__qualname__ = original.__name__
    function.__module__ = f"{__package__}{library.__name__.removeprefix('numpy')}"
    return function


def creator(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that makes arrays: inside a transform, Tensors."""

    def create(*args: Any, **kwargs: Any) -> Any:
        if inside() is None:
            return function(*args, **kwargs)
        return made(function(*args, **kwargs))

    return create


def wrapped(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of NumPy, for lists that hold Tensors too; if it builds arrays, for Tensors inside a transform."""
    together = None if name in NESTED else name not in SEQUENCES
    function = _averaging(function) if name in AVERAGES else function
    if name in BUILDERS or name in APPLIED:
        general = partial(_general, function, together, APPLIED.get(name, -1))

        def build(*args: Any, **kwargs: Any) -> Any:
            if inside() is not None:
                return general(args, kwargs)
            for value in args:
                if type(value) in LISTS and holds_tensors(value):
                    return general(args, kwargs)
            if kwargs:
                return general(args, kwargs)
            return function(*args)

        return build

    general = partial(_general, function, together, None)

    def call(*args: Any, **kwargs: Any) -> Any:
        for value in args:
            if type(value) in LISTS and holds_tensors(value):
                return general(args, kwargs)
        if kwargs:
            for value in kwargs.values():
                if type(value) in LISTS and holds_tensors(value):
                    return general(args, kwargs)
        try:
            return function(*args, **kwargs)
        except MissingError:
            return _constant(function, args, kwargs)

    return call


def _averaging(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of NumPy, whose results for Tensors of integers and booleans are float64, as for its own arrays."""

    def average(*args: Any, **kwargs: Any) -> Any:
        x = args[0] if args else kwargs.get("a")
        if isinstance(x, Tensor) and x.dtype.kind in "biu":
            with modes.default_dtype(backend.dtypes.float64):
                return function(*args, **kwargs)
        return function(*args, **kwargs)

    return average


def _general(
    function: Callable[..., Any],
    together: bool | None,
    applied: int | None,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """A call in every case.

    Args:
        function: NumPy's.
        together: a list is one array; else it is several, or (None) is left to the function.
        applied: None, or the function builds new arrays: the place of an array that the user's function is called
            with, or -1.
        args: of the call.
        kwargs: of the call.
    """
    given = [_list(value, together) for value in args]
    named = {key: _list(value, together) for key, value in kwargs.items()}
    if applied is not None and 0 <= applied < len(given) and inside() is not None:
        given[applied] = arrays.array(given[applied])
    try:
        y = function(*given, **named)
    except MissingError:
        return _constant(function, tuple(given), named)
    return y if applied is None else made(y)


def _list(value: Any, together: bool | None) -> Any:
    """A list of Tensors as one Tensor, or as several things, each an array or a Tensor."""
    if together is None or type(value) not in LISTS or not holds_tensors(value):
        return value
    return assembled(value) if together else [_list(v, True) for v in value]


def _constant(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What gpugrad has no function for, where no gradient is needed: computed by NumPy.

    Raises:
        MissingError: a tensor is not in the memory of the CPU.
    """

    def plain(value: Any) -> Any:
        if type(value) in LISTS:
            return type(value)(map(plain, value))
        return value.__array__() if isinstance(value, Tensor) else value

    return made(function(*map(plain, args), **{key: plain(value) for key, value in kwargs.items()}))
