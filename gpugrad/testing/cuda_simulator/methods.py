"""The methods and operators of the simulated array, on the simulated functions."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy

from .array import PYTHON_SCALARS, change, check_device, check_dtype, copied, fresh, ndarray, view_of
from .calls import run, unwrap
from .indexing import scatter
from .state import counters

AS_FUNCTIONS = """
all any argmax argmin argpartition argsort choose cumprod cumsum diagonal dot max mean min nonzero prod ptp put
ravel repeat round searchsorted squeeze std sum swapaxes take trace var
"""
BINARY = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide", "floordiv": "floor_divide",
    "mod": "remainder", "divmod": "divmod", "pow": "power", "lshift": "left_shift", "rshift": "right_shift",
    "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor",
}  # fmt: skip
COMPARE = {"lt": "less", "le": "less_equal", "eq": "equal", "ne": "not_equal", "gt": "greater", "ge": "greater_equal"}
UNARY = {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}


def attach(functions: dict[str, Any]) -> None:
    """Give the array class its methods."""
    for name in AS_FUNCTIONS.split():
        _set(name, _method(functions[name]))
    for name, function in UNARY.items():
        _set(f"__{name}__", _unary(functions[function]))
    for name, function in (BINARY | COMPARE).items():
        forward, backward = _binary(functions[function], getattr(numpy, function))
        _set(f"__{name}__", forward)
        if name in BINARY:
            _set(f"__r{name}__", backward)
            if name != "divmod":
                _set(f"__i{name}__", _in_place(functions[function]))
    forward, backward = _matmul(functions["matmul"])
    _set("__matmul__", forward)
    _set("__rmatmul__", backward)
    for name, method in OWN.items():
        _set(name, method if callable(method) else property(*method))
    clipped = functions["clip"]
    conjugated = functions["conj"]
    _set("conj", lambda self: conjugated(self) if self.dtype.kind == "c" else self)
    ndarray.conjugate = ndarray.conj  # type: ignore[attr-defined]
    _set("clip", lambda self, min=None, max=None, out=None: clipped(self, min, max, out))
    compress = functions["compress"]
    _set("compress", lambda self, condition, axis=None, out=None: compress(condition, self, axis, out))
    transposed, reshaped = functions["transpose"], functions["reshape"]
    _set("transpose", lambda self, *axes: transposed(self, _one(axes) if axes else None))
    _set("reshape", lambda self, *shape, order="C", copy=None: reshaped(self, _one(shape), order, copy=copy))
    _set("T", property(lambda self: transposed(self)))
    _set("mT", property(functions["matrix_transpose"]))
    _set("real", property(functions["real"], _set_part("real")))
    _set("imag", property(functions["imag"], _set_part("imag")))


def _set(name: str, value: Any) -> None:
    setattr(ndarray, name, value)


def _one(arguments: tuple[Any, ...]) -> Any:
    """``reshape(2, 3)`` and ``reshape((2, 3))`` alike."""
    return arguments[0] if len(arguments) == 1 and (arguments[0] is None or not isinstance(arguments[0], int)) \
        else arguments  # fmt: skip


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: ndarray, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    method.__name__ = method.__qualname__ = function.__name__
    return method


def _unary(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self: function(self)


def _defers(array: ndarray, other: Any) -> bool:
    """Whether the operator is the other one's (NEP 13)."""
    try:
        return other.__array_ufunc__ is None
    except AttributeError:
        return array.__array_priority__ < getattr(other, "__array_priority__", 0)


def _binary(function: Any, numpys: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def forward(self: ndarray, other: Any, *modulo: Any) -> Any:
        if isinstance(other, ndarray | PYTHON_SCALARS | numpy.generic):
            return function(self, other)
        if other is None and numpys in (numpy.equal, numpy.not_equal):
            made = fresh(numpy.full(self.shape, numpys is numpy.not_equal))
            counters.launch(numpys.__name__, made._values)
            return made
        return NotImplemented if _defers(self, other) else numpys(self, other)

    def backward(self: ndarray, other: Any, *modulo: Any) -> Any:
        if isinstance(other, PYTHON_SCALARS | numpy.generic):
            return function(other, self)
        return NotImplemented if _defers(self, other) else numpys(other, self)

    return forward, backward


def _matmul(function: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def forward(self: ndarray, other: Any) -> Any:
        if isinstance(other, ndarray):
            return function(self, other)
        return NotImplemented if _defers(self, other) else numpy.matmul(self, other)

    def backward(self: ndarray, other: Any) -> Any:
        return NotImplemented if _defers(self, other) else numpy.matmul(other, self)

    return forward, backward


def _in_place(function: Any) -> Callable[..., Any]:
    return lambda self, other: function(self, other, self)


def _set_part(name: str) -> Callable[..., None]:
    def assign(self: ndarray, value: Any) -> None:
        check_device(self)
        given = unwrap(value, [])
        change(self, lambda values: setattr(values, name, given))
        counters.launch(name, getattr(self._values, name))

    return assign


def astype(
    self: ndarray, dtype: Any, order: str = "K", casting: Any = None, subok: Any = None, copy: bool = True
) -> ndarray:
    """With another dtype; always a copy unless ``copy=False``."""
    kind = check_dtype(numpy.dtype(dtype))
    if casting is not None and not numpy.can_cast(self.dtype, kind, casting):
        raise TypeError(f"Cannot cast array data from {self.dtype!r} to {kind!r} according to the rule {casting!r}")
    if not copy and kind == self.dtype:
        return self
    made = copied(self, kind, order)
    counters.launch("astype", self._values, made._values)
    return made


def copy(self: ndarray, order: str = "C") -> ndarray:
    """A copy on the current device."""
    counters.launch("copy", self._values, self._values)
    return copied(self, None, order)


def fill(self: ndarray, value: Any) -> None:
    """Overwrite with one value."""
    if isinstance(value, numpy.ndarray) and value.ndim:
        raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
    check_device(self)
    inside = unwrap(value.item() if isinstance(value, numpy.ndarray) else value, [])
    counters.launch("fill", self._values)
    kind = self.dtype
    if isinstance(inside, int) and not isinstance(inside, bool) and kind.kind in "iu":
        numpy.asarray(inside, kind)  # OverflowError

    def work(values: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as of an imaginary part that is dropped
            values[...] = numpy.asarray(inside).astype(kind)

    change(self, work)


def flatten(self: ndarray, order: str = "C") -> ndarray:
    """A copy with one axis."""
    return run("flatten", lambda values: values.flatten(order), (self,), {})  # type: ignore[no-any-return]


def sort(self: ndarray, axis: int = -1, kind: Any = None) -> None:
    """Sort in place."""
    check_device(self)
    counters.launch("sort", self._values, self._values)
    change(self, lambda values: values.sort(axis=axis))


def partition(self: ndarray, kth: Any, axis: int = -1) -> None:
    """Partition in place."""
    check_device(self)
    counters.launch("partition", self._values, self._values)
    change(self, lambda values: values.partition(kth, axis))


def view(self: ndarray, dtype: Any = None, type: Any = None) -> ndarray:
    """A view, of another dtype if wanted."""
    return view_of(self, self._values.view() if dtype is None else self._values.view(check_dtype(numpy.dtype(dtype))))


def deepcopy(self: ndarray, memo: Any) -> ndarray:
    """A copy on its own device."""
    with self.device:
        return copy(self)


def _scatter(name: str) -> Callable[..., None]:
    return lambda self, slices, value: scatter(name, self, slices, value)


OWN: dict[str, Any] = {
    "astype": astype, "copy": copy, "fill": fill, "flatten": flatten, "partition": partition, "sort": sort,
    "view": view, "__copy__": lambda self: copy(self), "__deepcopy__": deepcopy,
    "scatter_add": _scatter("add"), "scatter_max": _scatter("maximum"), "scatter_min": _scatter("minimum"),
}  # fmt: skip
