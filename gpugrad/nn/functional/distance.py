"""Distances between vectors, and the cosine of the angle between them."""

from __future__ import annotations

from ...backend.dtypes import bool_
from ...core import Tensor
from ...ops.arithmetic import clip, where
from ...ops.creation import asarray, ones
from ...ops.diagonals import triu
from ...ops.norms import bounded_norm, root, vector_norm
from ...ops.reduction import sum
from ...ops.selection import nonzero
from ...ops.shaping import expand_dims, matrix_transpose, reshape
from ...ops.stacking import broadcast_arrays
from ...ops.wide import full_in_autocast
from .positions import in_floating_point
from .reducing import at_least

MODES = ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist")


@full_in_autocast
def normalize(input: Tensor, p: float = 2.0, dim: int | tuple[int, ...] = 1, eps: float = 1e-12) -> Tensor:
    """``x / max(|x|_p, eps)``: vectors along the axis ``dim`` made as long as 1.

    Args:
        input: shape ``(...)``.
        p: which norm.
        dim: the axis, or several.
        eps: for vectors that are 0.

    Raises:
        ValueError: there is no such axis.

    Source: ``torch.nn.functional.normalize``.

    >>> import gpugrad as gg
    >>> gg.nn.functional.normalize(gg.tensor([[3.0, 4.0]]))
    tensor([[0.6, 0.8]])
    """
    if not input.ndim and dim in (0, -1):
        return reshape(normalize(reshape(input, (1,)), p, 0, eps), ())
    size = bounded_norm(input, dim, p)
    return input / clip(size, eps, None)


@in_floating_point
@full_in_autocast
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """``x1 x2 / (max(|x1|, eps) max(|x2|, eps))``, the cosine of the angle between vectors along the axis ``dim``.

    The vectors are divided before they are multiplied, so nothing overflows.

    Args:
        x1: shape ``(...)``.
        x2: of a shape that broadcasts with that of ``x1``.
        dim: the axis, of the common shape.
        eps: for vectors that are 0.

    Returns:
        The common shape without the axis.

    Raises:
        ValueError: the shapes do not fit, or there is no such axis.

    Source: ``torch.nn.functional.cosine_similarity``.

    >>> import gpugrad as gg
    >>> gg.nn.functional.cosine_similarity(gg.tensor([[1.0, 1.0]]), gg.tensor([[0.0, 2.0]]))
    tensor([0.70710677])
    """
    x1, x2 = broadcast_arrays(x1, x2)
    if not x1.ndim and dim in (0, -1):
        x1, x2 = reshape(x1, (1,)), reshape(x2, (1,))
    if not -x1.ndim <= dim < x1.ndim:
        raise ValueError(f"cosine_similarity: there is no axis {dim} in the shape {x1.shape}")
    units = [x / at_least(bounded_norm(x, dim), eps) for x in (x1, x2)]
    return sum(units[0] * units[1], axis=dim)


@in_floating_point
@full_in_autocast
def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """``|x1 - x2 + eps|_p`` along the last axis.

    Args:
        x1: shape ``(..., D)``.
        x2: of a shape that broadcasts with that of ``x1``.
        p: which norm.
        eps: added to each difference, so that the distance of equal vectors has a gradient.
        keepdim: the last axis stays with size 1. Numbers count as vectors of one element, and give a number.

    Raises:
        ValueError: the shapes do not fit.

    Source: ``torch.nn.functional.pairwise_distance``.

    >>> import gpugrad as gg
    >>> gg.nn.functional.pairwise_distance(gg.tensor([3.0, 0.0]), gg.tensor([0.0, 4.0]), eps=0.0)
    tensor(5.)
    """
    difference: Tensor = x1 - x2 + eps
    if not difference.ndim:
        difference, keepdim = reshape(difference, (1,)), False
    return vector_norm(difference, axis=-1, keepdims=keepdim, ord=p)


@full_in_autocast
def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str = MODES[0]) -> Tensor:
    """``|x1_i - x2_j|_p`` for each two rows; the gradient between equal rows is 0.

    Args:
        x1: shape ``(..., P, D)``.
        x2: shape ``(..., R, D)``; the axes before broadcast.
        p: which norm, at least 0.
        compute_mode: how, for p = 2: through differences, of which there are P R D, or, with one product of matrices
            and less precision for rows that are close, by ``|a|^2 + |b|^2 - 2 a b``. By default the latter for more
            than 25 rows.

    Returns:
        Shape ``(..., P, R)``.

    Raises:
        ValueError: the shapes do not fit, p is negative, or the mode is not known.

    Source: ``torch.cdist``.

    >>> import gpugrad as gg
    >>> gg.nn.functional.cdist(gg.tensor([[0.0, 0.0]]), gg.tensor([[3.0, 4.0], [0.0, 1.0]]))
    tensor([[5., 1.]])
    """
    x1, x2 = asarray(x1), asarray(x2)
    if x1.ndim < 2 or x2.ndim < 2 or x1.shape[-1] != x2.shape[-1]:
        raise ValueError(f"cdist: expected shapes (..., P, D) and (..., R, D), got {x1.shape} and {x2.shape}")
    if not p >= 0:
        raise ValueError(f"cdist: expected a p of at least 0, got {p}")
    if compute_mode not in MODES:
        raise ValueError(f"cdist: expected a compute_mode of {', '.join(map(repr, MODES))}, got {compute_mode!r}")
    many = compute_mode == MODES[1] or (compute_mode == MODES[0] and max(x1.shape[-2], x2.shape[-2]) > 25)
    if p != 2 or not many:
        return vector_norm(expand_dims(x1, axis=-2) - expand_dims(x2, axis=-3), axis=-1, ord=p)
    squares = [sum(x * x, axis=-1, keepdims=True) for x in (x1, x2)]
    square = squares[0] + matrix_transpose(squares[1]) - 2 * (x1 @ matrix_transpose(x2))
    y = root(where(square > 0, square, 0 * square), 2)  # equal up to rounding
    return y


@full_in_autocast
def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """The distances of all pairs of rows, the upper triangle of :func:`cdist` of ``input`` with itself.

    Args:
        input: shape ``(N, M)``.
        p: which norm.

    Returns:
        Shape ``(N (N - 1) / 2,)``, in the order (0, 1), (0, 2), ..., (1, 2), ...

    Raises:
        ValueError: the input has not two axes.

    Source: ``torch.nn.functional.pdist``.

    >>> import gpugrad as gg
    >>> gg.nn.functional.pdist(gg.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]]))
    tensor([5.       , 1.       , 4.2426405])
    """
    if input.ndim != 2:
        raise ValueError(f"pdist: expected an input of shape (N, M), got {input.shape}")
    count = input.shape[0]
    first, second = nonzero(triu(ones((count, count), dtype=bool_, device=input.device), k=1))
    return bounded_norm(input[first] - input[second], 1, p)[:, 0]
