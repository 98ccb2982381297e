"""NumPy's changes in place, on Tensors: ``a.sort()``, ``a.flat[i] = v``, ``numpy.fill_diagonal(a, v)``.

The Tensor takes a new value at a new place in the graph, as with ``x[i] = v``; other Tensors keep theirs, and gradients
pass to what was written and to what was left. Source: the methods of ``numpy.ndarray``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from sys import getrefcount
from typing import Any

import numpy

from .. import backend
from ..backend import Array
from ..core import Tensor
from ..core.errors import user_line
from ..core.temporary import Passing, check_called, check_target
from . import arithmetic, creation, editing, indexing, quantiles, rounding, selection, shaping
from .dims import MEANINGS


def take(x: Tensor, value: Tensor) -> None:
    """Give ``x`` a new value in its own shape and dtype.

    Raises:
        ValueError: the value has another shape.
        TypeError: it is of another kind: floating-point for an integer tensor, complex for a real one.
    """
    if value.shape != x.shape:
        raise ValueError(f"in-place: the result of shape {value.shape} does not fit the tensor's {x.shape}")
    if value.dtype != x.dtype:
        if value.dtype.kind != x.dtype.kind:
            raise TypeError(f"in-place: the result of {value.dtype} does not fit the tensor's {x.dtype}")
        value = creation.astype(value, x.dtype)
    x.become(value)


# ---------------------------------------------------------------- methods


def fill(self: Tensor, value: Any) -> None:
    """Write one number everywhere, in place."""
    check_called(getrefcount(self), self, "fill")
    self[...] = value


def sort(self: Tensor, axis: int = -1, *, descending: bool = False, stable: bool = True, dim: None = None) -> None:
    """Sort in place along an axis, as NumPy's method does; :func:`gpugrad.sort` returns a new tensor.

    Raises:
        TypeError: ``dim=`` is given, which says that PyTorch's is meant.
    """
    if dim is not None:
        raise TypeError(f"sort: {MEANINGS['sort']} [{user_line()}]")
    check_called(getrefcount(self), self, "sort")
    self.become(selection.sort(self, axis=axis, descending=descending, stable=stable))


def partition(self: Tensor, kth: int | tuple[int, ...], axis: int = -1) -> None:
    """Partition in place along an axis; :func:`gpugrad.partition` returns a new tensor."""
    check_called(getrefcount(self), self, "partition")
    self.become(quantiles.partition(self, kth, axis=axis))


def put(self: Tensor, indices: Any, values: Any, mode: str = "raise") -> None:
    """Write values at places counted along the flattened tensor, in place; too few values are repeated.

    Raises:
        IndexError: out of bounds, for ``mode="raise"``; ``"wrap"`` counts on from the start, ``"clip"`` takes the end.
    """
    check_called(getrefcount(self), self, "put")
    _put(self, indices, values, mode)


def resize(self: Tensor, *shape: Any, refcheck: bool = True) -> None:
    """Change the shape in place: cut off at the end, or padded with zeros."""
    check_called(getrefcount(self), self, "resize")
    wanted = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
    size = math.prod(wanted)
    flat = shaping.reshape(self, -1)[:size]
    if size > self.size:
        flat = shaping.concat([flat, creation.zeros(size - self.size, dtype=self.dtype, device=self.device)])
    self.become(shaping.reshape(flat, tuple(wanted)))


class Flat(Passing):
    """The attribute ``flat``: the elements in row-major order, to be read, written and iterated over.

    >>> import gpugrad as gg
    >>> a = gg.zeros((2, 2))
    >>> a.flat[1:3] = 7.0
    >>> a
    tensor([[0., 7.],
            [7., 0.]])
    """

    __slots__ = ("base",)

    def __init__(self, base: Tensor) -> None:
        self.base = base

    def __getitem__(self, index: Any) -> Tensor:
        return shaping.reshape(self.base, -1)[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        check_target(self.base, "a[0].flat[1] = v")
        flat = shaping.reshape(self.base, -1)
        wanted = flat[index].shape
        if getattr(value, "shape", ()) or isinstance(value, list | tuple):
            value = _repeated(value, wanted, self.base)
        flat[index] = value
        self.base.become(shaping.reshape(flat, self.base.shape))

    def __len__(self) -> int:
        return self.base.size

    def __iter__(self) -> Iterator[Tensor]:
        return iter(shaping.reshape(self.base, -1))

    def copy(self) -> Tensor:
        """The elements as a tensor with one axis."""
        return shaping.reshape(self.base, -1)


def _repeated(values: Any, shape: tuple[int, ...], like: Tensor) -> Tensor:
    """As many values as there are places, from the start again where they are too few."""
    return editing.resize(_values(values, like), shape)


def _values(values: Any, like: Tensor) -> Tensor:
    """Values to be written; Python's own numbers take the dtype of the tensor, as beside any other."""
    if isinstance(values, Tensor) or backend.is_array(values):
        return creation.asarray(values)
    number = creation.asarray(values, device=like.device)
    fits = backend.is_floating(like.dtype) or not backend.is_floating(number.dtype)
    return creation.asarray(values, dtype=like.dtype, device=like.device) if fits else number


def set_flat(self: Tensor, values: Any) -> None:
    """Write all elements in row-major order: ``a.flat = values``."""
    self.flat[...] = values


def set_real(self: Tensor, values: Any) -> None:
    """Replace the real part."""
    check_target(self, "a[0].real = v")
    part = rounding.imag(self) * 1j if self.dtype.kind == "c" else 0
    take(self, shaping.broadcast_to(_values(values, self) + part, self.shape))


def set_imag(self: Tensor, values: Any) -> None:
    """Replace the imaginary part.

    Raises:
        TypeError: the tensor is real.
    """
    check_target(self, "a[0].imag = v")
    if self.dtype.kind != "c":
        raise TypeError(f"a tensor of {self.dtype} has no imaginary part to be written")
    take(self, shaping.broadcast_to(rounding.real(self) + _values(values, self) * 1j, self.shape))


# ---------------------------------------------------------------- functions of NumPy


def _copyto(dst: Tensor, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    value = shaping.broadcast_to(creation.astype(_values(src, dst), dst.dtype, copy=False), dst.shape)
    dst.become(value if where is True else arithmetic.where(creation.asarray(where, device=dst.device), value, dst))


def _fill_diagonal(a: Tensor, val: Any, wrap: bool = False) -> None:
    if a.ndim < 2:
        raise ValueError(f"numpy.fill_diagonal: expected at least two axes, got shape {a.shape}")
    if a.ndim == 2:
        step, end = a.shape[1] + 1, None if wrap else a.shape[1] ** 2
    elif len(set(a.shape)) == 1:
        step, end = sum(math.prod(a.shape[:i]) for i in range(a.ndim)), None
    else:
        raise ValueError(f"numpy.fill_diagonal: expected equal sizes of all axes, got shape {a.shape}")
    a.flat[:end:step] = val


def _place(arr: Tensor, mask: Any, vals: Any) -> None:
    several = getattr(vals, "shape", ()) or isinstance(vals, list | tuple)
    arr.flat[_beside(_host(mask).ravel(), arr)] = vals if several else [vals]


def _putmask(a: Tensor, mask: Any, values: Any) -> None:
    full = _repeated(values, a.shape, a)
    a.become(arithmetic.where(creation.asarray(mask, device=a.device), creation.astype(full, a.dtype, copy=False), a))


def _put(a: Tensor, ind: Any, v: Any, mode: str = "raise") -> None:
    index = _host(ind)
    if mode != "raise":
        index = index % a.size if mode == "wrap" else index.clip(0, a.size - 1)
    a.flat[_beside(index, a)] = v


def _put_along_axis(arr: Tensor, indices: Any, values: Any, axis: int | None = -1) -> None:
    if axis is None:
        _put(arr, indices, values)
    else:
        arr.become(selection.put_along_axis(arr, indices, values, axis))


FUNCTIONS: dict[str, Callable[..., None]] = {
    "copyto": _copyto, "fill_diagonal": _fill_diagonal, "place": _place, "put": _put,
    "put_along_axis": _put_along_axis, "putmask": _putmask,
}  # fmt: skip
"""Functions of NumPy that write into their first argument."""


def _host(index: Any) -> numpy.ndarray[Any, Any]:
    return (
        index.numpy()
        if isinstance(index, Tensor)
        else backend.to_host(index)
        if backend.is_array(index)
        else numpy.array(index)
    )


def _beside(index: numpy.ndarray[Any, Any], x: Tensor) -> Array:
    return backend.transfer(index, x.device)


def at(op: Callable[..., Any], name: str, x: Tensor, index: Any, *values: Any) -> None:
    """``ufunc.at``: apply ``op`` to the elements at an index, as often as it names them, in place."""
    places = numpy.arange(x.size).reshape(x.shape)[_on_host(index)]
    flat = shaping.reshape(x, -1)
    others = [shaping.reshape(shaping.broadcast_to(_values(v, x), places.shape), -1) for v in values]
    places = places.ravel()
    if name in ("add", "subtract"):
        added = creation.astype(others[0], x.dtype, copy=False)
        total = indexing._scatter_add(added, index=_beside(places, x), shape=flat.shape)
        flat = op(flat, total)
    else:
        order = numpy.argsort(places, kind="stable")
        first = numpy.flatnonzero(numpy.diff(places[order], prepend=-1))
        turn = numpy.empty_like(places)  # how often a place was named before
        turn[order] = numpy.arange(places.size) - numpy.repeat(first, numpy.diff(first, append=places.size))
        for k in range(int(numpy.max(turn, initial=-1)) + 1):
            now = numpy.flatnonzero(turn == k)
            here, which = _beside(places[now], x), _beside(now, x)
            flat[here] = op(flat[here], *(v[which] for v in others))
    take(x, shaping.reshape(flat, x.shape))


def _on_host(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(map(_on_host, index))
    return _host(index) if isinstance(index, Tensor | list) or backend.is_array(index) else index
