"""``gg.jit``: a function with its programs, one for each kind of call."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from functools import update_wrapper
from threading import RLock
from typing import Any

import numpy

from .. import backend
from ..backend import BACKENDS
from ..backend.selection import _chosen
from ..core import Tensor
from ..core.errors import user_line
from ..core.modes import autocasting, careful, debugging, inside, observer, recording
from ..random import _instead
from ..transforms.arguments import check_function
from ..transforms.batching.array import current as mapping
from ..transforms.gradient import _inside
from .explain import explained
from .session import Session
from .signature import Taken, static_key, taken_apart
from .surroundings import STATE, Wrapper
from .variant import Given, Variant

_dtype, _device, _in_transform, _generator = backend.default_dtype.get, _chosen.get, _inside.get, _instead.get

MANY = 10
"""Programs of one function from which it is said that there are many."""

MOST = 64
"""Programs that are kept."""


class Programs:
    """The programs of one function, or of one method of one object."""

    def __init__(self) -> None:
        self.found: dict[Any, list[Variant]] = {}
        self.unsettled: set[Any] = set()
        self.last: tuple[Any, list[tuple[Any, Any, Any]], Variant] | None = None
        """The program that was used last, if all its arguments are arrays that came by their places: the modes, and of
        each argument its type, shape and dtype."""
        self.count = 0
        self.lock = RLock()

    def add(self, key: Any, variant: Variant) -> None:
        """Keep one more, and of all only the newest."""
        self.found.setdefault(key, []).insert(0, variant)
        self.count += 1
        if sum(map(len, self.found.values())) > MOST:
            oldest = next(iter(self.found))
            self.found[oldest].pop()
            if not self.found[oldest]:
                del self.found[oldest]

    def __deepcopy__(self, memo: Any) -> Programs:
        return Programs()

    def __reduce__(self) -> tuple[Any, ...]:
        return Programs, ()


class Jitted(Wrapper):
    """A function that is recorded at its first call, and replayed afterwards; see :func:`jit`."""

    def __init__(self, function: Callable[..., Any], static: Sequence[str] = ()) -> None:
        check_function("jit", function)
        if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
            raise TypeError(f"jit: expected a function that returns its value, got the generator or coroutine "
                            f"{function.__name__}")  # fmt: skip
        update_wrapper(self, function)
        self.static = (static,) if isinstance(static, str) else tuple(static)
        try:
            self._signature: inspect.Signature | None = inspect.signature(function)
        except (TypeError, ValueError):
            self._signature = None
        if self.static:
            unknown = [n for n in self.static if self._signature is None or n not in self._signature.parameters]
            if unknown:
                raise TypeError(f"jit: {function} has no parameter {unknown[0]!r} to be static")
        self._programs = Programs()

    def __repr__(self) -> str:
        return f"jit({getattr(self.__wrapped__, '__qualname__', self.__wrapped__)!s})"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call(self._programs, None, args, kwargs)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        found = vars(instance).setdefault(STATE, {})
        name = self.__wrapped__.__name__
        if name not in found:
            found[name] = Programs()
        return Bound(self, instance, found[name])

    def explain(self) -> str:
        """What was recorded, for which calls, and how it is run: to be printed.

        >>> import gpugrad as gg
        >>> f = gg.jit(lambda x: gg.exp(x) * 2)
        >>> _ = f(gg.ones(3))
        >>> print(f.explain())  # doctest: +ELLIPSIS
        jit(<lambda>): 1 program, 1 recorded
        <BLANKLINE>
        program 1 of 1
          holds for: float32 (3,)
          gives: 1 results
        ...
        """
        return explained(repr(self), self._programs)

    # ---------------------------------------------------------------- a call

    def _call(self, programs: Programs, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if programs.last is not None and not kwargs and not careful.on:
            modes, kinds, variant = programs.last
            plain = _plain(args, kinds)
            if plain is not None and modes == _modes():
                with programs.lock:
                    if variant.fits() and not variant.mixes(plain):
                        return variant.run(args, plain)
        function = self.__wrapped__ if instance is None else self.__wrapped__.__get__(instance)
        if careful.on and (backend.recorder() or debugging() or observer() is not None or mapping.get() is not None):
            return function(*args, **kwargs)
        given, statics = self._bound(args, kwargs, instance is not None)
        taken = Taken()
        key = (
            _modes(),
            [static_key(value, name) for name, value in statics] if statics else None,
            [taken.key(value) for value in given[0]],
            [(k, taken.key(given[1][k])) for k in given[1]],
        )
        leaves = taken.leaves
        arrays = [leaf.data if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        if any(BACKENDS[type(a)].whole is not None for a in arrays):
            return function(*args, **kwargs)
        ids = list(map(id, arrays))
        pattern = tuple(map(ids.index, ids)) if len(set(ids)) < len(ids) else None
        key = _hashable((key, pattern))
        with programs.lock:
            found = programs.found.get(key)
            for variant in found or ():
                if variant.fits():
                    if variant.mixes(arrays):
                        return function(*args, **kwargs)
                    if not kwargs and not statics and pattern is None and len(args) == len(leaves):
                        kinds = [_kind(leaf) for leaf in leaves]
                        programs.last = (key[0][0], kinds, variant) if all(kinds) else None
                    return variant.run(leaves, arrays)
            return self._record(programs, key, function, given, statics, taken)

    def _bound(self, args: Any, kwargs: Any, method: bool) -> tuple[tuple[Any, Any], list[tuple[str, Any]]]:
        """Arguments by their place where they have one, without the static ones; and these."""
        if (not kwargs and not self.static) or self._signature is None:
            return (args, kwargs), []
        bound = self._signature.bind(*((None, *args) if method else args), **kwargs)
        if not self.static:
            return (bound.args[1:] if method else bound.args, bound.kwargs), []
        bound.apply_defaults()
        statics = [(name, bound.arguments[name]) for name in self.static]
        for name in self.static:
            bound.arguments[name] = None
        return (bound.args[1:] if method else bound.args, bound.kwargs), statics

    def _record(
        self, programs: Programs, key: Any, function: Any, given: Any, statics: list[tuple[str, Any]], taken: Taken
    ) -> Any:
        found, rebuild = taken_apart(given, lambda value: isinstance(value, Tensor) or backend.is_array(value))
        assert len(found) == len(taken.leaves)

        def call(leaves: Any) -> Any:
            args, kwargs = rebuild(iter(leaves))
            return function(*args, **kwargs) if not statics else self._with(function, args, kwargs, statics)

        roots = [("", function), *[(type(one).__name__.lower(), one) for one in taken.objects]]
        plain = bool(found) and not any(isinstance(leaf, Tensor) for leaf in found)
        value, variant = Session(Given(found, call, roots, plain)).run(key in programs.unsettled)
        if variant is None:
            programs.unsettled.add(key)
        else:
            variant.objects = taken.objects
            programs.add(key, variant)
            if programs.count == MANY:
                warnings.warn(
                    f"{self!r} was recorded {MANY} times, each for other shapes or other values of Python "
                    f"[{user_line()}]: give numbers that change as tensors, and see {self!r}.explain()",
                    RuntimeWarning,
                    stacklevel=4,
                )
        return value

    def _with(self, function: Any, args: Any, kwargs: Any, statics: list[tuple[str, Any]]) -> Any:
        assert self._signature is not None
        method = len(self._signature.parameters) > 0 and inspect.ismethod(function)
        bound = self._signature.bind(*((None, *args) if method else args), **kwargs)
        for name, value in statics:
            bound.arguments[name] = value
        return function(*(bound.args[1:] if method else bound.args), **bound.kwargs)


class Bound:
    """A jitted method of one object."""

    __slots__ = ("__self__", "_jitted", "_programs")

    def __init__(self, jitted: Jitted, instance: Any, programs: Programs) -> None:
        self._jitted, self.__self__, self._programs = jitted, instance, programs

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._jitted._call(self._programs, self.__self__, args, kwargs)

    def explain(self) -> str:
        """As :meth:`Jitted.explain`, of the programs of this object's method."""
        return explained(repr(self), self._programs)

    def __repr__(self) -> str:
        return f"{self._jitted!r} of {type(self.__self__).__name__}"


def _modes() -> tuple[Any, ...]:
    """What a call depends on beside its arguments, and what is around the function."""
    return recording(), autocasting(), _dtype(), _device(), _in_transform(), inside(), _generator()


def _kind(leaf: Any) -> Any:
    """Type, shape and dtype of an argument that is a constant and lies in one piece; None for others."""
    array, kind = (leaf.data, Tensor) if type(leaf) is Tensor and leaf.node is None else (leaf, numpy.ndarray)
    if type(array) is not numpy.ndarray or not array.flags.c_contiguous:
        return None
    return kind, array.shape, array.dtype


def _plain(args: tuple[Any, ...], kinds: list[Any]) -> list[Any] | None:
    """The arrays of arguments that are as they were at the last call; None for others."""
    if len(args) != len(kinds):
        return None
    found = []
    for arg, (kind, shape, dtype) in zip(args, kinds, strict=True):
        if type(arg) is not kind:
            return None
        array = arg
        if kind is Tensor:
            if arg.node is not None:
                return None
            array = arg.data
            if type(array) is not numpy.ndarray:
                return None
        if array.shape != shape or array.dtype is not dtype or not array.flags.c_contiguous:
            return None
        found.append(array)
    if len(found) > 1 and len(set(map(id, found))) < len(found):
        return None
    return found


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list | tuple) else value


def jit(function: Any = None, *, static: str | Sequence[str] = ()) -> Any:
    """``function``, recorded at its first call and replayed afterwards, without its Python.

    The first call with arguments of a kind (shapes, dtypes, devices, nesting, values of Python's numbers) runs
    ``function`` and writes down what happens to arrays, gradients and whole training steps included. The program is
    compiled: on the CPU to machine code, where llvmlite is installed. Later calls run it. Parameters, moments, running
    statistics, learning rates and random numbers go on; nothing has to be listed. What ``function`` reads beside its
    arguments is looked at before each call: another number, mode or tensor there, and it is recorded again, which is
    said from the tenth time on.

    Args:
        function: of Tensors, arrays, numbers, and lists, tuples, dicts and dataclasses of them; also a method, in a
            class body, where each object has programs of its own, and anything else that can be called.
        static: names of parameters whose arguments are no inputs of the program, even if they are arrays: for each
            value of them it is recorded anew.

    Returns:
        A function like it. For plain arrays it gives plain arrays; ``explain()`` tells what was recorded.

    Raises:
        RecordingError (a call): the function asks for a value (``float(x)``, ``if x > 0``, a boolean mask), or does
            what would not happen again; names the line.
        TypeError: it is no function, or has no such parameter.

    Source: ``jax.jit``.

    >>> import gpugrad as gg
    >>> @gg.jit
    ... def f(x, y):
    ...     return gg.sin(x) * y
    >>> f(gg.tensor([0.0, 1.0]), gg.tensor(2.0))
    tensor([0.       , 1.682942])
    >>> w = gg.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = gg.optim.SGD([w], lr=0.5)
    >>> @gg.jit
    ... def step(x):
    ...     optimizer.zero_grad()
    ...     loss = gg.sum(w * x)
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> [step(gg.tensor([1.0, 1.0])).item() for _ in range(3)]
    [3.0, 2.0, 1.0]
    """
    if function is None:
        return lambda decorated: Jitted(decorated, static)
    return Jitted(function, static)
