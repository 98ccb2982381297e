"""How an operation is run on all samples at once: a rule for each family.

A rule gets the operation, the number of samples, the operands as :class:`~.array.Batched` (or numbers, or None) and the
static parameters, in which axes count without that of the samples. It gives Tensors with the samples along their first
axis.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from string import ascii_letters
from typing import Any

from ...core import Tensor, dispatch
from ...kernels.shapes import Axis
from ...ops.shaping import broadcast_to, expand_dims, reshape, squeeze, stack
from .array import Batched

Params = dict[str, Any]
Rule = Callable[[Any, int, list[Any], Params], Any]


def inner(op: Any, *operands: Any, **params: Any) -> Any:
    """The operation itself, on Tensors one level further in."""
    return dispatch.general(op, operands, params)


def aligned(x: Any, rank: int) -> Any:
    """The data of an operand such that operands of ``rank`` axes broadcast, the samples along the axis before them."""
    if not isinstance(x, Batched):
        return x
    missing = rank - len(x.shape)
    return reshape(x.data, (x.data.shape[0], *(1,) * missing, *x.shape)) if x.each and missing > 0 else x.data


def rank_of(operands: list[Any]) -> int:
    """The number of axes that operands have when broadcast."""
    return max(len(x.shape) for x in operands if isinstance(x, Batched))


def everywhere(x: Any, size: int) -> Tensor:
    """The data of an operand, repeated for each sample if it was one for all."""
    data = x.data if isinstance(x, Batched) else x
    return data if isinstance(x, Batched) and x.each else broadcast_to(data, (size, *data.shape))


def behind(axis: Axis) -> Axis:
    """An axis, or several, counted with that of the samples in front."""
    if isinstance(axis, tuple | list):
        return tuple(a + 1 if a >= 0 else a for a in axis)
    return axis + 1 if axis is not None and axis >= 0 else axis


def elementwise(op: Any, size: int, operands: list[Any], params: Params) -> Any:
    """Element by element, or over leading axes, which broadcast: the samples are one more."""
    rank = rank_of(operands)
    return inner(op, *(aligned(x, rank) for x in operands), **params)


def marked(op: Any, size: int, operands: list[Any], params: Params) -> Any:
    """Element by element, with the shape of the first operand, which so must have the samples."""
    rank = rank_of(operands)
    first, *others = operands
    h = everywhere(first, size)
    if rank + 1 > len(h.shape):
        h = reshape(h, (size, *(1,) * (rank + 1 - len(h.shape)), *h.shape[1:]))
    return inner(op, h, *(aligned(x, rank) for x in others), **params)


def reduction(op: Any, size: int, operands: list[Any], params: Params) -> Any:
    """Over one, several or (None) all axes."""
    (x,) = operands
    axis = params["axis"]
    over = tuple(range(1, len(x.data.shape))) if axis is None else behind(axis)
    return inner(op, x.data, **{**params, "axis": over})


def line(op: Any, size: int, operands: list[Any], params: Params) -> Any:
    """Along one axis, or (None) the flattened elements."""
    (x,) = operands
    axis = params["axis"]
    if axis is None or not x.shape:
        flat = inner(op, reshape(x.data, (size, x.size)), **{**params, "axis": 1})
        return reshape(flat, (size,) + (1,) * len(x.shape)) if params.get("keepdims") or not x.shape else flat
    return inner(op, x.data, **{**params, "axis": behind(axis)})


def all_axes(op: Any, size: int, operands: list[Any], params: Params) -> Any:
    """Along the named axes, or (None) each of them."""
    (x,) = operands
    axis = params["axis"]
    return inner(op, x.data, **{**params, "axis": tuple(range(1, len(x.data.shape))) if axis is None else behind(axis)})


def rolled(op: Any, size: int, operands: list[Any], params: Params) -> Any:
    """``roll``: without an axis as if flattened, and shaped as before."""
    (x,) = operands
    axis = params["axis"]
    if axis is None:
        return reshape(inner(op, reshape(x.data, (size, x.size)), **{**params, "axis": 1}), x.data.shape)
    return inner(op, x.data, **{**params, "axis": behind(axis)})


def any_axes(*names: str) -> Rule:
    """A family of operations on one operand, whose parameters of these names are axes."""

    def rule(op: Any, size: int, operands: list[Any], params: Params) -> Any:
        return inner(op, operands[0].data, **{k: behind(v) if k in names else v for k, v in params.items()})

    return rule


# ---------------------------------------------------------------- shape


def reshaped(op: Any, size: int, operands: list[Any], params: Params) -> Any:
    """``reshape``: a size of -1 is found here."""
    shape = params["shape"]
    sizes = shape if isinstance(shape, tuple | list) else (shape,)
    if -1 in sizes:  # with no samples, or no elements, there would be nothing to find it from
        known = math.prod(n for n in sizes if n != -1)
        sizes = tuple(operands[0].size // known if n == -1 and known else n for n in sizes)
    return inner(op, operands[0].data, shape=(size, *sizes))


def spread(op: Any, size: int, operands: list[Any], params: Params) -> Any:
    """``broadcast_to``."""
    shape = tuple(params["shape"])
    return inner(op, aligned(operands[0], len(shape)), shape=(size, *shape))


def permuted(op: Any, size: int, operands: list[Any], params: Params) -> Any:
    """``permute_dims``."""
    ndim = len(operands[0].shape)
    return inner(op, operands[0].data, axes=(0, *(a % ndim + 1 for a in params["axes"])))


def squeezed(op: Any, size: int, operands: list[Any], params: Params) -> Any:
    """``squeeze``: never the axis of the samples."""
    (x,) = operands
    axis = params["axis"]
    ones = tuple(i + 1 for i, n in enumerate(x.shape) if n == 1) if axis is None else behind(axis)
    return inner(op, x.data, axis=ones)


def joined(op: Any, size: int, operands: list[Any], params: Params) -> Any:
    """``concat``, ``stack``: all operands for all samples."""
    return inner(op, *(everywhere(x, size) for x in operands), axis=behind(params["axis"]))


def padded(op: Any, size: int, operands: list[Any], params: Params) -> Any:
    """A pair for each axis, and none for the samples."""
    front = {"widths": (0, 0), "values": (0, 0)}
    return inner(op, operands[0].data, **{k: (front[k], *v) if k in front else v for k, v in params.items()})


def on_diagonal(op: Any, size: int, operands: list[Any], params: Params) -> Any:
    """Zeros with a diagonal."""
    axes = {k: behind(params[k]) for k in ("axis1", "axis2")}
    return inner(op, operands[0].data, **axes, shape=(size, *params["shape"]))


# ---------------------------------------------------------------- products


def matmul(op: Any, size: int, operands: list[Any], params: Params) -> Any:
    """Vectors as rows and columns, so that batch axes broadcast."""
    x1, x2 = operands
    row, column = len(x1.shape) == 1, len(x2.shape) == 1
    a = Batched(expand_dims(x1.data, axis=-2), x1.level, x1.each) if row else x1
    b = Batched(expand_dims(x2.data, axis=-1), x2.level, x2.each) if column else x2
    rank = rank_of([a, b])
    y = inner(op, aligned(a, rank), aligned(b, rank))
    dropped = (-2,) * row + (-1,) * column
    return squeeze(y, axis=dropped) if dropped else y


def solved(op: Any, size: int, operands: list[Any], params: Params) -> Any:
    """``solve``: a vector as a column, so that batch axes broadcast."""
    x1, x2 = operands
    column = len(x2.shape) == 1
    b = Batched(expand_dims(x2.data, axis=-1), x2.level, x2.each) if column else x2
    rank = rank_of([x1, b])
    y = inner(op, aligned(x1, rank), aligned(b, rank))
    return squeeze(y, axis=-1) if column else y


def einsum(op: Any, size: int, operands: list[Any], params: Params) -> Any:
    """One more label, for the samples."""
    used = "".join(params["terms"])
    label = next(c for c in ascii_letters if c not in used)
    terms = tuple(label + t if x.each else t for t, x in zip(params["terms"], operands, strict=True))
    return inner(op, *(x.data for x in operands), terms=terms, result=label + params["result"])


def vector_right(op: Any, size: int, operands: list[Any], params: Params) -> Any:
    """``solve`` and its kin: a vector on the right is a column."""
    a, b = operands
    if len(b.shape) != 1:
        return elementwise(op, size, operands, params)
    column = Batched(expand_dims(b.data, axis=-1), b.level, b.each)
    rank = rank_of([a, column])
    return squeeze(inner(op, aligned(a, rank), aligned(column, rank), **params), axis=-1)


def images(op: Any, size: int, operands: list[Any], params: Params) -> Any:
    """Operations on images ``(N, C, ...)``, each for itself: the samples are N times as many images."""
    given = [everywhere(x, size) for x in operands]
    y = inner(op, *(reshape(x, (size * x.shape[1], *x.shape[2:])) for x in given), **params)
    return reshape(y, (size, given[0].shape[1], *y.shape[1:]))


def classified(op: Any, size: int, operands: list[Any], params: Params) -> Any:
    """Cross-entropies: the rows of all samples are rows of one batch; weights of the classes are one for all."""
    if any(isinstance(x, Batched) and x.each for x in operands[2:]):
        return one_by_one(op, size, operands, params)
    rows = [everywhere(x, size) for x in operands[:2]]
    fixed = [x.data if isinstance(x, Batched) else x for x in operands[2:]]
    if len(rows[0].shape) == 2:  # each sample is one row
        return inner(op, *rows, *fixed, **params)
    y = inner(op, *(reshape(x, (size * x.shape[1], *x.shape[2:])) for x in rows), *fixed, **params)
    return reshape(y, (size, rows[0].shape[1], *y.shape[1:]))


def normalized(op: Any, size: int, operands: list[Any], params: Params) -> Any:
    """``normalize``: what broadcasts to its first operand, and numbers of axes."""
    if params["view"] is not None or params["affine"] is not None:
        return one_by_one(op, size, operands, params)
    x, *others = operands
    rank = len(x.shape)
    given = (aligned(v, rank) for v in others)
    return inner(op, everywhere(x, size), *given, **{**params, "axes": behind(params["axes"])})


def one_for_all(*places: int) -> Rule:
    """A family of elementwise operations beside whole operands in these places, which are one for all samples."""

    def rule(op: Any, size: int, operands: list[Any], params: Params) -> Any:
        if any(isinstance(operands[i], Batched) and operands[i].each for i in places):
            return one_by_one(op, size, operands, params)
        return inner(op, *(x.data if isinstance(x, Batched) else x for x in operands), **params)

    return rule


# ---------------------------------------------------------------- sample by sample


def one_by_one(op: Any, size: int, operands: list[Any], params: Params) -> Any:
    """Each sample for itself, for operations that no rule is known for.

    Raises:
        ValueError: the results differ in shape.
    """
    results = []
    for i in range(size):
        chosen = [x.data[i] if x.each else x.data for x in operands if isinstance(x, Batched)]
        arguments = iter(chosen)
        given = [next(arguments) if isinstance(x, Batched) else x for x in operands]
        results.append(inner(op, *given, **{k: unwrapped(v, i) for k, v in params.items()}))
    if not results:
        raise ValueError(f"vmap: {op.name} is run sample by sample, and there is no sample to tell its result's shape")
    if isinstance(results[0], tuple):
        return tuple(_stacked(op, parts) for parts in zip(*results, strict=True))
    return _stacked(op, results)


def _stacked(op: Any, results: Any) -> Tensor:
    shapes = {y.shape for y in results}
    if len(shapes) > 1:
        raise ValueError(
            f"vmap: the shape of {op.name}'s result depends on values, {' and '.join(map(str, sorted(shapes)))} for "
            "different samples; gg.where or a loop in the place of vmap can do what it is for"
        )
    return stack(results)


def unwrapped(value: Any, i: int = 0) -> Any:
    """A static parameter as it is one level further in, with the part of sample i of the arrays that hide in it."""
    if isinstance(value, tuple):
        return tuple(unwrapped(v, i) for v in value)
    if isinstance(value, Batched):
        return (value.data[i] if value.each else value.data).data
    return value
