"""Attention of several heads, and positions."""

from __future__ import annotations

import math
from typing import Any

from ..core import Tensor
from ..ops.creation import arange, astype, empty, zeros
from ..ops.functions import exp
from ..ops.selection import take
from ..ops.shaping import broadcast_to, concat, expand_dims, permute_dims, reshape, split, stack
from ..ops.trigonometry import cos, sin
from ..ops.wide import computed_wide, computed_wide_on_host
from . import functional, init
from .functional.attention import additive_mask, attention_weights
from .linear import Linear
from .module import Module
from .parameter import Parameter


class MultiheadAttention(Module):
    """Attention in H heads: ``concat(head_1, ..., head_H) W_o + b_o``.

    Each head is :func:`~gpugrad.nn.functional.scaled_dot_product_attention` of projections of query, key and value to
    E / H elements.

    Args:
        embed_dim: E, of the query and the result.
        num_heads: H; it divides E.
        dropout: the probability, in training, that an attention weight is dropped.
        bias: whether the projections have biases.
        add_bias_kv: learn one more key and value, after those given.
        add_zero_attn: one more key and value of zeros, after those given.
        kdim: the size of keys; None for E.
        vdim: the size of values; None for E.
        batch_first: inputs and result are ``(N, L, E)`` instead of ``(L, N, E)``.
        device: of the parameters.
        dtype: of the parameters.

    Called with ``(query, key, value)`` of shapes ``(L, N, E)``, ``(S, N, kdim)``, ``(S, N, vdim)``, or without N, and:

    - ``key_padding_mask``, ``(N, S)``: True where a key is padding, or numbers to be added to its scores;
    - ``attn_mask``, ``(L, S)`` or ``(N H, L, S)``: True where attention is *not* allowed, or numbers to be added;
    - ``need_weights``: give the attention weights too, ``(N, L, S)``; otherwise None in their place;
    - ``average_attn_weights``: False for those of all heads, ``(N, H, L, S)``;
    - ``is_causal``: a promise that ``attn_mask``, which must be given, is the causal one; it never changes the result.

    A query that may attend to nothing has the result 0 before the output projection, and NaN with ``need_weights``, as
    in PyTorch.

    Raises:
        ValueError: E is not divided by H; when called: shapes that do not fit, ``is_causal`` without a mask.
        TypeError (when called): a mask is neither boolean nor floating-point.

    Sources: Vaswani et al. 2017; ``torch.nn.MultiheadAttention``.

    >>> import gpugrad as gg
    >>> attention, x = gg.nn.MultiheadAttention(8, 2), gg.ones((5, 3, 8))
    >>> y, weights = attention(x, x, x)
    >>> y.shape, weights.shape
    ((5, 3, 8), (3, 5, 5))
    """

    def __init__(
        self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True, add_bias_kv: bool = False,
        add_zero_attn: bool = False, kdim: int | None = None, vdim: int | None = None, batch_first: bool = False,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        if embed_dim < 1 or num_heads < 1 or embed_dim % num_heads:
            raise ValueError(
                f"MultiheadAttention: expected num_heads that divide embed_dim, got {num_heads} and {embed_dim}"
            )
        self.embed_dim, self.num_heads, self.head_dim = embed_dim, num_heads, embed_dim // num_heads
        self.dropout, self.batch_first = functional.dropout_probability(dropout), batch_first
        self.add_zero_attn = add_zero_attn
        self.kdim, self.vdim = kdim or embed_dim, vdim or embed_dim

        def made(*shape: int) -> Parameter:
            return Parameter(empty(shape, device=device, dtype=dtype))

        self.packed = self.kdim == self.vdim == embed_dim
        e = embed_dim
        shapes = {"q_proj_weight": (e, e), "k_proj_weight": (e, self.kdim), "v_proj_weight": (e, self.vdim)}
        for name, shape in shapes.items():
            self.register_parameter(name, None if self.packed else made(*shape))
        self.in_proj_weight: Parameter | None
        self.register_parameter("in_proj_weight", made(3 * e, e) if self.packed else None)
        self.in_proj_bias: Parameter | None
        self.register_parameter("in_proj_bias", made(3 * e) if bias else None)
        self.out_proj = Linear(e, e, bias=bias, device=device, dtype=dtype)
        self.bias_k: Parameter | None
        self.bias_v: Parameter | None
        for name in ("bias_k", "bias_v"):
            self.register_parameter(name, made(1, 1, e) if add_bias_kv else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the projections from Glorot's uniform distribution; their biases are 0."""
        for name in ("q_proj_weight", "k_proj_weight", "v_proj_weight", "in_proj_weight"):
            if getattr(self, name) is not None:
                init.xavier_uniform_(getattr(self, name))
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                init.zeros_(bias)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    @computed_wide_on_host
    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Tensor | None = None,
        need_weights: bool = True, attn_mask: Tensor | None = None, average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:  # fmt: skip
        batched = self._checked(query, key, value)
        at = 0 if self.batch_first else 1
        axes = (0, 2, 1, 3) if self.batch_first or not batched else (1, 2, 0, 3)  # of (L, N, H, E/H) to (N, H, L, E/H)
        q, k, v = self._projected(query, key, value)
        q, k, v = (x if batched else expand_dims(x, axis=0) for x in (q, k, v))
        at = at if batched else 0
        n = q.shape[at]
        if self.bias_k is not None and self.bias_v is not None:
            one = (n, 1, self.embed_dim) if at == 0 else (1, n, self.embed_dim)
            k = concat([k, broadcast_to(self.bias_k, one)], axis=1 - at)
            v = concat([v, broadcast_to(self.bias_v, one)], axis=1 - at)
        q, k, v = (permute_dims(reshape(x, (*x.shape[:2], self.num_heads, self.head_dim)), axes) for x in (q, k, v))
        if self.add_zero_attn:
            zero = zeros((n, self.num_heads, 1, self.head_dim), dtype=q.dtype, device=q.device)
            k, v = concat([k, zero], axis=2), concat([v, zero], axis=2)
        if is_causal and attn_mask is None:
            raise ValueError("MultiheadAttention: expected the attn_mask that is_causal speaks of, got None")
        keys = key.shape[0] if not batched or at else key.shape[1]
        causal = is_causal and key_padding_mask is None and not need_weights and k.shape[2] == keys
        mask = None if causal else self._mask(key_padding_mask, attn_mask, n, q, k.shape[2], keys, batched)
        p = self.dropout if self.training else 0.0
        weights: Tensor | None = None
        if need_weights:
            weights = functional.dropout(attention_weights(q, k, mask, None), p)
            y = weights @ v
            if average_attn_weights:
                weights = weights.mean(axis=1)
            weights = weights if batched else weights[0]
        else:
            y = functional.scaled_dot_product_attention(q, k, v, mask, p, causal)
        back = axes if axes == (0, 2, 1, 3) else (2, 0, 1, 3)
        y = permute_dims(y, back)
        y = reshape(y, (*(y.shape[:2] if batched else y.shape[1:2]), self.embed_dim))
        return self.out_proj(y), weights

    def _checked(self, query: Tensor, key: Tensor, value: Tensor) -> bool:
        """Whether there is a batch axis."""
        shapes = [x.shape for x in (query, key, value)]
        widths = (self.embed_dim, self.kdim, self.vdim)
        batch = [s[0 if self.batch_first else 1] for s in shapes] if query.ndim == 3 == key.ndim == value.ndim else [0]
        steps = [s[-2 if self.batch_first or len(s) < 3 else 0] if len(s) > 1 else 0 for s in shapes[1:]]
        same = len(set(map(len, shapes))) == len(set(batch)) == len(set(steps)) == 1
        if query.ndim not in (2, 3) or not same or any(s[-1] != n for s, n in zip(shapes, widths, strict=True)):
            lead = "(N, L" if self.batch_first else "(L, N"
            raise ValueError(
                f"MultiheadAttention: expected query {lead}, {widths[0]}), key and value {lead.replace('L', 'S')}, "
                f"{widths[1]}) and (..., {widths[2]}), or all without N, got {', '.join(map(str, shapes))}"
            )
        return query.ndim == 3

    def _projected(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Query, key and value projected; what is the same object in one product."""
        e, b = self.embed_dim, self.in_proj_bias
        w = self.in_proj_weight
        if w is None:
            ws = [getattr(self, name) for name in ("q_proj_weight", "k_proj_weight", "v_proj_weight")]
        elif query is key is value:
            q, k, v = split(_linear(query, w, b), 3, axis=-1)
            return q, k, v
        elif key is value:
            q = _linear(query, w[:e], None if b is None else b[:e])
            k, v = split(_linear(key, w[e:], None if b is None else b[e:]), 2, axis=-1)
            return q, k, v
        else:
            ws = split(w, 3, axis=0)
        bs = [None] * 3 if b is None else split(b, 3, axis=0)
        q, k, v = (_linear(x, *wb) for x, *wb in zip((query, key, value), ws, bs, strict=True))
        return q, k, v

    def _mask(
        self, padding: Tensor | None, mask: Tensor | None, n: int, q: Tensor, total: int, keys: int, batched: bool
    ) -> Tensor | None:
        """Both masks as one to be added, which broadcasts to ``(N, H, L, total)``."""
        steps, parts = q.shape[2], []
        if mask is not None:
            m = additive_mask("MultiheadAttention: attn_mask", mask, q.dtype, hidden=True)
            whole = (n * self.num_heads, steps, keys)
            if m.shape not in (whole, whole[1:]):
                raise ValueError(
                    f"MultiheadAttention: expected attn_mask of shape {whole[1:]} or {whole}, got {m.shape}"
                )
            parts.append(reshape(m, (n, self.num_heads, steps, keys)) if m.ndim == 3 else m)
        if padding is not None:
            m = additive_mask("MultiheadAttention: key_padding_mask", padding, q.dtype, hidden=True)
            wanted = (n, keys) if batched else (keys,)
            if m.shape != wanted:
                raise ValueError(f"MultiheadAttention: expected key_padding_mask of shape {wanted}, got {m.shape}")
            parts.append(reshape(m, (n, 1, 1, keys)))
        if not parts:
            return None
        both = parts[0] if len(parts) == 1 else parts[0] + parts[1]
        if total > keys:  # what was added may be attended to
            both = concat([both, zeros((*both.shape[:-1], total - keys), dtype=q.dtype, device=q.device)], axis=-1)
        return both


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The rows of all steps and sequences in one product."""
    y = functional.linear(reshape(x, (-1, x.shape[-1])) if x.size else x, weight, bias)
    return reshape(y, (*x.shape[:-1], weight.shape[0]))


def multi_head_attention_forward(
    query: Tensor, key: Tensor, value: Tensor, embed_dim_to_check: int, num_heads: int, in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None, bias_k: Tensor | None, bias_v: Tensor | None, add_zero_attn: bool, dropout_p: float,
    out_proj_weight: Tensor, out_proj_bias: Tensor | None, training: bool = True,
    key_padding_mask: Tensor | None = None, need_weights: bool = True, attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False, q_proj_weight: Tensor | None = None, k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None, static_k: None = None, static_v: None = None,
    average_attn_weights: bool = True, is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """What :class:`MultiheadAttention` computes, with weights that are handed over; shapes ``(L, N, E)``.

    Raises:
        NotImplementedError: ``static_k`` or ``static_v`` is given.
        ValueError: the shapes do not fit.

    Source: ``torch.nn.functional.multi_head_attention_forward``.

    >>> import gpugrad as gg
    >>> layer, x = gg.nn.MultiheadAttention(4, 2), gg.ones((3, 1, 4))
    >>> y, _ = gg.nn.functional.multi_head_attention_forward(
    ...     x, x, x, 4, 2, layer.in_proj_weight, layer.in_proj_bias, None, None, False, 0.0, layer.out_proj.weight,
    ...     layer.out_proj.bias)
    >>> gg.allclose(y, layer(x, x, x)[0])
    True
    """
    if static_k is not None or static_v is not None:
        raise NotImplementedError("multi_head_attention_forward: static_k and static_v are not there")
    layer = MultiheadAttention.__new__(MultiheadAttention)
    Module.__init__(layer)
    separate = use_separate_proj_weight
    vars(layer).update(
        embed_dim=embed_dim_to_check, kdim=key.shape[-1], vdim=value.shape[-1], num_heads=num_heads,
        head_dim=embed_dim_to_check // num_heads, dropout=dropout_p, batch_first=False, add_zero_attn=add_zero_attn,
        in_proj_weight=None if separate else in_proj_weight, in_proj_bias=in_proj_bias, bias_k=bias_k, bias_v=bias_v,
        q_proj_weight=q_proj_weight, k_proj_weight=k_proj_weight, v_proj_weight=v_proj_weight, training=training,
        out_proj=lambda y: _linear(y, out_proj_weight, out_proj_bias),
    )  # fmt: skip
    return layer.forward(query, key, value, key_padding_mask, need_weights, attn_mask, average_attn_weights, is_causal)


setattr(functional, "multi_head_attention_forward", multi_head_attention_forward)  # noqa: B010  which is below


class RotaryPositionalEmbeddings(Module):
    """Queries and keys turned by angles that grow with the position, so that their products know distances only.

    The pair of elements 2 i and 2 i + 1 at position p is turned by ``p base^(-2 i / D)``. PyTorch has no such layer;
    name, arguments and the pairs of neighbours are those of ``torchtune`` (others pair element i with D / 2 + i).

    Args:
        dim: D, the size of a head, an even number.
        max_seq_len: how many positions there are.
        base: see there.

    Shapes: ``(B, S, H, D)`` to the same; ``input_pos``, ``(S,)`` or ``(B, S)``, if positions are not 0 to S - 1.

    Raises:
        ValueError: D is odd; when called: another D, or more positions than ``max_seq_len``.

    Source: Su et al. 2021, "RoFormer".

    >>> import gpugrad as gg
    >>> gg.nn.RotaryPositionalEmbeddings(2)(gg.tensor([1.0, 0.0]).reshape((1, 1, 1, 2)), input_pos=gg.tensor([[1]]))
    tensor([[[[0.5403023, 0.841471 ]]]])
    """

    def __init__(self, dim: int, max_seq_len: int = 4096, base: float = 10_000) -> None:
        super().__init__()
        if dim < 2 or dim % 2:
            raise ValueError(f"RotaryPositionalEmbeddings: expected an even dim, got {dim}")
        self.dim, self.max_seq_len, self.base = dim, max_seq_len, base
        turned = _angles(max_seq_len, dim, base)
        table = astype(stack([cos(turned), sin(turned)], axis=-1), zeros(0).dtype)
        self.cache: Tensor
        self.register_buffer("cache", table, persistent=False)

    @computed_wide
    def forward(self, x: Tensor, *, input_pos: Tensor | None = None) -> Tensor:
        if x.ndim != 4 or x.shape[-1] != self.dim:
            raise ValueError(f"RotaryPositionalEmbeddings: expected an input (B, S, H, {self.dim}), got {x.shape}")
        if input_pos is None:
            _within("RotaryPositionalEmbeddings", x.shape[1], self.max_seq_len)
            turned = self.cache[: x.shape[1]]
        else:
            turned = take(self.cache, input_pos, axis=0)
        turned = expand_dims(astype(turned, x.dtype), axis=-3)  # (..., S, 1, D/2, 2)
        c, s = turned[..., 0], turned[..., 1]
        a, b = x[..., 0::2], x[..., 1::2]
        return reshape(stack([a * c - b * s, b * c + a * s], axis=-1), x.shape)

    def extra_repr(self) -> str:
        """Its arguments."""
        return f"dim={self.dim}, max_seq_len={self.max_seq_len}, base={self.base}"


class SinusoidalPositionalEncoding(Module):
    """``x + P`` with ``P[p, 2 i] = sin(p / 10000^(2 i / E))`` and ``P[p, 2 i + 1] = cos`` of the same.

    PyTorch has no such layer. There are no parameters, and nothing in the ``state_dict``.

    Args:
        embed_dim: E, an even number.
        max_seq_len: how many positions there are.

    Shapes: ``(..., S, E)`` to the same.

    Raises:
        ValueError: E is odd; when called: another E, or more positions than ``max_seq_len``.

    Source: Vaswani et al. 2017, section 3.5.

    >>> import gpugrad as gg
    >>> gg.nn.SinusoidalPositionalEncoding(2)(gg.zeros((2, 2)))
    tensor([[0.       , 1.       ],
            [0.841471 , 0.5403023]])
    """

    def __init__(self, embed_dim: int, max_seq_len: int = 5000) -> None:
        super().__init__()
        if embed_dim < 2 or embed_dim % 2:
            raise ValueError(f"SinusoidalPositionalEncoding: expected an even embed_dim, got {embed_dim}")
        self.embed_dim, self.max_seq_len = embed_dim, max_seq_len
        angles = _angles(max_seq_len, embed_dim, 10_000)
        table = reshape(stack([sin(angles), cos(angles)], axis=-1), (max_seq_len, embed_dim))
        self.table: Tensor
        self.register_buffer("table", astype(table, zeros(0).dtype), persistent=False)

    @computed_wide
    def forward(self, x: Tensor) -> Tensor:
        if x.ndim < 2 or x.shape[-1] != self.embed_dim:
            raise ValueError(
                f"SinusoidalPositionalEncoding: expected an input (..., S, {self.embed_dim}), got {x.shape}"
            )
        _within("SinusoidalPositionalEncoding", x.shape[-2], self.max_seq_len)
        return x + astype(self.table[: x.shape[-2]], x.dtype)

    def extra_repr(self) -> str:
        """Its arguments."""
        return f"{self.embed_dim}, max_seq_len={self.max_seq_len}"


def _angles(positions: int, dim: int, base: float) -> Tensor:
    """``p base^(-2 i / dim)``, shape ``(positions, dim / 2)``; in double precision, since positions are large."""
    rates = exp(arange(0, dim, 2, dtype="float64") * (-math.log(base) / dim))
    return expand_dims(arange(positions, dtype="float64"), axis=1) * rates


def _within(name: str, positions: int, most: int) -> None:
    if positions > most:
        raise ValueError(f"{name}: expected at most max_seq_len = {most} positions, got {positions}")
