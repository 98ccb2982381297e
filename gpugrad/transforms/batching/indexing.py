"""Reading and writing at an index on all samples at once."""

from __future__ import annotations

from typing import Any

from ...core import Tensor
from ...core.dispatch import mapped
from ...ops.creation import arange
from ...ops.indexing import is_basic
from ...ops.shaping import reshape
from .array import Batched
from .rules import Params, everywhere, inner, one_by_one

Shape = tuple[int, ...]


def sliced(op: Any, size: int, operands: list[Any], params: Params) -> Any:
    """``_slice``, ``_place``: the samples are one slice more."""
    shape = {"shape": (size, *params["shape"])} if "shape" in params else {}
    return inner(op, everywhere(operands[0], size), index=(slice(None), *_entries(params["index"])), **shape)


def gathered(op: Any, size: int, operands: list[Any], params: Params) -> Any:
    """``_gather``: the index may be one for all samples, or each may have its own."""
    (x,) = operands
    entries = _entries(params["index"])
    if x.each and not _own(entries) and _adjacent(entries):
        return inner(op, x.data, index=(slice(None), *map(_array, entries)))
    places, _ = _everything(entries, x.shape)
    if places is None:
        return one_by_one(op, size, operands, params)
    index = tuple(map(_array, places))
    return inner(op, x.data, index=(_samples(x, size, len(_result(places))), *index) if x.each else index)


def added(op: Any, size: int, operands: list[Any], params: Params) -> Any:
    """``_scatter_add``: what ``_gather`` read, added up where it was read."""
    (part,) = operands
    places, _ = _everything(_entries(params["index"]), params["shape"])
    if places is None:
        return one_by_one(op, size, operands, params)
    index = (_samples(part, size, len(_result(places))), *map(_array, places))
    return inner(op, everywhere(part, size), index=index, shape=(size, *params["shape"]))


def written(op: Any, size: int, operands: list[Any], params: Params) -> Any:
    """``_set_at``."""
    x, value = operands
    entries = _entries(params["index"])
    into = everywhere(x, size)
    if is_basic(params["index"]):
        target = len(Tensor(Batched(into, x.level, True))[params["index"]].shape)
        return inner(op, into, _fitted(value, target), index=(slice(None), *entries))
    places, order = _everything(entries, x.shape)
    if places is None:
        return one_by_one(op, size, operands, params)
    index = (_samples(x, size, order), *map(_array, places))
    return inner(op, into, _fitted(value, order), index=index)


def _fitted(value: Any, ndim: int) -> Any:
    """What is to be written, such that it broadcasts with the samples in front."""
    if not isinstance(value, Batched) or not value.each:
        return value.data if isinstance(value, Batched) else value
    shape = value.shape[max(len(value.shape) - ndim, 0) :]  # NumPy lets a value have axes of size 1 in front
    return reshape(value.data, (value.data.shape[0], *(1,) * (ndim - len(shape)), *shape))


def _entries(index: Any) -> tuple[Any, ...]:
    return index if isinstance(index, tuple) else (index,)


def _own(entries: tuple[Any, ...]) -> bool:
    """Whether each sample has an index of its own."""
    return any(isinstance(e, Batched) and e.each for e in entries)


def _array(entry: Any) -> Any:
    """An entry as the index of an operation one level further in."""
    if isinstance(entry, Batched):
        return entry.data.data
    return entry.data if isinstance(entry, Tensor) else entry


def _adjacent(entries: tuple[Any, ...]) -> bool:
    """Whether arrays and integers stand side by side, so that what they pick stays in its place."""
    if any(hasattr(e, "dtype") and e.dtype.kind == "b" and not e.shape for e in entries):
        return False
    picks = [i for i, e in enumerate(entries) if hasattr(e, "dtype") or type(e) is int]
    return not picks or picks == list(range(picks[0], picks[-1] + 1))


def _samples(like: Batched, size: int, ndim: int) -> Tensor:
    """The number of each sample, along the first axis."""
    return reshape(arange(size, device=like.data.device), (size, *(1,) * ndim)).data  # type: ignore[no-any-return]


def _result(places: list[Any]) -> Shape:
    return max((p.shape for p in places), key=len)


def _everything(entries: tuple[Any, ...], shape: Shape) -> tuple[list[Batched | Tensor] | None, int]:
    """An index as one integer array for each axis, which broadcast to the shape of what is read; and its axes' number.

    None where that depends on values: masks that differ from sample to sample, or a mask without axes.
    """
    taken = 0
    for e in entries:
        if hasattr(e, "dtype") and e.dtype.kind == "b":
            if not e.shape or (isinstance(e, Batched) and (e.each or mapped(e.data))):
                return None, 0
            taken += len(e.shape)
        elif e is not None and e is not Ellipsis:
            taken += 1
    rest = (slice(None),) * (len(shape) - taken)
    where = next((i for i, e in enumerate(entries) if e is Ellipsis), len(entries))
    written_out = (*entries[:where], *rest, *entries[where + 1 :])

    axis = 0
    parts: list[tuple[str, Any]] = []  # kind and array, in the order of the axes
    for e in written_out:
        if e is None:
            parts.append(("new", None))
        elif isinstance(e, slice):
            parts.append(("slice", arange(*e.indices(shape[axis]))))
            axis += 1
        elif type(e) is int:
            parts.append(("pick", e))
            axis += 1
        elif e.dtype.kind == "b":
            data = e.data if isinstance(e, Batched) else Tensor(e)
            parts += [("pick", Tensor(found)) for found in (t.data for t in _nonzero(data))]
            axis += len(e.shape)
        else:
            parts.append(("pick", e if isinstance(e, Batched) else Tensor(e)))
            axis += 1

    picks = [i for i, (kind, _) in enumerate(parts) if kind == "pick"]
    block = max((len(p.shape) for _, p in (parts[i] for i in picks) if hasattr(p, "shape")), default=0)
    together = picks == list(range(picks[0], picks[-1] + 1))
    first = sum(kind != "pick" for kind, _ in parts[: picks[0]]) if together else 0
    order = block + sum(kind != "pick" for kind, _ in parts)
    device = next(_device(p) for _, p in parts if isinstance(p, Batched | Tensor))

    places: list[Any] = []
    passed = 0  # axes of the result that are no part of the block, so far
    for kind, part in parts:
        if kind == "new":
            passed += 1
        elif kind == "slice":
            at = passed if passed < first else passed + block
            places.append(reshape(part.to(device), (*(1,) * at, part.shape[0], *(1,) * (order - at - 1))))
            passed += 1
        elif isinstance(part, int):
            places.append(reshape(arange(part, part + 1, device=device), (1,) * order))
        else:
            inside = (*(1,) * (first + block - len(part.shape)), *part.shape, *(1,) * (order - first - block))
            places.append(reshape(Tensor(part), inside).data if isinstance(part, Batched) else reshape(part, inside))
    return places, order


def _nonzero(mask: Tensor) -> Any:
    from ...ops.selection import nonzero

    return nonzero(mask)


def _device(part: Batched | Tensor) -> Any:
    return part.data.device if isinstance(part, Batched) else part.device
