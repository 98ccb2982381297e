"""What PyTorch does to shapes and indices and NumPy does in other words, composed of operations.

Parameters are named and ordered as in PyTorch, so that the table of :mod:`gpugrad.ops.pytorch` has them as they are.
"""

from __future__ import annotations

import math
import operator
from typing import Any

from ..backend import is_floating
from ..core import Tensor
from . import indexing
from .arithmetic import where
from .creation import arange, asarray, astype
from .diagonals import diag
from .selection import sliding_window_view, take, take_along_axis
from .shaping import broadcast_to, permute_dims, reshape, which_axis
from .stacking import array_split


def sizes(given: tuple[Any, ...]) -> tuple[int, ...]:
    """Sizes or axes that come one by one, or as one sequence.

    >>> sizes((2, 3)), sizes(([2, 3],))
    ((2, 3), (2, 3))
    """
    if len(given) == 1 and not hasattr(given[0], "__index__"):
        given = tuple(given[0])
    elif len(given) == 1 and isinstance(given[0], Tensor) and given[0].ndim:
        given = tuple(given[0].tolist())
    return tuple(map(operator.index, given))


def view(input: Tensor, *shape: Any) -> Tensor:
    """The same elements in another shape, as :func:`gpugrad.reshape`; never another dtype of the same memory."""
    if len(shape) == 1 and not isinstance(shape[0], int | tuple | list | Tensor):
        raise TypeError(f"view: expected sizes, got {shape[0]!r}: x.astype(dtype) converts the elements")
    return reshape(input, sizes(shape))


def expand(input: Tensor, *shape: Any, implicit: bool = False) -> Tensor:
    """Axes of size 1 repeated to the given sizes, of which -1 keeps an axis as it is."""
    wanted = sizes(shape)
    own = (1,) * (len(wanted) - input.ndim) + input.shape
    if len(own) != len(wanted):
        raise ValueError(f"expand: expected a size for each of the {input.ndim} axes, got {wanted}")
    return broadcast_to(input, tuple(n if w == -1 else w for n, w in zip(own, wanted, strict=True)))


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The axes from ``start_dim`` to ``end_dim`` as one."""
    if not input.ndim:
        return reshape(input, (1,))
    first, last = which_axis("flatten", start_dim, input.ndim), which_axis("flatten", end_dim, input.ndim)
    if first > last:
        raise ValueError(f"flatten: expected start_dim before end_dim, got {start_dim} and {end_dim}")
    shape = input.shape
    return reshape(input, (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))


def unflatten(input: Tensor, dim: int, sizes: Any) -> Tensor:
    """One axis as several; one of the sizes may be -1."""
    place, parts = which_axis("unflatten", dim, input.ndim), tuple(sizes)
    if -1 in parts:
        rest = math.prod(n for n in parts if n != -1)
        parts = tuple(input.shape[place] // rest if n == -1 else n for n in parts)
    if math.prod(parts) != input.shape[place]:
        raise ValueError(f"unflatten: expected sizes that multiply up to {input.shape[place]}, got {tuple(sizes)}")
    return reshape(input, (*input.shape[:place], *parts, *input.shape[place + 1 :]))


def _cut(input: Tensor, dim: int, start: int, stop: int) -> Tensor:
    return indexing.getitem(input, (slice(None),) * dim + (slice(start, stop),))


def narrow(input: Tensor, dim: int, start: Any, length: int) -> Tensor:
    """``length`` slices of an axis from ``start`` on."""
    place = which_axis("narrow", dim, input.ndim)
    size, first = input.shape[place], operator.index(start)
    first += size if first < 0 else 0
    if not 0 <= first <= first + length <= size:
        raise IndexError(f"narrow: expected a part of the {size} slices of axis {dim}, got {length} from {start} on")
    return _cut(input, place, first, first + length)


def select(input: Tensor, dim: int, index: int) -> Tensor:
    """One slice of an axis, without that axis."""
    return indexing.getitem(input, (slice(None),) * which_axis("select", dim, input.ndim) + (operator.index(index),))


def index_select(input: Tensor, dim: int, index: Any) -> Tensor:
    """The slices of an axis that a 1-D index names."""
    return take(input, index, axis=dim)


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most ``chunks`` pieces of an axis, all of one size but the last."""
    place = which_axis("chunk", dim, input.ndim)
    if chunks < 1:
        raise ValueError(f"chunk: expected at least 1 piece, got {chunks}")
    size = input.shape[place]
    step = max(1, -(-size // chunks))
    return tuple(_cut(input, place, i, min(i + step, size)) for i in range(0, max(size, 1), step))


def tensor_split(input: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """As :func:`gpugrad.array_split`, as a tuple."""
    return tuple(array_split(input, indices_or_sections, dim))


def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """Windows of ``size`` elements, ``step`` apart, along a new last axis."""
    windows = sliding_window_view(input, size, which_axis("unfold", dimension, input.ndim))
    return indexing.getitem(windows, (slice(None),) * (dimension % input.ndim) + (slice(None, None, step),))


def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Matrices with the last axis of ``input`` on a diagonal."""
    if (dim1, dim2) != (-2, -1):
        raise ValueError("diag_embed: write gg.moveaxis(torch.diag_embed(x), (-2, -1), (dim1, dim2))")
    n = input.shape[-1]
    places = diag(arange(n, device=input.device) + 1, offset)  # 1 + which element belongs there, or 0
    return where(places > 0, indexing.getitem(input, (..., (places - 1) * (places > 0))), 0)


# ---------------------------------------------------------------- indices along one axis


def _along(input: Tensor, dim: int, index: Tensor) -> tuple[Any, ...]:
    """An index of ``input`` that reads one element for each of ``index``, whose axes besides ``dim`` begin at 0."""
    place = which_axis("index", dim, input.ndim)
    if index.ndim != input.ndim:
        raise ValueError(f"expected an index with {input.ndim} axes, as the tensor has, got shape {index.shape}")
    return tuple(
        index if axis == place
        else reshape(arange(n, device=index.device), (1,) * axis + (n,) + (1,) * (index.ndim - axis - 1))
        for axis, n in enumerate(index.shape)
    )  # fmt: skip


def gather(input: Tensor, dim: int, index: Any, *, sparse_grad: bool = False) -> Tensor:
    """``input[i][index[i][j]]`` for ``dim=1``, and so on: as :func:`gpugrad.take_along_axis`."""
    index = asarray(index)
    place = which_axis("gather", dim, input.ndim)
    outside = [n > m for axis, (n, m) in enumerate(zip(index.shape, input.shape, strict=False)) if axis != place]
    if index.ndim != input.ndim or any(outside):
        raise ValueError(
            f"gather: expected an index of at most the sizes of the tensor, {input.shape}, besides axis {dim}, got "
            f"{index.shape}"
        )
    part = tuple(slice(None) if axis == place else slice(n) for axis, n in enumerate(index.shape))
    return take_along_axis(indexing.getitem(input, part), index, axis=place)  # type: ignore[no-any-return]


def _beside(input: Tensor, index: Tensor, src: Any) -> Any:
    """The part of ``src`` that an index of these sizes uses."""
    if isinstance(src, Tensor) and src.ndim:
        return indexing.getitem(src, tuple(slice(n) for n in index.shape))
    return src


def scatter(
    input: Tensor, dim: int, index: Any, src: Any = None, *, value: Any = None, reduce: str | None = None
) -> Tensor:
    """``input`` with ``src``, or one value, written where :func:`gather` reads."""
    if reduce not in (None, "add"):
        raise TypeError(f"scatter: expected reduce=None or 'add', got {reduce!r}: gather, compute and scatter instead")
    source = value if src is None else src
    if reduce == "add":
        return scatter_add(input, dim, index, broadcast_to(asarray(source, dtype=input.dtype), asarray(index).shape))
    index = asarray(index)
    return indexing.set_at(input, _along(input, dim, index), _beside(input, index, source))


def scatter_add(input: Tensor, dim: int, index: Any, src: Any) -> Tensor:
    """``input`` with ``src`` added where :func:`gather` reads; values for one place add up."""
    index = asarray(index)
    return _added(input, _along(input, dim, index), _beside(input, index, src))


def _added(input: Tensor, index: tuple[Any, ...], part: Tensor) -> Tensor:
    return input + indexing.summed_at(astype(part, input.dtype, copy=False), index, input)


def _rows(dim: int, input: Tensor, index: Any) -> tuple[Any, ...]:
    return (slice(None),) * which_axis("index", dim, input.ndim) + (asarray(index),)


def index_add(input: Tensor, dim: int, index: Any, source: Tensor, *, alpha: Any = 1) -> Tensor:
    """``input`` with the slices of ``source`` added to those that a 1-D index names."""
    return _added(input, _rows(dim, input, index), source if alpha == 1 else source * alpha)


def index_copy(input: Tensor, dim: int, index: Any, source: Tensor) -> Tensor:
    """``input`` with the slices that a 1-D index names replaced by those of ``source``."""
    return indexing.set_at(input, _rows(dim, input, index), source)


def index_fill(input: Tensor, dim: int, index: Any, value: Any) -> Tensor:
    """``input`` with one number in the slices that a 1-D index names."""
    return indexing.set_at(input, _rows(dim, input, index), value)


def index_put(input: Tensor, indices: Any, values: Any, accumulate: bool = False) -> Tensor:
    """``input`` with ``values`` written, or added, at a tuple of indices."""
    if accumulate:
        given = asarray(values, dtype=input.dtype)
        return _added(input, tuple(indices), broadcast_to(given, indexing.getitem(input, tuple(indices)).shape))
    return indexing.set_at(input, tuple(indices), values)


def masked_fill(input: Tensor, mask: Any, value: Any) -> Tensor:
    """``value`` where ``mask`` holds, ``input`` elsewhere, in the dtype of ``input``."""
    if isinstance(value, Tensor):
        value = astype(value, input.dtype, copy=False)
    elif isinstance(value, float) and not is_floating(input.dtype):
        raise TypeError(f"masked_fill: cannot write {value} into a tensor of {input.dtype}")
    return where(mask, value, input)


def masked_select(input: Tensor, mask: Any) -> Tensor:
    """The elements where ``mask`` holds, in one axis; both are broadcast."""
    mask = asarray(mask)
    shape = (input[None] if not input.ndim else input).shape
    if mask.shape != shape:
        together = where(mask, input, input)
        mask, input = broadcast_to(mask, together.shape), broadcast_to(input, together.shape)
    return indexing.getitem(input, mask)


def transposed(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two axes exchanged."""
    order = list(range(input.ndim))
    i, j = which_axis("transpose", dim0, input.ndim), which_axis("transpose", dim1, input.ndim)
    order[i], order[j] = order[j], order[i]
    return permute_dims(input, tuple(order))
