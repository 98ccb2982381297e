"""Products of matrices as records of calls of BLAS."""

from __future__ import annotations

import math

from ...expressions import BITS
from ...tracing.program import Call, Program, Value
from ..places import Place
from .native import Record, blas, product_words
from .records import Lying, Records

MOST_PRODUCTS = 1024
"""A batch with more matrices is left to NumPy."""


def product(call: Call, program: Program, places: Lying) -> Records:
    """Products of matrices, of batches of them, of vectors."""
    library = blas()
    if library is None or call.kwargs or any(type(a) is not Value for a in call.args):
        return None
    a, b = (places[v.number] for v in call.args)
    out = places[call.results[0].number]
    if a.dtype != b.dtype or a.dtype not in library.products or not (a.size and b.size and out.size):
        return None
    if len(a.shape) == 1:
        a = a._replace(shape=(1, *a.shape), strides=(a.strides[0] * a.shape[0], *a.strides))
        out = out._replace(shape=(*out.shape[:-1], 1, *out.shape[-1:]))
        if len(call.args) == 2 and len(b.shape) == 1:
            out = out._replace(shape=(1,))
    if len(b.shape) == 1:
        b = b._replace(shape=(*b.shape, 1), strides=(*b.strides, b.strides[0]))
        out = out._replace(shape=(*out.shape, 1))
    lead = out.shape[:-2]
    if math.prod(lead) > MOST_PRODUCTS or out.dtype != a.dtype:
        return None
    rows, columns = out.shape[-2:]
    size = BITS[out.dtype] // 8
    records = []
    for number in range(math.prod(lead)):
        index: list[int] = []
        rest = number
        for n in reversed(lead):
            index.insert(0, rest % n)
            rest //= n
        matrices = [_matrix(x, index) for x in (a, b)]
        target = Place(out.root, out.offset + number * rows * columns * size, (rows, columns),
                       (columns * size, size), out.dtype)  # fmt: skip
        words = product_words(library, matrices[0], matrices[1], target)
        if words is None:
            return None
        records.append(Record(library.products[a.dtype][0], words, 1, 2))
    return records


def _matrix(place: Place, index: list[int]) -> Place:
    """One matrix of a batch."""
    lead = place.shape[:-2]
    own = index[len(index) - len(lead) :]
    offset = sum(0 if n == 1 else i * s for i, n, s in zip(own, lead, place.strides, strict=False))
    return place._replace(offset=place.offset + offset, shape=place.shape[-2:], strides=place.strides[-2:])
