"""Recurrent layers: all steps of one layer in one direction are one operation, with the loop inside.

The loops are kernels (``kernels/recurrent.py``). What does not depend on the step before is done for all steps at once:
the products with the inputs (by the layer, before), and the gradient of the recurrent weights, which is one product of
matrices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..backend import Array, Namespace
from ..core import primitive
from ..kernels.recurrent import (
    entering,
    gru_steps,
    gru_steps_back,
    lstm_steps,
    lstm_steps_back,
    rnn_steps,
    rnn_steps_back,
)  # fmt: skip


def _T(xp: Namespace, x: Array) -> Array:  # noqa: N802
    return xp.permute_dims(x, (1, 0))


# -------------------------------------------------------------------- plain


@primitive(outputs=True, wide=True, cast="lower")
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
    return rnn_steps(xp, z, h0, w_hh, sizes, reverse, relu)  # type: ignore[no-any-return]


@rnn.joint_vjp
def _rnn_gradients(
    xp: Namespace, g: tuple[Array, ...], wanted: tuple[str, ...], y: tuple[Array, ...], h0: Array, w_hh: Array,
    sizes: tuple[int, ...], reverse: bool, relu: bool,
) -> list[Array]:  # fmt: skip
    z, dh0 = rnn_steps_back(xp, g[0], g[1], y[0], w_hh, sizes, reverse, relu)
    gradients: dict[str, Callable[[], Array]] = {
        "z": lambda: z,
        "h0": lambda: dh0,
        "w_hh": lambda: _T(xp, z) @ entering(xp, y[0], h0, sizes, reverse),
    }
    return [gradients[name]() for name in wanted]


# -------------------------------------------------------------------- LSTM


def _lstm_forward(
    xp: Namespace, z: Array, h0: Array, c0: Array, w_hh: Array, w_hr: Array | None = None, /, *,
    sizes: tuple[int, ...], reverse: bool,
) -> tuple[Any, ...]:  # fmt: skip
    *y, gates, cells = lstm_steps(xp, z, h0, c0, w_hh, w_hr, sizes, reverse)
    return tuple(y), gates, cells


@primitive(
    outputs=True,
    residuals=("gates", "cells"),
    reference=lambda *a, **k: _lstm_forward(*a, **k)[0],
    wide=True,
    cast="lower",
)
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
    z, dh0, dc0, projected = lstm_steps_back(xp, *g, c0, w_hh, w_hr, gates, cells, sizes, reverse)
    n = c0.shape[1]
    gradients: dict[str, Callable[[], Array]] = {
        "z": lambda: z, "h0": lambda: dh0, "c0": lambda: dc0,
        "w_hh": lambda: _T(xp, z) @ entering(xp, y[0], h0, sizes, reverse),
        "w_hr": lambda: _T(xp, projected) @ (gates[:, 3 * n :] * xp.tanh(cells)),
    }  # fmt: skip
    return [gradients[name]() for name in wanted]


# -------------------------------------------------------------------- GRU


def _gru_forward(
    xp: Namespace, z: Array, h0: Array, w_hh: Array, b_hh: Array | None = None, /, *, sizes: tuple[int, ...],
    reverse: bool,
) -> tuple[Any, ...]:  # fmt: skip
    *y, gates, news = gru_steps(xp, z, h0, w_hh, b_hh, sizes, reverse)
    return tuple(y), gates, news


@primitive(
    outputs=True,
    residuals=("gates", "news"),
    reference=lambda *a, **k: _gru_forward(*a, **k)[0],
    wide=True,
    cast="lower",
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
    w_hh: Array, b_hh: Array | None, gates: Array, news: Array, sizes: tuple[int, ...], reverse: bool,
) -> list[Array]:  # fmt: skip
    before = entering(xp, y[0], h0, sizes, reverse)
    d, by_z, dh0 = gru_steps_back(xp, g[0], g[1], before, w_hh, gates, news, sizes, reverse)
    gradients: dict[str, Callable[[], Array]] = {
        "h0": lambda: dh0,
        "z": lambda: by_z,
        "w_hh": lambda: _T(xp, d) @ before,
        "b_hh": lambda: xp.sum(d, axis=0),
    }
    return [gradients[name]() for name in wanted]
