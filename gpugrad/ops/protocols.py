"""NumPy's own functions on Tensors, recorded: ``numpy.sin(t)`` is ``gg.sin(t)``.

Which function answers to which is written down nowhere: it is gpugrad's of the same name, in the module of the same
name (``numpy.linalg.norm``, ``gg.linalg.norm``); ``RENAMED`` has the few that gpugrad calls otherwise. What
the user gave, and nothing else, is carried over by the two signatures, so NumPy's defaults stay NumPy's.

Where gpugrad has no such function, that is an error, for Tensors that need no gradient too. NumPy could compute a
constant of those; but then whether a line works would depend on a flag that is set far away, and on the device.
``x.numpy()`` says aloud that the graph ends there. Writing into an array (``out=``, ``a += t`` for an array ``a`` of
NumPy, ``numpy.add.at``) is refused for the same reason: no gradient comes back through an array. Writing into a Tensor
gives it a new value (:mod:`gpugrad.ops.inplace`).

A Series of pandas, or its index, beside a Tensor is an array of NumPy: ``series * t`` is a Tensor, since the Tensor
comes first in pandas' order of precedence.

Sources: NumPy Enhancement Proposals 13 (``__array_ufunc__``) and 18 (``__array_function__``); CuPy's
``__cupy_override_elementwise_kernel__``, by which ``cupy.sin(t)`` comes here.
"""

from __future__ import annotations

import itertools
import operator
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial, reduce
from types import ModuleType
from typing import Any

import numpy

from .. import backend
from ..backend import BACKENDS, NAMESPACES, dtypes
from ..core import GradientError, Tensor, modes
from ..core.errors import _PACKAGE, user_line
from ..core.temporary import check_target
from . import arithmetic, creation, inplace, nested, shaping
from . import partial as partly
from .keywords import PLACED, WRITES, carried, cast, is_default, signature

RENAMED = {"expit": "sigmoid", "identity": "eye"} | dict.fromkeys(
    ("array", "asanyarray", "ascontiguousarray", "asfortranarray"), "asarray"
)
"""Functions of NumPy, CuPy and SciPy that gpugrad has under another name only."""

OF_FILES = ("save",)
"""Functions of NumPy that are no computation, whose names gpugrad has for something else."""

REDUCTIONS = {
    "add": ("sum", "cumsum"), "multiply": ("prod", "cumprod"), "maximum": ("max", "cummax"),
    "minimum": ("min", "cummin"), "logical_and": ("all", ""), "logical_or": ("any", ""), "logaddexp": ("logsumexp", ""),
}  # fmt: skip
"""Ufuncs with a reduction, and a running one, of their own; the others are folded along the axis."""

QUESTIONS = {numpy.shape, numpy.ndim, numpy.size, numpy.iscomplexobj, numpy.isrealobj, numpy.common_type}
"""What asks for no values: NumPy's own code answers it, from attributes."""
INDICES = {numpy.diag_indices_from, numpy.tril_indices_from, numpy.triu_indices_from}
"""Indices that follow from a shape."""
TEXT = {"array2string", "array_repr", "array_str", "save", "savetxt", "savez", "savez_compressed"}
MEMORY = {"may_share_memory", "shares_memory"}
"""What gives text, files and answers, from which no gradient could be wanted."""

DEFAULT_OPTIONS = {"out": None, "where": True, "casting": "same_kind", "order": "K", "dtype": None, "subok": True}
"""What the options of a ufunc are where nothing is asked for."""


class MissingError(TypeError):
    """A function that gpugrad does not have was called with constants."""


class ForNumPy:
    """The attribute ``__array_ufunc__``: NumPy looks it up on the class, CuPy's operators on the value.

    NumPy finds the function below. CuPy finds None, which says that the operator is the Tensor's: its own functions
    would take a constant Tensor for one of their arrays, and the result would be no Tensor.
    """

    def __get__(self, instance: Tensor | None, owner: type) -> Any:
        return array_ufunc if instance is None else None


def counterpart(module: str, name: str) -> Callable[..., Any] | None:
    """gpugrad's function for a function of NumPy (of SciPy, CuPy), or None.

    >>> counterpart("numpy", "absolute").__name__
    'abs'
    """
    if name in OF_FILES:
        return None
    root, wanted = NAMESPACES[Tensor], RENAMED.get(name, name)
    parts = [] if module.startswith("numpy.lib") else module.split(".")[1:]
    place = reduce(lambda space, part: getattr(space, part, None), parts, root)
    found = vars(place).get(wanted) if place is root else getattr(place, wanted, None)
    if found is None and place is root:
        found = getattr(Tensor, wanted, None)  # numpy.transpose, numpy.copy
    if found is None and module == "scipy.special":
        found = getattr(root, wanted, None)
    if found is None and name == "i0":
        found = root.special.i0
    return found if callable(found) and not isinstance(found, type | ModuleType) else None


# ---------------------------------------------------------------- ufuncs


def array_ufunc(self: Tensor, ufunc: Any, method: str, /, *inputs: Any, **options: Any) -> Any:
    """NumPy's ufunc, or a method of it, as gpugrad's functions.

    Raises:
        GradientError: gpugrad has no such function, and a gradient is needed.
        TypeError: there is none; or an option that gpugrad does not know; or an array would be written to.

    >>> import gpugrad as gg, numpy
    >>> x = gg.tensor([1.0, 2.0], requires_grad=True)
    >>> numpy.multiply.outer(x, numpy.array([3.0, 4.0], "float32")).sum().backward()
    >>> x.grad
    tensor([7., 7.])
    """
    if method == "__call__" and not options and ufunc in _called_before and all(map(_is_tensor_or_array, inputs)):
        return _called_before[ufunc](*inputs)
    for value in inputs:
        if hasattr(type(value), "__array_ufunc__") and not isinstance(value, Tensor | numpy.ndarray | numpy.generic) \
                and not backend.is_array(value) and not nested.is_table(value):  # fmt: skip
            return NotImplemented
    library = _library(ufunc)
    op = counterpart(library, ufunc.__name__) if library else None
    if op is None:
        raise _missing(f"{library}.{ufunc.__name__}" if library else str(ufunc), ufunc.nin, inputs)
    name = f"{library}.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
    if method == "at" and isinstance(inputs[0], Tensor):
        check_target(inputs[0], f"{name}(a[0], ...)")
        return inplace.at(op, ufunc.__name__, *inputs)
    if method not in METHODS:
        raise TypeError(f"{name}{WRITES if method == 'at' else ' is not known to gpugrad'} [{user_line()}]")
    if options.get("out") is not None:
        if ufunc.nout > 1 or not isinstance(options["out"][0], Tensor):
            raise TypeError(f"{name}: out={WRITES} [{user_line()}]")
        (out,) = options.pop("out")
        check_target(out, f"{name}(..., out=a[0])")
        return _written(out, partial(array_ufunc, self, ufunc, method), inputs, options)
    # NumPy makes 0-d arrays of its scalars before it asks; beside a GPU's array they are numbers all the same
    if method == "__call__":
        _called_before[ufunc] = op
    numbers = (v[()] if isinstance(v, numpy.ndarray) and not v.ndim else v for v in inputs)
    return METHODS[method](name, ufunc, op, *numbers, **options)


_called_before: dict[Any, Callable[..., Any]] = {}


def _is_tensor_or_array(value: Any) -> bool:
    return isinstance(value, Tensor) or (type(value) is numpy.ndarray and value.ndim > 0)


def _library(ufunc: Any) -> str:
    """Whose ufunc it is; one of neither NumPy nor SciPy may have a name of ours, and be another function."""
    owners = ("numpy", "scipy.special")
    return next((m for m in owners if getattr(sys.modules.get(m), ufunc.__name__, None) is ufunc), "")


def _called(name: str, ufunc: Any, op: Callable[..., Any], *inputs: Any, **options: Any) -> Any:
    asked = {k: v for k, v in options.items() if k not in DEFAULT_OPTIONS or not is_default(v, DEFAULT_OPTIONS[k])}
    asked.pop("order", None)  # the layout in memory
    dtype = asked.pop("dtype", None)
    if dtype is not None:
        inputs = tuple(cast(name, v, dtype, "same_kind") if hasattr(v, "dtype") else v for v in inputs)
    unknown = asked.keys() - signature(op).keys()
    if unknown:
        raise TypeError(f"{name}: {', '.join(f'{k}={asked[k]!r}' for k in sorted(unknown))} is not known to gpugrad; "
                        f"x.astype(...) and gg.where(...) beside it are [{user_line()}]")  # fmt: skip
    return op(*inputs, **asked)


def _written(out: Tensor, f: Callable[..., Any], inputs: Sequence[Any], options: dict[str, Any]) -> Tensor:
    """``out`` with the result of ``f`` as its new value; of the elements where ``where=`` says so, and of no others."""
    where = options.pop("where", True)
    if where is True:
        inplace.take(out, creation.asarray(f(*inputs, **options)))
        return out
    here = shaping.broadcast_to(creation.asarray(where), out.shape)
    parts = [shaping.broadcast_to(creation.asarray(x), out.shape)[here] if getattr(x, "shape", ()) else x
             for x in inputs]  # fmt: skip
    value = out * 1
    value[here] = f(*parts, **options)
    inplace.take(out, value)
    return out


def _reduced(
    name: str, ufunc: Any, op: Callable[..., Any], x: Tensor, /, axis: Any = 0, dtype: Any = None, out: None = None,
    keepdims: bool = False, initial: Any = None, where: Any = True,
) -> Tensor:  # fmt: skip
    if out is not None:
        raise TypeError(f"{name}: out={WRITES} [{user_line()}]")
    ours = REDUCTIONS.get(ufunc.__name__, ("",))[0]
    initial = None if initial is numpy._NoValue else initial
    if ours in partly.FOLDED:
        return partly.fold(ours, x, initial, where, dtype, axis=axis, keepdims=keepdims)  # type: ignore[no-any-return]
    if dtype is not None:
        x = creation.astype(x, dtype)
    if where is not True:
        if ufunc.identity is None:
            raise ValueError(f"{name}: where= needs an initial= to begin with, {ufunc.__name__} has no identity")
        x = arithmetic.where(where, x, ufunc.identity)
    y = _reduction(ufunc.__name__, op, x, axis, keepdims)
    return y if initial is None else op(initial, y)


def _reduction(name: str, op: Callable[..., Any], x: Tensor, axis: Any, keepdims: bool) -> Tensor:
    ours = counterpart("numpy", REDUCTIONS.get(name, ("",))[0])
    if ours is not None:
        return ours(x, axis=axis, keepdims=keepdims)  # type: ignore[no-any-return]
    parts = _parts(f"numpy.{name}.reduce", op, x, axis)
    y: Tensor = reduce(op, parts)
    return shaping.expand_dims(y, axis) if keepdims else y


def _accumulated(
    name: str, ufunc: Any, op: Callable[..., Any], x: Tensor, /, axis: Any = 0, dtype: Any = None, out: None = None
) -> Tensor:
    if dtype is not None:
        x = creation.astype(x, dtype)
    ours = counterpart("numpy", REDUCTIONS.get(ufunc.__name__, ("", ""))[1])
    if ours is not None:
        return ours(x, axis=axis)  # type: ignore[no-any-return]
    if x.shape[axis] == 0:
        return x
    return shaping.stack([*itertools.accumulate(_parts(name, op, x, axis), op)], axis=axis)


def _parts(name: str, op: Callable[..., Any], x: Tensor, axis: Any) -> Sequence[Tensor]:
    """The slices along one axis, in the dtype of the result, for a ufunc that is folded."""
    if not isinstance(axis, int):
        if x.ndim != 1 or axis is not None:
            raise TypeError(f"{name}: expected one axis, got {axis}")
        axis = 0
    nothing = shaping.reshape(x, -1)[:0]
    parts: Sequence[Tensor] = shaping.unstack(creation.astype(x, op(nothing, nothing).dtype, copy=False), axis=axis)
    if not parts:
        raise ValueError(f"{name}: nothing to combine along axis {axis} of {x.shape}")
    return parts


def _outer(name: str, ufunc: Any, op: Callable[..., Any], a: Any, b: Any, /, **options: Any) -> Any:
    if getattr(a, "shape", ()) and getattr(b, "shape", ()):
        a = shaping.reshape(a, (*a.shape, *(1,) * b.ndim))
    return _called(name, ufunc, op, a, b, **options)


METHODS: dict[str, Any] = {"__call__": _called, "reduce": _reduced, "accumulate": _accumulated, "outer": _outer}


def cupy_kernel(self: Tensor, kernel: Any, *args: Any, **options: Any) -> Any:
    """``cupy.sin(t)``, ``cupy.add(a, t)``: CuPy's elementwise functions hand Tensors over.

    Raises:
        GradientError: gpugrad has no such function, and a gradient is needed.
        TypeError: there is none; or an array would be written to (``a += t`` for an array of CuPy's).
    """
    full = str(kernel.name)
    name = full.removeprefix("cupyx_scipy_special_").removeprefix("cupy_")
    nin = int(kernel.nin)
    op = counterpart("scipy.special" if full.startswith("cupyx") else "cupy", name) if full != name else None
    if op is None:
        raise _missing(full.replace("_", ".", 1) if full != name else f"the kernel {full}", nin, args)
    if len(args) > nin or options.get("out") is not None:
        raise TypeError(f"cupy.{name}: out={WRITES} [{user_line()}]")
    given = {k: v for k, v in options.items() if v is not None}
    return _called(f"cupy.{name}", kernel, op, *args, **given)


# ---------------------------------------------------------------- functions


_of_one: dict[Any, Callable[..., Any]] = {}
"""Functions of NumPy that were called with a Tensor and nothing else, and what they are here: the same of the same."""


def array_function(
    self: Tensor, function: Any, types: Sequence[type], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """A function of NumPy as gpugrad's of the same name.

    Raises:
        GradientError: gpugrad has no such function, and a gradient is needed.
        TypeError: there is none; or an argument that gpugrad's has not; or an array would be written to.

    >>> import gpugrad as gg, numpy
    >>> x = gg.tensor([1.0, 2.0], requires_grad=True)
    >>> numpy.concatenate([x, x * x]).sum().backward()
    >>> x.grad
    tensor([3., 5.])
    """
    single = len(args) == 1 and not kwargs and type(args[0]) is Tensor
    if single and function in _of_one and not sys._getframe(1).f_code.co_filename.startswith(_PACKAGE):
        return _of_one[function](args[0])
    if not all(kind in BACKENDS or issubclass(kind, Tensor | numpy.ndarray) for kind in types):
        return NotImplemented
    if function in QUESTIONS:
        return function._implementation(*args, **kwargs)
    if function in INDICES:
        return tuple(creation.asarray(index, device=self.device) for index in function._implementation(*args, **kwargs))
    if function.__name__ in TEXT | MEMORY:
        inside = Tensor.numpy if function.__name__ in TEXT else operator.attrgetter("data")
        passed = [inside(v) if isinstance(v, Tensor) else v for v in (*args, *kwargs.values())]
        return function(*passed[: len(args)], **dict(zip(kwargs, passed[len(args) :], strict=True)))
    name = f"{function.__module__}.{function.__name__}"
    if sys._getframe(1).f_code.co_filename.startswith(_PACKAGE) and _called_by_itself(function, args, kwargs):
        raise TypeError(f"{function.__name__}: expected numbers, got a tensor [{user_line()}]")
    if function.__name__ in inplace.FUNCTIONS:
        if not args or not isinstance(args[0], Tensor):
            raise TypeError(f"{name}{WRITES} [{user_line()}]")
        check_target(args[0], f"{name}(a[0], ...)")
        return inplace.FUNCTIONS[function.__name__](*args, **kwargs)
    ours = counterpart(function.__module__, function.__name__)
    out = kwargs.get("out")
    if isinstance(out, Tensor):
        check_target(out, f"{name}(..., out=a[0])")
        kwargs = {key: value for key, value in kwargs.items() if key != "out"}
    if ours is None:
        needed = [p for p in signature(function).values() if p.default is p.empty and p.kind in PLACED]
        raise _missing(name, len(needed), (args, kwargs))
    if not hasattr(function, "_implementation"):
        return _made_like(self, name, function, ours, args, kwargs)
    arrays, options = carried(name, function, ours, args, kwargs)
    y = ours(*arrays, **options)
    if single and not options and len(arrays) == 1 and arrays[0] is args[0]:
        _of_one[function] = ours
    if isinstance(out, Tensor):
        inplace.take(out, y)
        return out
    return y


def _called_by_itself(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether gpugrad's function of this name calls NumPy's, with a Tensor where it expects a number.

    That gpugrad is the caller is not enough: ``gg.vmap(numpy.sum)`` calls what the user handed over. A call that comes
    from itself is: the same function of the same Tensor, and no line of the user's in between.
    """
    frame = sys._getframe(2)
    given: set[int] | None = None
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        if frame.f_code is array_function.__code__ and frame.f_locals["function"] is function:
            if given is None:
                given = {id(t) for t in _tensors((args, kwargs))}
            if any(id(t) in given for t in _tensors((frame.f_locals["args"], frame.f_locals["kwargs"]))):
                return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


def _made_like(
    x: Tensor, name: str, function: Any, ours: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """``numpy.array([t, u], like=x)``, ``numpy.full(3, t, like=x)``: on the device of ``x``, in its precision."""
    ndmin = kwargs.pop("ndmin", 0)
    real = x.dtype if x.dtype in (dtypes.float32, dtypes.float64) else modes.get_default_dtype()
    with modes.default_device(x.device), modes.default_dtype(real):
        arrays, options = carried(name, function, ours, args, kwargs)
        y = ours(*arrays, **options)
    return shaping.reshape(y, (1,) * (ndmin - y.ndim) + y.shape) if ndmin > y.ndim else y


# ---------------------------------------------------------------- what there is not


def _missing(name: str, inputs: int, values: Any) -> Exception:
    """The error for a function that gpugrad has not: what, where, and the lines that would add it."""
    library, _, path = name.partition(".")
    short = path.rpartition(".")[2] if path.isidentifier() or "." in path else "my_function"
    xs = ["x"] if inputs <= 1 else [f"x{i + 1}" for i in range(inputs)]
    arrays = ", ".join(xs)
    forward = f"xp.{path}({arrays})" if library in ("numpy", "cupy") else "..."
    rules = ", ".join(f"{x}=lambda xp, g, {arrays}: ..." for x in xs)
    needed = _needs_gradient(values)
    return (GradientError if needed else MissingError)(
        f"gpugrad has no {name}, called at {user_line()}\n"
        "To add it, with the gradient of each input:\n"
        "    @gg.primitive\n"
        f"    def {short}(xp, {arrays}, /):\n"
        f"        return {forward}\n"
        f"    {short}.vjp({rules})\n"
        f"For a value outside the graph, pass {'x.detach().numpy()' if needed else 'x.numpy()'}."
    )


def _needs_gradient(values: Any) -> bool:
    return any(t.requires_grad for t in _tensors(values))


def _tensors(values: Any) -> Iterator[Tensor]:
    """The Tensors among arguments, and in lists, tuples and dicts of them."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, dict | list | tuple):
        for value in values.values() if isinstance(values, dict) else values:
            yield from _tensors(value)


def _pandas_priority(self: Tensor) -> int:
    """More than that of pandas' tables, so that ``series * t`` is a Tensor.

    Raises:
        TypeError: ``series += t``, of which pandas would make nothing.
    """
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("pandas."):
        if frame.f_code.co_name == "_inplace_method":
            raise TypeError(
                f"a table of pandas cannot be changed in place by a tensor [{user_line()}]: write s = s + t for s += t"
            )
        frame = frame.f_back
    return 5000


def bind() -> None:
    """Give the Tensor class these protocols."""
    protocols: dict[str, Any] = {
        "__array_ufunc__": ForNumPy(), "__array_function__": array_function,
        "__cupy_override_elementwise_kernel__": cupy_kernel, "__pandas_priority__": property(_pandas_priority),
    }  # fmt: skip
    for name, value in protocols.items():
        setattr(Tensor, name, value)
