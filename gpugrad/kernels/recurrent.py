"""The loops of recurrent layers over time steps.

Sequences of different length are *packed*: the rows of the first step come first, then those of the second, and so on.
The longest sequence is the first row of each step, so ``sizes``, the numbers of rows of the steps, never grow.

Where kernels are compiled, a step is a product of matrices and one kernel (``cells.py``), and both write to their
places in arrays of all steps. Elsewhere it is composed of operations: what does not depend on the step before, as the
derivatives of the gates, is then done for all steps at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Any

from ..backend import BACKENDS, Array, Backend, Namespace, llvm
from . import cells
from .compiled import aligned, with_rows
from .compiled_product import by
from .composed import Composed
from .elementwise import Elementwise

Sizes = tuple[int, ...]
Span = tuple[int, int]
Step = Callable[..., tuple[Array, ...]]


class Steps(Composed):
    """A loop over time steps; the reference is composed of operations."""

    fused: Callable[..., Any]
    """``fused(xp, cell, *arguments)``: the loop with a kernel a step, which it calls as ``cell(kernel, *arrays)``."""

    smallest = 512
    """On the CPU, the fewest elements of the states for which kernels take less time than NumPy."""

    if llvm.wanted():
        least = 0

    def loop(self, fused: Callable[..., Any]) -> Callable[..., Any]:
        """Declare the loop with kernels."""
        self.fused = fused
        return fused

    def compiled(self, arguments: tuple[Any, ...]) -> Any:
        """See :meth:`Kernel.compiled`."""
        if arguments[1].size < self.smallest or not _alike(arguments) or not aligned(arguments):
            return NotImplemented
        xp = BACKENDS[type(arguments[0])].xp
        return self.fused(xp, Elementwise.by_rows, *map(with_rows, arguments))

    def launch(self, xp: Namespace, owner: Backend, arguments: tuple[Any, ...]) -> Any:
        """See :meth:`Kernel.launch`."""
        return self.fused(xp, _launched(xp), *arguments) if _alike(arguments) else NotImplemented


def _alike(arguments: tuple[Any, ...]) -> bool:
    """Whether all arrays have the same kind, dtype float32 or float64, and neither is empty."""
    arrays = [a for a in arguments if hasattr(a, "dtype")]
    first = arrays[0]
    return first.dtype.name in ("float32", "float64") and all(
        type(a) is type(first) and a.dtype == first.dtype and a.size for a in arrays
    )


def _launched(xp: Namespace) -> Callable[..., None]:
    def cell(kernel: Elementwise, *arrays: Array) -> None:
        kernel(xp, *arrays)

    return cell


def spans_of(sizes: Sequence[int], reverse: bool) -> list[Span]:
    """Where the rows of each step begin and end, in the order in which the steps are taken."""
    spans = [(end - n, end) for n, end in zip(sizes, accumulate(sizes), strict=True)]
    return spans[::-1] if reverse else spans


def walk(xp: Namespace, spans: Sequence[Span], sources: Sequence[Array], step: Step) -> list[Array]:
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


def entering(xp: Namespace, after: Array, initial: Array, sizes: Sequence[int], reverse: bool) -> Array:
    """The states that went into each step, of those that came out of it."""
    spans = spans_of(sizes, reverse)
    taken = [[initial[: spans[0][1] - spans[0][0]]]]
    for (begin, end), (first, last) in pairwise(spans):
        m, n = end - begin, last - first
        taken.append([after[begin : begin + min(m, n)]] + ([initial[m:n]] if n > m else []))
    return xp.concat([part for parts in (taken[::-1] if reverse else taken) for part in parts], axis=0)


def transposed(xp: Namespace, w: Array) -> Array:
    """The transpose with its rows in memory one after the other: made once, and every step is a third faster."""
    return xp.reshape(xp.reshape(xp.permute_dims(w, (1, 0)), (w.shape[0] * w.shape[1],)), (w.shape[1], w.shape[0]))


def _rows(xp: Namespace, taken: list[Array], backwards: bool) -> Array:
    """What the steps gave, as rows; ``backwards`` if the last step came first."""
    return xp.concat(taken[::-1] if backwards else taken, axis=0)


def _parts(x: Array, count: int) -> list[Array]:
    """The gates side by side in the columns of ``x``."""
    n = x.shape[1] // count
    return [x[:, k * n : (k + 1) * n] for k in range(count)]


# -------------------------------------------------------------------- plain


@Steps
def rnn_steps(
    xp: Namespace, z: Array, h0: Array, w_hh: Array, /, sizes: Sizes, reverse: bool, relu: bool
) -> tuple[Array, ...]:
    """The states after all steps, and the last of each sequence; see :func:`~gpugrad.ops.recurrent.rnn`."""
    w, states = transposed(xp, w_hh), []

    def step(begin: int, end: int, h: Array) -> tuple[Array, ...]:
        a = z[begin:end] + h @ w
        states.append(xp.where(a <= 0, 0, a) if relu else xp.tanh(a))
        return (states[-1],)

    (last,) = walk(xp, spans_of(sizes, reverse), [h0], step)
    return _rows(xp, states, reverse), last


@rnn_steps.loop
def _rnn_steps(
    xp: Namespace, cell: Callable[..., None], z: Array, h0: Array, w_hh: Array, sizes: Sizes, reverse: bool, relu: bool
) -> tuple[Array, ...]:
    product, states = by(xp, xp.permute_dims(w_hh, (1, 0)), sizes[0], len(sizes)), xp.empty(z.shape, dtype=z.dtype)
    kernel = cells.relu_step if relu else cells.tanh_step

    def step(begin: int, end: int, h: Array) -> tuple[Array, ...]:
        new = product(h, states[begin:end])
        cell(kernel, new, z[begin:end])
        return (new,)

    (last,) = walk(xp, spans_of(sizes, reverse), [h0], step)
    return states, last


@Steps
def rnn_steps_back(
    xp: Namespace, g: Array, g_last: Array, h: Array, w_hh: Array, /, sizes: Sizes, reverse: bool, relu: bool
) -> tuple[Array, ...]:
    """The gradients by z and h0 of those of the states, which were ``h``, and of the last ones."""
    taken: list[Array] = []
    slope = xp.where(h <= 0, 0, xp.ones_like(h)) if relu else 1 - h * h

    def step(begin: int, end: int, dh: Array) -> tuple[Array, ...]:
        taken.append((dh + g[begin:end]) * slope[begin:end])
        return (taken[-1] @ w_hh,)

    (dh0,) = walk(xp, spans_of(sizes, not reverse), [g_last], step)
    return _rows(xp, taken, not reverse), dh0


rnn_steps.smallest = rnn_steps_back.smallest = 8192  # NumPy has one tanh to take


@rnn_steps_back.loop
def _rnn_steps_back(
    xp: Namespace, cell: Callable[..., None], g: Array, g_last: Array, h: Array, w_hh: Array, sizes: Sizes,
    reverse: bool, relu: bool,
) -> tuple[Array, ...]:  # fmt: skip
    taken, product = xp.empty(h.shape, dtype=h.dtype), by(xp, w_hh, sizes[0], len(sizes))
    kernel = cells.relu_step_back if relu else cells.tanh_step_back

    def step(begin: int, end: int, dh: Array) -> tuple[Array, ...]:
        d = taken[begin:end]
        cell(kernel, d, g[begin:end], dh, h[begin:end])
        return (product(d),)

    (dh0,) = walk(xp, spans_of(sizes, not reverse), [g_last], step)
    return taken, dh0


# -------------------------------------------------------------------- LSTM


@Steps
def lstm_steps(
    xp: Namespace, z: Array, h0: Array, c0: Array, w_hh: Array, w_hr: Array | None, /, sizes: Sizes, reverse: bool
) -> tuple[Array, ...]:
    """The states after all steps, the last h and c, the gates and the cells; see :func:`~gpugrad.ops.recurrent.lstm`.

    A sigmoid is ``(1 + tanh(x / 2)) / 2``, so that the gates of a step are one tanh; halving is exact.
    """
    n = c0.shape[1]
    one = xp.ones_like(w_hh[:n, 0])
    scale = xp.concat([one * 0.5, one * 0.5, one, one * 0.5], axis=0)
    shift, w = 1 - scale, transposed(xp, w_hh)
    project = None if w_hr is None else transposed(xp, w_hr)
    states, gates, cells_ = [], [], []

    def step(begin: int, end: int, h: Array, c: Array) -> tuple[Array, ...]:
        a = xp.tanh((z[begin:end] + h @ w) * scale) * scale + shift
        c = a[:, n : 2 * n] * c + a[:, :n] * a[:, 2 * n : 3 * n]
        h = a[:, 3 * n :] * xp.tanh(c)
        h = h if project is None else h @ project
        gates.append(a)
        cells_.append(c)
        states.append(h)
        return h, c

    last = walk(xp, spans_of(sizes, reverse), [h0, c0], step)
    return _rows(xp, states, reverse), *last, _rows(xp, gates, reverse), _rows(xp, cells_, reverse)


@lstm_steps.loop
def _lstm_steps(
    xp: Namespace, cell: Callable[..., None], z: Array, h0: Array, c0: Array, w_hh: Array, w_hr: Array | None,
    sizes: Sizes, reverse: bool,
) -> tuple[Array, ...]:  # fmt: skip
    product = by(xp, xp.permute_dims(w_hh, (1, 0)), sizes[0], len(sizes))
    project = None if w_hr is None else transposed(xp, w_hr)
    gates = xp.empty(z.shape, dtype=z.dtype)
    cells_ = xp.empty((z.shape[0], c0.shape[1]), dtype=z.dtype)
    states = xp.empty((z.shape[0], h0.shape[1]), dtype=z.dtype)

    def step(begin: int, end: int, h: Array, c: Array) -> tuple[Array, ...]:
        a, new = gates[begin:end], states[begin:end]
        product(h, a)
        behind = new if project is None else xp.empty_like(cells_[begin:end])
        cell(cells.lstm_step, *_parts(a, 4), cells_[begin:end], behind, *_parts(z[begin:end], 4), c)
        if project is not None:
            xp.matmul(behind, project, out=new)
        return new, cells_[begin:end]

    last = walk(xp, spans_of(sizes, reverse), [h0, c0], step)
    return states, *last, gates, cells_


@Steps
def lstm_steps_back(
    xp: Namespace, g: Array, g_h: Array, g_c: Array, c0: Array, w_hh: Array, w_hr: Array | None, gates: Array,
    cells: Array, /, sizes: Sizes, reverse: bool,
) -> tuple[Array, ...]:  # fmt: skip
    """The gradients by z, h0 and c0 of those of the states, the last h and the last c; and those before ``w_hr``."""
    i, f, new, o = _parts(gates, 4)
    t = xp.tanh(cells)
    through = o * (1 - t * t)  # dh/dc
    before = entering(xp, cells, c0, sizes, reverse)
    factors = xp.concat(
        [new * i * (1 - i), before * f * (1 - f), i * (1 - new * new), t * o * (1 - o)], axis=1
    )  # of dc, dc, dc, dh
    taken, projected = [], []

    def step(begin: int, end: int, dh: Array, dc: Array) -> tuple[Array, ...]:
        dh = dh + g[begin:end]
        projected.append(dh)
        if w_hr is not None:
            dh = dh @ w_hr
        dc = dc + dh * through[begin:end]
        taken.append(xp.concat([dc, dc, dc, dh], axis=1) * factors[begin:end])
        return taken[-1] @ w_hh, dc * f[begin:end]

    dh0, dc0 = walk(xp, spans_of(sizes, not reverse), [g_h, g_c], step)
    return _rows(xp, taken, not reverse), dh0, dc0, g if w_hr is None else _rows(xp, projected, not reverse)


@lstm_steps_back.loop
def _lstm_steps_back(
    xp: Namespace, cell: Callable[..., None], g: Array, g_h: Array, g_c: Array, c0: Array, w_hh: Array,
    w_hr: Array | None, gates: Array, cells_: Array, sizes: Sizes, reverse: bool,
) -> tuple[Array, ...]:  # fmt: skip
    before = entering(xp, cells_, c0, sizes, reverse)
    taken = xp.empty(gates.shape, dtype=gates.dtype)
    projected = g if w_hr is None else xp.empty(g.shape, dtype=g.dtype)
    nothing, product = xp.zeros((1, c0.shape[1]), dtype=g.dtype), by(xp, w_hh, sizes[0], len(sizes))

    def step(begin: int, end: int, dh: Array, dc: Array) -> tuple[Array, ...]:
        d, mine = taken[begin:end], g[begin:end]
        if w_hr is not None:
            mine, dh = xp.add(mine, dh, out=projected[begin:end]) @ w_hr, nothing
        left = xp.empty_like(before[begin:end])
        cell(
            cells.lstm_step_back, *_parts(d, 4), left, mine, dh, dc, *_parts(gates[begin:end], 4), cells_[begin:end],
            before[begin:end],
        )  # fmt: skip
        return product(d), left

    dh0, dc0 = walk(xp, spans_of(sizes, not reverse), [g_h, g_c], step)
    return taken, dh0, dc0, projected


# -------------------------------------------------------------------- GRU


@Steps
def gru_steps(
    xp: Namespace, z: Array, h0: Array, w_hh: Array, b_hh: Array | None, /, sizes: Sizes, reverse: bool
) -> tuple[Array, ...]:
    """The states after all steps, the last ones, the gates with ``W_n h + b_n`` behind them, and ``n``."""
    n = h0.shape[1]
    w = transposed(xp, w_hh)
    states, gates, news = [], [], []

    def step(begin: int, end: int, h: Array) -> tuple[Array, ...]:
        a = h @ w if b_hh is None else h @ w + b_hh
        given, part = z[begin:end], a[:, 2 * n :]
        gate = xp.tanh((given[:, : 2 * n] + a[:, : 2 * n]) * 0.5) * 0.5 + 0.5
        new = xp.tanh(given[:, 2 * n :] + gate[:, :n] * part)
        states.append(new + gate[:, n:] * (h - new))
        gates.append(xp.concat([gate, part], axis=1))
        news.append(new)
        return (states[-1],)

    (last,) = walk(xp, spans_of(sizes, reverse), [h0], step)
    return _rows(xp, states, reverse), last, _rows(xp, gates, reverse), _rows(xp, news, reverse)


@gru_steps.loop
def _gru_steps(
    xp: Namespace, cell: Callable[..., None], z: Array, h0: Array, w_hh: Array, b_hh: Array | None, sizes: Sizes,
    reverse: bool,
) -> tuple[Array, ...]:  # fmt: skip
    product, n = by(xp, xp.permute_dims(w_hh, (1, 0)), sizes[0], len(sizes)), h0.shape[1]
    gates = xp.empty(z.shape, dtype=z.dtype)
    states, news = (xp.empty((z.shape[0], n), dtype=z.dtype) for _ in range(2))
    bias = xp.zeros((1, 3 * n), dtype=z.dtype) if b_hh is None else xp.reshape(b_hh, (1, 3 * n))

    def step(begin: int, end: int, h: Array) -> tuple[Array, ...]:
        a, state = gates[begin:end], states[begin:end]
        product(h, a)
        cell(cells.gru_step, *_parts(a, 3), news[begin:end], state, *_parts(z[begin:end], 3), *_parts(bias, 3), h)
        return (state,)

    (last,) = walk(xp, spans_of(sizes, reverse), [h0], step)
    return states, last, gates, news


@Steps
def gru_steps_back(
    xp: Namespace, g: Array, g_last: Array, before: Array, w_hh: Array, gates: Array, news: Array, /, sizes: Sizes,
    reverse: bool,
) -> tuple[Array, ...]:  # fmt: skip
    """The gradients by the products, by z and by h0 of those of the states; ``before`` entered the steps."""
    r, u, part = _parts(gates, 3)
    into_new = (1 - u) * (1 - news * news)
    factors = xp.concat([into_new * part * r * (1 - r), (before - news) * u * (1 - u), into_new * r], axis=1)  # of dh
    taken, arrived = [], []

    def step(begin: int, end: int, dh: Array) -> tuple[Array, ...]:
        dh = dh + g[begin:end]
        arrived.append(dh)
        taken.append(xp.concat([dh, dh, dh], axis=1) * factors[begin:end])
        return (taken[-1] @ w_hh + dh * u[begin:end],)

    (dh0,) = walk(xp, spans_of(sizes, not reverse), [g_last], step)
    d = _rows(xp, taken, not reverse)
    return d, xp.concat([d[:, : 2 * news.shape[1]], _rows(xp, arrived, not reverse) * into_new], axis=1), dh0


@gru_steps_back.loop
def _gru_steps_back(
    xp: Namespace, cell: Callable[..., None], g: Array, g_last: Array, before: Array, w_hh: Array, gates: Array,
    news: Array, sizes: Sizes, reverse: bool,
) -> tuple[Array, ...]:  # fmt: skip
    taken, by_z = (xp.empty(gates.shape, dtype=gates.dtype) for _ in range(2))
    product = by(xp, w_hh, sizes[0], len(sizes))

    def step(begin: int, end: int, dh: Array, more: Array) -> tuple[Array, ...]:
        d, here, past = taken[begin:end], before[begin:end], xp.empty_like(news[begin:end])
        cell(
            cells.gru_step_back, *_parts(d, 3), *_parts(by_z[begin:end], 3), past, g[begin:end], dh, more,
            *_parts(gates[begin:end], 3), news[begin:end], here,
        )  # fmt: skip
        return product(d), past

    dh0, more = walk(xp, spans_of(sizes, not reverse), [g_last, xp.zeros_like(g_last)], step)
    return taken, by_z, dh0 + more
