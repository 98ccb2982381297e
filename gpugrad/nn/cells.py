"""Single steps of recurrent layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core import Tensor
from ..ops.creation import empty, zeros
from ..ops.shaping import reshape
from ..ops.wide import computed_wide
from .module import Module
from .parameter import Parameter
from .recurrent import GATES, positive, run_layer, uniform


class _Cell(Module):
    """One step of one layer; what the cells share."""

    def __init__(self, kind: str, input_size: int, hidden_size: int, bias: bool, device: Any, dtype: Any) -> None:
        super().__init__()
        positive(type(self).__name__, input_size=input_size, hidden_size=hidden_size)
        self.kind, self.input_size, self.hidden_size, self.bias = kind, input_size, hidden_size, bias
        rows = GATES[kind] * hidden_size
        self.weight_ih = Parameter(empty((rows, input_size), dtype=dtype, device=device))
        self.weight_hh = Parameter(empty((rows, hidden_size), dtype=dtype, device=device))
        self.bias_ih: Parameter | None
        self.bias_hh: Parameter | None
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, Parameter(empty((rows,), dtype=dtype, device=device)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters anew, uniform in ``±1/sqrt(hidden_size)``."""
        uniform(self, self.hidden_size)

    @computed_wide
    def _step(self, input: Tensor, states: Sequence[Tensor] | None, count: int) -> list[Tensor]:
        name = type(self).__name__
        if input.ndim not in (1, 2) or input.shape[-1] != self.input_size:
            raise ValueError(
                f"{name}: expected an input of shape (N, {self.input_size}) or ({self.input_size},), got {input.shape}"
            )
        wanted = (*input.shape[:-1], self.hidden_size)
        if states is None:
            states = [zeros(wanted, dtype=input.dtype, device=input.device)] * count
        shapes = [state.shape for state in states]
        if shapes != [wanted] * count:
            what = "hx" if count == 1 else "hx as (h, c), both"
            raise ValueError(f"{name}: expected {what} of shape {wanted}, got {', '.join(map(str, shapes))}")
        rows = input.shape[0] if input.ndim == 2 else 1
        x = reshape(input, (rows, self.input_size))
        flat = [reshape(state, (rows, self.hidden_size)) for state in states]
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh, None)
        _, ends = run_layer(self.kind, x, flat, weights, (rows,), reverse=False)
        return [reshape(end, wanted) for end in ends]

    def extra_repr(self) -> str:
        """Its arguments, as far as they are not the defaults."""
        text = f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else f", bias={self.bias}")
        return text + (", nonlinearity=relu" if self.kind == "relu" else "")


class RNNCell(_Cell):
    """A step of :class:`RNN`: input ``(N, I)`` and ``hx`` of shape ``(N, H)`` (zeros if not given) to the next state.

    Arguments as there; unbatched ``(I,)`` too.

    Raises:
        ValueError: an unknown nonlinearity; when called: shapes that do not fit.

    Source: ``torch.nn.RNNCell``.

    >>> import gpugrad as gg
    >>> gg.nn.RNNCell(3, 5)(gg.ones((4, 3))).shape
    (4, 5)
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"RNNCell: expected nonlinearity 'tanh' or 'relu', got {nonlinearity!r}")
        super().__init__(nonlinearity, input_size, hidden_size, bias, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step(input, None if hx is None else [hx], 1)[0]


class LSTMCell(_Cell):
    """A step of :class:`LSTM`: input ``(N, I)`` and ``hx = (h, c)``, both ``(N, H)`` (zeros if not given), to the next.

    Arguments as there; unbatched ``(I,)`` too.

    Raises (when called):
        ValueError: shapes that do not fit.

    Source: ``torch.nn.LSTMCell``.

    >>> import gpugrad as gg
    >>> h, c = gg.nn.LSTMCell(3, 5)(gg.ones((4, 3)))
    >>> h.shape, c.shape
    ((4, 5), (4, 5))
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__("lstm", input_size, hidden_size, bias, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        h, c = self._step(input, hx, 2)
        return h, c


class GRUCell(_Cell):
    """A step of :class:`GRU`: input ``(N, I)`` and ``hx`` of shape ``(N, H)`` (zeros if not given) to the next state.

    Arguments as there; unbatched ``(I,)`` too.

    Raises (when called):
        ValueError: shapes that do not fit.

    Source: ``torch.nn.GRUCell``.

    >>> import gpugrad as gg
    >>> gg.nn.GRUCell(3, 5)(gg.ones((4, 3))).shape
    (4, 5)
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__("gru", input_size, hidden_size, bias, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step(input, None if hx is None else [hx], 1)[0]
