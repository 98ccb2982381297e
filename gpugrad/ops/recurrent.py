"""Recurrent layers: all steps of one layer in one direction are one operation, with the loop inside.

Sequences of different length are *packed*: the rows of the first step come first, then those of the second, and so on.
The longest sequence is the first row of each step, so ``sizes``, the numbers of rows of the steps, never grow.

What does not depend on the step before is done for all steps at once: the products with the inputs (by the layer,
before), the derivatives of the gates, and the gradient of the recurrent weights, which is one product of matrices.
A step back is then a product with the weights and a few multiplications. A sigmoid is taken as
``(1 + tanh(x / 2)) / 2``, so that the gates of a step are one tanh; halving is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Any

from ..backend import Array, Namespace
from ..core import primitive

Span = tuple[int, int]
Step = Callable[..., tuple[Array, ...]]


def _spans(sizes: Sequence[int], reverse: bool) -> list[Span]:
    """Where the rows of each step begin and end, in the order in which the steps are taken."""
    spans = [(end - n, end) for n, end in zip(sizes, accumulate(sizes), strict=True)]
    return spans[::-1] if reverse else spans


def _walk(xp: Namespace, spans: Sequence[Span], sources: Sequence[Array], step: Step) -> list[Array]:
    """Carry states through the steps: ``step(begin, end, *states)`` gives the next ones.

    Where a step has fewer rows than the one before it, the last ones have come to their end; where it has more, these
    begin with their rows of ``sources``. Backward, states are gradients, and ends and beginnings change places.

    Returns:
        The states at the ends, of all rows.
    """
    n = spans[0][1] - spans[0][0]
    states: Sequence[Array] = [s[:n] for s in sources]
    ended: list[Sequence[Array]] = []
    for begin, end in spans:
        m, n = n, end - begin
        if n < m:
            ended.append([s[n:] for s in states])
            states = [s[:n] for s in states]
        elif n > m:
            states = [xp.concat([s, source[m:n]], axis=0) for s, source in zip(states, sources, strict=True)]
        states = step(begin, end, *states)
    ends = list(zip(states, *reversed(ended), strict=True))
    return [xp.concat(list(parts), axis=0) if ended else parts[0] for parts in ends]


def _rows(xp: Namespace, taken: list[Array], backwards: bool) -> Array:
    """What the steps gave, as rows; ``backwards`` if the last step came first."""
    return xp.concat(taken[::-1] if backwards else taken, axis=0)


def _entering(xp: Namespace, after: Array, initial: Array, sizes: Sequence[int], reverse: bool) -> Array:
    """The states that went into each step, of those that came out of it."""
    spans = _spans(sizes, reverse)
    taken = [[initial[: spans[0][1] - spans[0][0]]]]
    for (begin, end), (first, last) in pairwise(spans):
        m, n = end - begin, last - first
        taken.append([after[begin : begin + min(m, n)]] + ([initial[m:n]] if n > m else []))
    return xp.concat([part for parts in (taken[::-1] if reverse else taken) for part in parts], axis=0)


def _T(xp: Namespace, x: Array) -> Array:  # noqa: N802
    return xp.permute_dims(x, (1, 0))


def _transposed(xp: Namespace, w: Array) -> Array:
    """The transpose with its rows in memory one after the other: made once, and every step is a third faster."""
    return xp.reshape(xp.reshape(_T(xp, w), (w.shape[0] * w.shape[1],)), (w.shape[1], w.shape[0]))


# -------------------------------------------------------------------- plain


@primitive(outputs=True, wide=True)
def rnn(
    xp: Namespace, z: Array, h0: Array, w_hh: Array, /, *, sizes: tuple[int, ...], reverse: bool = False,
    relu: bool = False,
) -> tuple[Array, ...]:  # fmt: skip
    """``h_t = tanh(z_t + W_hh h_{t-1})``, or ``max(0, ...)`` with ``relu``.

    Inputs:
        z: the products of all inputs with their weights, biases added, shape ``(sum(sizes), H)``.
        h0: shape ``(B, H)`` with ``B = sizes[0]``.
        w_hh: shape ``(H, H)``.
        sizes: the number of rows of each step, falling.
        reverse: take the last step first.

    Returns:
        The states after all steps, shape ``(sum(sizes), H)``, and each sequence's last one, ``(B, H)``.

    Source: Elman 1990; ``torch.nn.RNN``.

    >>> import gpugrad as gg
    >>> rnn(gg.ones((2, 1)), gg.zeros((1, 1)), gg.ones((1, 1)), sizes=(1, 1), relu=True)
    (tensor([[1.],
            [2.]]), tensor([[2.]]))
    """
    w, states = _transposed(xp, w_hh), []

    def step(begin: int, end: int, h: Array) -> tuple[Array, ...]:
        a = z[begin:end] + h @ w
        states.append(xp.where(a <= 0, 0, a) if relu else xp.tanh(a))
        return (states[-1],)

    (last,) = _walk(xp, _spans(sizes, reverse), [h0], step)
    return _rows(xp, states, reverse), last


@rnn.joint_vjp
def _rnn_gradients(
    xp: Namespace, g: tuple[Array, ...], wanted: tuple[str, ...], y: tuple[Array, ...], h0: Array, w_hh: Array,
    sizes: tuple[int, ...], reverse: bool, relu: bool,
) -> list[Array]:  # fmt: skip
    h, taken = y[0], []
    slope = xp.where(h <= 0, 0, xp.ones_like(h)) if relu else 1 - h * h

    def step(begin: int, end: int, dh: Array) -> tuple[Array, ...]:
        taken.append((dh + g[0][begin:end]) * slope[begin:end])
        return (taken[-1] @ w_hh,)

    (dh0,) = _walk(xp, _spans(sizes, not reverse), [g[1]], step)
    z = _rows(xp, taken, not reverse)
    gradients: dict[str, Callable[[], Array]] = {
        "z": lambda: z,
        "h0": lambda: dh0,
        "w_hh": lambda: _T(xp, z) @ _entering(xp, h, h0, sizes, reverse),
    }
    return [gradients[name]() for name in wanted]


# -------------------------------------------------------------------- LSTM


def _lstm_forward(
    xp: Namespace, z: Array, h0: Array, c0: Array, w_hh: Array, w_hr: Array | None = None, /, *,
    sizes: tuple[int, ...], reverse: bool,
) -> tuple[Any, ...]:  # fmt: skip
    n = c0.shape[1]
    one = xp.ones_like(w_hh[:n, 0])
    scale = xp.concat([one * 0.5, one * 0.5, one, one * 0.5], axis=0)
    shift, w = 1 - scale, _transposed(xp, w_hh)
    project = None if w_hr is None else _transposed(xp, w_hr)
    states, gates, cells = [], [], []

    def step(begin: int, end: int, h: Array, c: Array) -> tuple[Array, ...]:
        a = xp.tanh((z[begin:end] + h @ w) * scale) * scale + shift
        c = a[:, n : 2 * n] * c + a[:, :n] * a[:, 2 * n : 3 * n]
        h = a[:, 3 * n :] * xp.tanh(c)
        h = h if project is None else h @ project
        gates.append(a)
        cells.append(c)
        states.append(h)
        return h, c

    last = _walk(xp, _spans(sizes, reverse), [h0, c0], step)
    return (_rows(xp, states, reverse), *last), _rows(xp, gates, reverse), _rows(xp, cells, reverse)


@primitive(outputs=True, residuals=("gates", "cells"), reference=lambda *a, **k: _lstm_forward(*a, **k)[0], wide=True)
def lstm(
    xp: Namespace, z: Array, h0: Array, c0: Array, w_hh: Array, w_hr: Array | None = None, /, *,
    sizes: tuple[int, ...], reverse: bool = False,
) -> tuple[Any, ...]:  # fmt: skip
    """Long short-term memory: ``c_t = f c_{t-1} + i g``, ``h_t = W_hr (o tanh(c_t))``; W_hr may be left out.

    The gates i, f and o are sigmoids, and g is a tanh, of the four parts of ``z_t + W_hh h_{t-1}``.

    Inputs:
        z: the products of all inputs with their weights, biases added, shape ``(sum(sizes), 4 H)``.
        h0, c0: shapes ``(B, P)`` and ``(B, H)`` with ``B = sizes[0]``; P is H without a projection.
        w_hh: shape ``(4 H, P)``.
        w_hr: shape ``(P, H)``.
        sizes: the number of rows of each step, falling.
        reverse: take the last step first.

    Returns:
        The states after all steps, shape ``(sum(sizes), P)``, and each sequence's last h and c. The graph keeps the
        gates and the cells of all steps.

    Sources: Hochreiter and Schmidhuber 1997; Gers et al. 2000 (f); Sak et al. 2014 (projection); ``torch.nn.LSTM``.

    >>> import gpugrad as gg
    >>> h, *_ = lstm(gg.zeros((2, 4)), gg.zeros((1, 1)), gg.ones((1, 1)), gg.zeros((4, 1)), sizes=(1, 1))
    >>> h
    tensor([[0.23105858],
            [0.12245933]])
    """
    return _lstm_forward(xp, z, h0, c0, w_hh, w_hr, sizes=sizes, reverse=reverse)


@lstm.joint_vjp
def _lstm_gradients(
    xp: Namespace, g: tuple[Array, ...], wanted: tuple[str, ...], y: tuple[Array, ...], z: Array, h0: Array, c0: Array,
    w_hh: Array, w_hr: Array | None, gates: Array, cells: Array, sizes: tuple[int, ...], reverse: bool,
) -> list[Array]:  # fmt: skip
    n = c0.shape[1]
    i, f, new, o = (gates[:, k * n : (k + 1) * n] for k in range(4))
    t = xp.tanh(cells)
    through = o * (1 - t * t)  # dh/dc
    c_before = _entering(xp, cells, c0, sizes, reverse)
    factors = xp.concat(
        [new * i * (1 - i), c_before * f * (1 - f), i * (1 - new * new), t * o * (1 - o)], axis=1
    )  # of dc, dc, dc, dh
    taken, projected = [], []

    def step(begin: int, end: int, dh: Array, dc: Array) -> tuple[Array, ...]:
        dh = dh + g[0][begin:end]
        if w_hr is not None:
            projected.append(dh)
            dh = dh @ w_hr
        dc = dc + dh * through[begin:end]
        taken.append(xp.concat([dc, dc, dc, dh], axis=1) * factors[begin:end])
        return taken[-1] @ w_hh, dc * f[begin:end]

    dh0, dc0 = _walk(xp, _spans(sizes, not reverse), g[1:], step)
    z = _rows(xp, taken, not reverse)
    gradients: dict[str, Callable[[], Array]] = {
        "z": lambda: z, "h0": lambda: dh0, "c0": lambda: dc0,
        "w_hh": lambda: _T(xp, z) @ _entering(xp, y[0], h0, sizes, reverse),
        "w_hr": lambda: _T(xp, _rows(xp, projected, not reverse)) @ (o * t),
    }  # fmt: skip
    return [gradients[name]() for name in wanted]


# -------------------------------------------------------------------- GRU


def _gru_forward(
    xp: Namespace, z: Array, h0: Array, w_hh: Array, b_hh: Array | None = None, /, *, sizes: tuple[int, ...],
    reverse: bool,
) -> tuple[Any, ...]:  # fmt: skip
    n = h0.shape[1]
    w = _transposed(xp, w_hh)
    states, gates, parts, news = [], [], [], []

    def step(begin: int, end: int, h: Array) -> tuple[Array, ...]:
        a = h @ w if b_hh is None else h @ w + b_hh
        given, part = z[begin:end], a[:, 2 * n :]
        gate = xp.tanh((given[:, : 2 * n] + a[:, : 2 * n]) * 0.5) * 0.5 + 0.5
        new = xp.tanh(given[:, 2 * n :] + gate[:, :n] * part)
        states.append(new + gate[:, n:] * (h - new))
        gates.append(gate)
        parts.append(part)
        news.append(new)
        return (states[-1],)

    (last,) = _walk(xp, _spans(sizes, reverse), [h0], step)
    return (_rows(xp, states, reverse), last), *(_rows(xp, x, reverse) for x in (gates, parts, news))


@primitive(
    outputs=True, residuals=("gates", "parts", "news"), reference=lambda *a, **k: _gru_forward(*a, **k)[0], wide=True
)
def gru(
    xp: Namespace, z: Array, h0: Array, w_hh: Array, b_hh: Array | None = None, /, *, sizes: tuple[int, ...],
    reverse: bool = False,
) -> tuple[Any, ...]:  # fmt: skip
    """Gated recurrent units: ``h_t = (1 - u) n + u h_{t-1}`` with ``n = tanh(z_n + r (W_n h_{t-1} + b_n))``.

    The gates r and u are sigmoids of the first two parts of ``z_t + W_hh h_{t-1} + b_hh``; z_n, W_n and b_n are the
    third parts.

    Inputs:
        z: the products of all inputs with their weights, their biases added, shape ``(sum(sizes), 3 H)``.
        h0: shape ``(B, H)`` with ``B = sizes[0]``.
        w_hh, b_hh: shapes ``(3 H, H)`` and ``(3 H,)``.
        sizes: the number of rows of each step, falling.
        reverse: take the last step first.

    Returns:
        The states after all steps, shape ``(sum(sizes), H)``, and each sequence's last one, ``(B, H)``. The graph
        keeps r, u, n and ``W_n h + b_n`` of all steps.

    Sources: Cho et al. 2014; Chung et al. 2014; ``torch.nn.GRU``, which resets after the product.

    >>> import gpugrad as gg
    >>> gru(gg.zeros((2, 3)), gg.ones((1, 1)), gg.zeros((3, 1)), sizes=(1, 1))
    (tensor([[0.5 ],
            [0.25]]), tensor([[0.25]]))
    """
    return _gru_forward(xp, z, h0, w_hh, b_hh, sizes=sizes, reverse=reverse)


@gru.joint_vjp
def _gru_gradients(
    xp: Namespace, g: tuple[Array, ...], wanted: tuple[str, ...], y: tuple[Array, ...], z: Array, h0: Array,
    w_hh: Array, b_hh: Array | None, gates: Array, parts: Array, news: Array, sizes: tuple[int, ...], reverse: bool,
) -> list[Array]:  # fmt: skip
    n = h0.shape[1]
    r, u = gates[:, :n], gates[:, n:]
    before = _entering(xp, y[0], h0, sizes, reverse)
    into_new = (1 - u) * (1 - news * news)
    factors = xp.concat([into_new * parts * r * (1 - r), (before - news) * u * (1 - u), into_new * r], axis=1)  # of dh
    taken, arrived = [], []

    def step(begin: int, end: int, dh: Array) -> tuple[Array, ...]:
        dh = dh + g[0][begin:end]
        arrived.append(dh)
        taken.append(xp.concat([dh, dh, dh], axis=1) * factors[begin:end])
        return (taken[-1] @ w_hh + dh * u[begin:end],)

    (dh0,) = _walk(xp, _spans(sizes, not reverse), g[1:], step)
    d = _rows(xp, taken, not reverse)
    gradients: dict[str, Callable[[], Array]] = {
        "h0": lambda: dh0,
        "z": lambda: xp.concat([d[:, : 2 * n], _rows(xp, arrived, not reverse) * into_new], axis=1),
        "w_hh": lambda: _T(xp, d) @ before,
        "b_hh": lambda: xp.sum(d, axis=0),
    }
    return [gradients[name]() for name in wanted]
