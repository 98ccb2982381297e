"""The simulated functions: a line of the table, and NumPy's function of that name."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable
from inspect import Parameter, Signature
from types import ModuleType
from typing import Any

import numpy
import scipy.special

from . import elements, reductions, searches, table
from .array import EXACT, IMPLICIT, PYTHON_SCALARS, change, check_device, check_dtype, copied, fresh, ndarray, write
from .calls import run, run_now, unwrap
from .compiler import CompileException
from .state import counters, machine
from .streams import settle
from .ufuncs import ufunc

Function = Callable[..., Any]
NAMES = {"float": float, "int": int}
RENAMED = {"newshape": "shape", "dims": "shape"}
ON_THE_HOST = frozenset(table.ON_THE_HOST.split())
WAITS = frozenset(table.WAITS.split())
AT_ONCE = WAITS | {"choose", "ravel_multi_index", "repeat"}
"""Functions that run at once, also with lag: these three take forever on memory that nobody has written."""
NUMBERS_TOO = frozenset(table.NUMBERS_TOO.split())
ARRAYS = frozenset(table.ARRAYS)
LIBRARIES = ("cupy.linalg", "cupyx.scipy.linalg")
"""Modules whose functions run at once, also with lag: a rehearsal on unwritten memory would only raise their errors."""
REFERENCES = searches.REFERENCES | reductions.REFERENCES


def signature(line: str) -> tuple[str, Signature]:
    """The name and the signature in a line of the table.

    >>> signature("clip(a, a_min, a_max, out=None)")
    ('clip', <Signature (a, a_min, a_max, out=None)>)
    """
    definition = ast.parse(f"def {line}: pass").body[0]
    assert isinstance(definition, ast.FunctionDef)
    arguments, parameters = definition.args, []
    positional = [*arguments.posonlyargs, *arguments.args]
    padding = [None] * (len(positional) - len(arguments.defaults))
    for i, (argument, default) in enumerate(zip(positional, [*padding, *arguments.defaults], strict=True)):
        kind = Parameter.POSITIONAL_ONLY if i < len(arguments.posonlyargs) else Parameter.POSITIONAL_OR_KEYWORD
        parameters.append(Parameter(argument.arg, kind, default=_value(default)))
    if arguments.vararg is not None:
        parameters.append(Parameter(arguments.vararg.arg, Parameter.VAR_POSITIONAL))
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        parameters.append(Parameter(argument.arg, Parameter.KEYWORD_ONLY, default=_value(default)))
    if arguments.kwarg is not None:
        parameters.append(Parameter(arguments.kwarg.arg, Parameter.VAR_KEYWORD))
    return definition.name, Signature(parameters)


def _value(default: ast.expr | None) -> Any:
    if default is None:
        return Parameter.empty
    return NAMES[default.id] if isinstance(default, ast.Name) else ast.literal_eval(default)


def make(line: str, module: Any, prefix: str = "cupy") -> Function:
    """The function of a line of the table, on NumPy's ``module``."""
    name, shape = signature(line)
    parameters = list(shape.parameters.values())
    own = OWN.get(name) if prefix == "cupy" else None
    special = SPECIAL.get(name) if prefix == "cupyx.scipy.special" else None
    reference = own or special or (REFERENCES.get(name) if prefix == "cupy" else None) or getattr(module, name)
    first = parameters[0].name if parameters else ""
    checked = first in ARRAYS and name not in NUMBERS_TOO and name not in ON_THE_HOST

    def function(*args: Any, **kwargs: Any) -> Any:
        try:
            given = shape.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise TypeError(f"{name}() {error}") from None
        if checked and not isinstance(given[first], ndarray):
            raise TypeError(f"{name}: unsupported type {type(given[first])}, expected cupy.ndarray")
        if first == "tup":
            for entry in given["tup"] if not isinstance(given["tup"], ndarray) else ():
                if not isinstance(entry, ndarray):
                    raise TypeError(f"Only cupy arrays can be concatenated, not {type(entry)}")
        if prefix == "cupy.fft" and name.endswith("n") and 0 in given["a"].shape:  # nor any batch of nothing
            raise ValueError("Invalid number of FFT data points (0) specified.")
        positional, named = _split(parameters, given)
        if own is not None:
            return own(*positional, **named)
        if name in ON_THE_HOST:
            return reference(*(unwrap(value, []) for value in positional), **named)
        if name in WAITS:
            counters.synchronizations += 1
        call = run_now if name in AT_ONCE or prefix in LIBRARIES else run
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # such as of a mean of nothing: a GPU says nothing
            result = call(name, reference, positional, named)
        return tuple(result) if prefix == "cupy.linalg" and isinstance(result, tuple) else result

    function.__name__ = function.__qualname__ = name
    function.__module__ = prefix
    function.__doc__ = f"As ``{getattr(module, '__name__', 'numpy')}.{name}``, on a simulated device."
    function.__signature__ = shape  # type: ignore[attr-defined]
    return function


def _split(parameters: list[Parameter], given: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """What goes to NumPy by position and what by name; defaults are left to NumPy."""
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.name not in given:
            continue
        value = given[parameter.name]
        if parameter.kind is Parameter.VAR_POSITIONAL:
            positional.extend(value)
        elif parameter.kind is Parameter.VAR_KEYWORD:
            named.update(value)
        elif parameter.default is Parameter.empty:
            positional.append(value)
        elif value is not parameter.default:
            named[RENAMED.get(parameter.name, parameter.name)] = value
    return positional, named


# Where CuPy's function is another one than NumPy's -----------------------------------------------------------------


def array(
    obj: Any, dtype: Any = None, copy: Any = True, order: str = "K", subok: bool = False, ndmin: int = 0,
    *, blocking: bool = False,
) -> ndarray:  # fmt: skip
    """A new array of numbers, lists, NumPy arrays (a transfer) or arrays of the device."""
    if isinstance(obj, ndarray):
        kind = obj.dtype if dtype is None else check_dtype(numpy.dtype(dtype))
        if not copy and kind == obj.dtype and ndmin <= obj.ndim and _laid_out(obj, order):
            return obj
        if copy is False and kind != obj.dtype:
            copy = None
        made = copied(obj, kind, order or "K")
        counters.launch("array", obj._values, made._values)
    else:
        if hasattr(obj, "__array_ufunc__") and not isinstance(obj, numpy.ndarray | numpy.generic):
            raise TypeError(f"Unsupported type {type(obj)}")
        used: list[ndarray] = []
        if machine.lag and isinstance(obj, list | tuple):
            settle()
        inside = _nested(obj, used)
        if used and len({entry.shape for entry in used}) > 1:
            raise TypeError(IMPLICIT)
        values = numpy.asarray(inside) if dtype is None else numpy.asarray(inside, check_dtype(numpy.dtype(dtype)))
        values = values.astype(values.dtype.newbyteorder("="), copy=False)
        check_dtype(values.dtype)
        if used:
            counters.launch("array", values, values)
        else:
            counters.host_to_device += 1
        made = fresh(values.copy(order="K") if machine.lag else values, None, order or "K")
    return made if ndmin <= made.ndim else made.reshape((1,) * (ndmin - made.ndim) + made.shape)


def _nested(value: Any, used: list[ndarray]) -> Any:
    if isinstance(value, list | tuple):
        return [_nested(entry, used) for entry in value]
    return unwrap(value, used) if isinstance(value, ndarray) else value


def _laid_out(obj: ndarray, order: str | None) -> bool:
    flags = obj._values.flags
    return bool(order in (None, "K", "A") or (flags.c_contiguous if order == "C" else flags.f_contiguous))


def asarray(a: Any, dtype: Any = None, order: Any = None, *, copy: Any = None, blocking: bool = False) -> ndarray:
    """As :func:`array`, copying only where it must."""
    if copy is False and isinstance(a, ndarray) and dtype is not None and a.dtype != dtype:
        raise ValueError("Unable to avoid copy while creating an array as requested.")
    return array(a, dtype, bool(copy), order or "K")


def ascontiguousarray(a: Any, dtype: Any = None) -> ndarray:
    """In C order, of at least one axis."""
    return array(a, dtype, copy=False, order="C", ndmin=1)


def asfortranarray(a: Any, dtype: Any = None) -> ndarray:
    """In Fortran order, of at least one axis."""
    return array(a, dtype, copy=False, order="F", ndmin=1)


def astype(x: ndarray, dtype: Any, /, *, copy: bool = True) -> ndarray:
    """With another dtype; None is float64."""
    return array(x, numpy.dtype(dtype), copy=copy)


def copy(a: Any, order: str = "K") -> ndarray:
    """A copy on the current device."""
    return array(a, order=order)


def empty(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    """Memory that nobody has written."""
    return ndarray(shape, dtype, order=order)


def filled(name: str, value: Any) -> Function:
    """``zeros`` or ``ones``."""

    def make_filled(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
        made = ndarray(shape, dtype, order=order)
        fill(made, value)
        counters.launch(name, made._values)
        return made

    return make_filled


def fill(made: ndarray, value: Any) -> None:
    """Write one value everywhere."""
    if machine.lag:
        write(made._values, value)
    else:
        made._values.fill(value)


def full(shape: Any, fill_value: Any, dtype: Any = None, order: str = "C") -> ndarray:
    """One value everywhere."""
    _check_filling(fill_value)
    if dtype is None:
        dtype = fill_value.dtype if isinstance(fill_value, ndarray) else numpy.asarray(fill_value).dtype
    made = ndarray(shape, dtype, order=order)
    made.fill(fill_value)
    return made


def empty_like(
    prototype: ndarray, dtype: Any = None, order: str = "K", subok: Any = None, shape: Any = None
) -> ndarray:
    """Memory laid out as that of ``prototype``."""
    if subok is not None:
        raise TypeError("subok is not supported yet")
    if shape is not None:
        return ndarray(shape, prototype.dtype if dtype is None else dtype)
    made = ndarray.__new__(ndarray)
    layout = numpy.empty_like(prototype._values, dtype, order)  # type: ignore[call-overload]
    flat = ndarray((layout.size,), layout.dtype)
    made._memory, made.base = flat._memory, None
    made._values = numpy.lib.stride_tricks.as_strided(flat._values, layout.shape, layout.strides)
    return made


def filled_like(name: str, value: Any) -> Function:
    """``zeros_like`` or ``ones_like``."""

    def make_filled(a: ndarray, dtype: Any = None, order: str = "K", subok: Any = None, shape: Any = None) -> ndarray:
        made = empty_like(a, dtype, order, subok, shape)
        fill(made, value)
        counters.launch(name, made._values)
        return made

    return make_filled


def _check_filling(value: Any) -> None:
    if isinstance(value, PYTHON_SCALARS) and not isinstance(value, numpy.generic) and type(value) not in EXACT:
        raise TypeError("can_cast() does not support Python ints, floats, and complex because the result used to "
                        "depend on the value.")  # fmt: skip


def full_like(
    a: ndarray, fill_value: Any, dtype: Any = None, order: str = "K", subok: Any = None, shape: Any = None
) -> ndarray:
    """One value everywhere, laid out as ``a``."""
    if fill_value is None:
        raise AttributeError("'NoneType' object has no attribute 'dtype'")
    _check_filling(fill_value)
    made = empty_like(a, dtype, order, subok, shape)
    made.fill(fill_value)
    return made


def copyto(dst: ndarray, src: Any, casting: Any = "same_kind", where: Any = None) -> None:
    """Overwrite ``dst``."""
    if isinstance(src, numpy.ndarray) and src.ndim:
        raise ValueError("non-scalar numpy.ndarray cannot be used for copyto")
    check_device(dst)
    source = src._values if isinstance(src, ndarray) else src
    mask = True if where is None else unwrap(where, [])
    counters.launch("copyto", dst._values, *([source] if isinstance(source, numpy.ndarray) else []))
    change(dst, lambda values: numpy.copyto(values, source, casting, mask))


def take(a: ndarray, indices: Any, axis: Any = None, out: Any = None) -> Any:
    """An index out of bounds wraps around; the source does not compile for a floating one."""
    if not isinstance(indices, ndarray | PYTHON_SCALARS | numpy.generic):
        indices = array(indices)
    if isinstance(indices, ndarray) and indices.dtype.kind in "fc":
        raise CompileException("cupy_take does not compile for floating indices", "", "cupy_take", ())

    def wrapped(values: Any, places: Any, out: Any = None) -> Any:
        shape = (values.size,) if axis is None else values.shape[axis:][:1]
        size = shape[0] if shape else 0
        return numpy.take(values, places % size if size else places, axis, out, "wrap")

    return run("take", wrapped, (a, indices), {} if out is None else {"out": out})


def take_along_axis(a: ndarray, indices: ndarray, axis: Any) -> Any:
    """An index out of bounds wraps around."""
    size = a.size if axis is None else a.shape[axis]

    def wrapped(values: Any, places: Any) -> Any:
        return numpy.take_along_axis(values, places % size if size else places, axis)

    return run("take_along_axis", wrapped, (a, indices), {})


def broadcast_arrays(*args: ndarray) -> tuple[ndarray, ...]:
    """Views of one shape."""
    shape = numpy.broadcast_shapes(*(a.shape for a in args))
    return tuple(run("broadcast_to", numpy.broadcast_to, (a, shape), {}) for a in args)


def where(condition: ndarray, x: Any = None, y: Any = None) -> Any:
    """``x`` where the condition holds, else ``y``; without them, the places where it does."""
    if x is None and y is None:
        counters.synchronizations += 1
        return run_now("where", numpy.where, (condition,), {})
    if x is None or y is None:
        raise ValueError("expected both x and y, or neither")
    return run("where", searches.where, (condition, x, y), {})


def put(a: ndarray, ind: Any, v: Any, mode: str = "wrap") -> None:
    """Write at flat indices; by default, those out of bounds wrap around."""
    places = ind if isinstance(ind, ndarray) else array(ind)
    values = v if isinstance(v, ndarray) else array(v, a.dtype)
    run_now("put", numpy.put, (a, places, values), {"mode": mode})


def asnumpy(a: Any, stream: Any = None, order: Any = "C", out: Any = None, *, blocking: bool = True) -> Any:
    """A copy on the host."""
    if isinstance(a, ndarray):
        return a.get(stream, order, out, blocking)
    if out is None:
        return numpy.asarray(a, order=order)
    out[...] = a
    return out


def get_array_module(*args: Any) -> Any:
    """CuPy if one of the arguments is an array of its, else NumPy."""
    import sys

    return sys.modules["cupy"] if any(isinstance(a, ndarray) for a in args) else numpy


def matmul(*args: Any, **options: Any) -> Any:
    """The product of arrays; a NumPy array is refused, and so are batches of bfloat16."""
    for argument in args:
        if not isinstance(argument, ndarray):
            raise TypeError(
                f"Argument 'b' has incorrect type (expected cupy.ndarray, got {type(argument).__module__}."
                f"{type(argument).__name__})"
            )
    kind = numpy.result_type(*args[:2])
    y = run("matmul", numpy.matmul, args, options)
    if kind.name != "bfloat16":
        return y
    if any(a.ndim > 2 for a in args):
        raise TypeError("data type 'E' not understood")
    return y.astype(kind)


def polygamma(n: Any, x: Any) -> Any:
    """Of arrays; a number has no ``astype`` where CuPy asks ``n == 0`` for it."""
    if any(value.dtype.kind == "c" for value in (n, x) if isinstance(value, numpy.ndarray)):
        raise elements.wrong_type("cupyx_scipy_special_zeta", (n, x))
    if not isinstance(n, numpy.ndarray):
        raise AttributeError("'bool' object has no attribute 'astype'")  # noqa: TRY004
    return scipy.special.polygamma(n, x)


def _over_axes(name: str) -> Function:
    """A function of ``scipy.special`` that reduces over axes: the axes are CuPy's."""

    def reduced(a: Any, axis: Any = None, **options: Any) -> Any:
        taken = reductions.axes_of(a, axis)
        if name == "logsumexp" and a.ndim and not all(a.shape[entry] for entry in taken):
            raise ValueError("zero-size array to reduction operation cupy_max which has no identity")
        return getattr(scipy.special, name)(a, axis=axis, **options)

    return reduced


SPECIAL: dict[str, Function] = {
    "polygamma": polygamma, **{name: _over_axes(name) for name in ("log_softmax", "logsumexp", "softmax")},
}  # fmt: skip
OWN: dict[str, Function] = {
    "array": array, "asanyarray": asarray, "asarray": asarray, "ascontiguousarray": ascontiguousarray,
    "asfortranarray": asfortranarray, "astype": astype,
    "broadcast_arrays": broadcast_arrays, "copy": copy, "copyto": copyto, "empty": empty,
    "empty_like": empty_like, "full": full, "full_like": full_like, "matmul": matmul, "ones": filled("ones", 1),
    "ones_like": filled_like("ones_like", 1), "put": put, "take": take, "take_along_axis": take_along_axis,
    "where": where, "zeros": filled("zeros", 0), "zeros_like": filled_like("zeros_like", 0),
}  # fmt: skip


def _lines(text: str) -> list[str]:
    return text.strip().splitlines()


def namespace() -> dict[str, Any]:
    """Every function and ufunc of ``cupy`` itself."""
    names: dict[str, Any] = {}
    for line in _lines(table.FUNCTIONS):
        function = make(line, numpy)
        names[function.__name__] = function
    names.update({name: ufunc(name, getattr(numpy, name)) for name in table.UFUNCS.split()})
    names |= {"asnumpy": asnumpy, "get_array_module": get_array_module}
    return names


def part(lines: str, module: ModuleType, prefix: str) -> dict[str, Any]:
    """Every function of a submodule."""
    made = [make(line, module, prefix) for line in _lines(lines)]
    return {function.__name__: function for function in made}


def special() -> dict[str, Any]:
    """Every function of ``cupyx.scipy.special``."""
    names = part(table.SPECIAL, scipy.special, "cupyx.scipy.special")
    ufuncs = table.SPECIAL_UFUNCS.split()
    return names | {name: ufunc(name, getattr(scipy.special, name), "cupyx_scipy_special") for name in ufuncs}
