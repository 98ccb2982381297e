"""Convolutions on all samples at once."""

from __future__ import annotations

from typing import Any

from ...core import Tensor
from ...ops.shaping import permute_dims, reshape
from .array import Batched
from .rules import Params, everywhere, inner


def filtered(op: Any, size: int, operands: list[Any], params: Params) -> Any:
    """Samples as more images, where the filters are the same for all; else as more groups, which see no other."""
    x, *filters = operands
    if any(isinstance(w, Batched) and w.each for w in filters):
        return grouped(op, size, operands, params)
    data = reshape(x.data, (size * x.shape[0], *x.shape[1:]))
    y = inner(op, data, *(w.data if isinstance(w, Batched) else w for w in filters), **params)
    return reshape(y, (size, x.shape[0], *y.shape[1:]))


def grouped(op: Any, size: int, operands: list[Any], params: Params) -> Any:
    """Convolutions with filters of their own for each sample, as groups of channels of the same images."""
    x, w, *rest = operands
    filters, biases = everywhere(w, size), (None if b is None else everywhere(b, size) for b in rest)
    joined = (None if b is None else reshape(b, (size * b.shape[1],)) for b in biases)
    filters = reshape(filters, (size * filters.shape[1], *filters.shape[2:]))
    y = inner(op, _as_channels(everywhere(x, size)), filters, *joined, **_more_groups(params, size))
    parts = reshape(y, (y.shape[0], size, y.shape[1] // size, *y.shape[2:]))
    return permute_dims(parts, (1, 0, *range(2, parts.ndim)))


def gradients_of_filters(op: Any, size: int, operands: list[Any], params: Params) -> Any:
    """The gradients of the filters, one for each sample: those of so many groups."""
    images = (_as_channels(everywhere(x, size)) for x in operands)
    y = inner(op, *images, **_more_groups(params, size))
    return reshape(y, (size, y.shape[0] // size, *y.shape[1:]))


def _as_channels(x: Any) -> Tensor:
    """Shape ``(samples, N, C, ...)`` as ``(N, samples C, ...)``."""
    size, count, channels, *places = x.shape
    moved = permute_dims(x, (1, 0, *range(2, x.ndim)))
    return reshape(moved, (count, size * channels, *places))


def _more_groups(params: Params, size: int) -> Params:
    return {**params, "groups": params["groups"] * size}
