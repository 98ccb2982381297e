"""Which rule runs which operation on all samples at once; what is not listed is run sample by sample."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from ...core import Tensor, identity
from ...ops import (
    activation,
    arithmetic,
    bessel,
    comparison,
    conditions,
    convolution,
    corners,
    counting,
    creation,
    decompositions,
    determinants,
    diagonals,
    eigenvalues,
    factored,
    fourier,
    functions,
    gammas,
    gating,
    incomplete,
    indexing,
    interpolation,
    linear,
    losses,
    margins,
    matrix_functions,
    nan,
    normalization,
    norms,
    padding,
    pooling,
    products,
    quantiles,
    reduction,
    resampling,
    rounding,
    scans,
    selection,
    shaping,
    softmax,
    solving,
    special,
    stacking,
    statistics,
    structured,
    trigonometry,
    ufuncs,
)
from . import convolution as images
from . import indexing as at
from . import rules
from .array import Batched, innermost, inside_of, raised_index


def _all_of(*modules: ModuleType) -> list[Any]:
    """Every operation that these files declare."""
    return [f for m in modules for f in vars(m).values() if hasattr(f, "op") and f.op.forward.__module__ == m.__name__]


FAMILIES: list[tuple[rules.Rule, list[Any]]] = [
    (rules.elementwise, _all_of(activation, arithmetic, comparison, functions, losses, rounding, special)),
    (rules.elementwise, _all_of(bessel, gammas, incomplete, trigonometry, ufuncs)),
    (rules.elementwise, [*_all_of(determinants, decompositions, eigenvalues), solving.inv, solving._pinv, norms._rank]),
    (rules.elementwise, [identity, creation._astype, creation._to_device, diagonals.tril, diagonals.triu]),
    (rules.elementwise, [conditions.isclose, norms.root, products._cross]),
    (rules.marked, [corners._marked, corners._lost]),
    (
        rules.reduction,
        [
            reduction.sum, reduction.mean, reduction.max, reduction.min, reduction.prod, reduction.var, reduction.std,
            reduction.all, reduction.any, softmax.logsumexp, statistics.count_nonzero, statistics.nanmax,
            statistics.nanmin, statistics.nansum, nan.nanvar, nan.nanstd, norms._norm,
            quantiles.nanmedian,
        ],
    ),
    (
        rules.line,
        [
            reduction.argmax, reduction.argmin, scans.cumulative_sum, scans.cumulative_prod, selection.argsort,
            selection.sort, nan.nanargmax, nan.nanargmin, quantiles.partition, quantiles.argpartition,
        ],
    ),
    (rules.any_axes("axis"), [gating.glu, resampling.resample, interpolation.unwrap]),
    (rules.any_axes("axis"), [scans._diff, shaping._unstack, shaping.expand_dims, shaping._split, stacking._repeat]),
    (rules.any_axes("axis1", "axis2"), [diagonals._trace, linear._diagonal]),
    (rules.any_axes("axes"), [normalization.moments]),
    (rules.any_axes("axis", "axes"), [fourier._c2c, fourier._r2c, fourier._c2r, fourier._mirrored]),
    (rules.all_axes, [shaping.flip, softmax.softmax, softmax.log_softmax]),
    (rules.rolled, [stacking.roll]),
    (rules.reshaped, [shaping.reshape]),
    (rules.permuted, [shaping.permute_dims]),
    (rules.spread, [shaping.broadcast_to]),
    (rules.squeezed, [shaping.squeeze]),
    (rules.joined, [shaping._concat, shaping._stack]),
    (rules.padded, [padding._pad, padding._border, padding._unborder]),
    (rules.on_diagonal, [linear._on_diagonal]),
    (rules.matmul, [linear.matmul]),
    (rules.solved, [solving.solve]),
    (rules.vector_right, [solving._solve_triangular]),
    (rules.elementwise, _all_of(matrix_functions, factored, structured)),
    (rules.einsum, [linear._einsum]),
    (images.filtered, [convolution._convolve, convolution._spread]),
    (images.gradients_of_filters, [convolution._filters]),
    (rules.images, [*_all_of(pooling), quantiles._ordered]),
    (rules.classified, [softmax.cross_entropy, softmax.soft_cross_entropy, softmax.of_label, margins.margins]),
    (rules.normalized, [normalization.normalize]),
    (rules.one_for_all(0), [selection._searchsorted]),
    (rules.one_for_all(1), [selection.isin, counting._digitize]),
    (rules.one_for_all(1, 2), [interpolation._interp]),
    (at.sliced, [indexing._slice, indexing._place]),
    (at.gathered, [indexing._gather]),
    (at.added, [indexing._scatter_add]),
    (at.written, [indexing._set_at]),
]  # fmt: skip

DECLARED: dict[str | None, rules.Rule] = {None: rules.one_by_one, "elementwise": rules.elementwise}
"""What an operation that is not listed says of itself: the attribute ``batch`` of its Primitive."""

RULES: dict[Any, rules.Rule] = {operation.op: rule for rule, operations in FAMILIES for operation in operations}


def rule_of(op: Any) -> rules.Rule:
    """The rule by which an operation is run on all samples."""
    return RULES.get(op, DECLARED[op.batch])


def run(op: Any, arrays: list[Any], params: dict[str, Any]) -> Any:
    """An operation on batched arrays: the arrays of its outputs, batched."""
    level = innermost([*arrays, *inside_of(params)])
    assert level is not None
    if "index" in params:  # its arrays may be of an outer vmap, and are then the same for all samples of this one
        params = {**params, "index": raised_index(params["index"], level)}
    each = any(x.each for x in (*arrays, *inside_of(params)) if isinstance(x, Batched))
    if each:
        y = rule_of(op)(op, level.size, arrays, params)
    else:  # one for all samples
        given = (x.data if isinstance(x, Batched) else x for x in arrays)
        y = rules.inner(op, *given, **{k: rules.unwrapped(v) for k, v in params.items()})
    if isinstance(y, Tensor):
        return Batched(y, level, each)
    return tuple(Batched(part, level, each) for part in y)
