"""Images and signals of another size: each axis is resampled by a table of places and weights."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from math import floor
from typing import Any

from ... import backend
from ...core import Tensor
from ...ops.resampling import Table, resample, table
from ...ops.wide import computed_wide
from .pooling import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d

AXES = {"nearest": (1, 2, 3), "nearest-exact": (1, 2, 3), "area": (1, 2, 3), "linear": (1,), "bilinear": (2,),
        "trilinear": (3,), "bicubic": (2,)}  # fmt: skip
"""How many axes each mode is for."""
AREA = (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)
CUBIC = -0.75
"""The free parameter of the cubic kernel; with antialiasing it is -0.5. Source: ``torch.nn.functional.interpolate``."""


def cubic_kernel(x: float, a: float = CUBIC) -> float:
    """Keys' kernel: 1 at 0, 0 at other integers and from 2 on. Source: Keys 1981.

    >>> cubic_kernel(0.5)
    0.59375
    """
    x = abs(x)
    if x <= 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return ((x - 5) * x + 8) * x * a - 4 * a if x < 2 else 0.0


def _triangle(x: float) -> float:
    return max(0.0, 1 - abs(x))


def _smooth(x: float) -> float:
    return cubic_kernel(x, -0.5)


@lru_cache(maxsize=256)
def places_of(mode: str, size: int, wanted: int, scale: float | Fraction, align_corners: bool) -> Table:
    """The table that makes ``wanted`` places of ``size``, whose distance is ``scale`` places of the input.

    Of the nearest modes the scale is a fraction, since rounding would miss places that are exact: ``49 (2 / 98)`` is
    below 1 in floating point.

    >>> places_of("linear", 2, 3, 0.5, True)
    Table(places=((0, 0, 1), (0, 1, 1)), weights=((1.0, 0.5, 1.0), (0.0, 0.5, 0.0)))
    """
    rows: list[list[tuple[int, float]]] = []
    for i in range(wanted):
        if mode.startswith("nearest"):
            source = (i + Fraction(mode == "nearest-exact", 2)) * scale
            rows.append([(min(floor(source), size - 1), 1.0)])
            continue
        source = i * scale if align_corners else (i + 0.5) * scale - 0.5
        if mode == "cubic":
            low = floor(source)
            taps = [(min(max(p, 0), size - 1), cubic_kernel(source - p)) for p in range(low - 1, low + 3)]
        else:
            source = min(max(source, 0.0), size - 1)
            low = floor(source)
            taps = [(low, 1 - (source - low)), (min(low + 1, size - 1), source - low)]
        rows.append(taps)
    return table(rows)


@lru_cache(maxsize=256)
def _antialiased(mode: str, size: int, wanted: int, scale: float) -> Table:
    """A kernel as wide as a place of the result, so that no place of the input is left out."""
    kernel: Callable[[float], float] = _triangle if mode == "linear" else _smooth
    width = max(scale, 1.0)
    reach = (1 if mode == "linear" else 2) * width
    rows = []
    for i in range(wanted):
        centre = scale * (i + 0.5)
        first, last = max(int(centre - reach + 0.5), 0), min(int(centre + reach + 0.5), size)
        weights = [kernel((p - centre + 0.5) / width) for p in range(first, last)]
        total = sum(weights)
        rows.append([(first + k, w / total if total else w) for k, w in enumerate(weights)])
    return table(rows)


def _decimal_fraction(scale: float) -> Fraction:
    """The inverse of a factor as a fraction of small numbers, if it is one to rounding: 1 / 49, 10 / 17."""
    small = Fraction(scale).limit_denominator(10_000)
    return small if float(small) == scale else Fraction(scale)


def _sizes(
    input: Tensor, size: Any, scale_factor: Any, recompute: bool | None
) -> tuple[tuple[int, ...], tuple[float | None, ...]]:
    """How many places are wanted of each axis, and the scale to compute them with, None for the quotient of sizes."""
    inner = input.shape[2:]
    if (size is None) == (scale_factor is None):
        raise ValueError(f"interpolate: expected either size or scale_factor, got {size} and {scale_factor}")
    given = size if size is not None else scale_factor
    each = tuple(given) if isinstance(given, tuple | list) else (given,) * len(inner)
    if len(each) != len(inner):
        what = "size" if size is not None else "scale_factor"
        raise ValueError(f"interpolate: expected a {what} for each of {len(inner)} axes, got {given}")
    if size is not None:
        if recompute:
            raise ValueError("interpolate: recompute_scale_factor is for a scale_factor, not for a size")
        wanted: tuple[int, ...] = tuple(int(n) for n in each)
    else:
        wanted = tuple(floor(float(n * factor)) for n, factor in zip(inner, each, strict=True))
    if any(n < 1 for n in (*wanted, *inner)):
        raise ValueError(f"interpolate: expected sizes of at least 1, got {inner} to {wanted}")
    return wanted, (None,) * len(inner) if size is not None or recompute else tuple(1 / factor for factor in each)


@computed_wide
def interpolate(
    input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
    align_corners: bool | None = None, recompute_scale_factor: bool | None = None, antialias: bool = False,
) -> Tensor:  # fmt: skip
    """``input`` with other sizes of its inner axes.

    Places are areas: place i of m covers the i-th part of the axis. With ``align_corners`` they are points, the first
    and the last of which are those of the input.

    Args:
        input: shape ``(N, C, L)``, ``(N, C, H, W)`` or ``(N, C, D, H, W)``.
        size: what is wanted: a number, or one for each inner axis.
        scale_factor: by what to multiply, likewise; sizes are rounded down.
        mode: ``"nearest"``, the element at ``floor(i n / m)``; ``"nearest-exact"``, that whose area holds the middle;
            ``"area"``, the mean over the area; ``"linear"``, ``"bilinear"``, ``"trilinear"``, for one, two or three
            inner axes; ``"bicubic"``, with Keys' kernel and a = -0.75.
        align_corners: for the last four.
        recompute_scale_factor: compute places from the sizes, not from the factor.
        antialias: for ``"bilinear"`` and ``"bicubic"``: a kernel as wide as a place of the result.

    Raises:
        TypeError: the input is not floating-point, unless the mode is nearest.
        ValueError: another mode, or arguments or shapes that do not fit it; the message names them.

    Source: ``torch.nn.functional.interpolate``; Keys 1981, "Cubic convolution interpolation".

    >>> import gpugrad as gg
    >>> gg.nn.functional.interpolate(gg.tensor([[[1.0, 3.0]]]), scale_factor=2, mode="linear")
    tensor([[[1. , 1.5, 2.5, 3. ]]])
    """
    if mode not in AXES:
        raise ValueError(f"interpolate: expected mode {', '.join(map(repr, AXES))}, got {mode!r}")
    if input.ndim - 2 not in AXES[mode]:
        raise ValueError(f"interpolate: mode {mode!r} is for {AXES[mode]} inner axes, got shape {input.shape}")
    exact = mode == "area" or mode.startswith("nearest")
    if exact and align_corners is not None:
        raise ValueError(f"interpolate: align_corners is for linear and cubic modes, got mode {mode!r}")
    if antialias and mode not in ("bilinear", "bicubic"):
        raise ValueError(f"interpolate: antialias is for mode 'bilinear' or 'bicubic', got {mode!r}")
    if not mode.startswith("nearest") and not backend.is_floating(input.dtype):
        raise TypeError(f"interpolate: expected a floating-point input for mode {mode!r}, got {input.dtype}")
    wanted, scales = _sizes(input, size, scale_factor, recompute_scale_factor)
    if mode == "area":
        return AREA[input.ndim - 3](input, wanted)
    kind = mode if exact else "cubic" if mode == "bicubic" else "linear"
    y = input
    axes = zip(range(2, input.ndim), wanted, scales, strict=True)
    for axis, m, given in sorted(axes, key=lambda a: (a[1] / input.shape[a[0]], -a[0])):  # what shrinks comes first
        n = y.shape[axis]
        if n == m and kind == "linear":
            continue  # whatever the factor, as in PyTorch
        scale: float | Fraction = n / m if given is None else given
        if kind.startswith("nearest"):
            scale = Fraction(n, m) if given is None else _decimal_fraction(given)
        elif align_corners:
            scale = (n - 1) / (m - 1) if m > 1 else 0.0
        terms = _antialiased(kind, n, m, scale) if antialias else places_of(kind, n, m, scale, bool(align_corners))
        if terms != Table((tuple(range(n)),), (None,)):
            y = resample(y, axis, terms)
    return y
