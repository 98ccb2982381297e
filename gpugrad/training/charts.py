"""Curves as SVG, drawn by hand: small, sharp at any size, with the colours of the page they stand in.

Colours are CSS variables (``--curve-0`` ..., ``--ink``, ``--faint``), so that a page is light or dark without a second
picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 640.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 70.0, 12.0, 12.0, 36.0
MOST = 600
"""Points of a curve that are drawn; of more, the smallest and the largest of each stretch."""


@dataclass
class Curve:
    """One line: its name, the points ``(x, y)`` by growing x, and whether it stands back behind the others."""

    name: str
    points: Points
    colour: int = 0
    faint: bool = False
    dots: bool = False


@dataclass
class Chart:
    """Curves over one axis, with marks at moments of x."""

    title: str
    curves: list[Curve]
    marks: list[tuple[float, str]] = field(default_factory=list)
    logarithmic: bool = False
    xlabel: str = "step"
    span: tuple[float, float] | None = None
    """The least stretch of x that is shown, so that charts beside each other have one scale."""


def svg(chart: Chart) -> str:
    """The chart as one ``<svg>`` element.

    >>> picture = svg(Chart("loss", [Curve("loss", [(0, 1.0), (10, 0.5)])]))
    >>> picture.startswith("<svg"), picture.count("<path")
    (True, 1)
    """
    drawn = [Curve(c.name, _finite(c.points, chart.logarithmic), c.colour, c.faint, c.dots) for c in chart.curves]
    xs = [x for c in drawn for x, _ in c.points] + [x for x, _ in chart.marks] + list(chart.span or ())
    ys = [y for c in drawn for _, y in c.points]
    if not ys:
        return f'<p class="nothing">{escape(chart.title)}: no finite value</p>'
    x = _Axis(*_around(min(xs), max(xs), 0.0), LEFT, WIDTH - RIGHT)
    low, high = (math.log10(min(ys)), math.log10(max(ys))) if chart.logarithmic else (min(ys), max(ys))
    y = _Axis(*_around(low, high, 0.06), HEIGHT - BOTTOM, TOP)
    parts = [*_grid(chart, x, y)]
    for at, text in chart.marks:
        parts.append(f'<line class="mark" x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{TOP:.0f}" y2="{HEIGHT - BOTTOM:.0f}">'
                     f"<title>{escape(text)}</title></line>")  # fmt: skip
    parts += [part for c in drawn for part in _line(c, x, y, chart.logarithmic)]
    label = f"{chart.title}: " + ", ".join(_summary(c) for c in drawn if c.points and not c.faint)
    return (f'<svg viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" aria-label="{escape(label, quote=True)}">'
            + "".join(parts) + "</svg>")  # fmt: skip


def smoothed(points: Points, most: int = 60) -> list[tuple[float, float]]:
    """Means over stretches of equal length, for a noisy curve to be read by.

    >>> smoothed([(0, 1.0), (1, 3.0), (2, 5.0), (3, 7.0)], most=2)
    [(0.5, 2.0), (2.5, 6.0)]
    """
    size = max(1, math.ceil(len(points) / most))
    parts = [points[i : i + size] for i in range(0, len(points), size)]
    return [(sum(x for x, _ in p) / len(p), sum(y for _, y in p) / len(p)) for p in parts]


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers between two others, some five of them.

    >>> ticks(0.0, 1.0)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    span = (high - low) / max(about, 1)
    if not span > 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(span))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= span * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]


@dataclass
class _Axis:
    """From values to places."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def _around(low: float, high: float, margin: float) -> tuple[float, float]:
    if low == high:
        return low - (abs(low) / 10 or 1.0), high + (abs(high) / 10 or 1.0)
    return low - margin * (high - low), high + margin * (high - low)


def _finite(points: Points, logarithmic: bool) -> Points:
    kept = [(x, y) for x, y in points if math.isfinite(y) and (y > 0 or not logarithmic)]
    if len(kept) <= MOST:
        return kept
    size = math.ceil(len(kept) / (MOST // 2))
    thin: list[tuple[float, float]] = []
    for i in range(0, len(kept), size):
        part = kept[i : i + size]
        ends = {min(part, key=lambda p: p[1]), max(part, key=lambda p: p[1])}
        thin += sorted(ends)
    if thin[-1] != kept[-1]:
        thin.append(kept[-1])
    return thin


def _grid(chart: Chart, x: _Axis, y: _Axis) -> list[str]:
    parts = []
    for value in _logarithmic_ticks(y) if chart.logarithmic else ticks(y.low, y.high):
        place = y(math.log10(value)) if chart.logarithmic else y(value)
        parts.append(f'<line class="grid" x1="{LEFT:.0f}" x2="{WIDTH - RIGHT:.0f}" y1="{place:.1f}" y2="{place:.1f}"/>'
                     f'<text class="y" x="{LEFT - 7:.0f}" y="{place + 4:.1f}">{number(value)}</text>')  # fmt: skip
    parts += [
        f'<text class="x" x="{x(value):.1f}" y="{HEIGHT - BOTTOM + 16:.0f}">{value:,.10g}</text>'
        for value in ticks(x.low, x.high, 6)
    ]
    parts.append(f'<text class="x label" x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 5:.0f}">'
                 f"{escape(chart.xlabel)}</text>")  # fmt: skip
    return parts


def _logarithmic_ticks(y: _Axis) -> list[float]:
    decades = range(max(math.floor(y.low), -307), min(math.ceil(y.high), 307) + 1)  # what float64 can hold
    every = max(1, round(len(decades) / 6))
    within = (1, 2, 5) if len(decades) <= 4 else (1,)
    values = [m * 10.0**d for d in decades[::every] for m in within]
    found = [v for v in values if y.low <= math.log10(v) <= y.high]
    # Where the curve stays between two of them, the round numbers of an ordinary axis.
    return found if len(found) > 1 else [v for v in ticks(10**y.low, 10**y.high) if v > 0]


def _line(curve: Curve, x: _Axis, y: _Axis, logarithmic: bool) -> list[str]:
    places = [(x(a), y(math.log10(b) if logarithmic else b)) for a, b in curve.points]
    if not places:
        return []
    kind = f"curve c{curve.colour}" + (" faint" if curve.faint else "")
    path = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in places)
    parts = [f'<path class="{kind}" d="{path}"/>']
    if len(places) == 1 or (curve.dots and len(places) <= 60):
        parts += [
            f'<circle class="{kind}" cx="{a:.1f}" cy="{b:.1f}" r="3"><title>{escape(curve.name)} {number(v)} '
            f"at {at:,.10g}</title></circle>"
            for (a, b), (at, v) in zip(places, curve.points, strict=True)
        ]
    return parts


def _summary(curve: Curve) -> str:
    (_, first), (_, last) = curve.points[0], curve.points[-1]
    return f"{curve.name} from {number(first)} to {number(last)}"


def number(value: float) -> str:
    """A number with four digits, as short as it goes.

    >>> [number(v) for v in (0.5, 1234.5678, 1e-7, 0.0)]
    ['0.5', '1235', '1e-07', '0']
    """
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}" if abs(value) < 1e7 else f"{value:.3g}"
