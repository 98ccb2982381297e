"""A neural Turing machine: a small network that reads and writes a memory through soft addresses.

Graves, Wayne and Danihelka 2014, "Neural Turing Machines", https://arxiv.org/abs/1410.5401; the equations' numbers are
the paper's. Shapes: B sequences at once, H heads, N rows of memory with M numbers each.
"""

from typing import NamedTuple

import gpugrad as gg
from gpugrad import nn
from gpugrad.nn import functional as F  # noqa: N812

SHIFTS = (-1, 0, 1)
"""By how many rows a head can move in one step."""


def unit(x):
    """Vectors of length 1, along the last axis."""
    return x / gg.sqrt((x * x).sum(axis=-1, keepdims=True) + 1e-12)


def content_addressing(memory, key, strength):
    """``softmax(strength cos(key, row))`` over the rows, equations 5 and 6.

    Args:
        memory: ``(B, N, M)``.
        key: what is looked for, ``(B, H, M)``.
        strength: how much a better match counts, at least 0, ``(B, H, 1)``.

    Returns:
        A weighting for each head, ``(B, H, N)``.
    """
    similarity = unit(key) @ gg.matrix_transpose(unit(memory))
    return F.softmax(strength * similarity, dim=-1)


def interpolate(content, previous, gate):
    """``gate content + (1 - gate) previous``, equation 7: by content, or from where the head was."""
    return previous + gate * (content - previous)


def rotate(weights, shift):
    """The circular convolution of equation 8: ``sum_s shift(s) weights(i - s)`` over ``SHIFTS``.

    Args:
        weights: ``(B, H, N)``.
        shift: how likely each of ``SHIFTS`` is, ``(B, H, 3)``.
    """
    back, stay, on = gg.split(shift, 3, axis=-1)
    return back * gg.roll(weights, -1, axis=-1) + stay * weights + on * gg.roll(weights, 1, axis=-1)


def sharpen(weights, power):
    """``weights^power``, made to add up to 1 again, equation 9; ``power`` is at least 1, ``(B, H, 1)``."""
    raised = (weights + 1e-12) ** power
    return raised / raised.sum(axis=-1, keepdims=True)


def write(memory, weights, erase, add):
    """What a head erases, and then what it adds, each as much as the head looks at a row: equations 3 and 4.

    Args:
        memory: ``(B, N, M)``.
        weights: of the write heads, ``(B, H, N)``.
        erase: between 0 and 1, ``(B, H, M)``.
        add: ``(B, H, M)``.
    """
    rows = gg.matrix_transpose(weights)
    for head in range(weights.shape[1]):
        memory = memory * (1 - rows[:, :, head : head + 1] * erase[:, head : head + 1])
    return memory + rows @ add


def read(memory, weights):
    """The mean of the rows, as much of each as the head looks at it: equation 2, ``(B, H, M)``."""
    return weights @ memory


class State(NamedTuple):
    """What the machine carries from one step to the next."""

    memory: gg.Tensor  # (B, N, M)
    weights: gg.Tensor  # (B, H, N); the read heads first
    vectors: gg.Tensor  # what was read, (B, R M)
    hidden: tuple[gg.Tensor, ...]  # the controller's own: h and c of an LSTM, h of a layer without memory


class NeuralTuringMachine(nn.Module):
    """A controller, heads, and a memory.

    Args:
        inputs, outputs: numbers that come in, and that are to be told, at each step.
        rows, width: N and M of the memory.
        hidden: units of the controller.
        reads, writes: numbers of heads.
        controller: ``lstm``, or ``feedforward``, which remembers nothing but through the memory.
    """

    def __init__(self, inputs, outputs, rows=32, width=16, hidden=64, reads=1, writes=1, controller="lstm"):
        super().__init__()
        self.rows, self.width, self.reads, self.writes = rows, width, reads, writes
        self.recurrent = controller == "lstm"
        seen = inputs + reads * width
        self.controller = nn.LSTMCell(seen, hidden) if self.recurrent else nn.Linear(seen, hidden)
        # All that the heads are told comes from one product of matrices: key, strength, gate, shift, power of each
        # head, then what the write heads erase and add.
        self.commands = nn.Linear(hidden, (reads + writes) * (width + 3 + len(SHIFTS)) + 2 * writes * width)
        self.output = nn.Linear(hidden + reads * width, outputs)
        self.first_vectors = nn.Parameter(gg.random.uniform(-1, 1, size=(reads * width,)) / width**0.5)

    def start(self, batch, rows=None):
        """A memory of almost nothing, with every head at the first row."""
        heads, rows, hidden = self.reads + self.writes, rows or self.rows, self.commands.in_features
        like = {"dtype": self.first_vectors.dtype, "device": self.first_vectors.device}
        weights = gg.zeros((batch, heads, rows), **like)
        weights[:, :, 0] = 1.0
        return State(
            memory=gg.full((batch, rows, self.width), 1e-3, **like),
            weights=weights,
            vectors=gg.tile(gg.tanh(self.first_vectors), (batch, 1)),
            hidden=tuple(gg.zeros((batch, hidden), **like) for _ in range(1 + self.recurrent)),
        )

    def heads(self, hidden):
        """What the controller tells the heads, each in its range."""
        told = self.commands(hidden)
        batch, heads, m = len(hidden), self.reads + self.writes, self.width
        each = heads * (m + 3 + len(SHIFTS))
        address = told[:, :each].reshape(batch, heads, -1)
        key, scalars, shift = gg.split(address, [m, m + 3], axis=-1)
        strength, gate, power = gg.split(scalars, 3, axis=-1)
        erase, add = gg.split(told[:, each:].reshape(batch, self.writes, 2 * m), 2, axis=-1)
        return {
            "key": gg.tanh(key), "strength": F.softplus(strength), "gate": gg.sigmoid(gate),
            "shift": F.softmax(shift, dim=-1), "power": 1 + F.softplus(power),
        }, gg.sigmoid(erase), gg.tanh(add)  # fmt: skip

    def forward(self, x, state):
        """One step with ``x``, ``(B, inputs)``: what the output is made of, ``(B, hidden + R M)``, and the state."""
        seen = gg.concat([x, state.vectors], axis=1)
        hidden = self.controller(seen, state.hidden) if self.recurrent else (gg.tanh(self.controller(seen)),)
        told, erase, add = self.heads(hidden[0])
        content = content_addressing(state.memory, told["key"], told["strength"])
        gated = interpolate(content, state.weights, told["gate"])
        weights = sharpen(rotate(gated, told["shift"]), told["power"])
        memory = write(state.memory, weights[:, self.reads :], erase, add)
        vectors = read(memory, weights[:, : self.reads]).reshape(len(x), -1)
        return gg.concat([hidden[0], vectors], axis=1), State(memory, weights, vectors, hidden)

    def run(self, sequence, answers, rows=None):
        """Go through a sequence ``(T, B, inputs)``.

        Args:
            sequence: what comes in at each step.
            answers: how many steps at the end are to be answered.
            rows: of the memory, where it is to be another than in training: no parameter depends on it.

        Returns:
            The logits of the last ``answers`` steps, ``(answers, B, outputs)``, and the state after each step.
        """
        state, told, states = self.start(sequence.shape[1], rows), [], []
        for x in sequence:
            features, state = self(x, state)
            told.append(features)
            states.append(state)
        return self.output(gg.stack(told[-answers:])), states
