"""Rows of a table, chosen by integers: each alone, or summed up in bags."""

from __future__ import annotations

from math import inf
from typing import Any

from ...backend import NAMESPACES
from ...core import Tensor
from ...core.modes import no_grad
from ...ops import softmax as labels
from ...ops.arithmetic import clip, where
from ...ops.counting import bincount
from ...ops.creation import arange, asarray, astype
from ...ops.indexing import bags
from ...ops.norms import vector_norm
from ...ops.reduction import max, min, sum
from ...ops.shaping import broadcast_to, concat, expand_dims, reshape
from ...ops.wide import computed_wide

MODES = ("sum", "mean", "max")
TINY = 1e-7
"""Added to the length of a row that is shortened. Source: ``torch.nn.functional.embedding``."""


def place_of_padding(name: str, padding_idx: int | None, rows: int) -> int | None:
    """``padding_idx`` counted from the front.

    Raises:
        ValueError: there is no such row.

    >>> place_of_padding("embedding", -1, 5)
    4
    """
    if padding_idx is None:
        return None
    if not -rows <= padding_idx < rows:
        raise ValueError(f"{name}: expected a padding_idx in [{-rows}, {rows}), got {padding_idx}")
    return padding_idx % rows


def _indices(name: str, input: Any, weight: Tensor) -> Tensor:
    """The indices as they are, each to be checked.

    Raises:
        IndexError: one is out of range.
        TypeError: they are no integers.
        ValueError: the weight is no table.
    """
    index: Tensor = asarray(input)
    if index.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected integers as input, got {index.dtype}")
    if weight.ndim != 2:
        raise ValueError(f"{name}: expected a weight of shape (rows, columns), got {weight.shape}")
    try:
        labels.checked_labels(NAMESPACES[type(index.data)], index.data, weight.shape[0], name=name)
    except IndexError as error:
        raise IndexError(f"{name}: {error}") from None
    return index


def _refuse_sparse(name: str, sparse: bool) -> None:
    if sparse:
        raise ValueError(f"{name}: expected sparse=False, there are no sparse gradients; got {sparse!r}")


def _shorten(weight: Tensor, index: Tensor, max_norm: float, norm_type: float) -> None:
    """Make the rows that are used at most so long, in the weight itself."""
    with no_grad():
        rows = weight[reshape(index, (-1,))]
        size = vector_norm(rows, axis=-1, keepdims=True, ord=norm_type)
        weight[reshape(index, (-1,))] = where(size > max_norm, rows * (max_norm / (size + TINY)), rows)


def _rows(index: Tensor, weight: Tensor, padding: int | None, by_frequency: bool) -> Tensor:
    """The rows; the gradient goes back not from padding, or divided by how often a row is used."""
    rows = weight[index]
    if by_frequency:
        times = bincount(reshape(index, (-1,)), minlength=weight.shape[0])[index]
        fixed = rows.detach()
        rows = fixed + (rows - fixed) * expand_dims(1 / astype(times, weight.dtype), axis=-1)
    if padding is not None:
        rows = where(expand_dims(index == padding, axis=-1), rows.detach(), rows)
    return rows


def embedding(
    input: Any, weight: Tensor, padding_idx: int | None = None, max_norm: float | None = None, norm_type: float = 2.0,
    scale_grad_by_freq: bool = False, sparse: bool = False,
) -> Tensor:  # fmt: skip
    """``weight[input]``: a vector for each index.

    Args:
        input: integers in [0, V), of shape ``(...)``.
        weight: the table, shape ``(V, D)``.
        padding_idx: a row that gets no gradient; negative ones count from the end.
        max_norm: rows that are used and longer are shortened to this, in the table itself, outside the graph.
        norm_type: which norm.
        scale_grad_by_freq: divide the gradient of each row by how often the input has it.
        sparse: only False; there are no sparse gradients.

    Returns:
        Shape ``(..., D)``.

    Raises:
        IndexError: an index is out of range.
        TypeError: the input has no integers.
        ValueError: the table has not two axes, there is no row ``padding_idx``, or ``sparse`` is asked for.

    Source: ``torch.nn.functional.embedding``.

    >>> import gpugrad as gg
    >>> table = gg.tensor([[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> gg.nn.functional.embedding(gg.tensor([2, 0, 2]), table, padding_idx=0).sum().backward()
    >>> table.grad
    tensor([[0., 0.],
            [0., 0.],
            [2., 2.]])
    """
    _refuse_sparse("embedding", sparse)
    index = _indices("embedding", input, weight)
    padding = place_of_padding("embedding", padding_idx, weight.shape[0])
    if max_norm is not None:
        _shorten(weight, index, max_norm, norm_type)
    return _rows(index, weight, padding, scale_grad_by_freq)


def _bags(index: Tensor, offsets: Any, include_last_offset: bool) -> tuple[Tensor, Tensor]:
    """Where the elements of each bag are in the input, with as many places as the largest has; and which places count.

    Raises:
        TypeError: the offsets are no integers.
        ValueError: they do not begin with 0, do not rise, or end behind the input.
    """
    starts: Tensor = asarray(offsets)
    if starts.dtype.kind not in "iu":
        raise TypeError(f"embedding_bag: expected integers as offsets, got {starts.dtype}")
    if starts.ndim != 1 or (include_last_offset and not starts.size):
        raise ValueError(f"embedding_bag: expected offsets of shape (B,), got {starts.shape}")
    total = index.shape[0]
    if include_last_offset:
        starts, ends = starts[:-1], starts[1:]
    else:
        ends = concat([starts[1:], arange(total, total + 1, dtype=starts.dtype, device=starts.device)])
    if not starts.size:
        return astype(starts, "int64").reshape((0, 0)), (starts > 0).reshape((0, 0))
    sizes = ends - starts
    if int(starts[0]) != 0 or int(min(sizes)) < 0 or int(max(ends)) > total:
        raise ValueError(
            f"embedding_bag: expected offsets that begin with 0, rise, and end within {total} indices; got {offsets}"
        )
    places = expand_dims(starts, axis=-1) + arange(int(max(sizes)), dtype=starts.dtype, device=starts.device)
    inside = places < expand_dims(ends, axis=-1)
    return where(inside, places, 0), inside


def embedding_bag(
    input: Any, weight: Tensor, offsets: Any = None, max_norm: float | None = None, norm_type: float = 2,
    scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False, per_sample_weights: Any = None,
    include_last_offset: bool = False, padding_idx: int | None = None,
) -> Tensor:  # fmt: skip
    """The sum, mean or maximum of the rows of each bag of indices; 0 for a bag without any.

    Args:
        input: integers in [0, V): shape ``(B, N)`` for B bags of the same size, or ``(N,)`` for all of them.
        weight: the table, shape ``(V, D)``.
        offsets: where in ``(N,)`` each bag begins; looked at by the host.
        max_norm: rows that are used and longer are shortened to this, in the table itself, outside the graph.
        norm_type: which norm.
        scale_grad_by_freq: divide the gradient of each row by how often the input has it; not for ``"max"``.
        mode: ``"sum"``, ``"mean"`` or ``"max"``. Equal largest elements share the gradient.
        sparse: only False; there are no sparse gradients.
        per_sample_weights: a factor for each index, of its shape; for ``"sum"``.
        include_last_offset: the last offset is where the last bag ends.
        padding_idx: a row that does not count; negative ones count from the end.

    Returns:
        Shape ``(B, D)``.

    Raises:
        IndexError: an index is out of range.
        TypeError: indices or offsets are no integers.
        ValueError: shapes or offsets do not fit, or what the arguments ask for is not there.

    Each bag takes as much memory as the largest. Source: ``torch.nn.functional.embedding_bag``.

    >>> import gpugrad as gg
    >>> table = gg.tensor([[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]])
    >>> gg.nn.functional.embedding_bag(gg.tensor([1, 2, 2]), table, gg.tensor([0, 2]))
    tensor([[2., 3.],
            [3., 4.]])
    """
    name = "embedding_bag"
    _refuse_sparse(name, sparse)
    if mode not in MODES:
        raise ValueError(f"{name}: expected mode 'sum', 'mean' or 'max', got {mode!r}")
    if scale_grad_by_freq and mode == "max":
        raise ValueError(f"{name}: scale_grad_by_freq is for mode 'sum' or 'mean', got 'max'")
    index = _indices(name, input, weight)
    factors = None if per_sample_weights is None else asarray(per_sample_weights)
    if factors is not None and (mode != "sum" or factors.shape != index.shape):
        raise ValueError(
            f"{name}: expected per_sample_weights of shape {index.shape} with mode 'sum', got {factors.shape} with "
            f"{mode!r}"
        )
    if (index.ndim == 2 and offsets is not None) or index.ndim not in (1, 2):
        raise ValueError(f"{name}: expected an input of shape (B, N), or (N,) with offsets; got {index.shape}")
    if index.ndim == 1 and offsets is None:
        raise ValueError(f"{name}: expected offsets for an input of shape {index.shape}, got None")
    padding = place_of_padding(name, padding_idx, weight.shape[0])
    if max_norm is not None:
        _shorten(weight, index, max_norm, norm_type)
    return _reduced_bags(weight, index, offsets, factors, include_last_offset, padding, mode, scale_grad_by_freq)


@computed_wide
def _reduced_bags(
    weight: Tensor, index: Tensor, offsets: Any, factors: Tensor | None, include_last_offset: bool,
    padding: int | None, mode: str, scale_grad_by_freq: bool,
) -> Tensor:  # fmt: skip
    """:func:`embedding_bag` of arguments that were looked at."""
    all_alike = padding is None and offsets is None and factors is None and not scale_grad_by_freq
    if all_alike and mode != "max" and index.shape[1]:
        y: Tensor = bags(weight, index=index.data)
        return y * (1 / index.shape[1]) if mode == "mean" else y
    rows = _rows(index, weight, padding, scale_grad_by_freq)
    counts = broadcast_to(arange(1, device=index.device) == 0, index.shape) if padding is None else index != padding
    if offsets is not None:
        places, counts_too = _bags(index, offsets, include_last_offset)
        rows, counts = rows[places], counts[places] & counts_too
        factors = None if factors is None else factors[places]
    if factors is not None:
        rows = rows * expand_dims(factors, axis=-1)
    kept = expand_dims(counts, axis=-1)
    total = sum(astype(counts, weight.dtype), axis=-1, keepdims=True)
    if mode == "max" and rows.shape[1]:
        y = where(total > 0, max(where(kept, rows, -inf), axis=1), 0)
        return y
    y = sum(where(kept, rows, 0), axis=1)
    return y / clip(total, 1, None) if mode == "mean" else y
