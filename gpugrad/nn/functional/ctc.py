"""Connectionist temporal classification, for sequences whose alignment is not known."""

from __future__ import annotations

from math import inf, prod
from typing import Any

from ... import backend
from ...core import Tensor
from ...ops import ctc as ops
from ...ops.arithmetic import where
from ...ops.beside import beside
from ...ops.creation import asarray
from ...ops.selection import take_along_axis
from ...ops.shaping import broadcast_to, expand_dims
from ...ops.wide import computed_wide
from .reducing import known_reduction, reduced


def _lengths(what: str, given: Any, count: int, most: int | None) -> list[int]:
    """Lengths as numbers on the host.

    Raises:
        ValueError: there is not one for each sequence, or one is out of range.
    """
    array = asarray(given)
    if prod(array.shape) != count:
        raise ValueError(f"ctc_loss: expected {what} for each of {count} sequences, got shape {array.shape}")
    lengths = [int(n) for n in array.reshape((count,)).tolist()]
    if any(n < 0 or (most is not None and n > most) for n in lengths):
        limit = "" if most is None else f" and at most {most}"
        raise ValueError(f"ctc_loss: expected {what} of at least 0{limit}, got {lengths}")
    return lengths


def _sequences(targets: Any, lengths: list[int], classes: int, blank: int) -> list[list[int]]:
    """The labels of each sequence, from rows or from one row that holds one after the other.

    Raises:
        IndexError: a label is out of range.
        TypeError: the labels are no integers.
        ValueError: the shape does not fit the lengths.
    """
    array = asarray(targets)
    if array.dtype.kind not in "iu":
        raise TypeError(f"ctc_loss: expected integer labels, got {array.dtype}")
    if array.ndim == 1 and (len(lengths) > 1 or array.shape[0] == sum(lengths)):
        if array.shape[0] != sum(lengths):
            raise ValueError(f"ctc_loss: expected {sum(lengths)} targets by their lengths, got {array.shape[0]}")
        row, sequences = array.tolist(), []
        for length in lengths:
            sequences.append(row[:length])
            row = row[length:]
    else:
        rows = array.tolist() if array.ndim == 2 else [array.tolist()]
        if array.ndim > 2 or len(rows) != len(lengths) or array.shape[-1] < max(lengths, default=0):
            raise ValueError(
                f"ctc_loss: expected targets of shape ({len(lengths)}, S) or one after the other, for lengths "
                f"{lengths}; got shape {array.shape}"
            )
        sequences = [row[:length] for row, length in zip(rows, lengths, strict=True)]
    for sequence in sequences:
        for label in sequence:
            if not 0 <= label < classes or label == blank:
                raise IndexError(
                    f"ctc_loss: label {label} is out of range for {classes} classes, of which {blank} is the blank"
                )
    return sequences


@computed_wide
def ctc_loss(
    log_probs: Tensor, targets: Any, input_lengths: Any, target_lengths: Any, blank: int = 0,
    reduction: str = "mean", zero_infinity: bool = False,
) -> Tensor:  # fmt: skip
    """``-log P(targets)``: the probability that the frames spell the targets, over all ways to align them.

    A way to align is a class for each frame; what it spells is left when repetitions are made one and blanks removed.
    The gradient is that of the logarithms of probabilities as they are given; where PyTorch's own kernel returns that
    of the logits of a softmax, the gradients behind a ``log_softmax`` are the same.

    Args:
        log_probs: logarithms of the probabilities of C classes in T frames, shape ``(T, N, C)`` or ``(T, C)``.
        targets: integer labels, none the blank: shape ``(N, S)``, or all sequences one after the other.
        input_lengths: how many of the frames count, shape ``(N,)`` or ``()``.
        target_lengths: how many labels there are, likewise.
        blank: the class that stands for no label.
        reduction: ``"mean"``, of the losses divided by the lengths of their targets; ``"sum"`` or ``"none"``.
        zero_infinity: whether a loss counts as 0 where the targets do not fit into the frames.

    Raises:
        IndexError: a label is out of range, or the blank.
        TypeError: labels are no integers.
        ValueError: shapes or lengths do not fit, or the reduction is not known.

    Targets and lengths are looked at by the host. Source: Graves et al. 2006; ``torch.nn.functional.ctc_loss``.

    >>> import gpugrad as gg
    >>> frames = gg.nn.functional.log_softmax(gg.zeros((2, 1, 2)))  # of four ways, three spell [1]
    >>> gg.exp(-gg.nn.functional.ctc_loss(frames, gg.tensor([[1]]), gg.tensor([2]), gg.tensor([1])))
    tensor(0.75)
    """
    known_reduction(reduction)
    if log_probs.ndim not in (2, 3):
        raise ValueError(f"ctc_loss: expected log_probs of shape (T, N, C) or (T, C), got {log_probs.shape}")
    if not backend.is_floating(log_probs.dtype):
        raise TypeError(f"ctc_loss: expected floating-point log_probs, got {log_probs.dtype}")
    x = log_probs if log_probs.ndim == 3 else expand_dims(log_probs, axis=1)
    frames, count, classes = x.shape
    if not 0 <= blank < classes:
        raise ValueError(f"ctc_loss: expected a blank in [0, {classes}), got {blank}")
    lengths = _lengths("a target length", target_lengths, count, None)
    used = _lengths("an input length", input_lengths, count, frames)
    sequences = _sequences(targets, lengths, classes, blank)

    places = 2 * max(lengths, default=0) + 1
    labels, skip, ends = [], [], []
    for sequence in sequences:
        row = [blank] * places
        row[1 : 2 * len(sequence) : 2] = sequence
        labels.append(row)
        skip.append([s > 1 and label != blank and label != row[s - 2] for s, label in enumerate(row)])
        ends.append([s in (2 * len(sequence), 2 * len(sequence) - 1) for s in range(places)])
    index = broadcast_to(_rows(labels, x, "int64", places), (frames, count, places))
    here = take_along_axis(x, index, axis=2)
    ways = (_rows(skip, x, "bool", places), _rows(ends, x, "bool", places))
    loss: Tensor = ops.ctc(here, *ways, _rows([[n] for n in used], x, "int64", 1))
    if zero_infinity:
        loss = where(loss == inf, 0, loss)
    if reduction == "mean":
        return reduced(loss / _rows([[max(n, 1)] for n in lengths], x, x.dtype, 1)[:, 0], "mean", count)
    if reduction == "none" and log_probs.ndim == 2:
        return loss[0]
    return reduced(loss, reduction, count)


def _rows(rows: list[Any], x: Tensor, dtype: Any, width: int) -> Tensor:
    """A list of rows of the same width, of which there may be none, beside ``x``."""
    return beside(rows, x, dtype).reshape((len(rows), width))
