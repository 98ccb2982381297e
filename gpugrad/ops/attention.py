"""Scaled dot-product attention as one operation, whose memory grows with the length and not with its square."""

from __future__ import annotations

from typing import Any

from ..backend import Array, Namespace
from ..core import primitive
from ..kernels import attention as kernels
from .softmax import softmax


def _reference(
    xp: Namespace, query: Array, key: Array, value: Array, mask: Array | None = None, /, *, causal: bool, scale: float
) -> Array:
    s = kernels.scores(xp, query, key, mask, causal, scale)
    return softmax.on(xp, s, axis=-1) @ value


@primitive(batch="matrices", residuals=("sums",), reference=_reference, cast="lower")
def attention(
    xp: Namespace, query: Array, key: Array, value: Array, mask: Array | None = None, /, *, causal: bool, scale: float
) -> tuple[Array, ...]:
    """``softmax(scale q k^T + mask) v``, tile by tile; see :func:`gpugrad.nn.functional.scaled_dot_product_attention`.

    Inputs:
        query: shape ``(..., L, E)``.
        key: shape ``(..., S, E)``.
        value: shape ``(..., S, V)``.
        mask: numbers to be added, which broadcast to ``(..., L, S)``; a constant.
        causal: query i sees keys 0 to i only.
        scale: a number.

    >>> import gpugrad as gg
    >>> from gpugrad.ops.attention import attention
    >>> x = gg.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> attention(x, x, x, causal=True, scale=1.0)
    tensor([[1.        , 0.        ],
            [0.26894143, 0.73105854]])
    """
    return kernels.attention_forward(xp, query, key, value, mask, causal, scale)  # type: ignore[no-any-return]


@attention.joint_vjp
def _attention(
    xp: Namespace, g: Array, wanted: tuple[str, ...], query: Array, key: Array, value: Array, mask: Array | None,
    sums: Array | None, causal: bool, scale: float,
) -> list[Array]:  # fmt: skip
    d = kernels.attention_backward(xp, g, query, key, value, mask, sums, causal, scale)
    by_name = dict(zip(("query", "key", "value"), d, strict=True))
    return [by_name[name] for name in wanted]


_op: Any = attention
_op.op.undefined["mask"] = "a mask that needs a gradient is added to scores that are kept"
