"""One time step of recurrent layers behind the product with the state: the gates and the states, and the way back.

Arrays have the shape ``(rows, H)``: the gates of a step are parts of one array, side by side. What holds a product on
entry holds the gate afterwards; the sum with the input's part is taken here. A sigmoid is ``(1 + tanh(x / 2)) / 2``.

Bytes moved for n elements of s bytes: 17 n s for an LSTM forward and 18 n s back, 16 and 19 for a GRU, 3 and 4 for a
plain layer, arrays that are changed counted twice.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any

from ..backend import Array, Namespace
from .elementwise import Elementwise, elementwise


def _cell(*changes: str) -> Callable[[Callable[..., None]], Elementwise]:
    """Make a kernel of a function that changes these arrays; 16-bit numbers are computed with in float32."""

    def make(update: Callable[..., None]) -> Elementwise:
        names = [*signature(update).parameters][1:]

        @wraps(update)
        def run(xp: Namespace, *arrays: Any) -> None:
            if arrays[0].dtype.itemsize > 2:
                update(xp, *arrays)
                return
            wide = [a.astype(xp.float32) for a in arrays]
            update(xp, *wide)
            for name, old, new in zip(names, arrays, wide, strict=True):
                if name in changes:
                    old[...] = new

        kernel: Elementwise = elementwise(changes=changes)(run)
        return kernel

    return make


def _sigmoid(xp: Namespace, x: Array) -> Array:
    return xp.tanh(x * 0.5) * 0.5 + 0.5


@_cell("i", "f", "n", "o", "c", "h")
def lstm_step(
    xp: Namespace, i: Array, f: Array, n: Array, o: Array, c: Array, h: Array, zi: Array, zf: Array, zn: Array,
    zo: Array, before: Array, /,
) -> None:  # fmt: skip
    """``c = f before + i n`` and ``h = o tanh(c)``, with gates of the sums of products and inputs."""
    i[...] = _sigmoid(xp, i + zi)
    f[...] = _sigmoid(xp, f + zf)
    n[...] = xp.tanh(n + zn)
    o[...] = _sigmoid(xp, o + zo)
    c[...] = f * before + i * n
    h[...] = o * xp.tanh(c)


@_cell("gi", "gf", "gn", "go", "gc")
def lstm_step_back(
    xp: Namespace, gi: Array, gf: Array, gn: Array, go: Array, gc: Array, g: Array, dh: Array, after: Array, i: Array,
    f: Array, n: Array, o: Array, c: Array, before: Array, /,
) -> None:  # fmt: skip
    """The gradients before the gates, and of ``before``; ``g + dh`` is that of h, ``after`` that of c from behind."""
    d = g + dh
    t = xp.tanh(c)
    through = after + d * o * (1 - t * t)
    gi[...] = through * n * i * (1 - i)
    gf[...] = through * before * f * (1 - f)
    gn[...] = through * i * (1 - n * n)
    go[...] = d * t * o * (1 - o)
    gc[...] = through * f


@_cell("r", "u", "part", "n", "h")
def gru_step(
    xp: Namespace, r: Array, u: Array, part: Array, n: Array, h: Array, zr: Array, zu: Array, zn: Array, br: Array,
    bu: Array, bn: Array, before: Array, /,
) -> None:  # fmt: skip
    """``h = n + u (before - n)`` with ``n = tanh(zn + r part)``, where ``part`` is the third product plus its bias."""
    part += bn
    r[...] = _sigmoid(xp, r + br + zr)
    u[...] = _sigmoid(xp, u + bu + zu)
    n[...] = xp.tanh(zn + r * part)
    h[...] = n + u * (before - n)


@_cell("dr", "du", "dpart", "zr", "zu", "zn", "kept")
def gru_step_back(
    xp: Namespace, dr: Array, du: Array, dpart: Array, zr: Array, zu: Array, zn: Array, kept: Array, g: Array,
    dh: Array, more: Array, r: Array, u: Array, part: Array, n: Array, before: Array, /,
) -> None:  # fmt: skip
    """The gradients of the three products, of the inputs, and that of ``before`` which goes past the gates.

    ``g + dh + more`` is the gradient of h.
    """
    d = g + dh + more
    into = d * (1 - u) * (1 - n * n)
    dr[...] = into * part * r * (1 - r)
    du[...] = d * (before - n) * u * (1 - u)
    dpart[...] = into * r
    zr[...] = dr
    zu[...] = du
    zn[...] = into
    kept[...] = d * u


@_cell("h")
def tanh_step(xp: Namespace, h: Array, z: Array, /) -> None:
    """``h = tanh(h + z)``."""
    h[...] = xp.tanh(h + z)


@_cell("d")
def tanh_step_back(xp: Namespace, d: Array, g: Array, dh: Array, h: Array, /) -> None:
    """``d = (g + dh) (1 - h^2)``."""
    d[...] = (g + dh) * (1 - h * h)


@_cell("h")
def relu_step(xp: Namespace, h: Array, z: Array, /) -> None:
    """``h = max(0, h + z)``; NaN stays."""
    a = h + z
    h[...] = xp.where(a <= 0, 0, a)


@_cell("d")
def relu_step_back(xp: Namespace, d: Array, g: Array, dh: Array, h: Array, /) -> None:
    """``d = g + dh`` where h is above 0, else 0."""
    d[...] = xp.where(h <= 0, 0, 1) * (g + dh)
