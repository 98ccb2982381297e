"""Losses of class labels, forward and backward, and where in the scores the labels are."""

from __future__ import annotations

from math import nan
from typing import Any

from .. import backend
from ..backend import Array, Backend, Namespace
from .activation import relu_forward
from .composed import Composed, kept
from .indexing import set_at
from .rows import rows
from .shapes import Shape
from .softmax import shift_of, top, total_of


def class_axis(shape: Shape) -> int:
    """The axis of the classes: 1 in ``(N, C, d1, ...)``, 0 in ``(C,)``. Source: PyTorch's losses."""
    return 1 if len(shape) > 1 else 0


def without_ignored(xp: Namespace, labels: Array, ignore_index: int) -> tuple[Array, Array]:
    """The labels with 0 for those to be ignored, and which are not."""
    with backend.beside(labels):
        if labels.dtype != "int64":  # smaller dtypes may not hold ignore_index
            labels = xp.astype(labels, xp.int64)
        valid = xp.asarray(labels != ignore_index)  # NumPy gives a scalar for a single label
        return xp.where(valid, labels, 0), valid


def class_index(xp: Namespace, label: Array, shape: Shape, axis: int) -> tuple[Array, ...]:
    """The index that reads from an array of ``shape`` the element of each row at its label."""
    sizes = [n for i, n in enumerate(shape) if i != axis]
    with backend.beside(label):
        if len(sizes) == 1:
            grid = [xp.arange(sizes[0])]
        else:
            shapes = [tuple(-1 if k == i else 1 for k in range(len(sizes))) for i in range(len(sizes))]
            grid = [xp.reshape(xp.arange(n), shape) for n, shape in zip(sizes, shapes, strict=True)]
    return (*grid[:axis], label, *grid[axis:])


def along(xp: Namespace, weight: Array, shape: Shape, axis: int) -> Array:
    """The weights of the classes, so that they broadcast along their axis."""
    return xp.reshape(weight, tuple(-1 if i == axis else 1 for i in range(len(shape))))


@rows(
    axes={"labels": "r", "weight": "c"},
    types={"labels": "int64"},
    leading=(0,),
    variants=({"weight": None, "ignore_index": -100, "label_smoothing": 0.0},),
)
def surprise(
    xp: Namespace, logits: Array, labels: Array, weight: Array | None, /, ignore_index: int, label_smoothing: float
) -> tuple[Array, Array, Array]:
    """``lse - x_t`` of each row, and the log-sum-exp in two parts: what was subtracted, and the sum of exponentials."""
    shape, axis = logits.shape, class_axis(logits.shape)
    label, valid = without_ignored(xp, labels, ignore_index)
    shift = shift_of(xp, top(xp, logits, axis))
    z = logits - shift
    total = total_of(xp, xp.exp(z), axis)
    log_total = xp.reshape(xp.log(total), labels.shape)
    loss = log_total - z[class_index(xp, label, shape, axis)]
    if weight is not None:
        loss = loss * weight[label]
    if label_smoothing:
        if weight is None:
            rest = log_total - xp.mean(z, axis=axis)
        else:
            w = along(xp, weight, shape, axis)
            rest = (log_total * xp.sum(weight) - xp.sum(xp.where(w == 0, 0, z) * w, axis=axis)) / shape[axis]
        loss = (1 - label_smoothing) * loss + label_smoothing * rest
    return xp.where(valid, loss, 0), shift, total


@rows(
    axes={"g": "r", "labels": "r", "weight": "c", "shift": "r", "total": "r"},
    types={"labels": "int64", "shift": "wide", "total": "wide"},
    repeated=("g",),
    variants=(
        {"weight": None, "ignore_index": -100, "label_smoothing": 0.0},
        {"weight": None, "ignore_index": -100, "label_smoothing": 0.0, "g": "repeated"},
    ),
)
def surprise_back(
    xp: Namespace, g: Array, logits: Array, labels: Array, weight: Array | None, shift: Array, total: Array, /,
    ignore_index: int, label_smoothing: float,
) -> Array:  # fmt: skip
    """``g (softmax(x) - target)`` of each row."""
    shape, axis = logits.shape, class_axis(logits.shape)
    label, valid = without_ignored(xp, labels, ignore_index)
    g = xp.where(valid, g, 0)
    hit = g * (1 - label_smoothing)
    rest = g * label_smoothing / shape[axis]
    if weight is not None:
        hit = hit * weight[label]
    mass = xp.expand_dims(hit + rest * (shape[axis] if weight is None else xp.sum(weight)), axis=axis)
    d = xp.where(xp.expand_dims(valid, axis=axis), xp.exp(logits - shift) * (mass / total), 0)
    if label_smoothing:
        rest = xp.expand_dims(rest, axis=axis)
        d = d - (rest if weight is None else rest * along(xp, weight, shape, axis))
    at = class_index(xp, label, shape, axis)
    return set_at(xp, d, d[at] - hit, at)


class Counted(Composed):
    """Labels are counted by a row kernel, as one row."""

    def launch(self, xp: Namespace, owner: Backend, arguments: tuple[Any, ...]) -> Any:
        labels, ignore_index, dtype = arguments
        if dtype != "float32" or not 0 < labels.size <= MOST_COUNTED:
            return NotImplemented
        return labels_of_row.launch(xp, owner, (labels, tuple(range(labels.ndim)), ignore_index))


MOST_COUNTED = 1 << 17
"""The most labels for one block; and float32 counts on well beyond."""


@rows(types={"labels": "int64"}, leading=(0,), variants=({"ignore_index": -100},))
def labels_of_row(xp: Namespace, labels: Array, /, axes: tuple[int, ...], ignore_index: int) -> Array:
    """How many labels of each row are not to be ignored, in float32; NaN for none."""
    count = xp.sum(xp.where(labels != ignore_index, 1.0, 0.0), axis=axes)
    return xp.where(count == 0, nan, count)


@Counted
def counted(xp: Namespace, labels: Array, /, ignore_index: int, dtype: Any) -> Array:
    """How many labels are not to be ignored; NaN for none."""
    with backend.beside(labels):
        count = xp.sum(xp.asarray(labels != ignore_index), dtype=dtype)
        return xp.asarray(xp.where(count == 0, nan, count), dtype=dtype)


@Composed
def picked(xp: Namespace, x: Array, labels: Array, /, ignore_index: int) -> Array:
    """``-x_t`` of each row, exactly 0 for labels to be ignored."""
    label, valid = without_ignored(xp, labels, ignore_index)
    return xp.where(valid, -x[class_index(xp, label, x.shape, class_axis(x.shape))], 0)


@Composed
def hinged(xp: Namespace, x: Array, labels: Array, /, p: int, margin: float) -> tuple[Array, Array]:
    """``sum h^p / C`` of each row, and the hinges ``h = max(0, margin - x_t + x_i)``, 0 for the label itself."""
    at = class_index(xp, labels, x.shape, class_axis(x.shape))
    own = xp.reshape(x[at], (*x.shape[:-1], 1))
    h = set_at(xp, relu_forward(xp, x - own + margin), 0.0, at)
    return xp.sum(h if p == 1 else h * h, axis=-1) * (1 / x.shape[-1]), h


@Composed
def hinged_back(xp: Namespace, g: Array, labels: Array, h: Array, /, p: int) -> Array:
    """``p g h^(p - 1) / C``, and for the label less the sum of the others."""
    share = xp.reshape(g, (*h.shape[:-1], 1)) * (p / h.shape[-1])
    d = kept(xp, h > 0, xp.broadcast_to(share, h.shape)) if p == 1 else h * share
    return set_at(xp, d, -xp.sum(d, axis=-1), class_index(xp, labels, h.shape, class_axis(h.shape)))
