"""Reading and writing at an index, of every kind that NumPy knows.

Slices, integers, ``None`` and ``...`` read a view; integer arrays and boolean masks, alone or mixed with the others,
gather. A gradient goes back to the places that were read, and adds up where one was read more than once.
"""

from __future__ import annotations

import math
import operator
from sys import getrefcount
from typing import Any

from .. import backend
from ..backend import Array, Namespace
from ..core import GradientError, Tensor, dispatch, primitive, temporary
from ..core.modes import careful, recording
from ..core.placed import Placed
from ..kernels import indexing as kernels
from .arithmetic import where
from .creation import asarray, astype
from .nested import is_table
from .shaping import reshape

Shape = tuple[int, ...]

LISTED = (list, tuple, range, bool)
"""What becomes an array in an index."""

INTEGER_OR_NONE = frozenset({int, type(None)})
"""What is to be left as it is in a slice."""


@primitive(batch="sliced", view=True)
def _slice(xp: Namespace, x: Array, /, index: Any) -> Array:
    return x[index]


@primitive(batch="sliced")
def _place(xp: Namespace, part: Array, /, index: Any, shape: Shape) -> Array:
    """Zeros with ``part`` in the place that ``_slice`` reads."""
    return kernels.place_at(xp, part, index, shape)


def _slice_x(xp: Namespace, g: Array, index: Any, x_shape: Shape) -> Any:
    """Put together with the gradients of other parts, where the walk is neither recorded nor watched."""
    if type(g) in backend.EAGER and not careful.on:
        return Placed(g, index, x_shape)
    return _place.on(xp, g, index=index, shape=x_shape)


_slice.vjp(x=_slice_x)
_place.vjp(part=lambda xp, g, index: _slice.on(xp, g, index=index))


@primitive(batch="gathered")
def _gather(xp: Namespace, x: Array, /, index: Any) -> Array:
    x = xp.asarray(x)  # NumPy gives scalars where others give 0-d arrays
    backend.backend_of(x).check_index(index, x.shape, "gather")
    return x[index]


@primitive(batch="added", wide=True)
def _scatter_add(xp: Namespace, part: Array, /, index: Any, shape: Shape) -> Array:
    """Zeros with ``part`` added up in the places that ``_gather`` reads."""
    return kernels.add_at(xp, part, index, shape)


_gather.vjp(x=lambda xp, g, index, x_shape: _scatter_add.on(xp, g, index=index, shape=x_shape))
_scatter_add.vjp(part=lambda xp, g, index: _gather.on(xp, g, index=index))


@primitive(wide=True)
def bags(xp: Namespace, x: Array, /, index: Any) -> Array:
    """The rows of x at an array of indices, in range, summed over the last axis of the indices.

    >>> import gpugrad as gg
    >>> import numpy
    >>> bags(gg.tensor([[1.0], [2.0], [4.0]]), numpy.array([[0, 1], [2, 2]]))
    tensor([[3.],
            [8.]])
    """
    return kernels.sum_at(xp, x, index)


@primitive(wide=True)
def _unbag(xp: Namespace, g: Array, /, index: Any, shape: Shape) -> Array:
    """The transpose of ``bags``."""
    return kernels.add_sums_at(xp, g, index, shape)


bags.vjp(x=lambda xp, g, index, x_shape: _unbag.on(xp, g, index=index, shape=x_shape))
_unbag.vjp(g=lambda xp, g, index: bags.on(xp, g, index=index))


def getitem(x: Tensor, index: Any, /) -> Tensor:
    """``x[index]``.

    Args:
        x: shape ``(...)``.
        index: whatever NumPy takes: slices, integers, ``None``, ``...``, integer arrays or tensors, boolean masks, and
            tuples of these.

    Raises:
        IndexError: out of bounds, on the GPU too, or too many indices.

    >>> import gpugrad as gg
    >>> x = gg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> x[[0, 0, 2]].sum().backward()
    >>> x.grad
    tensor([2., 0., 1.])
    """
    if type(index) is int:
        return _slice(x, index)
    key = array_index(index, x)
    return _slice(x, key) if is_basic(key) else _gather(x, key)


def summed_at(part: Tensor, index: Any, like: Tensor) -> Tensor:
    """Zeros of the shape of ``like`` with ``part`` added up in the places that an index with arrays reads.

    Raises:
        IndexError: out of bounds.

    >>> import gpugrad as gg
    >>> summed_at(gg.ones(3), gg.tensor([0, 2, 0]), gg.zeros(3))
    tensor([2., 0., 1.])
    """
    key = array_index(index, like)
    backend.backend_of(like.data).check_index(key, like.shape, "summed_at")
    return _scatter_add(part, key, like.shape)


def _read(xp: Namespace, x: Array, index: Any) -> Array:
    """``x[index]`` in a gradient rule."""
    return (_slice if is_basic(index) else _gather).on(xp, x, index=index)


@primitive(batch="written")
def _set_at(xp: Namespace, x: Array, value: Array, /, index: Any) -> Array:
    x = xp.asarray(x)
    owner = backend.backend_of(x)
    owner.check_index(index, x.shape, "set_at")
    if owner.racing and getattr(value, "size", 1) > 1 and _repeats(index):
        value = _of_the_last(xp, value, owner.last_at(index, x.shape))
    return kernels.set_at(xp, x, value, index)


def _repeats(index: Any) -> bool:
    """Whether an index may name a place twice."""
    return any(e.dtype.kind in "iu" and e.size > 1 for e in _entries(index) if hasattr(e, "dtype"))


def _of_the_last(xp: Namespace, value: Array, last: Array) -> Array:
    """The values to write, with the last one for a place in all positions for that place: then their order is open."""
    extra = len(value.shape) - len(last.shape)
    if extra > 0 and math.prod(value.shape[:extra]) == 1:
        value = xp.reshape(value, value.shape[extra:])
    return xp.reshape(xp.broadcast_to(value, last.shape), (last.size,))[last]


def _written(xp: Namespace, g: Array, index: Any, x_shape: Shape, value_shape: Shape) -> Array:
    """The gradient of what was written; of values written to one place, only the last one counts."""
    part = _read(xp, g, index)
    if not is_basic(index):
        part = _last_written(xp, part, index, x_shape)
    extra = len(value_shape) - len(part.shape)  # NumPy lets a value have axes of size 1 in front
    return xp.reshape(part, (1,) * extra + tuple(part.shape)) if extra > 0 else part


def _last_written(xp: Namespace, part: Array, index: Any, x_shape: Shape) -> Array:
    arrays = [e for e in _entries(index) if hasattr(e, "dtype")]
    if all(e.dtype.kind == "b" for e in arrays):
        return part
    raw = index_namespace(index)
    number = raw.reshape(raw.arange(part.size), part.shape)
    owners = [backend.BACKENDS[type(e)] for e in arrays]
    if all(owner.racing for owner in owners):
        last = owners[0].last_at(index, x_shape)
    else:
        last = kernels.set_at(raw, raw.full(x_shape, -1), number, index)[index]
    return xp.where(last == number, part, 0)


_set_at.vjp(
    x=lambda xp, g, index: _set_at.on(xp, g, 0, index=index),
    value=_written,
)


def set_at(x: Tensor, index: Any, value: Any) -> Tensor:
    """``x`` with ``x[index] = value``, as a new tensor; what ``x[index] = value`` makes of ``x``.

    Args:
        x: shape ``(...)``.
        index: as for :func:`getitem`. Where it names a place twice, the last value counts.
        value: a number, array or tensor that broadcasts to ``x[index]``; it takes the dtype of ``x``.

    Raises:
        IndexError: out of bounds.
        TypeError: floating-point values for an integer tensor, or complex ones for a real one.

    >>> import gpugrad as gg
    >>> gg.set_at(gg.zeros(3), 1, 5.0)
    tensor([0., 5., 0.])
    """
    key = array_index(index, x)
    if isinstance(value, list | tuple):
        value = asarray(value, dtype=x.dtype if backend.is_floating(x.dtype) else None, device=x.device)
    given = getattr(value, "dtype", None)
    if (isinstance(value, complex) or (given is not None and given.kind == "c")) and x.dtype.kind != "c":
        raise TypeError(f"cannot write complex values into a tensor of {x.dtype}")
    floating = isinstance(value, float) or (given is not None and backend.is_floating(given))
    if floating and not backend.is_floating(x.dtype):
        raise TypeError(f"cannot write floating-point values into a tensor of {x.dtype}")
    if careful.on and _differs(key, x, value):
        return _set_where(x, key[0] if isinstance(key, tuple) else key, value)
    return _set_at(x, value, index=key)


def _differs(key: Any, x: Tensor, value: Any) -> bool:
    """Whether a key is one mask that differs from sample to sample, and every place that it names gets the same."""
    entries = _entries(key)
    mask: Any = entries[0] if len(entries) == 1 else None
    return bool(
        backend.is_array(mask) and mask.dtype.kind == "b" and dispatch.mapped(mask)
        and len(getattr(value, "shape", ())) <= x.ndim - len(mask.shape)
        and tuple(mask.shape) == x.shape[: len(mask.shape)]
    )  # fmt: skip


def _set_where(x: Tensor, mask: Array, value: Any) -> Tensor:
    """:func:`set_at` without a gather in its gradient, whose shape would differ from sample to sample."""
    if backend.is_array(value) or isinstance(value, Tensor):
        value = astype(asarray(value), x.dtype, copy=False)
    extra = x.ndim - len(mask.shape)
    return where(reshape(Tensor(mask), (*mask.shape, *(1,) * extra)), value, x)


def setitem(x: Tensor, index: Any, value: Any, /) -> None:
    """``x[index] = value``: ``x`` takes the new value; other Tensors, and what the graph saved, keep the old.

    Raises:
        GradientError: ``x`` is a leaf that needs a gradient, while recording.
        TypeError: ``x`` is a temporary tensor, as in ``a[0][1] = v``: the value would be lost.
    """
    if getrefcount(x) <= temporary.WRITTEN and not x.reaches:
        temporary.check_written(x)
    if x.node is not None and x.is_leaf and recording():
        raise GradientError("a leaf that needs a gradient cannot be changed while recording: use gg.no_grad()")
    x.become(set_at(x, index, value))


def _entries(index: Any) -> tuple[Any, ...]:
    return index if isinstance(index, tuple) else (index,)


def is_basic(index: Any) -> bool:
    """Whether an index reads a view: only integers, slices, ``None`` and ``...``."""
    return type(index) is slice or all(e is None or e is Ellipsis or type(e) in (int, slice) for e in _entries(index))


def index_namespace(index: Any) -> Namespace:
    """The library of the arrays in an index; that of mapped or recorded ones where one of them is."""
    kinds = [type(e) for e in _entries(index) if hasattr(e, "dtype")]
    return backend.NAMESPACES[next((k for k in kinds if backend.BACKENDS[k].stands_in), kinds[0])]


def array_index(index: Any, x: Tensor) -> Any:
    """The index with Tensors as their arrays, lists as arrays beside ``x``, and numbers as Python integers."""
    return tuple([_array_entry(e, x) for e in index]) if isinstance(index, tuple) else _array_entry(index, x)


def _array_entry(entry: Any, x: Tensor) -> Any:
    if entry is None or entry is Ellipsis or type(entry) is int:
        return entry
    if isinstance(entry, slice):
        start, stop, step = entry.start, entry.stop, entry.step
        if type(start) in INTEGER_OR_NONE and type(stop) in INTEGER_OR_NONE and type(step) in INTEGER_OR_NONE:
            return entry
        return slice(*(None if s is None else operator.index(s) for s in (start, stop, step)))
    if isinstance(entry, LISTED) or is_table(entry):
        listed = asarray(entry, device=x.device)
        entry = listed if listed.size else astype(listed, backend.dtypes.int64)
    known = isinstance(entry, Tensor)
    if known:
        entry = entry.data
    if backend.is_array(entry):
        if entry.dtype.kind not in "iub":
            raise IndexError(f"expected integers or booleans as an index, got an array of {entry.dtype}")
        owner = backend.BACKENDS[type(entry)]
        if type(entry) is not type(x.data) or careful.on or (owner.count > 1 and not known):  # else one device is used
            here = backend.device_of(entry)
            if here != x.device:
                raise ValueError(f"the index is on {here}, the tensor on {x.device}; nothing is moved silently")
        return entry
    try:
        return operator.index(entry)
    except TypeError:
        if getattr(entry, "dtype", None) == backend.dtypes.bool_:  # a scalar of NumPy's
            return asarray(bool(entry), device=x.device).data
        raise IndexError(
            "expected integers, slices, None, ..., lists or arrays of integers or booleans as an index, "
            f"got {type(entry).__name__}"
        ) from None
