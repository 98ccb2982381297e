"""Convolution and correlation of two sequences.

For layers over batches and channels see ``nn``. Source: NumPy.
"""

from __future__ import annotations

from ..backend import Array, Namespace
from ..core import primitive
from .creation import asarray
from .nested import together
from .rounding import conj
from .shaping import flip, reshape

MODES = ("full", "same", "valid")


@primitive
def _convolve(xp: Namespace, a: Array, v: Array, /, mode: str) -> Array:
    return xp.convolve(a, v, mode)


def _transposed(xp: Namespace, g: Array, other: Array, size: int, mode: str) -> Array:
    """The gradient of the operand with so many elements. A valid convolution slides the shorter along the longer."""
    back = "full" if mode == "valid" and size >= other.shape[0] else "valid"
    return _convolve.on(xp, g, xp.flip(other), mode=back)


_convolve.vjp(
    a=lambda xp, g, v, a_shape, mode: _transposed(xp, g, v, a_shape[0], mode),
    v=lambda xp, g, a, v_shape, mode: _transposed(xp, g, a, v_shape[0], mode),
)


def _sequences(name: str, a: Array, v: Array) -> list[Array]:
    """Both as vectors; a number is one of one element, as in NumPy."""
    found = [reshape(t, (1,)) if not t.ndim else t for t in map(asarray, together(name, a, v))]
    for t in found:
        if t.ndim != 1 or not t.size:
            raise ValueError(f"{name}: expected a sequence of at least one element, got shape {t.shape}")
    return found


def _cut(name: str, a: Array, v: Array, mode: str, start: int) -> Array:
    if mode not in MODES:
        raise ValueError(f"{name}: expected mode {', '.join(map(repr, MODES))}, got {mode!r}")
    if mode != "same":
        return _convolve(a, v, mode)
    return _convolve(a, v, "full")[start : start + max(a.size, v.size)]


def convolve(a: Array, v: Array, mode: str = "full") -> Array:
    """``y_k = sum_j a_j v_(k-j)``, of sequences.

    Args:
        a: shape ``(N,)``.
        v: shape ``(M,)``.
        mode: "full" for all ``N + M - 1`` places, "valid" for those where the sequences overlap completely,
            ``max(N, M) - min(N, M) + 1``, "same" for the ``max(N, M)`` in the middle.

    Raises:
        ValueError: another mode, another number of axes, or no elements.

    >>> import gpugrad as gg
    >>> gg.convolve(gg.tensor([1.0, 2.0, 3.0]), gg.tensor([1.0, -1.0]))
    tensor([ 1.,  1.,  1., -3.])
    """
    x, w = _sequences("convolve", a, v)
    return _cut("convolve", x, w, mode, (min(x.size, w.size) - 1) // 2)


def correlate(a: Array, v: Array, mode: str = "valid") -> Array:
    """``y_k = sum_j a_(k+j) conj(v_j)``, of sequences; the modes are those of :func:`convolve`.

    >>> import gpugrad as gg
    >>> gg.correlate(gg.tensor([1.0, 2.0, 4.0]), gg.tensor([1.0, -1.0]))
    tensor([-1., -2.])
    """
    x, w = _sequences("correlate", a, v)
    start = (w.size - 1) // 2 if w.size <= x.size else x.size // 2  # as NumPy has it, which exchanges the two
    return _cut("correlate", x, flip(conj(w) if w.dtype.kind == "c" else w), mode, start)
