"""Recurrent layers; their single steps are in :mod:`gpugrad.nn.cells`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..core import Tensor
from ..kernels.wide import short
from ..ops import recurrent
from ..ops.creation import astype, empty, zeros
from ..ops.selection import take
from ..ops.shaping import concat, permute_dims, reshape, squeeze, stack
from ..ops.wide import computed_wide
from . import functional, init
from .module import Module
from .parameter import Parameter
from .utils.rnn import PackedSequence

Sizes = tuple[int, ...]
GATES = {"tanh": 1, "relu": 1, "lstm": 4, "gru": 3}


def run_layer(
    kind: str, x: Tensor, states: Sequence[Tensor], weights: Sequence[Tensor | None], sizes: Sizes, reverse: bool
) -> tuple[Tensor, list[Tensor]]:
    """One layer in one direction over the rows of all steps (see :mod:`gpugrad.ops.recurrent`).

    Returns:
        The states after all steps, and the last of each state.
    """
    if short(weights[0]) and not short(x):
        weights = [None if w is None else astype(w, x.dtype) for w in weights]
    w_ih, w_hh, b_ih, b_hh, w_hr = weights
    z = x @ w_ih.T  # type: ignore[union-attr]
    ops: Any = recurrent
    if kind == "gru":  # the reset gate stands between the two biases
        z = z if b_ih is None else z + b_ih
        y, *ends = ops.gru(z, *states, w_hh, b_hh, sizes=sizes, reverse=reverse)
        return y, ends
    z = z if b_ih is None or b_hh is None else z + (b_ih + b_hh)
    if kind == "lstm":
        y, *ends = ops.lstm(z, *states, w_hh, w_hr, sizes=sizes, reverse=reverse)
    else:
        y, *ends = ops.rnn(z, *states, w_hh, sizes=sizes, reverse=reverse, relu=kind == "relu")
    return y, ends


def uniform(module: Module, hidden_size: int) -> None:
    """Draw all parameters from ``±1/sqrt(hidden_size)``."""
    bound = 1 / math.sqrt(hidden_size)
    for parameter in module.parameters():
        init.uniform_(parameter, -bound, bound)


def positive(name: str, **sizes: int) -> None:
    """Raise a ValueError for the sizes that are none."""
    for argument, n in sizes.items():
        if not isinstance(n, int) or n < 1:
            raise ValueError(f"{name}: expected {argument} of at least 1, got {n!r}")


class _Recurrent(Module):
    """Layers of one kind on top of each other; what RNN, LSTM and GRU share."""

    kind: str

    def __init__(
        self, kind: str, input_size: int, hidden_size: int, num_layers: int, bias: bool, batch_first: bool,
        dropout: float, bidirectional: bool, proj_size: int, device: Any, dtype: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        name = type(self).__name__
        positive(name, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        if not 0 <= proj_size < hidden_size:
            raise ValueError(f"{name}: expected proj_size from 0 to hidden_size - 1, got {proj_size}")
        self.kind, self.input_size, self.hidden_size, self.num_layers = kind, input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.bidirectional = bias, batch_first, bidirectional
        self.dropout, self.proj_size = functional.dropout_probability(dropout), proj_size
        rows, out = GATES[kind] * hidden_size, proj_size or hidden_size
        for layer in range(num_layers):
            for suffix in self._suffixes(layer):
                width = input_size if layer == 0 else out * (1 + bidirectional)
                shapes: dict[str, Sizes] = {"weight_ih": (rows, width), "weight_hh": (rows, out)}
                if bias:
                    shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
                if proj_size:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                for key, shape in shapes.items():
                    setattr(self, key + suffix, Parameter(empty(shape, dtype=dtype, device=device)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters anew, uniform in ``±1/sqrt(hidden_size)``."""
        uniform(self, self.hidden_size)

    def _suffixes(self, layer: int) -> list[str]:
        return [f"_l{layer}", f"_l{layer}_reverse"] if self.bidirectional else [f"_l{layer}"]

    def _widths(self) -> list[int]:
        """The sizes of the states: that of h, and of c."""
        out = self.proj_size or self.hidden_size
        return [out, self.hidden_size] if self.kind == "lstm" else [out]

    def _initial(self, hx: Any, rows: Tensor, batch: int, batched: bool, order: Tensor | None) -> list[Tensor]:
        """The states to begin with, ``(layers, B, size)``, sequences in the order of the rows."""
        name, layers = type(self).__name__, self.num_layers * (1 + self.bidirectional)
        shapes = [(layers, batch, n) if batched else (layers, n) for n in self._widths()]
        if hx is None:
            found = [zeros((layers, batch, n), dtype=rows.dtype, device=rows.device) for n in self._widths()]
            return found
        states = [hx] if self.kind != "lstm" else list(hx) if isinstance(hx, tuple | list) else [hx]
        if len(states) != len(shapes) or [state.shape for state in states] != shapes:
            what = "hx of shape" if len(shapes) == 1 else "hx as (h_0, c_0) of shapes"
            wanted, came = (", ".join(map(str, all_)) for all_ in (shapes, [state.shape for state in states]))
            raise ValueError(f"{name}: expected {what} {wanted}, got {came}")
        if not batched:
            return [reshape(state, (layers, 1, state.shape[-1])) for state in states]
        return states if order is None else [take(state, order, axis=1) for state in states]

    def forward(self, input: Tensor | PackedSequence, hx: Any = None) -> tuple[Any, Any]:
        name = type(self).__name__
        order: Tensor | None = None
        back: Tensor | None = None
        batched = True
        if isinstance(input, PackedSequence):
            x, sizes, order, back = input
        else:
            if input.ndim not in (2, 3):
                raise ValueError(f"{name}: expected an input with 2 axes (unbatched) or 3, got shape {input.shape}")
            batched = input.ndim == 3
            x = input if not batched or not self.batch_first else permute_dims(input, (1, 0, 2))
            steps, batch = x.shape[0], x.shape[1] if batched else 1
            if steps == 0:
                raise ValueError(f"{name}: expected an input of at least 1 step, got shape {input.shape}")
            sizes = (batch,) * steps
            x = reshape(x, (steps * batch, x.shape[-1]))
        if x.shape[-1] != self.input_size:
            came = input.data.shape if isinstance(input, PackedSequence) else input.shape
            raise ValueError(f"{name}: expected an input of shape (..., {self.input_size}), got {came}")
        y, lasts = self._layers(x, self._initial(hx, x, sizes[0], batched, order), sizes)
        if isinstance(input, PackedSequence):
            lasts = lasts if back is None else [take(state, back, axis=1) for state in lasts]
            return PackedSequence(y, sizes, order, back), self._states(lasts)
        if not batched:
            return y, self._states([squeeze(state, axis=1) for state in lasts])
        y = reshape(y, (len(sizes), sizes[0], y.shape[-1]))
        return permute_dims(y, (1, 0, 2)) if self.batch_first else y, self._states(lasts)

    @computed_wide
    def _layers(self, x: Tensor, initial: list[Tensor], sizes: Sizes) -> tuple[Tensor, list[Tensor]]:
        """The rows after the last layer, and the last states of all layers."""
        keys = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
        lasts: list[list[Tensor]] = [[] for _ in initial]
        place = 0
        for layer in range(self.num_layers):
            if layer:
                x = functional.dropout(x, self.dropout, self.training)
            outputs = []
            for reverse, suffix in enumerate(self._suffixes(layer)):
                weights = [getattr(self, key + suffix, None) for key in keys]
                y, ends = run_layer(self.kind, x, [s[place] for s in initial], weights, sizes, bool(reverse))
                outputs.append(y)
                for found, end in zip(lasts, ends, strict=True):
                    found.append(end)
                place += 1
            x = concat(outputs, axis=-1) if self.bidirectional else outputs[0]
        return x, [stack(found, axis=0) for found in lasts]

    def _states(self, states: list[Tensor]) -> Any:
        return tuple(states) if self.kind == "lstm" else states[0]

    def extra_repr(self) -> str:
        """Its arguments, as far as they are not the defaults."""
        text = f"{self.input_size}, {self.hidden_size}"
        defaults = {"proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0,
                    "bidirectional": False}  # fmt: skip
        return text + "".join(f", {k}={getattr(self, k)}" for k, v in defaults.items() if getattr(self, k) != v)


class RNN(_Recurrent):
    """``h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)``, or with a ReLU; layers on top of each other.

    Args:
        input_size: I.
        hidden_size: H.
        num_layers: how many; each takes the states of the one before.
        nonlinearity: ``"tanh"`` or ``"relu"``.
        bias: whether there are biases.
        batch_first: input and output are ``(N, L, ...)`` instead of ``(L, N, ...)``; states stay as they are.
        dropout: the probability, in training, after each layer but the last.
        bidirectional: a second layer beside each goes through the steps from the end; D = 2, else 1.
        device: of the parameters.
        dtype: of the parameters.

    Shapes: input ``(L, N, I)``, ``(L, I)`` or a :class:`~gpugrad.nn.utils.rnn.PackedSequence`; ``hx``, zeros if it is
    not given, ``(D num_layers, N, H)``. Gives the states of the last layer at all steps, ``(L, N, D H)``, and the last
    states of all layers. All parameters begin uniform in ``±1/sqrt(H)``.

    Raises:
        ValueError: an unknown nonlinearity, sizes that are not positive, a probability outside [0, 1]; when called:
            shapes that do not fit.

    Sources: Elman 1990; Schuster and Paliwal 1997 (both directions); ``torch.nn.RNN``.

    >>> import gpugrad as gg
    >>> y, h = gg.nn.RNN(3, 5, num_layers=2)(gg.ones((7, 4, 3)))
    >>> y.shape, h.shape
    ((7, 4, 5), (2, 4, 5))
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: str = "tanh", bias: bool = True,
        batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        self._known(nonlinearity)
        super().__init__(nonlinearity, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
                         0, device, dtype)  # fmt: skip
        self.nonlinearity = nonlinearity

    def _known(self, nonlinearity: str) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"{type(self).__name__}: expected nonlinearity 'tanh' or 'relu', got {nonlinearity!r}")


class LSTM(_Recurrent):
    """Long short-term memory: ``c_t = f c_{t-1} + i g``, ``h_t = o tanh(c_t)``.

    ``i, f, o`` are sigmoids, ``g`` is a tanh, of the four parts of ``W_ih x_t + b_ih + W_hh h_{t-1} + b_hh``.

    Args:
        input_size: I.
        hidden_size: H.
        num_layers: how many; each takes the states of the one before.
        bias: whether there are biases.
        batch_first: input and output are ``(N, L, ...)`` instead of ``(L, N, ...)``; states stay as they are.
        dropout: the probability, in training, after each layer but the last.
        bidirectional: a second layer beside each goes through the steps from the end; D = 2, else 1.
        proj_size: P > 0 for ``h_t = W_hr (o tanh(c_t))`` with P elements; otherwise P is H.
        device: of the parameters.
        dtype: of the parameters.

    Shapes: input ``(L, N, I)``, ``(L, I)`` or a :class:`~gpugrad.nn.utils.rnn.PackedSequence`; ``hx``, zeros if it is
    not given, ``(h_0, c_0)`` of shapes ``(D num_layers, N, P)`` and ``(D num_layers, N, H)``. Gives the states h of the
    last layer at all steps, ``(L, N, D P)``, and the last ``(h, c)`` of all layers. All parameters begin uniform in
    ``±1/sqrt(H)``.

    Raises:
        ValueError: sizes that are not positive, ``proj_size`` not below H, a probability outside [0, 1]; when called:
            shapes that do not fit.

    Sources: Hochreiter and Schmidhuber 1997; Gers et al. 2000; Sak et al. 2014; ``torch.nn.LSTM``.

    >>> import gpugrad as gg
    >>> y, (h, c) = gg.nn.LSTM(3, 5, bidirectional=True)(gg.ones((7, 4, 3)))
    >>> y.shape, h.shape, c.shape
    ((7, 4, 10), (2, 4, 5), (2, 4, 5))
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True, batch_first: bool = False,
        dropout: float = 0.0, bidirectional: bool = False, proj_size: int = 0, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__("lstm", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
                         proj_size, device, dtype)  # fmt: skip


class GRU(_Recurrent):
    """Gated recurrent units: ``h_t = (1 - u) n + u h_{t-1}``, ``n = tanh(W_in x_t + b_in + r (W_hn h_{t-1} + b_hn))``.

    ``r, u`` are sigmoids of the first two of the three parts of ``W_ih x_t + b_ih + W_hh h_{t-1} + b_hh``.

    Args:
        input_size: I.
        hidden_size: H.
        num_layers: how many; each takes the states of the one before.
        bias: whether there are biases.
        batch_first: input and output are ``(N, L, ...)`` instead of ``(L, N, ...)``; states stay as they are.
        dropout: the probability, in training, after each layer but the last.
        bidirectional: a second layer beside each goes through the steps from the end; D = 2, else 1.
        device: of the parameters.
        dtype: of the parameters.

    Shapes: input ``(L, N, I)``, ``(L, I)`` or a :class:`~gpugrad.nn.utils.rnn.PackedSequence`; ``hx``, zeros if it is
    not given, ``(D num_layers, N, H)``. Gives the states of the last layer at all steps, ``(L, N, D H)``, and the last
    states of all layers. All parameters begin uniform in ``±1/sqrt(H)``.

    Raises:
        ValueError: sizes that are not positive, a probability outside [0, 1]; when called: shapes that do not fit.

    Sources: Cho et al. 2014; Chung et al. 2014; ``torch.nn.GRU``, which resets after the product.

    >>> import gpugrad as gg
    >>> y, h = gg.nn.GRU(3, 5, batch_first=True)(gg.ones((4, 7, 3)))
    >>> y.shape, h.shape
    ((4, 7, 5), (1, 4, 5))
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True, batch_first: bool = False,
        dropout: float = 0.0, bidirectional: bool = False, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__("gru", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0,
                         device, dtype)  # fmt: skip
