"""A fused function: its reference on ``xp``, and CUDA sources that do the same in one launch."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, TypeVar

from ..backend import BACKENDS, Backend, Namespace, is_short
from ..backend.dtypes import COMMON
from .wide import common, rounded, wider

Plan = TypeVar("Plan")

REGISTRY: dict[str, Kernel] = {}
"""Every kernel of the library by name; the compile checks and the comparison with the references go through it."""

WHOLE: dict[str, Callable[..., Any]] = {}
"""What else a namespace may see whole (:func:`seen_whole`), by name: functions without a CUDA source of their own."""

BLOCK = 256
"""Threads in a block, where nothing else is said."""

MOST_PLANS = 4096
"""Number of combinations of dtypes, shapes and strides that a kernel remembers."""


def named(name: str, function: Callable[..., Any]) -> None:
    """Let a function be found by its name, where a namespace has written down that it was called.

    Raises:
        ValueError: another one has that name.
    """
    if name in REGISTRY or name in WHOLE:
        raise ValueError(f"there are two kernels {name}")
    WHOLE[name] = function


def remember(plans: dict[Any, Plan], key: Any, plan: Plan) -> Plan:
    """Keep how a kernel is launched on arrays of certain dtypes, shapes and strides."""
    if len(plans) >= MOST_PLANS:
        plans.clear()
    plans[key] = plan
    return plan


def nothing(threads: int, arguments: tuple[Any, ...], shared: int, block: int) -> None:
    """Launch a kernel on empty arrays."""


def seen_whole(xp: Namespace) -> Any:
    """The method by which a namespace sees kernels whole, or None.

    Modules of functions are not asked: NumPy takes a microsecond to say that it has no such thing.
    """
    return None if type(xp) is ModuleType else getattr(xp, "__kernel__", None)


class Kernel:
    """A function ``kernel(xp, *arrays, *scalars)``: a reference, and what a backend that compiles runs instead.

    On any other array library, where the sources do not apply to the arrays, and when recorded (``xp`` is gpugrad),
    the reference runs. Complex numbers are refused: they have no order, and few of these functions.
    Short floats are computed with in float32, by the sources as by the reference. Of several results the first is
    rounded to the dtype of the arrays; the others, which are for gradient rules, stay in float32.
    A namespace that wants to see kernels whole has a method ``__kernel__(kernel, arguments)``.
    """

    least = sys.maxsize
    """The fewest elements of the first array for which :meth:`compiled` is asked."""

    def __init__(self, reference: Callable[..., Any], name: str | None = None) -> None:
        self.name = name or reference.__name__
        self.reference = reference
        self.routine: Callable[..., Any] | None = None
        self.rounds = 1
        """How many of several results are rounded to the short dtype of the arrays."""
        self.__doc__ = reference.__doc__
        parameters = list(inspect.signature(reference).parameters.values())[1:]
        self.arrays = tuple(p.name for p in parameters if p.kind is p.POSITIONAL_ONLY)
        self.scalars = tuple(p.name for p in parameters if p.kind is not p.POSITIONAL_ONLY)

    def __call__(self, xp: Namespace, *arguments: Any) -> Any:
        first = arguments[0]
        owner = BACKENDS.get(type(first))
        if owner is not None and type(xp) is ModuleType:  # the short way; the sources and routines know no rare dtypes
            if owner.compiles:
                result = self.launch(xp, owner, arguments)
            elif owner.routines:
                result = self.compiled(arguments) if first.size >= self.least else NotImplemented
                if result is NotImplemented and self.routine is not None:
                    result = self.routine(*arguments)
            else:
                result = NotImplemented
            if result is not NotImplemented:
                return result
        dtype = getattr(first, "dtype", None)
        rare: Any = dtype if dtype is not None and dtype.num > COMMON else None
        if rare is not None and rare.kind == "c":
            raise TypeError(f"{self.name}: expected real numbers, got {dtype}")
        whole = seen_whole(xp)
        if whole is not None:
            return whole(self, arguments)
        if owner is not None and owner.compiles and type(xp) is not ModuleType:
            result = self.launch(xp, owner, arguments)
            if result is not NotImplemented:
                return result
        if rare is not None and is_short(rare):
            return self._wide(xp, arguments)
        return self.reference(xp, *arguments)

    def _wide(self, xp: Namespace, arguments: tuple[Any, ...]) -> Any:
        """The kernel on short floats, through float32."""
        result = self(xp, *(wider(xp, a) for a in arguments))
        short = common(arguments)
        if isinstance(result, tuple):
            return *(rounded(xp, part, short) for part in result[: self.rounds]), *result[self.rounds :]
        return rounded(xp, result, short)

    def on_host(self, routine: Callable[..., Any]) -> Callable[..., Any]:
        """Declare a hand-written NumPy routine that does the same faster; it may give NotImplemented."""
        self.routine = routine
        return routine

    def compiled(self, arguments: tuple[Any, ...]) -> Any:
        """Run machine code for the CPU that fits the arguments; NotImplemented if there is none."""
        return NotImplemented

    def launch(self, xp: Namespace, owner: Backend, arguments: tuple[Any, ...]) -> Any:
        """Run the CUDA source that fits the arguments; NotImplemented if none does."""
        raise NotImplementedError

    def sources(self) -> Iterator[tuple[str, str]]:
        """Every ``(variant, CUDA source)`` that this kernel can ask for, for the compile checks."""
        raise NotImplementedError
