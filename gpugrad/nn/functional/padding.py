"""Borders around images and signals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...core import Tensor
from ...ops.padding import pad as pad_of

MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
"""PyTorch's names of NumPy's modes."""


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: Any = None) -> Tensor:
    """``input`` with a border, or for negative widths without what is there.

    Args:
        input: shape ``(...)``; unless the border is constant ``(C, ...)`` or ``(N, C, ...)`` with one to three inner
            axes, all of which are padded.
        pad: widths before and behind the last axis, then the last but one, and so on: ``(left, right, top, bottom)``.
        mode: ``"constant"``; ``"reflect"``, a mirror on the last element; ``"replicate"``, the nearest element;
            ``"circular"``, the other end.
        value: the constant; None for 0.

    Raises:
        ValueError: another mode, widths that are no pairs, more of them than axes, or as large as that nothing is left
            or nothing is there to fill a border with.

    Source: ``torch.nn.functional.pad``.

    >>> import gpugrad as gg
    >>> gg.nn.functional.pad(gg.tensor([[1.0, 2.0, 3.0]]), (1, -1, 0, 1))
    tensor([[0., 1., 2.],
            [0., 0., 0.]])
    >>> gg.nn.functional.pad(gg.tensor([[1.0, 2.0, 3.0]]), (2, 1), mode="reflect")
    tensor([[3., 2., 1., 2., 3., 2.]])
    """
    if mode not in MODES:
        raise ValueError(f"pad: expected mode {', '.join(map(repr, MODES))}, got {mode!r}")
    widths = tuple(int(width) for width in pad)
    count = len(widths) // 2
    if len(widths) % 2 or count > input.ndim:
        raise ValueError(f"pad: expected pairs of widths for at most {input.ndim} axes, got {widths}")
    if mode != "constant":
        if value is not None:
            raise ValueError(f"pad: a value is for mode 'constant', got {value} for {mode!r}")
        if not 1 <= count <= 3 or input.ndim - count not in (1, 2):
            raise ValueError(
                f"pad: for mode {mode!r} expected widths for all inner axes of (C, ...) or (N, C, ...), got {widths} "
                f"for shape {input.shape}"
            )
    pairs = [(0, 0)] * (input.ndim - count) + [(widths[2 * k], widths[2 * k + 1]) for k in reversed(range(count))]
    y = input
    if mode == "circular":  # what is wrapped around is what is left
        y, pairs = _cropped(y, pairs), [(max(before, 0), max(behind, 0)) for before, behind in pairs]
    for axis, (n, pair) in enumerate(zip(y.shape, pairs, strict=True)):
        if pair == (0, 0) and (mode == "circular" or (axis == 0 and input.ndim == count + 2)):
            continue  # no border to fill; for the other modes only the batch may be empty, as in PyTorch
        most = {"reflect": n - 1, "circular": n}.get(mode)
        if most is not None and max(pair) > most:
            raise ValueError(f"pad: expected widths of at most {most} for mode {mode!r} of axis {axis}, got {widths}")
        if n + sum(pair) < (0 if mode == "constant" else 1):
            raise ValueError(f"pad: nothing is left of axis {axis} of size {n} with widths {pair}")
    if any(max(pair) > 0 for pair in pairs):
        outer = [(max(before, 0), max(behind, 0)) for before, behind in pairs]
        y = pad_of(y, outer, MODES[mode], constant_values=0 if value is None else value)
    return _cropped(y, pairs)


def _cropped(x: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
    """Without as many elements as the negative widths say."""
    if all(min(pair) >= 0 for pair in pairs):
        return x
    return x[tuple(slice(max(-b, 0), n - max(-e, 0)) for n, (b, e) in zip(x.shape, pairs, strict=True))]
