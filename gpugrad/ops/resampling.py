"""Resampling along an axis: each place of the result is a sum of a few places of the input, with weights.

Which ones is a table, made before; its transpose, by which gradients go back, is a table too, so that the operation is
closed under differentiation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from .. import backend
from ..backend import Array, Namespace
from ..core import primitive


@dataclass(frozen=True)
class Table:
    """For each of K terms: the place in the input of each place of the result, and its weights, None for all 1."""

    places: tuple[tuple[int, ...], ...]
    weights: tuple[tuple[float, ...] | None, ...]


def table(rows: list[list[tuple[int, float]]]) -> Table:
    """From what each place of the result is made of: places of the input, with weights.

    >>> table([[(0, 1.0)], [(0, 0.5), (1, 0.5)]])
    Table(places=((0, 0), (0, 1)), weights=((1.0, 0.5), (0.0, 0.5)))
    """
    rows = [[(place, w) for place, w in row if w] or [(0, 0.0)] for row in rows]
    count = max(len(row) for row in rows)
    filled = [row + [(row[0][0], 0.0)] * (count - len(row)) for row in rows]
    weights = [tuple(row[k][1] for row in filled) for k in range(count)]
    return Table(
        tuple(tuple(row[k][0] for row in filled) for k in range(count)),
        tuple(None if all(w == 1 for w in term) else term for term in weights),
    )


@lru_cache(maxsize=256)
def transposed(given: Table, size: int) -> Table:
    """What each of ``size`` places of the input gets back.

    >>> transposed(Table(((0, 0, 1),), (None,)), 2)
    Table(places=((0, 2), (1, 2)), weights=(None, (1.0, 0.0)))
    """
    rows: list[list[tuple[int, float]]] = [[] for _ in range(size)]
    for places, weights in zip(given.places, given.weights, strict=True):
        for place, source in enumerate(places):
            rows[source].append((place, 1.0 if weights is None else weights[place]))
    return table(rows)


@primitive(batch=("any_axes", "axis"), wide=True)
def resample(xp: Namespace, x: Array, /, axis: int, table: Table) -> Array:
    """``y[i] = sum_k w[k][i] x[place[k][i]]`` along ``axis``.

    >>> import gpugrad as gg
    >>> resample(gg.tensor([1.0, 3.0]), 0, Table(((0, 0, 1), (0, 1, 1)), ((1.0, 0.5, 1.0), (0.0, 0.5, 0.0))))
    tensor([1., 2., 3.])
    """
    y = None
    with backend.beside(x):
        for places, weights in zip(table.places, table.weights, strict=True):
            part = xp.take(x, xp.asarray(places), axis=axis)
            if weights is not None:
                along = (-1,) + (1,) * (len(x.shape) - 1 - axis)
                part = part * xp.reshape(xp.asarray(weights, dtype=x.dtype), along)
            y = part if y is None else y + part
    return y


resample.vjp(
    x=lambda xp, g, x_shape, axis, table: resample.on(xp, g, axis=axis, table=transposed(table, x_shape[axis]))
)
