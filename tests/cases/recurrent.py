"""Recurrent layers: all steps of one direction. ``tests/nn/test_recurrent.py`` compares whole layers."""

from __future__ import annotations

from gpugrad.ops.recurrent import gru, lstm, rnn

from .domains import real
from .row import Row


def steps(h, z, w, sizes, reverse, cell):
    """The same loop with PyTorch, for one row a step and sequence; all sequences have the same length."""
    out, n = [None] * len(sizes), sizes[0]
    for t in range(len(sizes))[:: -1 if reverse else 1]:
        h = cell(h, z[t * n : (t + 1) * n], h[0] @ w.T)
        out[t] = h[0]
    return out, h


def torch_rnn(torch, z, h0, w, sizes, reverse=False, relu=False):
    f = torch.relu if relu else torch.tanh
    out, h = steps([h0], z, w, sizes, reverse, lambda h, z, a: [f(z + a)])
    return torch.cat(out), h[0]


def torch_lstm(torch, z, h0, c0, w, sizes, reverse=False):
    def cell(state, z, a):
        i, f, g, o = (z + a).chunk(4, 1)
        c = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
        return [o.sigmoid() * c.tanh(), c]

    out, h = steps([h0, c0], z, w, sizes, reverse, cell)
    return torch.cat(out), *h


def torch_gru(torch, z, h0, w, b=None, sizes=(), reverse=False):
    def cell(state, z, a):
        a = a if b is None else a + b
        (zr, zu, zn), (ar, au, an) = z.chunk(3, 1), a.chunk(3, 1)
        u, n = (zu + au).sigmoid(), (zn + (zr + ar).sigmoid() * an).tanh()
        return [(1 - u) * n + u * state[0]]

    out, h = steps([h0], z, w, sizes, reverse, cell)
    return torch.cat(out), h[0]


EVEN = [{"sizes": (2, 2)}, {"sizes": (2, 2), "reverse": True}]
UNEVEN = [{"sizes": (3, 1)}, {"sizes": (2, 1, 1), "reverse": True}, {"sizes": (3, 1), "reverse": True}]


def row(call, label, torch, shapes, variants):
    return Row(f"ops.recurrent.{call.__name__}", call, real, shapes, variants, torch=torch, large=None, label=label)


def shapes(gates, rows, *more):
    return ((4, gates * 2), *((rows, 2),) * (2 if gates == 4 else 1), (gates * 2, 2), *more)


ROWS: list[Row] = [
    row(rnn, "even", torch_rnn, [shapes(1, 2)], [*EVEN, {"sizes": (2, 2), "relu": True}]),
    row(rnn, "uneven", None, [shapes(1, 3)], [v for v in UNEVEN if v["sizes"][0] == 3]),
    row(lstm, "even", torch_lstm, [shapes(4, 2)], EVEN),
    row(lstm, "uneven", None, [shapes(4, 3)], [v for v in UNEVEN if v["sizes"][0] == 3]),
    row(lstm, "projected", None, [((4, 12), (2, 2), (2, 3), (12, 2), (2, 3))], EVEN),
    row(gru, "even", torch_gru, [shapes(3, 2), shapes(3, 2, (6,))], EVEN),
    row(gru, "uneven", None, [shapes(3, 2)], [v for v in UNEVEN if v["sizes"][0] == 2]),
]  # fmt: skip
