"""Attention."""

from __future__ import annotations

import math
from typing import Any

from ... import backend
from ...core import Tensor
from ...ops.arithmetic import where
from ...ops.attention import attention
from ...ops.conditions import isneginf
from ...ops.creation import asarray, astype, ones
from ...ops.diagonals import tril
from ...ops.reduction import all as all_of
from ...ops.softmax import softmax
from ...ops.stacking import repeat
from ...ops.wide import lower_in_autocast
from ...random import Generator
from .dropout import dropout


def additive_mask(name: str, mask: Any, dtype: Any, hidden: bool) -> Tensor:
    """A mask as numbers to be added to scores: ``-inf`` where a boolean one is ``hidden``, else 0.

    Raises:
        TypeError: it is neither boolean nor floating-point.
    """
    given = asarray(mask)
    if given.dtype == "bool":
        return astype(where(given, -math.inf, 0.0) if hidden else where(given, 0.0, -math.inf), dtype)
    if not backend.is_floating(given.dtype):
        raise TypeError(f"{name}: expected a boolean or floating-point mask, got {given.dtype}")
    return astype(given, dtype)


def causal_mask(steps: int, keys: int, like: Tensor) -> Tensor:
    """0 up to the diagonal and ``-inf`` after it, shape ``(steps, keys)``."""
    return additive_mask("causal", tril(ones((steps, keys), dtype="bool", device=like.device)), like.dtype, False)


@lower_in_autocast
def attention_weights(query: Tensor, key: Tensor, mask: Tensor | None, scale: float | None) -> Tensor:
    """``softmax(scale q k^T + mask)``, shape ``(..., L, S)``; a row that is ``-inf`` throughout is NaN."""
    factor = 1 / math.sqrt(max(query.shape[-1], 1)) if scale is None else scale
    scores = (query * factor) @ key.mT
    return softmax(scores if mask is None else scores + mask, axis=-1)


@lower_in_autocast
def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
    is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False, *,
    generator: Generator | None = None,
) -> Tensor:  # fmt: skip
    """``softmax(scale q k^T + mask) v``: for each query the mean of the values, weighted by how well its key fits.

    Args:
        query: shape ``(..., L, E)``.
        key: shape ``(..., S, E)``.
        value: shape ``(..., S, V)``.
        attn_mask: broadcasts to ``(..., L, S)``: booleans, True where attention is allowed, or numbers to be added.
        dropout_p: the probability that a weight is dropped (there is no mode here: 0 for evaluation).
        is_causal: query i sees keys 0 to i only.
        scale: None for ``1 / sqrt(E)``.
        enable_gqa: key and value have fewer heads (axis -3), each for several heads of the query in a row.
        generator: where the dropout comes from; None for ``gpugrad.random``.

    Returns:
        Shape ``(..., L, V)``; 0 for a query that may attend to nothing.

    Raises:
        TypeError: the mask is neither boolean nor floating-point.
        ValueError: sizes that do not fit, a mask beside ``is_causal``, or heads that cannot be shared evenly.

    Sources: Vaswani et al. 2017; Ainslie et al. 2023 (grouped queries);
    ``torch.nn.functional.scaled_dot_product_attention``.

    >>> import gpugrad as gg
    >>> x = gg.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> gg.nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True)
    tensor([[1.        , 0.        ],
            [0.33023846, 0.6697616 ]])
    """
    _fitting(query, key, value)
    if is_causal and attn_mask is not None:
        raise ValueError("scaled_dot_product_attention: expected attn_mask or is_causal, got both")
    if enable_gqa:
        groups = _groups(query, key, value)
        key, value = repeat(key, groups[0], axis=-3), repeat(value, groups[1], axis=-3)
    steps, keys = query.shape[-2], key.shape[-2]
    mask = blind = None
    if attn_mask is not None:
        mask = additive_mask("scaled_dot_product_attention", attn_mask, query.dtype, hidden=False)
        blind = all_of(isneginf(mask.detach()), axis=-1, keepdims=True)
        mask = where(blind, 0, mask)
    variable = isinstance(scale, Tensor) or (mask is not None and mask.requires_grad)
    if dropout_p == 0 and not variable:
        factor = 1 / math.sqrt(max(query.shape[-1], 1)) if scale is None else scale
        y: Tensor = attention(query, key, value, mask, causal=is_causal, scale=factor)
    else:
        mask = causal_mask(steps, keys, query) if is_causal else mask
        y = dropout(attention_weights(query, key, mask, scale), dropout_p, generator=generator) @ value
    return y if blind is None else where(blind, 0, y)


def _fitting(query: Tensor, key: Tensor, value: Tensor) -> None:
    shapes = f"{query.shape}, {key.shape}, {value.shape}"
    if (
        min(query.ndim, key.ndim, value.ndim) < 2
        or query.shape[-1] != key.shape[-1]
        or key.shape[-2] != value.shape[-2]
    ):
        raise ValueError(
            f"scaled_dot_product_attention: expected (..., L, E), (..., S, E) and (..., S, V), got {shapes}"
        )


def _groups(query: Tensor, key: Tensor, value: Tensor) -> list[int]:
    """For how many heads of the query one of the key stands, and one of the value."""
    heads = [x.shape[-3] if x.ndim > 2 else 0 for x in (query, key, value)]
    if 0 in heads or heads[0] % heads[1] or heads[0] % heads[2]:
        raise ValueError(
            "scaled_dot_product_attention: expected heads of key and value that divide those of the query, got "
            f"{heads[1]} and {heads[2]} for {heads[0]}"
        )
    return [heads[0] // heads[1], heads[0] // heads[2]]
