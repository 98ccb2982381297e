"""``convolve`` over chosen axes, under the name of ``autograd.scipy.signal``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .... import numpy as np

Axes = Sequence[Sequence[int]]


def convolve(A: Any, B: Any, axes: Axes | None = None, dot_axes: Axes = ((), ()), mode: str = "full") -> Any:  # noqa: N803
    """Convolution of two arrays along pairs of axes, summed over other pairs, for all combinations of the rest.

    Args:
        A: an array.
        B: another.
        axes: the axes of A and those of B to convolve along; None for all.
        dot_axes: the axes of A and those of B to multiply and sum over.
        mode: "full", "valid" or "same" (of the size of A).

    Returns:
        The other axes of A, the other axes of B, then the convolved ones.

    Raises:
        ValueError: another mode, axes that do not come in pairs, or with "valid" neither is larger along all axes.
    """
    if mode not in ("full", "valid", "same"):
        raise ValueError(f"expected mode 'full', 'valid' or 'same', got {mode!r}")
    ndim = np.ndim(A), np.ndim(B)
    along = tuple(tuple(range(n)) for n in ndim) if axes is None else tuple(map(tuple, axes))
    summed = tuple(map(tuple, dot_axes))
    if len(along[0]) != len(along[1]) or len(summed[0]) != len(summed[1]):
        raise ValueError(f"expected axes in pairs, got axes {axes} and dot_axes {dot_axes}")
    rest = [[i for i in range(n) if i not in c and i not in d] for n, c, d in zip(ndim, along, summed, strict=True)]
    a, b = (np.transpose(x, (*r, *d, *c)) for x, r, d, c in zip((A, B), rest, summed, along, strict=True))
    count = len(along[0])
    sizes = a.shape[a.ndim - count :], b.shape[b.ndim - count :]
    pairs = list(zip(*sizes, strict=True))
    turned = mode == "valid" and any(n < m for n, m in pairs)
    if turned and any(n > m for n, m in pairs):
        raise ValueError(f"expected one array to be the larger along all axes, got sizes {sizes[0]} and {sizes[1]}")
    image, kernel = (b, a) if turned else (a, b)
    extent = sizes[0] if turned else sizes[1]
    before = {"full": [m - 1 for m in extent], "valid": [0] * count, "same": [m - 1 - (m - 1) // 2 for m in extent]}[
        mode
    ]
    after = {"full": [m - 1 for m in extent], "valid": [0] * count, "same": [(m - 1) // 2 for m in extent]}[mode]
    lead = image.ndim - count
    image = np.pad(image, [(0, 0)] * lead + list(zip(before, after, strict=True)))
    backwards: Any = (Ellipsis, *[slice(None, None, -1)] * count)
    kernel = kernel[backwards] if count else kernel
    # Windows of the image, the place in the window last: every output is the sum over one.
    windows = (
        np.lib.stride_tricks.sliding_window_view(image, extent, axis=tuple(range(lead, image.ndim))) if count else image
    )
    dots = len(summed[0])
    own = [chr(97 + i) for i in range(26)] + [chr(65 + i) for i in range(26)]
    take = iter(own)

    def letters(n: int) -> str:
        return "".join(next(take) for _ in range(n))

    first, second = len(rest[0]), len(rest[1])
    r_image, r_kernel = letters(second if turned else first), letters(first if turned else second)
    d, out, place = letters(dots), letters(count), letters(count)
    rows = r_kernel + r_image if turned else r_image + r_kernel
    return np.einsum(f"{r_image}{d}{out}{place},{r_kernel}{d}{place}->{rows}{out}", windows, kernel)
