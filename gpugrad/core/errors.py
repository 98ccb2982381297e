"""Errors as part of the interface: what was expected, what came, and where in the user's code."""

from __future__ import annotations

import dis
import linecache
import opcode
import os
import sys
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

from .. import backend

_PACKAGE = str(Path(__file__).parent.parent / "_")[:-1]  # with the separator at its end

LIBRARIES = sys.stdlib_module_names | {"cupy", "cupyx", "matplotlib", "numpy", "pandas", "scipy"}
"""Top-level packages whose lines are not the user's."""


class GradientError(RuntimeError):
    """A gradient was asked for that cannot be had: no graph, a graph walked twice, a changed leaf, no rule.

    >>> import gpugrad as gg
    >>> gg.tensor(1.0).backward()  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    gpugrad.core.errors.GradientError: backward: this tensor is not connected to any that needs a gradient ...
    """


class AxisError(ValueError, IndexError):
    """An axis that is not there: a ValueError to NumPy's users, an IndexError in the array API standard.

    >>> import gpugrad as gg
    >>> gg.expand_dims(gg.zeros(2), axis=3)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    gpugrad.core.errors.AxisError: expand_dims: axis 3 is out of bounds for array of dimension 2 ...
    """


def describe(value: Any) -> str:
    """A value in an error message: dtype, shape and device of an array, the number itself otherwise.

    >>> import numpy
    >>> describe(numpy.zeros((2, 3))), describe(2.0)
    ('float64 (2, 3) on cpu', '2.0')
    """
    if backend.is_array(value):
        return f"{value.dtype} {value.shape} on {backend.device_of(value)}"
    text = repr(value)
    return text if len(text) <= 40 else f"{type(value).__name__} {text[:36]}..."


def explain(name: str, error: Exception, values: Iterable[Any]) -> Exception:
    """The error of an array library, told in terms of the operation and its operands."""
    given = list(values)
    operands = ", ".join(describe(value) for value in given)
    if type(error).__name__ == "CompileException" and "complex" in operands:
        return TypeError(f"{name}: not defined for complex numbers on this device [operands: {operands}]")
    ours = type(error).__module__.partition(".")[0] == __name__.partition(".")[0]
    if ours and not isinstance(error, MemoryError):
        raise error  # ours says what there is to say
    kinds = (FloatingPointError, OverflowError, MemoryError, NotImplementedError, ValueError, IndexError, TypeError)
    kind: type[Exception] = next((k for k in kinds if isinstance(error, k)), RuntimeError)
    if isinstance(error, ValueError) and isinstance(error, IndexError):  # numpy.exceptions.AxisError
        kind = AxisError
    if isinstance(error, MemoryError):
        text = str(error)
        if type(error) is not MemoryError:  # an array library's, which says what was asked for
            place = next((backend.device_of(v) for v in given if backend.is_array(v)), None) or backend.default_device()
            text = backend.out_of_memory(error, place, backend.backend_for(place).memory(place))
        return MemoryError(f"{name} [operands: {operands}]: {text}")
    return kind(f"{name}: {error} [operands: {operands}]")


def _callers() -> Iterator[tuple[FrameType, str]]:
    """The frames outside this library, innermost first, each with its top-level package."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if not frame.f_code.co_filename.startswith(_PACKAGE):
            yield frame, str(frame.f_globals.get("__name__", "")).partition(".")[0]
        frame = frame.f_back


_OPERATOR = dis.opmap["BINARY_OP"]
_REMAINDERS = [i for i, (_, symbol) in enumerate(opcode._nb_ops) if symbol in ("%", "%=")]  # type: ignore[attr-defined]


def is_own_file(path: str) -> bool:
    """Whether a file of Python is one of this library."""
    return path.startswith(_PACKAGE)


def is_library(frame: FrameType) -> bool:
    """Whether a frame is one of this library, of the standard library or of the array libraries."""
    package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    return is_own_file(frame.f_code.co_filename) or package in LIBRARIES


def user_line() -> str:
    """The innermost line of the user's code, as ``file:line: source``.

    Frames of this library, of the standard library and of the array libraries are skipped.
    """
    callers = [*_callers()]
    frame = next((f for f, package in callers if package not in LIBRARIES), callers[0][0])
    path, number = frame.f_code.co_filename, frame.f_lineno
    return f"{path}:{number}: {linecache.getline(path, number).strip()}"


def library_function() -> str:
    """The function of NumPy, SciPy or another known library that the user's code called, or ``""``.

    A function of another library is found only if it is written in Python.
    """
    name = ""
    for frame, package in _callers():
        if package not in LIBRARIES:
            break
        if frame.f_code.co_name != "wrapper":
            module = frame.f_globals["__name__"].split(".")[:2]
            part = "" if package == "numpy" or module[-1].startswith("_") or len(module) == 1 else f".{module[1]}"
            name = f"{package}{part}.{frame.f_code.co_name}"
    return name


def formats() -> bool:
    """Whether a conversion to a number was asked for by ``"%.3f" % x``, which prints it, as an f-string does.

    The operator ``%`` asks for a number only to format it: numbers and arrays leave the operands to the Tensor.
    """
    frame = next(_callers())[0]
    code, place = frame.f_code.co_code, frame.f_lasti
    return code[place] == _OPERATOR and code[place + 1] in _REMAINDERS


class Refusal(NamedTuple):
    """A conversion that was refused: the message, and the line that asked for it."""

    text: str
    code: CodeType
    line: int


_last_refusal: ContextVar[Refusal | None] = ContextVar("gpugrad_last_refusal", default=None)


def lost(kind: str, constant: str) -> str:
    """The message for a tensor that needs a gradient and would become a constant of another library.

    Args:
        kind: of object that was asked for.
        constant: the expression for a constant.
    """
    function = library_function()
    constant = "x.detach()" if function.startswith("matplotlib") else constant
    text = (
        f"a tensor that needs a gradient is not converted to {kind} implicitly, the gradient would be lost"
        f"{f' in {function}' if function else ''} [{user_line()}]: use {constant} if you want a constant; to build an "
        "array from tensors use gg.stack, x[i] = v on a tensor x = gg.zeros(...), or 'import gpugrad.numpy as np'"
    )
    if function.startswith("scipy") and os.environ.get("SCIPY_ARRAY_API") != "1":
        text += "; some SciPy functions compute on tensors if SCIPY_ARRAY_API=1 is set before SciPy is imported"
    caller, _ = next(_callers())
    _last_refusal.set(Refusal(text, caller.f_code, caller.f_lineno))
    return text


def refusal_behind(error: Exception) -> GradientError | None:
    """The refused conversion that another library reports as an error of its own, or None.

    It is the cause of ``error``; or, where C code drops the cause, the last one, if the same line raised ``error``.
    """
    reason: BaseException | None = error
    while reason is not None:
        if isinstance(reason, GradientError):
            return GradientError(str(reason))
        reason = reason.__cause__
    last, trace = _last_refusal.get(), error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if last is None or trace is None or (trace.tb_frame.f_code, trace.tb_lineno) != (last.code, last.line):
        return None
    return GradientError(last.text)


def look_closely(name: str, value: Any, line: str) -> None:
    """In debug mode, after each operation: raise what is wrong with its indices, and with what it made."""
    if backend.is_array(value):
        backend.backend_of(value).look(value, line)
        backend.live.note(value, line)
    check_finite(name, value, line)


def check_finite(name: str, value: Any, line: str | None) -> None:
    """In debug mode: raise FloatingPointError at the first NaN or infinity, naming the operation and the line."""
    if not backend.is_array(value) or value.dtype.kind not in "fc":
        return
    host = backend.to_host(value)
    finite = abs(host) < float("inf")
    if not finite.all():
        index = tuple(int(axis[0]) for axis in (~finite).nonzero()) if host.ndim else ()
        where = f", made at {line}" if line else ""
        raise FloatingPointError(f"{name}: the first value that is not finite is {host[index]} at index {index}{where}")
