"""Classes of NumPy that know Tensors: ``isinstance(t, np.ndarray)``, ``np.float64(t)``, ``np.vectorize``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy

from .. import backend
from ..core import Tensor
from ..core.errors import user_line
from ..ops import creation
from . import arrays
from .arrays import inside
from .nested import LISTS, holds_tensors


class Standing(type):
    """The class of a class that stands for one of NumPy: equal to it, with the same instances, and for Tensors too."""

    original: Any

    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> Any:
        if any(isinstance(base, Standing) for base in bases):  # a user's subclass is one of NumPy's class
            originals = tuple(base.original if isinstance(base, Standing) else base for base in bases)
            return type(originals[0])(name, originals, body)
        made = super().__new__(cls, name, bases, body)
        made.original = bases[0]
        return made

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if args and cls.original is not numpy.ndarray:
            value = args[0]
            if isinstance(value, Tensor):
                return creation.astype(value, cls.original)
            if type(value) in LISTS and holds_tensors(value):
                return arrays.array(value, cls.original)
        y = cls.original(*args, **kwargs)
        return y if inside() is None else arrays.made(y)

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, cls.original) or (cls.original is numpy.ndarray and isinstance(value, Tensor))

    def __subclasscheck__(cls, kind: type) -> bool:
        return type.__subclasscheck__(cls.original, kind) or (
            cls.original is numpy.ndarray and type.__subclasscheck__(Tensor, kind)
        )

    def __eq__(cls, other: object) -> bool:
        return other is cls or other is cls.original

    def __hash__(cls) -> int:
        return hash(cls.original)


def _standing(kind: type) -> Any:
    body = {"__module__": __package__, "__doc__": kind.__doc__, "__slots__": ()}
    return Standing(kind.__name__, (kind,), body)


NAMES = (
    "float16", "float32", "float64", "longdouble", "complex64", "complex128", "clongdouble", "int8", "int16", "int32",
    "int64", "uint8", "uint16", "uint32", "uint64", "ndarray",
)  # fmt: skip
STANDING: dict[type, Any] = {getattr(numpy, name): _standing(getattr(numpy, name)) for name in NAMES}
"""The class that stands for each class of NumPy."""

backend.register_array_type(STANDING[numpy.ndarray], numpy, backend.backend_of(numpy.zeros(())))


NUMBERS = (bool, int, float, complex)


class Box:
    """A value that NumPy carries about without looking into it."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def _boxed(value: Any) -> Any:
    """A Tensor as an array of objects, one for each element; anything else as it is."""
    if isinstance(value, tuple):
        return tuple(map(_boxed, value))
    if not isinstance(value, Tensor):
        return value
    boxes = numpy.empty(value.shape, object)
    for place in numpy.ndindex(value.shape):
        boxes[place] = Box(value[place])
    return boxes if value.shape else boxes[()]


def _result(value: Any) -> Any:
    """What a function returned, boxed; numbers too, because NumPy takes the dtype of the first result for all."""
    if isinstance(value, tuple):
        return tuple(map(_result, value))
    return _boxed(value) if isinstance(value, Tensor) or numpy.ndim(value) else Box(value)


def _check_first(part: Any) -> None:
    """Refuse an integer before other numbers.

    Raises:
        TypeError: NumPy would take the dtype of the first result for all, and truncate them; names the line.
    """
    values = [box.value if isinstance(box, Box) else box for box in numpy.asarray(part, object).ravel()]
    kinds = [
        getattr(v, "dtype", numpy.dtype(type(v))).kind for v in values if hasattr(v, "dtype") or type(v) in NUMBERS
    ]
    if kinds and kinds[0] in "biu" and not set(kinds) <= {*"biu"}:
        raise TypeError(
            "np.vectorize: the first result is an integer, and NumPy makes all results integers: return a float, such "
            f"as 0.0, or pass otypes=[float] [{user_line()}]"
        )


def _unboxed(value: Any) -> Any:
    if isinstance(value, Box):
        return value.value
    if isinstance(value, numpy.ndarray) and value.dtype == object:
        return _unboxed(value.tolist())
    return [_unboxed(v) for v in value] if isinstance(value, list) else value


class vectorize(numpy.vectorize):  # noqa: N801
    """``numpy.vectorize``, for functions of Tensors and functions that return Tensors."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function of each element."""
        plain = inside() is None and not any(isinstance(v, Tensor) for v in (*args, *kwargs.values()))
        if plain or not callable(self.pyfunc):
            return super().__call__(*args, **kwargs)
        types = self.otypes

        def f(*given: Any, **named: Any) -> Any:
            values = [arrays.array(v) if type(v) is list else v for v in map(_unboxed, given)]
            return _result(self.pyfunc(*values, **{key: _unboxed(value) for key, value in named.items()}))

        over = numpy.vectorize(f, otypes=None if types is None else "O" * len(types), excluded=self.excluded,
                               signature=self.signature)  # fmt: skip
        left = {*self.excluded}
        y = over(
            *(v if i in left else _boxed(v) for i, v in enumerate(args)),
            **{key: v if key in left else _boxed(v) for key, v in kwargs.items()},
        )
        several = isinstance(y, tuple)
        if types is None:
            for part in y if several else (y,):
                _check_first(part)
        done = [
            arrays.array(_unboxed(part), types[i] if types else None) for i, part in enumerate(y if several else (y,))
        ]
        return tuple(done) if several else done[0]


class ndenumerate(numpy.ndenumerate):  # noqa: N801
    """``numpy.ndenumerate``; the elements of a Tensor are Tensors."""

    def __new__(cls, arr: Any) -> Any:
        return _numbered(arr) if isinstance(arr, Tensor) else super().__new__(cls)


def _numbered(x: Tensor) -> Iterator[tuple[tuple[int, ...], Tensor]]:
    return ((place, x[place]) for place in numpy.ndindex(x.shape))


def nditer(op: Any, *args: Any, **kwargs: Any) -> Any:
    """``numpy.nditer``; refused for Tensors that it would write to, because it writes to copies.

    Raises:
        TypeError: an operand is a Tensor, and the flags of one ask for writing; names the line.
    """
    flags = str(kwargs.get("op_flags", args[1:2]))
    if "write" in flags and any(isinstance(v, Tensor) for v in (op if isinstance(op, list | tuple) else (op,))):
        raise TypeError(
            f"np.nditer: a write would not reach the tensor: use x[i] = v, i in np.ndindex(x.shape) [{user_line()}]"
        )
    return numpy.nditer(op, *args, **kwargs)


OWN: dict[str, Any] = {"vectorize": vectorize, "ndenumerate": ndenumerate, "nditer": nditer}
