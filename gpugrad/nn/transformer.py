"""The Transformer and its parts."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from ..core import Tensor
from ..ops.creation import full
from ..ops.diagonals import triu
from ..ops.wide import computed_wide_on_host
from . import functional, init
from .attention import MultiheadAttention
from .container import ModuleList
from .dropout import Dropout
from .linear import Linear
from .module import Module
from .normalization import LayerNorm

Activation = str | Callable[[Tensor], Tensor]


def _known(name: str, activation: Activation) -> Callable[[Tensor], Tensor]:
    if not isinstance(activation, str):
        return activation
    if activation not in ("relu", "gelu"):
        raise ValueError(f"{name}: expected activation 'relu', 'gelu' or a function, got {activation!r}")
    known: Callable[[Tensor], Tensor] = getattr(functional, activation)
    return known


class TransformerEncoderLayer(Module):
    """Self-attention and a network of two layers, each with a residual connection and a layer normalization.

    ``x = norm1(x + attention(x))``, ``x = norm2(x + W_2 f(W_1 x))``; with ``norm_first``
    ``x = x + attention(norm1(x))``, ``x = x + W_2 f(W_1 norm2(x))``.

    Args:
        d_model: E.
        nhead: how many heads the attention has.
        dim_feedforward: the size between the two layers.
        dropout: the probability, in training, of the attention weights, of f's result and of both branches.
        activation: f: ``"relu"``, ``"gelu"`` or a function.
        layer_norm_eps: added to the variance.
        batch_first: ``(N, S, E)`` instead of ``(S, N, E)``.
        norm_first: normalize what goes into the branches, not the sums.
        bias: whether linear layers and normalizations have biases.
        device: of the parameters.
        dtype: of the parameters.

    Called with ``src``, ``(S, N, E)`` or ``(S, E)``, and the masks of :class:`MultiheadAttention` as ``src_mask`` and
    ``src_key_padding_mask``; ``is_causal`` is the promise that ``src_mask`` is the causal one. There is no
    other path for inference, as PyTorch has (which fills padded places with 0).

    Raises:
        ValueError: an unknown activation, heads that do not divide E; when called: shapes that do not fit.

    Sources: Vaswani et al. 2017; Xiong et al. 2020 (``norm_first``); ``torch.nn.TransformerEncoderLayer``.

    >>> import gpugrad as gg
    >>> gg.nn.TransformerEncoderLayer(8, 2, 16)(gg.ones((5, 3, 8))).shape
    (5, 3, 8)
    """

    def __init__(
        self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
        activation: Activation = functional.relu, layer_norm_eps: float = 1e-5, batch_first: bool = False,
        norm_first: bool = False, bias: bool = True, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        where = {"device": device, "dtype": dtype}
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, **where)
        self.linear1 = Linear(d_model, dim_feedforward, bias, **where)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, **where)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, **where)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, **where)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.activation = _known("TransformerEncoderLayer", activation)

    @computed_wide_on_host
    def forward(
        self, src: Tensor, src_mask: Tensor | None = None, src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        def attend(x: Tensor) -> Tensor:
            y, _ = self.self_attn(x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal)
            return self.dropout1(y)  # type: ignore[no-any-return]

        x = _branch(src, attend, self.norm1, self.norm_first)
        return _branch(x, self._feed, self.norm2, self.norm_first)

    def _feed(self, x: Tensor) -> Tensor:
        y: Tensor = self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))
        return y


def _branch(x: Tensor, branch: Callable[[Tensor], Tensor], norm: Module, norm_first: bool) -> Tensor:
    """``x + branch(norm(x))``, or ``norm(x + branch(x))``."""
    return x + branch(norm(x)) if norm_first else norm(x + branch(x))


class TransformerDecoderLayer(Module):
    """Self-attention, attention to an encoder's result, and a network of two layers.

    Each has a residual connection and a layer normalization, as in :class:`TransformerEncoderLayer`, whose arguments
    these are. Called with ``tgt``, ``(T, N, E)``, ``memory``, ``(S, N, E)``, and masks for either.

    Raises:
        ValueError: an unknown activation, heads that do not divide E; when called: shapes that do not fit.

    Sources: Vaswani et al. 2017; ``torch.nn.TransformerDecoderLayer``.

    >>> import gpugrad as gg
    >>> gg.nn.TransformerDecoderLayer(8, 2, 16)(gg.ones((4, 3, 8)), gg.ones((5, 3, 8))).shape
    (4, 3, 8)
    """

    def __init__(
        self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
        activation: Activation = functional.relu, layer_norm_eps: float = 1e-5, batch_first: bool = False,
        norm_first: bool = False, bias: bool = True, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        where = {"device": device, "dtype": dtype}
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, **where)
        self.multihead_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, **where)
        self.linear1 = Linear(d_model, dim_feedforward, bias, **where)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, **where)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, **where)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, **where)
        self.norm3 = LayerNorm(d_model, layer_norm_eps, bias=bias, **where)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.dropout3 = Dropout(dropout)
        self.activation = _known("TransformerDecoderLayer", activation)

    @computed_wide_on_host
    def forward(
        self, tgt: Tensor, memory: Tensor, tgt_mask: Tensor | None = None, memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None, memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False, memory_is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        def attend(x: Tensor) -> Tensor:
            y, _ = self.self_attn(x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal)
            return self.dropout1(y)  # type: ignore[no-any-return]

        def look(x: Tensor) -> Tensor:
            y, _ = self.multihead_attn(
                x, memory, memory, memory_key_padding_mask, False, memory_mask, is_causal=memory_is_causal
            )
            return self.dropout2(y)  # type: ignore[no-any-return]

        x = _branch(tgt, attend, self.norm1, self.norm_first)
        x = _branch(x, look, self.norm2, self.norm_first)
        return _branch(x, self._feed, self.norm3, self.norm_first)

    def _feed(self, x: Tensor) -> Tensor:
        y: Tensor = self.dropout3(self.linear2(self.dropout(self.activation(self.linear1(x)))))
        return y


class TransformerEncoder(Module):
    """Copies of an encoder layer on top of each other, and a normalization at the end if one is given.

    Args:
        encoder_layer: of which copies are made, all with its values.
        num_layers: how many.
        norm: a module for the result, or None.
        enable_nested_tensor: accepted, as PyTorch has it; there are no nested tensors.
        mask_check: accepted likewise.

    Called as a layer is, with ``mask`` for its ``src_mask``.

    Source: ``torch.nn.TransformerEncoder``.

    >>> import gpugrad as gg
    >>> gg.nn.TransformerEncoder(gg.nn.TransformerEncoderLayer(8, 2, 16), 2)(gg.ones((5, 3, 8))).shape
    (5, 3, 8)
    """

    def __init__(
        self, encoder_layer: Module, num_layers: int, norm: Module | None = None, enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.layers = ModuleList(deepcopy(encoder_layer) for _ in range(num_layers))
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self, src: Tensor, mask: Tensor | None = None, src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:  # fmt: skip
        for layer in self.layers:
            src = layer(src, mask, src_key_padding_mask, is_causal=bool(is_causal))
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(Module):
    """Copies of a decoder layer on top of each other, and a normalization at the end if one is given.

    Args:
        decoder_layer: of which copies are made, all with its values.
        num_layers: how many.
        norm: a module for the result, or None.

    Called as a layer is.

    Source: ``torch.nn.TransformerDecoder``.

    >>> import gpugrad as gg
    >>> decoder = gg.nn.TransformerDecoder(gg.nn.TransformerDecoderLayer(8, 2, 16), 2)
    >>> decoder(gg.ones((4, 3, 8)), gg.ones((5, 3, 8))).shape
    (4, 3, 8)
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = ModuleList(deepcopy(decoder_layer) for _ in range(num_layers))
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self, tgt: Tensor, memory: Tensor, tgt_mask: Tensor | None = None, memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None, memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None, memory_is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        for layer in self.layers:
            tgt = layer(
                tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask,
                bool(tgt_is_causal), memory_is_causal,
            )  # fmt: skip
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(Module):
    """An encoder of the source and a decoder of the target that attends to its result.

    Args:
        d_model: E.
        nhead: how many heads the attentions have.
        num_encoder_layers: how many layers the encoder has.
        num_decoder_layers: how many the decoder has.
        dim_feedforward: see :class:`TransformerEncoderLayer`, as for those that follow.
        dropout: see there.
        activation: see there.
        custom_encoder: a module in the encoder's place.
        custom_decoder: a module in the decoder's place.
        layer_norm_eps: see there.
        batch_first: see there.
        norm_first: see there.
        bias: see there.
        device: of the parameters.
        dtype: of the parameters.

    Shapes: ``src`` ``(S, N, E)``, ``tgt`` ``(T, N, E)``, both without N, or with N first; to that of ``tgt``.
    Matrices begin in Glorot's uniform distribution.

    Raises:
        ValueError: an unknown activation, heads that do not divide E; when called: shapes that do not fit.

    Sources: Vaswani et al. 2017; ``torch.nn.Transformer``.

    >>> import gpugrad as gg
    >>> model = gg.nn.Transformer(8, 2, 1, 1, 16)
    >>> model(gg.ones((5, 3, 8)), gg.ones((4, 3, 8)), tgt_mask=model.generate_square_subsequent_mask(4)).shape
    (4, 3, 8)
    """

    def __init__(
        self, d_model: int = 512, nhead: int = 8, num_encoder_layers: int = 6, num_decoder_layers: int = 6,
        dim_feedforward: int = 2048, dropout: float = 0.1, activation: Activation = functional.relu,
        custom_encoder: Module | None = None, custom_decoder: Module | None = None, layer_norm_eps: float = 1e-5,
        batch_first: bool = False, norm_first: bool = False, bias: bool = True, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        layer = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias,
                 device, dtype)  # fmt: skip

        def norm() -> LayerNorm:
            return LayerNorm(d_model, layer_norm_eps, bias=bias, device=device, dtype=dtype)

        self.encoder = custom_encoder or TransformerEncoder(TransformerEncoderLayer(*layer), num_encoder_layers, norm())
        self.decoder = custom_decoder or TransformerDecoder(TransformerDecoderLayer(*layer), num_decoder_layers, norm())
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def forward(
        self, src: Tensor, tgt: Tensor, src_mask: Tensor | None = None, tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None, src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None, memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None, tgt_is_causal: bool | None = None, memory_is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        if {src.shape[-1], tgt.shape[-1]} != {self.d_model}:
            raise ValueError(
                f"Transformer: expected src and tgt of shape (..., {self.d_model}), got {src.shape} and {tgt.shape}"
            )
        memory = self.encoder(src, src_mask, src_key_padding_mask, is_causal=src_is_causal)
        y: Tensor = self.decoder(
            tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask, tgt_is_causal,
            memory_is_causal,
        )  # fmt: skip
        return y

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Tensor:
        """A mask of shape ``(sz, sz)`` that is ``-inf`` above the diagonal and 0 elsewhere.

        >>> import gpugrad as gg
        >>> gg.nn.Transformer.generate_square_subsequent_mask(2)
        tensor([[  0., -inf],
                [  0.,   0.]])
        """
        return triu(full((sz, sz), -math.inf, dtype=dtype, device=device), k=1)
