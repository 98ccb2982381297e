"""The simulated ``cupy.ufunc``. Its errors are CuPy's, word for word, since programs ask for them."""

from __future__ import annotations

from typing import Any

import numpy

from . import elements
from .array import EXACT, ndarray
from .calls import run
from .indexing import scatter

SCATTERS = {
    "add": "int32 int64 float16 float32 float64 uint32 uint64", "bitwise_and": "int32 int64 uint32 uint64",
    "bitwise_or": "int32 int64 uint32 uint64", "bitwise_xor": "int32 int64 uint32 uint64",
    "maximum": "int32 int64 float32 float64 uint32 uint64", "minimum": "int32 int64 float32 float64 uint32 uint64",
    "subtract": "int32 uint32",
}  # fmt: skip
"""The ufuncs that have ``at``, and the dtypes that it knows."""
REDUCES = {"add", "multiply"}


class ufunc:  # noqa: N801  CuPy's name
    """A function of elements: arrays of one device and numbers, broadcast and promoted as NumPy does."""

    def __init__(self, name: str, reference: Any, module: str = "cupy") -> None:
        self._short = name
        self.__name__ = self.name = f"{module}_{name}"
        self.__doc__ = f"As ``{getattr(reference, '__module__', None) or 'numpy'}.{name}``, on a simulated device."
        own = (elements.OWN if module == "cupy" else elements.OWN_SPECIAL).get(name)
        self._compute = _with_options(own) if own else reference
        self._reference = reference
        self.nin = 2 if name == "zeta" else getattr(reference, "nin", 1)
        self.nout = getattr(reference, "nout", 1)
        self.nargs = self.nin + self.nout
        self.types = [t for t in getattr(reference, "types", []) if not set(t) & set("gGOMm")]

    def __repr__(self) -> str:
        return f"<ufunc '{self.name}'>"

    def __call__(self, *args: Any, out: Any = None, dtype: Any = None, casting: Any = None, **other: Any) -> Any:
        if not self.nin <= len(args) <= self.nargs:
            raise TypeError(f"Wrong number of arguments for {self!r}: {len(args)}")
        given = {"out": out, "dtype": dtype, "casting": casting} | other
        options = {name: value for name, value in given.items() if value is not None}
        for value in args:
            if hasattr(value, "__cupy_override_elementwise_kernel__"):
                return value.__cupy_override_elementwise_kernel__(self, *args, **options)
        if other:  # where=, most likely
            raise TypeError(f"Wrong arguments {other}")
        if len(args) > self.nin:
            if out is not None:
                raise ValueError("Cannot specify 'out' as both a positional and keyword argument")
            out = options["out"] = args[self.nin :] if self.nout > 1 else args[self.nin]
        operands = args[: self.nin]
        for value in operands:
            if not (isinstance(value, ndarray | numpy.generic) or type(value) in EXACT):
                raise TypeError(f"Unsupported type {type(value)}")
        for array in out if isinstance(out, tuple) else () if out is None else (out,):
            if array is not None and not isinstance(array, ndarray):
                raise TypeError("return arrays must be of cupy.ndarray")
        inside = [value._values if isinstance(value, ndarray) else value for value in operands]
        elements.check(self._short, self.name, inside)
        if dtype is not None and casting is None:
            options["casting"] = "unsafe"  # for what goes in
        return self._run(self._compute, operands, options, inside)

    def _run(self, function: Any, operands: Any, options: Any, inside: Any) -> Any:
        """Call NumPy; what its ufuncs refuse is CuPy's TypeError."""
        try:
            return run(self._short, function, operands, options)
        except numpy._core._exceptions.UFuncTypeError as error:  # type: ignore[attr-defined]
            if isinstance(error, numpy._core._exceptions._UFuncOutputCastingError):  # type: ignore[attr-defined]
                raise TypeError(
                    f"Cannot cast output operand from {error.from_!r} to {error.to!r} according to the rule "
                    f"{error.casting!r}"
                ) from None
            raise elements.wrong_type(self.name, inside) from None

    def at(self, a: ndarray, indices: Any, b: Any = None) -> None:
        """Combine ``b`` into ``a`` at ``indices``, each element that they name in turn."""
        kinds = SCATTERS.get(self._short)
        if kinds is None:
            raise NotImplementedError(f"`{self.name}.at` is not supported yet")
        if a.dtype.name not in kinds.split():
            raise TypeError(f"cupy.{self._short}.at only supports {kinds.replace(' ', ', ')} as data type")
        scatter(self._short, a, indices, b)

    def reduce(self, array: ndarray, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        return self._method("reduce", array, axis=axis, dtype=dtype, out=out, keepdims=keepdims)

    def accumulate(self, array: ndarray, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        return self._method("accumulate", array, axis=axis, dtype=dtype, out=out)

    def reduceat(self, array: ndarray, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        return self._method("reduceat", array, indices, axis=axis, dtype=dtype, out=out)

    def outer(self, A: Any, B: Any, **options: Any) -> Any:  # noqa: N803
        return self._method("outer", A, B, **options)

    def _method(self, method: str, *arrays: Any, **options: Any) -> Any:
        allowed = {"reduce": REDUCES, "accumulate": REDUCES, "reduceat": ("add",), "outer": (self._short,)}[method]
        if self._short not in allowed or self.nin != 2:
            raise NotImplementedError(f"`{self.name}.{method}` is not supported yet")
        given = {name: value for name, value in options.items() if value is not None or name == "axis"}
        return run(f"{self._short}.{method}", getattr(self._reference, method), arrays, given)


def _with_options(function: Any) -> Any:
    """A function of elements that takes a ufunc's ``out``, ``dtype`` and ``casting``."""

    def computed(*operands: Any, out: Any = None, dtype: Any = None, casting: Any = "same_kind") -> Any:
        if dtype is not None:
            operands = tuple(numpy.asarray(value).astype(dtype) for value in operands)
        result = function(*operands)
        if out is None:
            return result
        if not numpy.can_cast(result.dtype, out.dtype, "same_kind"):
            raise TypeError(
                f"Cannot cast output operand from {result.dtype!r} to {out.dtype!r} according to the rule 'same_kind'"
            )
        out[...] = result
        return out

    return computed


ufunc.__module__ = "cupy"
