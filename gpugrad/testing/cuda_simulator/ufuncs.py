"""The simulated ``cupy.ufunc``."""

from __future__ import annotations

from typing import Any

import numpy

from .array import PYTHON_SCALARS, ndarray
from .calls import run
from .indexing import scatter

SCATTERS = {"add", "bitwise_and", "bitwise_or", "bitwise_xor", "maximum", "minimum", "subtract"}
REDUCES = {"add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min", "logical_and": "all",
           "logical_or": "any"}  # fmt: skip


class ufunc:  # noqa: N801  CuPy's name
    """A function of elements: arrays of one device and numbers, broadcast and promoted as NumPy does."""

    def __init__(self, name: str, reference: Any, module: str = "cupy") -> None:
        self.__name__ = name
        self.name = f"{module}_{name}"
        self.__doc__ = f"As ``{getattr(reference, '__module__', None) or 'numpy'}.{name}``, on a simulated device."
        self._reference = reference
        self.nin = getattr(reference, "nin", 1)
        self.nout = getattr(reference, "nout", 1)
        self.nargs = self.nin + self.nout
        self.types = [t for t in getattr(reference, "types", []) if not set(t) & set("gGOMm")]

    def __repr__(self) -> str:
        return f"<ufunc '{self.name}'>"

    def __call__(self, *args: Any, out: Any = None, dtype: Any = None, casting: Any = None, where: Any = None) -> Any:
        if not self.nin <= len(args) <= self.nargs:
            raise TypeError(f"Wrong number of arguments for {self!r}: {len(args)}")
        given = {"out": out, "dtype": dtype, "casting": casting, "where": where}
        options = {name: value for name, value in given.items() if value is not None}
        for value in args:
            if hasattr(value, "__cupy_override_elementwise_kernel__"):
                return value.__cupy_override_elementwise_kernel__(self, *args, **options)
        if len(args) > self.nin:
            if out is not None:
                raise ValueError("Cannot specify 'out' as both a positional and keyword argument")
            out = options["out"] = args[self.nin :] if self.nout > 1 else args[self.nin]
        for value in args[: self.nin]:
            if not isinstance(value, ndarray | PYTHON_SCALARS | numpy.generic):
                raise TypeError(f"Unsupported type {type(value)}")
        for array in out if isinstance(out, tuple) else () if out is None else (out,):
            if array is not None and not isinstance(array, ndarray):
                raise TypeError("return arrays must be of cupy.ndarray")
        return run(self.__name__, self._reference, args[: self.nin], options)

    def at(self, a: ndarray, indices: Any, b: Any = None) -> None:
        """Combine ``b`` into ``a`` at ``indices``, each element that they name in turn."""
        if self.__name__ not in SCATTERS:
            raise NotImplementedError(f"`{self.name}.at` is not supported yet")
        scatter(self.__name__, a, indices, b)

    def reduce(self, array: ndarray, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        return self._method("reduce", array, axis=axis, dtype=dtype, out=out, keepdims=keepdims)

    def accumulate(self, array: ndarray, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        return self._method("accumulate", array, axis=axis, dtype=dtype, out=out)

    def outer(self, A: Any, B: Any, **options: Any) -> Any:  # noqa: N803
        return self._method("outer", A, B, **options)

    def _method(self, method: str, *arrays: Any, **options: Any) -> Any:
        allowed = {"reduce": REDUCES, "accumulate": ("add", "multiply"), "outer": (self.__name__,)}[method]
        if self.__name__ not in allowed or self.nin != 2:
            raise NotImplementedError(f"`{self.name}.{method}` is not supported yet")
        given = {name: value for name, value in options.items() if value is not None or name == "axis"}
        return run(f"{self.__name__}.{method}", getattr(self._reference, method), arrays, given)


ufunc.__module__ = "cupy"
