"""Images read at any places: spatial transformers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

from ...core import Tensor
from ...ops.arithmetic import abs, clip, where
from ...ops.beside import beside
from ...ops.comparison import isnan
from ...ops.creation import arange, astype
from ...ops.rounding import floor, round
from ...ops.shaping import broadcast_to, expand_dims, matrix_transpose, permute_dims, reshape, stack
from ...ops.wide import computed_wide
from .interpolation import CUBIC

Pad = Callable[[Tensor, int], Tensor]


@computed_wide
def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """Where each place of an image goes under an affine map, for :func:`grid_sample`.

    Args:
        theta: matrices of shape ``(N, 2, 3)`` for images, ``(N, 3, 4)`` for volumes; they take (x, y, 1) to (x, y).
        size: of the output, ``(N, C, H, W)`` or ``(N, C, D, H, W)``.
        align_corners: whether -1 and 1 are the middles of the outermost places, rather than their borders.

    Returns:
        Shape ``(N, H, W, 2)`` or ``(N, D, H, W, 3)``.

    Raises:
        ValueError: shapes and sizes do not fit.

    Source: Jaderberg et al. 2015, "Spatial transformer networks"; ``torch.nn.functional.affine_grid``.

    >>> import gpugrad as gg
    >>> gg.nn.functional.affine_grid(gg.tensor([[[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]]]), (1, 1, 1, 2))
    tensor([[[[0., 0.],
             [1., 0.]]]])
    """
    count, _, *inner = size if len(size) > 2 else (0, 0)
    d = len(inner)
    if d not in (2, 3) or theta.shape != (count, d, d + 1) or any(n < 1 for n in inner):
        raise ValueError(
            f"affine_grid: expected theta (N, 2, 3) for size (N, C, H, W), or (N, 3, 4) for (N, C, D, H, W), got "
            f"{theta.shape} and {tuple(size)}"
        )
    columns = []
    for axis in reversed(range(d)):
        n = inner[axis]
        if align_corners:
            line = [2 * i / (n - 1) - 1 for i in range(n)] if n > 1 else [0.0]
        else:
            line = [(2 * i + 1) / n - 1 for i in range(n)]
        along = reshape(beside(line, theta, theta.dtype), tuple(n if k == axis else 1 for k in range(d)))
        columns.append(broadcast_to(along, tuple(inner)))
    ones = broadcast_to(beside(1.0, theta, theta.dtype), tuple(inner))
    places = reshape(stack([*columns, ones], axis=-1), (-1, d + 1))
    return reshape(places @ matrix_transpose(theta), (count, *inner, d))


def _bounded(x: Tensor, n: int) -> Tensor:
    """Between the middles of the first and the last place; there and beyond, no gradient."""
    return where((x > 0) & (x < n - 1), x, clip(x.detach(), 0, n - 1))


def _reflected(x: Tensor, n: int, align_corners: bool) -> Tensor:
    """Folded back at the ends, at the middles or at the borders of the outermost places, as often as it takes."""
    first, length = (0.0, n - 1) if align_corners else (-0.5, n)
    if not length:
        return _bounded(x, n)
    far = abs(x - first)
    turns = floor(far / length)
    rest = far - turns * length
    return _bounded(where(turns % 2 == 0, rest, length - rest) + first, n)


def _padding(mode: str, align_corners: bool) -> Pad:
    """How a coordinate outside becomes one inside; for zeros it stays outside."""
    if mode == "reflection":
        return lambda x, n: _reflected(x, n, align_corners)
    return _bounded if mode == "border" else lambda x, n: x


def _read(x: Tensor, at: Sequence[Tensor], zeros: bool) -> Tensor:
    """The elements of channels-last images at whole coordinates, 0 outside."""
    first = reshape(arange(x.shape[0], device=x.device), (-1, *(1,) * (at[0].ndim - 1)))
    index = [astype(clip(c, 0, n - 1), "int64") for c, n in zip(at, x.shape[1:-1], strict=True)]
    y = x[(first, *index)]
    if not zeros:
        return y
    inside = None
    for c, n in zip(at, x.shape[1:-1], strict=True):
        here = (c >= 0) & (c <= n - 1)
        inside = here if inside is None else inside & here
    return where(expand_dims(inside, axis=-1), y, 0)


def _cubic(t: Tensor) -> list[Tensor]:
    """The weights of the four places around; Keys' kernel, for a place t behind the second."""
    a = CUBIC

    def far(s: Tensor) -> Tensor:
        return ((s - 5) * s + 8) * s * a - 4 * a

    def near(s: Tensor) -> Tensor:
        return ((a + 2) * s - (a + 3)) * s * s + 1

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]


@computed_wide
def grid_sample(
    input: Tensor, grid: Tensor, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool | None = None
) -> Tensor:
    """The image at the places of the grid, between -1 and 1 inside of it; differentiable in both.

    Args:
        input: shape ``(N, C, H, W)`` or ``(N, C, D, H, W)``.
        grid: coordinates (x, y) of shape ``(N, H', W', 2)``, or (x, y, z) of shape ``(N, D', H', W', 3)``. NaN counts
            as -1.
        mode: ``"bilinear"`` (for volumes, trilinear), ``"nearest"``, whose gradient by the grid is 0, or ``"bicubic"``,
            for images.
        padding_mode: what is outside: ``"zeros"``, ``"border"``, the nearest place, or ``"reflection"``.
        align_corners: whether -1 and 1 are the middles of the outermost places, rather than their borders.

    Returns:
        Shape ``(N, C, H', W')`` or ``(N, C, D', H', W')``.

    Raises:
        TypeError: the dtypes differ.
        ValueError: another mode, shapes that do not fit, or no places to read.

    Source: Jaderberg et al. 2015, "Spatial transformer networks"; ``torch.nn.functional.grid_sample``.

    >>> import gpugrad as gg
    >>> image = gg.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    >>> gg.nn.functional.grid_sample(image, gg.tensor([[[[0.0, 0.0], [-0.5, 0.5]]]]))
    tensor([[[[2.5, 3. ]]]])
    """
    d = input.ndim - 2
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise ValueError(f"grid_sample: expected mode 'bilinear', 'nearest' or 'bicubic', got {mode!r}")
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(f"grid_sample: expected padding_mode 'zeros', 'border' or 'reflection', got {padding_mode!r}")
    if d not in (2, 3) or grid.ndim != d + 2 or grid.shape[-1] != d or grid.shape[0] != input.shape[0]:
        raise ValueError(
            f"grid_sample: expected an input (N, C, H, W) with a grid (N, H', W', 2), or (N, C, D, H, W) with "
            f"(N, D', H', W', 3), got {input.shape} and {grid.shape}"
        )
    if mode == "bicubic" and d == 3:
        raise ValueError(f"grid_sample: mode 'bicubic' is for images (N, C, H, W), got {input.shape}")
    if any(n < 1 for n in input.shape[2:]):
        raise ValueError(f"grid_sample: expected an input with elements, got shape {input.shape}")
    if input.dtype != grid.dtype:
        raise TypeError(f"grid_sample: expected input and grid of the same dtype, got {input.dtype} and {grid.dtype}")
    corners, zeros = bool(align_corners), padding_mode == "zeros"
    pad = _padding(padding_mode, corners)
    sizes = input.shape[2:]
    x = permute_dims(input, (0, *range(2, d + 2), 1))
    grid = where(isnan(grid), -1, grid)
    at = []
    for axis, n in enumerate(sizes):
        c = grid[..., d - 1 - axis]
        at.append((c + 1) * ((n - 1) / 2) if corners else ((c + 1) * n - 1) / 2)
    if mode == "bicubic":
        lows = [floor(c).detach() for c in at]
        weights = [_cubic(c - low) for c, low in zip(at, lows, strict=True)]
        steps = range(-1, 3)
    else:
        at = [pad(c, n) for c, n in zip(at, sizes, strict=True)]
        lows = [(round(c) if mode == "nearest" else floor(c)).detach() for c in at]
        parts = [c - low for c, low in zip(at, lows, strict=True)]
        weights = [[1 - part, part] for part in parts]
        steps = range(1 if mode == "nearest" else 2)
    y = None
    for step in product(steps, repeat=d):
        places = [low + k for low, k in zip(lows, step, strict=True)]
        if mode == "bicubic":
            places = [pad(c, n) for c, n in zip(places, sizes, strict=True)]
        term = _read(x, places, zeros)
        if mode != "nearest":
            weight = weights[0][step[0] - steps[0]]
            for axis in range(1, d):
                weight = weight * weights[axis][step[axis] - steps[0]]
            term = term * expand_dims(weight, axis=-1)
        y = term if y is None else y + term
    return permute_dims(y, (0, d + 1, *range(1, d + 1)))
