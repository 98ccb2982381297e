"""Update rules that need a whole parameter at once: norms, means along rows and columns, matrix products.

Arrays have the shape of the parameter. As in :mod:`gpugrad.kernels.optim`, all but ``g`` are changed in place, 16-bit
parameters are updated in float32, and scalars that depend on the step come computed. No value is waited for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..backend import Array, Namespace
from ..backend.dtypes import float32, uint32
from .composed import Composed
from .optim import lamb_direction
from .wide import wider

EPS = {"bfloat16": 2.0**-7, "float16": 2.0**-10, "float32": 2.0**-23, "float64": 2.0**-52}
"""The distance from 1 to the next number, by dtype."""


class Whole(Composed):
    """A rule that changes the arrays named in ``changes`` in place; a namespace that records sees it as one call."""

    def __init__(self, reference: Callable[..., Any], changes: tuple[str, ...]) -> None:
        super().__init__(reference)
        self.changes = changes

    def _wide(self, xp: Namespace, arguments: tuple[Any, ...]) -> Any:
        """The references take care of short floats themselves."""
        return self.reference(xp, *arguments)


def whole(*changes: str) -> Callable[[Callable[..., None]], Whole]:
    """Make a rule of its reference."""
    return lambda reference: Whole(reference, changes)


def _norm(xp: Namespace, x: Array) -> Array:
    """``|x|``, 0-d, on the device."""
    return xp.sqrt(xp.sum(x * x))


def _store(arrays: tuple[Array, ...], wide: tuple[Array, ...]) -> None:
    """Round what was computed in float32 into the arrays it came from."""
    for a, b in zip(arrays, wide, strict=True):
        if a is not b:
            a[...] = b.astype(a.dtype)


@whole("p", "m", "v")
def lamb_update(
    xp: Namespace, p: Array, g: Array, m: Array, v: Array, /, rate: float, sign: float, weight_decay: float,
    fresh1: float, beta2: float, fresh2: float, scale: float, root: float, eps: float,
) -> None:  # fmt: skip
    """``p -= rate |p| / |u| u`` with the direction of Adam ``u``; ``p -= rate u`` where a norm is 0.

    Source: You et al. 2020, "Large batch optimization for deep learning", algorithm 2, with ``phi(z) = z``.
    """
    wide = tuple(wider(xp, a) for a in (p, m, v))
    q, gradient = wide[0], wider(xp, g)
    u = xp.empty_like(q)
    lamb_direction(
        xp, u, q, gradient, wide[1], wide[2], sign, weight_decay, fresh1, beta2, fresh2, scale, root, eps
    )  # fmt: skip
    size, length = _norm(xp, q), _norm(xp, u)
    known = (size > 0) & (length > 0)
    ratio = xp.where(known, size / xp.where(known, length, 1), 1)
    q -= u * (ratio * rate).astype(q.dtype)
    _store((p, m, v), wide)


def _adafactor(
    xp: Namespace, p: Array, g: Array, estimate: Array, rate: float, shrink: float, eps1: float, eps2: float, d: float
) -> None:  # fmt: skip
    """``p = shrink p - alpha u / max(1, rms(u) / d)``, with ``u = g / sqrt(estimate)``.

    ``alpha = rate max(eps2, rms(p))``.
    """
    root = float(max(p.size, 1)) ** 0.5
    alpha = xp.maximum(_norm(xp, p) / root, eps2) * rate
    u = g / xp.sqrt(xp.maximum(estimate, eps1 * eps1))
    size = xp.maximum(_norm(xp, u) / (root * d), 1)
    p *= shrink
    p -= u * (alpha / size).astype(p.dtype)


@whole("p", "r", "c")
def adafactor_update(
    xp: Namespace, p: Array, g: Array, r: Array, c: Array, /, rate: float, sign: float, fresh: float, shrink: float,
    eps1: float, eps2: float, d: float,
) -> None:  # fmt: skip
    """The running mean of ``g^2`` as rows ``r`` times columns ``c``, over the last two axes.

    ``r += fresh (mean_columns(g^2) - r)``, ``c`` alike; ``g^2`` is estimated by ``r c / max(mean(r), eps1)``. A
    negative ``eps1`` stands for the distance from 1 to the next number of the dtype.
    Source: Shazeer and Stern 2018, "Adafactor"; ``torch.optim.Adafactor``.
    """
    eps1 = EPS[p.dtype.name] if eps1 < 0 else eps1
    wide = tuple(wider(xp, a) for a in (p, r, c))
    q, rows, columns = wide
    gradient = wider(xp, g) * sign
    squares = gradient * gradient
    rows += (xp.mean(squares, axis=-1, keepdims=True) - rows) * fresh
    columns += (xp.mean(squares, axis=-2, keepdims=True) - columns) * fresh
    estimate = rows * columns / xp.maximum(xp.mean(rows, axis=-2, keepdims=True), eps1)
    _adafactor(xp, q, gradient, estimate, rate, shrink, eps1, eps2, d)
    _store((p, r, c), wide)


@whole("p", "v")
def adafactor_vector_update(
    xp: Namespace, p: Array, g: Array, v: Array, /, rate: float, sign: float, fresh: float, shrink: float,
    eps1: float, eps2: float, d: float,
) -> None:  # fmt: skip
    """As :func:`adafactor_update` where there are no rows and columns: ``v += fresh (g^2 - v)``."""
    eps1 = EPS[p.dtype.name] if eps1 < 0 else eps1
    wide = tuple(wider(xp, a) for a in (p, v))
    q, square = wide
    gradient = wider(xp, g) * sign
    square += (gradient * gradient - square) * fresh
    _adafactor(xp, q, gradient, square, rate, shrink, eps1, eps2, d)
    _store((p, v), wide)


def _short(xp: Namespace, x: Array) -> Array:
    """float32 numbers rounded to the nearest bfloat16, ties to even, and kept in float32."""
    bits = xp.ascontiguousarray(x).view(uint32)
    cut = ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(uint32)
    return xp.where(xp.isnan(x), x, cut.view(float32))


def orthogonalized(xp: Namespace, x: Array, a: float, b: float, c: float, steps: int, eps: float) -> Array:
    """A matrix with its singular values taken close to 1: ``x = a x + (b s + c s s) x`` with ``s = x x'``, repeated.

    As in PyTorch, what an iteration gives is rounded to bfloat16. Products are taken of float32 numbers, so that they
    are the same on each device up to the order of their sums.
    Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks".
    """
    x = _short(xp, x.astype(float32))
    upright = x.shape[0] > x.shape[1]
    x = x.T if upright else x
    x = _short(xp, x / _short(xp, xp.maximum(_norm(xp, x).reshape(1), eps)))
    for _ in range(steps):
        s = _short(xp, x @ x.T)
        s = _short(xp, s * b + (s @ s) * c)
        x = _short(xp, x * a + s @ x)
    return x.T if upright else x


@whole("p", "m")
def muon_update(
    xp: Namespace, p: Array, g: Array, m: Array, /, rate: float, shrink: float, fresh: float, nesterov: float,
    a: float, b: float, c: float, steps: float, eps: float, adjusted: float,
) -> None:  # fmt: skip
    """``m += fresh (g - m); p = shrink p - rate s O(m)``, where O makes a matrix orthogonal; with Nesterov, of both.

    For a parameter of shape ``(R, C)``, ``s = sqrt(max(1, R / C))``, or ``0.2 sqrt(max(R, C))`` if ``adjusted``.
    Source: Jordan et al. 2024; Liu et al. 2025, "Muon is scalable for LLM training"; ``torch.optim.Muon``.
    """
    wide = tuple(wider(xp, a) for a in (p, m))
    q, mean = wide
    gradient = wider(xp, g)
    mean += (gradient - mean) * fresh
    u = gradient + (mean - gradient) * (1 - fresh) if nesterov else mean
    high, across = p.shape
    scale = 0.2 * max(high, across) ** 0.5 if adjusted else max(1, high / across) ** 0.5
    q *= shrink
    q -= orthogonalized(xp, u, a, b, c, int(steps), eps).astype(q.dtype) * (rate * scale)
    _store((p, m), wide)


@whole("master")
def master_taken(xp: Namespace, master: Array, p: Array, /) -> None:
    """Take over parameters that are not the rounded ``master`` any more, because someone has set them."""
    given = wider(xp, p)
    xp.copyto(master, xp.where(wider(xp, xp.astype(master, p.dtype)) == given, master, given))


@whole("p")
def master_rounded(xp: Namespace, p: Array, master: Array, /) -> None:
    """Round the float32 values into the parameters."""
    p[...] = xp.astype(master, p.dtype)
