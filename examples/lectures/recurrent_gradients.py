"""How far a gradient gets back through time: recurrent weights too small, orthogonal, too large, and an LSTM.

    python examples/lectures/recurrent_gradients.py                  25 s

Each step back multiplies the gradient with ``W^T`` and with the derivative of tanh. The product over many steps dies
out or grows without bound, unless ``W`` keeps lengths; an LSTM's cell is handed on by an addition and a gate close to
1. What that means for learning is tried out: something is shown at the first step, then nothing but noise, and asked
for at the end. Written to ``--out``: ``lengths.png`` and ``remembering.png``.

Sources: Hochreiter and Schmidhuber 1997; Pascanu, Mikolov and Bengio 2013.
"""

from pathlib import Path
from typing import NamedTuple

import numpy
from showing import BLUE, GREEN, GREY, RED, VIOLET, command_line, figure, rows, save, tidy

import gpugrad as gg
from gpugrad import nn, optim

COLORS = {"small": BLUE, "orthogonal": GREEN, "large": RED, "LSTM": VIOLET, "LSTM, open": GREY}
"""The ways to begin: the recurrent weights of a tanh network, and an LSTM as it is, and with its forget gate open."""
OPEN = 4.0
"""The bias of the forget gate: sigmoid(4) = 0.982 of the cell is kept each step."""


def recurrent_weights(way: str, size: int) -> gg.Tensor:
    """Random normal numbers whose largest eigenvalues are about 0.5 or 3 long, or an orthogonal matrix."""
    if way == "orthogonal":
        return nn.init.orthogonal_(gg.zeros((size, size)))
    return gg.random.normal(size=(size, size)) * ({"small": 0.5, "large": 3.0}[way] / size**0.5)


def open_gates(layer: nn.Module) -> None:
    """Give an LSTM's forget gate a large bias, so that its cell is kept; gates are input, forget, cell, output."""
    with gg.no_grad():
        size = layer.hidden_size
        for name, bias in layer.named_parameters():
            if name.startswith("bias_hh"):
                bias[size : 2 * size] = OPEN


def cell(way: str, inputs: int, size: int) -> nn.Module:
    """One step of the network."""
    if way.startswith("LSTM"):
        made = nn.LSTMCell(inputs, size)
        if way == "LSTM, open":
            open_gates(made)
        return made
    made = nn.RNNCell(inputs, size)
    with gg.no_grad():
        made.weight_hh[...] = recurrent_weights(way, size)
    return made


def lengths(way: str, steps: int, size: int = 128, batch: int = 20) -> list[float]:
    """The length of the gradient of the states 0, 1, 2, ... steps before the end, relative to the end.

    The loss is a random direction of the last state; a state is ``h``, and of an LSTM ``h`` and ``c`` together.
    """
    step = cell(way, 8, size)
    state: gg.Tensor | tuple[gg.Tensor, ...] = gg.zeros((batch, size))
    state = (state, gg.zeros((batch, size))) if way.startswith("LSTM") else state
    passed = []
    for x in gg.random.normal(size=(steps + 1, batch, 8)) * 0.3:
        state = step(x, state)
        parts = state if isinstance(state, tuple) else (state,)
        for part in parts:
            part.retain_grad()
        passed.append(parts)
    sum((part * gg.random.normal(size=part.shape)).sum() for part in passed[-1]).backward()
    found = [length([part.grad.numpy() for part in parts]) for parts in reversed(passed)]
    return [value / found[0] for value in found]


def length(parts: list[numpy.ndarray]) -> float:
    """The Euclidean norm of several arrays together, in float64: squares leave the range of float32."""
    return float(numpy.linalg.norm([numpy.linalg.norm(part.astype(float)) for part in parts]))


def backwards_by_hand(w: numpy.ndarray, states: list[numpy.ndarray], last: numpy.ndarray) -> list[numpy.ndarray]:
    """The gradients of the states ``h_t = tanh(W h_{t-1} + ...)``, last first: products of Jacobians, one a step."""
    gradients = [last]
    for h in states[:0:-1]:
        gradients.append(w.T @ ((1 - h**2) * gradients[-1]))
    return gradients


class Shown(NamedTuple):
    """Sequences ``(N, T, 2)``, and what was shown in their first step, ``(N,)``."""

    x: gg.Tensor
    symbol: gg.Tensor


def shown(count: int, steps: int) -> Shown:
    """The first step says -1 or 1 in one channel; the other is noise at all steps."""
    symbol = gg.random.integers(0, 2, count)
    first = gg.expand_dims(2.0 * gg.astype(symbol, gg.float32) - 1.0, axis=1)
    signal = gg.concat([first, gg.zeros((count, steps - 1))], axis=1)
    return Shown(gg.stack([signal, gg.random.normal(size=(count, steps))], axis=2), symbol)


class Remember(nn.Module):
    """Reads a sequence, and says at the end what the first step showed."""

    def __init__(self, way: str, size: int) -> None:
        super().__init__()
        lstm = way.startswith("LSTM")
        self.read = (nn.LSTM if lstm else nn.RNN)(2, size, batch_first=True)
        if way == "LSTM, open":
            open_gates(self.read)
        if not lstm:
            with gg.no_grad():
                self.read.weight_hh_l0[...] = recurrent_weights(way, size)
        self.answer = nn.Linear(size, 2)

    def forward(self, x: gg.Tensor) -> gg.Tensor:
        """``(N, T, 2)`` to scores ``(N, 2)``."""
        return self.answer(self.read(x)[0][:, -1])


def remembers(way: str, delay: int, training: int, size: int = 32) -> float:
    """The fraction of new sequences whose first step is remembered, after so many steps of training."""
    model = Remember(way, size)
    optimizer = optim.Adam(model.parameters(), lr=0.003)
    for _ in range(training):
        seen = shown(50, delay + 1)
        loss = nn.functional.cross_entropy(model(seen.x), seen.symbol)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    with gg.no_grad():
        seen = shown(1000, delay + 1)
        return (gg.argmax(model(seen.x), axis=1) == seen.symbol).sum().item() / 1000


def draw_lengths(file: Path, found: dict[str, list[float]]) -> None:
    """Length against steps back, on a logarithmic scale."""
    drawing = figure(figsize=(7, 4))
    if drawing is None:
        return
    axes = drawing.add_subplot()
    for way, values in found.items():
        axes.plot(values, color=COLORS[way], label=way)
    axes.set(yscale="log", xlabel="steps back", ylabel="length of the gradient, relative", ylim=(1e-20, 1e15))
    axes.legend(frameon=False)
    tidy(axes)
    save(drawing, file)


def draw_remembering(file: Path, delays: list[int], found: dict[str, list[float]]) -> None:
    """Accuracy against how long ago it was."""
    drawing = figure(figsize=(7, 3.6))
    if drawing is None:
        return
    axes = drawing.add_subplot()
    for place, (way, values) in enumerate(found.items()):  # ever smaller, so that all are seen where they meet
        axes.plot(delays, values, "o-", color=COLORS[way], label=way, markersize=14 - 2.5 * place)
    axes.axhline(0.5, color=GREY, linestyle=":", label="guessing")
    axes.set(xlabel="steps ago", ylabel="remembered", ylim=(0.4, 1.02), xscale="log", xticks=delays)
    axes.set_xticks(delays, [str(delay) for delay in delays])
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize=8)
    tidy(axes)
    save(drawing, file)


def main() -> None:
    """Measure, draw, and try what can be remembered."""
    parser = command_line(__file__, __doc__)
    parser.add_argument("--steps", type=int, default=100, help="back through time (%(default)s)")
    parser.add_argument("--training", type=int, default=200, help="steps of training of each network (%(default)s)")
    parser.add_argument("--delays", type=int, nargs="+", default=[5, 20, 50, 100], help="steps to remember over")
    args = parser.parse_args()
    gg.set_default_device(None if args.device == "auto" else args.device)  # the one line that chooses the device

    found = {}
    for way in COLORS:
        gg.random.seed(0)
        found[way] = lengths(way, args.steps)
    marks = [args.steps // 10, args.steps // 2, args.steps]
    lines: list[tuple] = [("", *(f"{mark} steps back" for mark in marks))]
    lines += [(way, *(f"{values[mark]:.2g}" for mark in marks)) for way, values in found.items()]
    print(f"the length of the gradient, relative to that of the last state\n{rows(lines)}")
    draw_lengths(args.out / "lengths.png", found)

    remembered: dict[str, list[float]] = {}
    for way in COLORS:
        gg.random.seed(0)
        remembered[way] = [remembers(way, delay, args.training) for delay in args.delays]
    lines = [("", *(f"{delay} steps ago" for delay in args.delays))]
    lines += [(way, *(f"{value:.1%}" for value in values)) for way, values in remembered.items()]
    print(f"what the first step showed, remembered after {args.training} steps of training\n{rows(lines)}")
    draw_remembering(args.out / "remembering.png", args.delays, remembered)


if __name__ == "__main__":
    main()
