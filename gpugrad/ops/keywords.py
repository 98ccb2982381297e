"""The arguments of NumPy's functions as gpugrad's take them, carried over by the two signatures.

NumPy has signatures for its functions in C from version 2.4 on. ``SIGNATURES`` has them for earlier versions; a test
compares the two.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy

from .. import backend
from ..core import Tensor, dispatch
from ..core.errors import user_line
from ..core.operation import OPERATIONS, Primitive
from ..core.temporary import check_target
from . import creation, inplace, nested, pytorch
from .inspection import can_cast
from .nested import LISTS

PARAMETERS = {"a_max": "max", "a_min": "min", "ddof": "correction"}
"""Parameters of NumPy that gpugrad calls otherwise."""

PLACED = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
ONLY_HOW = {"kind", "assume_unique", "overwrite_input", "subok"}
"""Parameters that choose an algorithm or a class, not a result; a function of ours that has one decides for itself."""

ORDER_COUNTS = {"reshape", "ravel", "sort", "argsort", "partition", "argpartition"}
"""Functions whose ``order`` changes the result; elsewhere it is the layout in memory."""

CASTINGS = ("safe", "same_kind", "unsafe")

ARRAYS = ("Array", "Array | None")
"""Annotations of the parameters for which NumPy takes lists."""

MODULES = (numpy, numpy.linalg, numpy.fft)

WRITES = " would write into an array, and no gradient comes back through one: write a = a + t for a += t, " \
         "or x[i] = v on a Tensor"  # fmt: skip

SIGNATURES: dict[str, Callable[..., None]] = {
    "array": lambda object, dtype=None, *, copy=True, order="K", subok=False, ndmin=0, ndmax=0, like=None: None,
    "asarray": lambda a, dtype=None, order=None, *, device=None, copy=None, like=None: None,
    "asanyarray": lambda a, dtype=None, order=None, *, device=None, copy=None, like=None: None,
    "ascontiguousarray": lambda a, dtype=None, *, like=None: None,
    "asfortranarray": lambda a, dtype=None, *, like=None: None,
    "bincount": lambda x, /, weights=None, minlength=0: None,
    "can_cast": lambda from_, to, casting="safe": None,
    "concatenate": lambda arrays, /, axis=0, out=None, *, dtype=None, casting="same_kind": None,
    "dot": lambda a, b, out=None: None,
    "empty": lambda shape, dtype=None, order="C", *, device=None, like=None: None,
    "empty_like": lambda prototype, /, dtype=None, order="K", subok=True, shape=None, *, device=None: None,
    "inner": lambda a, b, /: None,
    "lexsort": lambda keys, axis=-1: None,
    "ravel_multi_index": lambda multi_index, dims, mode="raise", order="C": None,
    "result_type": lambda *arrays_and_dtypes: None,
    "unravel_index": lambda indices, shape, order="C": None,
    "vdot": lambda a, b, /: None,
    "where": lambda condition, x=None, y=None, /: None,
    "zeros": lambda shape, dtype=None, order="C", *, device=None, like=None: None,
}
"""Signatures of NumPy's functions in C, by name."""


@cache
def _bindable(function: Callable[..., Any]) -> inspect.Signature:
    known = SIGNATURES.get(getattr(function, "__name__", ""))
    try:
        return inspect.signature(function)
    except ValueError:
        if known is None:
            raise
        return inspect.signature(known)


@cache
def signature(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The parameters of a function by name, of NumPy's functions in C too."""
    return dict(_bindable(function).parameters)


@cache
def count(function: Callable[..., Any]) -> int:
    """How many arguments a function takes by position."""
    return sum(p.kind in PLACED for p in signature(function).values())


def carried(
    name: str, function: Any, ours: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of NumPy's function as gpugrad's takes them; what is at NumPy's default is left to ours."""
    several: list[Any] = []
    named: dict[str, Any] = {}
    dtype, casting = None, "same_kind" if "casting" in signature(function) else "unsafe"
    places = _places(function, ours, len(args), tuple(kwargs))
    for (parameter, place, default), value in zip(places, (*args, *kwargs.values()), strict=True):
        if place == "*":
            several.append(value)
        elif (
            is_default(value, default)
            or (parameter in ONLY_HOW and not place)
            or _only_layout(function, parameter, value)
        ):
            continue
        elif place:
            named[place] = value
        elif parameter == "dtype":
            dtype = value
        elif parameter == "casting" and value in CASTINGS:
            casting = value
        elif parameter == "copy" and (value is not False or function.__name__ != "nan_to_num"):
            continue
        else:
            writes = WRITES if parameter == "out" else f"{value!r} is not known to gpugrad.{ours.__name__}"
            raise TypeError(f"{name}: {parameter}={writes} [{user_line()}]")
    placed = (*PLACED, inspect.Parameter.VAR_POSITIONAL)
    mine = signature(ours)
    lists = [
        n
        for n, v in named.items()
        if n in mine and mine[n].annotation in ARRAYS and (type(v) in LISTS or nested.is_table(v))
    ]
    others = [v for v in (*args, *kwargs.values()) if hasattr(v, "dtype") and not nested.is_table(v)] if lists else []
    named.update((n, nested.constant(name, named[n], others)) for n in lists)
    first = [*itertools.takewhile(lambda n: n in named and mine[n].kind in placed, mine)]
    arrays = [*map(named.pop, first), *several]
    if dtype is not None:  # what ours computes in the dtype of its input
        for i, parameter in enumerate(first):
            if i == 0 or mine[parameter].annotation in ARRAYS:
                arrays[i] = cast(name, arrays[i], dtype, casting)
    return arrays, named


def _only_layout(function: Any, parameter: str, value: Any) -> bool:
    return parameter == "order" and value in ("C", "F", "A", "K") and function.__name__ not in ORDER_COUNTS


def cast(name: str, value: Any, dtype: Any, casting: str) -> Any:
    """An array, or a list of them, in another dtype that NumPy's rule allows."""
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return [cast(name, entry, dtype, casting) for entry in value]
    if not hasattr(value, "dtype"):
        return creation.asarray(value, dtype=dtype)
    array = creation.asarray(value)
    if not can_cast(array.dtype, dtype, casting):
        raise TypeError(f"{name}: {array.dtype} becomes no {backend.as_dtype(dtype)} by casting={casting!r}; "
                        f"write x.astype(...) [{user_line()}]")  # fmt: skip
    return creation.astype(array, dtype)


@cache
def _places(
    function: Any, ours: Callable[..., Any], count: int, names: tuple[str, ...]
) -> tuple[tuple[str, str, Any], ...]:
    """Where each argument of a call goes: NumPy's parameter, ours (``""``: there is none), and NumPy's default.

    Parameters of the same name correspond; the others, which are mostly the arrays, by their order.
    """
    theirs, mine = signature(function), signature(ours)
    unnamed = (n for n, p in mine.items() if n not in theirs and p.kind in PLACED)
    others = (n for n, p in theirs.items() if n not in mine and n not in PARAMETERS and p.kind in PLACED)
    renamed = {**PARAMETERS, **dict(zip(others, unnamed, strict=False))}
    rows: dict[Any, tuple[str, str, Any]] = {}
    given = _bindable(function).bind(*range(count), **dict(zip(names, names, strict=True))).arguments
    for parameter, key in given.items():
        p, place = theirs[parameter], parameter if parameter in mine else renamed.get(parameter, parameter)
        if p.kind is p.VAR_POSITIONAL:
            rows.update((k, (parameter, "*", p.empty)) for k in key)
        elif p.kind is p.VAR_KEYWORD:
            ours_too = any(q.kind is q.VAR_KEYWORD for q in mine.values())
            rows.update((k, (k, k if ours_too or k in mine else "", p.empty)) for k in key)
        else:
            rows[key] = (parameter, place if place in mine else "", p.default)
    return tuple(rows[key] for key in (*range(count), *names))


def is_default(value: Any, default: Any) -> bool:
    """Whether an argument says no more than leaving it out would."""
    return value is default or (isinstance(value, bool | int | float | str) and type(default) is type(value)
                                and value == default)  # fmt: skip


def _into(out: Any, call: Callable[[], Any]) -> Any:
    """The result of a call, written to a Tensor that was given as ``out``."""
    check_target(out, "a.sum(..., out=b[0])")
    y = call()
    inplace.take(out, y)
    return out


def respelled(op: Primitive, args: tuple[Any, ...], kwargs: dict[str, Any], error: TypeError) -> Any:
    """A call with keywords that the operation does not declare: its further ones, or those of NumPy's function.

    More arguments by position than the operation has are those of NumPy's function too: ``x.sum(0, None, None, True)``.
    So ``x.std(ddof=1)`` and ``x.clip(a_min=0)`` are what ``numpy.std(x, ddof=1)`` and ``numpy.clip(x, a_min=0)`` are.

    Raises:
        TypeError: NumPy's function does not take them either; or an array would be written to.
    """
    ours = OPERATIONS.get(f"{op.forward.__module__}.{op.forward.__qualname__}")
    if ours is not None and (found := pytorch.respelled(op.name, ours, args, kwargs)) is not NotImplemented:
        return found
    known = {} if ours is None else signature(ours)
    out = kwargs.get("out")
    if isinstance(out, Tensor) and ours is not None:
        return _into(out, lambda: ours(*args, **{k: v for k, v in kwargs.items() if k != "out"}))
    more = kwargs.keys() - op.params.keys()
    given = (*args[1:], *kwargs.values())
    variable = bool(op.variable) and any(isinstance(v, Tensor) for v in given)
    if op.further is not None and args and more <= known.keys() and (more or variable or len(args) < len(op.inputs)):
        return op.further(*args, **kwargs)
    function = next((f for f in (getattr(m, op.name, None) for m in MODULES) if hasattr(f, "_implementation")), None)
    if ours is None or not args or function is None or not (kwargs or _more(op, args)):
        raise error
    try:
        _bindable(function).bind(*args, **kwargs)
    except TypeError:
        raise error from None
    try:
        arrays, named = carried(f"{function.__module__}.{op.name}", function, ours, args, kwargs)
    except TypeError:
        if kwargs:
            raise
        raise error from None
    if named == kwargs and len(arrays) == len(args):
        raise error
    return ours(*arrays, **named)


def _more(op: Primitive, args: tuple[Any, ...]) -> bool:
    """Whether there are more arguments by position than the operation has."""
    return len(args) > len(op.inputs) + len(op.positional)


def called(ours: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """A function composed of operations, with the arguments of NumPy's function of the same name."""
    out = kwargs.get("out")
    if isinstance(out, Tensor):
        return _into(out, lambda: called(ours, *args, **{k: v for k, v in kwargs.items() if k != "out"}))
    function = getattr(numpy, ours.__name__)
    arrays, named = carried(f"numpy.{ours.__name__}", function, ours, args, kwargs)
    return ours(*arrays, **named)


def bind() -> None:
    """Let operations take lists, and NumPy's keywords."""
    dispatch.array_likes.operands = nested.operands
    dispatch.array_likes.respelled = respelled
