"""Sequences of different length: padded to one shape, or packed without any padding.

A packed batch has the rows of all sequences at step 0, then those at step 1, and so on, the longest sequence first in
each; recurrent layers take it and do no work for padding. Names and arguments are those of ``torch.nn.utils.rnn``.
Lengths and ``batch_sizes`` are needed on the host, where steps are counted, so they are plain integers here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from operator import index as integer
from typing import Any, NamedTuple

from ...core import Tensor
from ...ops.creation import asarray, full
from ...ops.selection import take
from ...ops.shaping import concat, reshape


class PackedSequence(NamedTuple):
    """What :func:`pack_padded_sequence` and :func:`pack_sequence` make.

    Attributes:
        data: the rows of all steps, shape ``(sum(batch_sizes), ...)``.
        batch_sizes: the number of rows of each step, a tuple of integers that never grow.
        sorted_indices: the numbers of the sequences, longest first; None if they came so.
        unsorted_indices: where each sequence is among the sorted ones.

    Source: ``torch.nn.utils.rnn.PackedSequence``.

    >>> import gpugrad as gg
    >>> gg.nn.utils.rnn.pack_sequence([gg.tensor([1, 2]), gg.tensor([3])]).data
    tensor([1, 3, 2])
    """

    data: Tensor
    batch_sizes: tuple[int, ...]
    sorted_indices: Tensor | None = None
    unsorted_indices: Tensor | None = None


def _integers(name: str, lengths: Any) -> list[int]:
    found = lengths.tolist() if hasattr(lengths, "tolist") else lengths
    if not isinstance(found, Iterable):
        raise TypeError(f"{name}: expected the lengths of the sequences, got {found!r}")
    found = [integer(n) for n in found]
    if any(n < 1 for n in found):
        raise ValueError(f"{name}: expected a length of at least 1 for each sequence, got {found}")
    return found


def _rows(data: Tensor, index: Any) -> Tensor:
    return take(data, asarray(index, device=data.device), axis=0)


def _padded(rows: list[Tensor], index: list[list[int]], value: float) -> Tensor:
    """Rows at ``index``, where -1 stands for a row of padding."""
    like = rows[0]
    padding = full((1, *like.shape[1:]), value, dtype=like.dtype, device=like.device)
    return _rows(concat([*rows, padding], axis=0), index)


def _turned(index: list[list[int]]) -> list[list[int]]:
    return [list(row) for row in zip(*index, strict=True)]


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """The steps of a padded batch that are no padding.

    Args:
        input: shape ``(T, B, ...)``.
        lengths: of the B sequences: integers, or a Tensor of them.
        batch_first: the input has shape ``(B, T, ...)``.
        enforce_sorted: the longest sequence comes first already; otherwise they are sorted.

    Raises:
        ValueError: another number of lengths, a length below 1 or above T, or not sorted with ``enforce_sorted``.

    Source: ``torch.nn.utils.rnn.pack_padded_sequence``.

    >>> import gpugrad as gg
    >>> padded = gg.tensor([[1, 2, 0], [3, 0, 0], [4, 5, 6]])
    >>> packed = gg.nn.utils.rnn.pack_padded_sequence(padded, [2, 1, 3], batch_first=True, enforce_sorted=False)
    >>> packed.data, packed.batch_sizes, packed.sorted_indices
    (tensor([4, 1, 3, 5, 2, 6]), (3, 2, 1), tensor([2, 0, 1]))
    """
    known = _integers("pack_padded_sequence", lengths)
    if input.ndim < 2:
        raise ValueError(f"pack_padded_sequence: expected an input (T, B, ...), got shape {input.shape}")
    steps, batch = input.shape[:2][:: -1 if batch_first else 1]
    if len(known) != batch or not known:
        raise ValueError(f"pack_padded_sequence: expected lengths of {batch} sequences, got {len(known)}")
    if max(known) > steps:
        raise ValueError(f"pack_padded_sequence: expected lengths of at most {steps} steps, got {max(known)}")
    order = sorted(range(batch), key=known.__getitem__, reverse=True)
    if enforce_sorted and any(m < n for m, n in pairwise(known)):
        raise ValueError(
            f"pack_padded_sequence: expected the longest sequence first, got lengths {known} (or enforce_sorted=False)"
        )
    sizes = tuple(sum(n > t for n in known) for t in range(max(known)))
    index = [
        order[b] * steps + t if batch_first else t * batch + order[b] for t, n in enumerate(sizes) for b in range(n)
    ]
    data = _rows(reshape(input, (steps * batch, *input.shape[2:])), index)
    if enforce_sorted:
        return PackedSequence(data, sizes)
    back = sorted(range(batch), key=order.__getitem__)
    return PackedSequence(data, sizes, asarray(order, device=input.device), asarray(back, device=input.device))


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """The inverse of :func:`pack_padded_sequence`.

    Args:
        sequence: a packed batch.
        batch_first: whether the result has shape ``(B, T, ...)`` instead of ``(T, B, ...)``.
        padding_value: what stands after the ends.
        total_length: T; None for the length of the longest sequence.

    Returns:
        The padded batch and the lengths, sequences in their original order.

    Raises:
        ValueError: ``total_length`` is less than the longest sequence.

    Source: ``torch.nn.utils.rnn.pad_packed_sequence``.

    >>> import gpugrad as gg
    >>> packed = gg.nn.utils.rnn.pack_sequence([gg.tensor([1, 2]), gg.tensor([3])])
    >>> gg.nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)
    (tensor([[1, 2],
            [3, 0]]), tensor([2, 1]))
    """
    data, sizes, _, back = sequence
    steps = len(sizes) if total_length is None else total_length
    if steps < len(sizes):
        raise ValueError(f"pad_packed_sequence: expected a total_length of at least {len(sizes)}, got {total_length}")
    places: list[int] = list(range(sizes[0])) if back is None else back.tolist()
    begins = [end - n for n, end in zip(sizes, accumulate(sizes), strict=True)]
    index = [[begin + b if b < n else -1 for b in places] for begin, n in zip(begins, sizes, strict=True)]
    index += [[-1] * len(places)] * (steps - len(sizes))
    lengths = [sum(n > b for n in sizes) for b in places]
    padded = _padded([data], _turned(index) if batch_first else index, padding_value)
    return padded, asarray(lengths)


def pad_sequence(
    sequences: Iterable[Tensor], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Sequences of shapes ``(L, ...)`` in one batch.

    Args:
        sequences: at least one.
        batch_first: whether the result has shape ``(B, T, ...)`` instead of ``(T, B, ...)``; T is the largest L.
        padding_value: what fills the rest.
        padding_side: ``"right"``, after the ends, or ``"left"``, before the beginnings.

    Raises:
        ValueError: no sequences, sizes after the first that differ, or another side.

    Source: ``torch.nn.utils.rnn.pad_sequence``.

    >>> import gpugrad as gg
    >>> gg.nn.utils.rnn.pad_sequence([gg.tensor([1, 2]), gg.tensor([3])], batch_first=True)
    tensor([[1, 2],
            [3, 0]])
    """
    rows = _sequences("pad_sequence", sequences)
    if padding_side not in ("right", "left"):
        raise ValueError(f"pad_sequence: expected padding_side 'right' or 'left', got {padding_side!r}")
    lengths = [len(row) for row in rows]
    ends = accumulate(lengths)
    index = []
    for n, end in zip(lengths, ends, strict=True):
        own, rest = list(range(end - n, end)), [-1] * (max(lengths) - n)
        index.append(own + rest if padding_side == "right" else rest + own)
    return _padded(rows, index if batch_first else _turned(index), padding_value)


def unpad_sequence(padded_sequences: Tensor, lengths: Any, batch_first: bool = False) -> list[Tensor]:
    """The sequences of a padded batch: the inverse of :func:`pad_sequence`.

    Raises:
        ValueError: another number of lengths than of sequences, or a length below 1.

    >>> import gpugrad as gg
    >>> gg.nn.utils.rnn.unpad_sequence(gg.tensor([[1, 2], [3, 0]]), [2, 1], batch_first=True)
    [tensor([1, 2]), tensor([3])]
    """
    known = _integers("unpad_sequence", lengths)
    batch = padded_sequences.shape[0 if batch_first else 1]
    if len(known) != batch:
        raise ValueError(f"unpad_sequence: expected lengths of {batch} sequences, got {len(known)}")
    return [padded_sequences[b, :n] if batch_first else padded_sequences[:n, b] for b, n in enumerate(known)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Sequences of shapes ``(L, ...)`` packed; see :func:`pack_padded_sequence`.

    Raises:
        ValueError: no sequences, sizes after the first that differ, or not sorted with ``enforce_sorted``.

    >>> import gpugrad as gg
    >>> gg.nn.utils.rnn.pack_sequence([gg.tensor([1, 2, 3]), gg.tensor([4])]).batch_sizes
    (2, 1, 1)
    """
    rows = _sequences("pack_sequence", sequences)
    return pack_padded_sequence(pad_sequence(rows), [len(row) for row in rows], enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences of a packed batch, in their original order.

    >>> import gpugrad as gg
    >>> gg.nn.utils.rnn.unpack_sequence(gg.nn.utils.rnn.pack_sequence([gg.tensor([1, 2]), gg.tensor([3])]))
    [tensor([1, 2]), tensor([3])]
    """
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)


def _sequences(name: str, sequences: Iterable[Tensor]) -> list[Tensor]:
    rows = list(sequences)
    if not rows or any(row.ndim < 1 or row.shape[1:] != rows[0].shape[1:] for row in rows):
        shapes = [row.shape for row in rows]
        raise ValueError(f"{name}: expected at least one sequence, all (L, ...) with the same ..., got {shapes}")
    return rows
