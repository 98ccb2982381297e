"""Making tensors, and moving them between dtypes and devices.

``dtype=None`` means the default dtype for floating point (complex numbers: the complex dtype of that precision) and
int64 for integers, ``device=None`` the default device. Source: Python array API standard 2024.12; ``tensor`` is
PyTorch's.
"""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

import numpy

from .. import backend
from ..backend import Array, Device, Namespace
from ..core import Tensor, check_unconnected, connected, modes, primitive
from ..core.errors import user_line
from ..kernels.shapes import several
from . import nested
from .arithmetic import positive
from .shaping import broadcast_to, permute_dims, reshape, which_axis

Shape = int | tuple[int, ...]


def tensor(data: Any, dtype: Any = None, device: Device | str | None = None, requires_grad: bool = False) -> Tensor:
    """A new tensor with a copy of ``data``.

    Args:
        data: a number, nested lists, an array, or a Tensor. Python's floats take the default dtype, its complex numbers
            the complex one of that precision, arrays keep theirs. The copy of a Tensor that needs a gradient is
            recorded, as ``data.copy()``; with ``requires_grad=True``, the copy of a leaf is a new leaf.
        dtype: of the elements.
        device: where to; for None, an array of CuPy stays where it is, all else goes to the default device.
        requires_grad: whether gradients with respect to it will be asked for.

    Raises:
        GradientError: ``requires_grad=True`` for a result that needs a gradient, or for an argument of a transform.
        TypeError: the data are not numbers (objects, text, dates), or integers are to have a gradient.
        ValueError: nested lists of unequal length.

    >>> import gpugrad as gg
    >>> gg.tensor([[1, 2], [3, 4]], dtype=gg.float64)
    tensor([[1., 2.],
            [3., 4.]], dtype=float64)
    """
    if isinstance(data, Tensor) and not connected(data):
        data = Tensor(data.data, None if requires_grad or not modes.recording() else data.node)
    if device is None and isinstance(data.data if isinstance(data, Tensor) else data, numpy.ndarray):
        device = modes.get_default_device()
    made = asarray(data, dtype=dtype, device=device, copy=True)
    if requires_grad:
        check_unconnected("tensor", made)
    return made.requires_grad_() if requires_grad else made


def asarray(obj: Any, /, dtype: Any = None, device: Device | str | None = None, copy: bool | None = None) -> Tensor:
    """``obj`` as a tensor, sharing memory where it can.

    Args:
        obj: as for :func:`tensor`; a Tensor stays in its graph. Lists with Tensors in them are stacked.
        dtype: None keeps that of an array or Tensor.
        device: None keeps that of an array or Tensor.
        copy: True always copies, False never does. Writing ``x[i] = v`` gives ``x`` a new value in either case, and
            leaves tensors that shared its memory as they were.

    Raises:
        TypeError: complex numbers with a real dtype; an array of objects, text or dates.
        ValueError: ``copy=False``, but the dtype or the device make a copy necessary.

    >>> import gpugrad as gg, numpy
    >>> gg.asarray(numpy.arange(3.0)).dtype
    dtype('float64')
    """
    if isinstance(obj, Tensor) and dtype is None and device is None and not copy:
        return Tensor(obj.data, obj.node)  # the caller may rebind what it gets
    wanted = None if dtype is None else backend.as_dtype(dtype)
    if isinstance(obj, Tensor) and obj.node is not None:
        moved = to(obj, device=device, dtype=wanted)
        if copy is False and moved is not obj:
            raise ValueError(f"asarray: {obj.dtype} on {obj.device} to {moved.dtype} on {moved.device} needs a copy")
        if moved is not obj:
            return moved
        return positive(obj) if copy else Tensor(obj.data, obj.node)
    array = obj.data if isinstance(obj, Tensor) else obj
    if not backend.is_array(array):
        if isinstance(obj, list | tuple) and nested.holds_tensors(obj):
            if copy is False:
                raise ValueError("asarray: a list of tensors cannot be shared, copy=False was asked for")
            return asarray(nested.nested(obj), dtype=dtype, device=device)
        array = _from_python(array, wanted)
        device = modes.get_default_device() if device is None else device
        if copy is False:
            raise ValueError(f"asarray: a {type(obj).__name__} cannot be shared, copy=False was asked for")
        copy = None
    elif not isinstance(obj, Tensor):
        nested.check_numeric("asarray", array)
    place = backend.device_of(array) if device is None else Device(device)
    same = (wanted is None or array.dtype == wanted) and place == backend.device_of(array)
    if same:
        return _made(backend.duplicate(array)) if copy else Tensor(array)
    if copy is False:
        raise ValueError(f"asarray: {array.dtype} on {backend.device_of(array)} to {wanted or array.dtype} on {place} "
                         "needs a copy, copy=False was asked for")  # fmt: skip
    if wanted is not None:
        _no_part_lost("asarray", array.dtype, wanted)
        with backend.beside(array):
            array = array.astype(wanted)
    return _made(backend.transfer(array, place))


def detached(value: Any) -> Any:
    """A tensor of PyTorch as one that NumPy reads: outside its graph, and float32 instead of bfloat16."""
    if hasattr(value, "detach") and hasattr(value, "dtype"):
        value = value.detach()
        if str(value.dtype).endswith(".bfloat16"):
            value = value.float()
    return value


def _from_python(data: Any, dtype: Any) -> numpy.ndarray[Any, Any]:
    """Numbers and nested lists as a NumPy array; Python's floats and complex numbers get the default dtypes."""
    array: numpy.ndarray[Any, Any] = nested.numbers(data)
    if dtype is None:
        kept = hasattr(data, "dtype") or nested.is_table(data)
        return array if kept else array.astype(_default_for(array.dtype), copy=False)
    _no_part_lost("asarray", array.dtype, dtype)
    return array.astype(dtype)


def _default_for(dtype: Any) -> Any:
    """The dtype of Python's numbers, which NumPy makes the widest of their kind."""
    if dtype == backend.dtypes.float64:
        return modes.get_default_dtype()
    return backend.dtypes.complex_beside(modes.get_default_dtype()) if dtype.kind == "c" else dtype


def _no_part_lost(name: str, dtype: Any, wanted: Any) -> None:
    if dtype.kind == "c" and wanted.kind not in "cb":
        raise TypeError(f"{name}: {dtype} as {wanted} would lose the imaginary part: use gg.real(x), or gg.abs(x)")


def _new(function: str, *args: Any, dtype: Any, device: Device | str | None, **kwargs: Any) -> Tensor:
    place = modes.get_default_device() if device is None else device if type(device) is Device else Device(device)
    owner = backend.backend_for(place)
    wanted = modes.get_default_dtype() if dtype is None else backend.as_dtype(dtype)
    with owner.using(place):
        return _made(getattr(owner.xp, function)(*args, dtype=wanted, **kwargs))


def _made(array: Array) -> Tensor:
    """A constant; in debug mode, the line that made it is remembered."""
    if modes.debugging():
        backend.live.note(array, user_line())
    return Tensor(array)


def zeros(shape: Shape, *sizes: int, dtype: Any = None, device: Device | str | None = None) -> Tensor:
    """Zeros. The sizes come as a tuple or one by one.

    >>> import gpugrad as gg
    >>> gg.zeros((2, 2))
    tensor([[0., 0.],
            [0., 0.]])
    """
    return _new("zeros", (shape, *sizes) if sizes else shape, dtype=dtype, device=device)


def ones(shape: Shape, *sizes: int, dtype: Any = None, device: Device | str | None = None) -> Tensor:
    """Ones. The sizes come as a tuple or one by one.

    >>> import gpugrad as gg
    >>> gg.ones(3)
    tensor([1., 1., 1.])
    """
    return _new("ones", (shape, *sizes) if sizes else shape, dtype=dtype, device=device)


def empty(shape: Shape, *sizes: int, dtype: Any = None, device: Device | str | None = None) -> Tensor:
    """Memory that holds whatever it held. The sizes come as a tuple or one by one.

    >>> import gpugrad as gg
    >>> gg.empty((2, 3)).shape
    (2, 3)
    """
    return _new("empty", (shape, *sizes) if sizes else shape, dtype=dtype, device=device)


def full(shape: Shape, fill_value: Any, *, dtype: Any = None, device: Device | str | None = None) -> Tensor:
    """One number everywhere; for ``dtype=None`` a float gives the default dtype, other numbers their own.

    A Tensor as the number is broadcast, and gets its gradient.

    >>> import gpugrad as gg
    >>> gg.full(2, 7)
    tensor([7, 7])
    """
    if isinstance(fill_value, Tensor):
        filled = positive(broadcast_to(fill_value, several(shape)))
        return to(filled, device=modes.get_default_device() if device is None else device, dtype=dtype)
    if dtype is None and not isinstance(fill_value, float):
        dtype = asarray(fill_value).dtype
    return _new("full", shape, fill_value, dtype=dtype, device=device)


def arange(
    start: Any, /, stop: Any = None, step: Any = 1, *, dtype: Any = None, device: Device | str | None = None
) -> Tensor:
    """``start, start + step, ...`` up to but without ``stop``; with one argument, from 0 up to it.

    Tensors of one element get their gradients; the number of elements is a constant.

    >>> import gpugrad as gg
    >>> gg.arange(3), gg.arange(0.0, 1.0, 0.5)
    (tensor([0, 1, 2]), tensor([0. , 0.5]))
    """
    if stop is None:
        start, stop = 0, start
    if any(isinstance(v, Tensor) for v in (start, stop, step)):
        first, end, width = (v.item() if isinstance(v, Tensor) else v for v in (start, stop, step))
        if any(isinstance(v, Tensor) and backend.is_floating(v.dtype) for v in (start, stop, step)):
            places = _positions(max(0, math.ceil((end - first) / width)), start, stop, step)
            return to(start + step * places, device=device, dtype=dtype)
        start, stop, step = first, end, width
    if dtype is None and all(isinstance(v, int | numpy.integer) for v in (start, stop, step)):
        dtype = backend.dtypes.int64
    return _new("arange", start, stop, step, dtype=dtype, device=device)


def _positions(count: int, *values: Any) -> Tensor:
    """``0, 1, ..., count - 1`` in the floating-point dtype and on the device of the Tensors among ``values``."""
    like = 0.0 + functools.reduce(operator.add, (v for v in values if isinstance(v, Tensor)))
    return _new("arange", count, dtype=like.dtype, device=like.device)


def linspace(
    start: Any, stop: Any, /, num: int = 50, *, dtype: Any = None, device: Device | str | None = None,
    endpoint: bool = True, retstep: bool = False, axis: int = 0,
) -> Any:  # fmt: skip
    """``num`` evenly spaced numbers from ``start`` to ``stop``, which is left out for ``endpoint=False``.

    Tensors get their gradients; one of shape ``(...)`` gives ``(num, ...)``, or has the new axis at ``axis``. With
    ``retstep`` the result is a pair, the second of it the distance of two neighbours.

    >>> import gpugrad as gg
    >>> gg.linspace(0, 1, 3)
    tensor([0. , 0.5, 1. ])
    """
    if retstep:
        y = linspace(start, stop, num, dtype=dtype, device=device, endpoint=endpoint, axis=axis)
        parts = operator.index(num) - endpoint
        ends = (asarray(v) if isinstance(v, list | tuple) else v for v in (stop, start))
        return y, operator.sub(*ends) / parts if parts else math.nan
    if axis:
        y = linspace(start, stop, num, dtype=dtype, device=device, endpoint=endpoint)
        place = which_axis("linspace", axis, y.ndim)
        return permute_dims(y, (*range(1, place + 1), 0, *range(place + 1, y.ndim)))
    if isinstance(start, list | tuple) or isinstance(stop, list | tuple):
        start, stop = nested.operands("linspace", (start, stop))
    if isinstance(start, Tensor) or isinstance(stop, Tensor):
        count = operator.index(num)
        shape = (count, *(1,) * max(getattr(v, "ndim", 0) for v in (start, stop)))
        share = reshape(_positions(count, start, stop), shape) / max(count - endpoint, 1)
        return to(start * (1 - share) + stop * share, device=device, dtype=dtype)
    if dtype is None and (isinstance(start, complex) or isinstance(stop, complex)):
        dtype = backend.dtypes.complex_beside(modes.get_default_dtype())
    return _new("linspace", start, stop, num, dtype=dtype, device=device, endpoint=endpoint)


def eye(
    n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = None, device: Device | str | None = None
) -> Tensor:
    """Ones on the k-th diagonal, zeros elsewhere.

    >>> import gpugrad as gg
    >>> gg.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    return _new("eye", n_rows, n_cols, k=k, dtype=dtype, device=device)


def _like(
    function: str, x: Any, *args: Any, dtype: Any, device: Device | str | None, shape: Shape | None
) -> Tensor:  # fmt: skip
    x = x if isinstance(x, Tensor) else asarray(x)
    place = backend.device_of(x.data) if device is None else device
    return _new(
        function, x.shape if shape is None else shape, *args, dtype=x.dtype if dtype is None else dtype, device=place
    )


def zeros_like(
    x: Array, /, *, dtype: Any = None, device: Device | str | None = None, shape: Shape | None = None
) -> Tensor:
    """Zeros of the shape, dtype and device of ``x``, or of those that are given.

    >>> import gpugrad as gg
    >>> gg.zeros_like(gg.tensor([1, 2]))
    tensor([0, 0])
    """
    return _like("zeros", x, dtype=dtype, device=device, shape=shape)


def ones_like(
    x: Array, /, *, dtype: Any = None, device: Device | str | None = None, shape: Shape | None = None
) -> Tensor:
    """Ones of the shape, dtype and device of ``x``, or of those that are given.

    >>> import gpugrad as gg
    >>> gg.ones_like(gg.tensor([1.5, 2.5]))
    tensor([1., 1.])
    """
    return _like("ones", x, dtype=dtype, device=device, shape=shape)


def empty_like(
    x: Array, /, *, dtype: Any = None, device: Device | str | None = None, shape: Shape | None = None
) -> Tensor:
    """Memory of the shape, dtype and device of ``x``, whatever it held.

    >>> import gpugrad as gg
    >>> gg.empty_like(gg.zeros((2, 3))).shape
    (2, 3)
    """
    return _like("empty", x, dtype=dtype, device=device, shape=shape)


def full_like(
    x: Array, /, fill_value: Any, *, dtype: Any = None, device: Device | str | None = None, shape: Shape | None = None
) -> Tensor:
    """One number everywhere, in the shape, dtype and device of ``x``.

    >>> import gpugrad as gg
    >>> gg.full_like(gg.zeros(2), 3.0)
    tensor([3., 3.])
    """
    if isinstance(fill_value, Tensor):
        place = backend.device_of(x.data if isinstance(x, Tensor) else x) if device is None else device
        return full(
            x.shape if shape is None else shape, fill_value, dtype=x.dtype if dtype is None else dtype, device=place
        )
    return _like("full", x, fill_value, dtype=dtype, device=device, shape=shape)


@primitive(batch="elementwise")
def _astype(xp: Namespace, x: Array, /, dtype: Any) -> Array:
    return xp.astype(x, dtype)


_astype.vjp(x=lambda xp, g: g)  # the engine gives a gradient the dtype of its variable


def astype(x: Tensor, dtype: Any, /, *, copy: bool = True, device: Device | str | None = None) -> Tensor:
    """``x`` with elements of another dtype, on another device if one is given; gradients come back in that of ``x``.

    As integers or booleans it is a constant.

    Raises:
        TypeError: complex numbers as real ones: :func:`gpugrad.real` and :func:`gpugrad.abs` say what is meant.

    >>> import gpugrad as gg
    >>> gg.astype(gg.tensor([1.5, 2.5]), gg.int64)
    tensor([1, 2])
    """
    wanted = backend.as_dtype(dtype)
    if device is not None:
        x = to(x, device=device)
    if not copy and x.dtype == wanted:
        return x
    _no_part_lost("astype", x.dtype, wanted)
    if not backend.is_floating(wanted):
        x = Tensor(x.data)
    return _astype(x, wanted)


@primitive(batch="elementwise")
def _to_device(xp: Namespace, x: Array, /, device: Device) -> Array:
    return backend.transfer(xp.asarray(x), device)  # NumPy gives scalars where others give 0-d arrays


_to_device.vjp(x=lambda xp, g, x_device: _to_device.on(xp, g, device=x_device))


def to(
    x: Tensor, *args: Any, device: Device | str | None = None, dtype: Any = None, non_blocking: bool = False,
    copy: bool = False, memory_format: Any = None,
) -> Tensor:  # fmt: skip
    """``x`` on another device, in another dtype, or both; itself if nothing changes. Gradients find their way back.

    Args:
        x: shape ``(...)``.
        args: a device (``"cuda"``, ``gg.device("cuda:1")``) or a dtype, in any order, or a Tensor that has both.
        device: the same by name.
        dtype: the same by name.
        non_blocking: accepted; copies to a GPU are ordered with its work, whatever is asked for.
        copy: a new tensor in any case.
        memory_format: accepted; the layout of memory is not seen.

    Raises:
        RuntimeError: the device is not there.

    >>> import gpugrad as gg
    >>> gg.tensor([1.0]).to("cpu", gg.float64)
    tensor([1.], dtype=float64)
    """
    before = x
    for wanted in args:
        if isinstance(wanted, Tensor):
            device, dtype = wanted.device, wanted.dtype
            continue
        try:
            device = Device(wanted)
        except ValueError as error:
            try:
                dtype = backend.as_dtype(wanted)
            except TypeError:
                raise ValueError(f"{error} or a dtype") from None
    if dtype is not None and backend.as_dtype(dtype) != x.dtype:
        x = astype(x, dtype)
    if device is not None and Device(device) != x.device:
        x = _to_device(x, device=Device(device))
    return x.copy() if copy and x is before else x
